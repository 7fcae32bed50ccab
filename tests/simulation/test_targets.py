"""What was asked for is finished: the target of a switch stays the target."""

from __future__ import annotations

from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.model import Phase, Status
from nvaha.ports import NetworkFault
from tests.simulation.scenes import command, play, settled, the_state, until
from tests.simulation.world import World

COMMAND = FailoverCommanded("g0n1", "operator")


def lock(world: World, which: str) -> None:
    """Let Azure refuse every write of two of three tables, or of the NIC that a public IP leaves."""
    ids = world.group("g0").route_tables[:2]
    if which == "nic":
        ids = tuple(world.group("g0").nva("g0n0").interfaces.values())
    for each in ids:
        world.faults.unwritable[each.casefold()] = NetworkFault.REFUSED


def test_two_locked_tables_of_three_do_not_outvote_the_operator() -> None:
    """While they are locked nothing goes back; once they are free, everything is on the target."""
    finish_once_free("table")


def test_a_locked_nic_does_not_outvote_the_operator() -> None:
    """While it keeps a public IP nothing goes back; once it is free, everything is on the target."""
    finish_once_free("nic")


def finish_once_free(which: str) -> None:
    """Command a switch that a lock holds up for two minutes."""

    async def scene(world: World) -> None:
        await settled(world)
        lock(world, which)
        await command(world, COMMAND)
        await world.pass_time(120.0)
        world.faults.unwritable.clear()
        await world.pass_time(320.0)

    world = play(scene, tables=3, public_ips=1)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")


def test_a_failover_is_finished_though_the_dead_nva_comes_back() -> None:
    """An NVA dies, its failover is half done because of a lock, it comes back: the failover goes on."""

    async def scene(world: World) -> None:
        await settled(world)
        lock(world, "table")
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(30.0)
        world.chaos.set_alive("g0n0", alive=True)
        await world.pass_time(60.0)
        world.faults.unwritable.clear()
        await world.pass_time(320.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")


def test_a_target_that_falls_is_the_target_no_more() -> None:
    """A switch is half done, its target dies: the group ends on the NVA that is up."""

    async def scene(world: World) -> None:
        await settled(world)
        lock(world, "table")
        await command(world, COMMAND)
        await world.pass_time(20.0)
        world.chaos.set_alive("g0n1", alive=False)
        await world.pass_time(20.0)
        world.faults.unwritable.clear()
        await world.pass_time(320.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n0")


def test_a_newer_command_is_the_target_from_then_on() -> None:
    """A switch to one NVA is half done, an operator commands the other: that is where the group ends."""

    async def scene(world: World) -> None:
        await settled(world)
        lock(world, "table")
        await command(world, COMMAND)
        await world.pass_time(20.0)
        await until(world, lambda state: state.phase is not Phase.SWITCHING)
        await command(world, FailoverCommanded("g0n0", "operator", force=True))
        world.faults.unwritable.clear()
        await world.pass_time(120.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n0")


def test_a_pause_holds_up_what_is_half_done_and_its_end_lets_it_go_on() -> None:
    """Paused, a half-done switch is not tried again; resumed, it is finished."""
    begun: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        lock(world, "table")
        await command(world, COMMAND)
        await world.pass_time(10.0)
        await command(world, PauseCommanded(paused=True, by="operator"))
        begun.append(the_state(world).generation)
        await world.pass_time(120.0)
        begun.append(the_state(world).generation)
        world.faults.unwritable.clear()
        await command(world, PauseCommanded(paused=False, by="operator"))
        await world.pass_time(320.0)

    world = play(scene, tables=3, public_ips=0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert begun[0] == begun[1]
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")


def test_a_switch_is_not_done_while_an_nva_s_addresses_are_unknown() -> None:
    """The old NVA's NIC was never read, so its routes are not recognised: that is no reason to say done."""

    async def scene(world: World) -> None:
        for nic in world.group("g0").nva("g0n0").interfaces.values():
            world.faults.unreadable[nic.casefold()] = NetworkFault.DENIED
        await world.pass_time(20.0)
        await command(world, COMMAND)
        await world.pass_time(30.0)

    world = play(scene, tables=1, public_ips=0, fixed_addresses=True)
    assert world.oracle.violations == []
    assert all(each.status is not Status.DONE for each in world.storage.tables.operations.values())
