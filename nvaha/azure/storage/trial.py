"""Trying what nvaha does to storage, on things of its own: a blob, rows and messages that nobody else sees.

A message is put out of sight for as long as it lives, so that no worker is handed it, and taken away again by
its receipt. Taking somebody else's message is not tried: that it works, the host shows by running.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import UpdateMode
from azure.storage.blob.aio import BlobLeaseClient
from azure.storage.queue import QueueMessage, TextBase64EncodePolicy

from nvaha.azure.storage.connection import SILENT, Storage, answering, creating, describe, error_code
from nvaha.azure.storage.leases import CONTAINER
from nvaha.azure.storage.queue import QUEUE
from nvaha.azure.storage.rows import GROUPS_TABLE, HISTORY_TABLE
from nvaha.model import Tried
from nvaha.ports import LEASE_S, StoreUnavailable

POISON_QUEUE: Final = f"{QUEUE}-poison"
PARTITION: Final = "!doctor"
"""Of rows that are tried: no group can be called so."""
_HIDDEN_S, _LIVES_S = 119, 120
_Step = tuple[str, Callable[[], Awaitable[object]]]


async def try_storage(storage: Storage) -> tuple[Tried, ...]:
    """Try each container, table and queue, all at once; return what came of each."""
    return tuple(
        await asyncio.gather(
            _blob(storage),
            _table(storage, GROUPS_TABLE),
            _table(storage, HISTORY_TABLE),
            _queue(storage, QUEUE),
            _queue(storage, POISON_QUEUE),
        )
    )


async def _blob(storage: Storage) -> Tried:
    container = storage.blobs.get_container_client(CONTAINER)
    blob = container.get_blob_client(f"doctor-{uuid.uuid4().hex}")
    lease = BlobLeaseClient(blob)

    async def write() -> None:
        await creating(
            lambda: blob.upload_blob(b"", overwrite=True), "ContainerNotFound", container.create_container
        )

    steps: list[_Step] = [
        ("write", write),
        ("lease", lambda: lease.acquire(lease_duration=round(LEASE_S))),
        ("change", lambda: blob.set_blob_metadata({"epoch": "0"}, lease=lease)),
        ("read", lambda: blob.get_blob_properties(lease=lease)),
        ("give the lease up", lease.release),
        ("remove", blob.delete_blob),
    ]
    return await _tried("blob", CONTAINER, steps, lambda: blob.delete_blob(lease=lease))


async def _table(storage: Storage, name: str) -> Tried:
    table, row = storage.tables.get_table_client(name), uuid.uuid4().hex
    keys = {"PartitionKey": PARTITION, "RowKey": row}
    etag = ""

    async def write() -> None:
        nonlocal etag
        made = await creating(lambda: table.create_entity(keys), "TableNotFound", table.create_table)
        etag = made["etag"]

    async def change() -> None:
        await table.update_entity(
            {**keys, "state": "{}"},
            mode=UpdateMode.REPLACE,
            etag=etag,
            match_condition=MatchConditions.IfNotModified,
        )

    steps: list[_Step] = [
        ("write", write),
        ("read", lambda: table.get_entity(PARTITION, row)),
        ("change", change),
        ("remove", lambda: table.delete_entity(PARTITION, row)),
    ]
    return await _tried("table", name, steps, lambda: table.delete_entity(PARTITION, row))


async def _queue(storage: Storage, name: str) -> Tried:
    queue = storage.queues.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())
    sent: list[QueueMessage] = []

    async def put() -> None:
        message = await creating(
            lambda: queue.send_message("nvaha doctor", visibility_timeout=_HIDDEN_S, time_to_live=_LIVES_S),
            "QueueNotFound",
            queue.create_queue,
        )
        sent.append(message)

    async def remove() -> None:
        for message in sent:
            await queue.delete_message(message)

    steps: list[_Step] = [("write", put), ("look", queue.get_queue_properties), ("remove", remove)]
    return await _tried("queue", name, steps, remove)


async def _tried(
    service: str, place: str, steps: list[_Step], clean_up: Callable[[], Awaitable[object]]
) -> Tried:
    did: list[str] = []
    for what, step in steps:
        try:
            async with _asked():
                await step()
        except _Refused as refused:
            if did:
                with contextlib.suppress(StoreUnavailable):
                    async with answering("remove what was tried"):
                        await clean_up()
            return Tried(service, place, tuple(did), what, refused.status, refused.code, refused.message)
        did.append(what)
    return Tried(service, place, tuple(did))


def _code(error: HttpResponseError) -> str:
    # The SDK drops the code of an insert into a table.
    headers = getattr(error.response, "headers", {})
    return error_code(error) or str(headers.get("x-ms-error-code") or "")


class _Refused(Exception):
    """A step was not carried out; `status` is None where nobody answered."""

    def __init__(self, status: int | None, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@asynccontextmanager
async def _asked() -> AsyncIterator[None]:
    """Ask as storage is asked anywhere, and keep apart what it says."""
    try:
        async with answering("tried"):
            try:
                yield
            except HttpResponseError as error:
                raise _Refused(error.status_code, _code(error), describe(error)) from error
    except StoreUnavailable as error:
        cause = error.__cause__
        text = describe(cause) if isinstance(cause, AzureError) else SILENT
        raise _Refused(None, "", text) from error
