"""What follows from a look at Azure: who is active, and what has drifted."""

from __future__ import annotations

import pytest

from nvaha.core.decide import decide
from nvaha.core.inputs import (
    NetworkRead,
    Survey,
)
from nvaha.model import (
    Drift,
    Group,
    GroupState,
    Phase,
    Trigger,
)
from tests.builders import BAD, NOON, group_of, steady, up
from tests.unit.core.decisions import GROUP, look, probed


class TestUnknown:
    """A group whose active NVA is not known."""

    def test_one_owner_is_the_active_one(self) -> None:
        """The NVA that owns everything is active, and there is nothing to repair."""
        state = look(GroupState("g"), routes={"b": 3}, off={"a": ("r",), "b": ()}).state
        assert (state.phase, state.active, state.drift.writes) == (Phase.STEADY, "b", ())

    def test_of_several_owners_the_greatest_is_repaired_at_the_next_reading(self) -> None:
        """Routes count before public IPs; what is elsewhere is moved to the greatest owner."""
        start = steady(active=None, phase=Phase.UNKNOWN)
        found = look(start, routes={"a": 1, "b": 2}, public_ips={"a": 9}, off={"a": ("x",), "b": ("y",)})
        assert (found.state.phase, found.state.active, found.send) == (Phase.STEADY, "b", None)
        request = probed(found.state).send
        assert request is not None
        assert (request.trigger, request.target) == (Trigger.REPAIR, "b")

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
