"""What ARM may be asked is short: switches go on, looks decide nothing, and all is right once it is over."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase, Status
from nvaha.ports import NetworkFault
from tests.simulation.scenes import command, play, point_at, settled, the_state, until
from tests.simulation.world import World


@pytest.mark.parametrize("struck", [1, 3])
@pytest.mark.parametrize("seconds", [20.0, 200.0])
def test_a_switch_does_not_fail_because_some_reads_are_throttled(struck: int, seconds: float) -> None:
    """One table of three, or all that there is: one operation waits for it and is done."""
    said: list[str] = []

    async def scene(world: World) -> None:
        await settled(world)
        for each in world.group("g0").route_tables[:struck]:
            world.faults.unreadable[each.casefold()] = NetworkFault.THROTTLED
        said.append((await command(world, FailoverCommanded("g0n1", "operator")))["id"])
        await world.pass_time(seconds)
        assert the_state(world).phase is Phase.SWITCHING
        world.faults.unreadable.clear()
        await until(world, lambda state: state.phase is not Phase.SWITCHING)
        # The record is closed a moment after the state.
        await world.pass_time(1.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.generation) == (Phase.STEADY, "g0n1", 1)
    assert world.storage.tables.operations[said[0]].status is Status.DONE


def test_a_dead_nva_is_left_though_nobody_may_look() -> None:
    """While looks go without for minutes, probes and what follows from them take their time as ever."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.reads_short_until_s = world.loop.now_s + 300.0
        await world.pass_time(60.0)
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.active == "g0n1", within_s=15.0)

    world = play(scene, tables=2, public_ips=1)
    assert world.oracle.violations == []
    assert world.counts["reads left to switches"] > 0


def test_looks_that_went_without_find_what_has_drifted_afterwards() -> None:
    """Nothing is drift while nobody may look; once somebody may, it is seen and repaired."""
    seen: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.reads_short_until_s = world.loop.now_s + 200.0
        point_at(world, world.group("g0").route_tables[0], "g0n1")
        for _ in range(19):
            await world.pass_time(10.0)
            seen.append(the_state(world).drift.seen)
        await world.pass_time(400.0)

    world = play(scene, tables=2, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert set(seen) == {0}
    assert (state.phase, state.active, state.generation) == (Phase.STEADY, "g0n0", 1)
    assert state.drift.sentences == ()
