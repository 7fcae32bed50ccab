"""A simulated process that crashes does nothing more, whatever it had begun."""

from __future__ import annotations

import asyncio

from tests.simulation.process import Process
from tests.simulation.scenes import play
from tests.simulation.world import World


def test_a_crash_ends_what_nobody_awaits() -> None:
    """Work that goes on in the background, shielded from its caller's end, ends with the process."""
    done: list[float] = []

    async def scene(world: World) -> None:
        process = Process(world, "p", "other")

        async def work() -> None:
            while True:
                await process.sleep(1.0)
                done.append(world.loop.now_s)

        async def main() -> None:
            await asyncio.shield(asyncio.create_task(work()))

        caller = process.start(main())
        await world.pass_time(1.5)
        caller.cancel()
        await world.pass_time(1.0)
        process.crash()
        await process.ended()
        await world.pass_time(5.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert [round(at_s) for at_s in done] == [1, 2]


def test_what_outlives_a_crash_is_a_violation() -> None:
    """A task that takes no cancellation for an answer is found."""

    async def scene(world: World) -> None:
        process = Process(world, "p", "other")

        async def main() -> None:
            for _ in range(100):
                try:
                    await asyncio.sleep(1000.0)
                except asyncio.CancelledError:
                    continue

        task = process.start(main())
        await world.pass_time(1.0)
        process.crash()
        await process.ended()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0.0)

    assert any("has crashed and works on" in each for each in play(scene).oracle.violations)
