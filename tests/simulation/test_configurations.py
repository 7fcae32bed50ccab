"""A configuration that changes in mid-switch, deployed to one process first, then to another."""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Configuration, Phase, Status
from nvaha.ports import NetworkFault
from tests.simulation.scenes import command, only, play, settled, the_state, until
from tests.simulation.test_looks import hops
from tests.simulation.world import World

COMMAND = FailoverCommanded("g0n1", "operator")


def part_of(world: World, *, tables: int, nvas: int = 9) -> Configuration:
    """Return a configuration of which the group has only the first few tables and NVAs."""
    (group,) = world.everything.groups
    part = replace(group, route_tables=group.route_tables[:tables], nvas=group.nvas[:nvas])
    return replace(world.everything, groups=(part,))


async def give(world: World, configuration: Configuration, *kinds: str) -> None:
    """Start some processes again with another configuration, and wait until they are there."""
    await world.pass_time(0.5)
    world.configuration = configuration
    for kind in kinds:
        only(world, kind).crash()
    waited_for = set(kinds)
    while waited_for:
        await world.pass_time(0.1)
        waited_for -= {each.kind for each in world.processes() if each.configuration is configuration}
    await world.pass_time(0.5)


async def switching(world: World) -> None:
    """Let an operator move the group, and wait until a worker is at it."""
    await command(world, COMMAND)
    await until(world, lambda state: state.switch is not None and state.switch.claimed)


def test_a_table_added_in_mid_switch_is_moved_before_it_is_done() -> None:
    """The leader has it before the worker: the old worker stops, and the same operation ends with both."""
    active: list[str | None] = []

    async def scene(world: World) -> None:
        await give(world, part_of(world, tables=1), "monitor", "worker", "web")
        await settled(world)
        await switching(world)
        await give(world, world.everything, "monitor")
        await world.pass_time(60.0)
        active.append(the_state(world).active)
        await give(world, world.everything, "worker")
        await until(world, lambda state: state.phase is Phase.STEADY, 120.0)
        await world.pass_time(1.0)

    world = play(scene, tables=2, operation_s=40.0, deadline_s=600.0)
    assert world.oracle.violations == []
    assert active == ["g0n0"]
    assert [hops(world, each) for each in world.group("g0").route_tables] == [{"g0n1"}] * 2
    assert [each.status for each in world.storage.tables.operations.values()] == [Status.DONE]
    assert "switch_reconfigured" in [each.event for each in world.notices]


def test_a_table_removed_in_mid_switch_is_written_no_more() -> None:
    """It was locked so far; once the leader has it no more, a worker that still has it leaves it alone."""

    async def scene(world: World) -> None:
        removed = world.everything.groups[0].route_tables[1]
        await settled(world)
        world.faults.unwritable[removed.casefold()] = NetworkFault.BUSY
        await switching(world)
        await give(world, part_of(world, tables=1), "monitor")
        await until(world, lambda state: state.epoch == 2)
        world.faults.unwritable.clear()
        await world.pass_time(60.0)
        await give(world, world.configuration, "worker")
        await until(world, lambda state: state.phase is Phase.STEADY, 120.0)
        await world.pass_time(1.0)

    world = play(scene, tables=2)
    kept, removed = world.everything.groups[0].route_tables
    assert world.oracle.violations == []
    assert (the_state(world).active, hops(world, kept), hops(world, removed)) == ("g0n1", {"g0n1"}, {"g0n0"})


def test_what_the_leader_gets_after_the_end_is_repaired_unasked_for_or_not() -> None:
    """A switch ends before the leader has the new table: the next looks find it, and it is moved as well."""

    async def scene(world: World) -> None:
        await give(world, part_of(world, tables=1), "monitor", "worker", "web")
        await settled(world)
        await command(world, COMMAND)
        await until(world, lambda state: state.active == "g0n1")
        await give(world, world.everything, "worker", "monitor")
        await world.pass_time(120.0)

    world = play(scene, tables=2)
    assert world.oracle.violations == []
    assert [hops(world, each) for each in world.group("g0").route_tables] == [{"g0n1"}] * 2


def test_a_target_removed_in_mid_switch_is_the_target_no_more() -> None:
    """The switch ends, and the group comes to rest on an NVA that there is."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.unwritable[world.group("g0").route_tables[1].casefold()] = NetworkFault.BUSY
        await command(world, FailoverCommanded("g0n2", "operator"))
        await until(world, lambda state: state.switch is not None and state.switch.claimed)
        await give(world, part_of(world, tables=2, nvas=2), "monitor", "worker")
        world.faults.unwritable.clear()
        await world.pass_time(300.0)

    world = play(scene, tables=2, nvas=3)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n0")
