"""Storage is tried on things of nvaha's own, and nothing is left of them; a role that is missing is heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from nvaha.azure.storage.connection import ObservingTransport, Storage
from nvaha.azure.storage.leases import CONTAINER
from nvaha.azure.storage.queue import QUEUE
from nvaha.azure.storage.rows import GROUPS_TABLE, HISTORY_TABLE
from nvaha.azure.storage.trial import PARTITION, POISON_QUEUE, try_storage
from nvaha.model import Tried
from tests.unit.storage_in_time import Answer, Response

from .conftest import Opened

PLACES = [
    ("blob", CONTAINER),
    ("table", GROUPS_TABLE),
    ("table", HISTORY_TABLE),
    ("queue", QUEUE),
    ("queue", POISON_QUEUE),
]


async def emptied(storage: Storage) -> None:
    """Take away what other tests have left in the queues."""
    await try_storage(storage)
    for name in (QUEUE, POISON_QUEUE):
        await storage.queues.get_queue_client(name).clear_messages()


async def left(storage: Storage) -> list[str]:
    """Return what is left of trials."""
    blobs = storage.blobs.get_container_client(CONTAINER).list_blobs(name_starts_with="doctor-")
    found = [each.name async for each in blobs]
    for name in (GROUPS_TABLE, HISTORY_TABLE):
        rows = storage.tables.get_table_client(name).query_entities(f"PartitionKey eq '{PARTITION}'")
        found += [row["RowKey"] async for row in rows]
    for name in (QUEUE, POISON_QUEUE):
        properties = await storage.queues.get_queue_client(name).get_queue_properties()
        found += [name] * (properties.approximate_message_count or 0)
    return found


def test_each_place_is_tried_and_nothing_is_left(opened: Opened) -> None:
    """Twice, so that neither places that are missing nor places that are there keep it from being done."""

    async def run() -> None:
        async with opened() as storage:
            await emptied(storage)
            for _ in range(2):
                tried = await try_storage(storage)
                assert [(each.service, each.place, each.failed) for each in tried] == [
                    (*place, None) for place in PLACES
                ]
            assert await left(storage) == []

    asyncio.run(run())


def test_what_is_tried_is_seen_by_nobody_else(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is never in sight, however long it hangs there; a group of any name has no such row."""
    seen: list[object] = []

    async def run() -> None:
        async with opened() as storage:
            await try_storage(storage)
            send = ObservingTransport.send

            async def watched(self: ObservingTransport, request: Any, **config: Any) -> Any:
                answer = await send(self, request, **config)
                if request.method == "POST" and "/messages" in request.url:
                    monkeypatch.setattr(ObservingTransport, "send", send)
                    queue = storage.queues.get_queue_client(QUEUE)
                    seen.extend([each async for each in queue.receive_messages()])
                    seen.extend(await queue.peek_messages())
                return answer

            monkeypatch.setattr(ObservingTransport, "send", watched)
            await try_storage(storage)

    asyncio.run(run())
    assert seen == []
    assert not PARTITION.isalnum()


@pytest.mark.parametrize(
    ("service", "method", "place", "failed"),
    [
        ("blob", "PUT", CONTAINER, "write"),
        ("blob", "HEAD", CONTAINER, "read"),
        ("blob", "DELETE", CONTAINER, "remove"),
        ("table", "POST", GROUPS_TABLE, "write"),
        ("table", "GET", HISTORY_TABLE, "read"),
        ("table", "PUT", GROUPS_TABLE, "change"),
        ("queue", "POST", QUEUE, "write"),
        ("queue", "GET", POISON_QUEUE, "look"),
        ("queue", "DELETE", POISON_QUEUE, "remove"),
    ],
)
def test_each_right_that_is_missing_is_heard(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, *, service: str, method: str, place: str, failed: str
) -> None:
    """With what was refused; the other places are tried all the same, and what can be removed is."""

    async def run() -> tuple[Tried, ...]:
        async with opened() as storage:
            await emptied(storage)
            with monkeypatch.context() as patched:
                patched.setattr(ObservingTransport, "send", _refusing(storage, service, method, place))
                tried = await try_storage(storage)
            if method != "DELETE":
                assert await left(storage) == []
                return tried
            for name in await left(storage):
                if service == "blob":
                    await storage.blobs.get_container_client(CONTAINER).delete_blob(name)
                else:
                    await storage.queues.get_queue_client(name).clear_messages()
            return tried

    tried = asyncio.run(run())
    wrong = [each for each in tried if each.failed is not None]
    assert [(each.service, each.place, each.failed) for each in wrong] == [(service, place, failed)]
    assert (wrong[0].status, wrong[0].code) == (403, "AuthorizationPermissionMismatch")
    assert len(tried) == len(PLACES)


def _refusing(storage: Storage, service: str, method: str, place: str) -> Any:
    """Return a way to send that is refused as by a role that is missing (Azurite knows none)."""
    client: Any = {"blob": storage.blobs, "table": storage.tables, "queue": storage.queues}[service]
    address, send = client.url.rstrip("/"), ObservingTransport.send

    async def sent(self: ObservingTransport, request: Any, **config: Any) -> Any:
        path = request.url.removeprefix(address).lstrip("/")
        if request.url.startswith(address) and request.method == method and _is_of(path, place):
            return Response(request, Answer(403, "AuthorizationPermissionMismatch"))
        return await send(self, request, **config)

    return sent


def _is_of(path: str, place: str) -> bool:
    rest = path.removeprefix(place)
    return path.startswith(place) and not rest[:1].isalnum() and rest[:1] != "-"


def test_storage_that_is_gone_is_heard(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is told from a refusal."""

    async def lost(*_: Any, **__: Any) -> Any:
        raise ServiceRequestError("no route to host")

    async def run() -> tuple[Tried, ...]:
        async with opened() as storage:
            monkeypatch.setattr(ObservingTransport, "send", lost)
            return await try_storage(storage)

    for each in asyncio.run(run()):
        assert (each.failed, each.status) == ("write", None)
        assert "no route to host" in each.error
