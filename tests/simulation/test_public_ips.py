"""Public IPs hang on nothing for a short while only, and a move that nobody needs is not begun by halves."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase, Status
from nvaha.operate.control import Refused
from nvaha.ports import NetworkFault
from tests.simulation.azure import carried_by
from tests.simulation.scenes import command, play, settled, the_state
from tests.simulation.world import World

COMMAND = FailoverCommanded("g0n1", "operator")
BACK_S = 60.0
"""So long a public IP may hang on nothing while the NVA that it was taken from answers."""


def refuse_attach(world: World, nva: str, fault: NetworkFault) -> None:
    """Let none of an NVA's NICs take a public IP."""
    for nic in world.group("g0").nva(nva).interfaces.values():
        world.faults.unattachable[nic.casefold()] = fault


def holders(world: World) -> list[str]:
    """Return the NICs that carry a public IP."""
    return [entry.id for entry in world.arm.entries.values() if carried_by(entry.body)]


@pytest.mark.parametrize("fault", [NetworkFault.DENIED, NetworkFault.REFUSED])
def test_a_public_ip_that_the_target_may_not_take_goes_back(fault: NetworkFault) -> None:
    """The detach is done, the attach refused for good: soon its old NVA, which answers, has it again."""
    longest_s = detached_s = 0.0
    last: list[str] = []

    async def scene(world: World) -> None:
        nonlocal longest_s, detached_s, last
        await settled(world)
        refuse_attach(world, "g0n1", fault)
        await command(world, COMMAND)
        for _ in range(300):
            await world.pass_time(1.0)
            detached_s = 0.0 if holders(world) else detached_s + 1.0
            longest_s, last = max(longest_s, detached_s), holders(world) or last

    world = play(scene, tables=1, public_ips=1)
    assert world.oracle.violations == []
    assert longest_s <= BACK_S
    assert last == [world.group("g0").nva("g0n0").interfaces[world.group("g0").public_ips[0].role]]


def test_a_public_ip_that_stays_detached_is_reported() -> None:
    """Its old NVA is dead, the other may not take it: the operation says what it leaves undone."""

    async def scene(world: World) -> None:
        await settled(world)
        refuse_attach(world, "g0n1", NetworkFault.DENIED)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(30.0)

    world = play(scene, tables=1, public_ips=1)
    assert world.oracle.violations == []
    assert holders(world) == []
    ended = [each for each in world.storage.tables.operations.values() if each.status is Status.FAILED]
    assert ended
    assert all(any("pip0" in sentence for sentence in each.unfinished) for each in ended)


def test_a_commanded_move_that_cannot_be_whole_does_not_start() -> None:
    """A table that may not be read cannot be moved: nothing is written, and the group stays where it was."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.unreadable[world.group("g0").route_tables[0].casefold()] = NetworkFault.DENIED
        try:
            await command(world, COMMAND)
        except Refused:
            return
        await world.pass_time(60.0)

    world = play(scene, tables=2, public_ips=1)
    assert world.oracle.violations == []
    assert world.counts["writes"] == 0
    assert the_state(world).active == "g0n0"


def test_a_failback_that_cannot_be_whole_does_not_start() -> None:
    """The preferred NVA is back, but a table may not be read: everything stays on the other one."""
    before: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(20.0)
        assert the_state(world).phase is Phase.STEADY
        before.append(world.counts["writes"])
        world.faults.unreadable[world.group("g0").route_tables[0].casefold()] = NetworkFault.DENIED
        world.chaos.set_alive("g0n0", alive=True)
        await world.pass_time(120.0)

    world = play(scene, tables=2, public_ips=1, failback="automatic", failback_after_s=10.0)
    assert world.oracle.violations == []
    assert world.counts["writes"] == before[0]


def test_a_dead_nva_is_left_by_as_much_as_can_be_moved() -> None:
    """A table that may not be read keeps nothing else on the dead NVA."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.unreadable[world.group("g0").route_tables[0].casefold()] = NetworkFault.DENIED
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(60.0)

    world = play(scene, tables=2, public_ips=1)
    assert world.oracle.violations == []
    assert holders(world) == [world.group("g0").nva("g0n1").interfaces[world.group("g0").public_ips[0].role]]
