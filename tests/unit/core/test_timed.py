"""What people name a time for: a pause that ends, a failover that is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.age import CLOCK_S
from nvaha.core.commands import LONGEST_AHEAD_S, LONGEST_PAUSE_S, SHORTEST_PAUSE_S
from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.inputs import CanaryWatched, CancelCommanded, Elected, Input, PauseCommanded, Probed
from nvaha.core.refusal import RefusalCode
from nvaha.core.timed import MISSED_S
from nvaha.model import CanarySpec, Drift, Group, GroupState, NvaState, Phase, Reading, Trigger
from tests.builders import BAD, NOON, OK, down, later, steady, switching, up
from tests.unit.core.decisions import GROUP, command, probed

AT = later(600.0)
BY = "somebody"


def scheduled(state: GroupState | None = None, to: str = "b", **more: Any) -> GroupState:
    """Return a group with a failover scheduled for ten past twelve."""
    decision = command(state or steady(), to, **{"at": AT, "request_id": "r", **more})
    assert decision.refusal is None
    return decision.state


def at(state: GroupState, seconds: float, **more: Any) -> Decision:
    """Return the decision on a round so many seconds after a failover is due."""
    now = AT + timedelta(seconds=seconds)
    return probed(replace(state, probed_at=now - timedelta(seconds=1)), now=now, **more)


def pause(state: GroupState, for_s: float | None, now: datetime = NOON, *, on: bool = True) -> Decision:
    """Return the decision on a pause, or its end."""
    return decide(GROUP, state, PauseCommanded(paused=on, by=BY, for_s=for_s), now)


def events(decision: Decision) -> list[str]:
    """Return what people are told."""
    return [each.event for each in decision.notices]


# A pause that ends by itself


def test_a_pause_holds_until_its_time_and_no_longer() -> None:
    """A leader's round resumes the group once its time is over, and says so."""
    paused = pause(steady(), 7200.0).state
    assert paused.paused_until == later(7200.0)
    before = probed(paused, now=later(7200.0 + CLOCK_S - 0.001))
    assert before.state.paused
    after = probed(paused, now=later(7200.0 + CLOCK_S))
    assert (after.state.paused, after.state.paused_until) == (False, None)
    assert events(after).count("resumed") == 1


@given(
    for_s=st.floats(SHORTEST_PAUSE_S, LONGEST_PAUSE_S),
    commanded_by=st.floats(-2.0, 2.0),
    rounds=st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(-2.0, 2.0)), min_size=1, max_size=20),
)
def test_whoevers_clock_it_is_the_pause_is_no_shorter_than_asked(
    for_s: float, commanded_by: float, rounds: list[tuple[float, float]]
) -> None:
    """Two instances that have storage's clock, each wrong by two seconds, end it neither early nor late."""
    state = pause(steady(), for_s, later(commanded_by)).state
    for share, error in sorted(rounds):
        past_s = for_s * share
        state = probed(state, now=later(past_s + error)).state
        assert state.paused or past_s >= for_s
        assert not state.paused or past_s < for_s + 2 * CLOCK_S


def test_a_pause_makes_none_shorter_that_there_is() -> None:
    """Whoever asked for the longer one counts on it; resumed, the group can be paused for less."""
    two_hours = pause(steady(), 7200.0).state
    assert pause(two_hours, 60.0).state == two_hours
    assert pause(two_hours, 7200.0, later(60.0)).state.paused_until == later(7260.0)
    endless = pause(two_hours, None).state
    assert (endless.paused, endless.paused_until) == (True, None)
    assert pause(endless, 7200.0).state == endless
    resumed = pause(endless, None, on=False).state
    assert pause(resumed, 60.0).state.paused_until == later(60.0)


def test_resuming_forgets_when_a_pause_would_have_ended() -> None:
    """The next pause is not ended by what is left of the one before."""
    resumed = pause(pause(steady(), 7200.0).state, None, on=False).state
    assert (resumed.paused, resumed.paused_until) == (False, None)
    # An older release resumes a group without knowing that there is such a time.
    left = replace(steady(), paused_until=later(60.0))
    assert probed(left).state.paused_until is None


def test_a_pause_ends_for_the_canary_too() -> None:
    """It is not probed, but watched."""
    canary = replace(GROUP, canary=CanarySpec(), public_ips=())
    paused = replace(steady(), paused=True, paused_until=NOON)
    assert not decide(canary, paused, CanaryWatched(1, busy=True), later(60.0)).state.paused


# A failover that is scheduled


def test_it_is_begun_at_its_time_as_a_command_by_who_scheduled_it() -> None:
    """One write takes it out of the state and puts the switch there."""
    state = scheduled(reason="maintenance")
    early = at(state, CLOCK_S - 0.001)
    assert (early.send, early.state.scheduled) == (None, state.scheduled)
    due = at(state, CLOCK_S)
    assert due.send is not None
    assert (due.send.target, due.send.trigger, due.send.requested_by) == ("b", Trigger.MANUAL, BY)
    assert "maintenance" in due.send.reason
    assert not due.send.forced
    assert (due.state.scheduled, due.state.phase) == (None, Phase.SWITCHING)
    assert due.state.request_ids == (("r", due.send.operation),)


@given(st.lists(st.tuples(st.floats(0.0, 900.0), st.sampled_from(["rounds", "cancel", "pause", "resume"]))))
def test_it_is_begun_once_not_before_its_time_and_never_once_it_is_cancelled(
    happened: list[tuple[float, str]],
) -> None:
    """Whatever happens in whatever order until its time."""
    state, begun, cancelled = scheduled(), 0, False
    for seconds, what in sorted(happened):
        now = later(seconds)
        state = replace(state, probed_at=now)
        if what == "rounds":
            decision = probed(state, now=now)
            begins = decision.state.generation > state.generation
            begun += begins
            assert not begins or not (cancelled or state.paused)
            assert not begins or now >= AT
            state = decision.state
        elif what == "cancel":
            cancelled = cancelled or state.scheduled is not None
            state = decide(GROUP, state, CancelCommanded(BY), now).state
        else:
            state = pause(state, None, now, on=what == "pause").state
    assert begun <= 1


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (steady(nvas={"b": down()}), "b is not up"),
        (steady("b"), "already"),
        (switching(), "switched"),
        (steady(rival="another deployment"), "another deployment"),
        (steady(hold="table t is held"), "held"),
        (steady(paused=True), "paused"),
    ],
)
def test_what_stands_in_its_way_at_its_time_ends_it_and_is_said(state: GroupState, why: str) -> None:
    """Nothing is forced, nothing is tried again later, and people hear why."""
    decision = at(replace(scheduled(), **_standing(state)), 5.0)
    assert decision.send is None
    assert decision.state.scheduled is None
    [said] = [each for each in decision.notices if each.event == "failover_dropped"]
    assert said.level == "error"
    assert why in str(said.fields["reason"])
    assert at(decision.state, 6.0).send is None


def _standing(state: GroupState) -> dict[str, Any]:
    names = ("phase", "active", "switch", "generation", "nvas", "rival", "hold", "paused")
    return {name: getattr(state, name) for name in names}


def test_it_is_for_the_active_nva_that_was_named_only() -> None:
    """Between scheduling and its time another one may have become active."""
    named = scheduled(source="A")
    assert at(named, 5.0).send is not None
    # Something is elsewhere, so that there would be something to move.
    elsewhere = replace(named, active="b", drift=Drift(("route r",), seen=1))
    dropped = at(elsewhere, 5.0)
    assert (dropped.state.generation, dropped.state.scheduled) == (0, None)
    assert "failover_dropped" in events(dropped)


@pytest.mark.parametrize(("until", "begins"), [(AT, True), (AT + timedelta(seconds=1), False)])
def test_a_pause_in_force_at_its_time_wins(until: datetime, *, begins: bool) -> None:
    """Also one that has ended by the time a leader looks; one that had ended before does not count."""
    state = replace(scheduled(), paused=True, paused_until=until)
    decision = at(state, 60.0)
    assert (decision.send is not None) is begins
    assert not decision.state.paused


def test_who_does_not_know_how_the_target_is_waits_but_not_for_long() -> None:
    """A leader that begins has to probe first; after five minutes nobody should be surprised any more."""
    unknown = replace(scheduled(), nvas={"a": up(), "b": NvaState()})
    waits = at(unknown, 10.0)
    assert (waits.send, waits.state.scheduled) == (None, unknown.scheduled)
    first = at(waits.state, 11.0, readings={"b": OK})
    assert first.send is None
    assert at(first.state, 12.0, readings={"b": OK}).send is not None
    late = at(unknown, MISSED_S + 1.0)
    assert (late.send, late.state.scheduled) == (None, None)
    assert "failover_dropped" in events(late)


def test_nobody_watched_at_its_time() -> None:
    """Who comes within five minutes begins it; who comes later says that it is dropped."""
    state = replace(scheduled(), probed_at=AT - timedelta(seconds=30))
    readings: dict[str, Reading] = {"a": OK, "b": OK}
    soon = decide(GROUP, state, Probed(1, readings), AT + timedelta(seconds=100))
    assert soon.send is not None
    late = decide(GROUP, state, Probed(1, readings), AT + timedelta(seconds=MISSED_S + 1))
    assert (late.send, late.state.scheduled) == (None, None)


def test_after_a_long_gap_it_waits_for_a_look() -> None:
    """What is recorded of the group is memory only: a leader looks before it moves anything."""
    state = replace(scheduled(), probed_at=later(100.0))
    anew = decide(GROUP, state, Elected(2), AT + timedelta(seconds=60)).state
    assert anew.unwatched_at is not None
    assert anew.scheduled == state.scheduled
    probed_anew = replace(anew, nvas={"a": up(), "b": up()}, probed_at=AT + timedelta(seconds=60))
    waits = decide(GROUP, probed_anew, Probed(2, {"a": OK, "b": OK}), AT + timedelta(seconds=61))
    assert (waits.send, waits.state.scheduled) == (None, state.scheduled)
    looked = replace(waits.state, phase=Phase.STEADY)
    assert decide(GROUP, looked, Probed(2, {"a": OK, "b": OK}), AT + timedelta(seconds=63)).send is not None


def test_a_drop_keeps_the_round_from_nothing_else() -> None:
    """The active NVA that falls in the same round is switched away from."""
    state = replace(scheduled(to="a", state=steady("b")), active="a")
    decision = at(replace(state, nvas={"a": down(), "b": up()}), 5.0, readings={"a": BAD, "b": OK})
    assert decision.send is not None
    assert (decision.send.trigger, decision.send.target) == (Trigger.FAILOVER, "b")
    assert "failover_dropped" in events(decision)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"at": NOON}, RefusalCode.BAD_TIME),
        ({"at": later(-1.0)}, RefusalCode.BAD_TIME),
        ({"at": later(LONGEST_AHEAD_S + 1.0)}, RefusalCode.BAD_TIME),
        ({"to": "nobody"}, RefusalCode.UNKNOWN_NVA),
        ({"source": "nobody"}, RefusalCode.UNKNOWN_NVA),
        ({"source": "b"}, RefusalCode.NOT_ACTIVE),
    ],
)
def test_what_cannot_be_scheduled_is_refused(more: dict[str, Any], code: RefusalCode) -> None:
    """Then nothing is."""
    asked = {"to": "b", "at": AT, **more}
    decision = command(steady(), asked.pop("to"), **asked)
    assert decision.refusal is not None
    assert decision.refusal.code is code
    assert decision.state == steady()


def test_one_at_a_time_and_none_for_the_canary() -> None:
    """A second one is refused, the canary has times of its own."""
    second = command(scheduled(), "b", at=later(900.0), request_id="s")
    assert second.refusal is not None
    assert second.refusal.code is RefusalCode.SCHEDULED
    canary: Group = replace(GROUP, canary=CanarySpec())
    refused = command(steady(), "b", group=canary, at=AT)
    assert refused.refusal is not None


def test_the_health_of_a_target_matters_at_its_time_and_not_before() -> None:
    """It may be being mended just now."""
    assert scheduled(steady(nvas={"b": down()})).scheduled is not None


def test_the_same_request_schedules_once_and_never_again_after_its_end() -> None:
    """A reply that was lost may be asked for again, even if somebody has cancelled it meanwhile."""
    state = scheduled()
    again = command(state, "b", at=AT, request_id="r")
    assert (again.state, again.refusal) == (state, None)
    cancelled = decide(GROUP, state, CancelCommanded(BY, "not tonight"), NOON)
    assert cancelled.state.scheduled is None
    assert events(cancelled) == ["failover_cancelled"]
    late = command(cancelled.state, "b", at=AT, request_id="r")
    assert late.refusal is not None
    assert late.state.scheduled is None
    done = at(state, 5.0)
    repeated = command(done.state, "b", at=AT, request_id="r", now=AT + timedelta(seconds=6))
    assert repeated.operation == done.operation


def test_who_cancels_too_late_is_told() -> None:
    """It may have been begun: that is no success."""
    decision = decide(GROUP, at(scheduled(), 5.0).state, CancelCommanded(BY), AT + timedelta(seconds=6))
    assert decision.refusal is not None
    assert decision.refusal.code is RefusalCode.NOT_SCHEDULED


# A row that goes back in time


@pytest.mark.parametrize(
    ("row", "remembered", "until"),
    [
        (steady(paused=True, paused_until=later(60)), steady(paused=True, paused_until=later(90)), later(90)),
        (steady(paused=True), steady(paused=True, paused_until=later(90)), None),
        (steady(paused=True, paused_until=later(60)), steady(), later(60)),
        (steady(), steady(), None),
    ],
)
def test_a_pause_grows_no_shorter_when_a_row_goes_back(
    row: GroupState, remembered: GroupState, until: datetime | None
) -> None:
    """The longest of all that is known counts."""
    newer = replace(remembered, generation=5, probed_at=later(1))
    after = decide(GROUP, row, Probed(1, {}, remembered=newer), later(2)).state
    assert (after.paused, after.paused_until) == (row.paused or remembered.paused, until)


def test_what_was_begun_or_cancelled_comes_back_with_no_row() -> None:
    """What the leader remembers of it counts, whatever the row says."""
    newer = replace(steady(), generation=5, probed_at=later(1))
    back = decide(GROUP, scheduled(), Probed(1, {}, remembered=newer), later(2)).state
    assert back.scheduled is None
    kept = decide(
        GROUP, steady(), Probed(1, {}, remembered=replace(newer, scheduled=scheduled().scheduled)), later(2)
    )
    assert kept.state.scheduled == scheduled().scheduled


# `from`


@pytest.mark.parametrize(
    ("source", "active", "code"),
    [
        ("a", "a", None),
        ("A", "a", None),
        ("b", "a", RefusalCode.NOT_ACTIVE),
        ("a", None, RefusalCode.NOT_ACTIVE),
        ("c", "a", RefusalCode.UNKNOWN_NVA),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_failover_from_an_nva_is_for_the_case_that_it_is_active(
    source: str, active: str | None, code: RefusalCode | None, *, force: bool
) -> None:
    """Force insists on health, not on what the caller is wrong about."""
    phase = Phase.STEADY if active else Phase.UNKNOWN
    decision = command(steady(active, phase=phase), "b", source=source, force=force)
    assert (decision.refusal.code if decision.refusal else None) is code
    assert (decision.send is None) is (code is not None)


def test_a_repeated_request_is_answered_although_the_active_nva_is_another_by_now() -> None:
    """It was so when it was accepted."""
    first = command(steady(), "b", source="a", request_id="r")
    moved: Input = Probed(1, {"a": OK, "b": OK})
    state = decide(GROUP, replace(first.state, active="b", phase=Phase.STEADY), moved, later(9)).state
    assert command(state, "b", source="a", request_id="r", now=later(10)).operation == first.operation
