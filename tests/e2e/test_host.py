"""The local host's three points, timers, queues and routes, with a small app of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient

from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.process import HostProcess

pytestmark = pytest.mark.slow

KEY = "a-key-of-the-tests"
HOST_JSON = {
    "version": "2.0",
    "singleton": {
        "listenerLockPeriod": "00:00:15",
        "listenerLockRecoveryPollingInterval": "00:00:15",
    },
    "extensions": {
        "queues": {
            "maxPollingInterval": "00:00:00.200",
            "visibilityTimeout": "00:00:01",
            "maxDequeueCount": 3,
        }
    },
}
APP = """
import asyncio, json, os, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
ran = 0

def record(**what):
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps({"pid": os.getpid(), **what}) + "\\n")

@app.timer_trigger(arg_name="timer", schedule="*/1 * * * * *", use_monitor=False)
async def tick(timer: func.TimerRequest) -> None:
    global ran
    ran += 1
    started = time.time()
    await asyncio.sleep(2.4 if ran == 1 else 0.1)
    record(what="tick", started=started, ended=time.time())

@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="Store")
async def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    record(what="work", text=text, count=message.dequeue_count, at=time.time())
    if text == "fail":
        raise RuntimeError("as told")
    if text == "slow":
        await asyncio.sleep(1)
        record(what="ended", text=text)

@app.queue_trigger(arg_name="message", queue_name="%QUEUE%-poison", connection="Store")
def poison(message: func.QueueMessage) -> None:
    record(what="poison", text=message.get_body().decode(), count=message.dequeue_count)

@app.route("open", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def open_to_all(req: func.HttpRequest) -> None:
    return None

@app.route("things/{id}/parts/{part}", methods=["GET", "POST"])
async def thing(req: func.HttpRequest) -> func.HttpResponse:
    told = {"route": dict(req.route_params), "query": req.params.get("q"), "body": req.get_body().decode()}
    return func.HttpResponse(
        json.dumps(told), status_code=202, mimetype="application/json", headers={"Location": "/there"}
    )

@app.route("things/special/parts/{part}", methods=["GET"])
def special(req: func.HttpRequest) -> str:
    return "special"

@app.route("boom", auth_level=func.AuthLevel.ANONYMOUS)
async def boom(req: func.HttpRequest) -> str:
    raise RuntimeError("as told")
"""


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    """Run one Azurite for these tests."""
    server = Azurite()
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@dataclass
class Stage:
    """The app's folder and what its functions recorded; each test has its own queue and host id."""

    folder: Path
    storage: str
    name: str

    @property
    def record(self) -> Path:
        """The file to which the functions write what they did."""
        return self.folder / "record.jsonl"

    def host(self, name: str) -> HostProcess:
        """Return a host that is not started yet."""
        settings = {
            "AzureWebJobsStorage": self.storage,
            "Store": self.storage,
            "AzureFunctionsWebHost__hostid": self.name,
            "RECORD": str(self.record),
            "QUEUE": self.name,
        }
        return HostProcess(name, self.folder, settings, self.folder, arguments=["--key", KEY])

    def recorded(self, what: str) -> list[dict[str, Any]]:
        """Return what was recorded of one kind."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [each for line in lines if (each := json.loads(line))["what"] == what]

    async def until(self, check: Callable[[], bool], within_s: float) -> None:
        """Wait for something to be recorded."""
        end = time.monotonic() + within_s
        while not check():
            recorded = self.record.read_text() if self.record.exists() else ""
            assert time.monotonic() < end, f"not within {within_s} s; recorded: {recorded}"
            await asyncio.sleep(0.05)

    async def send(self, *texts: str) -> None:
        """Put messages on the app's queue."""
        async with self._queue() as queue:
            await queue.create_queue()
            for text in texts:
                await queue.send_message(text)

    async def waiting(self) -> int:
        """Return how many messages the queue holds, seen or not."""
        async with self._queue() as queue:
            return int((await queue.get_queue_properties()).approximate_message_count or 0)

    def _queue(self) -> QueueClient:
        return QueueClient.from_connection_string(
            self.storage, self.name, message_encode_policy=TextBase64EncodePolicy()
        )


@pytest.fixture
def stage(tmp_path: Path, azurite: Azurite, request: pytest.FixtureRequest) -> Stage:
    """Return an app in a folder of its own."""
    (tmp_path / "function_app.py").write_text(APP)
    (tmp_path / "host.json").write_text(json.dumps(HOST_JSON))
    name = request.node.name.replace("_", "-").removeprefix("test-")[:30].strip("-")
    return Stage(tmp_path, azurite.connection_string, name)


def test_timer_runs_never_overlap_and_missed_ticks_collapse(stage: Stage) -> None:
    """After a run longer than its interval the next one starts at once, and then the schedule holds again."""

    async def scenario() -> None:
        async with stage.host("host"):
            await stage.until(lambda: len(stage.recorded("tick")) >= 4, 15)

    asyncio.run(scenario())
    runs = stage.recorded("tick")
    assert all(one["ended"] <= other["started"] for one, other in pairwise(runs))
    assert runs[0]["started"] % 1 < 0.5
    assert runs[1]["started"] - runs[0]["ended"] < 0.4
    # Two ticks were missed, one run made up for them: the third run is the tick after it.
    assert runs[2]["started"] % 1 < 0.5
    assert 0.5 < runs[3]["started"] - runs[2]["started"] < 1.5


def test_a_failing_message_is_tried_again_and_then_set_aside(stage: Stage) -> None:
    """It comes back after visibilityTimeout, each time counted, and ends in the poison queue."""

    async def scenario() -> None:
        async with stage.host("host"):
            await stage.send("fail", "good")
            await stage.until(lambda: bool(stage.recorded("poison")), 20)
            assert await stage.waiting() == 0

    asyncio.run(scenario())
    failed = [each for each in stage.recorded("work") if each["text"] == "fail"]
    assert [each["count"] for each in failed] == [1, 2, 3]
    gaps = [other["at"] - one["at"] for one, other in pairwise(failed)]
    assert all(0.9 <= gap <= 4 for gap in gaps), gaps
    assert [(each["text"], each["count"]) for each in stage.recorded("poison")] == [("fail", 1)]
    assert [each["count"] for each in stage.recorded("work") if each["text"] == "good"] == [1]


def test_messages_are_worked_off_at_the_same_time_and_once(stage: Stage) -> None:
    """Slow messages run beside each other and are gone afterwards; a host asked to stop lets them end."""

    async def scenario() -> int:
        await stage.send(*["slow"] * 6)
        async with stage.host("host") as host:
            await stage.until(lambda: len(stage.recorded("work")) == 6, 10)
            await host.stop()
        return await stage.waiting()

    assert asyncio.run(scenario()) == 0
    started = [each["at"] for each in stage.recorded("work")]
    assert max(started) - min(started) < 0.9
    assert len(stage.recorded("ended")) == 6


def test_routes_methods_and_keys(stage: Stage) -> None:
    """Routes carry the prefix and their parameters; keys are asked for where the app says so."""

    async def scenario() -> None:
        async with stage.host("host") as host, aiohttp.ClientSession(host.url) as session:

            async def call(
                method: str, path: str, *, key: str = "", data: bytes | None = None
            ) -> tuple[int, str]:
                headers = {"x-functions-key": key} if key else {}
                async with session.request(method, path, headers=headers, data=data) as response:
                    return response.status, await response.text()

            assert await call("GET", "/api/open") == (204, "")
            assert (await call("GET", "/open"))[0] == 404
            assert (await call("GET", "/api/unknown"))[0] == 404
            assert (await call("POST", "/api/open"))[0] == 404
            assert (await call("GET", "/api/things/a/parts/b"))[0] == 401
            assert (await call("GET", "/api/things/a/parts/b", key="wrong"))[0] == 401
            assert (await call("GET", f"/api/things/a/parts/b?code={KEY}"))[0] == 202
            status, text = await call("POST", "/api/things/a%2Fb/parts/c?q=x", key=KEY, data=b"sent")
            told = {"route": {"id": "a/b", "part": "c"}, "query": "x", "body": "sent"}
            assert (status, json.loads(text)) == (202, told)
            assert await call("GET", "/api/things/special/parts/c", key=KEY) == (200, "special")
            assert await call("GET", "/api/boom") == (500, "")
            async with session.get("/api/things/a/parts/b", headers={"x-functions-key": KEY}) as response:
                assert response.headers["Location"] == "/there"
                assert response.content_type == "application/json"
        assert "RuntimeError: as told" in host.log.read_text()

    asyncio.run(scenario())


def test_of_two_hosts_of_one_app_one_runs_the_timer(stage: Stage) -> None:
    """The second host waits for the timer's lock, and takes over once the first has given it back."""

    async def scenario() -> None:
        async with stage.host("first") as first:
            await stage.until(lambda: bool(stage.recorded("tick")), 10)
            async with stage.host("second") as second:
                count = len(stage.recorded("tick"))
                await stage.until(lambda: len(stage.recorded("tick")) >= count + 2, 10)
                assert {each["pid"] for each in stage.recorded("tick")} == {first.pid}
                await first.stop()
                await stage.until(lambda: stage.recorded("tick")[-1]["pid"] == second.pid, 25)

    asyncio.run(scenario())
