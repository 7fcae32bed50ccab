"""Who is not alone stops: by another's mark, by what is put back again and again, and by a hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.inputs import NetworkRead, Survey, SwitchDone, SwitchFailed, Tagged
from nvaha.core.refusal import RefusalCode
from nvaha.model import GroupState, Phase, Trigger
from tests.builders import NOON, down, group_of, later, steady, switching, up
from tests.unit.core.decisions import GROUP, command, probed

RIVAL, HOLD = Tagged(rival="another monitor moves it"), Tagged(hold="held by a tag")
TAGGED = pytest.mark.parametrize("tagged", [RIVAL, HOLD])
ELSEWHERE: dict[str, Any] = {"routes": {"b": 1}, "public_ips": {}, "off": {"a": ("route",), "b": ()}}
HERE: dict[str, Any] = {"routes": {"a": 1}, "public_ips": {}, "off": {"a": (), "b": ("route",)}}
FAILBACK = group_of(failback="automatic", failback_after_s=10.0)


def look(state: GroupState, *, now: datetime = NOON, tagged: Tagged | None = None, **survey: Any) -> Decision:
    """Return the decision on a look."""
    found = Survey(**{**HERE, **survey})
    return decide(GROUP, state, NetworkRead(1, found, tagged=tagged or Tagged()), now)


def events(decision: Decision) -> list[str]:
    """Return the events that a decision tells."""
    return [each.event for each in decision.notices]


def with_(state: GroupState, tagged: Tagged) -> GroupState:
    """Return a state whose last look found tags."""
    return replace(state, rival=tagged.rival, hold=tagged.hold)


@TAGGED
@pytest.mark.parametrize(
    ("state", "group"),
    [
        (steady(nvas={"a": down()}), GROUP),
        (steady(writes=("route",), seen=2, owners=("b",)), GROUP),
        (steady("b"), FAILBACK),
        (steady("a", phase=Phase.UNKNOWN, wanted="b", switch=switching("b").switch), GROUP),
        (switching("b", nvas={"a": up(), "b": down(), "c": up()}), group_of("a", "b", "c")),
    ],
    ids=["failover", "repair", "failback", "finish", "elsewhere"],
)
def test_nothing_is_begun_by_itself_where_a_tag_forbids_it(
    state: GroupState, group: Any, tagged: Tagged
) -> None:
    """Each of these is begun without the tag, and none with it."""
    now = later(20.0) if group is FAILBACK else NOON
    assert probed(state, group, now=now).state.generation == state.generation + 1
    assert probed(with_(state, tagged), group, now=now).state.generation == state.generation


@TAGGED
def test_what_is_due_says_why_it_waits(tagged: Tagged) -> None:
    """`blocked` is the sentence that names the tag and the remedy."""
    decision = probed(with_(steady(nvas={"a": down()}), tagged))
    assert decision.state.blocked == (tagged.rival or tagged.hold)
    assert "switch_refused" in events(decision)


@TAGGED
def test_a_tag_is_told_once_when_it_comes_and_once_when_it_goes(tagged: Tagged) -> None:
    """Look after look finds it, and people hear of it twice."""
    begin, end = ("rival", "rival_over") if tagged is RIVAL else ("held", "held_over")
    first = look(steady(), tagged=tagged)
    again = look(first.state, tagged=tagged)
    over = look(again.state)
    assert [events(each) for each in (first, again, over)] == [[begin], [], [end]]
    assert (over.state.rival, over.state.hold) == (None, None)


@TAGGED
@pytest.mark.parametrize("half", [{"unanswered": ("table: 503",)}, {"hidden": ("table: 403",)}])
def test_half_a_look_finds_a_tag_and_does_not_find_it_gone(half: dict[str, Any], tagged: Tagged) -> None:
    """What was seen is there; what was not seen may hang on what did not answer."""
    found = look(steady(), tagged=tagged, **half).state
    assert (found.rival, found.hold) == (tagged.rival, tagged.hold)
    after = look(found, **half).state
    assert (after.rival, after.hold) == (tagged.rival, tagged.hold)


@pytest.mark.parametrize("adopt", ["wait", "repair"])
def test_a_first_look_at_a_rivals_group_moves_nothing(adopt: str) -> None:
    """Who is active is recorded, and the rest is left, whatever the policy for a first look."""
    group = group_of(adopt=adopt)
    split = Survey(routes={"a": 2, "b": 1}, public_ips={}, off={"a": ("route",), "b": ("r", "r")})
    nvas = {"a": up(), "b": up()}
    first = GroupState("g", nvas=nvas, epoch=1, probed_at=NOON)
    seen = decide(group, first, NetworkRead(1, split, tagged=RIVAL), NOON).state
    assert (seen.phase, seen.active) == (Phase.STEADY, "a")
    assert probed(seen, group, now=later(1.0)).state.phase is Phase.STEADY


def test_a_command_over_a_rival_needs_force() -> None:
    """It is refused with the sentence that says who; forced, it begins."""
    state = with_(steady(), RIVAL)
    refusal = command(state, "b").refusal
    assert refusal is not None
    assert (refusal.code, refusal.message) == (RefusalCode.RIVAL, RIVAL.rival)
    assert command(state, "b", force=True).state.phase is Phase.SWITCHING


def test_a_command_in_spite_of_a_hold_begins() -> None:
    """A hold stops what nvaha does by itself, not people."""
    assert command(with_(steady(), HOLD), "b").state.phase is Phase.SWITCHING


@TAGGED
def test_a_worker_that_finds_a_tag_tells_the_state(tagged: Tagged) -> None:
    """The group is as before, nothing counts as a flap or a failure, and the next round begins nothing."""
    before = replace(
        switching("b", nvas={"a": down()}), active="a", guards=replace(steady().guards, switches=(NOON,))
    )
    report = SwitchFailed(1, "g-1-0", "not begun", begun=False, tagged=tagged)
    decision = decide(GROUP, before, report, NOON)
    assert (decision.state.phase, decision.state.active) == (Phase.STEADY, "a")
    assert decision.state.guards.switches == ()
    assert decision.state.guards.retry_at is None
    assert events(decision)[0] == ("rival" if tagged is RIVAL else "held")
    assert probed(decision.state).state.generation == before.generation


def reverted(times: int, *, every_s: float = 60.0) -> GroupState:
    """Return a group that was brought back so often, and is all elsewhere at the last look again."""
    state = steady()
    for number in range(times):
        now = later(number * every_s)
        for second in (0.0, 10.0):
            state = look(state, now=now + timedelta(seconds=second), **ELSEWHERE).state
        state = replace(state, guards=replace(state.guards, repair_at=None, last_switch_at=None))
        begun = probed(state, now=now + timedelta(seconds=11.0))
        assert begun.state.request is not None, f"repair {number} was not begun: {begun.state.blocked}"
        done = SwitchDone(begun.state.generation, begun.state.request.operation)
        state = decide(GROUP, begun.state, done, now + timedelta(seconds=12.0)).state
    return state


def third(state: GroupState, now: datetime, **survey: Any) -> Decision:
    """Return the decision of the second of two looks that find a group that is watched elsewhere."""
    state = replace(state, probed_at=now)
    state = look(state, now=now, **{**ELSEWHERE, **survey}).state
    return look(state, now=now + timedelta(seconds=10.0), **{**ELSEWHERE, **survey})


def rested(state: GroupState) -> GroupState:
    """Return a state in which nothing else than a rival forbids a repair."""
    return replace(state, guards=replace(state.guards, repair_at=None, last_switch_at=None))


def test_what_was_put_back_whole_twice_is_not_repaired_a_third_time() -> None:
    """Whoever undoes it a third time is somebody who means it: told once, and left to a person."""
    found = third(reverted(2), later(300.0))
    assert sorted(events(found)) == ["drift_found", "rival"]
    after = probed(rested(found.state), now=later(311.0))
    assert (after.state.phase, after.state.drift.contested) == (Phase.STEADY, True)
    assert "somebody else" in (after.state.blocked or "")


@pytest.mark.parametrize("times", [0, 1])
def test_what_was_put_back_less_often_is_repaired(times: int) -> None:
    """A person who did not know of nvaha is corrected twice."""
    found = third(reverted(times), later(300.0))
    assert probed(rested(found.state), now=later(311.0)).state.phase is Phase.SWITCHING


def test_an_hour_later_it_is_repaired_again() -> None:
    """Two repairs within an hour count, not two in a life."""
    found = third(reverted(2), later(3600.0 + 73.0))
    assert not found.state.drift.contested
    assert probed(rested(found.state), now=later(3700.0)).state.phase is Phase.SWITCHING


def test_what_is_partly_elsewhere_is_repaired_all_the_same() -> None:
    """A route or two that somebody edits is drift, not a rival."""
    found = third(reverted(2), later(300.0), routes={"a": 1, "b": 1})
    assert not found.state.drift.contested
    assert probed(rested(found.state), now=later(311.0)).state.phase is Phase.SWITCHING


def test_one_look_does_not_make_a_rival() -> None:
    """As with any drift, it has to be seen twice."""
    assert not look(reverted(2), now=later(300.0), **ELSEWHERE).state.drift.contested


def test_a_repair_of_a_part_is_no_sign_of_a_rival() -> None:
    """Only what was all elsewhere counts."""
    state = steady(writes=("route",), seen=2, owners=("b",))
    begun = probed(state).state
    done = decide(GROUP, begun, SwitchDone(1, begun.request.operation if begun.request else ""), NOON).state
    assert done.guards.put_back == ()


def test_it_stays_so_while_anything_disagrees() -> None:
    """Less drift than before, or an hour, does not end it; nor is there a failback meanwhile."""
    contested = third(reverted(2), later(300.0)).state
    partly = look(contested, now=later(5000.0), routes={"a": 1, "b": 1}, off=ELSEWHERE["off"]).state
    assert partly.drift.contested
    group = group_of("b", "a", failback="automatic", failback_after_s=10.0)
    only_problems = replace(partly.drift, writes=(), problems=("x",))
    state = rested(replace(partly, drift=only_problems, probed_at=later(8999.0)))
    assert probed(state, group, now=later(9000.0)).state.phase is Phase.STEADY


def test_it_ends_when_azure_agrees() -> None:
    """Told once, and the next drift is new."""
    over = look(third(reverted(2), later(300.0)).state, now=later(400.0))
    assert events(over) == ["rival_over"]
    assert not over.state.drift.contested


def test_it_ends_when_a_commanded_failover_is_done() -> None:
    """A person has said where the group is to be."""
    contested = third(reverted(2), later(300.0)).state
    begun = command(contested, "b", now=later(311.0)).state
    assert begun.request is not None
    assert begun.request.trigger is Trigger.MANUAL
    done = decide(GROUP, begun, SwitchDone(begun.generation, begun.request.operation), later(400.0))
    assert "rival_over" in events(done)
    assert not done.state.drift.contested


@pytest.mark.parametrize("force", [True, False])
def test_a_marks_rival_ends_with_a_forced_switch_that_is_done(force: bool) -> None:
    """It has taken every mark over, so that an NVA that dies right after it is left at once; no other has."""
    commanded = command(with_(steady(), RIVAL) if force else steady(), "b", force=force).state
    begun = with_(commanded, RIVAL)
    assert begun.request is not None
    done = decide(GROUP, begun, SwitchDone(begun.generation, begun.request.operation), later(10.0))
    assert ("rival_over" in events(done)) is force
    dead = replace(done.state, nvas={"a": up(), "b": down()}, probed_at=later(99.0))
    dies = probed(dead, now=later(100.0))
    assert (dies.state.phase is Phase.SWITCHING) is force


def test_a_dead_active_nva_is_left_all_the_same() -> None:
    """Behaviour alone does not stop a failover: it is the repairs that go round and round."""
    contested = third(reverted(2), later(300.0)).state
    state = rested(replace(contested, nvas={"a": down(), "b": up()}))
    request = probed(state, now=later(311.0)).state.request
    assert request is not None
    assert (request.trigger, request.target) == (Trigger.FAILOVER, "b")
