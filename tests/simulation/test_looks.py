"""What a look at Azure may decide, and what looks cost."""

from __future__ import annotations

from nvaha.model import Phase
from nvaha.ports import NetworkFault
from tests.simulation.scenes import play, point_at, the_state, until
from tests.simulation.world import World


def test_a_look_that_could_not_see_everything_names_no_owner() -> None:
    """Throttled on two tables of three, a first look finds the third on the standby and decides nothing."""

    async def scene(world: World) -> None:
        first, *others = world.group("g0").route_tables
        point_at(world, first, "g0n1")
        for each in others:
            world.faults.unreadable[each.casefold()] = NetworkFault.BUSY
        await world.pass_time(60.0)
        world.faults.unreadable.clear()
        await world.pass_time(60.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n0")


def test_a_resource_that_is_throttled_is_no_drift() -> None:
    """A table that cannot be read for minutes disagrees with nobody: nothing is drift, nothing moves."""
    seen: list[int] = []

    async def scene(world: World) -> None:
        await until(world, lambda state: state.phase is Phase.STEADY)
        table = world.group("g0").route_tables[0]
        world.faults.unreadable[table.casefold()] = NetworkFault.BUSY
        for _ in range(40):
            await world.pass_time(15.0)
            seen.append(the_state(world).drift.seen)
        world.faults.unreadable.clear()

    world = play(scene, tables=2, public_ips=1, drift_interval_s=30.0)
    assert world.oracle.violations == []
    assert set(seen) == {0}
    assert world.counts["writes"] == 0


def test_a_dead_nva_is_left_though_azure_is_not_read_whole() -> None:
    """A table that nobody may read is left out; everything else leaves the dead NVA."""

    async def scene(world: World) -> None:
        await until(world, lambda state: state.phase is Phase.STEADY)
        await world.pass_time(20.0)
        world.faults.unreadable[world.group("g0").route_tables[0].casefold()] = NetworkFault.DENIED
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(60.0)

    world = play(scene, tables=2, public_ips=0)
    second = world.group("g0").route_tables[1]
    assert world.oracle.violations == []
    assert hops(world, second) == {"g0n1"}


def hops(world: World, table: str) -> set[str]:
    """Return the NVAs that a table's routes point at."""
    routes = world.arm.entry(table).body["properties"]["routes"]
    places = (world.places.get(each["properties"].get("nextHopIpAddress")) for each in routes)
    return {place.nva for place in places if place is not None}
