"""The past does not rule: nobody watched for minutes, or a row went back in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.model import Phase, Status
from tests.simulation.hands import move_all
from tests.simulation.scenes import command, play, point_at, settled, the_state, until
from tests.simulation.test_looks import hops
from tests.simulation.world import World

AWAY_S = 6 * 3600.0
BACK_S = 120.0
"""So long everybody needs to be there again, and to do whatever there is to do."""


async def away(world: World, seconds: float = AWAY_S) -> None:
    """Let nothing of nvaha run for so long."""
    world.sleep(seconds)
    await world.pass_time(seconds)


@pytest.mark.parametrize("adopt", ["wait", "repair"])
def test_what_was_moved_by_hand_while_everything_was_stopped_stays(adopt: str) -> None:
    """Stopped for hours, all is moved to the other NVA meanwhile: that is active, and nothing is written."""

    async def scene(world: World) -> None:
        await settled(world)
        world.sleep(AWAY_S)
        await world.pass_time(AWAY_S / 2)
        move_all(world, "g0", "g0n1")
        await world.pass_time(AWAY_S / 2 + BACK_S)

    world = play(scene, tables=2, public_ips=1, adopt=adopt)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.drift.sentences) == (Phase.STEADY, "g0n1", ())
    assert world.counts["writes"] == 0


@pytest.mark.parametrize(("adopt", "there"), [("wait", "g0n0"), ("repair", "g0n1")])
def test_what_was_half_moved_meanwhile_waits_for_a_person_unless_the_policy_says_otherwise(
    adopt: str, there: str
) -> None:
    """Two of three tables are moved: the NVA that they point at is active, and the third one waits."""

    async def scene(world: World) -> None:
        await settled(world)
        world.sleep(AWAY_S)
        for table in world.group("g0").route_tables[:2]:
            point_at(world, table, "g0n1")
        await world.pass_time(AWAY_S + BACK_S)

    world = play(scene, tables=3, adopt=adopt)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.drift.unasked) == (Phase.STEADY, "g0n1", adopt == "wait")
    assert hops(world, world.group("g0").route_tables[2]) == {there}


def test_an_nva_that_is_found_dead_after_hours_is_left_as_ever() -> None:
    """All is on the other NVA by hand, and that is dead: traffic leaves it."""

    async def scene(world: World) -> None:
        await settled(world)
        world.sleep(AWAY_S)
        move_all(world, "g0", "g0n1")
        world.chaos.set_alive("g0n1", alive=False)
        await world.pass_time(AWAY_S + BACK_S)

    world = play(scene)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active) == (Phase.STEADY, "g0n0")
    assert hops(world, world.group("g0").route_tables[0]) == {"g0n0"}


def test_a_switch_of_hours_ago_is_not_gone_on_with() -> None:
    """Everything stops in the middle of a switch and the other way is moved by hand: so it stays."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: state.phase is Phase.SWITCHING)
        world.sleep(AWAY_S)
        await world.pass_time(60.0)
        move_all(world, "g0", "g0n0")
        await world.pass_time(AWAY_S + 600.0)

    world = play(scene, tables=2, operation_s=10.0)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.wanted) == (Phase.STEADY, "g0n0", None)
    assert [each.status for each in world.storage.tables.operations.values()] == [Status.FAILED]


def test_a_message_of_hours_ago_moves_nothing_though_its_worker_comes_before_the_leader() -> None:
    """Nobody leads yet: the worker looks at how old the switch is, and leaves it."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        world.sleep(AWAY_S)
        move_all(world, "g0", "g0n0")
        stranger = world.storage.acquire("leader", "stranger", "stranger", 0, stamp=False)
        assert stranger is None
        world.storage.break_lease("leader")
        world.storage.acquire("leader", "stranger", "stranger", 0, stamp=False)
        world.storage.tables.leases["leader"].until_s = float("inf")
        await world.pass_time(AWAY_S + 700.0)
        assert world.deliveries >= 1
        assert the_state(world).phase is Phase.SWITCHING
        world.storage.break_lease("leader")
        await world.pass_time(BACK_S)

    world = play(scene, operation_s=10.0)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n0")


def test_what_is_forced_while_nobody_leads_is_carried_out() -> None:
    """Hours later a person forces a failover before any leader is there: it is done, and stays."""

    async def scene(world: World) -> None:
        await settled(world)
        world.sleep(AWAY_S)
        world.storage.break_lease("leader")
        world.storage.acquire("leader", "stranger", "stranger", 0, stamp=False)
        world.storage.tables.leases["leader"].until_s = float("inf")
        await world.pass_time(AWAY_S + 60.0)
        await command(world, FailoverCommanded("g0n1", "operator", force=True))
        await world.pass_time(60.0)
        assert the_state(world).phase is Phase.STEADY
        world.storage.break_lease("leader")
        await world.pass_time(BACK_S)

    world = play(scene)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n1")


def test_a_group_that_is_removed_and_added_again_is_looked_at_anew() -> None:
    """Its row is from then; what people have moved since stays."""

    async def scene(world: World) -> None:
        await settled(world)
        whole = world.configuration
        world.configuration = replace(whole, groups=whole.groups[1:])
        world.sleep(5.0)
        await world.pass_time(600.0)
        world.configuration = whole
        move_all(world, "g0", "g0n1")
        world.sleep(5.0)
        await world.pass_time(BACK_S)

    world = play(scene, groups=2, interval_s=5.0)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n1")
    assert world.counts["writes"] == 0


def test_a_pause_outlasts_hours() -> None:
    """Whatever is forgotten, what an operator has set is not."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, PauseCommanded(paused=True, by="operator"))
        await away(world)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(BACK_S)

    world = play(scene)
    assert world.oracle.violations == []
    assert (the_state(world).paused, the_state(world).active) == (True, "g0n0")
    assert world.counts["writes"] == 0


def test_failures_of_minutes_ago_and_a_new_one_are_not_three_in_a_row() -> None:
    """Two probes fail, everything is stopped for four minutes, one fails: nothing is moved."""

    async def scene(world: World) -> None:
        await settled(world)
        world.chaos.set_alive("g0n0", alive=False)
        await until(world, lambda state: state.nvas["g0n0"].failures == 2)
        world.sleep(200.0)
        world.chaos.set_alive("g0n0", alive=True)
        await world.pass_time(200.0)
        world.answers_each["g0n0"] = 2
        await world.pass_time(20.0)
        world.answers_each["g0n0"] = 1
        await world.pass_time(BACK_S)

    world = play(scene)
    assert world.oracle.violations == []
    assert the_state(world).generation == 0


@pytest.mark.parametrize("all_of_it", [False, True])
def test_a_row_that_goes_back_under_its_leader_moves_nothing_back(all_of_it: bool) -> None:
    """A failover is done and its row put back to before it: what was moved stays, and no number falls."""
    numbers: list[tuple[int, int]] = []

    async def scene(world: World) -> None:
        await settled(world)
        tables = world.storage.tables
        copy, operations, leader = dict(tables.groups), dict(tables.operations), tables.leader
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: state.phase is Phase.STEADY and state.active == "g0n1")
        await world.pass_time(30.0)
        numbers.append((the_state(world).generation, the_state(world).epoch))
        writes.append(world.counts["writes"])
        world.storage.put_back(copy)
        if all_of_it:
            tables.operations, tables.leader = operations, leader
            for lease in tables.leases.values():
                lease.token, lease.epoch = None, 0
        await world.pass_time(BACK_S)
        writes.append(world.counts["writes"])
        numbers.append((the_state(world).generation, the_state(world).epoch))

    writes: list[int] = []
    world = play(scene, tables=2, public_ips=1)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n1")
    assert writes[0] == writes[1]
    assert numbers[1] >= numbers[0]


def test_a_row_that_says_again_that_a_switch_is_under_way_begins_nothing_anew() -> None:
    """The switch is done, and its row says that it is not: neither leader nor worker moves what it moved."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: state.phase is Phase.SWITCHING)
        copy = dict(world.storage.tables.groups)
        await until(world, lambda state: state.phase is Phase.STEADY)
        move_all(world, "g0", "g0n0")
        writes.append(world.counts["writes"])
        world.storage.put_back(copy)
        world.storage.copy_message(world.storage.tables.bodies[-1], poison=False)
        await world.pass_time(BACK_S)
        writes.append(world.counts["writes"])

    writes: list[int] = []
    world = play(scene, tables=2, public_ips=1)
    assert world.oracle.violations == []
    assert (the_state(world).phase, the_state(world).active) == (Phase.STEADY, "g0n0")
    assert writes[0] == writes[1]


def test_a_pause_is_not_lost_with_the_row_while_its_leader_lives() -> None:
    """The row is put back to before the pause: the leader remembers it."""

    async def scene(world: World) -> None:
        await settled(world)
        copy = dict(world.storage.tables.groups)
        await world.pass_time(20.0)
        await command(world, PauseCommanded(paused=True, by="operator"))
        await world.pass_time(20.0)
        world.storage.put_back(copy)
        await world.pass_time(20.0)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(BACK_S)

    world = play(scene)
    assert world.oracle.violations == []
    assert (the_state(world).paused, the_state(world).active) == (True, "g0n0")
    assert world.counts["writes"] == 0


def test_a_row_that_is_gone_is_looked_at_anew() -> None:
    """Somebody deletes the row under its leader: what is on the other NVA by then stays there."""

    async def scene(world: World) -> None:
        await settled(world)
        await command(world, FailoverCommanded("g0n1", "operator"))
        await until(world, lambda state: state.active == "g0n1")
        await world.pass_time(20.0)
        writes.append(world.counts["writes"])
        world.storage.put_back({}, gone=True)
        await world.pass_time(BACK_S)
        writes.append(world.counts["writes"])

    writes: list[int] = []
    world = play(scene)
    state = the_state(world)
    assert world.oracle.violations == []
    assert (state.phase, state.active, state.generation) == (Phase.STEADY, "g0n1", 1)
    assert writes[0] == writes[1]
