"""The local host beside the real listeners: one test for each row of azure-facts E1, with its figures.

Ten minutes take none here. A figure that was measured once and depends on chance must lie among those of many
runs.
"""

from __future__ import annotations

import asyncio
import statistics
from random import Random

import pytest

from nvaha.lab.host.timer import CONTAINER
from tests.unit.host_in_time import (
    LOCK,
    Host,
    last,
    many,
)
from tests.unit.storage_in_time import (
    LATENCY_S,
    REFUSED,
    SILENT,
    Lease,
    Storage,
    in_time,
    now,
)


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
