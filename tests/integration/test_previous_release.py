"""The previous release's own adapters and today's, on the same blobs, tables and queue."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from nvaha.azure.clock import ServiceClock
from nvaha.azure.storage.leases import BlobLeases
from nvaha.azure.storage.queue import QUEUE, StorageSwitchQueue
from nvaha.azure.storage.rows import HISTORY_TABLE, group_entity, operation_keys
from nvaha.azure.storage.states import TableStore
from nvaha.lab.stage.azurite import Azurite
from nvaha.model import Status
from nvaha.model.messages import parse_message
from nvaha.ports import Conflict
from tests.builders import request_to
from tests.integration.conftest import Opened
from tests.integration.test_state import full_state, operation
from tests.previous import previous


def old(name: str) -> Any:
    """Return a module of the previous release."""
    return previous()(name)


@asynccontextmanager
async def opened_by_old(azurite: Azurite) -> AsyncIterator[Any]:
    """Open a connection of the previous release."""
    environ = {"AzureWebJobsStorage": azurite.connection_string, "NVAHA_INSTANCE": "old"}
    settings = old("settings").Settings.from_environ(environ)
    async with old("azure.storage").Storage(settings, ServiceClock()) as storage:
        yield storage


@pytest.mark.parametrize("name", ["leader", "switch-edge"])
def test_both_take_the_very_same_lease_and_count_on_in_the_same_metadata(
    azurite: Azurite, opened: Opened, name: str
) -> None:
    """While one has it the other is refused; each raises the epoch above the other's."""

    async def run() -> None:
        async with opened() as ours, opened_by_old(azurite) as theirs:
            today, before = BlobLeases(ours), old("azure.lease").BlobLeases(theirs)
            epochs = []
            for holder, other in ((before, today), (today, before), (before, today)):
                grant = await holder.acquire(name, "one")
                assert grant is not None
                assert await other.acquire(name, "two") is None
                epochs.append(grant.epoch)
                await holder.release(grant)
            assert epochs == [epochs[0], epochs[0] + 1, epochs[0] + 2]

    asyncio.run(run())


def test_each_finds_the_other_ones_state_and_loses_to_it(azurite: Azurite, opened: Opened) -> None:
    """One row for both: a write by one is what the other's write conflicts with."""

    async def run() -> None:
        async with opened() as ours, opened_by_old(azurite) as theirs:
            today, before = TableStore(ours), old("azure.state").TableStore(theirs)
            first = await today.save(full_state("both"), None)
            assert isinstance(first, str)
            held = await before.load("both")
            assert (held.state.group, held.state.generation) == ("both", full_state("both").generation)
            assert isinstance(await before.save(replace(held.state, paused=True), held.version), str)
            assert isinstance(await today.save(full_state("both"), first), Conflict)
            found = await today.load("both")
            assert found is not None
            assert found.state.paused

    asyncio.run(run())


def test_each_finds_the_other_ones_operation_and_leader(azurite: Azurite, opened: Opened) -> None:
    """The history and the leader's record are one, too."""

    async def run() -> None:
        async with opened() as ours, opened_by_old(azurite) as theirs:
            today, before = TableStore(ours), old("azure.state").TableStore(theirs)
            mine = operation("oldnew", 1)
            await today.record(mine)
            found = await before.operation(mine.id)
            await before.record(replace(found, status=old("model").Status.DONE))
            again = await today.operation(mine.id)
            assert again is not None
            assert (again.status, again.steps) == (Status.DONE, mine.steps)

    asyncio.run(run())


@pytest.mark.parametrize("sender", ["ours", "theirs"])
def test_each_takes_up_the_other_ones_messages(azurite: Azurite, opened: Opened, sender: str) -> None:
    """They are on one queue, in one encoding."""
    request = request_to("b")

    async def run() -> None:
        async with opened() as ours, opened_by_old(azurite) as theirs:
            theirs_sends = old("azure.queue").StorageSwitchQueue(theirs)
            await (StorageSwitchQueue(ours) if sender == "ours" else theirs_sends).send(request)
            client = (theirs if sender == "ours" else ours).queues.get_queue_client(QUEUE)
            received = [each async for each in client.receive_messages()]
            for each in received:
                await client.delete_message(each)
            decoded = base64.b64decode(received[-1].content)
            parsed: Any = (
                old("messages").parse_message(decoded) if sender == "ours" else parse_message(decoded)
            )
            assert (parsed.group, parsed.operation) == (request.group, request.operation)

    asyncio.run(run())


def test_what_a_newer_release_has_recorded_of_an_operation_stays_there(opened: Opened) -> None:
    """Today's worker writes its record, and a field that only a newer release knows is there after."""

    async def run() -> None:
        async with opened() as storage:
            store, mine = TableStore(storage), operation("newer", 1)
            await store.record(mine)
            table = storage.tables.get_table_client(HISTORY_TABLE)
            keys = operation_keys(mine.id)
            assert keys is not None
            entity = await table.get_entity(*keys)
            content = json.loads(entity["state"]) | {"mood": "good"}
            content["steps"][0]["mood"] = "fair"
            await table.update_entity({**entity, "state": json.dumps(content)})
            await store.record(replace(mine, status=Status.DONE))
            stored = json.loads((await table.get_entity(*keys))["state"])
            assert (stored["status"], stored["mood"], stored["steps"][0]["mood"]) == ("done", "good", "fair")

    asyncio.run(run())


def test_what_a_newer_release_has_stored_of_a_group_stays_there(opened: Opened) -> None:
    """Through the table itself: read, changed, written."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            state = full_state("newer")
            entity = group_entity(state)
            content = json.loads(entity["state"]) | {"mood": "good"}
            await store.save(state, None)
            table = storage.tables.get_table_client("nvahagroups")
            await table.upsert_entity({**entity, "state": json.dumps(content)})
            held = await store.load("newer")
            assert held is not None
            await store.save(replace(held.state, paused=not held.state.paused), held.version)
            stored = json.loads((await table.get_entity("group", "newer"))["state"])
            assert (stored["mood"], stored["paused"]) == ("good", not state.paused)

    asyncio.run(run())
