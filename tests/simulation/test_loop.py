"""What would never end in virtual time ends as an error."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import run
from tests.simulation.loop import Stuck


async def _waits() -> None:
    await asyncio.Event().wait()


async def _goes_round() -> None:
    loop = asyncio.get_running_loop()

    def again() -> None:
        loop.call_soon(again)

    again()
    await asyncio.Event().wait()


def test_waiting_for_ever_is_an_error() -> None:
    """Nothing is ready, and no timer is set."""
    with pytest.raises(Stuck):
        run(_waits())


def test_going_round_in_no_time_is_an_error() -> None:
    """A loop that never waits does not hold up the tests: it is told."""
    with pytest.raises(Stuck):
        run(_goes_round())
