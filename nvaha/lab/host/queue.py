"""The queue trigger of the local host, on the real queue service.

Behaviour as measured with the real listener (azure-facts E2): a message is taken for ten minutes and that is
extended while its function runs; a failed one comes back after `visibilityTimeout`; the last failure moves it
to `<queue>-poison`. In a queue without a poison queue of its own a failed one is left to its ten minutes.
Storage in trouble (5xx) is lived with, but whatever else goes wrong brings the host down.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.queue import QueueMessage as TriggerMessage
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from nvaha.lab.host.functions import IndexedFunction, Invoker
from nvaha.lab.host.lifetime import Lifetime, ListenerError
from nvaha.lab.host.settings import QueueSettings
from nvaha.lab.host.storage import DRAW, Patience, Uniform, answered_by_fault, in_words

TAKEN_S = 600
RENEW_S = 300.0
_SHORTEST_S = 0.1
_LONGEST_NAME = 63
_POISON = "-poison"
# Somebody else has the message now, or it is gone: its holder need do nothing more (`QueueProcessor.cs`).
_NOT_OURS = frozenset({"PopReceiptMismatch", "MessageNotFound", "QueueNotFound", "QueueBeingDeleted"})
_NO_QUEUE = frozenset({"QueueNotFound", "QueueBeingDeleted"})
_IGNORED = {ord(each): None for each in " \t\r\n"}
_log = logging.getLogger("Host.Triggers.Queue")


class BackOff:
    """How long to wait between two looks: randomised, exponential.

    Args:
        longest_s: what it grows to.
        uniform: draws a number between two.
        shortest_s: what it starts from.
    """

    def __init__(
        self,
        longest_s: float,
        uniform: Uniform = DRAW,
        *,
        shortest_s: float = _SHORTEST_S,
    ) -> None:
        self._longest_s = longest_s
        self._shortest_s = shortest_s
        self._uniform = uniform
        self._empty = 0

    def after(self, *, found: bool) -> float:
        """Return the seconds to wait after a look that found something or nothing."""
        if found:
            self._empty = 0
            return self._shortest_s
        # 2**20 steps of 100 ms are more than a day; beyond, the power would only grow.
        grown_s = self._shortest_s * (1 + self._uniform(0.8, 1.2) * 2.0 ** min(self._empty, 20))
        self._empty += 1
        return min(grown_s, self._longest_s)


class QueueListener:
    """Works one queue off.

    Args:
        function: a function with a queue trigger.
        invoker: calls it.
        queues: the account of the trigger's connection.
        settings: host.json's `extensions.queues`.
        uniform: draws a number between two.
    """

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        queues: QueueServiceClient,
        settings: QueueSettings,
        uniform: Uniform = DRAW,
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._settings = settings
        self._name = str(function.binding["queueName"]).lower()
        self._queue = queues.get_queue_client(self._name)
        self._poison = _poison_queue(queues, self._name)
        self._back_off = BackOff(settings.max_polling_interval, uniform)
        self._patience = Patience(_log, f"the queue {self._name}", uniform)
        self._in_work: set[asyncio.Task[None]] = set()

    async def run(self, life: Lifetime) -> None:
        """Listen until the host stops; returns after the messages in work have ended."""
        await asyncio.wait({life.watch(asyncio.create_task(self._listen(life)))})
        if self._in_work:
            await asyncio.wait(self._in_work)

    async def _listen(self, life: Lifetime) -> None:
        found, wait_s = False, 0.0
        while not await life.stopped_within(wait_s):
            if await self._fetch(life):
                found, wait_s = True, 0.0
                while len(self._in_work) > self._settings.threshold:
                    await asyncio.wait(self._in_work, return_when=asyncio.FIRST_COMPLETED)
            else:
                found, wait_s = False, self._back_off.after(found=found)

    async def _fetch(self, life: Lifetime) -> bool:
        """Take a batch and put it to work; tell whether there was anything for the function."""
        try:
            batch = await life.unless_stopped(self._patience.ask(self._receive))
        except AzureError as error:
            if answered_by_fault(error) or _code(error) in _NO_QUEUE:
                return False
            raise ListenerError(f"The queue {self._name} cannot be read ({in_words(error)})") from error
        readable = []
        for message in batch or ():
            try:
                readable.append((message, self._decoded(message.content)))
            except (binascii.Error, UnicodeEncodeError) as error:
                _log.warning("Message %s of %s is not base64: %s", message.id, self._name, error)
                await self._set_aside(_Held(self._queue, self._patience, message))
        for message, body in readable:
            task = life.watch(asyncio.create_task(self._work(message, body, life)))
            self._in_work.add(task)
            task.add_done_callback(self._in_work.discard)
        return bool(readable)

    async def _receive(self) -> list[QueueMessage]:
        pages = self._queue.receive_messages(
            max_messages=self._settings.batch_size,
            messages_per_page=self._settings.batch_size,
            visibility_timeout=TAKEN_S,
        )
        return [message async for message in pages]

    async def _work(self, message: QueueMessage, body: bytes, life: Lifetime) -> None:
        count = message.dequeue_count or 0
        held = _Held(self._queue, self._patience, message)
        if count > self._settings.max_dequeue_count and self._poison is not None:
            await self._set_aside(held)
            return
        renewing = life.watch(asyncio.create_task(held.keep()))
        try:
            succeeded = await self._succeeds(message, body)
        finally:
            renewing.cancel()
        if succeeded:
            await held.delete()
        elif self._poison is None:
            # What fails here could not be set aside anywhere: a loop without end must at least be slow.
            _log.warning("Message %s of %s is out of sight for up to 10 minutes", message.id, self._name)
        elif count >= self._settings.max_dequeue_count:
            await self._set_aside(held)
        else:
            await held.release(self._settings.visibility_timeout)

    async def _succeeds(self, message: QueueMessage, body: bytes) -> bool:
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
        # .NET reads over white space.
        return base64.b64decode(content.translate(_IGNORED).encode("ascii"), validate=True)

    async def _set_aside(self, held: _Held) -> None:
        """Move a message to the poison queue, for a week; without one, leave it to its ten minutes."""
        poison, message = self._poison, held.message
        if poison is None:
            return

        async def send() -> None:
            try:
                await poison.send_message(message.content)
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    await poison.create_queue()
                await poison.send_message(message.content)

        try:
            await self._patience.ask(send)
        except AzureError as error:
            raise ListenerError(
                f"Message {message.id} cannot be moved to {poison.queue_name} ({in_words(error)})"
            ) from error
        _log.warning(
            "Message %s has been moved to queue '%s' at delivery %s",
            message.id,
            poison.queue_name,
            message.dequeue_count,
        )
        await held.delete()


class _Held:
    """A message in work; its pop receipt changes with every update."""

    def __init__(self, queue: QueueClient, patience: Patience, message: QueueMessage) -> None:
        self.message = message
        self._queue = queue
        self._patience = patience
        self._id = str(message.id)
        self._receipt = str(message.pop_receipt)

    async def keep(self) -> None:
        """Extend the time for which nobody else sees it, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            await self.release(TAKEN_S)

    async def release(self, seconds: float) -> None:
        """Let it be seen again after some seconds, with its content and its count as they are."""

        async def update() -> None:
            updated = await self._queue.update_message(
                self._id, self._receipt, visibility_timeout=int(seconds)
            )
            self._receipt = str(updated.pop_receipt)

        await self._settle(update, "released")

    async def delete(self) -> None:
        """Remove it."""
        await self._settle(lambda: self._queue.delete_message(self._id, self._receipt), "deleted")

    async def _settle(self, call: Callable[[], Awaitable[None]], what: str) -> None:
        try:
            await self._patience.ask(call)
        except AzureError as error:
            if _code(error) not in _NOT_OURS:
                text = f"Message {self._id} of {self._queue.queue_name} cannot be {what} ({in_words(error)})"
                raise ListenerError(text) from error


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", "") if isinstance(error, HttpResponseError) else ""
    return str(getattr(code, "value", code) or "")


def _poison_queue(queues: QueueServiceClient, name: str) -> QueueClient | None:
    if name.endswith(_POISON) or len(name) + len(_POISON) > _LONGEST_NAME:
        return None
    return queues.get_queue_client(name + _POISON)
