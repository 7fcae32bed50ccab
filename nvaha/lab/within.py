"""Lines on what is nvaha's own: its monitors, their settings and configuration, what it has stored."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import yaml
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient
from azure.storage.blob.aio import BlobClient, BlobLeaseClient
from azure.storage.queue import TextBase64DecodePolicy, TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient

from nvaha.azure.storage.queue import QUEUE
from nvaha.azure.storage.rows import GROUP_PARTITION, GROUPS_TABLE
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.stage import Lab
from nvaha.lab.verbs import verb
from nvaha.ports import LEASE_CONTAINER

_CUT = "LAB_WITHOUT_LEASES"
_BUG = """

from nvaha.watch.rounds import Rounds


async def _round(*_):
    raise KeyError("what nobody foresaw")


Rounds._round = _round
"""


class Within:
    """The acts of this module.

    Args:
        lab: a running lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._phase: object = None
        self._lease: BlobLeaseClient | None = None

    # Monitors

    @verb("freeze MONITOR", "its process stands still")
    async def _freeze(self, name: str) -> str:
        self._lab.host(name).freeze()
        return f"{name} stands still"

    @verb("thaw MONITOR", "it goes on")
    async def _thaw(self, name: str) -> str:
        self._lab.host(name).thaw()
        return f"{name} goes on"

    @verb("set MONITOR SETTING VALUE", "an application setting is written, and the app restarts")
    async def _set(self, name: str, setting: str, value: str) -> str:
        await self._restart(name, {setting: value})
        return f"{name} has {setting}={value}, and was restarted"

    @verb("unset MONITOR SETTING", "it is as it was at first, and the app restarts")
    async def _unset(self, name: str, setting: str) -> str:
        await self._restart(name, {setting: self._lab.settings(name).get(setting)})
        return f"{name} has {setting} as it was, and was restarted"

    @verb("leases off|on MONITOR", "storage answers it nothing about leases; it does again")
    async def _leases(self, how: str, name: str) -> str:
        azurite = self._lab.azurite
        shut = azurite.connection_string.replace(f":{azurite.blob_port}/", ":9/")
        off = how == "off"
        await self._restart(name, {"NVAHA_STORAGE": _CUT if off else None, _CUT: shut if off else None})
        return f"{name} is {'not answered about leases' if off else 'answered about leases again'}"

    @verb("bug on|off MONITOR", "its release has a fault that nobody foresaw; it has none again")
    async def _bug(self, how: str, name: str) -> str:
        host, app = self._lab.host(name), self._lab.app
        if how == "on":
            faulty = self._lab.folder / "faulty"
            faulty.mkdir(exist_ok=True)
            shutil.copy(app / "host.json", faulty)
            (faulty / "function_app.py").write_text((app / "function_app.py").read_text() + _BUG)
            app = faulty
        await host.stop()
        await host.start(app)
        return f"{name} runs with{'' if how == 'on' else 'out'} the fault"

    async def _restart(self, name: str, changed: dict[str, str | None]) -> None:
        host = self._lab.host(name)
        settings = {**host.settings, **changed}
        host.settings = {each: value for each, value in settings.items() if value is not None}
        await host.stop()
        await host.start()

    @verb("policy KEY VALUE", "the configuration's policy says so; monitors read it when they start")
    async def _policy(self, key: str, value: str) -> str:
        self._lab.policy[key] = yaml.safe_load(value)
        self._lab.write_configuration()
        return f"the configuration says policy.{key}: {value}; a monitor reads it when it starts"

    @verb("outside refuses|takes", "who is sent notifications and pings answers 503; takes them again")
    async def _outside(self, how: str) -> str:
        if self._lab.outside is None:
            raise LabError("this lab has nobody outside who is sent anything")
        self._lab.outside.refuses = how == "refuses"
        return "the receiver and the pinged URL answer 503" if how == "refuses" else "both take all again"

    # What is stored

    @verb("row spoil|mend", "somebody writes what cannot be read into the group's row; and what stood there")
    async def _spoil(self, how: str) -> str:
        async with self._row() as row:
            state = json.loads(row["state"])
            if how == "spoil":
                self._phase = state["phase"] if self._phase is None else self._phase
                state["phase"] = "askew"
            elif self._phase is not None:
                state["phase"], self._phase = self._phase, None
            row["state"] = json.dumps(state)
        return f"the phase in the row of {self._lab.first} is {state['phase']!r}"

    @asynccontextmanager
    async def _row(self) -> AsyncIterator[dict[str, Any]]:
        """Read the group's row; what is changed in `state` is written."""
        storage = self._lab.azurite.connection_string
        try:
            async with TableClient.from_connection_string(storage, GROUPS_TABLE) as table:
                row = dict(await table.get_entity(GROUP_PARTITION, self._lab.first))
                yield row
                changed = {"PartitionKey": GROUP_PARTITION, "RowKey": self._lab.first, "state": row["state"]}
                await table.update_entity(changed, mode=UpdateMode.MERGE)
        except AzureError as error:
            raise LabError(f"the row of {self._lab.first} cannot be changed: {_first(error)}") from error

    @verb("lease take|break", "somebody takes the lease of the group's switches by hand; it is broken")
    async def _take_lease(self, how: str) -> str:
        name = f"switch-{self._lab.first}"
        storage = self._lab.azurite.connection_string
        try:
            async with BlobClient.from_connection_string(storage, LEASE_CONTAINER, name) as blob:
                lease = BlobLeaseClient(blob)
                if how == "break":
                    await lease.break_lease(lease_break_period=0)
                    return f"the lease of the blob {name} is broken"
                with suppress(ResourceExistsError):
                    await blob.upload_blob(b"", overwrite=False)
                await lease.acquire(lease_duration=-1)
        except AzureError as error:
            raise LabError(f"the lease of the blob {name}: {_first(error)}") from error
        return f"somebody holds the lease of the blob {name}"

    @verb("message TEXT", "somebody puts a message on the queue")
    async def _message(self, text: str) -> str:
        async with self._queue(QUEUE) as queue:
            await queue.send_message(text)
        return f"{text!r} is on the queue"

    @verb("poison GROUP", "its message that waits is set aside, as after it failed on every delivery")
    async def _poison(self, name: str) -> str:
        async with self._queue(QUEUE) as queue, self._queue(f"{QUEUE}-poison") as poison:
            async for message in queue.receive_messages(visibility_timeout=1):
                if f'"{name}"' not in message.content:
                    continue
                with suppress(ResourceExistsError):
                    await poison.create_queue()
                await poison.send_message(message.content)
                await queue.delete_message(message)
                return f"a message on {name} is on the poison queue"
        raise LabError(f"no message on {name} waits: is the function off that takes it?")

    @asynccontextmanager
    async def _queue(self, name: str) -> AsyncIterator[QueueClient]:
        storage = self._lab.azurite.connection_string
        policy = TextBase64EncodePolicy()
        try:
            async with QueueClient.from_connection_string(
                storage, name, message_encode_policy=policy, message_decode_policy=TextBase64DecodePolicy()
            ) as queue:
                yield queue
        except AzureError as error:
            raise LabError(f"queue {name}: {_first(error)}") from error


def _first(error: AzureError) -> str:
    """Return what storage says, without the lines for its makers."""
    return str(error.message).partition("\n")[0]
