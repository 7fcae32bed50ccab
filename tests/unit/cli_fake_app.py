"""An app on loopback that answers the `nvaha` command with what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typer.testing import CliRunner

from nvaha.cli import main
from nvaha.core.by_hand import ByHand, Move
from nvaha.core.plan import Plan, Step
from nvaha.model import (
    Group,
    GroupState,
    Health,
    InstanceRecord,
    LeaderRecord,
    Nva,
    NvaState,
    Operation,
    Phase,
    ProbeSpec,
    Status,
    StepRecord,
    StepStatus,
    SwitchRequest,
    Trigger,
)
from nvaha.operate.views import (
    break_glass_view,
    group_view,
    instances_view,
    leader_view,
    operation_view,
    plan_view,
)

Json = dict[str, Any]
KEY = "s3cr3t-function-key-0123456789"
NETWORK = "/subscriptions/7d5f3c1a-2b64-4e0f-9a38-51c6e0b7d942/resourceGroups/rg/providers/Microsoft.Network"
TABLE, NIC1, NIC2, PIP = (
    f"{NETWORK}/routeTables/ha-nva-udr",
    f"{NETWORK}/networkInterfaces/ha-nva-vm1-nic1",
    f"{NETWORK}/networkInterfaces/ha-nva-vm2-nic1",
    f"{NETWORK}/publicIPAddresses/ha-nva-pip",
)
GROUP = Group(
    "edge",
    tuple(
        Nva(name, {"internal": nic}, ProbeSpec(interface="internal"))
        for name, nic in (("nva1", NIC1), ("nva2", NIC2))
    ),
    route_tables=(TABLE,),
)
DROP = "drop"


def now() -> datetime:
    """Return the time, as the app's clock shows it."""
    return datetime.now(UTC).replace(microsecond=0)


def state(**changes: Any) -> GroupState:
    """Return a group at rest on nva1, both NVAs up."""
    ago = now() - timedelta(seconds=1)
    addresses = {
        "nva1": {"internal": {"ipconfig1": "10.0.0.100"}},
        "nva2": {"internal": {"ipconfig1": "10.0.0.101"}},
    }
    nvas = {
        name: NvaState(
            Health.UP,
            successes=9,
            since=ago,
            latency_ms=1.234,
            addresses=addresses[name],
            primary={"internal": "ipconfig1"},
        )
        for name in ("nva1", "nva2")
    }
    rest = {"phase": Phase.STEADY, "active": "nva1", "nvas": nvas, "epoch": 12, "probed_at": ago}
    return GroupState("edge", **{**rest, **changes})


def groups(
    *states: GroupState, leader: LeaderRecord | None = None, instances: Iterable[InstanceRecord] = ()
) -> Json:
    """Return what GET /groups answers."""
    record = leader or LeaderRecord("monitor-1", 12, now() - timedelta(seconds=2))
    return {
        "leader": leader_view(record, now()),
        **instances_view(instances, record, "c-p", now()),
        "groups": [group_view(GROUP, each, record, now()) for each in states or (state(),)],
    }


def group(operation: Json | None = None, **changes: Any) -> Json:
    """Return what GET /groups/edge answers."""
    led_by = LeaderRecord("monitor-1", 12, now() - timedelta(seconds=2))
    return {**group_view(GROUP, state(**changes), led_by, now()), "operation": operation}


def operation(status: Status = Status.REQUESTED, steps: int = 0, **changes: Any) -> Json:
    """Return an operation that moves edge to nva2, with so many of its two steps done."""
    asked = now() - timedelta(seconds=5)
    request = SwitchRequest(
        operation="edge-4-1763820191123",
        group="edge",
        generation=4,
        epoch=12,
        trigger=Trigger.MANUAL,
        target="nva2",
        reason="maintenance of nva1",
        requested_at=asked,
        requested_by="nvaha/0.1.0 (alice on jump)",
        source="nva1",
        request_id=changes.pop("request_id", None),
    )
    details = {
        TABLE: "route table ha-nva-udr: default (0.0.0.0/0) from 10.0.0.100 to 10.0.0.101",
        NIC1: "NIC ha-nva-vm1-nic1: public IP ha-nva-pip off ipconfig1",
    }
    records = tuple(
        StepRecord(
            key=resource,
            kind="routes" if resource == TABLE else "detach",
            resource_id=resource,
            detail=detail,
            status=StepStatus.DONE if number < steps else StepStatus.RUNNING,
            started_at=asked + timedelta(seconds=1),
            ended_at=asked + timedelta(seconds=3) if number < steps else None,
            attempts=1,
        )
        for number, (resource, detail) in enumerate(details.items())
    )
    ended = now() if status in {Status.DONE, Status.FAILED, Status.SUPERSEDED} else None
    record = Operation(
        request,
        status,
        started_at=asked,
        ended_at=ended,
        steps=records if status is not Status.REQUESTED else (),
        **changes,
    )
    return operation_view(record)


def plan(forbids: str | None = None) -> Json:
    """Return what GET /groups/edge/plan answers."""
    step = Step(
        "routes", "routes", TABLE, "route table ha-nva-udr: default (0.0.0.0/0) from 10.0.0.100 to 10.0.0.101"
    )
    return plan_view(GROUP, Plan("nva2", (step,)), forbids, now())


def break_glass(read_at: datetime, *problems: str, route: str = "default") -> Json:
    """Return what GET /groups/edge/break-glass answers."""
    sheets = [
        ByHand(
            to,
            (
                Move("route", TABLE, route, hop),
                Move("detach", other, "ipconfig1", PIP),
                Move("attach", nic, "ipconfig1", PIP),
            ),
            problems,
        )
        for to, hop, nic, other in (("nva1", "10.0.0.100", NIC1, NIC2), ("nva2", "10.0.0.101", NIC2, NIC1))
    ]
    return break_glass_view(GROUP, sheets, read_at)


def error(code: str, message: str, details: list[Json] | None = None) -> Json:
    """Return an error as the app writes it."""
    return {"error": {"code": code, "message": message, "details": details or []}}


@dataclass(slots=True)
class Reply:
    """One scripted answer; DROP as content closes the connection without one, an event once it is set."""

    content: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class FakeApp:
    """Answers each path from its own list of replies; the last one stays."""

    url: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    def says(self, call: str, *replies: Reply | Json) -> None:
        """Set what a call such as `GET /groups` is answered with, in turn."""
        self.replies[call] = [each if isinstance(each, Reply) else Reply(each) for each in replies]

    def posts(self) -> list[Any]:
        """Return the bodies of all POST requests."""
        return [each.body for each in self.seen if each.method == "POST"]

    def next(self, method: str, path: str) -> Reply:
        """Return the next answer of a path."""
        there = self.replies.get(f"{method} {path}") or self.replies.get("*") or [Reply(b"", 404)]
        return there.pop(0) if len(there) > 1 else there[0]


def _handler(fake: FakeApp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            path = self.path.partition("?")[0].removeprefix("/api")
            body = json.loads(raw) if raw else None
            fake.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            reply = fake.next(self.command, path)
            if isinstance(reply.content, threading.Event):
                fake.held.set()
                reply.content.wait(60.0)
            if reply.content is DROP or isinstance(reply.content, threading.Event):
                self.close_connection = True
                return
            content = (
                reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            )
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Stay silent."""

    return Handler


@contextmanager
def running(port: int = 0) -> Iterator[FakeApp]:
    """Serve a fake app on a free port."""
    fake = FakeApp()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(fake: FakeApp, *args: str, key: str | None = KEY, **environ: str) -> Any:
    """Run the command against the fake app; its key is in no output, whatever happens."""
    environment = {"NVAHA_URL": fake.url, "COLUMNS": "200", **environ}
    if key is not None:
        environment["NVAHA_KEY"] = key
    result = CliRunner().invoke(main.app, list(args), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    if key:
        assert key not in result.output
        assert all(key not in each.path for each in fake.seen)
    return result


def document(result: Any) -> Json:
    """Return the one JSON document on stdout."""
    parsed = json.loads(result.stdout)
    assert isinstance(parsed, dict)
    return parsed
