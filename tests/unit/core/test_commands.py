"""What operators ask for, and what they are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
    Pause,
    Phase,
    Status,
    Trigger,
)
from tests.builders import NOON, SPEC, down, group_of, later, steady, switching, up
from tests.unit.core.decisions import GROUP, command, probed


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


def test_a_pause_says_by_whom_since_when_and_why_until_it_is_over() -> None:
    """Whoever looks at night knows whom to ask; what waited because of it says so no longer than it lasts."""
    asleep = steady(nvas={"a": down()})
    paused = decide(GROUP, asleep, PauseCommanded(paused=True, by="alice", reason="an\n upgrade"), NOON).state
    assert paused.pause == Pause("alice", NOON, "an upgrade")
    waits = probed(paused, now=later(1)).state
    assert all(each in (waits.blocked or "") for each in ("alice", "2026-03-01 12:00:00 UTC", "an upgrade"))
    resumed = decide(GROUP, waits, PauseCommanded(paused=False, by="bob"), later(2)).state
    assert (resumed.paused, resumed.pause, resumed.blocked) == (False, None, None)


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"blocked": "the group is paused"}, None),
        ({"blocked": "hold-down after the last switch"}, "hold-down after the last switch"),
    ],
    ids=["by_an_older_release", "for_another_reason"],
)
def test_the_end_of_a_pause_takes_along_what_it_blocked(changes: dict[str, Any], left: str | None) -> None:
    """And nothing else; who paused is not known of a pause by an older release."""
    resumed = decide(GROUP, steady(paused=True, **changes), PauseCommanded(paused=False, by="bob"), NOON)
    assert resumed.state.blocked == left


def test_the_health_of_what_is_probed_seldom_is_known_between_two_probes() -> None:
    """An NVA that is asked once a minute can be moved to at any time, until three answers are missing."""
    group = group_of(spec=replace(SPEC, interval_s=60.0))
    assert command(steady(), "b", group=group, now=later(100)).refusal is None
    refusal = command(steady(), "b", group=group, now=later(200)).refusal
    assert refusal is not None
    assert refusal.code is RefusalCode.STALE
