"""Switch requests on a real queue."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import ResourceNotFoundError

from nvaha.azure.storage.queue import QUEUE, StorageSwitchQueue
from nvaha.model import SwitchRequest, Trigger
from nvaha.model.messages import SwitchMessage, parse_message
from nvaha.ports import SwitchQueue
from tests.integration.conftest import Opened

REQUEST = SwitchRequest(
    "edge-2-5",
    "edge",
    2,
    9,
    Trigger.FAILOVER,
    "nva2",
    "nva1 is down",
    datetime(2026, 1, 1, tzinfo=UTC),
    "west",
)


def as_port(queue: SwitchQueue) -> SwitchQueue:
    """Let the type checker compare the class with its port."""
    return queue


def test_a_trigger_that_expects_base64_reads_the_request(opened: Opened) -> None:
    """On a queue that did not exist, the request arrives as base64 and is gone after an hour."""

    async def run() -> None:
        async with opened() as storage:
            raw = storage.queues.get_queue_client(QUEUE)
            with contextlib.suppress(ResourceNotFoundError):
                await raw.delete_queue()
            await as_port(StorageSwitchQueue(storage)).send(REQUEST)
            received = [message async for message in raw.receive_messages()]
            # One message, or the same again where an answer came late and the SDK has sent it once more.
            assert len({each.content for each in received}) == 1
            body = base64.b64decode(received[0].content, validate=True)
            assert parse_message(body) == SwitchMessage(v=1, group="edge", generation=2, operation="edge-2-5")
            inserted, expires = received[0].inserted_on, received[0].expires_on
            assert inserted is not None
            assert expires == inserted + timedelta(hours=1)

    asyncio.run(run())


def test_what_waits_is_counted(opened: Opened) -> None:
    """A queue that is not there yet holds nothing; a message that was sent is one."""

    async def run() -> None:
        async with opened() as storage:
            queue, raw = StorageSwitchQueue(storage), storage.queues.get_queue_client(QUEUE)
            with contextlib.suppress(ResourceNotFoundError):
                await raw.delete_queue()
            assert await queue.waiting() == 0
            await queue.send(REQUEST)
            assert await queue.waiting() == 1
            await raw.clear_messages()

    asyncio.run(run())
