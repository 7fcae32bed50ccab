"""A leader whose own network is gone, beside a monitor whose network is not."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.model import Phase
from tests.simulation.process import Process
from tests.simulation.scenes import play, settled, the_state
from tests.simulation.world import World


def monitors(world: World) -> list[Process]:
    """Return the monitors."""
    return [each for each in world.processes() if each.kind == "monitor"]


def leading(world: World) -> Process | None:
    """Return the monitor that may rely on the leader's lease."""
    found = [each for each in monitors(world) if world.oracle.leases.epoch(each, "leader") is not None]
    return found[0] if found else None


def gave_up(world: World) -> int:
    """Return how often a leader gave the lease up for another."""
    return world.counts["gave the lease up"]


@pytest.mark.parametrize("control_target", [False, True])
@pytest.mark.parametrize("fixed_addresses", [False, True])
def test_the_monitor_that_sees_leads_and_switches(control_target: bool, fixed_addresses: bool) -> None:
    """Within a lease, an interval and a little it leads; the NVA that dies meanwhile is left."""
    seen: list[Any] = []

    async def scene(world: World) -> None:
        await settled(world)
        await world.pass_time(15.0)
        first = leading(world)
        assert first is not None
        first.isolated = True
        await world.pass_time(26.0)
        seen.append(leading(world) not in {None, first})
        world.chaos.set_alive(the_state(world).active or "", alive=False)
        await world.pass_time(30.0)
        first.isolated = False
        await world.pass_time(300.0)
        seen.append(leading(world) is not first)

    world = play(scene, monitors=2, control_target=control_target, fixed_addresses=fixed_addresses)
    assert world.oracle.violations == []
    assert seen == [True, True]
    assert gave_up(world) == 1
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n1")


def test_where_nobody_sees_the_leader_stays() -> None:
    """Both monitors are cut off: the lease stays where it is, and the rounds go on."""
    seen: list[bool] = []

    async def scene(world: World) -> None:
        await settled(world)
        first = leading(world)
        for each in monitors(world):
            each.isolated = True
        await world.pass_time(120.0)
        seen.append(leading(world) is first)

    world = play(scene, monitors=2)
    assert world.oracle.violations == []
    assert seen == [True]
    assert gave_up(world) == 0


def test_networks_that_go_in_turn_change_the_leader_seldom() -> None:
    """First one, then the other, every twenty seconds for ten minutes."""

    async def scene(world: World) -> None:
        await settled(world)
        for turn in range(30):
            for number, each in enumerate(monitors(world)):
                each.isolated = number == turn % 2
            await world.pass_time(20.0)

    world = play(scene, monitors=2)
    assert world.oracle.violations == []
    assert 1 <= gave_up(world) <= 8


def test_a_standby_that_dies_right_after_leaves_nobody_out() -> None:
    """Who gave the lease up takes it again once nobody leads, blind or not."""
    seen: list[bool] = []

    async def scene(world: World) -> None:
        await settled(world)
        first = leading(world)
        assert first is not None
        first.isolated = True
        while leading(world) in {None, first}:
            await world.pass_time(0.5)
        for slot in world.slots:
            if slot.process is not first and slot.process is not None and slot.process.kind == "monitor":
                slot.process.stall()
        first.isolated = False
        await world.pass_time(50.0)
        seen.append(leading(world) is first)

    world = play(scene, monitors=2)
    assert world.oracle.violations == []
    assert seen == [True]
