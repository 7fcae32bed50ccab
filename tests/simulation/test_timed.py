"""A pause that ends by itself, and a failover at a time to come, whoever dies and leads meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.timed import MISSED_S
from nvaha.model import Phase
from tests.simulation.process import START_S
from tests.simulation.rest import TICK_S
from tests.simulation.scenes import command, only, play, settled, the_state
from tests.simulation.storage import LEASE_S
from tests.simulation.tolerances import CLOCK_S
from tests.simulation.world import World

LATE_S = CLOCK_S + TICK_S
"""So long after its time at most, where somebody leads."""


def pause_for(seconds: float) -> PauseCommanded:
    """Return the command of a pause that ends."""
    return PauseCommanded(paused=True, by="operator", for_s=seconds)


def in_s(world: World, seconds: float) -> FailoverCommanded:
    """Return the command of a failover in so many seconds."""
    at = datetime.fromtimestamp(START_S + world.loop.now_s + seconds, UTC)
    return FailoverCommanded("g0n1", "operator", request_id="r", at=at)


def told(world: World, event: str) -> int:
    """Return how often something was told."""
    return sum(each.event == event for each in world.notices)


@pytest.mark.parametrize("wall_s", [-7200.0, 0.0, 7200.0])
def test_a_pause_holds_until_its_time_whatever_clocks_are_set_to(wall_s: float) -> None:
    """A dead NVA is left alone until then, and switched away from at most a tick later."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, pause_for(60.0))
        for process in world.processes():
            process.step_wall(wall_s)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(60.0)
        assert (the_state(world).paused, the_state(world).active) == (True, "g0n0")
        await world.pass_time(LATE_S)
        assert not the_state(world).paused
        assert the_state(world).phase is not Phase.STEADY or the_state(world).active == "g0n1"

    world = play(scene)
    assert world.oracle.violations == []
    assert (told(world, "paused"), told(world, "resumed")) == (1, 1)


@pytest.mark.parametrize("dies_after_s", [5.0, 55.0])
def test_another_leader_ends_a_pause_and_begins_what_is_scheduled(dies_after_s: float) -> None:
    """Neither is in anybody's memory only."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, pause_for(60.0))
        await command(world, in_s(world, 90.0))
        await world.pass_time(dies_after_s)
        only(world, "monitor").crash()
        await world.pass_time(60.0 - dies_after_s)
        assert the_state(world).paused
        await world.pass_time(LEASE_S + LATE_S + 15.0)
        assert not the_state(world).paused
        await world.pass_time(15.0 + LATE_S)
        assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n1")

    world = play(scene)
    assert world.oracle.violations == []
    assert world.counts["switches: scheduled"] == 1


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_failover_is_begun_at_its_time_once_unless_it_is_cancelled(*, cancelled: bool) -> None:
    """However often it was asked for."""

    async def scene(world: World) -> None:
        await settled(world)
        asked = in_s(world, 30.0)
        await command(world, asked)
        await command(world, asked)
        if cancelled:
            await command(world, CancelCommanded("operator"))
        await world.pass_time(29.0)
        assert the_state(world).active == "g0n0"
        await world.pass_time(3 * LATE_S)
        assert the_state(world).active == ("g0n0" if cancelled else "g0n1")
        assert the_state(world).scheduled is None

    world = play(scene)
    assert world.oracle.violations == []
    assert world.counts["switches: scheduled"] == (0 if cancelled else 1)


@pytest.mark.parametrize(("away_s", "moved"), [(120.0, True), (MISSED_S + 120.0, False)])
def test_what_nobody_could_do_at_its_time_is_done_soon_after_or_dropped(
    away_s: float, *, moved: bool
) -> None:
    """Nobody expects it any more after five minutes."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, in_s(world, 10.0))
        world.sleep(away_s)
        await world.pass_time(away_s + 60.0)
        assert the_state(world).active == ("g0n1" if moved else "g0n0")

    world = play(scene)
    assert world.oracle.violations == []
    assert told(world, "failover_dropped") == (0 if moved else 1)


def test_a_row_that_goes_back_brings_back_nothing_that_was_done() -> None:
    """The leader remembers that it began it."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, in_s(world, 10.0))
        before = dict(world.storage.tables.groups)
        await world.pass_time(10.0 + LATE_S)
        assert the_state(world).active == "g0n1"
        world.storage.put_back(before)
        await world.pass_time(60.0)

    world = play(scene)
    assert world.oracle.violations == []
    assert world.counts["switches: scheduled"] == 1
