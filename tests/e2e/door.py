"""A door before Azurite for one host: requests go through, or are answered as Azure does on a bad day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from nvaha.lab.stage.azurite import ACCOUNT, ACCOUNT_KEY, Azurite

_CODES = {403: "AuthorizationFailure", 503: "ServerBusy"}
_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `service` is blob, queue or table, `path` without the account, `at` in monotonic s."""

    at: float
    service: str
    method: str
    path: str
    status: int


class Door:
    """One host's way to Azurite; an async context manager.

    `answer` is told service and path of each request, and returns the status to answer with, or None to let
    it through.
    """

    def __init__(self, azurite: Azurite) -> None:
        self._azurite = azurite
        self._stack = AsyncExitStack()
        self._ports: dict[str, int] = {}
        self.asked: list[Asked] = []
        self.answer: Callable[[str, str], int | None] = lambda _service, _path: None

    @property
    def connection_string(self) -> str:
        """What makes a host go through here, in a storage setting."""
        ends = "".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};"
            for service, port in self._ports.items()
        )
        account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        return account + ends

    def seen(self, path: str, *, status: int, since: float = 0.0) -> int:
        """Return how many requests for a path were answered with a status since a time."""
        return sum(each.path == path and each.status == status and each.at >= since for each in self.asked)

    async def __aenter__(self) -> Self:
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Content-Type"])
        )
        for service in ("blob", "queue", "table"):
            port = getattr(self._azurite, f"{service}_port")
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", self._handler(session, service, port))
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            self._stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._ports[service] = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _handler(
        self, session: aiohttp.ClientSession, service: str, port: int
    ) -> Callable[[web.Request], asyncio.Future[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            path = request.path.removeprefix(f"/{ACCOUNT}")
            status = self.answer(service, path)
            response = await _through(session, request, port) if status is None else _refusal(status)
            self.asked.append(Asked(time.monotonic(), service, request.method, path, response.status))
            return response

        return handle  # type: ignore[return-value]


async def _through(session: aiohttp.ClientSession, request: web.Request, port: int) -> web.Response:
    # What is signed is the path as it was sent, so that nothing of it may be written in another way.
    url = URL(f"http://127.0.0.1:{port}{request.raw_path}", encoded=True)
    body = await request.read()
    async with session.request(request.method, url, headers=request.headers, data=body or None) as answer:
        kept = CIMultiDict((key, value) for key, value in answer.headers.items() if key.lower() not in _HOP)
        return web.Response(status=answer.status, headers=kept, body=await answer.read())


def _refusal(status: int) -> web.Response:
    code = _CODES[status]
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    )
    return web.Response(
        status=status, text=text, content_type="application/xml", headers={"x-ms-error-code": code}
    )
