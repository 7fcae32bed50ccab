"""How many requests of one kind are carried out at once, and which of them share an answer.

The event loop, storage and Azure are those of the monitor and of the switches, too. So of each kind a few
requests are at work, a few more wait for a moment, and all others are told to come again. Few wait, because
each of them holds one of the host's places (host.json), which a command may need.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

WAIT_S = 5.0
"""So long a request waits for its turn."""
RETRY_AFTER_S = 2.0

_Answer = TypeVar("_Answer")


class Crowded(Exception):
    """Too many ask; nothing was done."""


@dataclass(slots=True)
class _Reading(Generic[_Answer]):
    task: asyncio.Task[_Answer]
    began_at: float = field(default=math.inf)


class Lane(Generic[_Answer]):
    """The requests of one kind.

    Args:
        at_once: so many are at work.
        asking: so many may ask, those at work and those who share included.
        kept_s: so old an answer may be for whoever asks the same. At 0 those who ask while the same is being
            read share the next reading, which began after they asked: nobody is shown less than he knows.
    """

    def __init__(self, at_once: int, asking: int, kept_s: float = 0.0) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._free = asking
        self._kept_s = kept_s
        self._readings: dict[Hashable, _Reading[_Answer]] = {}

    async def alone(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Do something that nobody shares, when it is its turn; Crowded if that does not come."""
        with self._asker():
            await self._turn()
            try:
                return await call()
            finally:
                self._places.release()

    async def shared(self, key: Hashable, read: Callable[[], Awaitable[_Answer]]) -> tuple[_Answer, float]:
        """Return what is read, and how many seconds ago that began, for all who ask for the same.

        Args:
            key: the same for the same question.
            read: answers it.

        Raises:
            Crowded: it is not this question's turn.
        """
        now = asyncio.get_running_loop().time
        with self._asker():
            since = now() - self._kept_s
            while True:
                reading = self._readings.get(key)
                if reading is None or (reading.task.done() and reading.began_at <= since):
                    reading = self._begin(key, read)
                if reading.began_at > since:
                    answer = await asyncio.shield(reading.task)
                    return answer, now() - reading.began_at
                await asyncio.wait({reading.task})

    def _begin(self, key: Hashable, read: Callable[[], Awaitable[_Answer]]) -> _Reading[_Answer]:
        loop = asyncio.get_running_loop()

        async def whole() -> _Answer:
            await self._turn()
            try:
                reading.began_at = loop.time()
                return await read()
            finally:
                self._places.release()

        def ended(task: asyncio.Task[_Answer]) -> None:
            if not task.cancelled():
                task.exception()  # it has been seen, even if nobody waits any more
            loop.call_later(self._kept_s, forget)

        def forget() -> None:
            if self._readings.get(key) is reading:
                del self._readings[key]

        reading = self._readings[key] = _Reading(loop.create_task(whole()))
        reading.task.add_done_callback(ended)
        return reading

    @contextmanager
    def _asker(self) -> Iterator[None]:
        if self._free <= 0:
            raise Crowded
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise Crowded from None
