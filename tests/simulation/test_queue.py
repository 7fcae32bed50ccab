"""Somebody with a right to the queue copies messages, and deletes them."""

from __future__ import annotations

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase, Status
from nvaha.ports import NetworkFault
from tests.simulation.scenes import command, only, play, settled, the_state, until
from tests.simulation.world import World

DEADLINE_S = 60.0


def started(state: object) -> bool:
    """Tell whether a worker has taken the switch up."""
    switch = getattr(state, "switch", None)
    return bool(switch and switch.claimed)


def ended(world: World) -> list[Status]:
    """Return how the operations ended, oldest first."""
    return [each.status for each in world.storage.tables.operations.values()]


def test_copies_on_the_poison_queue_end_no_switch_that_is_carried_out() -> None:
    """However many there are and however long it takes, it is done as if there were none."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        for _ in range(60):
            world.storage.copy_message(world.storage.tables.bodies[-1], poison=True)
            await world.pass_time(1.0)

    world = play(scene, operation_s=25.0, public_ips=1)
    assert world.oracle.violations == []
    assert (the_state(world).active, ended(world)) == ("g0n1", [Status.DONE])
    assert any(each.event == "message_poisoned" for each in world.notices)


def test_copies_on_the_switch_queue_hold_up_no_other_message() -> None:
    """A hundred copies of the switch under way are refused at once: no slot waits for them."""
    in_hand: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, started)
        for _ in range(100):
            world.storage.copy_message(world.storage.tables.bodies[-1], poison=False)
        for _ in range(10):
            await world.pass_time(1.0)
            queue = world.storage.tables.queue
            in_hand.append(sum(bool(each.deliveries) and not each.gone for each in queue))

    world = play(scene, operation_s=20.0)
    assert world.oracle.violations == []
    assert in_hand[-1] == 1
    assert max(in_hand) <= 2
    assert world.deliveries >= 8


def test_a_queue_that_is_cleared_again_and_again_delays_a_failover_no_longer_than_that() -> None:
    """It is asked for every few seconds, people are told, and the first message that stays is carried out."""
    asked: list[int] = []
    unattended: list[int] = []
    after_s: list[float] = []

    async def scene(world: World) -> None:
        await settled(world)
        world.spawn(world.chaos.keep_queue_clear(240.0))
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.phase is Phase.SWITCHING)
        await world.pass_time(60.0)
        asked.append(len(world.storage.tables.bodies))
        record = world.storage.tables.leader
        assert record is not None
        unattended.append(record.unattended)
        assert the_state(world).blocked
        world.faults.on = False
        stopped_s = world.loop.now_s
        await until(world, lambda state: state.active == "g0n1")
        after_s.append(world.loop.now_s - stopped_s)
        assert the_state(world).blocked is None
        # The record is closed a moment after the state.
        await world.pass_time(1.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert asked[0] >= 60.0 / 6.0
    assert unattended == [1]
    assert after_s[0] <= 10.0
    assert [each.event for each in world.notices].count("switch_unclaimed") == 1
    assert ended(world) == [Status.DONE]


def test_a_switch_that_nobody_takes_up_ends_at_its_deadline_and_is_asked_for_again() -> None:
    """Not sooner, however often it is asked for."""
    lasted: list[float] = []

    async def scene(world: World) -> None:
        await settled(world)
        world.spawn(world.chaos.keep_queue_clear(600.0))
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.phase is Phase.SWITCHING)
        began_s = world.loop.now_s
        await until(world, lambda state: state.phase is Phase.UNKNOWN, 5 * DEADLINE_S + 10.0)
        lasted.append(world.loop.now_s - began_s)
        await until(world, lambda state: state.phase is Phase.SWITCHING)

    world = play(scene, deadline_s=5 * DEADLINE_S)
    assert world.oracle.violations == []
    assert lasted[0] >= 5 * DEADLINE_S - 5.0
    assert ended(world)[0] is Status.FAILED


def test_a_switch_that_fails_at_every_delivery_ends_at_its_deadline() -> None:
    """Each attempt shows itself and fails: its messages are set aside, and that does not end it."""

    async def scene(world: World) -> None:
        await settled(world)
        for entry in world.arm.entries.values():
            world.faults.unreadable[entry.id.casefold()] = NetworkFault.UNAVAILABLE
        await command(world, FailoverCommanded("g0n1", "operator", force=True))
        await until(world, lambda state: state.phase is Phase.UNKNOWN, 5 * DEADLINE_S)

    world = play(scene, deadline_s=4 * DEADLINE_S)
    assert world.oracle.violations == []
    assert ended(world)[0] is Status.FAILED
    (operation, *_) = world.storage.tables.operations.values()
    assert "not done within" in (operation.error or "")
    assert operation.attempts > 5
    assert any(each.event == "message_poisoned" for each in world.notices)


def test_a_worker_that_dies_is_followed_by_the_next_once_its_lease_has_run_out() -> None:
    """Only the one that died is waited for: what is lost after it is asked for within seconds."""
    took: list[float] = []

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, started)
        only(world, "worker").crash()
        died_s = world.loop.now_s
        # What is queued again when the dead one has been silent for long enough is deleted as well.
        world.spawn(world.chaos.keep_queue_clear(20.0))
        while not any(each.kind == "worker" and not each.dead for each in world.processes()):
            await world.pass_time(0.1)
        able_s = max(world.loop.now_s, died_s + 20.0)
        await until(world, lambda state: state.active == "g0n1", 120.0)
        took.append(world.loop.now_s - able_s)

    world = play(scene, operation_s=10.0)
    assert world.oracle.violations == []
    assert took[0] <= 6.0 + 15.0
