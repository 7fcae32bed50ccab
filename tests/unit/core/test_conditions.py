"""What is not plain good is told, with what to do about it; what is plain good is left alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.core import conditions
from nvaha.core.advice import TODO
from nvaha.model import (
    CanaryRecord,
    CanarySpec,
    Drift,
    Group,
    GroupState,
    Guards,
    Health,
    InstanceRecord,
    LeaderRecord,
    NvaState,
    Pause,
    Phase,
    Status,
    Switch,
    Trigger,
)
from tests.builders import NOON, down, group_of, later, request_to, steady, switching, up

NOW = later(20)
LEADER = LeaderRecord("one", 1, later(15))
BLIND = replace(LEADER, blind=True)
GROUP = group_of()
FAILED = Switch(request_to("b", Trigger.MANUAL), ended=Status.FAILED)
CANARY = replace(group_of(), name="canary", canary=CanarySpec())


def told(
    state: GroupState,
    group: Group = GROUP,
    leader: LeaderRecord | None = LEADER,
    unreadable: str | None = None,
) -> dict[str, str]:
    """Return what is told of a group, by its code."""
    found = conditions.of_group(group, state, leader, NOW, unreadable)
    assert len({each.code for each in found}) == len(found)
    return {each.code: f"{each.text} | {each.todo}" for each in found}


def only(state: GroupState, **more: Any) -> tuple[str, str]:
    """Return the one thing that is told of a group."""
    (found,) = told(state, **more).items()
    return found


nvas = st.builds(
    NvaState,
    health=st.sampled_from([Health.UP, Health.UP, Health.UP, Health.DOWN, Health.UNKNOWN]),
    unready=st.sampled_from([(), (), (), ("no forwarding",)]),
    unsteady=st.sampled_from([False, False, False, True]),
)
mostly_good = st.builds(
    GroupState,
    group=st.just("g"),
    phase=st.sampled_from([Phase.STEADY] * 6 + [Phase.UNKNOWN, Phase.SWITCHING]),
    active=st.sampled_from(["a"] * 6 + [None]),
    nvas=st.fixed_dictionaries({"a": nvas, "b": nvas}),
    probed_at=st.sampled_from([later(11)] * 6 + [None, later(-11)]),
    paused=st.sampled_from([False] * 6 + [True]),
    hold=st.sampled_from([None] * 6 + ["held by a tag"]),
    rival=st.sampled_from([None] * 6 + ["another one"]),
    unread=st.sampled_from([None] * 6 + ["403"]),
    blocked=st.sampled_from([None] * 6 + ["a reason of its own"]),
    wanted=st.sampled_from([None] * 6 + ["b"]),
    switch=st.sampled_from(
        [None, Switch(request_to("a"), ended=Status.FAILED), FAILED, Switch(request_to("b"))]
    ),
    guards=st.builds(
        Guards,
        ended_at=st.sampled_from([later(-100), later(-90000)]),
        last_switch_at=st.sampled_from([None, later(-100), later(0)]),
        retry_at=st.sampled_from([None, later(10), later(30)]),
        switches=st.sampled_from([(), (later(0),), (later(0),) * 6]),
    ),
    drift=st.sampled_from([Drift()] * 6 + [Drift(("off",)), Drift(problems=("p",)), Drift(contested=True)]),
)


def plain_good(group: Group, state: GroupState) -> bool:
    """Tell whether a group is as one wants it, and would be switched if its active NVA died now."""
    guards, switch = state.guards, state.switch
    held_back = (
        (
            guards.last_switch_at is not None
            and later((guards.last_switch_at - NOON).total_seconds() + 60) > NOW
        )
        or (guards.retry_at is not None and guards.retry_at > NOW)
        or len(guards.switches) >= group.policy.max_switches_per_hour
        or not group.policy.automatic
    )
    failed = (
        switch is not None
        and switch.ended is Status.FAILED
        and switch.request.target != state.active
        and guards.ended_at is not None
        and guards.ended_at > later(20 - 86400)
    )
    nothing = (state.hold, state.rival, state.unread, state.blocked, state.wanted)
    return (
        (state.phase, state.active) == (Phase.STEADY, "a")
        and all(
            (nva.health, nva.unready, nva.unsteady) == (Health.UP, (), False) for nva in state.nvas.values()
        )
        and state.probed_at == later(11)
        and not state.paused
        and not any(nothing)
        and not (state.drift.sentences or state.drift.contested)
        and not held_back
        and not failed
    )


@settings(max_examples=200, deadline=None)
@given(mostly_good, st.booleans(), st.sampled_from([LEADER, None, BLIND]))
def test_a_group_is_plain_good_exactly_when_nothing_is_told_of_it(
    state: GroupState, automatic: bool, leader: LeaderRecord | None
) -> None:
    """Whatever keeps it from that is told, and each thing that is told says what to do."""
    group = group_of(automatic=automatic)
    found = conditions.of_group(group, state, leader, NOW)
    assert bool(found) is not plain_good(group, state)
    for each in found:
        assert each.code in TODO
        assert each.todo
        assert not re.search(r"[{}]", each.todo)
        assert each.level in {"info", "warning", "error"}


CASES: dict[str, tuple[GroupState, tuple[str, ...]]] = {
    "unwatched": (steady(probed_at=later(-100)), ("11:58:20 UTC", "--force")),
    "all_down": (steady(nvas={"a": down(), "b": down(since=later(3))}), ("12:00:03 UTC", "timed out")),
    "active_down": (steady(nvas={"a": down()}), ("a is down since 12:00:00 UTC", "switched to b", "--to b")),
    "switch_failed": (
        steady(switch=FAILED, ended_at=later(-60)),
        ("g-1-0", "11:59:00 UTC", "nvaha history g", "--to b"),
    ),
    "switch_unclaimed": (
        switching(progress_at=None, request=request_to("b", requested_at=later(-40))),
        ("g-1-0", "no worker"),
    ),
    "switch_held_up": (switching(blocked="the lease of the blob switch-g is held"), ("the blob switch-g",)),
    "switching": (switching(), ("g-1-0", "a to b", "12:00:00 UTC", "nvaha status g --watch")),
    "rival": (steady(rival="another monitor moves it"), ("another monitor", "--force")),
    "active_unknown": (steady(None, phase=Phase.UNKNOWN), ("not known",)),
    "nva_down": (steady(nvas={"b": down()}), ("b is down since 12:00:00 UTC", "3 times")),
    "drift_unasked": (
        steady(writes=("r leads to b, should lead to a",), unasked=True, drift_since=later(1)),
        ("r leads to b, should lead to a", "12:00:01 UTC", "nothing is moved", "nvaha failover g --to a"),
    ),
    "drift_found": (steady(writes=("r is off",), seen=2), ("r is off", "put right at the next round")),
    "discovery_failed": (steady(unread="rt could not be read: 503"), ("503",)),
    "nva_not_ready": (
        steady(nvas={"b": up(unready=("no forwarding",))}),
        ("b is not ready", "no forwarding"),
    ),
    "nva_unsteady": (
        steady(nvas={"a": up(unsteady=True, recent=0x3FF)}),
        ("a is unsteady", "10 of its last 30"),
    ),
    "nva_unknown": (steady(nvas={"b": NvaState()}), ("b",)),
    "waits": (steady(blocked="g: the last repair was just now"), ("the last repair was just now",)),
    "held": (steady(hold="held by tag nvaha-hold = 'x' on NIC n"), ("'x'", "remove the tag")),
    "paused": (
        steady(paused=True, pause=Pause("alice", later(-100), "an upgrade")),
        ("alice", "11:58:20 UTC", "an upgrade", "nvaha resume g"),
    ),
    "guarded": (steady(last_switch_at=later(0)), ("hold-down", "12:01:00 UTC")),
}


@pytest.mark.parametrize("code", sorted(CASES))
def test_one_thing_that_is_not_good_is_told_once_with_its_facts(code: str) -> None:
    """Who, since when, why, and the command to type: and nothing else beside it."""
    state, facts = CASES[code]
    found, said = only(state)
    assert (found, [fact for fact in facts if fact not in said]) == (code, [])


def test_each_code_is_told_somewhere() -> None:
    """No line of the table is there for nothing."""
    others = {"state_unreadable", "blind_all_down", "automatic_off"}
    monitors = {"no_leader", "blind", "config_differs", "cannot_lead", "sees_nobody", "no_standby"}
    assert set(TODO) == {*CASES, *others, *monitors, "canary_failed"}


def test_a_row_that_cannot_be_read_hides_all_else() -> None:
    """Nothing is known of such a group but that."""
    assert only(GroupState("g"), unreadable="row g: not JSON")[0] == "state_unreadable"


def test_a_blind_monitor_and_dead_nvas_are_told_together() -> None:
    """All down by a monitor that sees is one thing, by a blind one another: nobody knows."""
    dead = steady(nvas={"a": down(), "b": down()}, all_down=True)
    assert only(dead, leader=BLIND)[0] == "blind_all_down"
    assert only(dead, leader=replace(BLIND, round_at=later(-60)))[0] == "all_down"


def test_what_people_have_switched_off_is_told() -> None:
    """By configuration."""
    assert only(steady(), group=group_of(automatic=False))[0] == "automatic_off"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"last_switch_at": later(0)}, "until 12:01:00 UTC"),
        ({"retry_at": later(60)}, "not tried again before 12:01:00 UTC"),
        ({"switches": tuple(later(minute * 60) for minute in range(-6, 0))}, "12:54:00 UTC"),
        ({"paused": True, "pause": Pause("alice", later(-100), "an upgrade")}, "alice"),
        ({"nvas": {"a": down(), "b": up(failures=1)}}, "no other NVA is up"),
        ({"nvas": {"a": down(confirmed=0)}}, "fail some more"),
        ({"hold": "held by a tag"}, "held by a tag"),
    ],
    ids=["hold_down", "back_off", "flap_limit", "paused", "nobody", "unconfirmed", "held"],
)
def test_a_dead_active_nva_is_told_with_what_keeps_the_group_there_and_until_when(
    changes: dict[str, Any], why: str
) -> None:
    """Nobody has to guess whether, and when, it is switched."""
    assert why in told(steady(**{"nvas": {"a": down()}, **changes}))["active_down"]


def test_a_dead_active_nva_is_left_alone_by_a_blind_monitor() -> None:
    """And that is said."""
    assert "blind" in told(steady(nvas={"a": down()}), leader=BLIND)["active_down"]


@pytest.mark.parametrize(
    ("drift", "policy", "said"),
    [
        ({"seen": 1}, {}, "next look"),
        ({"seen": 2}, {"drift": "report"}, "policy.drift: report"),
        ({"seen": 2, "repair_at": later(60)}, {}, "12:01:00 UTC"),
        ({"seen": 2, "nvas": {"a": up(failures=1)}}, {}, "not up"),
        ({"seen": 2, "writes": (), "problems": ("p",)}, {}, "nothing that nvaha may write"),
    ],
    ids=["once", "reported", "held_back", "not_up", "no_write"],
)
def test_what_becomes_of_drift_is_told(drift: dict[str, Any], policy: dict[str, Any], said: str) -> None:
    """That it is put right, or why not."""
    assert said in told(steady(**{"writes": ("r is off",), **drift}), group_of(**policy))["drift_found"]


def test_what_no_write_can_bring_to_the_active_nva_is_told_once() -> None:
    """Of the NVA, not of drift as well; the same of two NVAs is told of both together."""
    both = {name: up(unready=("p",)) for name in "ab"}
    code, said = only(steady(nvas=both, problems=("p",), seen=2))
    assert (code, "a and b are" in said) == ("nva_not_ready", True)


def test_a_switch_that_failed_half_way_says_where_it_goes_on() -> None:
    """And why not now."""
    state = steady(phase=Phase.UNKNOWN, wanted="b", blocked="not before 12:00:30 UTC", switch=FAILED)
    code, said = only(state)
    assert (code, "12:00:30 UTC" in said, "--to b" in said) == ("switch_failed", True, True)


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, False),
        ({"switch": replace(FAILED, ended=Status.DONE)}, True),
        ({"ended_at": later(-90000)}, True),
        ({"active": "b"}, True),
        ({"active": "b", "writes": ("r is off",)}, False),
    ],
    ids=["failed", "done_since", "long_ago", "there_after_all", "half_there"],
)
def test_a_switch_that_failed_is_told_until_that_is_settled(changes: dict[str, Any], settled: bool) -> None:
    """However calm the group looks otherwise."""
    state = steady(**{"switch": FAILED, "ended_at": later(-60), **changes})
    assert ("switch_failed" not in told(state)) is settled


def test_a_group_that_is_switching_to_nowhere_is_told() -> None:
    """No release writes that; it is not shown as plain good."""
    assert only(replace(switching(), switch=None))[0] == "active_unknown"


def instance(name: str = "two", **changes: Any) -> InstanceRecord:
    """Return a monitor that could lead."""
    known: dict[str, Any] = {"asked": 2, "answered": 2, "seen_at": later(15)}
    return replace(
        InstanceRecord(name, later(15), configuration="c", campaign_at=later(15), **known), **changes
    )


def of_monitors(leader: LeaderRecord | None, *rows: InstanceRecord) -> list[str]:
    """Return the codes of what is told of the monitors."""
    return [each.code for each in conditions.of_monitors(leader, rows, "c", NOW)]


@pytest.mark.parametrize(
    ("leader", "row", "codes"),
    [
        (LEADER, instance(), []),
        (None, instance(), ["no_leader"]),
        (replace(LEADER, round_at=later(-11)), instance(), ["no_leader"]),
        (BLIND, instance(), ["blind"]),
        (replace(LEADER, alone=True), instance(written_at=later(-60)), ["no_standby"]),
        (LEADER, instance(configuration="d"), ["config_differs"]),
        (LEADER, instance(campaign_at=None), ["cannot_lead"]),
        (LEADER, instance(abstains=True, answered=0), []),
        (LEADER, instance(answered=0), ["sees_nobody"]),
        (LEADER, instance(seen_at=later(-6)), ["sees_nobody"]),
        (LEADER, instance(written_at=later(-10), campaign_at=later(-10), seen_at=later(-12)), []),
        (LEADER, instance("one", configuration="", answered=0), []),
    ],
)
def test_what_is_not_good_of_the_monitors_is_told(
    leader: LeaderRecord | None, row: InstanceRecord, codes: list[str]
) -> None:
    """Who leads, whether it sees, and who could lead in its place; the leader's own row is none of these."""
    assert of_monitors(leader, row) == codes


def canary(changed_at: datetime, **changes: Any) -> list[str]:
    """Return the codes of what is told of a canary whose last run ended well then."""
    guards = Guards(last_switch_at=changed_at, ended_at=changed_at)
    state = replace(steady(), guards=guards, canary=CanaryRecord(since=changed_at), **changes)
    return [each.code for each in conditions.of_canary(CANARY, state, NOW)]


def test_what_is_not_good_of_the_canary_is_told() -> None:
    """A run that failed, none for too long, and a pause; a canary is never probed, and nobody misses that."""
    assert canary(later(-60)) == []
    assert canary(later(-60), blocked="no worker") == ["canary_failed"]
    assert canary(later(-86400 * 3)) == ["canary_failed"]
    assert canary(later(-60), paused=True) == ["paused"]
