"""The storage of the local host's own tests beside Azurite: the same calls, the same answers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.storage import connect
from nvaha.lab.stage.azurite import Azurite
from tests.unit.storage_in_time import CONNECTION, Line, Storage, in_time

Answers = list[object]


def test_azurite_answers_alike(azurite: Azurite) -> None:
    """Every call that the listeners make is answered alike, errors and their codes included."""
    line = Line(Storage())
    settings = {"S": CONNECTION}

    async def here() -> Answers:
        queues = connect(QueueServiceClient, "S", settings, transport=line)
        blobs = connect(BlobServiceClient, "S", settings, transport=line)
        return await of_a_queue(queues, "work") + await of_a_lease(blobs, "hosts")

    async def at_azurite() -> Answers:
        settings = {"S": azurite.connection_string}
        name = f"n{uuid.uuid4().hex[:20]}"
        async with (
            connect(QueueServiceClient, "S", settings) as queues,
            connect(BlobServiceClient, "S", settings) as blobs,
        ):
            return await of_a_queue(queues, name) + await of_a_lease(blobs, name)

    assert in_time(here) == asyncio.run(at_azurite())


async def code(call: Callable[[], Awaitable[object]]) -> str:
    """Return the status and the code with which a call fails, or that it does not."""
    try:
        await call()
    except HttpResponseError as error:
        named = getattr(error, "error_code", None)
        return f"{error.status_code} {getattr(named, 'value', named)}"
    return "well"


async def of_a_queue(queues: QueueServiceClient, name: str) -> Answers:
    """Do with a queue what the listener does."""
    queue = queues.get_queue_client(name)

    async def receive(hidden_s: int) -> Answers:
        pages = queue.receive_messages(max_messages=16, messages_per_page=16, visibility_timeout=hidden_s)
        return [(each.content, each.dequeue_count) async for each in pages]

    async def listen() -> None:
        await receive(600)

    answers: Answers = [await code(listen), await code(lambda: queue.send_message("x"))]
    await queue.create_queue()
    answers.append(await code(queue.create_queue))
    await queue.send_message("<as & it is>")
    pages = queue.receive_messages(max_messages=16, messages_per_page=16, visibility_timeout=600)
    (message,) = [each async for each in pages]
    answers += [(message.content, message.dequeue_count), await receive(600)]
    old = str(message.pop_receipt)
    updated = await queue.update_message(message.id, old, visibility_timeout=0)
    answers += [
        await code(lambda: queue.delete_message(message.id, old)),
        await code(lambda: queue.update_message(message.id, old, visibility_timeout=5)),
        await code(lambda: queue.delete_message(message.id, str(updated.pop_receipt))),
        await code(lambda: queue.delete_message(message.id, str(updated.pop_receipt))),
        await receive(600),
    ]
    for _ in range(17):
        await queue.send_message("x")
    answers += [len(await receive(600)), len(await receive(1)), await receive(1)]
    await asyncio.sleep(1.2)
    answers.append(await receive(600))
    return answers


async def of_a_lease(blobs: BlobServiceClient, name: str) -> Answers:
    """Do with a lease what the lock does."""
    container = blobs.get_container_client(name)
    blob = container.get_blob_client("locks/app/one")
    mine, other = BlobLeaseClient(blob), BlobLeaseClient(blob)

    async def acquire() -> None:
        await mine.acquire(lease_duration=15)

    answers: Answers = [await code(acquire), await code(container.create_container)]
    answers += [await code(container.create_container), await code(acquire)]
    for _ in range(2):
        answers.append(await code(lambda: blob.upload_blob(b"", overwrite=False)))
    answers += [await code(acquire), await code(mine.renew)]
    answers += [await code(lambda: other.acquire(lease_duration=15)), await code(other.renew)]
    # A lease that is given up takes its id away from the client.
    before = BlobLeaseClient(blob, lease_id=mine.id)
    answers += [await code(other.release), await code(mine.release), await code(before.renew)]
    answers += [await code(lambda: other.acquire(lease_duration=15)), await code(before.renew)]
    answers += [await code(before.release), await code(other.release)]
    return answers
