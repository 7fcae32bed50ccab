"""A process without a token: its switches are carried out by others, or once it has one, and none fails."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase, Status
from tests.simulation.process import Process
from tests.simulation.scenes import command, only, play, settled, the_state, until
from tests.simulation.world import World


def workers(world: World) -> list[Process]:
    """Return the workers."""
    return [each for each in world.processes() if each.kind == "worker"]


@pytest.mark.parametrize("poor", [0, 1])
def test_a_switch_is_carried_out_where_a_token_is(poor: int) -> None:
    """Whichever of two workers has none, and however often it gets the message first."""

    async def scene(world: World) -> None:
        await settled(world)
        workers(world)[poor].no_token_until_s = world.loop.now_s + 1000.0
        for target in ("g0n1", "g0n0") * 4:
            await command(world, FailoverCommanded(target, "operator"))
            await until(world, lambda state: state.phase is not Phase.SWITCHING, within_s=60.0)
            assert the_state(world).active == target
            await world.pass_time(2.0)

    world = play(scene, tables=2, public_ips=1, workers=2)
    assert world.oracle.violations == []
    assert {each.status for each in world.storage.tables.operations.values()} == {Status.DONE}
    assert world.counts["requests without a token"] > 0


@pytest.mark.parametrize("after_s", [0.0, 0.4, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("seconds", [20.0, 200.0])
def test_a_switch_waits_for_the_only_workers_token(after_s: float, seconds: float) -> None:
    """Lost before it began or anywhere on the way: one and the same operation is done in the end."""
    said: list[str] = []

    async def scene(world: World) -> None:
        await settled(world)
        said.append((await command(world, FailoverCommanded("g0n1", "operator")))["id"])
        await world.pass_time(after_s)
        only(world, "worker").no_token_until_s = world.loop.now_s + seconds
        await until(world, lambda state: state.phase is not Phase.SWITCHING, within_s=seconds + 30.0)
        await world.pass_time(2.0)

    world = play(scene, tables=2, public_ips=1)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.generation) == (Phase.STEADY, "g0n1", 1)
    assert world.storage.tables.operations[said[0]].status is Status.DONE
