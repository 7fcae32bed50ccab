"""The local host beside the real listeners: one test for each row of azure-facts E2, with its figures.

Ten minutes take none here. A figure that was measured once and depends on chance must lie among those of many
runs.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from random import Random

import pytest

from nvaha.lab.host.lifetime import STOP_S
from tests.unit.host_in_time import (
    LOCK,
    LONGEST_S,
    NOT_BASE64,
    OUT_OF_SIGHT_S,
    SETTINGS,
    SLOW_POLL_S,
    Host,
    encoded,
    fail,
    last,
    many,
)
from tests.unit.storage_in_time import (
    REFUSED,
    Storage,
    in_time,
    now,
)


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
