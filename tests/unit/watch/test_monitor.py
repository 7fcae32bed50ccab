"""One monitor's ticks: leading, following, taking over, giving up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from nvaha.model import Configuration, Phase
from nvaha.ports import LEASE_S
from nvaha.watch.monitor import Monitor
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, known, outside, watched_group

TICK_S = 55.0


def monitor(out: Outside, name: str = "one") -> Monitor:
    """Return a monitor of the group."""
    return Monitor(Configuration((watched_group(),)), out.ports, name)


async def tick(
    out: Outside, seconds: float = TICK_S, at: Mapping[float, Callable[[], object]] | None = None
) -> float:
    """Run one tick of a new monitor, with what happens at which second; return when it ended."""

    for when, happens in (at or {}).items():
        after(when, happens)
    await monitor(out).tick(seconds)
    return out.clock.monotonic()


def leading(out: Outside) -> list[str]:
    """Return what was told of leadership, in order."""
    return [each for each in out.told.events if each.startswith("leader")]


async def test_a_monitor_that_finds_nobody_leading_leads() -> None:
    """It takes the lease, stamps its epoch, probes, looks at Azure and says who it is."""
    out = outside()
    await tick(out)
    assert (out.state().phase, out.state().active, out.state().epoch) == (Phase.STEADY, "a", 2)
    assert out.store.leader is not None
    assert (out.store.leader.instance, out.store.leader.epoch) == ("one", 2)
    assert out.told.events[0] == "leader_elected"


async def test_a_tick_ends_when_its_budget_is_used_up() -> None:
    """The platform starts the next one on time."""
    assert TICK_S <= await tick(outside()) < TICK_S + 1.0


async def test_a_tick_that_ends_well_keeps_the_lease_for_the_next() -> None:
    """Leadership does not change hands at every tick."""
    out = outside(known())

    mine = monitor(out)
    for _ in range(3):
        await mine.tick(TICK_S)
        await out.clock.sleep(5.0)
    assert (leading(out), out.leases.epochs["leader"]) == (["leader_elected"], 2)


async def test_a_lease_that_ran_out_between_two_ticks_is_taken_up_again() -> None:
    """The platform may take its time; nobody else has led meanwhile, and the monitor says that it had not."""
    out = outside(known())

    mine = monitor(out)
    await mine.tick(TICK_S)
    await out.clock.sleep(LEASE_S * 4)
    await mine.tick(TICK_S)
    assert leading(out) == ["leader_elected", "leader_lost", "leader_elected"]


async def test_a_follower_changes_nothing_and_takes_over_when_the_lease_runs_out() -> None:
    """The leader is gone; within one lease and a second the other has probed."""
    out = outside(known())
    out.prober.silent.add(A)

    seen: list[object] = []
    assert await out.leases.acquire("leader", "dead", at_least=4)
    before = out.state()
    after(LEASE_S - 0.1, lambda: seen.append((out.state() == before, list(out.prober.asked))))
    await monitor(out).tick(LEASE_S + 1.0)
    assert seen == [(True, [])]
    assert out.state().epoch == 6
    assert A in out.prober.asked


@pytest.mark.parametrize("started_after_s", [0.1, 1.3, 3.9, 11.7, 14.6])
async def test_a_process_started_again_watches_half_a_second_after_its_dead_selfs_lease(
    started_after_s: float,
) -> None:
    """Whenever it comes up, it has probed within half a second of being able to lead."""
    out = outside(known())
    assert await out.leases.acquire("leader", "dead", at_least=4)
    await out.clock.sleep(started_after_s)
    await monitor(out).tick(LEASE_S + 0.5 - started_after_s)
    assert A in out.prober.asked


async def test_a_follower_that_has_waited_for_a_while_asks_once_a_second() -> None:
    """Each time costs a transaction, and a leader that is well is no leader that has just died."""
    out = outside(known())
    out.leases.steal("leader")
    mine = monitor(out)
    await mine.tick(TICK_S)
    asked = out.leases.asked
    await mine.tick(TICK_S)
    assert TICK_S - 1 <= out.leases.asked - asked <= TICK_S + 1


async def test_of_two_monitors_one_leads() -> None:
    """Both tick at the same time; one switch comes of an NVA's death."""
    out = outside(known())

    after(20.0, lambda: out.prober.silent.add(A))
    await asyncio.gather(monitor(out, "one").tick(TICK_S), monitor(out, "other").tick(TICK_S))
    assert out.told.events.count("leader_elected") == 1
    assert out.told.events.count("switch_requested") == 1


async def test_a_dead_nva_is_switched_away_from_without_anybodys_help() -> None:
    """From its death to the request on the queue it takes at most four seconds."""
    out = outside(known())
    await tick(out, 24.0, {20.0: lambda: out.prober.silent.add(A)})
    assert [each.target for each in out.queue.sent] == ["b"]


async def test_a_second_tick_at_the_same_time_does_nothing() -> None:
    """Whoever starts the function by hand does not count every failure twice."""
    out = outside(known())

    mine = monitor(out)
    first = asyncio.ensure_future(mine.tick(10.0))
    await out.clock.sleep(1.0)
    await mine.tick(10.0)
    at = out.clock.monotonic()
    await first
    assert at == 1.0
    assert out.prober.asked.count(A) == 10


async def test_a_short_silence_of_storage_changes_nothing() -> None:
    """The lease still stands, so the leader leads on."""
    out = outside(known())
    await tick(out, at={20.0: out.storage_goes, 25.0: out.storage_is_back})
    assert leading(out) == ["leader_elected"]


async def test_a_silence_at_the_start_of_a_tick_is_told_and_gone_on_without() -> None:
    """What is known is enough while the lease lasts."""
    out = outside(known())

    mine = monitor(out)
    await mine.tick(20.0)
    out.storage_goes()
    after(3.0, out.storage_is_back)
    await mine.tick(20.0)
    assert "store_unavailable" in out.told.events
    assert leading(out) == ["leader_elected"]


async def test_a_long_silence_of_storage_ends_leadership_and_nothing_is_switched_in_it() -> None:
    """Before the lease could be somebody else's the leader stops; it leads again once storage answers."""
    out = outside(known())
    seen: list[tuple[list[str], int]] = []
    await tick(
        out,
        at={
            10.0: out.storage_goes,
            11.0: lambda: out.prober.silent.add(A),
            25.0: lambda: seen.append((leading(out), len(out.queue.sent))),
            40.0: out.storage_is_back,
        },
    )
    assert seen == [(["leader_elected", "leader_lost"], 0)]
    assert leading(out) == ["leader_elected", "leader_lost", "leader_elected"]
    assert out.state().target == "b"


async def test_a_monitor_that_cannot_tell_who_leads_says_so_once() -> None:
    """Not at every second of the silence, and again at the next one."""
    out = outside(known())
    out.leases.answers = False

    def somebody_leads() -> None:
        out.leases.answers = True
        out.leases.steal("leader")

    await tick(out, at={12.0: somebody_leads, 20.0: out.storage_goes})
    told = [each for each in out.told.notices if each.level == "error"]
    assert [each.event for each in told] == ["store_unavailable"] * 2


async def test_a_leader_whose_lease_is_somebody_elses_steps_down() -> None:
    """It says so, and writes nothing from then on."""
    out = outside(known())
    states = []

    def later_on() -> None:
        out.prober.silent.add(A)
        states.append(out.state())

    await tick(out, at={20.0: lambda: out.leases.steal("leader"), 26.0: later_on})
    assert [each for each in out.told.events if each != "following"][-1] == "leader_lost"
    assert states == [out.state()]


async def test_a_leader_deposed_by_a_newer_epoch_leads_again_only_above_it() -> None:
    """Somebody led with that epoch: nothing is written below it."""
    out = outside(known())
    await tick(out, at={20.0: lambda: out.store.put(replace(out.state(), epoch=41))})
    assert leading(out) == ["leader_elected", "leader_lost", "leader_elected"]
    assert out.state().epoch == 42


async def test_a_tick_that_is_broken_off_gives_the_lease_up() -> None:
    """Another monitor need not wait for it to run out, and this one begins afresh."""
    out = outside(known())
    mine = monitor(out)
    first = asyncio.ensure_future(mine.tick(TICK_S))
    await out.clock.sleep(5.0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert out.leases.held == {}
    await mine.tick(TICK_S)
    assert leading(out) == ["leader_elected"] * 2
