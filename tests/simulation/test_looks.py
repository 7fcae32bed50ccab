"""What a look at Azure may decide, and what looks cost."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase
from nvaha.ports import NetworkFault
from tests.simulation.scenes import command, play, point_at, settled, the_state, until
from tests.simulation.world import World

BUDGET = 60 + 5
"""Reads of a group in an hour at rest, and of the one look more that may fall into a given hour."""


def test_a_look_that_could_not_see_everything_names_no_owner() -> None:
    """Throttled on two tables of three, a first look finds the third on the standby and decides nothing."""

    async def scene(world: World) -> None:
        first, *others = world.group("g0").route_tables
        point_at(world, first, "g0n1")
        for each in others:
            world.faults.unreadable[each.casefold()] = NetworkFault.THROTTLED
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
        world.faults.unreadable[table.casefold()] = NetworkFault.THROTTLED
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


def test_a_first_look_moves_nothing_unasked() -> None:
    """Of three tables one points at the standby: that stays so until somebody commands."""
    writes: list[int] = []

    async def scene(world: World) -> None:
        point_at(world, world.group("g0").route_tables[0], "g0n1")
        await world.pass_time(300.0)
        writes.append(world.counts["writes"])
        await command(world, FailoverCommanded("g0n0", "operator"))
        await world.pass_time(60.0)

    world = play(scene, tables=3, public_ips=0, adopt="wait")
    state = the_state(world)
    assert world.oracle.violations == []
    assert writes == [0]
    assert (state.phase, state.active) == (Phase.STEADY, "g0n0")
    assert hops(world, world.group("g0").route_tables[0]) == {"g0n0"}


def test_a_split_group_still_leaves_a_dead_active_nva() -> None:
    """Nobody has commanded yet, and the NVA that most points at dies: everything is moved off it."""
    writes: list[int] = []

    async def scene(world: World) -> None:
        point_at(world, world.group("g0").route_tables[0], "g0n1")
        await world.pass_time(60.0)
        writes.append(world.counts["writes"])
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(60.0)

    world = play(scene, tables=3, public_ips=0, adopt="wait")
    assert world.oracle.violations == []
    assert writes == [0]
    assert [hops(world, each) for each in world.group("g0").route_tables] == [{"g0n1"}] * 3


def test_a_first_look_repairs_where_the_policy_says_so() -> None:
    """Of three tables one points at the standby: it is put right at once."""

    async def scene(world: World) -> None:
        point_at(world, world.group("g0").route_tables[0], "g0n1")
        await world.pass_time(60.0)

    world = play(scene, tables=3, public_ips=0, adopt="repair")
    assert world.oracle.violations == []
    assert [hops(world, each) for each in world.group("g0").route_tables] == [{"g0n0"}] * 3


def test_a_group_at_rest_is_read_sixty_times_an_hour() -> None:
    """Nothing is wrong: no more reads than the budget of an hour."""
    assert reads_in_an_hour("nothing") <= BUDGET


def test_a_group_whose_drift_is_reported_is_read_sixty_times_an_hour() -> None:
    """One table points elsewhere and the policy is to say so: no more reads than the budget of an hour."""
    assert reads_in_an_hour("drift") <= BUDGET


@pytest.mark.parametrize("fault", [NetworkFault.DENIED, NetworkFault.BUSY])
def test_a_group_that_is_not_read_whole_is_read_sixty_times_an_hour(fault: NetworkFault) -> None:
    """One table is forbidden, or throttled, for an hour: no more reads than the budget."""
    assert reads_in_an_hour(fault) <= BUDGET


def test_a_group_whose_active_nva_cannot_be_told_is_read_at_most_once_a_second() -> None:
    """Nothing points at any NVA: whatever is asked for meanwhile, a minute costs no more than sixty reads."""

    async def scene(world: World) -> None:
        for table in world.group("g0").route_tables:
            world.arm.edit(world.arm.entry(table), lambda body: body["properties"]["routes"].clear())
        await world.pass_time(300.0)

    world = play(scene, tables=3, public_ips=0, nvas=3, roles=2)
    assert world.oracle.violations == []


def reads_in_an_hour(wrong: str) -> int:
    """Count what the leader reads of a steady group in an hour."""
    counted: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        table = world.group("g0").route_tables[0]
        if wrong == "drift":
            point_at(world, table, "g0n1")
        elif wrong != "nothing":
            world.faults.unreadable[table.casefold()] = NetworkFault(wrong)
        await world.pass_time(900.0)
        before = world.counts["reads by leaders"]
        await world.pass_time(3600.0)
        counted.append(world.counts["reads by leaders"] - before)

    world = play(scene, tables=2, public_ips=1, drift="report", interval_s=5.0, fast_interval_s=1.0)
    assert world.oracle.violations == []
    return counted[0]


@pytest.mark.parametrize("dead", ["g0n0", "g1n0"])
def test_two_groups_may_share_a_table(dead: str) -> None:
    """One group's NVA dies: its own routes of the table move, the other group's stay."""

    async def scene(world: World) -> None:
        await settled(world)
        world.chaos.set_alive(dead, alive=False)
        await world.pass_time(60.0)

    world = play(scene, groups=2, tables=2, public_ips=0, shared_table=True)
    there, stays = ("g0n1", "g1n0") if dead == "g0n0" else ("g1n1", "g0n0")
    shared, *own = dict.fromkeys(each for group in world.configuration.groups for each in group.route_tables)
    assert world.oracle.violations == []
    assert hops(world, shared) == {there, stays}
    assert [hops(world, each) for each in own] == [{each} for each in sorted((there, stays))]


def test_groups_that_share_a_table_fail_over_at_the_same_moment() -> None:
    """Both active NVAs die at once: neither write to the table undoes the other."""

    async def scene(world: World) -> None:
        await settled(world)
        for nva in ("g0n0", "g1n0"):
            world.chaos.set_alive(nva, alive=False)
        await world.pass_time(60.0)

    world = play(scene, groups=2, workers=2, tables=1, public_ips=0, shared_table=True, control_target=True)
    assert world.oracle.violations == []
    assert hops(world, world.group("g0").route_tables[0]) == {"g0n1", "g1n1"}


def hops(world: World, table: str) -> set[str]:
    """Return the NVAs that a table's routes point at."""
    routes = world.arm.entry(table).body["properties"]["routes"]
    places = (world.places.get(each["properties"].get("nextHopIpAddress")) for each in routes)
    return {place.nva for place in places if place is not None}
