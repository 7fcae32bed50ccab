"""The HTTP interface as operators rely on it: what it answers, what it refuses, and that refusals say why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from nvaha import __version__
from nvaha.app.holder import AppHolder
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import environment
from nvaha.web.api import Api
from tests.tracing import Traces, traces

from .in_process import Running, running

__all__ = ["traces"]

SAMPLE = environment()
FIRST, SECOND = (nva.name for nva in SAMPLE.nvas)


def _play(
    story: Callable[[Running], Awaitable[None]], azurite: Azurite, folder: Path, **options: Any
) -> None:
    async def play() -> None:
        async with running(azurite, folder, SAMPLE, **options) as app:
            await app.all_up()
            await story(app)

    asyncio.run(play())


def test_a_commanded_failover(azurite: Azurite, tmp_path: Path, traces: Traces) -> None:
    """A failover is planned, accepted with its operation, followed to its end, and found in the history.

    It is one trace, down to what Azure was asked, and counted.
    """

    async def story(app: Running) -> None:
        status, plan = await app.call("plan", params={"to": SECOND})
        assert status == 200
        assert plan["allowed"]
        assert {step["kind"] for step in plan["steps"]} == {"routes", "detach", "attach"}
        assert not [entry for entry in app.arm.log if entry.method == "PUT"]
        body = {"to": SECOND, "reason": "drill", "request_id": "drill-1"}
        status, operation = await app.call("failover", body)
        assert status == 202
        assert operation["trigger"] == "manual"
        status, again = await app.call("failover", body)
        assert (status, again["id"]) == (202, operation["id"])
        await app.active(SECOND)
        status, again = await app.call("failover", body)
        assert (status, again["id"]) == (202, operation["id"])
        _, history = await app.call("history")
        assert [each["id"] for each in history["operations"]] == [operation["id"]]
        status, ended = await app.call("operation", id=operation["id"])
        assert (status, ended["status"], ended["reason"]) == (200, "done", "drill")
        assert all(step["status"] == "done" for step in ended["steps"])
        assert len({each.context.trace_id for each in traces.named("nvaha.switch") if each.context}) == 1
        assert {"decide > switch > report", "decide > switch > write > arm"} <= traces.chains()
        metrics = await app.metrics()
        assert f'nvaha_nva_active{{group="{app.name}",nva="{SECOND}"}} 1.0' in metrics
        assert 'nvaha_leader_info{instance="test",shard="0"} 1.0' in metrics
        assert 'nvaha_switches_total{result="done",trigger="manual"}' in metrics
        assert 'nvaha_arm_requests_total{method="PUT",status="20' in metrics
        assert 'nvaha_probe_duration_seconds_bucket{le="0.25",result="ok"}' in metrics

    _play(story, azurite, tmp_path)


def test_what_is_refused(azurite: Azurite, tmp_path: Path) -> None:
    """Commands that make no sense now are refused with a code and a reason, and change nothing."""

    async def story(app: Running) -> None:
        async def refused(function: str, body: object, **route: str) -> tuple[int, str]:
            status, answer = await app.call(function, body, None, **route)
            assert answer["error"]["message"]
            return status, answer["error"]["code"]

        assert await refused("failover", {"to": FIRST}) == (412, "already_active")
        assert await refused("failover", {"to": "nobody"}) == (400, "unknown_nva")
        assert await refused("failover", {"to": SECOND}, group="nowhere") == (404, "unknown_group")
        assert await refused("operation", None, id="none-1-1") == (404, "unknown_operation")
        await app.nvas[SECOND].stop()
        await app.until(lambda group: group["nvas"][1]["health"] == "down")
        assert await refused("failover", {"to": SECOND}) == (412, "not_up")
        status, plan = await app.call("plan", params={"to": SECOND})
        assert (status, plan["allowed"]) == (200, False)
        assert "not up" in plan["forbids"]
        assert not [entry for entry in app.arm.log if entry.method == "PUT"]
        status, operation = await app.call("failover", {"to": SECOND, "force": True})
        assert (status, operation["forced"]) == (202, True)
        assert await refused("failover", {"to": FIRST}) == (409, "switching")
        await app.active(SECOND)

    _play(story, azurite, tmp_path, policy={"hold_down": "60s"})


def test_bodies_that_cannot_be_used(azurite: Azurite, tmp_path: Path) -> None:
    """Every malformed body is a 400 that says what is wrong with it."""

    async def story(app: Running) -> None:
        for body in (
            b"", b"{", b"[]", b"null", b'{"to": 1}', b'{"to": ""}', b'{"to": "x", "forse": true}',
            b'{"to": "x", "force": "yes"}', b"\xff\xfe", b'{"to": "' + b"x" * 20_000 + b'"}',
            b'{"to": "x", "reason": "' + b"y" * 501 + b'"}', b"[" * 5000,
        ):  # fmt: skip
            status, answer = await app.call("failover", body)
            assert (status, answer["error"]["code"]) == (400, "bad_request"), body[:40]
        for limit in ("0", "-1", "x", "101", "9" * 50, "²"):
            status, _ = await app.call("history", params={"limit": limit})
            assert status == 400
        assert (await app.group())["phase"] == "steady"

    _play(story, azurite, tmp_path)


def test_health_and_groups(azurite: Azurite, tmp_path: Path) -> None:
    """Health is 200 while a leader's round is fresh, and the groups name the leader."""

    async def story(app: Running) -> None:
        assert (await app.call("health"))[0] == 200
        status, answer = await app.call("groups")
        assert status == 200
        assert answer["leader"]["instance"] == "test"
        assert answer["leader"]["fresh"]
        assert [group["name"] for group in answer["groups"]] == [app.name]

    _play(story, azurite, tmp_path)


def test_this_app_alone_is_healthy_once_its_monitor_has_said_so(azurite: Azurite, tmp_path: Path) -> None:
    """Its row is in the table some seconds after the start; of another release it is not that."""

    async def story(app: Running) -> None:
        for _ in range(200):
            status, _ = await app.call("health", params={"self": ""})
            if status == 200:
                break
            await asyncio.sleep(0.1)
        assert status == 200
        assert (await app.call("health", params={"self": __version__}))[0] == 200
        assert (await app.call("health", params={"self": "0.0.1"}))[0] == 503
        _, answer = await app.call("groups")
        rows = {each["name"]: each for each in answer["instances"]}
        assert rows["test"]["leads"]
        assert rows["test"]["could_lead"]
        assert rows["test"]["queue_at"] is not None

    _play(story, azurite, tmp_path)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "settings"),
        (
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "NVAHA_CONFIG": "missing.yaml"},
            "configuration",
        ),
        (
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "NVAHA_CONFIG": '{"groups": []}'},
            "configuration",
        ),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, str], code: str, tmp_path: Path) -> None:
    """Broken settings are reported by every call with what to mend, and health is 503."""

    async def ask() -> None:
        api = Api(AppHolder(tmp_path, settings))
        request = func.HttpRequest(method="GET", url="http://127.0.0.1/api/groups", body=b"")
        answer = await api.groups(request)
        assert answer.status_code == 503
        assert f'"code": "{code}"' in answer.get_body().decode()
        assert (await api.health(request)).status_code == 503

    asyncio.run(ask())
