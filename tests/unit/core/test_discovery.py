"""What follows from a look at Azure: who is active, and what has drifted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.decide import decide
from nvaha.core.discovery import MOST_FORMER, MOST_UNREADY
from nvaha.core.inputs import (
    NetworkRead,
    NetworkUnread,
    Survey,
)
from nvaha.model import (
    Drift,
    Group,
    GroupState,
    Phase,
    Trigger,
)
from tests.builders import BAD, NOON, down, group_of, later, steady, switching, up
from tests.unit.core.decisions import GROUP, command, look, probed


class TestUnknown:
    """A group whose active NVA is not known."""

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

    def test_what_azure_hides_leaves_a_split_group_as_it_is(self) -> None:
        """Of what could not be seen, all may point at either: nothing is moved unasked, failovers are."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        split = look(start, routes={"a": 2, "b": 1}, hidden=("table t: 403",)).state
        assert (split.active, split.drift.unasked or not split.drift.writes) == ("a", True)
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


class TestDrift:
    """Azure disagrees with the recorded active NVA."""

    def test_drift_is_repaired_when_it_was_seen_twice(self) -> None:
        """One look may have caught a moment in between; two start a repair at the next reading."""
        drift: dict[str, tuple[str, ...]] = {"a": ("route r",), "b": ()}
        once = look(steady(), off=drift)
        assert (once.state.drift, once.send) == (Drift(("route r",), seen=1, drift_since=NOON), None)
        assert probed(once.state).send is None
        twice = look(once.state, off=drift)
        assert [each.event for each in twice.notices] == ["drift_found"]
        assert twice.send is None
        request = probed(twice.state).send
        assert request is not None
        assert (request.trigger, request.target) == (Trigger.REPAIR, "a")

    def test_drift_is_told_since_when(self) -> None:
        """By the look that first found it, however many have since; and anew after it was gone."""
        off: dict[str, tuple[str, ...]] = {"a": ("route r",), "b": ()}
        there = look(steady(writes=("another",), seen=5, drift_since=later(-900)), off=off).state
        assert there.drift.drift_since == later(-900)
        assert look(look(there).state, off=off).state.drift.drift_since == NOON

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
        assert state.drift == Drift(problems=("p",), seen=2, drift_since=NOON)
        assert probed(state).send is None

    def test_writes_on_top_of_what_no_write_can_mend_are_new(self) -> None:
        """However long a problem has lasted, what could be repaired has to be seen twice, and is told."""
        lasting = steady(problems=("p",), seen=57)
        both: dict[str, tuple[str, ...]] = {"a": ("route r",), "b": ()}
        once = look(lasting, off=both, problems={"a": ("p",)})
        assert (once.state.drift.seen, probed(once.state).send) == (1, None)
        twice = look(once.state, off=both, problems={"a": ("p",)})
        assert [each.event for each in twice.notices] == ["drift_found"]
        assert probed(twice.state).send is not None

    def test_a_look_that_began_before_the_group_moved_says_nothing(self) -> None:
        """What was read in another phase or generation may be half of a switch."""
        survey = Survey(routes={"b": 1}, public_ips={}, off={"a": ("x",), "b": ()})
        for standing in ((Phase.SWITCHING, 0), (Phase.STEADY, 1)):
            read = NetworkRead(1, survey, standing=standing)
            assert decide(GROUP, steady(), read, NOON).state == steady()
        read = NetworkRead(1, survey, standing=(Phase.STEADY, 0))
        assert decide(GROUP, steady(), read, NOON).state.drift.seen == 1


class TestLook:
    """What every look brings, and what none decides."""

    def test_addresses_that_were_read_are_remembered_and_the_others_kept(self) -> None:
        """A NIC that could not be read this time is still known by where it was."""
        before = steady(nvas={"a": up(addresses={"external": {"x": "10.0.0.9"}}, primary={"external": "x"})})
        state = look(
            before,
            addresses={"a": {"internal": {"ip": "10.0.1.4"}}, "b": {}},
            primary={"a": {"internal": "ip"}, "b": {}},
        ).state
        assert state.nvas["a"].addresses == {"external": {"x": "10.0.0.9"}, "internal": {"ip": "10.0.1.4"}}
        assert state.nvas["a"].primary == {"external": "x", "internal": "ip"}
        assert state.nvas["b"] == before.nvas["b"]

    def test_a_look_in_the_middle_of_a_switch_finds_no_drift(self) -> None:
        """It brings addresses, and leaves the rest to the switch."""
        off = {"a": ("x",), "b": ("y",)}
        decision = look(switching(), off=off, addresses={"b": {"internal": {"ip": "10.0.1.5"}}})
        assert (decision.state.phase, decision.state.drift, decision.send) == (Phase.SWITCHING, Drift(), None)
        assert decision.state.nvas["b"].addresses == {"internal": {"ip": "10.0.1.5"}}


class TestUnread:
    """Azure cannot be read."""

    def test_it_is_told_once_and_decides_nothing(self) -> None:
        """A second silence, for another reason even, is no news."""
        first = decide(GROUP, steady(writes=("w",), seen=1), NetworkUnread(1, "503"), NOON)
        assert (first.state.unread, first.state.drift.seen, first.send) == ("503", 1, None)
        assert [each.event for each in first.notices] == ["discovery_failed"]
        again = decide(GROUP, first.state, NetworkUnread(1, "timed out"), NOON)
        assert (again.state, again.notices) == (first.state, ())

    def test_it_is_over_with_the_next_look_that_is_answered(self) -> None:
        """At rest as well as where the active NVA is not known."""
        assert look(steady(unread="503")).state.unread is None
        assert look(steady(phase=Phase.UNKNOWN, unread="503")).state.unread is None
        assert look(GroupState("g", unread="503")).state.unread is None

    def test_a_deposed_leader_writes_none_of_it(self) -> None:
        """A newer epoch has been here."""
        decision = decide(GROUP, steady(epoch=2), NetworkUnread(1, "503"), NOON)
        assert decision.refusal is not None
        assert decision.state == steady(epoch=2)

    def test_where_nothing_points_at_any_nva_every_problem_is_named_once(self) -> None:
        """They are what an operator would have to mend before anything can be told."""
        state = look(GroupState("g"), problems={"a": ("p", "q"), "b": ("q",)}).state
        assert (state.blocked or "").count("q") == 1
        assert "p; q" in (state.blocked or "")


class TestReady:
    """Whether a switch to an NVA could move everything, and would work."""

    def test_what_is_not_ready_is_told_once_and_so_is_the_end_of_it(self) -> None:
        """Another reason for the same is no news; it stands in the state, bounded."""
        first = look(steady(), unready={"b": ("its NIC is gone",)})
        assert [each.event for each in first.notices] == ["nva_not_ready"]
        assert first.state.nvas["b"].unready == ("its NIC is gone",)
        many = look(first.state, unready={"b": tuple(f"reason {number}" for number in range(50))})
        assert (many.notices, len(many.state.nvas["b"].unready)) == ((), MOST_UNREADY)
        over = look(many.state)
        assert [each.event for each in over.notices] == ["nva_ready"]
        assert over.state.nvas["b"].unready == ()

    def test_an_address_that_an_nva_has_no_more_is_remembered(self) -> None:
        """Tables may still point there; one that it has again is no former one, and few are kept."""
        state = steady()
        for number in range(20):
            addresses = {"a": {"internal": {"ip": f"10.0.1.{number}"}}}
            state = look(state, addresses=addresses, primary={"a": {"internal": "ip"}}).state
        assert len(state.nvas["a"].former) == MOST_FORMER
        assert state.nvas["a"].former["10.0.1.18"] == ("internal", "ip")
        back = look(state, addresses={"a": {"internal": {"ip": "10.0.1.18"}}}).state
        assert "10.0.1.18" not in back.nvas["a"].former
        assert "10.0.1.19" in back.nvas["a"].former

    def test_where_drift_is_off_none_is_looked_for(self) -> None:
        """Somebody else moves the routes of this group, and means it."""
        group = group_of(drift="off")
        state = look(
            look(steady(), group=group, off={"a": ("w",)}).state, group=group, off={"a": ("w",)}
        ).state
        assert state.drift == Drift()
