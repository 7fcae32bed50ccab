"""What is remembered grows old, and a row may go back in time: neither moves anything by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.age import UNWATCHED_S, behind, unwatched
from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.inputs import (
    Elected,
    FailoverCommanded,
    MessagePoisoned,
    NetworkRead,
    NetworkUnread,
    OfLeader,
    Probed,
    Survey,
    SwitchDone,
    SwitchFailed,
    SwitchHeldUp,
    SwitchMoved,
)
from nvaha.core.refusal import RefusalCode
from nvaha.model import GroupState, Health, Phase, Reading, Status, Trigger
from tests.builders import BAD, NOON, OK, down, group_of, later, request_to, steady, switch_of, switching, up

WEEK_S = 7 * 24 * 3600.0
GONE_S = UNWATCHED_S + 1
GROUP = group_of()


def elected(
    state: GroupState, seconds: float, remembered: GroupState | None = None, **policy: Any
) -> Decision:
    """Let a new leader take a group over so long after noon."""
    return decide(group_of(**policy), state, Elected(2, remembered), later(seconds))


def probed(state: GroupState, seconds: float, a: Reading = OK, b: Reading = OK, **policy: Any) -> Decision:
    """Let the leader probe so long after noon."""
    return decide(group_of(**policy), state, Probed(2, {"a": a, "b": b}), later(seconds))


def looked(state: GroupState, seconds: float, survey: Survey, **policy: Any) -> Decision:
    """Let the leader look so long after noon."""
    return decide(group_of(**policy), state, NetworkRead(2, survey), later(seconds))


def moved_by_hand(whole: bool) -> Survey:
    """Return what Azure says once people have moved all, or most, of the routes to b."""
    off_b = () if whole else ("route r of table",)
    return Survey({"a": 0 if whole else 1, "b": 2}, {}, off={"a": ("routes of table",), "b": off_b})


class TestUnwatched:
    """When nobody has watched a group."""

    @pytest.mark.parametrize(
        "state",
        [
            steady(probed_at=later(WEEK_S - UNWATCHED_S)),
            steady(probed_at=later(WEEK_S + UNWATCHED_S)),
            steady(unwatched_at=later(WEEK_S)),
            steady(ended_at=later(WEEK_S)),
            switching(progress_at=later(WEEK_S)),
            switching(queued_at=later(WEEK_S)),
            switching(request=request_to("b", requested_at=later(WEEK_S))),
            GroupState("g"),
            GroupState("g", paused=True),
        ],
        ids=[
            "probed",
            "clocks differ",
            "found so",
            "ended",
            "carried out",
            "queued",
            "asked for",
            "new",
            "paused",
        ],
    )
    def test_somebody_was_there(self, state: GroupState) -> None:
        """Whoever probed it, carried its switch out or asked for one was there; a new one has no past."""
        assert not unwatched(state, later(WEEK_S))
        assert elected(state, WEEK_S).state == replace(
            state, epoch=2, fingerprint=GROUP.fingerprint, nvas=elected(state, WEEK_S).state.nvas
        )

    @pytest.mark.parametrize(
        "state",
        [
            steady(probed_at=later(WEEK_S - GONE_S)),
            steady(probed_at=later(WEEK_S + GONE_S)),
            steady(probed_at=None),
            switching(),
        ],
        ids=["long ago", "far ahead", "nobody knows when", "half-way"],
    )
    def test_nobody_was_there(self, state: GroupState) -> None:
        """A record that old, or of a time that has not come, is memory only; that is told once."""
        decision = elected(state, WEEK_S)
        assert decision.state.phase is Phase.UNKNOWN
        assert [each.event for each in decision.notices if each.event == "unwatched"] == ["unwatched"]
        assert elected(decision.state, WEEK_S + 1).notices == ()

    def test_a_look_before_the_first_round_is_believed(self) -> None:
        """A new group is looked at and then probed: its active NVA is known, and nothing is forgotten."""
        state = looked(elected(GroupState("g"), WEEK_S).state, WEEK_S, moved_by_hand(whole=True)).state
        decision = probed(state, WEEK_S + 1)
        again = elected(decision.state, WEEK_S + 2, decision.state).state
        assert (decision.notices, again.phase, again.active) == ((), Phase.STEADY, "b")


class TestForgotten:
    """What a leader does with a group that nobody has watched."""

    def test_what_was_moved_by_hand_stays(self) -> None:
        """A week later everything is on b: that is the active NVA, and nothing is moved."""
        state = looked(elected(steady(), WEEK_S).state, WEEK_S, moved_by_hand(whole=True)).state
        for second in range(1, 100):
            decision = probed(state, WEEK_S + second)
            state = decision.state
            assert decision.send is None
        assert (state.phase, state.active, state.drift.seen, state.unwatched_at) == (
            Phase.STEADY,
            "b",
            0,
            None,
        )

    @pytest.mark.parametrize("adopt", ["wait", "repair"])
    @pytest.mark.parametrize("rounds_first", [True, False])
    def test_what_was_half_moved_by_hand_waits_for_a_person(self, adopt: str, rounds_first: bool) -> None:
        """Most is on b: that one is active, and what is not there moves only by `adopt: repair`."""
        state = elected(steady(), WEEK_S, adopt=adopt).state
        sent = []
        if rounds_first:
            state = probed(state, WEEK_S + 1, adopt=adopt).state
        for second in range(2, 20):
            state = looked(state, WEEK_S + second, moved_by_hand(whole=False), adopt=adopt).state
            decision = probed(state, WEEK_S + second, adopt=adopt)
            state = decision.state
            sent += [decision.send] if decision.send else []
        assert state.active == "b"
        expected = {("b", Trigger.REPAIR)} if adopt == "repair" else set()
        assert {(each.target, each.trigger) for each in sent} == expected

    def test_a_leader_that_dies_before_it_has_looked_leaves_that_to_the_next(self) -> None:
        """The stamp is written, the look is not: the next leader's look is a first look all the same."""
        state = elected(elected(steady(), WEEK_S).state, WEEK_S + 20).state
        state = looked(state, WEEK_S + 21, moved_by_hand(whole=False)).state
        assert (state.active, state.drift.unasked) == ("b", True)

    def test_a_round_that_comes_after_minutes_forgets_as_well(self) -> None:
        """Nobody else has led meanwhile: the leader's own rounds could not be written."""
        decision = probed(steady(seen=2, writes=("route r of table",)), GONE_S)
        assert (decision.send, decision.state.phase, decision.state.drift.seen) == (None, Phase.UNKNOWN, 0)

    def test_what_was_wanted_is_wanted_no_more_and_that_is_said(self) -> None:
        """A switch had failed half-way: a week later nobody finishes it, and people hear of it."""
        before = steady(
            phase=Phase.UNKNOWN, wanted="b", stays=("pip",), blocked="why", switch=switching().switch
        )
        decision = elected(before, WEEK_S)
        state = decision.state
        assert (state.wanted, state.stays, state.blocked) == (None, (), None)
        assert "b is not wanted" in decision.notices[0].text

    def test_a_switch_that_nobody_carries_out_ends_and_nothing_of_it_is_wanted(self) -> None:
        """Its operation is closed as failed; its message does nothing."""
        decision = elected(switching(), WEEK_S)
        state = decision.state
        assert (state.phase, state.wanted, switch_of(state).ended) == (Phase.UNKNOWN, None, Status.FAILED)
        assert [each.status for each in state.closings] == [Status.FAILED]
        assert {each.event for each in decision.notices} == {"switch_failed", "unwatched"}

    def test_a_switch_that_a_worker_carries_out_goes_on(self) -> None:
        """Nobody leads for minutes, and the worker works on: the next leader lets it."""
        decision = elected(switching(progress_at=later(GONE_S - 5)), GONE_S)
        assert (decision.state.phase, decision.notices) == (Phase.SWITCHING, ())

    def test_what_people_have_set_stays(self) -> None:
        """A pause, the flap limit's memory and the ids of requests are no record of the network."""
        before = steady(paused=True, switches=(NOON,), request_ids=(("r", "g-1-0"),), generation=4)
        state = elected(before, WEEK_S).state
        assert (state.paused, state.guards, state.request_ids) == (True, before.guards, before.request_ids)
        assert state.generation == 4

    def test_an_active_nva_that_is_down_is_left_as_ever(self) -> None:
        """All is on b by hand and b is down: a, which is up, gets it, after as many failures as ever."""
        state = looked(elected(steady(), WEEK_S).state, WEEK_S, moved_by_hand(whole=True)).state
        sent = []
        for second in range(1, 5):
            decision = probed(state, WEEK_S + second, b=BAD)
            state = decision.state
            sent.append(decision.send)
        assert sent[:2] == [None, None]
        assert sent[2] is not None
        assert (sent[2].source, sent[2].target, sent[2].trigger) == ("b", "a", Trigger.FAILOVER)

    def test_what_a_person_forces_while_nobody_leads_is_carried_out(self) -> None:
        """The worker that takes it up may, and the leader that comes lets it."""
        command = FailoverCommanded("b", "operator", force=True)
        asked = decide(GROUP, steady(), command, later(WEEK_S))
        assert asked.send is not None
        moved = SwitchMoved(asked.send.generation, asked.send.operation)
        going = decide(GROUP, asked.state, moved, later(WEEK_S + 1))
        assert going.refusal is None
        led = elected(going.state, WEEK_S + 2).state
        assert (led.phase, led.target) == (Phase.SWITCHING, "b")

    def test_a_move_that_was_not_begun_leaves_no_old_record_behind(self) -> None:
        """Commanded before the look and not begun: the look is a first look all the same."""
        state = probed(probed(elected(steady(), WEEK_S).state, WEEK_S).state, WEEK_S + 1).state
        asked = decide(GROUP, state, FailoverCommanded("b", "operator"), later(WEEK_S + 2))
        assert asked.send is not None
        failed = SwitchFailed(asked.send.generation, asked.send.operation, "not begun", begun=False)
        state = decide(GROUP, asked.state, failed, later(WEEK_S + 3)).state
        assert (state.phase, state.unwatched_at is None) == (Phase.UNKNOWN, False)


class TestCounts:
    """How old a count may be."""

    @pytest.mark.parametrize(
        ("gap_s", "health"), [(29.0, Health.DOWN), (31.0, Health.UP), (GONE_S, Health.UNKNOWN)]
    )
    def test_old_failures_and_a_new_one_are_not_three_in_a_row(self, gap_s: float, health: Health) -> None:
        """Two failures just now and one more are; minutes ago they are not."""
        state = probed(steady(nvas={"a": up(failures=2, confirmed=2)}), gap_s, a=BAD).state
        assert state.nvas["a"].health is health

    def test_a_dead_nva_has_to_fail_anew(self) -> None:
        """It was down minutes ago: it is left when it has failed as often as ever."""
        state = steady(nvas={"a": down()}, blocked="")
        sent = []
        for second in range(3):
            decision = probed(state, 200.0 + second, a=BAD)
            state = decision.state
            sent.append(decision.send is not None)
        assert sent == [False, False, True]

    def test_an_nva_that_is_probed_seldom_keeps_its_counts_longer(self) -> None:
        """Rounds that are a minute apart do not start from zero each time."""
        spec = replace(GROUP.nvas[0].probe, interval_s=60.0, fast_interval_s=60.0)
        state = steady(nvas={"a": up(failures=2, confirmed=2)})
        group = group_of(spec=spec)
        after = decide(group, state, Probed(2, {"a": BAD, "b": OK}), later(70.0)).state
        assert after.nvas["a"].health is Health.DOWN

    def test_all_down_of_last_week_is_not_over_now(self) -> None:
        """It is forgotten without a word: nobody has answered."""
        state = steady(ended_at=later(WEEK_S), all_down=True)
        decision = probed(state, WEEK_S, a=BAD, b=BAD)
        assert (decision.state.all_down, decision.notices) == (False, ())


class TestTooLate:
    """What a worker hears of a switch that nobody has watched."""

    @pytest.mark.parametrize(
        "report", [SwitchMoved, SwitchDone, lambda of, name: SwitchHeldUp(of, name, "held")]
    )
    def test_it_may_not_go_on(self, report: Any) -> None:
        """A message that waited for a week moves nothing before the leader has looked."""
        decision = decide(GROUP, switching(), report(1, "g-1-0"), later(WEEK_S))
        assert decision.refusal is not None
        assert decision.refusal.code is RefusalCode.UNWATCHED
        assert decision.state == decide(GROUP, switching(), SwitchMoved(9, "x"), later(WEEK_S)).state

    @pytest.mark.parametrize("report", [MessagePoisoned, lambda of, name: SwitchFailed(of, name, "error")])
    def test_its_end_leaves_nothing_wanted(self, report: Any) -> None:
        """Given up after a week, it is not finished by whoever leads next."""
        state = decide(GROUP, switching(), report(1, "g-1-0"), later(WEEK_S)).state
        assert (state.phase, state.wanted) == (Phase.UNKNOWN, None)
        assert looked(state, WEEK_S + 60, moved_by_hand(whole=False)).state.drift.unasked

    def test_what_had_ended_before_is_not_wanted_by_its_row(self) -> None:
        """A worker finds the operation's record ended: the row went back, and a look decides."""
        report = SwitchFailed(1, "g-1-0", "ended already", begun=False, outdated=True)
        decision = decide(GROUP, switching(), report, later(1))
        assert (decision.state.phase, decision.state.wanted) == (Phase.UNKNOWN, None)
        assert looked(decision.state, 2, moved_by_hand(whole=False)).state.drift.unasked


class TestBehind:
    """Rows that go back in time under a leader that remembers."""

    NEWER = steady(epoch=2, generation=3, probed_at=later(60), active="b", paused=True)

    OLDER = pytest.mark.parametrize(
        "row",
        [
            replace(NEWER, epoch=1),
            replace(NEWER, generation=2),
            replace(NEWER, probed_at=later(50)),
            replace(NEWER, probed_at=None),
            replace(switching(probed_at=later(60)), epoch=2, generation=3),
            GroupState("g"),
        ],
        ids=["epoch", "generation", "round", "no round", "under way again", "gone"],
    )

    @OLDER
    def test_an_older_row_is_memory_only(self, row: GroupState) -> None:
        """It is looked at anew; numbers do not go back, and a pause is not lost."""
        decision = elected(row, 61, self.NEWER)
        state = decision.state
        assert behind(row, self.NEWER)
        assert (state.phase, state.generation, state.epoch, state.paused) == (Phase.UNKNOWN, 3, 2, True)
        assert "unwatched" in [each.event for each in decision.notices]
        assert looked(state, 62, moved_by_hand(whole=False)).state.drift.unasked

    @OLDER
    @pytest.mark.parametrize(
        "happened",
        [
            Probed(2, {"a": OK, "b": OK}, remembered=NEWER),
            NetworkRead(2, moved_by_hand(whole=False), (Phase.STEADY, 3), remembered=NEWER),
            NetworkUnread(2, "no answer", remembered=NEWER),
        ],
        ids=lambda happened: type(happened).__name__,
    )
    def test_whatever_the_leader_sees_first_numbers_do_not_go_back(
        self, row: GroupState, happened: OfLeader
    ) -> None:
        """A row of the past is written back by a look as well as by a round."""
        state = decide(GROUP, row, happened, later(61)).state
        assert (state.generation, state.epoch, state.paused) == (3, 2, True)

    @pytest.mark.parametrize(
        "row",
        [
            NEWER,
            replace(NEWER, paused=False),
            replace(NEWER, probed_at=later(58)),
            replace(NEWER, probed_at=later(70)),
            replace(switching(probed_at=later(60)), epoch=2, generation=4),
            replace(NEWER, epoch=3),
        ],
        ids=["the same", "resumed", "clock", "a round", "commanded", "another leader"],
    )
    def test_a_row_that_others_have_written_since_is_no_step_back(self, row: GroupState) -> None:
        """What the others of us do to a row only ever leads on."""
        assert not behind(row, self.NEWER)

    def test_a_request_on_an_older_row_starts_nothing_a_second_time(self) -> None:
        """Commanded on a row of the past, it ends with that; repeated it hears of it, as does one before."""
        led = replace(self.NEWER, request_ids=(("known", "g-3-0"),))
        row = replace(switching("b", probed_at=later(20)), request_ids=(("late", "g-1-0"),))
        state = decide(GROUP, row, Probed(2, {"a": OK, "b": OK}, remembered=led), later(61)).state
        for request_id in ("known", "late"):
            again = FailoverCommanded("a", "operator", force=True, request_id=request_id)
            assert decide(GROUP, state, again, later(62)).send is None

    def test_the_leaders_configuration_is_no_part_of_the_past(self) -> None:
        """Else no worker that has the leader's configuration would carry a switch of the group out again."""
        led = replace(self.NEWER, fingerprint=GROUP.fingerprint)
        row = replace(led, probed_at=later(20), fingerprint="another")
        happened = Probed(2, {"a": OK, "b": OK}, remembered=led)
        assert decide(GROUP, row, happened, later(61)).state.fingerprint == GROUP.fingerprint

    def test_who_has_another_configuration_ends_nothing_however_late(self) -> None:
        """Neither by a report that the row is outdated, nor because nobody has watched the group."""
        state = switching("b", fingerprint="the leader's")
        for report in (SwitchFailed(1, "g-1-0", "over", outdated=True), MessagePoisoned(1, "g-1-0")):
            decision = decide(GROUP, state, report, later(GONE_S))
            assert (decision.state, decision.refusal is None) == (state, False)

    def test_before_the_first_round_numbers_alone_tell(self) -> None:
        """Nothing was probed yet: the same numbers are the same row."""
        assert not behind(steady(), steady(probed_at=None))

    def test_a_switch_that_the_leader_remembers_goes_on(self) -> None:
        """The row is of a moment before, and says the same of the switch under way."""
        now = switching(probed_at=later(20), epoch=2)
        state = elected(replace(now, probed_at=later(10)), 21, now).state
        assert (state.phase, state.target) == (Phase.SWITCHING, "b")
        assert state.unwatched_at == later(21)
        done = decide(GROUP, state, SwitchDone(1, "g-1-0"), later(22)).state
        assert (done.phase, done.active, done.unwatched_at) == (Phase.STEADY, "b", None)
