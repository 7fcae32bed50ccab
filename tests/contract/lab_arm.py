"""A running simulator and a client that checks every exchange against Microsoft's description."""

from __future__ import annotations

import asyncio
import copy
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from nvaha.lab.arm import ArmSimulator, Switches
from nvaha.lab.stage.profiles import PROFILES, Profile
from nvaha.lab.stage.sample import Environment, environment

from .openapi import DESCRIPTION, description

Json = dict[str, Any]
API_VERSION = "2025-03-01"
FAST = PROFILES["fast"]
PUBLIC_IP = environment().public_ips[0]
# Operations that last until a test is done with them.
BUSY = replace(FAST, route_table_operation_s=60.0, nic_operation_s=60.0, public_ip_operation_s=60.0)


@dataclass(slots=True)
class Hands:
    """A clock that a test turns by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@dataclass(frozen=True, slots=True)
class Answer:
    """What ARM answered."""

    status: int
    body: Json
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.body["error"]["code"])

    @property
    def detail(self) -> str:
        """The code of the error's first detail."""
        return str(self.body["error"]["details"][0]["code"])

    @property
    def etag(self) -> str:
        """The body's ETag."""
        return str(self.body["etag"])

    @property
    def state(self) -> str:
        """The body's provisioning state."""
        return str(self.body["properties"]["provisioningState"])


@dataclass(slots=True)
class Client:
    """Talks to a simulator as one principal."""

    simulator: ArmSimulator
    session: aiohttp.ClientSession
    principal: str = "tester"
    _token: str = field(default="", init=False)

    async def token(self, audience: str = "https://management.azure.com") -> str:
        """Return a fresh token from the identity endpoint."""
        settings = self.simulator.client_settings(self.principal)
        async with self.session.get(
            settings["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": audience},
            headers={"X-IDENTITY-HEADER": settings["IDENTITY_HEADER"]},
        ) as response:
            assert response.status == 200, await response.text()
            return str((await response.json())["access_token"])

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        if_match: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = f"api-version={API_VERSION}",
        valid: bool = True,
    ) -> Answer:
        """Send one request; `valid` says that it keeps to the description, so that this is checked too."""
        if not self._token:
            self._token = await self.token()
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        if if_match is not None:
            sent["If-Match"] = if_match
        url = path if path.startswith("https:") else f"{self.simulator.endpoint}{path}?{query}"
        if valid and DESCRIPTION.is_file():
            description().check_request(method, url, body)
        options: Json = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.request(method, url, headers=sent, **options) as response:
            answer = Answer(response.status, await response.json(), response.headers)
        if DESCRIPTION.is_file():
            description().check_response(method, url, answer.status, answer.body)
        return answer

    async def get(self, path: str) -> Answer:
        """GET a resource, which must be there."""
        answer = await self.send("GET", path)
        assert answer.status == 200, answer.body
        return answer

    async def put(self, body: Json, *, if_match: str | None = None) -> Answer:
        """PUT a resource to its own id."""
        return await self.send("PUT", body["id"], body, if_match=if_match)

    async def poll(self, put: Answer) -> Answer:
        """Poll the operation that a PUT started."""
        return await self.send("GET", put.headers["Azure-AsyncOperation"])

    async def lab(self, method: str, call: str, body: object = None, **query: str) -> tuple[int, Any]:
        """Call the backdoor."""
        url = f"{self.simulator.lab_endpoint}/{call}"
        async with self.session.request(method, url, json=body, params=query) as response:
            return response.status, await response.json()


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    profile: Profile = FAST,
    sample: Environment | None = None,
    switches: Switches | None = None,
    **options: Any,
) -> AsyncIterator[Client]:
    """Serve a sample environment and yield a client of it."""
    resources = (sample or environment()).resources
    simulator = ArmSimulator(resources, profile, folder=folder, switches=switches, **options)
    await simulator.start()
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    connector = aiohttp.TCPConnector(ssl=context)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Client(simulator, session)
    finally:
        await simulator.stop()


def run(folder: Path, test: Callable[[Client], Awaitable[None]], **options: Any) -> None:
    """Run one test against a simulator of its own."""

    async def whole() -> None:
        async with asyncio.timeout(20), serving(folder, **options) as client:
            await test(client)

    asyncio.run(whole())


def without_etags(body: Json) -> Json:
    """Return a copy of a resource without the ETags of itself and its parts."""
    plain = copy.deepcopy(body)
    properties = plain["properties"]
    for part in [plain, *properties.get("routes", []), *properties.get("ipConfigurations", [])]:
        part.pop("etag")
    return plain


def detached(nic: Json) -> Json:
    """Return a copy of a NIC without public IPs."""
    changed = copy.deepcopy(nic)
    for configuration in changed["properties"]["ipConfigurations"]:
        configuration["properties"].pop("publicIPAddress", None)
    return changed


def attached(nic: Json, public_ip: str = PUBLIC_IP, index: int = 0) -> Json:
    """Return a copy of a NIC with a public IP on one of its IP configurations."""
    changed = copy.deepcopy(nic)
    changed["properties"]["ipConfigurations"][index]["properties"]["publicIPAddress"] = {"id": public_ip}
    return changed


def holder(client: Client) -> str | None:
    """Return the IP configuration that holds the public IP, as the public IP shows it."""
    reference = client.simulator.snapshot()[PUBLIC_IP]["properties"].get("ipConfiguration")
    return str(reference["id"]) if reference else None
