"""Monitors and workers of the previous release run beside today's, as while one replaces the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from nvaha.azure.storage.carried import Rest
from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.model import Phase
from tests.previous import previous
from tests.simulation.beside import DIFFERENCES, KNOWN_FAULTS, beside, told
from tests.simulation.knobs import RATES, draw
from tests.simulation.process import Process
from tests.simulation.run import run_with
from tests.simulation.scenery import configuration_of
from tests.simulation.scenes import command, only, play, settled, the_state, until
from tests.simulation.world import World

SEEDS, BLOCKS = 24, 8
MIXED: dict[str, Any] = {"monitors": 2, "workers": 2, "adopt": "repair", "rolling": True}


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_seed_breaks_a_rule_beside_the_previous_release(block: int) -> None:
    """Whatever goes wrong, only the listed differences show, and everything is right in the end."""
    broken = {}
    for seed in range(block, SEEDS, BLOCKS):
        violations = run_with(beside(draw(seed))).violations
        if violations:
            broken[seed] = violations
    assert broken == {}


def test_the_listed_differences_of_its_processes_show() -> None:
    """Each is seen before long; one that is not seen any more leaves the list."""
    expected = {f"waiting: {rule}" for rule in ("whole look", "single silence")}
    assert {"whole look", "single silence"} <= DIFFERENCES.keys()
    counts: Counter[str] = Counter()
    for seed in range(60):
        if expected <= counts.keys():
            break
        counts.update(run_with(beside(draw(seed))).counts)
    assert expected <= counts.keys()


def test_the_faults_that_it_bears_are_faults() -> None:
    """None is misspelt, which would leave it out in silence."""
    assert RATES.keys() >= KNOWN_FAULTS


def test_both_take_the_same_group_for_the_same() -> None:
    """A worker carries out only what is configured as it has it, by a fingerprint: both find the same one."""
    ours = configuration_of(replace(draw(0), public_ips=2, tables=2, groups=2))
    theirs = told(ours, previous()("model"))
    assert [each.fingerprint for each in theirs.groups] == [each.fingerprint for each in ours.groups]


def leaders(world: World) -> list[Process]:
    """Return the monitors that hold the leader's lease, by their names in it."""
    lease = world.storage.tables.leases["leader"]
    held = lease.token is not None and world.loop.now_s < lease.until_s
    return [each for each in world.processes() if held and each.name == lease.holder]


async def led_by(world: World, *, previous: bool) -> Process:
    """Crash whoever leads until one of that release does."""
    for _ in range(60):
        for leader in leaders(world):
            if leader.previous is previous:
                return leader
            leader.crash()
        await world.pass_time(1.0)
    raise AssertionError(f"nobody of that release leads: {leaders(world)}")


@pytest.mark.parametrize("first", [True, False], ids=["upgrade", "going back"])
def test_a_failover_is_watched_for_through_a_change_of_release(first: bool) -> None:
    """One release leads, the other takes over under the same lease with a higher epoch, and an NVA dies."""

    async def scene(world: World) -> None:
        await settled(world)
        before = await led_by(world, previous=first)
        epoch = world.storage.tables.leases["leader"].epoch
        after = await led_by(world, previous=not first)
        assert (before.previous, after.previous) == (first, not first)
        assert world.storage.tables.leases["leader"].epoch > epoch
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.phase is Phase.STEADY and state.active == "g0n1")

    world = play(scene, **MIXED)
    assert world.oracle.violations == []
    # One lease for both: a second one beside it would be a second leader.
    assert {name for name in world.storage.tables.leases if not name.startswith("switch-")} == {"leader"}


@pytest.mark.parametrize("first", [True, False], ids=["upgrade", "going back"])
def test_a_pause_outlives_a_change_of_release(first: bool) -> None:
    """Paused under one release, a dead NVA is not switched away from under the other, until it is resumed."""

    async def scene(world: World) -> None:
        await settled(world)
        await led_by(world, previous=first)
        await command(world, PauseCommanded(paused=True, by="operator"))
        await led_by(world, previous=not first)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(30.0)
        assert (the_state(world).active, the_state(world).paused) == ("g0n0", True)
        await command(world, PauseCommanded(paused=False, by="operator"))
        await until(world, lambda state: state.active == "g0n1" and state.phase is Phase.STEADY)

    assert play(scene, **MIXED).oracle.violations == []


@pytest.mark.parametrize("worker", [0, 1], ids=["begun by the previous", "begun by todays"])
def test_a_switch_is_finished_by_the_other_release(worker: int) -> None:
    """A worker of one release dies in the middle of it; one of the other goes on, and its record ends."""

    async def scene(world: World) -> None:
        await settled(world)
        # The other one starts again as it ends: so it is the first that has taken the message.
        other = next(each for each in world.processes() if each.name.startswith(f"worker{1 - worker}"))
        other.stall()
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: state.switch is not None and state.switch.progress_at is not None)
        next(each for each in world.processes() if each.name.startswith(f"worker{worker}")).stall()
        other.wake()
        await until(world, lambda state: state.phase is Phase.STEADY and state.active == "g0n1", 120.0)
        # The record is closed a moment after the state.
        await world.pass_time(5.0)

    world = play(scene, operation_s=10.0, **MIXED)
    assert world.oracle.violations == []
    (operation,) = world.storage.tables.operations.values()
    assert operation.status == "done"


def test_what_a_newer_release_has_stored_comes_through_a_failover() -> None:
    """A leader, a worker and an operator of today's write the row, and its fields are there after each."""
    newer = Rest(None, {"mood": {"as": ["ever"]}}, {"nvas": {"g0n1": Rest(None, {"weight": 7}, {})}})

    async def scene(world: World) -> None:
        await settled(world)
        only(world, "monitor").crash()
        await world.pass_time(0.4)
        # Nobody has the row in hand now: what is there is what the next leader reads.
        held = world.storage.tables.groups["g0"]
        world.storage.tables.groups["g0"] = replace(held, state=replace(held.state, rest=newer))
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.phase is Phase.STEADY and state.active == "g0n1")
        await command(world, PauseCommanded(paused=True, by="operator"))

    world = play(scene)
    assert world.oracle.violations == []
    assert (the_state(world).rest, the_state(world).paused) == (newer, True)
