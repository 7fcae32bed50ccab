"""An ARM on loopback that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from nvaha.azure.arm.errors import LONGEST_MESSAGE
from nvaha.azure.arm.network import ArmNetwork
from nvaha.config.settings import Settings
from nvaha.lab.stage.certificates import Certificates, make_certificates
from nvaha.model import Resource
from nvaha.ports import Network, NetworkError

TABLE = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/routeTables/table 1"
OPERATION = "/subscriptions/s/providers/Microsoft.Network/locations/west/operations/1?api-version=2025-03-01"
BODY: dict[str, Any] = {
    "id": TABLE,
    "name": "table 1",
    "etag": 'W/"1"',
    "tags": {"unknown": "kept"},
    "properties": {"provisioningState": "Succeeded", "routes": [], "somethingNew": {"deep": [1]}},
}
RESOURCE = Resource(TABLE, 'W/"1"', BODY)


class HandClock:
    """A clock that only waiting turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Return the time of day."""
        return datetime.fromtimestamp(self.now_s, UTC)

    def monotonic(self) -> float:
        """Return the seconds that were waited for."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Turn the clock."""
        self.waits.append(seconds)
        self.now_s += seconds


class Credential:
    """Gives a token, or fails with what it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token that lasts for an hour."""
        if self.failure is not None:
            raise self.failure
        return AccessToken("token-of-the-test", int(time.time()) + 3600)

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Arm:
    """What the scripted ARM answers next, and what it was asked; the last answer repeats."""

    answers: list[web.Response | Callable[[web.Request], Awaitable[web.Response]]] = field(
        default_factory=list
    )
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    peers: set[object] = field(default_factory=set)
    clock: HandClock = field(default_factory=HandClock)
    credential: Credential = field(default_factory=Credential)
    alive_at: list[float] = field(default_factory=list)
    endpoint: str = ""
    ca_file: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note a request and give the next answer."""
        self.asked.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            # A response object can be sent once.
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await answer(request)

    async def alive(self) -> None:
        """Note when the caller was asked whether it still wants to wait."""
        self.alive_at.append(self.clock.now_s)


def answer(status: int, content: object = None, **headers: str) -> web.Response:
    """Return an answer with a JSON body and headers whose names are spelt with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return web.Response(status=status, body=body, headers=named)


def status(value: str, **error: str) -> web.Response:
    """Return the poll's answer of an operation."""
    return answer(200, {"status": value, **({"error": error} if error else {})})


def version(etag: str, state: str = "Succeeded") -> web.Response:
    """Return the answer to a read that shows the table under an ETag."""
    return answer(200, BODY | {"etag": f'W/"{etag}"', "properties": {"provisioningState": state}})


Answers = list[web.Response | Callable[[web.Request], Awaitable[web.Response]]]


def arm_with(put: web.Response, *, operation: Answers, resource: Answers) -> Arm:
    """Return an ARM that answers the write, the polls and the reads each from a list; the last repeats."""
    arm = Arm()

    async def handle(request: web.Request) -> web.Response:
        if request.method == "PUT":
            link = put.headers.get("Azure-AsyncOperation", "")
            headers = {"Azure-AsyncOperation": link.replace("ARM", arm.endpoint)} if link else {}
            return web.Response(status=put.status, body=put.body, headers=headers)
        left = operation if "/operations/" in request.path else resource
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, web.Response):
            return web.Response(status=given.status, body=given.body, headers=given.headers)
        return await given(request)

    arm.answers = [handle]
    return arm


def polls(arm: Arm) -> int:
    """Return how often the operation was asked."""
    return sum("/operations/" in path for _, path, _, _ in arm.asked)


UPDATING = BODY | {"etag": 'W/"2"', "properties": {"provisioningState": "Updating"}}
ACCEPTED = answer(200, UPDATING, Azure_AsyncOperation=f"ARM{OPERATION}")


async def reset(request: web.Request) -> web.Response:
    """Cut the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serving(arm: Arm, certificates: Certificates) -> AsyncIterator[Network]:
    """Serve the script over TLS."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", arm.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context())
    await site.start()
    arm.endpoint = f"https://127.0.0.1:{runner.addresses[0][1]}"
    arm.ca_file = str(certificates.ca_file)
    settings = Settings.from_environ(
        {"NVAHA_ARM_ENDPOINT": arm.endpoint, "NVAHA_ARM_CA": arm.ca_file},
        storage_required=False,
    )
    try:
        async with ArmNetwork(settings, arm.credential, arm.clock) as network:
            yield network
    finally:
        await runner.cleanup()


Run = Callable[[Callable[[Network, Arm], Awaitable[None]], Arm], None]


def runner(folder: Path) -> Run:
    """Return what runs a test against a scripted ARM, with a server certificate made in a folder."""
    certificates = make_certificates(folder, datetime.fromtimestamp(time.time(), UTC))

    def run_test(test: Callable[[Network, Arm], Awaitable[None]], arm: Arm) -> None:
        async def whole() -> None:
            async with asyncio.timeout(20), serving(arm, certificates) as network:
                await test(network, arm)

        asyncio.run(whole())

    return run_test


async def fault_of(work: Awaitable[object]) -> NetworkError:
    """Return the NetworkError that this ends in."""
    with pytest.raises(NetworkError) as caught:
        await work
    assert len(caught.value.message) <= LONGEST_MESSAGE
    assert "token-of-the-test" not in str(caught.value)
    return caught.value
