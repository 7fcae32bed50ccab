"""Running one seed: faults while safety is checked, then none until everything is right again."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.simulation.knobs import WAITING, Knobs, draw
from tests.simulation.loop import VirtualLoop
from tests.simulation.rest import bound_s, stuck, unsettled
from tests.simulation.world import World

QUIET_RIVALS_S = 300.0
LOOK_S, QUIET_FOR = 1.0, 3
"""The end is looked for this often, and has to be seen so often in a row."""


@dataclass(slots=True)
class Result:
    """What came of one run."""

    knobs: Knobs
    violations: list[str]
    digest: str
    counts: Counter[str]
    log: list[str]
    virtual_s: float


def run(seed: int, waiting: frozenset[str] = WAITING) -> Result:
    """Run one seed, without the faults and rules that wait."""
    return run_with(draw(seed, waiting))


def run_with(knobs: Knobs) -> Result:
    """Run one scenario."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    collecting = gc.isenabled()
    gc.disable()
    try:
        world = World(loop, knobs)
        unexpected: list[str] = []

        def handle(_: Any, context: dict[str, Any]) -> None:
            if isinstance(context.get("task"), asyncio.Task):
                unexpected.append(f"{context['message']}: {context.get('exception')!r}")

        loop.set_exception_handler(handle)
        loop.run_until_complete(_scenario(world))
        digest = hashlib.sha256("\n".join(world.log).encode()).hexdigest()
        violations = world.oracle.violations + unexpected
        return Result(world.knobs, violations, digest, world.counts, world.log, loop.now_s)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        if collecting:
            gc.enable()


async def _scenario(world: World) -> None:
    world.start()
    if await world.pass_time(world.knobs.fault_s + world.knobs.asleep_s):
        world.note("world", "HEALS")
        world.heal()
        await (_converge(world) if world.other is None else _stop(world))
    await world.shut()


async def _stop(world: World) -> None:
    """Wait until two deployments leave each other alone: one or both have stopped, and stay so."""
    if not await world.pass_time(bound_s(world)):
        return
    begun = _begun(world)
    if await world.pass_time(QUIET_RIVALS_S) and _begun(world) != begun:
        world.oracle.violated("two deployments go on fighting")
    world.note("world", "is at rest")


def _begun(world: World) -> int:
    """Return how many switches either deployment has begun."""
    return sum(number for what, number in world.counts.items() if what.startswith("switches: "))


async def _converge(world: World) -> None:
    bound, healed_s = bound_s(world), world.loop.now_s
    until, quiet = healed_s + bound, 0
    while quiet < QUIET_FOR:
        left = list(unsettled(world))
        quiet = 0 if left else quiet + 1
        for each in stuck(world, healed_s):
            world.oracle.violated(each)
        if world.loop.now_s > until:
            world.oracle.violated(f"not right within {bound:.0f} s: {'; '.join(left)}")
        if not await world.pass_time(LOOK_S):
            return
    world.note("world", "is at rest")
