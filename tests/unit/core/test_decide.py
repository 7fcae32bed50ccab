"""Each row of the design's state table, and what forbids it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.decide import as_configured, decide, worth_writing
from nvaha.core.decision import Decision
from nvaha.core.inputs import (
    Elected,
    FailoverCommanded,
    NetworkRead,
    PauseCommanded,
    Probed,
    Survey,
)
from nvaha.core.refusal import RefusalCode
from nvaha.model import Drift, Group, GroupState, Health, NvaState, Phase, Reading, Trigger
from tests.builders import BAD, NOON, OK, down, group_of, later, steady, switching, up

GROUP = group_of()
NVAS = ("a", "b", "c")


def probed(state: GroupState, group: Group = GROUP, *, now: datetime = NOON, **more: Any) -> Decision:
    """Return the decision on a round in which every NVA that is up answered and no other did."""
    readings: dict[str, Reading] = {
        name: OK if nva.health is Health.UP else BAD for name, nva in state.nvas.items()
    }
    readings.update(more.pop("readings", {}))
    return decide(group, state, Probed(1, readings, **more), now)


def look(state: GroupState, *, group: Group = GROUP, **survey: Any) -> Decision:
    """Return the decision on what Azure says."""
    found: dict[str, Any] = {"routes": {}, "public_ips": {}, "off": dict.fromkeys(group.names, ())}
    return decide(group, state, NetworkRead(1, Survey(**{**found, **survey})), NOON)


def command(
    state: GroupState, to: str, *, group: Group = GROUP, now: datetime = NOON, **more: Any
) -> Decision:
    """Return the decision on a commanded failover."""
    return decide(group, state, FailoverCommanded(to, "somebody", **more), now)


class TestUnknown:
    """A group that has not been read from Azure yet."""

    def test_one_owner_is_the_active_one(self) -> None:
        """The NVA that owns everything is active, and there is nothing to repair."""
        state = look(GroupState("g"), routes={"b": 3}, off={"a": ("r",), "b": ()}).state
        assert (state.phase, state.active, state.drift.writes) == (Phase.STEADY, "b", ())

    def test_of_several_owners_the_greatest_is_repaired_where_that_is_wanted(self) -> None:
        """Routes count before public IPs; with `adopt: repair` the rest is moved at the next reading."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        group = group_of(adopt="repair")
        off: dict[str, tuple[str, ...]] = {"a": ("x",), "b": ("y",)}
        found = look(start, group=group, routes={"a": 1, "b": 2}, public_ips={"a": 9}, off=off)
        assert (found.state.phase, found.state.active, found.send) == (Phase.STEADY, "b", None)
        request = probed(found.state, group).send
        assert request is not None
        assert (request.trigger, request.target) == (Trigger.REPAIR, "b")

    def test_the_first_look_moves_nothing_unasked(self) -> None:
        """What is split at first sight is told and waits for a person; a dead active NVA is failed over."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        found = look(start, routes={"a": 1, "b": 2}, off={"a": ("x",), "b": ("y",)}).state
        assert (found.active, found.drift.writes, found.drift.unasked) == ("b", ("y",), True)
        again = look(found, off={"a": ("x",), "b": ("y",)}).state
        assert probed(again).send is None
        settled = command(again, "b")
        assert settled.send is not None
        failed_over = probed(replace(again, nvas={"a": up(), "b": down()})).send
        assert failed_over is not None
        assert (failed_over.trigger, failed_over.target) == (Trigger.FAILOVER, "a")

    def test_once_settled_drift_is_repaired_as_ever(self) -> None:
        """The first look is forgotten as soon as Azure agrees with the record."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        split: dict[str, tuple[str, ...]] = {"a": ("x",), "b": ("y",)}
        found = look(look(start, routes={"a": 1, "b": 2}, off=split).state).state
        assert found.drift == Drift()
        request = probed(look(look(found, off=split).state, off=split).state).send
        assert request is not None
        assert request.trigger is Trigger.REPAIR

    def test_a_look_that_could_not_see_everything_decides_nothing(self) -> None:
        """One table that gave no answer may hold most of the routes."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        partial = look(start, routes={"a": 1}, unanswered=("table t: 429",))
        assert (partial.state.phase, partial.state.active) == (Phase.UNKNOWN, None)
        assert [each.event for each in partial.notices] == ["discovery_failed"]
        for _ in range(3):
            partial = look(steady(), off={"a": ("x",), "b": ()}, unanswered=("table t: 429",))
        assert partial.state.drift == Drift()

    def test_what_azure_hides_leaves_a_split_group_to_a_person(self) -> None:
        """Of what could not be seen, all may point at either."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        split = look(start, routes={"a": 2, "b": 1}, hidden=("table t: 403",)).state
        assert (split.phase, split.active) == (Phase.UNKNOWN, None)
        assert split.blocked is not None
        assert look(start, routes={"a": 2}, hidden=("table t: 403",)).state.active == "a"

    def test_without_any_owner_the_recorded_active_one_stands(self) -> None:
        """After a crash between detach and attach nothing points anywhere: the record says where to."""
        state = look(steady("b", phase=Phase.UNKNOWN), off={"a": ("x",), "b": ("x",)}).state
        assert (state.phase, state.active) == (Phase.STEADY, "b")

    def test_without_owner_and_record_it_says_why_once(self) -> None:
        """Nothing is guessed; the reason is told once and kept."""
        first = look(GroupState("g"))
        assert (first.state.phase, len(first.notices)) == (Phase.UNKNOWN, 1)
        assert first.state.blocked
        assert look(first.state).notices == ()

    def test_nothing_is_switched(self) -> None:
        """A group whose active NVA is not known is not switched by itself."""
        assert probed(GroupState("g", nvas={"a": down(), "b": up()})).send is None


class TestSteady:
    """A group at rest."""

    def test_a_fallen_active_one_is_left(self) -> None:
        """The next generation moves the group to a candidate that is up."""
        decision = probed(steady(nvas={"a": down()}))
        request = decision.send
        assert request is not None
        assert (request.trigger, request.source, request.target) == (Trigger.FAILOVER, "a", "b")
        assert (decision.state.phase, decision.state.generation, request.generation) == (
            Phase.SWITCHING,
            1,
            1,
        )
        assert decision.state.request == request

    @pytest.mark.parametrize(
        "state",
        [
            steady(nvas={"a": down()}, paused=True),
            steady(nvas={"a": down()}, last_switch_at=later(-59)),
            steady(nvas={"a": down()}, retry_at=later(1)),
            steady(nvas={"a": down()}, switches=tuple(later(-60 * n) for n in range(6))),
            steady(nvas={"a": down(), "b": down()}),
            steady(nvas={"a": down(), "b": NvaState(successes=1)}),
            steady(nvas={"a": down(), "b": up(failures=1)}),
        ],
    )
    def test_what_forbids_a_switch_is_told_once(self, state: GroupState) -> None:
        """A switch that is due and does not start leaves its reason, and says it once."""
        readings = {"b": BAD} if state.nvas["b"].failures else {}
        decision = probed(state, readings=readings)
        assert decision.send is None
        assert decision.state.blocked
        assert [each.event for each in decision.notices].count("switch_refused") == 1
        again = probed(decision.state, readings=readings)
        assert "switch_refused" not in [each.event for each in again.notices]

    @pytest.mark.parametrize(
        "state",
        [
            steady(nvas={"a": down()}, last_switch_at=later(-60)),
            steady(nvas={"a": down()}, retry_at=NOON),
            steady(nvas={"a": down()}, switches=tuple(later(-720 * n - 1) for n in range(6))),
        ],
    )
    def test_what_forbade_a_switch_passes(self, state: GroupState) -> None:
        """A switch starts as soon as hold-down, back-off and flap limit let it."""
        assert probed(state).send is not None

    def test_automatic_switches_can_be_off(self) -> None:
        """`automatic: false` reports and switches nothing."""
        decision = probed(steady(nvas={"a": down()}), group_of(automatic=False))
        assert decision.send is None
        assert decision.state.blocked

    def test_a_blind_monitor_switches_nothing(self) -> None:
        """Failures are counted, but none of them is confirmed and none moves traffic."""
        decision = probed(steady(nvas={"a": down()}), blind=True)
        assert decision.send is None
        assert decision.state.nvas["a"].confirmed == 0

    def test_all_down_is_told_once_and_ends(self) -> None:
        """Every NVA down is reported when it begins and when it is over."""
        start = steady(nvas={"a": down(), "b": down(failures=2, health=Health.UP)})
        first = probed(start, readings={"b": BAD})
        assert first.state.all_down
        assert [each.event for each in first.notices].count("all_down") == 1
        second = probed(first.state)
        assert "all_down" not in [each.event for each in second.notices]
        risen = probed(probed(second.state, readings={"b": OK}).state, readings={"b": OK})
        assert not risen.state.all_down
        assert risen.send is not None

    @pytest.mark.parametrize(
        ("select", "active", "to"), [("order", "b", "a"), ("cycle", "b", "c"), ("cycle", "c", "a")]
    )
    def test_candidates_come_in_the_configured_order_or_around(
        self, select: str, active: str, to: str
    ) -> None:
        """`order` takes the first that is up, `cycle` the next after the one that is left."""
        state = replace(steady(active), nvas={name: up() for name in NVAS} | {active: down()})
        request = probed(state, group_of(*NVAS, select=select)).send
        assert request is not None
        assert request.target == to

    def test_the_preferred_one_gets_the_group_back_when_it_has_been_up_long_enough(self) -> None:
        """Failback waits for `failback_after`, and happens only where it is automatic."""
        group = group_of(failback="automatic", failback_after_s=100.0)
        assert probed(steady("b"), group, now=later(99)).send is None
        request = probed(steady("b"), group, now=later(100)).send
        assert request is not None
        assert (request.trigger, request.target) == (Trigger.FAILBACK, "a")
        assert probed(steady("b"), now=later(1000)).send is None

    def test_drift_is_repaired_when_it_was_seen_twice(self) -> None:
        """One look may have caught a moment in between; two start a repair at the next reading."""
        drift: dict[str, tuple[str, ...]] = {"a": ("route r",), "b": ()}
        once = look(steady(), off=drift)
        assert (once.state.drift, once.send) == (Drift(("route r",), seen=1), None)
        assert probed(once.state).send is None
        twice = look(once.state, off=drift)
        assert [each.event for each in twice.notices] == ["drift_found"]
        assert twice.send is None
        request = probed(twice.state).send
        assert request is not None
        assert (request.trigger, request.target) == (Trigger.REPAIR, "a")

    def test_drift_that_is_gone_is_forgotten(self) -> None:
        """A look that agrees starts the count again."""
        state = look(steady(writes=("route r",), seen=1)).state
        assert state.drift == Drift()

    @pytest.mark.parametrize("group", [group_of(drift="report"), group_of(automatic=False)])
    def test_drift_is_only_reported_where_repair_is_off(self, group: Group) -> None:
        """Without repair, drift stays in the state for people to see."""
        decision = probed(steady(writes=("route r",), seen=2), group)
        assert decision.send is None
        assert decision.state.drift.writes

    def test_nothing_is_repaired_towards_a_dead_nva(self) -> None:
        """Repair needs its target up like every other automatic switch."""
        state = steady(nvas={"a": up(failures=1)}, writes=("route r",), seen=2)
        assert probed(state, readings={"a": BAD}).send is None

    def test_what_no_write_can_mend_is_reported_not_tried(self) -> None:
        """Problems count as drift that is seen, but start no repair."""
        state = look(look(steady(), problems={"a": ("p",)}).state, problems={"a": ("p",)}).state
        assert state.drift == Drift(problems=("p",), seen=2)
        assert probed(state).send is None

    def test_a_look_that_began_before_the_group_moved_says_nothing(self) -> None:
        """What was read in another phase or generation may be half of a switch."""
        survey = Survey(routes={"b": 1}, public_ips={}, off={"a": ("x",), "b": ()})
        for standing in ((Phase.SWITCHING, 0), (Phase.STEADY, 1)):
            read = NetworkRead(1, survey, standing=standing)
            assert decide(GROUP, steady(), read, NOON).state == steady()
        read = NetworkRead(1, survey, standing=(Phase.STEADY, 0))
        assert decide(GROUP, steady(), read, NOON).state.drift.seen == 1


class TestCommands:
    """What operators ask for."""

    def test_a_target_that_is_up_is_switched_to(self) -> None:
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
    def test_what_cannot_be_done_is_refused(self, state: GroupState, to: str, code: str) -> None:
        """A refusal carries its code and changes nothing."""
        decision = command(state, to)
        assert decision.refusal is not None
        assert decision.refusal.code == code
        assert (decision.state, decision.send) == (state, None)

    @pytest.mark.parametrize("state", [steady(nvas={"b": down()}), steady(probed_at=None), GroupState("g")])
    def test_force_overrides_health(self, state: GroupState) -> None:
        """A forced failover needs nobody's health."""
        decision = command(state, "b", force=True)
        assert decision.send is not None
        assert decision.send.forced

    def test_force_overrides_no_switch_under_way(self) -> None:
        """One switch at a time, whoever asks."""
        assert command(switching(), "b", force=True).refusal is not None

    def test_drift_can_be_repaired_by_command(self) -> None:
        """A failover to the active NVA is for something only when something is elsewhere."""
        assert command(steady(writes=("route r",), seen=1), "a").send is not None

    def test_a_repeated_request_leads_to_the_same_operation(self) -> None:
        """The same request id answers with the first operation, wherever that stands by now."""
        first = command(steady(), "b", request_id="r")
        again = command(first.state, "b", request_id="r")
        assert again.operation == first.operation
        assert (again.state, again.send, again.refusal) == (first.state, None, None)
        other = command(replace(first.state, phase=Phase.STEADY), "b", request_id="s", now=later(9))
        assert other.operation not in (None, first.operation)

    def test_pause_and_resume_change_once(self) -> None:
        """Pausing twice is pausing once."""
        paused = decide(GROUP, steady(), PauseCommanded(paused=True, by="somebody"), NOON)
        assert paused.state.paused
        assert len(paused.notices) == 1
        again = decide(GROUP, paused.state, PauseCommanded(paused=True, by="somebody"), NOON)
        assert (again.state, again.notices) == (paused.state, ())


class TestEpochs:
    """Who may write."""

    @pytest.mark.parametrize(
        "happened", [Elected(1), Probed(1, {}), NetworkRead(1, Survey({"b": 1}, {}, {"a": (), "b": ()}))]
    )
    def test_an_older_epoch_changes_nothing(self, happened: Elected | Probed | NetworkRead) -> None:
        """A leader that finds a newer epoch is deposed."""
        state = steady(epoch=2, nvas={"a": down()})
        decision = decide(GROUP, state, happened, NOON)
        assert decision.refusal is not None
        assert (decision.state, decision.send) == (state, None)

    def test_a_new_leader_stamps_its_epoch(self) -> None:
        """The stamp is all that changes, and it is worth writing."""
        decision = decide(GROUP, steady(), Elected(5), NOON)
        assert decision.state == replace(steady(), epoch=5, fingerprint=GROUP.fingerprint)
        assert worth_writing(GROUP, steady(), decision.state)


class TestWriting:
    """What is written, and when."""

    def test_rest_is_written_every_ten_seconds(self) -> None:
        """Nothing new is written before the ten seconds are over."""
        quiet = probed(steady(), now=later(9.9))
        assert not worth_writing(GROUP, steady(), quiet.state)
        beat = probed(steady(), now=later(10))
        assert beat.state.probed_at == later(10)
        assert worth_writing(GROUP, steady(), beat.state)

    def test_news_is_written_at_once(self) -> None:
        """A failure is news, and comes with the time it is of."""
        decision = probed(steady(), now=later(1), readings={"b": BAD})
        assert worth_writing(GROUP, steady(), decision.state)
        assert decision.state.probed_at == later(1)

    def test_an_nva_that_is_not_configured_any_more_is_forgotten(self) -> None:
        """A group whose active NVA is gone is unknown again; a new NVA starts unknown."""
        state = as_configured(group_of("b", "c"), steady("a"))
        assert (state.phase, state.active, sorted(state.nvas)) == (Phase.UNKNOWN, None, ["b", "c"])
        assert state.nvas["c"].health is Health.UNKNOWN


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), max_size=40),
    st.sampled_from(["order", "cycle"]),
)
def test_no_row_of_readings_moves_traffic_to_an_nva_that_is_not_up(
    rounds: list[tuple[bool, bool, bool, bool]], select: str
) -> None:
    """Whatever is read, a switch leaves an NVA that is down for one that was answered just now."""
    group, state = group_of(*NVAS, select=select, hold_down_s=5.0), replace(steady(), nvas={})
    for number, (*oks, blind) in enumerate(rounds):
        readings = {name: OK if ok else BAD for name, ok in zip(NVAS, oks, strict=True)}
        decision = decide(group, state, Probed(1, readings, blind), later(number))
        if decision.send is not None and decision.state.generation != state.generation:
            left = state.active if state.request is None else state.request.target
            assert readings[decision.send.target].ok
            assert decision.state.nvas[decision.send.target].health is Health.UP
            assert left is not None
            assert not readings[left].ok
            assert not blind
        state = decision.state
