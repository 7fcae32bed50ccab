"""The local host beside the real listeners: one test for each row of azure-facts E1 and E2, with its figures.

Listeners, SDK and host.json are the real ones; storage and time are not, so that ten minutes take none. A
figure that was measured once and depends on chance must lie among those of many runs here.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import statistics
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from azure.functions import QueueMessage
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.functions import IndexedFunction, Invoker
from nvaha.lab.host.lifetime import STOP_S, Lifetime, Listener, listen
from nvaha.lab.host.queue import QueueListener
from nvaha.lab.host.settings import read_host_settings
from nvaha.lab.host.storage import connect
from nvaha.lab.host.timer import CONTAINER, ListenerLock, TimerListener
from tests.unit.storage_in_time import (
    CONNECTION,
    DEAD,
    LATENCY_S,
    REFUSED,
    SILENT,
    Lease,
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


def never_two_at_once(host: Host) -> bool:
    """Tell whether each run began after the one before had ended."""
    return all(ended <= began for ended, began in zip(host.ended, host.ticks[1:], strict=False))


class TestTheTimersLock:
    """Rows of E1."""

    def test_kill_9_of_the_holder(self) -> None:
        """Another host waits for the rest of the lease and a poll: 13.2 to 29.3 s, median 20.7."""

        async def story(chance: Random) -> float:
            storage = Storage()
            holder, other = Host(storage).timer().start(), Host(storage).timer()
            await asyncio.sleep(chance.uniform(1, 16))
            other.start()
            await asyncio.sleep(chance.uniform(30, 60))
            assert not other.ticks
            killed_at = now()
            holder.kill()
            await asyncio.sleep(45)
            return other.ticks[0] - killed_at

        took = many(story)
        assert 7.5 <= took[0] <= 13.2 + 4
        assert 29.3 - 4 <= took[-1] <= 15 + 15 + 1
        assert statistics.median(took) == pytest.approx(20.7, abs=3)

    def test_sigterm(self) -> None:
        """The lock is given back and the other host still has to poll: 1.3 to 15.5 s."""

        async def story(chance: Random) -> float:
            storage = Storage()
            holder, other = Host(storage).timer().start(), Host(storage).timer()
            await asyncio.sleep(chance.uniform(1, 16))
            other.start()
            await asyncio.sleep(chance.uniform(30, 60))
            asked_at = now()
            await holder.stop()
            await asyncio.sleep(20)
            return other.ticks[0] - asked_at

        took = many(story)
        assert took[0] <= 1.3 + 2
        assert 15.5 - 2 <= took[-1] <= 15 + 1

    def test_a_function_longer_than_its_interval(self) -> None:
        """The next run starts at once when it ends, missed ones are one, never two at a time."""

        async def story() -> None:
            host = Host(Storage()).timer(last(3.5)).start()
            await asyncio.sleep(30)
            await host.stop()
            assert len(host.ticks) == 9
            assert never_two_at_once(host)
            assert [began - ended for ended, began in zip(host.ended, host.ticks[1:], strict=False)] == [
                0
            ] * 8

        in_time(story)

    @pytest.mark.parametrize("how", ["broken", "stolen"])
    def test_the_lease_is_broken_or_stolen(self, how: str) -> None:
        """The process ends at the next renewal, every 7.5 s; the timer fires until then."""

        async def story(chance: Random) -> float:
            storage = Storage()
            host = Host(storage).timer().start()
            await asyncio.sleep(chance.uniform(20, 40))
            lost_at = now()
            if how == "stolen":
                storage.steal(LOCK)
            else:
                storage.blobs[LOCK].id = ""
            ended_at = await host.over()
            assert ended_at - host.ticks[-1] <= 1
            assert "cannot be kept" in str(host.life.error)
            return ended_at - lost_at

        took = many(story)
        assert took[0] < 1
        assert 6.5 < took[-1] <= 7.5

    @pytest.mark.parametrize("trouble", [503, SILENT])
    def test_blob_storage_answers_503_or_hangs_for_40_s(self, trouble: int | str) -> None:
        """It goes on firing all the time, without a valid lock, and never ends."""

        async def story() -> None:
            storage = Storage()
            host = Host(storage).timer().start()
            await asyncio.sleep(20)
            host.line.trouble["blobs"] = trouble
            began_at = now()
            await asyncio.sleep(40)
            assert storage.blobs[LOCK].until < now() - 20
            host.line.trouble.clear()
            assert sum(began_at < each < now() for each in host.ticks) in {39, 40}
            await asyncio.sleep(130)
            assert not host.life.stopping
            assert storage.blobs[LOCK].until > now()

        in_time(story)

    def test_connections_to_blob_storage_are_refused(self) -> None:
        """It goes on firing; the process ends with the SDK's retries, after 28.6 s as measured."""

        async def story(chance: Random) -> float:
            host = Host(Storage(), chance).timer().start()
            await asyncio.sleep(chance.uniform(20, 40))
            host.line.trouble["blobs"] = REFUSED
            refused_at = now()
            ended_at = await host.over()
            assert sum(each > refused_at for each in host.ticks) >= ended_at - refused_at - 1
            return ended_at - refused_at

        took = many(story)
        assert 24.8 * 0.8 <= took[0] <= 28.6 <= took[-1] <= 7.5 + 24.8 * 1.2

    def test_a_host_stops_while_its_lock_is_granted(self) -> None:
        """A lock whose grant was still on its way is given back, too: the next start need not poll."""

        async def story() -> None:
            storage = Storage()
            storage.blobs[LOCK], storage.containers = Lease(), {CONTAINER}
            host = Host(storage).timer().start()
            await asyncio.sleep(LATENCY_S * 0.75)
            assert storage.blobs[LOCK].until > now()
            await host.stop()
            assert storage.blobs[LOCK].until <= now()
            assert host.ticks == []

        in_time(story)

    def test_two_hosts_run_the_timer_at_once(self) -> None:
        """With storage in trouble for the holder another host gets the lock and both fire; then it ends."""

        async def story() -> None:
            storage = Storage()
            holder, other = Host(storage).timer().start(), Host(storage).timer()
            await asyncio.sleep(20)
            other.start()
            holder.line.trouble["blobs"] = 503
            await asyncio.sleep(60)
            both = set(holder.ticks) & set(other.ticks)
            assert len(both) >= 60 - 30 - 1
            holder.line.trouble.clear()
            back_at = now()
            assert await holder.over() - back_at <= 7.5 + 12.8 * 1.2
            assert not other.life.stopping

        in_time(story)


class TestTheQueue:
    """Rows of E2."""

    def test_a_message_is_sent_to_an_idle_queue(self) -> None:
        """It is taken after 5 to 301 ms, evenly spread."""

        async def story() -> None:
            storage, chance = Storage(), Random(1)
            host = Host(storage, chance).queue("work")
            storage.queues["work"] = []
            host.start()
            sent = []
            for number in range(40):
                await asyncio.sleep(chance.uniform(3, 4))
                sent.append(now())
                storage.send_message("work", encoded(str(number)))
            await asyncio.sleep(1)
            took = sorted(at - sent_at for (at, _), sent_at in zip(host.taken, sent, strict=True))
            assert 0 <= took[0] <= 0.05
            assert 0.25 <= took[-1] <= 0.301
            assert statistics.median(took) == pytest.approx(0.15, abs=0.05)

        in_time(story)

    def test_a_function_fails(self) -> None:
        """The message comes again after 5.1 s, five times in all, and then goes to -poison at once."""

        async def story() -> None:
            storage = Storage()
            storage.send_message("work", encoded("bad"))
            host = Host(storage).queue("work", fail).start()
            await asyncio.sleep(60)
            times = [at for at, _ in host.taken]
            assert len(times) == 5
            assert all(5.0 <= b - a <= 5.301 for a, b in itertools.pairwise(times))
            assert storage.texts("work") == []
            assert storage.texts("work-poison") == [encoded("bad")]

        in_time(story)

    def test_a_message_that_is_not_base64_in_the_queue(self) -> None:
        """It is moved to -poison at its first reading, as it is, with no attempt."""

        async def story() -> None:
            storage = Storage()
            storage.send_message("work", NOT_BASE64)
            storage.send_message("work", encoded("good"))
            host = Host(storage).queue("work").start()
            await asyncio.sleep(0.301)
            assert [text for _, text in host.taken] == ["good"]
            assert (storage.texts("work"), storage.texts("work-poison")) == ([], [NOT_BASE64])

        in_time(story)

    def test_a_message_that_is_not_base64_in_poison(self) -> None:
        """The function never sees it; it is out of sight for 10 minutes, again and again until it expires."""

        async def story() -> None:
            storage = Storage()
            message = storage.send_message("work-poison", NOT_BASE64)
            message.expires_at = 2.5 * OUT_OF_SIGHT_S
            host = Host(storage).queue("work-poison", poll_s=SLOW_POLL_S).start()
            await asyncio.sleep(SLOW_POLL_S)
            for count in (1, 2):
                assert (message.count, storage.texts("work-poison")) == (count, [NOT_BASE64])
                assert now() - SLOW_POLL_S <= message.visible_at - OUT_OF_SIGHT_S <= now()
                await asyncio.sleep(message.visible_at + SLOW_POLL_S - now())
            assert message.count == 3
            await asyncio.sleep(OUT_OF_SIGHT_S)
            assert storage.texts("work-poison") == []
            assert host.taken == []

        in_time(story)

    def test_a_function_fails_on_a_message_of_a_poison_queue(self) -> None:
        """Its next attempt comes after 10 minutes, and there is no limit of attempts."""

        async def story() -> None:
            storage = Storage()
            storage.send_message("work-poison", encoded("bad"))
            host = Host(storage).queue("work-poison", fail, poll_s=SLOW_POLL_S).start()
            await asyncio.sleep(6 * (OUT_OF_SIGHT_S + SLOW_POLL_S))
            times = [at for at, _ in host.taken]
            assert len(times) == SETTINGS.queues.max_dequeue_count + 2
            assert all(0 <= b - a - OUT_OF_SIGHT_S <= SLOW_POLL_S for a, b in itertools.pairwise(times))
            assert storage.texts("work-poison") == [encoded("bad")]

        in_time(story)

    def test_the_process_is_killed_while_a_message_is_in_work(self) -> None:
        """The message is back after what is left of 10 minutes, which are extended every 5."""

        async def story() -> None:
            storage = Storage()
            storage.send_message("work", encoded("long"))
            host = Host(storage).queue("work", last(900), poll_s=SLOW_POLL_S).start()
            await asyncio.sleep(320)
            host.kill()
            other = Host(storage).queue("work", poll_s=SLOW_POLL_S).start()
            await asyncio.sleep(650)
            ((at, _),) = other.taken
            assert 0 <= at - (300 + OUT_OF_SIGHT_S) <= SLOW_POLL_S

        in_time(story)

    def test_sigterm_while_a_message_is_in_work(self) -> None:
        """The host waits for the function, here 6.9 s, and ends; a function beyond 10 s is lost."""

        async def story(takes_s: float) -> tuple[float, list[str]]:
            storage = Storage()
            storage.send_message("work", encoded("slow"))
            host = Host(storage).queue("work", last(takes_s)).timer().start()
            await asyncio.sleep(0.1)
            took = await host.stop()
            assert host.life.error is None
            return took, storage.texts("work")

        async def stories() -> None:
            took, left = await story(7.0)
            assert took == pytest.approx(6.9, abs=0.1)
            assert left == []
            took, left = await story(60.0)
            assert took == pytest.approx(STOP_S, abs=0.1)
            assert left == [encoded("slow")]

        in_time(stories)

    def test_16_in_work_batch_16_threshold_8(self) -> None:
        """Nothing is fetched before 8 or fewer are left."""

        async def story() -> None:
            storage, ends = Storage(), asyncio.Semaphore(0)

            async def work(_: str) -> None:
                await ends.acquire()

            for number in range(40):
                storage.send_message("work", encoded(str(number)))
            host = Host(storage).queue("work", work).start()
            for released, taken in ((0, 16), (7, 16), (1, 32), (15, 32), (1, 40)):
                for _ in range(released):
                    ends.release()
                await asyncio.sleep(5)
                assert len(host.taken) == taken
            await asyncio.sleep(5)

        in_time(story)

    def test_the_queue_answers_503_for_60_s(self) -> None:
        """It goes on trying; how soon after the return a message is taken, once 0.5 s, is chance."""

        async def story(chance: Random) -> float:
            storage = Storage()
            storage.queues["work"] = []
            host = Host(storage, chance).queue("work").start()
            await asyncio.sleep(2)
            host.line.trouble["queues"] = 503
            await asyncio.sleep(60)
            storage.send_message("work", encoded("first"))
            host.line.trouble.clear()
            back_at = now()
            async with asyncio.timeout(LONGEST_S):
                await host.busy.wait()
            assert not host.life.stopping
            return host.taken[0][0] - back_at

        took = many(story, runs=48)
        assert 0 <= took[0] <= 0.5 <= took[-1] <= 12.8 * 1.2

    def test_connections_to_the_queue_are_refused_for_20_s(self) -> None:
        """A message is taken when the SDK's back-off is over, 7.1 s after the return as measured."""

        async def story(chance: Random) -> float:
            storage = Storage()
            storage.queues["work"] = []
            host = Host(storage, chance).queue("work").start()
            await asyncio.sleep(2)
            host.line.trouble["queues"] = REFUSED
            await asyncio.sleep(20)
            storage.send_message("work", encoded("first"))
            host.line.trouble.clear()
            back_at = now()
            async with asyncio.timeout(LONGEST_S):
                await host.busy.wait()
            assert not host.life.stopping
            return host.taken[0][0] - back_at

        took = many(story)
        assert 0 <= took[0] <= 7.1 <= took[-1] <= 24.8 * 1.2 - 20 + 0.301

    def test_connections_to_the_queue_are_refused_for_longer(self) -> None:
        """After 26 s as measured the process ends, timer and all, and again after each start."""

        async def story(chance: Random) -> float:
            storage = Storage()
            host = Host(storage, chance).queue("work").timer().start()
            await asyncio.sleep(2)
            host.line.trouble["queues"] = REFUSED
            refused_at = now()
            took = await host.over() - refused_at
            assert len(host.ticks) in {int(now()), int(now()) + 1}
            assert storage.blobs[LOCK].until <= now()
            again = Host(storage, chance).queue("work").timer()
            again.line.trouble["queues"] = REFUSED
            started_at = now()
            assert 24.8 * 0.8 <= await again.start().over() - started_at <= 24.8 * 1.2
            return took

        took = many(story)
        assert 24.8 * 0.8 <= took[0] <= 26 <= took[-1] <= 24.8 * 1.2 + 0.301

    def test_functions_end_while_the_queue_answers_503(self) -> None:
        """The process dies, after 29.2 s as measured, because their messages cannot be deleted."""

        async def story(chance: Random) -> float:
            storage = Storage()
            storage.send_message("work", encoded("short"))
            host = Host(storage, chance).queue("work", last(5)).start()
            await asyncio.sleep(2)
            host.line.trouble["queues"] = 503
            silent_at = now()
            ended_at = await host.over()
            assert "cannot be deleted" in str(host.life.error)
            assert storage.texts("work") == [encoded("short")]
            return ended_at - silent_at

        took = many(story)
        assert 3 + 24.8 * 0.8 <= took[0] <= 29.2 <= took[-1] <= 3 + 24.8 * 1.2

    def test_one_single_403(self) -> None:
        """The process ends within 0.2 s, timer and all, and again after each start."""

        async def story() -> None:
            storage = Storage()
            host = Host(storage).queue("work").timer().start()
            await asyncio.sleep(2)
            host.line.trouble["queues"] = 403
            ended_at = await host.over()
            assert ended_at - host.line.asked[-2][0] <= 0.2
            assert "403" in str(host.life.error)
            assert storage.blobs[LOCK].until <= now()
            for _ in range(3):
                again = Host(storage).queue("work").timer()
                again.line.trouble["queues"] = 403
                started_at = now()
                assert await again.start().over() - started_at <= 0.2
                assert again.ticks == []
                assert storage.blobs[LOCK].until <= now()

        in_time(story)

    def test_four_messages_at_once_land_on_one_of_four_hosts(self) -> None:
        """Hosts on one queue do not share evenly: whoever looks first takes up to a whole batch."""

        async def story(chance: Random) -> float:
            storage = Storage()
            storage.queues["work"] = []
            hosts = [Host(storage, chance).queue("work", last(1)) for _ in range(4)]
            for host in hosts:
                await asyncio.sleep(chance.uniform(0, 1))
                host.start()
            await asyncio.sleep(chance.uniform(3, 4))
            for number in range(4):
                storage.send_message("work", encoded(str(number)))
            await asyncio.sleep(2)
            return float(max(len(host.taken) for host in hosts))

        assert many(story, runs=6) == [4.0] * 6
