"""What of a group waits for its receivers: bounded, so that every release can read the row it is in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nvaha.azure.storage.bounds import _MOST_CARRIED
from nvaha.azure.storage.rows import group_entity, read_group
from nvaha.core.sending import MOST_UNSENT, kept, owed, untaken, wants
from nvaha.model import GroupState, Notice, Receiver, ReceiverKind, Unsent
from nvaha.model.events import CONDITIONS, EVENTS, FIELDS, WAKES
from tests.builders import later, steady

HOOK = Receiver("it", ReceiverKind.WEBHOOK, "IT_URL", "IT_KEY")
FELL = Notice("nva_down", "error", "edge: nva1 is down", {"group": "edge", "nva": "nva1", "id": "w.0"})
EVERYBODY = (
    Receiver("one", ReceiverKind.WEBHOOK, events=("switch_failed",)),
    Receiver("two", ReceiverKind.SLACK, events=("switch_failed",)),
)


def largest(number: int) -> Unsent:
    """Return the largest thing that can wait: every field full, in letters that take six characters each."""
    fields: dict[str, Any] = dict.fromkeys(list(FIELDS)[:15], "一" * 5000)
    fields |= {"id": f"w.{number}", "group": "g"}
    found = owed(EVERYBODY, Notice("switch_failed", "error", "\u4e00" * 5000, fields), later(0))
    assert found is not None
    return found


def small(number: int) -> Unsent:
    """Return something as it usually is."""
    found = owed(EVERYBODY, Notice("switch_failed", "error", "a sentence", {"id": f"w.{number}"}), later(0))
    assert found is not None
    return found


def carried(state: GroupState) -> int:
    """Return how many characters a release that does not know of it has to carry along."""
    entity = group_entity(state)
    content = json.loads("".join(entity.get(name) or "" for name in ("state", "state_1", "state_2")))
    return len(json.dumps({"unsent": content["unsent"]}))


def test_what_waits_fits_into_what_another_release_carries() -> None:
    """However long texts are, and in whatever script."""
    state = steady(unsent=kept(tuple(largest(number) for number in range(40))))
    assert len(state.unsent) >= 1
    assert state.unsent[-1].id == "w.39"
    assert carried(state) < _MOST_CARRIED / 1.5


def test_the_newest_of_what_waits_are_kept() -> None:
    """So many as usually come in a night."""
    assert [each.id for each in kept(tuple(map(small, range(20))))] == [f"w.{n}" for n in range(4, 20)]
    assert len(kept(tuple(map(small, range(20))))) == MOST_UNSENT


def test_what_waits_is_read_as_it_was_written() -> None:
    """From the row, by whoever leads next."""
    state = steady(unsent=(small(1), largest(2)))
    assert read_group(group_entity(state), later(1)) == state


def test_what_one_has_taken_still_waits_for_the_other() -> None:
    """Until both have."""
    both = (small(1), small(2))
    [first, second] = untaken(both, {("w.1", "one")})
    assert (first.to, second.to) == (("two",), ("one", "two"))
    assert untaken(both, {("w.1", "one"), ("w.1", "two")}) == both[1:]


def test_what_nobody_wants_does_not_wait() -> None:
    """Nothing is written for it."""
    assert owed(EVERYBODY, Notice("heartbeat", "info", "round", {}), later(0)) is None


def test_every_condition_that_ends_is_one_that_begins() -> None:
    """And every event that is named exists."""
    begun = {condition for condition, begins in CONDITIONS.values() if begins}
    assert {condition for condition, _ in CONDITIONS.values()} == begun
    assert EVENTS.keys() >= CONDITIONS.keys() | WAKES


@pytest.mark.parametrize(
    ("receiver", "notice", "sent"),
    [
        (HOOK, FELL, True),
        (HOOK, Notice("heartbeat", "info", "", {}), False),
        (replace(HOOK, groups=("core",)), FELL, False),
        (replace(HOOK, groups=("core", "edge")), FELL, True),
        (replace(HOOK, groups=("core",)), Notice("no_token", "error", "", {}), True),
        (replace(HOOK, level="error"), Notice("drift_found", "warning", "", {"group": "edge"}), False),
        (replace(HOOK, level="error"), Notice("nva_up", "info", "", {"group": "edge"}), True),
        (replace(HOOK, events=("heartbeat",)), Notice("heartbeat", "info", "", {}), True),
        (replace(HOOK, events=("heartbeat",)), FELL, False),
        (replace(HOOK, kind=ReceiverKind.PAGERDUTY), Notice("switch_requested", "warning", "", {}), False),
        (
            replace(HOOK, kind=ReceiverKind.PAGERDUTY, events=("switch_failed",)),
            Notice("switch_done", "info", "", {}),
            True,
        ),
        (
            replace(HOOK, kind=ReceiverKind.PAGERDUTY, events=("nva_down",)),
            Notice("switch_done", "info", "", {}),
            False,
        ),
    ],
)
def test_a_receiver_is_sent_what_it_asks_for(receiver: Receiver, notice: Notice, sent: bool) -> None:
    """By event, level and group; the end of a condition follows its beginning."""
    assert wants(receiver, notice) is sent
