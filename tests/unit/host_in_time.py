"""Hosts of the local kind on virtual time: real listeners, SDK and host.json; storage and time are not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from azure.functions import QueueMessage
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.functions import IndexedFunction, Invoker
from nvaha.lab.host.lifetime import Lifetime, Listener, listen
from nvaha.lab.host.queue import QueueListener
from nvaha.lab.host.settings import read_host_settings
from nvaha.lab.host.storage import connect
from nvaha.lab.host.timer import ListenerLock, TimerListener
from tests.unit.storage_in_time import (
    CONNECTION,
    DEAD,
    Line,
    Storage,
    in_time,
    now,
)

SETTINGS = read_host_settings(Path(__file__).parents[2])
LOCK = "locks/app/Host.Functions.tick.Listener"
RUNS = 24
POLL_S = SETTINGS.queues.max_polling_interval
SLOW_POLL_S = 30.0
OUT_OF_SIGHT_S = 600.0
LONGEST_S = 60.0
"""Within this a host has ended that ends at all, or taken a message that it takes soon."""
NOT_BASE64 = "<not base64 & as it is>"


@dataclass
class Host:
    """One host with a timer that ticks every second, or with queue functions."""

    storage: Storage
    chance: Random = field(default_factory=lambda: Random(0))
    life: Lifetime = field(default_factory=Lifetime)
    ticks: list[float] = field(default_factory=list)
    taken: list[tuple[float, str]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.line = Line(self.storage)
        self._listeners: list[Listener] = []
        self._running: asyncio.Task[None] | None = None

    def timer(self, work: Callable[[], Awaitable[None]] | None = None) -> Host:
        """Add the timer."""

        async def tick(timer: object) -> None:
            self.ticks.append(now())
            if work is not None:
                await work()
            self.ended.append(now())

        function = IndexedFunction(
            "tick", "timerTrigger", {"name": "timer", "schedule": "* * * * * *"}, tick, wants_context=False
        )
        blobs = connect(BlobServiceClient, "S", {"S": CONNECTION}, transport=self.line)
        lock = ListenerLock(blobs, "app", "tick", SETTINGS.singleton, self.chance.uniform)
        listener = TimerListener(function, Invoker(Path(), None), now)

        async def run(life: Lifetime) -> None:
            await lock.hold(life, listener.run)

        self._listeners.append(run)
        return self

    def queue(
        self, name: str, work: Callable[[str], Awaitable[None]] | None = None, poll_s: float = POLL_S
    ) -> Host:
        """Add a function for a queue; who looks for ten minutes need not look every 300 ms."""

        async def take(message: QueueMessage) -> None:
            text = message.get_body().decode()
            self.taken.append((now(), text))
            self.busy.set()
            if work is not None:
                await work(text)
            self.ended.append(now())

        function = IndexedFunction(
            "take", "queueTrigger", {"name": "message", "queueName": name}, take, wants_context=False
        )
        queues = connect(QueueServiceClient, "S", {"S": CONNECTION}, transport=self.line)
        invoker = Invoker(Path(), None)
        settings = SETTINGS.queues.model_copy(update={"max_polling_interval": poll_s})
        listener = QueueListener(function, invoker, queues, settings, self.chance.uniform)
        self._listeners.append(listener.run)
        return self

    def start(self) -> Host:
        """Run it."""
        self._running = asyncio.create_task(listen(self._listeners, self.life))
        return self

    async def stop(self) -> float:
        """Ask it to stop as SIGTERM does; return how long it took to end."""
        asked = now()
        self.life.stop()
        await self.over()
        return now() - asked

    async def over(self) -> float:
        """Wait until it has begun to shut down and has ended; return when it began."""
        async with asyncio.timeout(LONGEST_S):
            await self.life.stopped()
        began = now()
        assert self._running is not None
        await self._running
        return began

    def kill(self) -> None:
        """End it as -9 does: nobody hears of it again."""
        self.line.trouble = {"blobs": DEAD, "queues": DEAD}


def last(work: float) -> Callable[..., Awaitable[None]]:
    """Return what takes so many seconds."""

    async def lasting(*_: object) -> None:
        await asyncio.sleep(work)

    return lasting


async def fail(*_: object) -> None:
    """Fail, as a function does."""
    raise RuntimeError("as told")


def encoded(text: str) -> str:
    """Return a message's text as the trigger expects it."""
    return base64.b64encode(text.encode()).decode()


def many(story: Callable[[Random], Coroutine[Any, Any, float]], runs: int = RUNS) -> list[float]:
    """Return a story's figure, for so many draws of chance."""
    figures: list[float] = []

    async def one(number: int) -> None:
        figures.append(await story(Random(number)))

    for number in range(runs):
        in_time(lambda: one(number))  # noqa: B023 - it is run at once
    return sorted(figures)
