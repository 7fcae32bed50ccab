"""How a switch begins, goes on and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.inputs import (
    Elected,
    MessagePoisoned,
    Probed,
    SwitchDone,
    SwitchFailed,
    SwitchHeldUp,
    SwitchMoved,
)
from nvaha.core.lifecycle import (
    NO_PROGRESS_S,
    TOLD_TRIES,
    UNATTENDED_S,
    UNCLAIMED_S,
    attended,
    begin,
    candidate,
    stalled,
    unattended,
)
from nvaha.core.refusal import RefusalCode
from nvaha.model import (
    Drift,
    GroupState,
    Guards,
    NvaState,
    Phase,
    Policy,
    Status,
    Switch,
    Trigger,
)
from tests.builders import NOON, down, group_of, later, request_to, steady, switch_of, switching, up
from tests.unit.core.decisions import GROUP, probed


def test_a_switch_of_what_is_on_nobody_names_nobody() -> None:
    """Where no active NVA is known, what is told names the target alone, and no word of a program."""
    unknown = replace(steady(), active=None)
    said = begin(
        GROUP, unknown, NOON, trigger=Trigger.MANUAL, target="b", reason="commanded", by="somebody"
    ).notices[-1]
    assert said.event == "switch_requested"
    assert "switching to b " in said.text
    assert "None" not in said.text


def test_a_switch_that_is_done_says_how_long_each_phase_took() -> None:
    """From its request: claimed, first written, done; a phase that it did not come to has no field."""
    report = SwitchDone(1, "g-1-0", claimed_at=later(1.5), wrote_at=later(2))
    (said,) = decide(GROUP, switching(), report, later(7.25)).notices
    took = [said.fields[each] for each in ("claimed_s", "first_write_s", "seconds")]
    assert took == [1.5, 2.0, 7.25]
    nothing_to_write = SwitchDone(1, "g-1-0", claimed_at=later(-1))
    (said,) = decide(GROUP, switching(), nothing_to_write, later(3)).notices
    # The worker's clock was behind.
    assert said.fields["claimed_s"] == 0.0
    assert "first_write_s" not in said.fields


class TestOtherConfiguration:
    """What is reported by whoever has another configuration than the leader."""

    @pytest.mark.parametrize(
        "report",
        [
            SwitchMoved(1, "g-1-0"),
            SwitchHeldUp(1, "g-1-0", "why"),
            SwitchDone(1, "g-1-0"),
            SwitchFailed(1, "g-1-0", "why"),
            MessagePoisoned(1, "g-1-0"),
        ],
    )
    def test_it_changes_nothing(self, report: SwitchDone) -> None:
        """Done or failed, it speaks of other tables and public IPs; and nobody is at the leader's switch."""
        state = switching(fingerprint="another")
        decision = decide(GROUP, state, report, later(NO_PROGRESS_S))
        assert decision.refusal is not None
        assert decision.refusal.code is RefusalCode.OTHER_CONFIGURATION
        assert decision.state == state

    def test_an_end_that_was_written_before_stands(self) -> None:
        """Its reporter, who was not answered, is not told that somebody else decides."""
        done = decide(GROUP, switching(), SwitchDone(1, "g-1-0"), NOON).state
        again = decide(GROUP, replace(done, fingerprint="another"), SwitchDone(1, "g-1-0"), NOON)
        assert again.refusal is None

    def test_a_leader_says_that_a_switch_goes_on_with_another(self) -> None:
        """Once, and only of one that is under way; what it cannot move any more is named."""
        smaller = group_of("b", "c")
        before = switching(fingerprint=GROUP.fingerprint)
        decision = decide(smaller, before, Elected(5), NOON)
        (said,) = decision.notices
        assert (said.event, said.level) == ("switch_reconfigured", "warning")
        assert "points at a is" in said.text
        assert decision.state.switch == before.switch
        assert decide(smaller, decision.state, Elected(6), NOON).notices == ()
        (of_tables,) = decide(group_of(tables=("other",)), before, Elected(5), NOON).notices
        assert "points at" not in of_tables.text
        assert decide(smaller, steady(fingerprint="another"), Elected(5), NOON).notices == ()

    def test_who_begins_a_switch_says_by_which_configuration(self) -> None:
        """A command may come before any leader has seen the group."""
        state = steady()
        assert begin(
            GROUP, state, NOON, trigger=Trigger.MANUAL, target="b", reason="", by=""
        ).state.fingerprint


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
        assert switch_of(decision.state) == replace(switch_of(state), tries=1, queued_at=later(NO_PROGRESS_S))
        assert decision.state.generation == state.generation

    def test_a_worker_that_moves_starts_the_count_again(self) -> None:
        """Any sign of a worker resets the tries."""
        before = switching(tries=5, queued_at=later(6), blocked="nobody takes it up")
        moved = decide(GROUP, before, SwitchMoved(1, "g-1-0"), later(7)).state
        assert switch_of(moved) == Switch(request_to("b"), progress_at=later(7))
        assert moved.blocked is None

    @pytest.mark.parametrize(
        "state",
        [
            switching(progress_at=None, probed_at=later(591)),
            switching(progress_at=None, tries=100, queued_at=later(599)),
            switching(progress_at=later(600)),
        ],
        ids=["never asked again", "never claimed", "claimed all the time"],
    )
    def test_a_switch_is_given_up_in_the_end(self, state: GroupState) -> None:
        """Past its deadline it has failed and Azure is read afresh, whoever did or did not carry it out."""
        decision = probed(state, now=later(601))
        assert (decision.state.phase, decision.send) == (Phase.UNKNOWN, None)
        assert [each.status for each in decision.state.closings] == [Status.FAILED]
        held_up = probed(replace(state, blocked="a stranger holds the lease"), now=later(601)).state
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

    def test_what_holds_repairs_back_does_not_hold_back_the_move_off_a_repair_that_went_wrong(self) -> None:
        """The NVA that a group is repaired towards dies: that is a failover, whatever the switch was."""
        repairs = tuple(later(-n) for n in range(6))
        state = switching("a", Trigger.REPAIR, nvas={"a": down()}, repairs=repairs, repair_at=later(60))
        sent = probed(state).send
        assert sent is not None
        assert (sent.target, sent.trigger) == ("b", Trigger.FAILOVER)

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


def round_by_round(state: GroupState, until_s: float, every_s: float = 1.0) -> list[tuple[float, Decision]]:
    """Let rounds follow each other in which both NVAs answer; return (second, decision) of each."""
    rounds: list[tuple[float, Decision]] = []
    seconds = 0.0
    while seconds <= until_s:
        rounds.append((seconds, probed(rounds[-1][1].state if rounds else state, now=later(seconds))))
        seconds += every_s
    return rounds


class TestUnclaimed:
    """A switch that no worker takes up: its message is lost, deleted, or behind many others."""

    BEGUN = switching(progress_at=None)

    def test_a_switch_begins_unclaimed(self) -> None:
        """Nobody has shown himself, and so nobody's lease has to run out."""
        state = begin(GROUP, steady(), NOON, trigger=Trigger.FAILOVER, target="b", reason="", by="").state
        assert switch_of(state) == Switch(switch_of(state).request)
        assert not switch_of(state).claimed

    def test_it_is_asked_for_again_within_seconds_and_again(self) -> None:
        """However often somebody deletes the message, the next one is seconds away."""
        sent = [at for at, decision in round_by_round(self.BEGUN, 60.0) if decision.send is not None]
        assert sent[0] <= UNCLAIMED_S + 1.0
        assert max(after - before for before, after in pairwise(sent)) <= UNCLAIMED_S + 1.0

    def test_it_is_asked_for_until_its_deadline_and_not_given_up_before(self) -> None:
        """No count of messages ends it, so asking more often does not end it sooner."""
        rounds = round_by_round(self.BEGUN, 601.0)
        ended = [at for at, decision in rounds if decision.state.phase is not Phase.SWITCHING]
        assert ended == [601.0]
        closing = rounds[-1][1].state.closings[-1]
        assert closing.status is Status.FAILED
        assert "no worker" in (closing.error or "")
        assert rounds[-1][1].state.wanted == "b"

    def test_people_hear_of_it_once_and_status_shows_it(self) -> None:
        """After a few requests a person is needed: the remedy names what may be wrong."""
        rounds = round_by_round(self.BEGUN, 60.0)
        told = [
            (at, each)
            for at, decision in rounds
            for each in decision.notices
            if each.event == "switch_unclaimed"
        ]
        assert [at for at, _ in told] == [TOLD_TRIES * UNCLAIMED_S]
        assert told[0][1].level == "error"
        assert all(word in told[0][1].text for word in ("nvaha-switch", "functions"))
        blocked = [at for at, decision in rounds if decision.state.blocked is not None]
        assert blocked[0] == told[0][0]
        assert blocked[-1] == 60.0

    def test_that_a_stranger_holds_its_lease_is_said_although_nobody_took_it_up(self) -> None:
        """That is why; and what is said of the lease is not unsaid by asking again."""
        state = round_by_round(self.BEGUN, 20.0)[-1][1].state
        decision = decide(GROUP, state, SwitchHeldUp(1, "g-1-0", "a stranger holds it"), later(20))
        assert [each.event for each in decision.notices] == ["switch_held_up"]
        assert probed(decision.state, now=later(30)).state.blocked == "a stranger holds it"

    def test_one_that_was_let_go_is_asked_for_again_and_not_called_unclaimed(self) -> None:
        """A worker was there and has said why it waits, so nobody is sent to look for one that is not."""
        let_go = SwitchHeldUp(1, "g-1-0", "it has no token", let_go=True)
        rounds = round_by_round(decide(GROUP, self.BEGUN, let_go, NOON).state, 60.0)
        assert [at for at, each in rounds if each.send is not None][:2] == [UNCLAIMED_S, 2 * UNCLAIMED_S]
        told = [each for _, decision in rounds for each in decision.notices]
        assert {each.event for each in told} == {"switch_requeued"}
        assert not any("no worker" in each.text for each in told)

    def test_one_whose_worker_died_is_waited_for_once(self) -> None:
        """The lease of whoever died has to run out; from then on it is like one that nobody has claimed."""
        sent = [at for at, decision in round_by_round(switching(), 40.0) if decision.send is not None]
        assert sent[:3] == [NO_PROGRESS_S, NO_PROGRESS_S + UNCLAIMED_S, NO_PROGRESS_S + 2 * UNCLAIMED_S]

    def test_asking_again_is_no_progress(self) -> None:
        """However lately it was put on the queue, nobody is at it."""
        state = round_by_round(self.BEGUN, NO_PROGRESS_S)[-1][1].state
        assert stalled(state, later(NO_PROGRESS_S))
        assert not stalled(self.BEGUN, later(NO_PROGRESS_S - 0.1))

    def test_a_worker_that_shows_itself_attends_to_it(self) -> None:
        """Until it has been silent for too long, or was asked for again since."""
        assert attended(switch_of(switching()), later(NO_PROGRESS_S - 0.1))
        assert not attended(switch_of(switching()), later(NO_PROGRESS_S))
        assert not attended(switch_of(switching(queued_at=NOON)), NOON)
        assert not attended(switch_of(self.BEGUN), NOON)

    @pytest.mark.parametrize(
        ("state", "now", "expected"),
        [
            (BEGUN, later(UNATTENDED_S), True),
            (BEGUN, later(UNATTENDED_S - 0.1), False),
            (switching(queued_at=later(29), tries=4), later(UNATTENDED_S), True),
            (switching(progress_at=later(1)), later(UNATTENDED_S), False),
            (replace(switching(), phase=Phase.STEADY), later(600), False),
            (steady(), later(600), False),
        ],
    )
    def test_one_without_a_worker_for_long_is_unattended(
        self, state: GroupState, now: datetime, expected: bool
    ) -> None:
        """Counted from the last sign of a worker, or from the request, however lately it was queued."""
        assert unattended(state, now) is expected


class TestPoisoned:
    """A message on a switch that was set aside."""

    @pytest.mark.parametrize(
        ("state", "now"),
        [
            (switching(), later(NO_PROGRESS_S - 0.1)),
            (switching(progress_at=later(590)), later(599)),
            (switching(progress_at=None), later(1)),
        ],
        ids=["claimed", "carried out for long", "asked for just now"],
    )
    def test_it_ends_no_switch_that_shows_progress(self, state: GroupState, now: datetime) -> None:
        """It may be a copy, or one of several: whoever carries the switch out goes on."""
        decision = decide(GROUP, state, MessagePoisoned(1, "g-1-0"), now)
        assert (decision.state, decision.send) == (state, None)
        assert decision.refusal is not None
        assert decision.refusal.code is RefusalCode.ATTENDED

    @pytest.mark.parametrize(
        "state",
        [switching(), switching(progress_at=None, queued_at=later(14), tries=3)],
        ids=["its worker died", "nobody could take it up"],
    )
    def test_it_ends_one_that_nobody_carries_out(self, state: GroupState) -> None:
        """The leader decides afresh; history says why."""
        ended = decide(GROUP, state, MessagePoisoned(1, "g-1-0"), later(NO_PROGRESS_S)).state
        assert (ended.phase, ended.wanted, switch_of(ended).ended) == (Phase.UNKNOWN, "b", Status.FAILED)
        assert "poison" in (ended.closings[-1].error or "")
        again = decide(GROUP, ended, MessagePoisoned(1, "g-1-0"), later(NO_PROGRESS_S + 1))
        assert (again.refusal, again.state) == (None, ended)

    def test_one_on_another_switch_ends_nothing(self) -> None:
        """A stale message stays stale on the poison queue."""
        decision = decide(GROUP, switching(), MessagePoisoned(1, "g-1-9"), later(600))
        assert decision.refusal is not None
        assert decision.refusal.code is RefusalCode.NOT_UNDER_WAY


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


class TestHoldDown:
    """Hold-down comes after a move, and after nothing else."""

    @pytest.mark.parametrize(
        ("changes", "begins"),
        [
            ({"active": "a", "request": request_to("b")}, True),
            ({"active": "a", "request": request_to("a", Trigger.MANUAL, forced=True)}, False),
            ({"active": "a", "request": request_to("a", Trigger.MANUAL), "wanted": "b"}, True),
            ({"active": "a", "request": request_to("a", Trigger.REPAIR)}, False),
        ],
        ids=["moved", "there_already", "back_from_half_way", "repaired"],
    )
    def test_it_begins_where_something_moved(self, changes: dict[str, Any], begins: bool) -> None:
        """Who forces a group to where it is must not keep it there for a minute if that NVA is dead."""
        state = switching(**{"last_switch_at": later(-900), **changes})
        done = decide(GROUP, state, SwitchDone(1, "g-1-0"), later(5)).state
        assert done.guards.last_switch_at == (later(5) if begins else later(-900))

    def test_a_dead_nva_is_left_at_once_after_a_forced_look_at_what_is_there(self) -> None:
        """The switch away follows at the next round."""
        forced = switching(request=request_to("a", Trigger.MANUAL, forced=True), nvas={"a": down()})
        done = decide(GROUP, forced, SwitchDone(1, "g-1-0"), later(5)).state
        assert probed(done, now=later(6)).send is not None
