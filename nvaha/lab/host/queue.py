"""The queue trigger of the local host, on the real queue service.

Behaviour as in azure-facts A2: a message is taken for ten minutes and that is extended while its function
runs; a failed one comes back after `visibilityTimeout`; the last failure moves it to `<queue>-poison`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.queue import QueueMessage as TriggerMessage
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from nvaha.lab.host.functions import IndexedFunction, Invoker, stopped_within
from nvaha.lab.host.settings import QueueSettings
from nvaha.lab.host.storage import Trouble

TAKEN_S = 600
RENEW_S = 300.0
_SHORTEST_S = 0.1
_LONGEST_NAME = 63
_POISON = "-poison"
_FOR_EVER = -1
_log = logging.getLogger("Host.Triggers.Queue")


class BackOff:
    """How long to wait between two looks into a queue: randomised, exponential, from 100 ms.

    Args:
        longest_s: maxPollingInterval.
        uniform: draws a number between two.
    """

    def __init__(self, longest_s: float, uniform: Callable[[float, float], float]) -> None:
        self._longest_s = longest_s
        self._uniform = uniform
        self._empty = 0

    def after(self, *, found: bool) -> float:
        """Return the seconds to wait after a look that found something or nothing."""
        if found:
            self._empty = 0
            return _SHORTEST_S
        # 2**20 steps of 100 ms are more than a day; beyond, the power would only grow.
        grown_s = _SHORTEST_S + _SHORTEST_S * self._uniform(0.8, 1.2) * 2.0 ** min(self._empty, 20)
        self._empty += 1
        return min(grown_s, self._longest_s)


class QueueListener:
    """Works one queue off.

    Args:
        function: a function with a queue trigger.
        invoker: calls it.
        queues: the account of the trigger's connection.
        settings: host.json's `extensions.queues`.
    """

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        queues: QueueServiceClient,
        settings: QueueSettings,
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._settings = settings
        self._name = str(function.binding["queueName"]).lower()
        self._queue = queues.get_queue_client(self._name)
        self._poison = _poison_queue(queues, self._name)
        self._back_off = BackOff(settings.max_polling_interval, SystemRandom().uniform)
        self._trouble = Trouble(_log, f"the queue {self._name}")
        self._in_work: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until the host stops; returns after the messages in work have ended."""
        wait_s = 0.0
        while not await stopped_within(stopping, wait_s):
            if len(self._in_work) > self._settings.threshold:
                await asyncio.wait(self._in_work, return_when=asyncio.FIRST_COMPLETED)
                wait_s = 0.0
                continue
            wait_s = self._back_off.after(found=await self._fetch())
        if self._in_work:
            await asyncio.wait(self._in_work)

    async def _fetch(self) -> bool:
        found = False
        try:
            pages = self._queue.receive_messages(
                max_messages=self._settings.batch_size,
                messages_per_page=self._settings.batch_size,
                visibility_timeout=TAKEN_S,
            )
            async for message in pages:
                found = True
                task = asyncio.create_task(self._work(message))
                self._in_work.add(task)
                task.add_done_callback(self._in_work.discard)
        except ResourceNotFoundError:
            self._trouble.over()  # no message was ever sent there
        except AzureError as error:
            self._trouble.met(error)
        else:
            self._trouble.over()
        return found

    async def _work(self, message: QueueMessage) -> None:
        try:
            await self._handle(message)
        except AzureError as error:
            # Nothing is lost: the message comes back when its ten minutes are over.
            _log.error("Message %s of %s could not be settled: %s", message.id, self._name, error.message)

    async def _handle(self, message: QueueMessage) -> None:
        count = message.dequeue_count or 0
        if count > self._settings.max_dequeue_count and self._poison is not None:
            await self._set_aside(message)
            return
        held = _Held(self._queue, message)
        renewing = asyncio.create_task(held.keep())
        try:
            succeeded = await self._succeeds(message)
        finally:
            renewing.cancel()
        if succeeded:
            await held.delete()
        elif count >= self._settings.max_dequeue_count and self._poison is not None:
            await self._set_aside(message, held)
        else:
            await held.release(self._settings.visibility_timeout)

    async def _succeeds(self, message: QueueMessage) -> bool:
        try:
            body = self._decoded(message.content)
        except (binascii.Error, UnicodeEncodeError) as error:
            _log.error("Message %s of %s is not base64: %s", message.id, self._name, error)
            return False
        make: Any = TriggerMessage  # its constructor has no annotations
        trigger = make(
            id=message.id,
            body=body,
            dequeue_count=message.dequeue_count,
            expiration_time=message.expires_on,
            insertion_time=message.inserted_on,
            time_next_visible=message.next_visible_on,
            pop_receipt=message.pop_receipt,
        )
        reason = f"New queue message detected on '{self._name}'."
        return (await self._invoker.invoke(self._function, trigger, reason)).error is None

    def _decoded(self, content: str) -> bytes:
        if self._settings.message_encoding.casefold() == "none":
            return content.encode()
        return base64.b64decode(content.encode("ascii"), validate=True)

    async def _set_aside(self, message: QueueMessage, held: _Held | None = None) -> None:
        poison = self._poison
        if poison is None:
            return
        try:
            await poison.send_message(message.content, time_to_live=_FOR_EVER)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await poison.create_queue()
            await poison.send_message(message.content, time_to_live=_FOR_EVER)
        _log.warning(
            "Message %s has been moved to queue '%s' after %s attempts",
            message.id,
            poison.queue_name,
            message.dequeue_count,
        )
        await (held or _Held(self._queue, message)).delete()


class _Held:
    """A message in work; its pop receipt changes with every update."""

    def __init__(self, queue: QueueClient, message: QueueMessage) -> None:
        self._queue = queue
        self._id = str(message.id)
        self._receipt = str(message.pop_receipt)

    async def keep(self) -> None:
        """Extend the time for which nobody else sees it, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.release(TAKEN_S)
            except AzureError as error:
                _log.warning("Message %s could not be kept: %s", self._id, error.message)

    async def release(self, seconds: float) -> None:
        """Let it be seen again after some seconds, with its content and its count as they are."""
        updated = await self._queue.update_message(self._id, self._receipt, visibility_timeout=int(seconds))
        self._receipt = str(updated.pop_receipt)

    async def delete(self) -> None:
        """Remove it."""
        await self._queue.delete_message(self._id, self._receipt)


def _poison_queue(queues: QueueServiceClient, name: str) -> QueueClient | None:
    if name.endswith(_POISON) or len(name) + len(_POISON) > _LONGEST_NAME:
        return None
    return queues.get_queue_client(name + _POISON)
