"""What operators are shown: every field, from values that differ from each other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.plan import Plan, Step
from nvaha.model import (
    STALE_AFTER_S,
    GroupState,
    Health,
    LeaderRecord,
    NvaState,
    Operation,
    Pause,
    Phase,
    Scheduled,
    Status,
    StepRecord,
    StepStatus,
    Trigger,
)
from nvaha.operate.views import group_view, leader_view, operation_view, plan_view
from nvaha.ports import correlation_id
from tests.builders import NOON, group_of, later, request_to, steady, switching

GROUP = group_of()
SPEC = replace(GROUP.nvas[0].probe, address=None, interface="internal", port=8443)


def test_a_group_is_shown_with_all_that_an_operator_asks_first() -> None:
    """Who is active, who is up and since when, what is blocked, what has drifted."""
    a = NvaState(
        Health.DOWN,
        failures=7,
        since=later(1.25),
        last_error="refused",
        addresses={"internal": {"ip": "10.0.1.4", "second": "10.0.1.9"}},
        primary={"internal": "ip"},
        unready=("its NIC is gone",),
    )
    b = NvaState(Health.UP, successes=2, since=later(-60), latency_ms=1.26)
    state = steady(
        nvas={"a": a, "b": b},
        generation=3,
        epoch=5,
        paused=True,
        pause=Pause("alice", later(-300), "an upgrade"),
        paused_until=later(7200),
        scheduled=Scheduled("b", later(3600), "alice", NOON, "why", "a", "r"),
        all_down=True,
        wanted="b",
        blocked="the group is paused",
        writes=("a write",),
        problems=("a problem",),
        unread="503",
        rival="somebody else moves it",
        hold="held by a tag",
        probed_at=later(10),
        last_switch_at=later(-100),
    )
    leader = LeaderRecord("one", 5, later(15))
    view: dict[str, Any] = {**group_view(group_of(spec=SPEC, automatic=False), state, leader, later(20))}
    codes = [each["code"] for each in view.pop("advice")]
    assert codes[0] == "active_down"
    assert {"switch_failed", "rival", "drift_found", "discovery_failed", "held", "paused"} <= set(codes)
    assert view == {
        "name": "g",
        "phase": "steady",
        "active": "a",
        "target": None,
        "wanted": "b",
        "generation": 3,
        "epoch": 5,
        "paused": True,
        "pause": {"by": "alice", "since": "2026-03-01T11:55:00.000Z", "reason": "an upgrade"},
        "paused_until": "2026-03-01T14:00:00.000Z",
        "scheduled": {
            "from": "a",
            "to": "b",
            "at": "2026-03-01T13:00:00.000Z",
            "reason": "why",
            "requested_by": "alice",
            "requested_at": "2026-03-01T12:00:00.000Z",
            "request_id": "r",
        },
        "automatic": False,
        "all_down": True,
        "blocked": "the group is paused",
        "drift": ["a write", "a problem", "Azure could not be read: 503"],
        "rival": "somebody else moves it",
        "hold": "held by a tag",
        "probed_at": "2026-03-01T12:00:10.000Z",
        "last_switch_at": "2026-03-01T11:58:20.000Z",
        "nvas": [
            {
                "name": "a",
                "health": "down",
                "since": "2026-03-01T12:00:01.250Z",
                "failures": 7,
                "latency_ms": None,
                "last_error": "refused",
                "not_ready": ["its NIC is gone"],
                "unsteady": False,
                "address": "10.0.1.4",
                "port": 8443,
            },
            {
                "name": "b",
                "health": "up",
                "since": "2026-03-01T11:59:00.000Z",
                "failures": 0,
                "latency_ms": 1.3,
                "last_error": None,
                "not_ready": [],
                "unsteady": False,
                "address": None,
                "port": 8443,
            },
        ],
    }
    json.dumps(view)


def test_a_group_being_switched_is_shown_with_its_target() -> None:
    """At rest the last switch's target is none of its business."""
    assert group_view(GROUP, switching(), None, NOON)["target"] == "b"
    assert group_view(GROUP, replace(switching(), phase=Phase.STEADY), None, NOON)["target"] is None


def test_a_group_is_shown_as_configured_now() -> None:
    """An NVA that is new is unknown, one that is gone is not shown, nor is it active any more."""
    view = group_view(group_of("b", "c"), steady("a"), None, NOON)
    assert [(each["name"], each["health"]) for each in view["nvas"]] == [("b", "up"), ("c", "unknown")]
    assert (view["phase"], view["active"]) == ("unknown", None)


def test_a_fixed_probe_address_is_shown_as_it_is() -> None:
    """Whatever Azure says of the interfaces."""
    assert group_view(GROUP, GroupState("g"), None, NOON)["nvas"][0]["address"] == "127.0.0.1"


@pytest.mark.parametrize(("age_s", "fresh"), [(0.0, True), (STALE_AFTER_S, True), (STALE_AFTER_S + 1, False)])
def test_a_leader_is_shown_with_whether_its_last_round_is_recent(age_s: float, fresh: bool) -> None:
    """A record that is old says nothing about now."""
    assert leader_view(LeaderRecord("one", 4, later(0), blind=True, unattended=2), later(age_s)) == {
        "instance": "one",
        "epoch": 4,
        "round_at": "2026-03-01T12:00:00.000Z",
        "fresh": fresh,
        "blind": True,
        "unattended": 2,
        "standby_at": None,
        "alone": False,
    }


def test_no_leader_is_shown_as_none() -> None:
    """Nobody has ever led."""
    assert leader_view(None, later(0)) is None


def test_an_operation_is_shown_with_who_why_how_long_and_every_step() -> None:
    """Its seconds count from the request to the end."""
    request = replace(
        request_to("b", Trigger.MANUAL),
        generation=3,
        epoch=5,
        forced=True,
        request_id="r",
        requested_by="somebody",
    )
    step = StepRecord(
        "routes:/t", "routes", "/t", "moves r", StepStatus.FAILED, later(2), later(3), attempts=4, error="409"
    )
    operation = Operation(
        request,
        Status.FAILED,
        worker="w",
        attempts=2,
        started_at=later(1),
        ended_at=later(4.5),
        steps=(step,),
        error="left undone",
        unfinished=("r stays",),
    )
    view = operation_view(operation)
    assert view == {
        "id": "g-1-0",
        "correlation_id": correlation_id("g-1-0"),
        "group": "g",
        "status": "failed",
        "trigger": "manual",
        "from": "a",
        "to": "b",
        "reason": "why",
        "requested_by": "somebody",
        "request_id": "r",
        "forced": True,
        "generation": 3,
        "epoch": 5,
        "requested_at": "2026-03-01T12:00:00.000Z",
        "started_at": "2026-03-01T12:00:01.000Z",
        "ended_at": "2026-03-01T12:00:04.500Z",
        "seconds": 4.5,
        "attempts": 2,
        "worker": "w",
        "error": "left undone",
        "unfinished": ["r stays"],
        "steps": [
            {
                "kind": "routes",
                "resource_id": "/t",
                "detail": "moves r",
                "status": "failed",
                "attempts": 4,
                "started_at": "2026-03-01T12:00:02.000Z",
                "ended_at": "2026-03-01T12:00:03.000Z",
                "error": "409",
            }
        ],
    }
    json.dumps(view)


def test_an_operation_that_has_not_ended_has_no_seconds() -> None:
    """Nor times that are not there yet."""
    view = operation_view(Operation(request_to("b")))
    assert (view["seconds"], view["started_at"], view["ended_at"]) == (None, None, None)


def test_a_plan_is_shown_with_its_steps_and_what_forbids_it() -> None:
    """Allowed is exactly what nothing forbids."""
    todo = Plan("b", (Step("routes:/t", "routes", "/t", "moves r", {"r": "10.0.0.5"}),), ("a problem",))
    shown = {
        "group": "g",
        "to": "b",
        "steps": [{"kind": "routes", "resource_id": "/t", "detail": "moves r", "changes": 1}],
        "problems": ["a problem"],
        "read_at": "2026-03-01T12:00:01.500Z",
    }
    free = {**shown, "allowed": True, "forbids": None, "hold": None}
    assert plan_view(GROUP, todo, None, later(1.5)) == free
    forbidden = {**free, "allowed": False, "forbids": "not up", "hold": "held by a tag"}
    assert plan_view(GROUP, todo, "not up", later(1.5), "held by a tag") == forbidden


def test_a_public_ip_that_moves_is_counted_where_it_arrives() -> None:
    """Whoever adds the changes up knows how many routes and public IPs are moved."""
    off = Step("detach:/n", "detach", "/n", "off", public_ips={"ip": None})
    swap = Step("detach:/o", "detach", "/o", "off and on", public_ips={"ip1": None, "ip2": "/p"})
    onto = Step("attach:/m", "attach", "/m", "on", public_ips={"ip": "/q"})
    view = plan_view(GROUP, Plan("b", (off, swap, onto)), None, later(1.5))
    assert [each["changes"] for each in view["steps"]] == [0, 1, 1]


def test_a_group_that_is_put_back_again_and_again_shows_its_rival() -> None:
    """Nobody's mark says so, but what happened does."""
    view = group_view(GROUP, steady(contested=True, owners=("b",)), None, NOON)
    assert "b" in str(view["rival"])
