"""What a look finds where the record does not say who is active, or says it otherwise."""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.decide import decide
from nvaha.core.inputs import NetworkRead, Probed, Survey, SwitchFailed
from nvaha.model import Health, Phase, Trigger
from tests.builders import BAD, NOON, OK, group_of, later, steady, switching

AT_A, ALL_AT_B = {"a": 9, "b": 1}, {"a": 0, "b": 10}


def test_only_the_very_first_look_leaves_what_is_scattered_alone() -> None:
    """Of a group that has been switched before, what a look finds scattered is put right."""
    group = group_of(adopt="wait", drift="repair")
    survey = Survey(routes=AT_A, public_ips={}, off={"a": ("a table",), "b": ("the others",)})
    for generation, repairs in ((0, False), (3, True)):
        before = steady(None, phase=Phase.UNKNOWN, generation=generation)
        found = decide(group, before, NetworkRead(1, survey), NOON).state
        request = decide(group, found, Probed(1, {"a": OK, "b": OK}), later(1)).send
        assert (request is not None and request.trigger is Trigger.REPAIR) is repairs


def test_what_arrives_late_of_a_failed_switch_begins_its_hold_down() -> None:
    """The switch counts as one that ended when it was found: no other follows within its hold-down."""
    group = group_of(hold_down_s=100.0)
    failed = decide(group, switching("b"), SwitchFailed(1, "g-1-0", "a table is locked"), NOON).state
    survey = Survey(routes=ALL_AT_B, public_ips={}, off={"a": ("everything",), "b": ()})
    state = decide(group, failed, NetworkRead(1, survey), later(10)).state
    assert (state.phase, state.active) == (Phase.STEADY, "b")
    for seconds, moves in ((91, False), (94, False), (109, False), (111, True)):
        decision = decide(group, state, Probed(1, {"a": OK, "b": BAD}), later(seconds))
        assert (decision.send is not None) is moves
        state = decision.state


def test_another_spelling_of_a_name_is_the_same_nva() -> None:
    """Who configures in another case than before loses neither the health nor who is active."""
    before = steady("A")
    before = replace(before, nvas={"A": before.nvas["a"], "B": before.nvas["b"]})
    state = decide(group_of(), before, Probed(1, {"a": OK, "b": OK}), later(1)).state
    assert (state.phase, state.active) == (Phase.STEADY, "a")
    assert {name: nva.health for name, nva in state.nvas.items()} == {"a": Health.UP, "b": Health.UP}


def test_a_failback_does_not_move_what_waits_for_a_person() -> None:
    """The preferred NVA is up long enough, but what a first look found scattered stays."""
    survey = Survey(routes={"a": 1, "b": 9}, public_ips={}, off={"a": ("most",), "b": ("a table",)})
    for adopt, moves in (("wait", False), ("repair", True)):
        group = group_of(adopt=adopt, drift="report", failback="automatic", failback_after_s=10.0)
        before = steady(None, phase=Phase.UNKNOWN)
        state = decide(group, before, NetworkRead(1, survey), later(1)).state
        assert state.active == "b"
        request = decide(group, state, Probed(1, {"a": OK, "b": OK}), later(60)).send
        assert (request is not None and request.trigger is Trigger.FAILBACK) is moves


def test_what_a_first_look_could_not_see_waits_for_a_person_too() -> None:
    """A table that nobody might read turns out to point at the other NVA: nobody asked to move it."""
    group = group_of(adopt="wait", drift="repair")
    unseen = Survey(routes=AT_A, public_ips={}, off={"a": (), "b": ("most",)}, problems={"a": ("a table",)})
    seen = Survey(routes=AT_A, public_ips={}, off={"a": ("a table",), "b": ("most",)})
    for hidden, repairs in ((("the table could not be read",), False), ((), True)):
        state = steady(None, phase=Phase.UNKNOWN)
        for seconds, survey in enumerate((replace(unseen, hidden=hidden), seen, seen)):
            state = decide(group, state, NetworkRead(1, survey), later(seconds)).state
        request = decide(group, state, Probed(1, {"a": OK, "b": OK}), later(60)).send
        assert (request is not None and request.trigger is Trigger.REPAIR) is repairs


def test_drift_at_an_nva_that_is_not_configured_any_more_ends_no_round() -> None:
    """It was found under another configuration: nobody knows whether that NVA lives, or calls it dead."""
    for unasked, repairs in ((True, False), (False, True)):
        state = steady(writes=("a table",), seen=2, unasked=unasked, owners=("gone",))
        request = decide(group_of(drift="repair"), state, Probed(1, {"a": OK, "b": OK}), later(1)).send
        assert (request is not None and request.trigger is Trigger.REPAIR) is repairs
