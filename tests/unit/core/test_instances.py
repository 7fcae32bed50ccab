"""What the instances' rows say: who could lead, who sees, who would decide otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.instances import SEEN_S, campaigns, could_lead, difference, sees
from nvaha.model import STALE_AFTER_S, InstanceRecord
from tests.builders import later

WELL = InstanceRecord(
    "two", later(0), configuration="c-p", campaign_at=later(0), asked=2, answered=1, seen_at=later(0)
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"leads": True}, True),
        ({"written_at": later(-STALE_AFTER_S)}, True),
        ({"written_at": later(-STALE_AFTER_S - 1)}, False),
        ({"written_at": later(STALE_AFTER_S + 1)}, False),
        ({"campaign_at": None}, False),
        ({"campaign_at": later(-STALE_AFTER_S - 1)}, False),
        ({"abstains": True}, False),
    ],
)
def test_an_instance_campaigns_if_its_row_and_its_last_campaign_are_fresh(
    changes: dict[str, Any], expected: bool
) -> None:
    """A row that nobody writes any more, or one who is not answered, is no standby; nor is who abstains."""
    record = replace(WELL, **changes)
    assert campaigns(record, later(0)) is expected
    assert could_lead(record, "c-p", later(0)) is expected


@pytest.mark.parametrize("configuration", ["c-q", "d-p", ""])
def test_who_would_decide_otherwise_could_not_lead_in_ones_place(configuration: str) -> None:
    """It may lead all the same; that it stands by is not said of it."""
    record = replace(WELL, configuration=configuration)
    assert campaigns(record, later(0))
    assert not could_lead(record, "c-p", later(0))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"answered": 0}, False),
        ({"seen_at": None}, False),
        ({"seen_at": later(-SEEN_S - 1)}, False),
    ],
)
def test_who_was_answered_just_now_sees(changes: dict[str, Any], expected: bool) -> None:
    """One answer is enough, an old one is none."""
    assert sees(replace(WELL, **changes), later(0)) is expected


@pytest.mark.parametrize(
    ("theirs", "word"), [("c-p", None), ("", None), ("c-q", "policies"), ("d-p", "groups"), ("d-q", "groups")]
)
def test_a_difference_says_which_half_it_is_in(theirs: str, word: str | None) -> None:
    """What a switch may touch, or what is decided by; of an older release nothing is known."""
    found = difference(replace(WELL, configuration=theirs), "c-p")
    assert (found is None) if word is None else (found is not None and word in found)
