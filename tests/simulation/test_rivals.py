"""Two deployments for one group, and people who hold it by a tag: who stops, and what the oracle sees."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.core import guards
from nvaha.core.inputs import FailoverCommanded, Tagged
from nvaha.model import GroupState, Phase
from nvaha.operate.control import Refused
from nvaha.switch import attempt
from nvaha.watch import looks
from tests.simulation.oracle_tags import HOLD, mark_name, tags
from tests.simulation.scenes import command, play, point_at, settled, the_state, until
from tests.simulation.world import World

RARELY: dict[str, Any] = {"drift_interval_s": 60.0, "hold_down_s": 0.0}


def others(world: World) -> GroupState:
    """Return the state that the other deployment has of the group."""
    state = world.other.state("g0") if world.other else None
    assert state is not None
    return state


def tag(world: World, name: str, value: str | None) -> None:
    """Let somebody put a tag on every table and NIC of the group, or take it off."""
    for resource_id in world.group("g0").resource_ids:
        entry = world.arm.entry(resource_id)

        def change(body: dict[str, Any]) -> None:
            body["tags"].pop(name, None)
            body["tags"].update({name: value} if value is not None else {})

        assert world.arm.edit(entry, change)


async def _moved_by_one(world: World) -> None:
    """Let a person move the group by one deployment; the other one finds it elsewhere for a quarter hour."""
    await settled(world)
    await world.pass_time(60.0)
    await command(world, FailoverCommanded("g0n1", "somebody"))
    await world.pass_time(900.0)


def test_two_deployments_that_see_no_mark_stop_after_two_repairs_each() -> None:
    """A policy denies every mark: each finds its own move undone, and neither goes on for ever."""
    world = play(_moved_by_one, rival=True, tags_denied=True, **RARELY)
    assert world.oracle.violations == []
    assert 2 <= world.counts["switches: repair"] <= 4
    stopped = [state.drift.contested for state in (the_state(world), others(world))]
    assert stopped.count(True) == 1
    assert "rival" in [each.event for each in world.notices]


def test_the_oracle_sees_two_deployments_that_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule the third repair comes, and is called what it is."""
    monkeypatch.setattr(guards, "MOST_PUT_BACK", 99)
    world = play(_moved_by_one, rival=True, tags_denied=True, **RARELY)
    assert any("brings back" in each for each in world.oracle.violations)


def test_who_finds_the_others_mark_stops_before_the_first_repair() -> None:
    """Whoever wrote last has the group; the other one says so and waits for a person."""
    world = play(_moved_by_one, rival=True, **RARELY)
    assert world.oracle.violations == []
    assert world.counts["switches: repair"] == 0
    assert (the_state(world).rival, the_state(world).active) == (None, "g0n1")
    assert "stnvaha/g0" in (others(world).rival or "")


def test_the_oracle_sees_a_deployment_that_passes_marks_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule the other one repairs."""
    monkeypatch.setattr(looks, "read_tags", lambda *_: Tagged())
    monkeypatch.setattr(attempt, "read_tags", lambda *_: Tagged())
    world = play(_moved_by_one, rival=True, **RARELY)
    assert any("mark" in each for each in world.oracle.violations)


@pytest.mark.parametrize("adopt", ["wait", "repair"])
def test_who_takes_over_from_a_deployment_that_is_gone_does_so_by_force(adopt: str) -> None:
    """Its marks are there, as after a region's loss: nothing moves by itself, and force takes them over."""

    async def scene(world: World) -> None:
        tag(world, mark_name(world.group("g0")), "stgone/edge")
        await settled(world)
        world.alive["g0n0"] = False
        await world.pass_time(60.0)
        assert (the_state(world).active, the_state(world).generation) == ("g0n0", 0)
        with pytest.raises(Refused):
            await command(world, FailoverCommanded("g0n1", "somebody"))
        await command(world, FailoverCommanded("g0n1", "somebody", force=True))
        await until(world, lambda state: state.phase is Phase.STEADY)
        await until(world, lambda state: state.rival is None)

    world = play(scene, adopt=adopt, public_ips=1)
    assert world.oracle.violations == []
    assert the_state(world).active == "g0n1"
    name = mark_name(world.group("g0"))
    marked = {tags(each.body).get(name) for each in world.arm.entries.values() if each.kind != "pip"}
    assert marked == {"stnvaha/g0"}


async def _held_and_dead(world: World) -> None:
    """Hold the group, let its active NVA die, and take the hold off a while later."""
    await settled(world)
    tag(world, HOLD, "upgrade of the firewalls")
    world.alive["g0n0"] = False
    await world.pass_time(60.0)


def test_a_group_that_is_held_stays_and_moves_once_it_is_not() -> None:
    """The worker finds the tag at once, the leader hears of it; taken off, the failover is done."""

    async def scene(world: World) -> None:
        await _held_and_dead(world)
        assert (the_state(world).active, the_state(world).phase) == ("g0n0", Phase.STEADY)
        assert "upgrade of the firewalls" in (the_state(world).hold or "")
        tag(world, HOLD, None)
        await until(world, lambda state: state.active == "g0n1", within_s=90.0)
        assert the_state(world).hold is None

    world = play(scene, drift_interval_s=300.0)
    assert world.oracle.violations == []
    events = [each.event for each in world.notices]
    assert (events.count("held"), events.count("held_over")) == (1, 1)


def test_the_oracle_sees_a_hold_that_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the worker's rule the switch begins."""
    monkeypatch.setattr(attempt, "read_tags", lambda *_: Tagged())
    world = play(_held_and_dead, drift_interval_s=300.0)
    assert any("in spite of a hold" in each for each in world.oracle.violations)


def test_a_command_is_carried_out_in_spite_of_a_hold() -> None:
    """A hold is for what nvaha does by itself."""

    async def scene(world: World) -> None:
        await settled(world)
        tag(world, HOLD, "")
        await command(world, FailoverCommanded("g0n1", "somebody"))
        await until(world, lambda state: state.active == "g0n1")

    assert play(scene).oracle.violations == []


def test_hands_that_put_a_group_back_three_times_are_left_to_a_person() -> None:
    """Twice it is brought back, then said and left; a command brings it back for good."""

    async def scene(world: World) -> None:
        await settled(world)
        for _ in range(3):
            point_at(world, world.group("g0").route_tables[0], "g0n1")
            await world.pass_time(300.0)
        assert the_state(world).drift.contested
        await command(world, FailoverCommanded("g0n0", "somebody"))
        await until(world, lambda state: state.phase is Phase.STEADY and not state.drift.sentences)
        await world.pass_time(120.0)

    world = play(scene, hold_down_s=0.0)
    assert world.oracle.violations == []
    assert (world.counts["switches: repair"], the_state(world).active) == (2, "g0n0")
    events = [each.event for each in world.notices]
    assert (events.count("rival"), events.count("rival_over")) == (1, 1)
