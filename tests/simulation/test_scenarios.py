"""Scenarios that chance meets too seldom, on the same simulated world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from nvaha.model import Phase
from tests.simulation.knobs import RATES, draw
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process
from tests.simulation.world import World


def play(scene: Callable[[World], Coroutine[Any, Any, None]], **knobs: Any) -> World:
    """Play a scene in a quiet world with one group, one monitor and one worker."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    quiet: dict[str, Any] = {
        "groups": 1,
        "nvas": 2,
        "monitors": 1,
        "workers": 1,
        "interval_s": 1.0,
        "fast_interval_s": 0.5,
        "timeout_s": 0.5,
        "fall": 3,
        "rise": 2,
        "automatic": True,
        "control_target": False,
        "split_at_start": False,
        "storage_latency_s": 0.005,
        "rates": dict.fromkeys(RATES, 0.0),
    }
    try:
        world = World(loop, replace(draw(0), **{**quiet, **knobs}))

        async def run() -> None:
            world.start()
            await scene(world)
            await world.shut()

        loop.run_until_complete(run())
        return world
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def only(world: World, kind: str) -> Process:
    """Return the one process of a kind."""
    return next(each for each in world.processes() if each.kind == kind)


def test_an_answer_before_a_stall_proves_no_sight_after_it() -> None:
    """A monitor that stalls between two rounds and then hears nothing confirms no failure."""
    confirmed: list[int] = []

    async def scene(world: World) -> None:
        await world.pass_time(32.5)
        monitor = only(world, "monitor")
        monitor.stall()
        monitor.isolated = True
        await world.pass_time(5.0)
        monitor.wake()
        for _ in range(40):
            await world.pass_time(0.25)
            state = world.state("g0")
            assert state is not None
            confirmed.extend(nva.confirmed for nva in state.nvas.values())

    world = play(scene)
    assert world.oracle.violations == []
    assert set(confirmed) == {0}


def test_a_dead_active_nva_is_left_for_the_other_one() -> None:
    """With nothing else going wrong a failover is done within seconds, and everything agrees."""

    async def scene(world: World) -> None:
        await world.pass_time(30.0)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(25.0)

    world = play(scene, operation_s=1.0, hold_down_s=10.0)
    state = world.state("g0")
    assert world.oracle.violations == []
    assert state is not None
    assert (state.phase, state.active, state.generation) == (Phase.STEADY, "g0n1", 1)


def test_what_was_read_before_a_stall_is_not_believed_after_it() -> None:
    """A monitor that stalls in the middle of a round forgets the round."""
    failures: list[int] = []

    async def scene(world: World) -> None:
        await world.pass_time(32.5)
        world.chaos.set_alive("g0n1", alive=False)
        await world.pass_time(1.05)
        monitor = only(world, "monitor")
        monitor.stall()
        await world.pass_time(8.0)
        monitor.wake()
        await world.pass_time(0.05)
        state = world.state("g0")
        assert state is not None
        failures.append(state.nvas["g0n1"].failures)

    world = play(scene, silent_nvas=True, timeout_s=1.0)
    assert world.oracle.violations == []
    assert failures == [0]
