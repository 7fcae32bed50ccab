"""Each row of the design's state table that a round of probes can lead to, and what forbids it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.decide import as_configured, decide, worth_writing
from nvaha.core.inputs import (
    Elected,
    NetworkRead,
    Probed,
    Survey,
)
from nvaha.model import (
    GroupState,
    Health,
    NvaState,
    Phase,
    Trigger,
)
from tests.builders import BAD, NOON, OK, down, group_of, later, steady, up
from tests.unit.core.decisions import GROUP, probed

NVAS = ("a", "b", "c")


class TestUnknown:
    """A group that has not been read from Azure yet."""

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
        assert probed(steady("b", probed_at=later(999)), now=later(1000)).send is None

    @pytest.mark.parametrize(
        "state",
        [
            steady("a"),
            steady("b", nvas={"a": up(failures=1)}),
            steady("b", nvas={"a": down()}),
            steady("b", nvas={"b": up(failures=1)}),
            steady("b", nvas={"a": up(since=None)}),
            steady("b", last_switch_at=later(901)),
        ],
        ids=["there", "shaky", "down", "active_shaky", "since_unknown", "just_moved"],
    )
    def test_the_group_stays_where_it_is_while_failback_is_not_safe(self, state: GroupState) -> None:
        """Both have to be healthy, and the preferred one for long enough since the last move."""
        group = group_of(failback="automatic", failback_after_s=100.0)
        readings = {name: BAD if nva.failures else OK for name, nva in state.nvas.items()}
        watched = replace(state, probed_at=later(999))
        assert probed(watched, group, now=later(1000), readings=readings).send is None


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

    def test_another_set_of_nvas_is_news(self) -> None:
        """An NVA that is new or gone is written at once."""
        assert worth_writing(GROUP, steady(), replace(steady(), nvas={"a": up()}))

    def test_an_nva_of_another_configuration_is_not_looked_at(self) -> None:
        """An instance that does not know an NVA can tell nothing of it, and writes its own news."""
        other = group_of("b", "c")
        assert not worth_writing(other, steady(), steady(nvas={"a": up(failures=1)}))
        assert worth_writing(other, steady(), steady(paused=True))

    def test_a_reading_of_an_nva_that_is_not_configured_is_passed_over(self) -> None:
        """The group is as its configuration says."""
        state = probed(steady(), readings={"c": BAD}).state
        assert set(state.nvas) == {"a", "b"}

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
