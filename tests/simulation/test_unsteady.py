"""An NVA that answers now and then: told by default, left by policy, and known to the next leader."""

from __future__ import annotations

from nvaha.model import Health
from tests.simulation.scenes import only, play, the_state
from tests.simulation.world import World


async def _stammers(world: World) -> None:
    await world.pass_time(30.0)
    world.answers_each["g0n0"] = 3
    await world.pass_time(60.0)


def told(world: World) -> list[str]:
    """Return the events that people are told of an NVA or a switch."""
    return [each.event for each in world.notices if each.event.startswith(("nva_", "switch_"))]


def test_it_is_told_and_nothing_else_happens() -> None:
    """By default an active NVA that answers one probe in three is called unsteady, once, and stays active."""
    world = play(_stammers)
    state = the_state(world)
    assert state.nvas["g0n0"].unsteady
    assert (state.active, state.generation) == ("g0n0", 0)
    assert told(world).count("nva_unsteady") == 1
    assert "switch_requested" not in told(world)
    assert world.oracle.violations == []


def test_it_is_left_by_policy_and_trusted_again_when_steady() -> None:
    """Counted as down, the NVA is left for the other one; it is up again once it has answered long enough."""

    async def scene(world: World) -> None:
        await _stammers(world)
        state = the_state(world)
        assert (state.active, state.nvas["g0n0"].health) == ("g0n1", Health.DOWN)
        world.answers_each["g0n0"] = 1
        await world.pass_time(10.0)
        assert the_state(world).nvas["g0n0"].health is Health.DOWN
        await world.pass_time(50.0)

    world = play(scene, unsteady="down")
    state = the_state(world)
    assert (state.active, state.nvas["g0n0"].health) == ("g0n1", Health.UP)
    assert not state.nvas["g0n0"].unsteady
    assert told(world).count("nva_steady") == 1
    assert world.oracle.violations == []


def test_the_next_leader_goes_on_with_what_was_written() -> None:
    """A leader that dies half-way through the window costs what it had not written, and no more."""

    async def scene(world: World) -> None:
        await world.pass_time(30.0)
        world.answers_each["g0n0"] = 2
        await world.pass_time(14.0)
        assert the_state(world).nvas["g0n0"].recent
        only(world, "monitor").crash()
        await world.pass_time(60.0)

    world = play(scene)
    assert the_state(world).nvas["g0n0"].unsteady
    assert told(world).count("nva_unsteady") == 1
    assert world.oracle.violations == []
