"""The real function_app.py over HTTP, on whatever app a test gives it, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from unittest.mock import patch
from wsgiref.handlers import format_date_time

from aiohttp import web
from aiohttp.typedefs import Handler

from nvaha.app.holder import AppHolder
from nvaha.lab.host.functions import IndexedFunction, Invoker, index
from nvaha.lab.host.http import application
from nvaha.web.api import Api
from nvaha.web.page import Page

ROOT = Path(__file__).parents[2]
_Result = TypeVar("_Result")


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose time begins at 0, as the fakes expect, and goes on as any clock's."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def time(self) -> float:
        return time.monotonic() - self._began

    def pass_by(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._began -= seconds


class Site:
    """The app's HTTP functions on a free port of loopback.

    Args:
        key: the function key; None asks for none.
        signed_in: whether App Service authentication is said to stand before the app.

    `answers` is what the network in between does: False ends every connection; the answers to requests of the
    method `loses` are lost. `asked` are the requests that came, as "METHOD /path".
    """

    def __init__(self, *, key: str | None = None, signed_in: bool = False) -> None:
        self._key = key
        self._signed_in = signed_in
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._held = AsyncExitStack()
        self.answers = True
        self.loses = ""
        self.asked: list[str] = []
        self.now: Callable[[], datetime] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something in the site's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def pass_by(self, seconds: float) -> None:
        """Let the app's clock go forward."""
        self._loop.call_soon_threadsafe(self._loop.pass_by, seconds)

    async def holder(self, held: AsyncExitStack) -> object:
        """Return what holds the app; `held` is left when the site ends."""
        raise NotImplementedError

    async def _start(self) -> None:
        api = Api(cast("AppHolder", await self.holder(self._held)), signed_in=self._signed_in)
        server = application(_functions(api), Invoker(ROOT, None), prefix="api", key=self._key)
        server.middlewares.append(self._between)
        runner = web.AppRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        self._held.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"

    async def _stop(self) -> None:
        await self._held.aclose()
        others = asyncio.all_tasks() - {cast("asyncio.Task[None]", asyncio.current_task())}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # As asyncio.run ends a loop; and what was closed over TLS takes a moment until it is.
        await asyncio.sleep(0.25)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    @web.middleware
    async def _between(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        if not self.answers and request.transport is not None:
            request.transport.abort()
        response = await handler(request)
        if request.method == self.loses and request.transport is not None:
            request.transport.abort()
        if self.now is not None:
            response.headers["Date"] = format_date_time(self.now().timestamp())
        return response


def _functions(api: Api) -> tuple[IndexedFunction, ...]:
    """Return the HTTP functions of function_app.py, which answer from this API."""
    before = sys.modules.get("function_app")
    try:
        with patch.object(AppHolder, "warm_up"):
            found = index(ROOT, {"AzureWebJobsStorage": "none", "NVAHA_SCHEDULE": "* * * * * *"})
        module: Any = sys.modules["function_app"]
        module.api, module.page = api, Page(api.caller)
    finally:
        sys.modules.pop("function_app", None)
        if before is not None:
            sys.modules["function_app"] = before
    return tuple(each for each in found if each.kind == "httpTrigger")


async def forever(every_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again until the loop ends."""
    while True:
        await work()
        await asyncio.sleep(every_s)
