"""What the ports say while storage is away: always StoreUnavailable, always soon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvaha.azure.clock import ServiceClock
from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.leases import BlobLeases
from nvaha.azure.storage.queue import StorageSwitchQueue
from nvaha.azure.storage.states import TableStore
from nvaha.lab.stage.azurite import Azurite
from nvaha.model import GroupState, LeaderRecord, Operation, SwitchRequest, Trigger
from nvaha.ports import LeaseGrant, StoreUnavailable
from tests.integration.conftest import settings_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = SwitchRequest("edge-1-5", "edge", 1, 1, Trigger.MANUAL, "nva2", "because", NOW, "me")
GRANT = LeaseGrant("leader", "11111111-2222-3333-4444-555555555555", 1)
SOON_S = 5.0

CALLS: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "acquire": lambda storage: BlobLeases(storage).acquire("leader", "one"),
    "renew": lambda storage: BlobLeases(storage).renew(GRANT),
    "release": lambda storage: BlobLeases(storage).release(GRANT),
    "load": lambda storage: TableStore(storage).load("edge"),
    "load all": lambda storage: TableStore(storage).load_all(),
    "create": lambda storage: TableStore(storage).save(GroupState("edge"), None),
    "save": lambda storage: TableStore(storage).save(GroupState("edge"), 'W/"1"'),
    "load leader": lambda storage: TableStore(storage).load_leader(),
    "save leader": lambda storage: TableStore(storage).save_leader(LeaderRecord("one", 1, NOW)),
    "record": lambda storage: TableStore(storage).record(Operation(REQUEST)),
    "operation": lambda storage: TableStore(storage).operation("edge-1-5"),
    "history": lambda storage: TableStore(storage).history("edge", 5),
    "send": lambda storage: StorageSwitchQueue(storage).send(REQUEST),
}


@contextlib.asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """Listen as storage; answer each request with these bytes, or never."""
    gone = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        else:
            await gone.wait()
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/account"
    finally:
        gone.set()
        listener.close()
        await listener.wait_closed()


def connection_to(url: str) -> str:
    """Return a connection string whose three services are at one URL."""
    return f"AccountName=account;AccountKey=a2V5;BlobEndpoint={url};QueueEndpoint={url};TableEndpoint={url};"


async def all_fail_soon(url: str, names: Iterable[str] = CALLS) -> None:
    """Make these calls at once and check each one's end."""
    loop = asyncio.get_running_loop()

    async def fails(call: Callable[[Storage], Awaitable[object]], storage: Storage) -> float:
        started = loop.time()
        with pytest.raises(StoreUnavailable) as caught:
            await call(storage)
        assert "a2V5" not in str(caught.value)
        assert len(str(caught.value)) < 500
        return loop.time() - started

    async with Storage(settings_for(connection_to(url)), ServiceClock()) as storage:
        took = await asyncio.gather(*(fails(call, storage) for call in (CALLS[name] for name in names)))
    assert max(took) < SOON_S


def test_storage_that_refuses_connections() -> None:
    """With nobody listening every call ends soon in StoreUnavailable."""

    async def run() -> None:
        async with server(None) as url:
            pass
        await all_fail_soon(url)

    asyncio.run(run())


def test_storage_that_never_answers() -> None:
    """When storage accepts connections and says nothing, every call still ends within 5 s."""

    async def run() -> None:
        async with server(None) as url:
            await all_fail_soon(url)

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 503 Server Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
        b"HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationFailure\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n<x>",
        b"nonsense\r\n\r\n",
    ],
)
def test_storage_that_answers_nonsense(head: bytes) -> None:
    """Errors that say nothing about the data, and answers that are none, are no answer either."""

    async def run() -> None:
        async with server(head) as url:
            await all_fail_soon(url, ("load", "load leader", "operation"))

    asyncio.run(run())


@pytest.mark.slow
def test_after_an_outage_the_same_objects_go_on(tmp_path: Path) -> None:
    """A store that fails while Azurite is down finds its data once it is back, without being made anew."""

    async def run() -> None:
        azurite = Azurite(tmp_path, persist=True)
        await azurite.start()
        try:
            async with Storage(settings_for(azurite.connection_string), ServiceClock()) as storage:
                store = TableStore(storage)
                version = await store.save(GroupState("edge", generation=7), None)
                await azurite.shut_down()
                with pytest.raises(StoreUnavailable):
                    await store.load("edge")
                await azurite.start()
                found = await store.load("edge")
                assert found is not None
                assert (found.state.generation, found.version) == (7, version)
        finally:
            await azurite.stop()

    asyncio.run(run())
