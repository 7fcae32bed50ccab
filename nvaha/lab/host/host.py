"""A local Functions host: timers, queues and HTTP routes for the functions that an app itself indexes.

It stands in for the real host on these three points only (azure-facts A1, A2, E), so that the app runs with
nothing but Python. No admin API, no other bindings, no scaling. Like the real one it ends when a listener
meets what it does not handle; whoever runs it starts it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from aiohttp import web
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.functions import IndexedFunction, Invoker, index
from nvaha.lab.host.http import application
from nvaha.lab.host.lifetime import SHUT_DOWN, STOP_S, Lifetime, Listener, listen
from nvaha.lab.host.queue import QueueListener
from nvaha.lab.host.settings import (
    HostError,
    HostSettings,
    read_app_settings,
    read_host_settings,
)
from nvaha.lab.host.storage import connect
from nvaha.lab.host.timer import ListenerLock, TimerListener

HOST_STORAGE = "AzureWebJobsStorage"
_LONGEST_HOST_ID = 32
_log = logging.getLogger("Host")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """How the local host is started.

    Args:
        folder: where host.json and function_app.py are.
        port: for HTTP; 0 for a free one.
        key: the function key that requests must carry; None asks for none.
        local_settings: whether local.settings.json is read.
        singleton: whether timers ask for the lock that they share with other hosts of the same host id.
        json_ready: print one JSON line once it listens, and nothing else on standard output.
        verbose: log each invocation.
    """

    folder: Path
    port: int = 7071
    key: str | None = None
    local_settings: bool = True
    singleton: bool = True
    json_ready: bool = False
    verbose: bool = False


def run(options: HostOptions) -> NoReturn:
    """Run until SIGTERM, SIGINT or an error that no listener handles, then end the process.

    Invocations that do not end within `STOP_S` are lost with the process, as on the platform: no Python
    worker is told that it is going to be stopped (azure-facts A4).
    """
    _log_to_standard_error(verbose=options.verbose)
    loop = asyncio.new_event_loop()
    try:
        code = loop.run_until_complete(_serve(options))
    except (HostError, OSError) as error:
        print(f"nvaha lab host: {error}", file=sys.stderr)
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(options: HostOptions) -> int:
    folder = options.folder.resolve()
    settings = read_host_settings(folder)
    app_settings = read_app_settings(folder) if options.local_settings else dict(os.environ)
    # Before the app is imported: it reads its settings from the environment, as under any host.
    os.environ.update(app_settings)
    functions = index(folder, app_settings)
    life = Lifetime()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, life.stop)
    async with AsyncExitStack() as stack:
        host = _Host(settings, app_settings, functions, Invoker(folder, settings.function_timeout), stack)
        listeners = host.listeners(options, folder)
        runner = web.AppRunner(
            application(
                [each for each in functions if each.kind == "httpTrigger"],
                host.invoker,
                prefix=settings.extensions.http.route_prefix,
                key=options.key,
            ),
            access_log=None,
            shutdown_timeout=STOP_S,
            handle_signals=False,
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.port).start()
        _announce(options, runner, functions)
        await asyncio.gather(listen(listeners, life), _serve_until_stopped(runner, life))
        return SHUT_DOWN if life.error is not None else 0


async def _serve_until_stopped(runner: web.AppRunner, life: Lifetime) -> None:
    await life.stopped()
    await runner.cleanup()


class _Host:
    """What the listeners share."""

    def __init__(
        self,
        settings: HostSettings,
        app_settings: dict[str, str],
        functions: tuple[IndexedFunction, ...],
        invoker: Invoker,
        stack: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._app_settings = app_settings
        self._functions = functions
        self._stack = stack
        self.invoker = invoker

    def listeners(self, options: HostOptions, folder: Path) -> list[Listener]:
        """Return one listener for each timer and each queue, but for functions that a setting disables."""
        listeners: list[Listener] = []
        for function in self._functions:
            if is_disabled(function.name, self._app_settings):
                _log.warning("Function %s is disabled", function.name)
            elif function.kind == "timerTrigger":
                listeners.append(self._timer(function, options, folder))
            elif function.kind == "queueTrigger":
                connection = function.binding.get("connection") or HOST_STORAGE
                queues = connect(QueueServiceClient, connection, self._app_settings)
                self._stack.push_async_callback(queues.close)
                listeners.append(QueueListener(function, self.invoker, queues, self._settings.queues).run)
        return listeners

    def _timer(self, function: IndexedFunction, options: HostOptions, folder: Path) -> Listener:
        timer = TimerListener(function, self.invoker)
        if not options.singleton:
            return timer.run
        blobs = connect(BlobServiceClient, HOST_STORAGE, self._app_settings)
        self._stack.push_async_callback(blobs.close)
        lock = ListenerLock(
            blobs, host_id(folder, self._app_settings), function.name, self._settings.singleton
        )

        async def run_alone(life: Lifetime) -> None:
            await lock.hold(life, timer.run)

        return run_alone


def is_disabled(function: str, settings: dict[str, str]) -> bool:
    """Tell whether `AzureWebJobs.<function>.Disabled` is true (Learn, "How to disable functions")."""
    return settings.get(f"AzureWebJobs.{function}.Disabled", "").casefold() in {"true", "1"}


def host_id(folder: Path, settings: dict[str, str]) -> str:
    """Return what the hosts of one app have in common: a setting, else made from the app's folder."""
    named = settings.get("AzureFunctionsWebHost__hostid", "")
    if named:
        return named.lower()[:_LONGEST_HOST_ID]
    return "local-" + hashlib.sha256(str(folder).encode()).hexdigest()[:20]


def _announce(options: HostOptions, runner: web.AppRunner, functions: tuple[IndexedFunction, ...]) -> None:
    address: Any = runner.addresses[0]
    url = f"http://127.0.0.1:{address[1]}"
    if options.json_ready:
        print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)
        return
    print("Functions:")
    for function in functions:
        what = function.kind.removesuffix("Trigger")
        if function.kind == "httpTrigger":
            what = f"{','.join(function.binding.get('methods') or ['*'])} {function.binding.get('route')}"
        print(f"  {function.name}: {what}")
    print(f"listening on {url}", flush=True)


def _log_to_standard_error(*, verbose: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("[%(asctime)s.%(msecs)03dZ] %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("Host").setLevel(logging.DEBUG if verbose else logging.INFO)
    # The SDKs log every request at INFO.
    logging.getLogger("azure").setLevel(logging.WARNING)
