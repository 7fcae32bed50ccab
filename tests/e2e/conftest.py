"""The order of these tests: the longest first, so that no worker is left alone with one at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST_FIRST = ("test_outages", "test_crashes", "test_lost_messages", "test_takeover")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Reorder the tests of this folder among themselves."""
    here = Path(__file__).parent
    places = [number for number, item in enumerate(items) if item.path.parent == here]
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    ours = sorted(
        (items[number] for number in places), key=lambda item: order.get(item.path.stem, len(order))
    )
    for number, item in zip(places, ours, strict=True):
        items[number] = item
