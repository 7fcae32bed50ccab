"""The lab's ARM, its throttling included, in virtual time and without a socket."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from azure.core.rest import HttpRequest

from nvaha.azure.arm import network
from nvaha.azure.arm.client import Answer, ArmClient
from nvaha.azure.arm.network import ArmNetwork
from nvaha.config.settings import Settings
from nvaha.lab.arm import Switches
from nvaha.lab.arm.gate import Gate
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.requests import ArmRequests
from nvaha.lab.arm.throttle import AZURE_LIMITS
from nvaha.lab.arm.world import World
from nvaha.lab.stage.profiles import Profile
from nvaha.lab.stage.sample import Environment
from tests.fakes import FakeClock

from .scripted_arm import Credential

ENDPOINT = "https://arm.example"
_BESIDE = Mock(_reading_paused=False, is_closing=lambda: False)
"""What an aiohttp request has beside what it says; nobody looks at it here."""


def arm_in_time(
    sample: Environment, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> tuple[ArmNetwork, list[LogEntry]]:
    """Return the production's way to a lab's ARM that throttles as Azure does, and that ARM's log."""
    time = asyncio.get_running_loop().time
    switches = Switches(limits=AZURE_LIMITS)
    world = World(sample.resources, profile, switches, seed=0, clock=time, wall=time)
    monkeypatch.setattr(world.identity, "principal", lambda _: "monitor")
    requests = ArmRequests(world, Gate())
    requests.endpoint = ENDPOINT

    class Client(ArmClient):
        """Asks without a socket."""

        async def _send(
            self, request: HttpRequest, resource_id: str, timeout_s: float, largest: int = 0
        ) -> Answer:
            async with asyncio.timeout(timeout_s):
                response = await requests.handle(_as_received(request))
            assert isinstance(response.body, bytes)
            return Answer(response.status, response.headers, response.body)

    monkeypatch.setattr(network, "ArmClient", Client)
    settings = Settings.from_environ({"NVAHA_ARM_ENDPOINT": ENDPOINT}, storage_required=False)
    return ArmNetwork(settings, Credential(), FakeClock()), world.log


def _as_received(request: HttpRequest) -> web.Request:
    payload = StreamReader(_BESIDE, 2**20, loop=asyncio.get_running_loop())
    body = request.content
    payload.feed_data(body.encode() if isinstance(body, str) else body or b"")
    payload.feed_eof()
    url = urlsplit(request.url)
    return make_mocked_request(
        request.method,
        f"{url.path}?{url.query}",
        headers=dict(request.headers),
        payload=payload,
        transport=_BESIDE,
        protocol=_BESIDE,
        writer=_BESIDE,
    )
