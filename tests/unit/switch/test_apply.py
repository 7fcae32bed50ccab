"""Applying a plan to an Azure that refuses, is slow, and is edited by others at the same time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nvaha.core.marks import mark_of
from nvaha.core.plan import Step, plan, plan_again
from nvaha.model import Group, Operation, PublicIp, Resource, Snapshot, StepStatus
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state.snapshot import read_snapshot
from nvaha.switch.apply import ATTEMPTS, THROTTLED_FOR_S, Applied, Applier
from nvaha.switch.record import OperationRecorder
from tests.builders import ACCOUNT, address, azure_of, group_of, nic_id, pip_id, request_to, table_id
from tests.fakes import Outside

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))
MARK = mark_of(GROUP, ACCOUNT)
TABLE, OLD_NIC, NEW_NIC = table_id("table"), nic_id("a", "external"), nic_id("b", "external")


async def nothing() -> None:
    """Let every write through."""


def outside(group: Group = GROUP) -> Outside:
    """Return an outside in which everything is on `a`."""
    found = Outside()
    found.network.put_there(*azure_of(group, "a"))
    return found


async def applied(
    out: Outside,
    group: Group = GROUP,
    *,
    wait_s: float = 0.0,
    meanwhile: Callable[[], object] = lambda: None,
    fence: Callable[[], Awaitable[None]] = nothing,
    alive: Callable[[], Awaitable[None]] = nothing,
) -> Applied:
    """Read, plan a move to `b`, wait, and apply it."""
    record = OperationRecorder(out.ports, Operation(request_to("b")))
    read_at = out.clock.monotonic()
    snapshot = await read_snapshot(out.network, group)
    todo = plan(group, snapshot, "b", {})
    await record.plan(todo.steps)
    await out.clock.sleep(wait_s)
    meanwhile()

    def again(step: Step, fresh: Snapshot) -> Step | None:
        return plan_again(group, fresh, "b", {}, step)

    applier = Applier(out.ports, record, fence=fence, alive=alive, mark=mark_of(group, ACCOUNT))
    return await applier.apply(todo, snapshot, read_at, again)


def hop(out: Outside, table: str = TABLE) -> str:
    """Return where a table's route points at."""
    routes = out.network.body(table)["properties"]["routes"]
    return next(str(each["properties"]["nextHopIpAddress"]) for each in routes if each["name"] == "r")


def holder(out: Outside) -> str | None:
    """Return the name of the NVA that carries the public IP."""
    found = out.network.body(pip_id("p"))["properties"].get("ipConfiguration")
    return None if found is None else str(found["id"]).split("/networkInterfaces/")[1][0]


def steps(out: Outside) -> dict[str, StepStatus]:
    """Return {kind of step: how it ended} as recorded."""
    return {step.kind: step.status for step in out.store.operations["g-1-0"].steps}


def error(fault: NetworkFault, resource_id: str = TABLE, **more: Any) -> NetworkError:
    """Return an error of Azure's."""
    return NetworkError(fault, resource_id, f"Azure says {fault}", **more)


def without_state(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what Azure itself notes in it at every write."""
    properties = {key: value for key, value in body["properties"].items() if key != "provisioningState"}
    return {**body, "properties": properties}


async def test_routes_and_public_ip_move_and_nothing_else_changes() -> None:
    """After it Azure is as if everything had been on the target from the start, but for the mark."""
    out = outside()
    assert await applied(out) == Applied()
    for wanted in azure_of(GROUP, "b"):
        if wanted.id != pip_id("p"):
            marked = MARK.on(wanted, take_over=False) if wanted.id in out.network.puts else wanted
            assert without_state(out.network.body(wanted.id)) == marked.body
    assert holder(out) == "b"
    assert set(steps(out).values()) == {StepStatus.DONE}


async def test_a_public_ip_is_attached_once_its_detach_has_ended() -> None:
    """Azure, which refuses an attach before that, is asked for each write only once."""
    out = outside()
    out.network.operation_s = 7.0
    assert await applied(out) == Applied()
    assert sorted(out.network.tried) == sorted([TABLE, OLD_NIC, NEW_NIC])


async def test_what_does_not_wait_for_each_other_is_written_at_the_same_time() -> None:
    """Ten route tables take as long as one."""
    group = group_of(tables=tuple(f"t{number}" for number in range(10)))
    out = outside(group)
    out.network.operation_s = 30.0

    assert await applied(out, group) == Applied()
    assert out.clock.monotonic() < 31.0
    assert {hop(out, each) for each in group.route_tables} == {address("b", "internal")}


@pytest.mark.parametrize("resource_id", [TABLE, OLD_NIC, NEW_NIC])
async def test_an_edit_of_somebody_else_just_before_the_write_survives(resource_id: str) -> None:
    """A 412 means to read again, plan again, and write both changes."""
    out = outside()

    def race(resource: Resource) -> None:
        if resource.id == resource_id:
            out.network.before_put = lambda _: None
            out.network.edit(resource_id, lambda body: body["tags"].update(theirs="yes"))

    out.network.before_put = race
    assert await applied(out) == Applied()
    assert out.network.body(resource_id)["tags"] == {
        "owner": "somebody",
        "theirs": "yes",
        MARK.name: MARK.value,
    }
    assert (hop(out), holder(out)) == (address("b", "internal"), "b")


async def test_what_somebody_else_has_moved_already_is_done_without_a_write() -> None:
    """After a 412 the step is planned again, and there may be nothing left of it."""
    out = outside(group_of())

    def race(resource: Resource) -> None:
        out.network.put_there(*azure_of(group_of(), "b"))

    out.network.before_put = race
    assert await applied(out, group_of()) == Applied()
    assert (out.network.puts, steps(out)) == ([], {"routes": StepStatus.DONE})


@pytest.mark.parametrize(
    "fault", [NetworkFault.BUSY, NetworkFault.UNAVAILABLE, NetworkFault.IN_USE, NetworkFault.CHANGED]
)
async def test_what_may_pass_is_tried_again_until_it_has(fault: NetworkFault) -> None:
    """All but the last of the attempts may fail."""
    out = outside()
    out.network.refuse[TABLE] = [error(fault)] * (ATTEMPTS - 1)
    assert await applied(out) == Applied()
    assert hop(out) == address("b", "internal")


async def test_an_operation_that_fails_in_azure_is_written_again() -> None:
    """Azure shows what was asked for although it failed to carry that out."""
    out = outside()
    out.network.fail[TABLE] = [error(NetworkFault.UNAVAILABLE)]
    assert await applied(out) == Applied()
    assert out.network.body(TABLE)["properties"]["provisioningState"] == "Succeeded"


async def test_what_does_not_pass_is_left_for_a_fresh_look() -> None:
    """Only so many attempts are made; what waits for it is not tried at all, the rest moves."""
    out = outside()
    out.network.refuse[OLD_NIC] = [error(NetworkFault.BUSY, OLD_NIC)] * ATTEMPTS
    result = await applied(out)
    assert set(result.unanswered) == {f"detach:{OLD_NIC.casefold()}", f"attach:{NEW_NIC.casefold()}"}
    assert result.refused == {}
    assert (hop(out), holder(out)) == (address("b", "internal"), "a")
    assert steps(out) == {
        "routes": StepStatus.DONE,
        "detach": StepStatus.FAILED,
        "attach": StepStatus.SKIPPED,
    }


@pytest.mark.parametrize(
    "fault", [each for each in NetworkFault if each.lasting and each is not NetworkFault.POLICY]
)
async def test_a_refusal_for_good_is_taken_as_one_and_the_rest_moves(fault: NetworkFault) -> None:
    """What Azure will never do is asked for once, and keeps nothing else from moving."""
    out = outside()
    out.network.refuse[TABLE] = [error(fault)]
    result = await applied(out)
    assert list(result.refused) == [f"routes:{TABLE.casefold()}"]
    assert out.network.tried.count(TABLE) == 1
    assert (hop(out), holder(out)) == (address("a", "internal"), "b")


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.0, 7.0), (3600.0, 30.0)])
async def test_azure_is_given_the_time_it_asks_for(asked_s: float, waited_s: float) -> None:
    """Retry-After is obeyed, up to half a minute."""
    out = outside(group_of())
    out.network.refuse[TABLE] = [error(NetworkFault.BUSY, retry_after_s=asked_s)]

    assert await applied(out, group_of()) == Applied()
    assert waited_s <= out.clock.monotonic() < waited_s + 2.0


async def test_attempts_come_at_ever_longer_intervals() -> None:
    """A service in trouble is not asked six times within a second."""
    out = outside(group_of())
    out.network.refuse[TABLE] = [error(NetworkFault.UNAVAILABLE)] * ATTEMPTS
    times: list[float] = []
    out.network.before_put = lambda _: times.append(out.clock.monotonic())
    assert (await applied(out, group_of())).unanswered
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) == ATTEMPTS - 1
    assert all(longer > 1.9 * shorter for shorter, longer in itertools.pairwise(gaps))


async def test_a_body_that_azure_never_documented_is_not_written() -> None:
    """What cannot be understood when it is read again is left as it is, and said."""
    out = outside(group_of())
    garbage = Resource(TABLE, "", {"properties": {"routes": "none of your business"}})
    out.network.before_put = lambda _: out.network.put_there(garbage)
    result = await applied(out, group_of())
    assert list(result.refused) == [f"routes:{TABLE.casefold()}"]
    assert out.network.body(TABLE) == garbage.body


class Fallen(Exception):
    """Another switch has taken over."""


async def test_nothing_is_written_once_the_fence_has_fallen() -> None:
    """The fence is asked before every write, and what it raises ends everything."""
    out = outside()

    async def fence() -> None:
        if out.network.puts:
            raise Fallen

    with pytest.raises(Fallen):
        await applied(out, fence=fence)
    assert len(out.network.puts) == 1


async def test_a_write_that_is_under_way_goes_on_in_azure_when_its_switch_ends() -> None:
    """Nobody waits for it any more, and it is carried out all the same."""
    out = outside(group_of())
    out.network.operation_s = 5.0

    async def alive() -> None:
        if out.clock.monotonic() > 2.0:
            raise Fallen

    with pytest.raises(Fallen):
        await applied(out, group_of(), alive=alive)
    assert out.clock.monotonic() < 4.0
    await out.clock.sleep(5.0)
    assert hop(out) == address("b", "internal")
    assert out.network.body(TABLE)["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("waiting", ["before", "in the fence"])
async def test_a_nic_read_a_while_ago_is_read_again_although_if_match_is_ignored(waiting: str) -> None:
    """Where a NIC is written whatever its ETag, a short time from read to write keeps others' edits."""
    out = outside()
    out.network.nics_ignore_if_match = True
    edited = False

    def edit() -> None:
        nonlocal edited
        edited = True
        out.network.edit(OLD_NIC, lambda body: body["tags"].update(theirs="yes"))

    async def fence() -> None:
        if not edited:
            await out.clock.sleep(1.5)
            edit()

    if waiting == "before":
        assert await applied(out, wait_s=1.5, meanwhile=edit) == Applied()
    else:
        assert await applied(out, fence=fence) == Applied()
    assert out.network.body(OLD_NIC)["tags"] == {"owner": "somebody", "theirs": "yes", MARK.name: MARK.value}
    assert holder(out) == "b"


async def test_a_nic_is_not_written_when_its_copy_is_always_old_by_then() -> None:
    """A process that stands still between reading and writing writes nothing, however often it tries."""
    out = outside()

    async def fence() -> None:
        await out.clock.sleep(1.5)

    result = await applied(out, fence=fence)
    assert f"detach:{OLD_NIC.casefold()}" in result.unanswered
    assert (OLD_NIC in out.network.tried, holder(out)) == (False, "a")
    assert hop(out) == address("b", "internal")


@pytest.mark.parametrize(("read_s", "moved"), [(2.0, True), (6.0, False)])
async def test_a_nic_that_azure_is_slow_to_show_is_written_all_the_same(read_s: float, moved: bool) -> None:
    """A slow answer ages from its arrival when no other would do; one that took far too long does not."""
    out = outside()

    def slow_from_now_on() -> None:
        out.network.slow |= {OLD_NIC: read_s, NEW_NIC: read_s}

    assert (await applied(out, wait_s=1.5, meanwhile=slow_from_now_on) == Applied()) is moved
    assert holder(out) == ("b" if moved else "a")


async def test_no_more_than_fifty_writes_are_under_way_at_once() -> None:
    """A large group does not run into Azure's limits by itself."""
    group = group_of(tables=tuple(f"t{number}" for number in range(60)))
    out = outside(group)
    most = 0

    async def alive() -> None:
        nonlocal most
        states = [each.body["properties"].get("provisioningState") for each in out.network.resources.values()]
        most = max(most, states.count("Updating"))
        await asyncio.sleep(0)

    assert await applied(out, group, alive=alive) == Applied()
    assert most == 50


@pytest.mark.parametrize("asked_s", [17.0, None, 0.0])
async def test_throttled_writes_cost_no_attempt(asked_s: float | None) -> None:
    """For two minutes every write is turned away for no fault of its own; then it is written."""
    out = outside()
    out.network.before_put = lambda resource: throttle(resource.id)

    def throttle(resource_id: str) -> None:
        if out.clock.monotonic() < 120.0:
            raise error(NetworkFault.THROTTLED, resource_id, retry_after_s=asked_s)

    assert await applied(out) == Applied()
    assert (hop(out), holder(out)) == (address("b", "internal"), "b")
    assert out.clock.monotonic() < 120.0 + 17.0 + 5.0
    assert len(out.network.tried) <= 3 * (120.0 / (asked_s or 5.0) + 2)


@pytest.mark.parametrize("asked_s", [3600.0, None, 0.0])
async def test_throttling_of_writes_without_end_is_left_for_a_fresh_look(asked_s: float | None) -> None:
    """After five minutes it counts as what it may be: trouble that does not pass."""
    out = outside(group_of())
    out.network.refuse[TABLE] = [error(NetworkFault.THROTTLED, retry_after_s=asked_s)] * 10_000
    assert list((await applied(out, group_of())).unanswered) == [f"routes:{TABLE.casefold()}"]
    assert THROTTLED_FOR_S <= out.clock.monotonic() <= THROTTLED_FOR_S + ATTEMPTS * 30.0


async def test_throttling_in_between_does_not_use_up_the_attempts_at_something_else() -> None:
    """Trouble, throttling, trouble: each attempt that failed counts once."""
    out = outside(group_of())
    trouble, throttled = error(NetworkFault.UNAVAILABLE), error(NetworkFault.THROTTLED, retry_after_s=1.0)
    out.network.refuse[TABLE] = [*[trouble, throttled] * (ATTEMPTS - 1), *[throttled] * 20]
    assert await applied(out, group_of()) == Applied()
