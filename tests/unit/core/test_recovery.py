"""What is taken over of a state that was exported elsewhere."""

from __future__ import annotations

import pytest

from nvaha.core.decide import decide
from nvaha.core.inputs import Elected, NetworkRead, Survey, SwitchDone
from nvaha.core.recovery import RAISED_BY, adopted, adopts, is_adopted
from nvaha.model import LARGEST, Drift, GroupState, Guards, NvaState, Phase
from tests.builders import NOON, later, request_to, steady, switching, up
from tests.unit.core.decisions import GROUP, probed

KNOWN = {"internal": {"first": "10.0.0.4"}}


def test_what_could_move_something_is_left_behind() -> None:
    """No switch, no wish, no drift, no health, no request id; nobody is told again what was told there."""
    old = switching("b", epoch=7, wanted="b", drift=Drift(("x",), seen=2), request_ids=(("r", "g-1-0"),))
    new = adopted(old, 9)
    assert (new.phase, new.switch, new.wanted, new.drift) == (Phase.UNKNOWN, None, None, Drift())
    assert (new.request_ids, new.untold, new.closings, new.fingerprint) == ((), (), (), None)
    assert {nva.health for nva in new.nvas.values()} == {"unknown"}


def test_what_holds_back_and_what_is_remembered_is_taken_along() -> None:
    """A pause, the guards, the last active NVA, addresses, and when it was last watched."""
    guards = Guards(last_switch_at=NOON, switches=(NOON,), failed_in_a_row=2)
    old = steady("b", paused=True, guards=guards, probed_at=NOON, nvas={"a": up(), "b": up(addresses=KNOWN)})
    new = adopted(old, 1)
    assert (new.paused, new.guards, new.active, new.probed_at) == (True, guards, "b", NOON)
    assert new.nvas["b"] == NvaState(addresses=KNOWN)


@pytest.mark.parametrize(("epoch", "of_export"), [(7, 9), (9, 7)])
def test_whatever_the_old_side_has_in_hand_is_older(epoch: int, of_export: int) -> None:
    """Its leaders are deposed, and its workers' reports are about nothing that is under way."""
    old = switching("b", epoch=epoch)
    new = adopted(old, of_export)
    assert new.epoch == 9 + RAISED_BY
    assert new.generation == old.generation + RAISED_BY
    report = SwitchDone(old.generation, request_to("b").operation)
    for late in (report, Elected(9)):
        decision = decide(GROUP, new, late, NOON)
        assert decision.refusal is not None
        assert decision.state.active == new.active


def test_nothing_goes_beyond_what_can_be_read() -> None:
    """A row whose numbers are at their end stays legible."""
    new = adopted(steady(epoch=LARGEST, generation=LARGEST), LARGEST)
    assert (new.epoch, new.generation) == (LARGEST, LARGEST)


def test_the_first_look_says_who_is_active() -> None:
    """And no probe before it moves anything."""
    new = decide(GROUP, adopted(steady("a", epoch=1), 1), Elected(2000), NOON).state
    assert probed(new, now=later(1)).send is None
    look = NetworkRead(2000, Survey({"b": 3}, {}, {"a": ("route r",), "b": ()}))
    after = decide(GROUP, new, look, later(2)).state
    assert (after.phase, after.active) == (Phase.STEADY, "b")


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (None, True),
        (steady(), True),
        (steady(paused=True), False),
        (steady(generation=1), False),
        (switching(), False),
    ],
)
def test_a_newer_state_is_not_overwritten(there: GroupState | None, taken: bool) -> None:
    """One that a leader has only looked at gives way; what anybody asked for does not."""
    refusal = adopts(there, adopted(steady(), 1))
    assert (refusal is None) is taken
    assert refusal is None or refusal.message.startswith("g: ")


def test_what_was_taken_over_is_known_again() -> None:
    """Until something is asked for."""
    new = adopted(steady(epoch=1), 1)
    elected = decide(GROUP, new, Elected(new.epoch + 1), NOON).state
    assert is_adopted(new, new)
    assert is_adopted(elected, new)
    assert not is_adopted(None, new)
    assert not is_adopted(steady(), new)
