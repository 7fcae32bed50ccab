"""The target stays the target: what a switch that failed was asked to do is finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.guards import BACK_OFF_S
from nvaha.core.inputs import (
    FailoverCommanded,
    NetworkRead,
    PauseCommanded,
    Probed,
    Survey,
    SwitchDone,
    SwitchFailed,
)
from nvaha.model import Group, GroupState, Health, NvaState, Phase, Trigger
from tests.builders import BAD, NOON, OK, down, group_of, later, request_to, steady, switching, up

GROUP = group_of()


def failed(trigger: Trigger = Trigger.MANUAL, *, begun: bool = True, group: Group = GROUP) -> GroupState:
    """Return a group whose switch to b has failed at noon."""
    report = SwitchFailed(1, "g-1-0", "left undone: a table is locked", begun=begun)
    return decide(group, switching("b", trigger), report, NOON).state


def probed(state: GroupState, seconds: float, *, group: Group = GROUP, blind: bool = False) -> Decision:
    """Return the decision on a round in which exactly those that are up answered."""
    readings = {name: OK if nva.health is Health.UP else BAD for name, nva in state.nvas.items()}
    return decide(group, state, Probed(1, readings, blind), later(seconds))


def look(
    state: GroupState, *, off: tuple[str, ...], problems: tuple[str, ...] = (), at_a: int = 9, at_b: int = 1
) -> GroupState:
    """Return the state after a look by which most still points at a, and this is off for b."""
    routes = {"a": at_a, "b": at_b}
    survey = Survey(routes=routes, public_ips={}, off={"a": ("x",), "b": off}, problems={"b": problems})
    return decide(GROUP, state, NetworkRead(1, survey), later(1)).state


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.FAILOVER, Trigger.FAILBACK])
def test_it_is_tried_again_with_back_off(trigger: Trigger) -> None:
    """The same target is asked for again, however many routes point elsewhere."""
    state = look(failed(trigger), off=("the locked table",))
    assert (state.phase, state.wanted) == (Phase.UNKNOWN, "b")
    assert probed(state, BACK_OFF_S - 1).send is None
    request = probed(state, BACK_OFF_S).send
    assert request is not None
    assert (request.target, request.trigger) == ("b", trigger)


def test_waiting_is_said_once_at_each_step() -> None:
    """Why nothing moves stands in the state, and is told when it changes."""
    first = probed(failed(), 1)
    assert first.state.blocked is not None
    assert [each.event for each in first.notices] == ["switch_refused"]
    assert probed(first.state, 2).notices == ()


def test_a_repair_policy_does_not_matter_to_it() -> None:
    """What was asked for is no drift."""
    for drift in ("off", "report"):
        group = group_of(drift=drift)
        assert probed(failed(group=group), BACK_OFF_S, group=group).send is not None


def test_a_person_is_obeyed_where_automatic_is_off() -> None:
    """A command is finished; a failover, which only nvaha asked for, is not."""
    group = group_of(automatic=False)
    assert probed(failed(Trigger.MANUAL, group=group), BACK_OFF_S, group=group).send is not None
    assert probed(failed(Trigger.FAILOVER, group=group), BACK_OFF_S, group=group).send is None


def test_a_target_that_fell_is_left_for_another() -> None:
    """Between two NVAs hold-down says nothing, back-off does."""
    state = replace(failed(), nvas={"a": up(), "b": down()})
    request = probed(state, BACK_OFF_S).send
    assert request is not None
    assert (request.target, request.trigger) == ("a", Trigger.FAILOVER)


@pytest.mark.parametrize(
    ("active", "target"),
    [(down(), "c"), (down(confirmed=0), None), (down(confirmed=0, failures=9), None), (up(), None)],
)
def test_a_target_that_nobody_knows_is_left_only_while_traffic_goes_to_a_dead_nva(
    active: NvaState, target: str | None
) -> None:
    """It may never answer; but what a blind monitor has read of the other one is no reason to give it up."""
    group = group_of("a", "b", "c")
    state = replace(failed(group=group), nvas={"a": active, "b": NvaState(), "c": up()})
    readings = {"a": OK if active.health is Health.UP else BAD, "b": BAD, "c": OK}
    sent = decide(group, state, Probed(1, readings), later(BACK_OFF_S)).send
    assert (sent and sent.target) == target


def test_a_failback_that_would_not_be_begun_is_not_asked_for() -> None:
    """Where the preferred NVA is active already, or the last look found it not ready, nothing is due."""
    group = group_of(failback="automatic", failback_after_s=10.0)
    for state in (steady("a"), steady("b", nvas={"a": up(unready=("IP forwarding is off",))})):
        assert probed(state, 20, group=group).send is None
    assert probed(steady("b"), 20, group=group).send is not None


def test_what_gave_way_is_finished_if_nothing_came_in_its_place() -> None:
    """It may have moved half of everything; what took its place was held by a tag before it began."""
    group = group_of("a", "b", "c")
    state = switching("b", Trigger.MANUAL, nvas={"a": up(), "b": down(), "c": up()})
    begun = decide(group, state, Probed(1, {"a": OK, "b": BAD, "c": OK}), later(1))
    assert begun.send is not None
    assert begun.send.target == "a"
    held = SwitchFailed(begun.send.generation, begun.send.operation, "not begun: held", begun=False)
    left = decide(group, begun.state, held, later(2)).state
    assert (left.phase, left.wanted) == (Phase.UNKNOWN, "b")
    again = replace(left, nvas={**left.nvas, "b": up()})
    sent = decide(group, again, Probed(1, {"a": OK, "b": OK, "c": OK}), later(3)).send
    assert sent is not None
    assert sent.target == "b"


def test_what_is_wanted_is_so_however_its_name_is_spelt() -> None:
    """Who writes the target's name in another case has the same move finished."""
    decision = decide(group_of("a", "B"), failed(), Probed(1, {"a": OK, "B": OK}), later(BACK_OFF_S))
    assert decision.send is not None
    assert (decision.send.target, decision.send.trigger) == ("B", Trigger.MANUAL)


def test_force_is_for_the_target_that_it_was_given_for() -> None:
    """What was forced is finished by force; where it goes elsewhere, as that one fell, nobody forced it."""
    request = request_to("b", Trigger.MANUAL, forced=True)
    report = SwitchFailed(1, "g-1-0", "left undone: a table is locked")
    state = decide(GROUP, switching("b", request=request), report, NOON).state
    for nvas, target, forced in (
        ({"a": up(), "b": up()}, "b", True),
        ({"a": up(), "b": down()}, "a", False),
    ):
        sent = probed(replace(state, nvas=nvas), BACK_OFF_S).send
        assert sent is not None
        assert (sent.target, sent.forced) == (target, forced)


def test_nothing_moves_to_a_target_that_is_not_up_for_sure() -> None:
    """One failed probe is enough to wait, and is no reason to go elsewhere."""
    state = replace(failed(), nvas={"a": up(), "b": up(failures=1)})
    assert decide(GROUP, state, Probed(1, {"a": OK, "b": BAD}), later(60)).send is None


@pytest.mark.parametrize("stop", ["paused", "blind", "all down"])
def test_it_waits(stop: str) -> None:
    """Paused, blind, or with nobody up, nothing is started."""
    state = failed()
    if stop == "paused":
        state = decide(GROUP, state, PauseCommanded(paused=True, by="somebody"), NOON).state
    if stop == "all down":
        state = replace(state, nvas={"a": down(), "b": down()})
    assert probed(state, 200, blind=stop == "blind").send is None


def test_a_newer_command_changes_where_to() -> None:
    """Whoever commands has the last word."""
    decision = decide(GROUP, failed(), FailoverCommanded("a", "somebody"), later(1))
    assert decision.send is not None
    assert decision.send.target == "a"
    done = SwitchDone(decision.send.generation, decision.send.operation)
    state = decide(GROUP, decision.state, done, later(5)).state
    assert (state.phase, state.active, state.wanted) == (Phase.STEADY, "a", None)


def test_it_is_over_when_azure_has_everything_there() -> None:
    """A look that finds nothing left to write ends it; what no write can mend is told."""
    state = look(failed(), off=(), problems=("a public IP is somebody else's",), at_a=0)
    assert (state.phase, state.active, state.wanted) == (Phase.STEADY, "b", None)
    assert state.drift.problems == ("a public IP is somebody else's",)


def test_it_is_not_over_while_anything_points_elsewhere() -> None:
    """That no write is possible does not mean that none is needed, nor does it matter where most points."""
    for at_a in (9, 1):
        state = look(failed(), off=(), problems=("the address of b is not known",), at_a=at_a, at_b=5)
        assert (state.phase, state.wanted) == (Phase.UNKNOWN, "b")


def test_a_move_that_was_not_begun_leaves_everything_as_it_was() -> None:
    """The group stays on the NVA that it is on, and nothing is tried again."""
    state = failed(begun=False)
    assert (state.phase, state.active, state.wanted) == (Phase.STEADY, "a", None)
    assert probed(state, 600).send is None


def test_what_is_finished_is_no_matter_of_choice() -> None:
    """A switch that asks again for what is half done is begun whatever it cannot move."""
    request = probed(failed(), BACK_OFF_S).send
    assert request is not None
    assert request.finishes
    again = decide(GROUP, failed(), FailoverCommanded("b", "somebody"), later(1)).send
    assert again is not None
    assert again.finishes
    other = decide(GROUP, failed(), FailoverCommanded("a", "somebody"), later(1)).send
    assert other is not None
    assert not other.finishes


def test_a_move_that_was_not_begun_leaves_what_was_asked_for_before() -> None:
    """Between two NVAs, a command that cannot be whole changes nothing: the older one is finished."""
    state = decide(GROUP, failed(), FailoverCommanded("a", "somebody"), later(1)).state
    assert state.request is not None
    report = SwitchFailed(2, state.request.operation, "not begun", begun=False)
    state = decide(GROUP, state, report, later(2)).state
    assert (state.phase, state.wanted) == (Phase.UNKNOWN, "b")


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.FAILBACK])
def test_a_move_that_was_not_begun_holds_no_failover_up(trigger: Trigger) -> None:
    """Back-off after what moved nothing would leave a dead NVA active."""
    state = replace(failed(trigger, begun=False), nvas={"a": down(), "b": up()})
    request = probed(state, 1).send
    assert request is not None
    assert (request.trigger, request.target) == (Trigger.FAILOVER, "b")


def test_a_failback_that_could_not_be_begun_is_not_tried_at_once() -> None:
    """It waits minutes, and longer while the preferred NVA is known not to be ready."""
    group = group_of(failback="automatic", failback_after_s=0.0, hold_down_s=0.0)
    start = replace(switching("a", Trigger.FAILBACK), active="b")
    state = decide(group, start, SwitchFailed(1, "g-1-0", "not begun", begun=False), NOON).state
    assert probed(state, 299, group=group).send is None
    assert probed(state, 300, group=group).send is not None
    unready = replace(state, nvas={"a": up(unready=("a NIC is Failed",)), "b": up()})
    assert probed(unready, 3000, group=group).send is None


def test_a_failed_repair_leaves_no_doubt_about_who_is_active() -> None:
    """The record stands; the count of routes does not pick another."""
    state = decide(GROUP, switching("a", Trigger.REPAIR), SwitchFailed(1, "g-1-0", "why"), NOON).state
    assert (state.phase, state.active, state.wanted) == (Phase.STEADY, "a", None)


def test_a_target_that_is_not_configured_any_more_is_forgotten() -> None:
    """Azure says then where the group is."""
    state = decide(group_of("a", "c"), failed(), Probed(1, {}), NOON).state
    assert (state.phase, state.wanted) == (Phase.UNKNOWN, None)


class TestWhatTheTargetRefused:
    """A public IP that the target refused once it had been taken off stays where it works."""

    PUBLIC_IP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/web"

    def refused(self) -> GroupState:
        """Return a group whose commanded switch to b had to put a public IP back."""
        report = SwitchFailed(1, "g-1-0", "left undone: web", stays=(self.PUBLIC_IP,))
        return decide(GROUP, switching("b", Trigger.MANUAL), report, NOON).state

    def test_asking_again_by_itself_leaves_it_there(self) -> None:
        """It is not taken off an NVA that works a second time; only people know that b would take it now."""
        again = probed(self.refused(), BACK_OFF_S).state
        assert (again.target, again.stays) == ("b", (self.PUBLIC_IP,))

    def test_what_was_refused_earlier_stays_too(self) -> None:
        """Each try may name another one, as what stays is not tried: none of them is tried again."""
        other = self.PUBLIC_IP.replace("web", "mail")
        again = probed(self.refused(), BACK_OFF_S)
        assert again.send is not None
        report = SwitchFailed(again.send.generation, again.send.operation, "left undone", stays=(other,))
        state = decide(GROUP, again.state, report, later(20)).state
        assert set(state.stays) == {self.PUBLIC_IP, other}
        silent = SwitchFailed(again.send.generation, again.send.operation, "left undone: a lock")
        assert decide(GROUP, again.state, silent, later(20)).state.stays == (self.PUBLIC_IP,)

    def test_why_it_waits_says_what_only_a_person_can_do(self) -> None:
        """That it will be tried again says nothing of what stays."""
        blocked = probed(self.refused(), 1).state.blocked
        assert blocked is not None
        assert "web stays where it works" in blocked
        assert "command the failover again" in blocked

    def test_a_person_who_commands_it_again_is_believed(self) -> None:
        """The same command, once what b refused is mended, brings it along."""
        again = decide(GROUP, self.refused(), FailoverCommanded("b", "op"), later(1)).state
        assert (again.target, again.stays) == ("b", ())

    def test_another_target_has_refused_nothing(self) -> None:
        """What b refused says nothing of a, which takes over from b."""
        fell = replace(self.refused(), nvas={"a": up(), "b": down()})
        elsewhere = probed(fell, BACK_OFF_S).state
        assert (elsewhere.target, elsewhere.stays) == ("a", ())
