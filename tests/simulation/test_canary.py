"""The canary among many processes: nobody's traffic is moved, and nobody waits for it."""

from __future__ import annotations

from nvaha.core.canary import ADDRESSES
from nvaha.model import Phase, Status
from nvaha.ports import NetworkFault
from tests.simulation.azure import Body
from tests.simulation.scenery import CANARY_EVERY_S, CANARY_TABLE
from tests.simulation.scenes import only, play, settled, the_state, until
from tests.simulation.world import World


def hop(world: World) -> str:
    """Return where the canary's route points."""
    (route,) = world.arm.entry(CANARY_TABLE).body["properties"]["routes"]
    return str(route["properties"]["nextHopIpAddress"])


def runs(world: World) -> list[str]:
    """Return the canary's operations so far."""
    return [each for each in world.oracle.operations.begun if each.startswith("canary-")]


def told(world: World, event: str) -> int:
    """Return how often something was told."""
    return sum(each.event == event for each in world.notices)


def test_it_goes_there_and_back() -> None:
    """Each interval has a run, with a write each time."""

    async def scene(world: World) -> None:
        await world.pass_time(4 * CANARY_EVERY_S)

    world = play(scene, canary=True)
    assert 4 <= len(runs(world)) <= 5
    assert told(world, "canary_done") >= 4
    assert hop(world) in ADDRESSES.values()
    assert world.oracle.violations == []


def test_a_table_taken_into_use_is_left_alone_from_then_on() -> None:
    """Somebody associates it with a subnet: the next runs fail and say so, and its route stays as it is."""

    def associate(body: Body) -> None:
        body["properties"]["subnets"] = [{"id": "/subnets/web"}]

    async def scene(world: World) -> None:
        await world.pass_time(10.0)
        assert world.arm.edit(world.arm.entry(CANARY_TABLE), associate)
        before.append(hop(world))
        await world.pass_time(3 * CANARY_EVERY_S)

    before: list[str] = []
    world = play(scene, canary=True)
    assert hop(world) == before[0]
    assert told(world, "canary_failed") >= 2
    assert world.oracle.violations == []


def test_a_table_that_may_not_be_read_is_a_failure_and_groups_fail_over_as_ever() -> None:
    """The right is gone from the canary's table alone; the group's NVA dies meanwhile."""

    async def scene(world: World) -> None:
        world.faults.unreadable[CANARY_TABLE.casefold()] = NetworkFault.DENIED
        await settled(world)
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.active == "g0n1" and state.phase is Phase.STEADY)
        await world.pass_time(CANARY_EVERY_S)

    world = play(scene, canary=True)
    assert told(world, "canary_failed") >= 1
    assert told(world, "canary_done") == 0
    assert world.oracle.violations == []


def test_a_worker_that_dies_in_a_run_is_replaced() -> None:
    """The leader asks again, and the next worker finds what is left to do."""

    async def scene(world: World) -> None:
        for _ in range(600):
            state = world.state("canary")
            if state is not None and state.phase is Phase.SWITCHING:
                break
            await world.pass_time(0.1)
        await world.pass_time(1.0)
        only(world, "worker").crash()
        await world.pass_time(60.0)

    world = play(scene, canary=True, operation_s=10.0)
    assert world.oracle.operations.outcomes[runs(world)[0]] is Status.DONE
    assert the_state(world, "canary").phase is Phase.STEADY
    assert world.oracle.violations == []
