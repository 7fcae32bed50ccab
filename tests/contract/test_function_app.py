"""Microsoft's own code finds in function_app.py what the documentation promises."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

HTTP = {
    "health": ("health", "GET", "anonymous"),
    "openapi": ("openapi.json", "GET", "anonymous"),
    "ui": ("ui", "GET", "anonymous"),
    "ui_file": ("ui/{version}/{name}", "GET", "anonymous"),
    "groups": ("groups", "GET", "function"),
    "group": ("groups/{group}", "GET", "function"),
    "plan": ("groups/{group}/plan", "GET", "function"),
    "check": ("groups/{group}/check", "GET", "function"),
    "break_glass": ("groups/{group}/break-glass", "GET", "function"),
    "doctor": ("doctor", "GET", "function"),
    "failover": ("groups/{group}/failover", "POST", "function"),
    "cancel": ("groups/{group}/cancel", "POST", "function"),
    "pause": ("groups/{group}/pause", "POST", "function"),
    "resume": ("groups/{group}/resume", "POST", "function"),
    "history": ("groups/{group}/history", "GET", "function"),
    "history_of_all": ("history", "GET", "function"),
    "metrics": ("metrics", "GET", "function"),
    "operation": ("operations/{id}", "GET", "function"),
    "notify_test": ("notify/test", "POST", "function"),
    "export": ("state", "GET", "admin"),
    "adopt": ("state/{group}", "POST", "admin"),
}

LIST_WITH_THE_SDK = """
import json, sys
import function_app
found = function_app.app.get_functions()
print(json.dumps({f.get_function_name(): [json.loads(b) for b in f.get_raw_bindings()] for f in found}))
"""

WATCH_THE_IMPORT = """
import sys
import threading
touched = []
told = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.remove", "os.mkdir"}
def hook(event, args):
    if event in told:
        touched.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        touched.append(f"open {args[0]} {args[1]}")
sys.addaudithook(hook)
sys.dont_write_bytecode = True
threading.Thread.start = lambda thread: None
import function_app
heavy = ("azure.identity", "azure.storage.blob", "azure.data.tables", "aiohttp", "nvaha.web.openapi")
print(touched, [name for name in heavy if name in sys.modules])
"""


def _run(code: str, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": "", **settings}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


def _sdk_bindings(**settings: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(_run(LIST_WITH_THE_SDK, **settings))
    return found


def _trigger(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in bindings if each["type"].lower().endswith("trigger"))


def _check(bindings: dict[str, list[dict[str, Any]]], schedule: str, connection: str) -> None:
    assert set(bindings) == {*HTTP, "probe", "switch", "poison"}
    timer = _trigger(bindings["probe"])
    assert (timer["type"], timer["schedule"]) == ("timerTrigger", schedule)
    # A process that was started again watches at once; its listener fires only under the timer's lock.
    assert timer.get("runOnStartup") is True
    for name, queue in (("switch", "nvaha-switch"), ("poison", "nvaha-switch-poison")):
        trigger = _trigger(bindings[name])
        assert (trigger["type"], trigger["queueName"], trigger["connection"]) == (
            "queueTrigger", queue, connection,
        )  # fmt: skip
    for name, (route, method, level) in HTTP.items():
        trigger = _trigger(bindings[name])
        assert trigger["type"] == "httpTrigger"
        assert trigger["route"] == route
        assert [str(each).upper() for each in trigger["methods"]] == [method]
        assert trigger["authLevel"].lower() == level


def test_the_sdk_indexes_every_function() -> None:
    """The azure-functions SDK finds each trigger with its schedule, queue, route and auth level."""
    _check(_sdk_bindings(), "*/10 * * * * *", "AzureWebJobsStorage")


def test_settings_name_the_schedule_and_the_connection() -> None:
    """NVAHA_SCHEDULE and NVAHA_STORAGE reach the triggers."""
    bindings = _sdk_bindings(NVAHA_SCHEDULE="*/5 * * * * *", NVAHA_STORAGE="NVAHASTATE")
    _check(bindings, "*/5 * * * * *", "NVAHASTATE")


def test_importing_the_app_touches_nothing() -> None:
    """Importing function_app opens no socket, writes no file, and does not import Azure's slow libraries.

    What it leaves to a thread of its own is no part of that.
    """
    assert _run(WATCH_THE_IMPORT).strip() == "[] []"


def test_the_runtime_indexes_every_function() -> None:
    """Microsoft's Python worker runtime, where it exists, indexes the app to the same functions."""
    runtime = pytest.importorskip("azure_functions_runtime", reason="the runtime package needs Python 3.13")

    class Protos:
        """Plain stand-ins for the worker's protobuf classes: they keep what they are given."""

        class StatusResult(SimpleNamespace):
            Success, Failure = "success", "failure"

        class BindingInfo(SimpleNamespace):
            # Directions and data types by the numbers of Microsoft's FunctionRpc.proto.
            out, inout = 1, 2
            undefined, string, binary, stream = 0, 1, 2, 3

        def __getattr__(self, name: str) -> type[SimpleNamespace]:
            return type(name, (SimpleNamespace,), {})

    request = SimpleNamespace(
        request=SimpleNamespace(
            worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(ROOT))
        ),
        properties={"host": "127.0.0.1", "protos": Protos()},
    )

    async def index() -> Any:
        started = await runtime.worker_init_request(request)
        assert started.result.status == "success", vars(started.result)
        return await runtime.functions_metadata_request(request)

    answer = asyncio.run(index())
    found = {
        each.name: [json.loads(binding) for binding in each.raw_bindings]
        for each in answer.function_metadata_results
    }
    _check(found, "*/10 * * * * *", "AzureWebJobsStorage")
