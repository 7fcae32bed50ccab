"""Something small goes wrong, and everything beside it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Phase, Status
from tests.simulation.scenes import command, next_request, play, settled, the_state, until
from tests.simulation.storage import LIMIT_S, ROW
from tests.simulation.world import World

SILENCES: dict[str, dict[str, Any]] = {
    "it never arrives": {"out_s": None, "limit_s": LIMIT_S},
    "it takes effect": {"back_s": None, "limit_s": LIMIT_S},
}


@pytest.mark.parametrize("what", ["probe", "read", ROW])
def test_a_group_that_raises_keeps_no_other_group_from_its_failover(what: str) -> None:
    """What nobody has thought of ends a group's round and is told; another group fails over meanwhile."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.raising["g0"] = what
        # Long enough for a look.
        await world.pass_time(300.0)
        world.chaos.set_alive("g1n0", alive=False)
        await world.pass_time(30.0)

    world = play(scene, groups=2, tables=1, public_ips=0, drift_interval_s=30.0, fall=1)
    state = the_state(world, "g1")
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g1n1")
    assert [each for each in world.notices if each.level == "error" and each.fields.get("group") == "g0"]


@pytest.mark.parametrize("what", ["probe", ROW])
def test_a_group_that_raised_for_a_while_is_watched_again_after_it(what: str) -> None:
    """Once that is over, the group's own dead NVA is left, without a restart."""

    async def scene(world: World) -> None:
        await settled(world)
        world.faults.raising["g0"] = what
        await world.pass_time(15.0)
        world.faults.raising.clear()
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(30.0)

    world = play(scene)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")


def test_a_switch_goes_on_when_one_look_at_its_state_is_not_answered() -> None:
    """The lease stands and nobody else has taken over: one delivery of the message carries it out."""
    one_delivery_in_spite_of("load", "it never arrives")


@pytest.mark.parametrize("silence", list(SILENCES))
def test_a_switch_goes_on_when_one_record_is_not_answered(silence: str) -> None:
    """The intent is written once more, whether or not the first write arrived."""
    one_delivery_in_spite_of("record", silence)


@pytest.mark.parametrize("silence", list(SILENCES))
def test_a_switch_goes_on_when_one_report_is_not_answered(silence: str) -> None:
    """Progress, or the end, is reported once more, whether or not the first report arrived."""
    one_delivery_in_spite_of("save", silence)


def one_delivery_in_spite_of(what: str, silence: str) -> None:
    """Let one request of a worker at work go unanswered; check that its switch is done all the same."""

    async def scene(world: World) -> None:
        await settled(world)

        def at_work(_: object) -> bool:
            return any(each.status is Status.RUNNING for each in world.storage.tables.operations.values())

        next_request(world, "worker", what, at_work, **SILENCES[silence])
        await command(world, FailoverCommanded("g0n1", "operator"))
        await world.pass_time(60.0)

    world = play(scene, operation_s=4.0)
    assert world.oracle.violations == []
    assert world.faults.planned == []
    assert world.deliveries == 1
    (operation,) = world.storage.tables.operations.values()
    assert (operation.status, operation.attempts) == (Status.DONE, 1)


def test_no_reading_is_lost_because_of_the_leaders_record() -> None:
    """The round that turns blind cannot write the leader's record, and counts its failures all the same."""
    failures: list[int] = []

    async def scene(world: World) -> None:
        await settled(world)
        await world.pass_time(30.0)
        next_request(world, "monitor", "save_leader", lambda record: record.blind, out_s=None, limit_s=0.1)
        for name in ("g0n0", "g0n1"):
            world.chaos.set_alive(name, alive=False)
        await until(world, lambda state: state.nvas["g0n1"].failures >= 3)
        failures.append(world.counts["failed probes"] // 2)

    world = play(scene, silent_nvas=False)
    assert world.oracle.violations == []
    assert world.faults.planned == []
    assert failures == [3]


def test_a_switch_lease_that_a_stranger_holds_for_good_is_said_and_the_switch_goes_on_after_it() -> None:
    """Nothing is written meanwhile; the state and the operation that fails for it name the blob."""
    blocked: list[str] = []

    async def scene(world: World) -> None:
        await settled(world)
        stranger = world.storage.acquire("switch-g0", "stranger", "stranger", 0, stamp=False)
        assert stranger is not None
        world.storage.tables.leases["switch-g0"].until_s = float("inf")
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: "switch-g0" in (state.blocked or ""))
        blocked.append(the_state(world).blocked or "")
        await world.pass_time(300.0)
        world.storage.release(stranger)
        await until(world, lambda state: state.active == "g0n1" and state.phase is Phase.STEADY, 120.0)

    world = play(scene, deadline_s=120.0)
    assert world.oracle.violations == []
    assert "switch-g0" in blocked[0]
    failed = [each for each in world.storage.tables.operations.values() if each.status is Status.FAILED]
    assert failed
    assert all("switch-g0" in (each.error or "") for each in failed)
