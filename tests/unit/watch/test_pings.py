"""A dead man's switch: pinged while everything is watched, silent otherwise, and in nobody's way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from nvaha.ports import PingFailed
from nvaha.watch.pings import PING_EVERY_S, Pings
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, B, Leader, known, outside


@dataclass(slots=True)
class FakePinger:
    """Takes a ping, or does not; `at` says when it was asked."""

    out: Outside
    takes: bool = True
    at: list[float] = field(default_factory=list)

    async def ping(self) -> None:
        """Remember a ping."""
        self.at.append(self.out.clock.monotonic())
        if not self.takes:
            raise PingFailed("status 500")


async def leading(out: Outside, seconds: float) -> FakePinger:
    """Lead with rounds, records and pings for so long."""
    pinger = FakePinger(out)
    out.ports = replace(out.ports, pinger=pinger)
    leader = Leader(out)
    await leader.lead()
    leader.record.elected()
    pings = Pings(out.ports, leader.record.all_is_watched, "one")

    async def everything() -> None:
        async with asyncio.TaskGroup() as tasks:
            for duty in (leader.rounds.run(seconds), leader.record.run(), pings.run()):
                tasks.create_task(duty)

    await leader.beside(everything(), seconds)
    return pinger


async def test_it_is_told_once_a_minute() -> None:
    """While all is watched, nobody outside waits longer than a minute and a little."""
    pinger = await leading(outside(known()), 600.0)
    gaps = [later - earlier for earlier, later in zip(pinger.at, pinger.at[1:], strict=False)]
    assert pinger.at[0] < PING_EVERY_S
    assert PING_EVERY_S <= min(gaps) <= max(gaps) < PING_EVERY_S + 5.0


async def test_a_blind_leader_is_silent() -> None:
    """Once nothing answers nobody is told that all is well, though it goes on leading."""
    out = outside(known())
    after(100, lambda: out.prober.silent.update((A, B)))
    pinger = await leading(out, 400.0)
    assert pinger.at
    assert max(pinger.at) < 100 + PING_EVERY_S / 2


async def test_one_group_that_is_not_watched_is_enough() -> None:
    """A configured group that nobody probes is no watch that goes on."""
    out = outside(known(probed_at=None))
    leader = Leader(out)
    await leader.lead()
    leader.record.round_ended()
    assert leader.record.all_is_watched() is False
    await leader.beside(leader.rounds.run(20.0), 20.0)
    assert leader.record.all_is_watched()
    leader.watched.forget()
    assert leader.record.all_is_watched() is False


async def test_a_failure_is_told_once_until_it_works_again() -> None:
    """Each outage of whoever is pinged is one line of the log."""
    out = outside(known())
    pinger = FakePinger(out, takes=False)
    pings = Pings(replace(out.ports, pinger=pinger), lambda: True, "one")
    after(300, lambda: setattr(pinger, "takes", True))
    after(600, lambda: setattr(pinger, "takes", False))
    task = asyncio.create_task(pings.run())
    await asyncio.sleep(900.0)
    task.cancel()
    assert out.told.events.count("ping_failed") == 2
    assert len(pinger.at) > 10


async def test_without_a_url_nothing_is_done() -> None:
    """Who has set none is not told of it."""
    out = outside(known())
    await Pings(out.ports, lambda: True, "one").run()
    assert out.told.events == []
