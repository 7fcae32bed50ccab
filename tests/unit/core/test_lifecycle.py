"""How a switch begins, goes on and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.decide import decide
from nvaha.core.inputs import (
    Probed,
    SwitchDone,
    SwitchFailed,
    SwitchMoved,
)
from nvaha.core.lifecycle import MAX_TRIES, NO_PROGRESS_S, begin, candidate
from nvaha.model import (
    Drift,
    GroupState,
    Guards,
    NvaState,
    Phase,
    Policy,
    Status,
    Trigger,
)
from tests.builders import NOON, down, group_of, later, request_to, steady, switch_of, switching, up
from tests.unit.core.decisions import GROUP, probed


class TestUnderWay:
    """A switch that is being carried out."""

    def test_progress_is_waited_for(self) -> None:
        """A switch that moved lately is left alone."""
        decision = probed(switching(), now=later(NO_PROGRESS_S - 0.1))
        assert decision.send is None
        assert switch_of(decision.state).tries == 0

    def test_without_progress_the_same_request_is_queued_again(self) -> None:
        """The queue may have lost the message for ten minutes; a second one does no harm."""
        state = switching()
        decision = probed(state, now=later(NO_PROGRESS_S))
        assert decision.send == state.request
        assert switch_of(decision.state) == replace(
            switch_of(state), tries=1, progress_at=later(NO_PROGRESS_S)
        )
        assert decision.state.generation == state.generation

    def test_a_worker_that_moves_starts_the_count_again(self) -> None:
        """Any sign of a worker resets the tries."""
        moved = decide(GROUP, switching(tries=5), SwitchMoved(1, "g-1-0"), later(7))
        assert (switch_of(moved.state).tries, switch_of(moved.state).progress_at) == (0, later(7))

    @pytest.mark.parametrize(
        ("state", "now"),
        [
            (switching(tries=MAX_TRIES), later(NO_PROGRESS_S)),
            (switching(progress_at=later(600)), later(601)),
        ],
    )
    def test_a_switch_is_given_up_in_the_end(self, state: GroupState, now: datetime) -> None:
        """After too many tries, or past its deadline, it has failed and Azure is read afresh."""
        decision = probed(state, now=now)
        assert (decision.state.phase, decision.send) == (Phase.UNKNOWN, None)
        assert [each.status for each in decision.state.closings] == [Status.FAILED]
        held_up = probed(replace(state, blocked="a stranger holds the lease"), now=now).state
        assert "a stranger holds the lease" in (held_up.closings[-1].error or "")
        assert held_up.blocked is None

    def test_a_target_that_falls_is_left_for_another_that_is_up(self) -> None:
        """The next generation goes elsewhere, and the old operation ends as superseded."""
        decision = probed(switching(nvas={"b": down()}))
        assert decision.send is not None
        assert (decision.send.target, decision.state.generation) == ("a", 2)
        assert [each.status for each in decision.state.closings] == [Status.SUPERSEDED]

    @pytest.mark.parametrize(
        "state",
        [
            switching(nvas={"a": down(), "b": down()}),
            switching(nvas={"b": down()}, paused=True),
            switching(nvas={"b": down()}, request=request_to("b", Trigger.MANUAL, forced=True)),
            switching(nvas={"b": down()}, switches=tuple(later(-n) for n in range(6))),
        ],
    )
    def test_a_target_that_falls_is_kept_where_nothing_better_may_be_done(self, state: GroupState) -> None:
        """With no candidate, paused, forced there, or at the flap limit, the switch goes on."""
        decision = probed(state)
        assert (decision.send, decision.state.generation) == (None, 1)

    def test_hold_down_does_not_keep_a_group_between_two_nvas(self) -> None:
        """Hold-down starts no switch; it does not stop one from finding a better end."""
        assert probed(switching(nvas={"b": down()}, last_switch_at=NOON)).send is not None

    def test_a_blind_monitor_supersedes_nothing(self) -> None:
        """What it cannot see it does not act on."""
        assert probed(switching(nvas={"b": down()}), blind=True).state.generation == 1

    def test_a_target_that_is_not_configured_any_more_ends_the_switch(self) -> None:
        """The operation fails on record, and Azure says where the group is."""
        decision = decide(group_of("a", "c"), switching(), Probed(1, {}), NOON)
        assert decision.state.phase is Phase.UNKNOWN
        assert [each.operation for each in decision.state.closings] == ["g-1-0"]

    def test_a_switch_that_nobody_can_name_is_not_waited_for(self) -> None:
        """A state that says `switching` and not whereto is read from Azure afresh."""
        state = probed(replace(switching(), switch=None)).state
        assert (state.phase, state.switch) == (Phase.UNKNOWN, None)

    def test_what_was_wanted_by_a_switch_that_nobody_can_name_is_forgotten(self) -> None:
        """Azure says where the group is."""
        state = probed(steady(phase=Phase.UNKNOWN, wanted="b", switch=None)).state
        assert (state.wanted, state.phase) == (None, Phase.UNKNOWN)


class TestReports:
    """What workers report."""

    def test_done_makes_the_target_active(self) -> None:
        """The group is at rest on its target, and hold-down counts from now."""
        start = switching(writes=("route r",), seen=2, failed_in_a_row=3, retry_at=later(1))
        state = decide(GROUP, start, SwitchDone(1, "g-1-0"), later(4)).state
        assert (state.phase, state.active, state.guards.last_switch_at) == (Phase.STEADY, "b", later(4))
        assert (state.drift, state.guards) == (Drift(), Guards(last_switch_at=later(4), ended_at=later(4)))
        assert [each.status for each in state.closings] == [Status.DONE]

    @pytest.mark.parametrize(
        "state",
        [
            switching(),
            replace(switching(), phase=Phase.STEADY),
            replace(switching(), generation=2),
            steady(),
        ],
    )
    @pytest.mark.parametrize("report", [SwitchMoved, SwitchDone, lambda g, o: SwitchFailed(g, o, "why")])
    def test_a_report_on_another_switch_changes_nothing(
        self, state: GroupState, report: type[SwitchDone]
    ) -> None:
        """Another generation, another operation, or no switch at all: the report is stale."""
        operation = "g-1-0" if state.phase is not Phase.SWITCHING or state.generation == 2 else "g-1-999"
        decision = decide(GROUP, state, report(1, operation), NOON)
        assert decision.refusal is not None
        assert decision.state == state


@given(
    st.lists(st.sampled_from(["up", "shaky", "down", "unknown"]), min_size=2, max_size=5),
    st.integers(0, 4),
    st.sampled_from(["order", "cycle"]),
)
def test_a_candidate_is_the_first_that_is_healthy(kinds: list[str], leaving: int, select: str) -> None:
    """Never the one that is left, never one that is not up or whose last probe failed."""
    made = {"up": up(), "shaky": up(failures=1), "down": down(), "unknown": NvaState()}
    names = [f"n{number}" for number in range(len(kinds))]
    group = replace(group_of(*names), policy=Policy(select=select))
    state = replace(steady(), nvas={name: made[kind] for name, kind in zip(names, kinds, strict=True)})
    left = names[leaving % len(names)]
    start = names.index(left) + 1 if select == "cycle" else 0
    around = names[start:] + names[:start]
    expected = [name for name in around if name != left and kinds[names.index(name)] == "up"]
    assert candidate(group, state, left) == (expected[0] if expected else None)


def test_a_beginning_is_one_generation_on() -> None:
    """A new operation is named after group, generation and time, and remembers where it came from."""
    decision = begin(
        GROUP, steady(generation=7), NOON, trigger=Trigger.FAILBACK, target="b", reason="why", by="nvaha"
    )
    assert decision.send is not None
    assert (decision.state.generation, decision.send.generation, decision.send.source) == (8, 8, "a")
    assert decision.send.operation == f"g-8-{int(NOON.timestamp() * 1000)}"
    assert decision.state.guards.switches == (NOON,)


def test_only_so_many_request_ids_and_closings_are_kept() -> None:
    """Neither grows without bound."""
    state = steady()
    for number in range(30):
        state = begin(
            GROUP,
            replace(state, phase=Phase.STEADY),
            later(number),
            trigger=Trigger.MANUAL,
            target="b",
            reason="why",
            by="somebody",
            request_id=f"r{number}",
        ).state
        request = switch_of(state).request
        failed = SwitchFailed(request.generation, request.operation, "why")
        state = decide(GROUP, state, failed, later(number)).state
    assert len(state.request_ids) == 10
    assert len(state.closings) == 10
    assert state.request_ids[-1][0] == "r29"


def test_a_closing_can_make_the_record_that_nobody_made() -> None:
    """What ends carries its whole request, for a maker that died before it wrote a record."""
    state = decide(GROUP, switching(), SwitchFailed(1, "g-1-0", "why"), NOON).state
    assert [each.request for each in state.closings] == [request_to("b")]
