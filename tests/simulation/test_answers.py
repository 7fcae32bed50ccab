"""What follows from a write happens once, though its answer is lost or its caller ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.model import GroupState, Phase, Status
from tests.simulation.scenes import command, next_request, only, play, take_off, the_state, until
from tests.simulation.world import World

AGAIN_S = 0.2
"""A request whose answer is lost is sent again by the SDK this long after."""


def untold(world: World) -> list[str]:
    """Return what nobody was told of."""
    return list(world.oracle.follow.untold())


def test_a_reading_counts_once_when_its_write_is_repeated() -> None:
    """The write that counts a first failure meets itself, and the failure is still the first."""
    failures: list[int] = []

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "monitor", "save", _fails("g0n1"), again_s=0.01)
        world.chaos.set_alive("g0n1", alive=False)
        await until(world, lambda state: state.nvas["g0n1"].failures > 0)
        await world.pass_time(0.1)
        failures.append(the_state(world).nvas["g0n1"].failures)

    world = play(scene)
    assert world.oracle.violations == []
    assert failures == [1]


def test_a_reading_counts_once_with_somebody_elses_write_on_top() -> None:
    """A pause is written between the two sendings of a failure; it is kept, and the failure counts once."""
    failures: list[int] = []

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "monitor", "save", _fails("g0n1"), again_s=0.2)
        world.chaos.set_alive("g0n1", alive=False)
        await until(world, lambda state: state.nvas["g0n1"].failures > 0)
        await command(world, PauseCommanded(paused=True, by="operator"))
        await world.pass_time(1.0)
        failures.append(the_state(world).nvas["g0n1"].failures)

    world = play(scene, interval_s=2.0, fast_interval_s=2.0, timeout_s=0.5)
    assert world.oracle.violations == []
    assert failures == [1]
    assert the_state(world).paused


def test_a_look_counts_once_when_its_write_is_repeated() -> None:
    """The write that counts a first look at drift meets itself, and the look is still the first."""
    seen: list[int] = []

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "monitor", "save", lambda state: state.drift.seen == 1, again_s=AGAIN_S)
        take_off(world)
        await until(world, lambda state: state.drift.seen > 0, 600.0)
        await world.pass_time(1.0)
        seen.append(the_state(world).drift.seen)

    world = play(scene, tables=0, public_ips=1)
    assert world.oracle.violations == []
    assert seen == [1]


def test_a_worker_stands_by_the_end_it_has_written() -> None:
    """The report that a switch is done meets itself: the switch is done, and that is what people are told."""

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "worker", "save", lambda state: state.phase is Phase.STEADY, again_s=AGAIN_S)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await world.pass_time(40.0)

    world = play(scene)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")
    assert [each.status for each in world.storage.tables.operations.values()] == [Status.DONE]
    assert [each for each in world.storage.tables.queue if not each.gone] == []
    assert untold(world) == []


@pytest.mark.parametrize("again_s", [AGAIN_S, 4.0])
def test_a_command_whose_write_is_repeated_starts_one_switch(again_s: float) -> None:
    """Whatever has been written on top of it by then, the command is answered with the switch it started."""
    answers: list[str] = []

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "web", "save", again_s=again_s)
        answers.append((await command(world, FailoverCommanded("g0n1", "operator")))["id"])
        await world.pass_time(40.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert list(world.storage.tables.operations) == answers
    assert the_state(world).active == "g0n1"


def test_people_are_told_of_a_pause_whose_write_is_repeated() -> None:
    """The pause meets itself, and is told."""

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        next_request(world, "web", "save", again_s=AGAIN_S)
        await command(world, PauseCommanded(paused=True, by="operator"))
        await world.pass_time(20.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert untold(world) == []


@pytest.mark.parametrize("what", ["pause", "command"])
def test_people_are_told_of_a_command_whose_instance_dies(what: str) -> None:
    """The instance dies between the write and the notice; a leader finds in the state what is to be told."""

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        web = only(world, "web")
        next_request(world, "web", "save", lambda _: bool(world.loop.call_later(0.1, web.crash)), back_s=0.3)
        await command(
            world,
            PauseCommanded(paused=True, by="operator")
            if what == "pause"
            else FailoverCommanded("g0n1", "operator"),
        )
        await world.pass_time(60.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert untold(world) == []


@pytest.mark.parametrize("dead", [("g0n0",), ("g0n0", "g0n1")])
def test_people_are_told_of_what_a_leader_wrote_before_it_died(dead: tuple[str, ...]) -> None:
    """The leader dies between writing that NVAs are down and telling it; the next one tells."""

    async def scene(world: World) -> None:
        await world.pass_time(33.0)
        monitor = only(world, "monitor")

        def fell(state: GroupState) -> bool:
            if any(state.nvas[name].health != "down" for name in dead):
                return False
            world.loop.call_later(0.1, monitor.crash)
            return True

        next_request(world, "monitor", "save", fell, back_s=0.3)
        for name in dead:
            world.chaos.set_alive(name, alive=False)
        await world.pass_time(90.0)

    world = play(scene, control_target=True)
    assert world.oracle.violations == []
    assert untold(world) == []


def test_a_lost_lease_ends_no_commit_between_a_write_and_its_message() -> None:
    """The leader loses its lease just after it has written a switch: the message follows all the same."""
    violations: list[str] = []
    for after_s in (0.0, 0.8, 1.6, 2.4, 3.2):
        # One of them falls into the time just before the lease is renewed.

        async def scene(world: World, after_s: float = after_s) -> None:
            await world.pass_time(33.0 + after_s)

            def begins(state: GroupState) -> bool:
                if state.phase is not Phase.SWITCHING:
                    return False
                world.storage.break_lease("leader")
                return True

            next_request(world, "monitor", "save", begins, back_s=0.9)
            world.chaos.set_alive("g0n0", alive=False)
            await world.pass_time(20.0)

        violations += play(scene).oracle.violations
    assert violations == []


def _fails(nva: str) -> Callable[[GroupState], bool]:
    return lambda state: state.nvas[nva].failures == 1
