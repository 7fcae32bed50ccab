"""The canary from the leader to Azure and back: switched when it is due, told, and in nobody's way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.canary import ADDRESSES, PREFIX, canary_group
from nvaha.core.canary_runs import EMPTY_S, REMEDY, RETRY_S, due_at
from nvaha.core.inputs import FailoverCommanded
from nvaha.model import (
    CanarySpec,
    Configuration,
    GroupState,
    Guards,
    Notice,
    Phase,
    Resource,
    Status,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.model.messages import SwitchMessage
from nvaha.operate.control import Control
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from nvaha.watch.monitor import Monitor
from tests.builders import NOON, table_id
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, B, known, outside, watched_group

EVERY_S = 120.0
TABLE = table_id("rt-canary")
CANARY = canary_group(TABLE, CanarySpec(every_s=EVERY_S, slow_s=60.0))
CONFIGURATION = Configuration((watched_group(),), canary=CANARY)
FIRST, SECOND = ADDRESSES.values()


def table(address: str = FIRST, **properties: Any) -> Resource:
    """Return the canary's table as it is deployed."""
    hop = {"addressPrefix": PREFIX, "nextHopType": "VirtualAppliance", "nextHopIpAddress": address}
    routes = [{"name": "canary", "properties": hop}]
    return Resource(TABLE, "", {"id": TABLE, "properties": {"routes": routes, **properties}})


def there(*states: GroupState, deployed: Resource | None = None) -> Outside:
    """Return an outside with a group at rest and the canary's table."""
    out = outside(known(), *states)
    out.network.put_there(deployed or table())
    return out


async def worker(out: Outside) -> None:
    """Work messages off as the platform does: soon, and side by side."""
    switcher, taken = Switcher(CONFIGURATION, out.ports, "worker"), 0

    async def work_off(sent: SwitchRequest) -> None:
        message = SwitchMessage(v=1, group=sent.group, generation=sent.generation, operation=sent.operation)
        with suppress(SwitchIncomplete):
            await switcher.run(message)

    async with asyncio.TaskGroup() as tasks:
        while True:
            await out.clock.sleep(0.2)
            for sent in out.queue.sent[taken:]:
                taken += 1
                tasks.create_task(work_off(sent))


async def lead(
    out: Outside,
    seconds: float,
    at: Mapping[float, Callable[[], object]] | None = None,
    *,
    workers: bool = True,
    configuration: Configuration = CONFIGURATION,
) -> None:
    """Let a monitor lead for so long, with a worker beside it, and with what happens at which second."""
    for when, happens in (at or {}).items():
        after(when, happens)
    duty = asyncio.create_task(worker(out)) if workers else None
    await Monitor(configuration, out.ports, "one").tick(seconds)
    if duty is not None:
        duty.cancel()


def hop(out: Outside) -> str:
    """Return where the canary's route points."""
    return str(out.network.body(TABLE)["properties"]["routes"][0]["properties"]["nextHopIpAddress"])


def told(out: Outside, event: str) -> list[Notice]:
    """Return what was told under a name; a canary that failed is told with what to do, once."""
    found = [each for each in out.told.notices if each.event == event]
    assert event != "canary_failed" or [each.text.count(REMEDY) for each in found] == [1] * len(found)
    return found


async def test_a_new_canary_is_switched_at_once_and_told_with_its_phases() -> None:
    """A deployment proves itself: request, claim, first write and end are on record with their seconds."""
    out = there()
    out.ports = replace(out.ports, versions=lambda: {"python": "3.13.1"})
    await lead(out, 30.0)
    (done,) = told(out, "canary_done")
    assert (hop(out), out.network.puts) == (SECOND, [TABLE])
    phases = [done.fields[each] for each in ("claimed_s", "first_write_s", "seconds")]
    assert phases == sorted(phases)
    assert 0 < phases[0] < 1 < phases[2]
    assert done.fields["versions"] == {"python": "3.13.1"}
    assert done.fields["trigger"] == Trigger.CANARY


async def test_it_is_switched_again_when_it_is_due_and_not_before() -> None:
    """Each interval has one run, begun up to a tenth of it early, there and back again."""
    out = there()
    await lead(out, 2 * EVERY_S)
    asked = [each.requested_at for each in out.queue.sent]
    apart = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(asked)]
    assert [each.target for each in out.queue.sent[:2]] == ["second", "first"]
    assert all(0.9 * EVERY_S <= each <= EVERY_S + 10.0 for each in apart)
    assert out.network.puts == [TABLE] * len(asked)


async def test_a_new_leader_goes_by_the_last_run_on_record() -> None:
    """That somebody else leads is no reason for a run."""
    out = there()
    await lead(out, 30.0)
    out.leases.held.clear()
    await lead(out, 60.0)
    assert len(out.queue.sent) == 1


async def test_it_is_no_group_to_anybody() -> None:
    """Nobody probes it, looks at its table, counts it or tells its switch as a group's."""
    out = there()
    await lead(out, 60.0)
    assert out.prober.asked
    assert set(out.prober.asked) == {A, B}
    beats = told(out, "heartbeat")
    assert {each.fields["groups"] for each in beats} == {1}
    groups = {"switch_requested", "switch_done", "switch_failed", "discovered", "all_down", "nva_down"}
    assert not [each for each in out.told.notices if each.event in groups and each.fields["group"] != "g"]
    assert out.network.reads.count(TABLE) <= 4


@pytest.mark.parametrize("operation_s", [1.0, 30.0])
async def test_a_run_under_way_holds_no_failover_up(operation_s: float) -> None:
    """A group whose NVA dies meanwhile is switched as soon as it would be without a canary."""
    took = []
    for canary in (CANARY, None):
        out = there()
        out.prober.silent.add(A)
        out.network.operation_s = operation_s
        began = out.clock.now()
        await lead(out, 90.0, configuration=replace(CONFIGURATION, canary=canary))
        (request,) = [each for each in out.queue.sent if each.group == "g"]
        operation = out.store.operations[request.operation]
        assert operation.ended_at is not None
        took.append([(at - began).total_seconds() for at in (request.requested_at, operation.ended_at)])
    assert took[0] == pytest.approx(took[1], abs=0.5)


async def test_a_due_run_waits_for_a_group_that_is_being_switched() -> None:
    """What is going on there is no time for a rehearsal."""
    out = there()

    def dies() -> None:
        out.prober.silent.add(A)
        out.network.operation_s = 60.0

    await lead(out, 1.8 * EVERY_S, {0.85 * EVERY_S: dies})
    first, group, second = out.queue.sent
    ended = out.store.operations[group.operation].ended_at
    assert [each.group for each in (first, group, second)] == ["canary", "g", "canary"]
    assert ended is not None
    assert (ended - first.requested_at).total_seconds() > 1.2 * EVERY_S
    assert second.requested_at >= ended


@pytest.mark.parametrize(
    ("deployed", "why"),
    [
        (table(subnets=[{"id": "/subnets/web"}]), "associated with 1 subnets"),
        (table("10.0.0.4"), "has the route canary"),
        (table(routes=[]), "has 0 routes"),
        (table(routes="none"), "expected a list"),
        (table(subnets="web"), "expected a list"),
    ],
    ids=["in_use", "elsewhere", "empty", "odd", "odd_use"],
)
async def test_a_table_that_could_carry_traffic_is_never_written(deployed: Resource, why: str) -> None:
    """The run fails, and says what is wrong with the table and what to do."""
    out = there(deployed=deployed)
    await lead(out, 60.0)
    assert out.network.tried == []
    (failed,) = told(out, "canary_failed")
    assert why in failed.text


async def test_a_foreign_route_keeps_the_table_from_being_written() -> None:
    """Whatever else is in the table may be somebody's."""
    deployed = table()
    deployed.body["properties"]["routes"].append(
        {"name": "web", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}}
    )
    out = there(deployed=deployed)
    await lead(out, 60.0)
    assert (out.network.tried, len(told(out, "canary_failed"))) == ([], 1)


async def test_a_table_that_is_taken_into_use_under_way_is_not_written() -> None:
    """It is looked at in the very copy that the write is made from."""
    out = there()

    def taken_into_use(_: Resource) -> None:
        out.network.before_put = lambda _: None
        out.network.edit(TABLE, lambda body: body["properties"].update(subnets=[{"id": "/subnets/web"}]))

    out.network.before_put = taken_into_use
    await lead(out, 60.0)
    assert (out.network.tried, out.network.puts, hop(out)) == ([TABLE], [], FIRST)
    assert "associated" in told(out, "canary_failed")[0].text


async def test_a_run_that_failed_is_told_with_a_remedy_and_tried_again_after_a_while() -> None:
    """A deny policy comes to light the same day; then it is mended, and the next run is good."""
    out = there()
    denied = NetworkError(NetworkFault.DENIED, TABLE, "403: RequestDisallowedByPolicy")
    out.network.refuse[TABLE] = [denied]
    await lead(out, EVERY_S + 60.0)
    (failed,) = told(out, "canary_failed")
    assert "RequestDisallowedByPolicy" in failed.text
    assert failed.level == "error"
    first, second = out.queue.sent
    assert (second.requested_at - first.requested_at).total_seconds() >= min(RETRY_S, EVERY_S)
    assert (len(told(out, "canary_done")), out.state("canary").phase) == (1, Phase.STEADY)


async def test_a_run_that_finds_nothing_to_write_is_no_proof_and_another_follows() -> None:
    """After a deployment has put the route back, the next goes the other way and writes."""
    out = there(deployed=table(SECOND))
    await lead(out, EMPTY_S + 60.0)
    assert [each.target for each in out.queue.sent] == ["second", "first"]
    assert (out.network.puts, hop(out)) == ([TABLE], FIRST)
    assert [each.event for each in out.told.notices if each.event in {"canary_empty", "canary_done"}] == [
        "canary_empty",
        "canary_done",
    ]


async def test_a_group_that_cannot_be_read_may_be_under_way() -> None:
    """No run begins beside it; once its row is mended the run follows."""
    out, before = there(), []
    out.store.spoil("g", "{")
    mended = {
        19.0: lambda: before.extend(out.queue.sent),
        20.0: lambda: out.store.put(known()),
    }
    await lead(out, 40.0, mended)
    assert before == []
    assert [each.group for each in out.queue.sent] == ["canary"]


async def test_a_worker_that_sleeps_is_told() -> None:
    """A queue trigger that nobody wakes is what no probe shows: said soon, and failed at its deadline."""
    out = there()
    daily = replace(CONFIGURATION, canary=canary_group(TABLE, CanarySpec()))
    await lead(out, 620.0, workers=False, configuration=daily)
    assert told(out, "canary_slow")
    assert len(told(out, "canary_failed")) == 1
    assert told(out, "switch_unclaimed") == []


async def test_a_slow_run_is_told_as_slow_and_as_done() -> None:
    """It works, but not as fast as a failover should."""
    out = there()
    out.network.operation_s = 90.0
    await lead(out, 120.0)
    (slow,) = told(out, "canary_slow")
    assert slow.fields["seconds"] > 60.0
    assert len(told(out, "canary_done")) == 1


async def test_other_versions_than_at_the_run_before_are_told() -> None:
    """A bundle that floats has moved: what was running before is known."""
    out, seen = there(), {"bundle": "4.22.0", "python": "3.13.1"}
    out.ports = replace(out.ports, versions=lambda: dict(seen))
    await lead(out, EVERY_S + 60.0, {100.0: lambda: seen.update(bundle="4.23.0")})
    (changed,) = told(out, "versions_changed")
    assert "bundle 4.22.0 -> 4.23.0" in changed.text
    assert "python" not in changed.text
    record = out.state("canary").canary
    assert record is not None
    assert record.versions == seen


async def test_a_canary_without_a_good_run_for_too_long_has_failed() -> None:
    """One that was paused and forgotten proves nothing; that is told once in an interval."""
    out = there(GroupState("canary", paused=True))
    await lead(out, 3.5 * EVERY_S)
    assert out.queue.sent == []
    failed = told(out, "canary_failed")
    assert len(failed) == 2
    assert all("paused" in each.text for each in failed)


def test_runs_in_many_deployments_are_apart() -> None:
    """The same interval, ended at the same time: each draws the beginning of its next run, all in time."""
    request = SwitchRequest("canary-1-0", "canary", 1, 1, Trigger.CANARY, "second", "", NOON, "nvaha")
    ended = Switch(request, ended=Status.DONE)
    state = GroupState("canary", switch=ended, guards=Guards(last_switch_at=NOON, ended_at=NOON))
    spec = CanarySpec()
    due = [due_at(canary_group(table_id(f"rt-{number}"), spec), state, NOON) for number in range(50)]
    waits = sorted((each - NOON).total_seconds() for each in due)
    assert len(set(waits)) == len(waits)
    assert 0.9 * spec.every_s <= waits[0] < 0.93 * spec.every_s
    assert 0.97 * spec.every_s < waits[-1] <= spec.every_s


async def test_a_row_of_the_canary_that_cannot_be_read_stops_nothing_else() -> None:
    """The groups are watched as ever, and it is not written over."""
    out = there(GroupState("canary"))
    out.store.unreadable.add("canary")
    out.prober.silent.add(A)
    await lead(out, 60.0)
    assert (out.state().active, out.queue.sent[0].group) == ("b", "g")
    assert [each.fields["group"] for each in told(out, "state_unreadable")] == ["canary"]


async def test_a_person_may_have_it_switched_at_any_time() -> None:
    """Nobody asks for its health; there and back is an end-to-end run as any other."""
    out = there()
    await lead(out, 30.0)
    control = Control(CONFIGURATION, out.ports)
    command = FailoverCommanded(to="first", by="ann")
    after(5.0, lambda: asyncio.ensure_future(control.failover("canary", command)))
    await lead(out, 30.0)
    assert (hop(out), len(told(out, "canary_done"))) == (FIRST, 2)


async def test_status_says_how_the_last_run_went_and_when() -> None:
    """The canary stands beside the groups, and is none of them."""
    out = there()
    control: Any = Control(CONFIGURATION, out.ports)
    before = (await control.groups())["canary"]
    assert (before["status"], before["done_at"], before["overdue"]) == (None, None, False)
    await lead(out, 60.0)
    view = await control.groups()
    assert [each["name"] for each in view["groups"]] == ["g"]
    canary = view["canary"]
    assert (canary["status"], canary["error"], canary["overdue"]) == ("done", None, False)
    assert 50 <= canary["age_s"] <= 60
    assert canary["seconds"].keys() == {"claimed", "first_write", "done"}
    assert (await control.group("canary"))["canary"] == canary
    assert await control.healthy()
    await out.clock.sleep(3 * EVERY_S)
    assert (await control.groups())["canary"]["overdue"]


async def test_a_message_of_the_canary_on_the_poison_queue_is_told_as_the_canary_s_failure() -> None:
    """It ends the run; nobody is woken because a group's switch was given up."""
    request = SwitchRequest("canary-1-0", "canary", 1, 1, Trigger.CANARY, "second", "", NOON, "nvaha")
    out = there(GroupState("canary", phase=Phase.SWITCHING, generation=1, switch=Switch(request)))
    await out.clock.sleep(100.0)
    message = SwitchMessage(v=1, group="canary", generation=1, operation="canary-1-0")
    await Switcher(CONFIGURATION, out.ports, "worker").give_up(message)
    assert [each.event for each in out.told.notices if each.level == "error"] == ["canary_failed"]
    assert out.state("canary").phase is not Phase.SWITCHING
