"""Scenarios that chance meets too seldom, on the same simulated world."""

from __future__ import annotations

from nvaha.model import Phase
from tests.simulation.scenes import only, play, the_state
from tests.simulation.world import World


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
            confirmed.extend(nva.confirmed for nva in the_state(world).nvas.values())

    world = play(scene)
    assert world.oracle.violations == []
    assert set(confirmed) == {0}


def test_a_dead_active_nva_is_left_for_the_other_one() -> None:
    """With nothing else going wrong a failover is done within seconds, and everything agrees."""

    async def scene(world: World) -> None:
        await world.pass_time(30.0)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(25.0)

    world = play(scene)
    state = the_state(world)
    assert world.oracle.violations == []
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
        failures.append(the_state(world).nvas["g0n1"].failures)

    world = play(scene, silent_nvas=True, timeout_s=1.0)
    assert world.oracle.violations == []
    assert failures == [0]
