"""The whole app in this process: real adapters on Azurite and the ARM simulator, real probes on loopback."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueClient

from nvaha.app.holder import AppHolder
from nvaha.lab.arm import ArmSimulator, Switches
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.profiles import PROFILES, Profile
from nvaha.lab.stage.sample import Environment, configuration
from nvaha.web.api import Api
from tests.contract.answers import problems

Json = dict[str, Any]
FAST_PROBE = {"interval": "200ms", "fast_interval": "100ms", "timeout": "200ms"}
FAST_POLICY = {"hold_down": "1s"}
_numbers = itertools.count(1)


ROLE = Path(__file__).parents[2] / "infra" / "roles" / "nva-operator.json"
# Polling an operation that one has started oneself asks for no action of its own: clients that are scoped to
# one resource group do it all the time. The simulator records it nevertheless.
UNASKED = {"Microsoft.Network/locations/operations/read"}


def granted() -> set[str]:
    """Return the actions of the shipped role."""
    return set(json.loads(ROLE.read_text())["Actions"])


def needed(arm: ArmSimulator) -> set[str]:
    """Return the actions that all calls so far needed."""
    return {action for action, _ in arm.permissions} - UNASKED


class Appliance:
    """A fake NVA: a listener that a test stops and starts; `probed_at` is when it was connected to."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.port = 0
        self.probed_at: list[float] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer probes, on the same port as before."""
        self._server = await asyncio.start_server(self._answer, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.probed_at.append(time.monotonic())
        writer.close()

    async def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


class Running:
    """One running app and its world."""

    def __init__(self, holder: AppHolder, arm: ArmSimulator, nvas: dict[str, Appliance], group: str) -> None:
        self._holder = holder
        self._api = Api(holder)
        self.arm = arm
        self.nvas = nvas
        self.name = group

    async def call(
        self, function: str, body: object = None, params: Mapping[str, str] | None = None, **route: str
    ) -> tuple[int, Json]:
        """Call an HTTP function as the host would; return status and JSON, as the API's document has them."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = func.HttpRequest(
            method="POST" if body is not None else "GET",
            url=f"http://127.0.0.1/api/groups/{self.name}/{function}?{urlencode(params or {})}",
            params={name: value for name, value in (params or {}).items() if value},
            route_params={"group": self.name, **route},
            body=raw,
        )
        response = await getattr(self._api, function)(request)
        content = json.loads(response.get_body())
        assert problems(function, response.status_code, content, response.headers) == []
        return response.status_code, content

    async def metrics(self) -> str:
        """Return the metrics as Prometheus reads them."""
        request = func.HttpRequest(method="GET", url="http://127.0.0.1/api/metrics", body=b"")
        response = await self._api.metrics(request)
        assert (response.status_code, response.headers["Content-Type"][:10]) == (200, "text/plain")
        return str(response.get_body().decode())

    async def group(self) -> Json:
        """Return the group as GET shows it."""
        return (await self.call("group"))[1]

    async def until(self, holds: Callable[[Json], object], within_s: float = 20.0) -> Json:
        """Return the group once something holds of it; AssertionError with the group if it never does."""
        end = time.monotonic() + within_s
        while True:
            group = await self.group()
            if "error" not in group and holds(group):
                return group
            assert time.monotonic() < end, json.dumps(group, indent=1)
            await asyncio.sleep(0.05)

    async def active(self, name: str) -> Json:
        """Return the group once it is at rest on an NVA."""
        return await self.until(lambda group: group["phase"] == "steady" and group["active"] == name)

    async def all_up(self) -> Json:
        """Return the group once it is at rest and every NVA is up."""
        return await self.until(
            lambda group: group["phase"] == "steady" and all(nva["health"] == "up" for nva in group["nvas"])
        )


@asynccontextmanager
async def running(
    azurite: Azurite, folder: Path, sample: Environment, *, switches: Switches | None = None,
    policy: Mapping[str, object] | None = None, edit: Callable[[Json], object] | None = None,
    profile: Profile = PROFILES["fast"], more: Mapping[str, str] | None = None,
) -> AsyncIterator[Running]:  # fmt: skip
    """Run the app on a sample environment and empty tables; every NVA answers at first.

    Args:
        edit: changes the configuration before it is used.
        profile: how long Azure takes.
        more: application settings.
    """
    await _empty(azurite)
    arm = ArmSimulator(sample.resources, profile, folder=folder, switches=switches)
    await arm.start()
    nvas = {nva.name: Appliance(f"127.0.0.{10 + index}") for index, nva in enumerate(sample.nvas)}
    for appliance in nvas.values():
        await appliance.start()
    group = f"group{os.getpid()}-{next(_numbers)}"
    addresses = {name: (appliance.host, appliance.port) for name, appliance in nvas.items()}
    config = configuration(
        sample, addresses, name=group, probe=FAST_PROBE, policy={**FAST_POLICY, **(policy or {})}
    )
    if edit is not None:
        edit(config)
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "NVAHA_CONFIG": json.dumps(config),
        "NVAHA_INSTANCE": "test",
        **arm.client_settings("monitor"),
        **(more or {}),
    }
    # The identity library reads its endpoint from the process's environment only.
    os.environ.update({name: settings[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")})
    holder = AppHolder(folder, settings)
    app = await holder.get()
    duties = [asyncio.create_task(_ticks(holder)), asyncio.create_task(_pump(holder, azurite))]
    try:
        yield Running(holder, arm, nvas, group)
        assert needed(arm) <= granted(), "a call needs an action that the shipped role does not grant"
    finally:
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
        await app.close()
        for appliance in nvas.values():
            await appliance.stop()
        await arm.stop()


async def _empty(azurite: Azurite) -> None:
    """Delete what earlier tests left: a leader takes every row for a group, and ends the switch of one."""
    async with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        async for table in service.list_tables():
            rows = service.get_table_client(table.name)
            async for row in rows.list_entities():
                await rows.delete_entity(row)


async def _ticks(holder: AppHolder) -> None:
    while True:
        await (await holder.get()).tick()


async def _pump(holder: AppHolder, azurite: Azurite) -> None:
    """Deliver messages as the host's listener does, one at a time, back after a failure."""
    app = await holder.get()
    async with QueueClient.from_connection_string(azurite.connection_string, "nvaha-switch") as queue:
        while True:
            with suppress(ResourceNotFoundError):
                async for message in queue.receive_messages(visibility_timeout=600):
                    try:
                        await app.switch(base64.b64decode(message.content))
                    except Exception:  # noqa: BLE001 - the host retries after any error
                        if (message.dequeue_count or 0) < 5:
                            await queue.update_message(message, visibility_timeout=1)
                            continue
                        await app.give_up(base64.b64decode(message.content))
                    await queue.delete_message(message)
            await asyncio.sleep(0.05)
