"""What operators ask for, and what they are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.decide import decide
from nvaha.core.inputs import (
    PauseCommanded,
)
from nvaha.core.lifecycle import NO_PROGRESS_S
from nvaha.core.refusal import RefusalCode
from nvaha.model import (
    GroupState,
    NvaState,
    Phase,
    Status,
    Trigger,
)
from tests.builders import NOON, down, later, steady, switching, up
from tests.unit.core.decisions import GROUP, command


def test_a_target_that_is_up_is_switched_to() -> None:
    """A command starts the next generation, in hold-down too, and counts towards no flap limit."""
    decision = command(steady(last_switch_at=NOON), "b")
    assert decision.send is not None
    assert (decision.send.trigger, decision.send.target) == (Trigger.MANUAL, "b")
    assert decision.state.guards.switches == ()
    assert decision.operation == decision.send.operation


@pytest.mark.parametrize(
    ("state", "to", "code"),
    [
        (steady(), "nobody", RefusalCode.UNKNOWN_NVA),
        (switching(), "b", RefusalCode.SWITCHING),
        (steady(), "a", RefusalCode.ALREADY_ACTIVE),
        (steady(nvas={"b": down()}), "b", RefusalCode.NOT_UP),
        (steady(nvas={"b": up(failures=1)}), "b", RefusalCode.NOT_UP),
        (steady(nvas={"b": NvaState()}), "b", RefusalCode.NOT_UP),
        (steady(probed_at=later(-31)), "b", RefusalCode.STALE),
        (steady(probed_at=None), "b", RefusalCode.STALE),
    ],
)
def test_what_cannot_be_done_is_refused(state: GroupState, to: str, code: str) -> None:
    """A refusal carries its code and changes nothing."""
    decision = command(state, to)
    assert decision.refusal is not None
    assert decision.refusal.code == code
    assert (decision.state, decision.send) == (state, None)


@pytest.mark.parametrize("state", [steady(nvas={"b": down()}), steady(probed_at=None), GroupState("g")])
def test_force_overrides_health(state: GroupState) -> None:
    """A forced failover needs nobody's health."""
    decision = command(state, "b", force=True)
    assert decision.send is not None
    assert decision.send.forced


def test_force_overrides_no_switch_under_way() -> None:
    """One switch at a time, whoever asks."""
    assert command(switching(), "b", force=True).refusal is not None


def test_drift_can_be_repaired_by_command() -> None:
    """A failover to the active NVA is for something only when something is elsewhere."""
    assert command(steady(writes=("route r",), seen=1), "a").send is not None


def test_a_repeated_request_leads_to_the_same_operation() -> None:
    """The same request id answers with the first operation, wherever that stands by now."""
    first = command(steady(), "b", request_id="r")
    again = command(first.state, "b", request_id="r")
    assert again.operation == first.operation
    assert (again.state, again.send, again.refusal) == (first.state, None, None)
    other = command(replace(first.state, phase=Phase.STEADY), "b", request_id="s", now=later(9))
    assert other.operation not in (None, first.operation)


def test_pause_and_resume_change_once() -> None:
    """Pausing twice is pausing once."""
    paused = decide(GROUP, steady(), PauseCommanded(paused=True, by="somebody"), NOON)
    assert paused.state.paused
    assert len(paused.notices) == 1
    again = decide(GROUP, paused.state, PauseCommanded(paused=True, by="somebody"), NOON)
    assert (again.state, again.notices) == (paused.state, ())


def test_a_repeated_request_that_nobody_carries_out_is_queued_again() -> None:
    """The operator's second try helps where the first one's message was lost."""
    first = command(steady(), "b", request_id="r")
    again = command(first.state, "b", request_id="r", now=later(NO_PROGRESS_S))
    assert (again.operation, again.send) == (first.operation, first.send)
    assert again.state.generation == first.state.generation


def test_force_overrides_a_switch_that_nobody_carries_out() -> None:
    """The old operation ends as superseded, and the new one begins."""
    decision = command(switching(), "a", force=True, now=later(NO_PROGRESS_S))
    assert decision.send is not None
    assert (decision.send.target, decision.state.generation) == ("a", 2)
    assert [each.status for each in decision.state.closings] == [Status.SUPERSEDED]


def test_an_instance_with_another_configuration_than_the_leader_commands_nothing() -> None:
    """Its idea of the group is not the one that would be switched; pausing does not need one."""
    state = steady(fingerprint="another")
    decision = command(state, "b")
    assert decision.refusal is not None
    assert decision.refusal.code is RefusalCode.OTHER_CONFIGURATION
    assert decide(GROUP, state, PauseCommanded(paused=True, by="somebody"), NOON).state.paused
