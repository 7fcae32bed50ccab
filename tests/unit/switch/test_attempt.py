"""One attempt at one switch, among crashes before it, silences during it, and others at the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Operation, Phase, Resource, Status, StepRecord, StepStatus, Switch, Trigger
from nvaha.ports import NetworkError, NetworkFault, StoreUnavailable
from nvaha.state.lease import LeaseLost
from nvaha.switch.apply import THROTTLED_FOR_S
from nvaha.switch.attempt import (
    PASSES,
    PROGRESS_S,
    SETTLE_S,
    OtherConfiguration,
    Superseded,
    SwitchIncomplete,
)
from tests.builders import (
    address,
    azure_of,
    later,
    nic,
    pip_id,
    request_to,
    switch_of,
    switching,
    table_id,
)
from tests.fakes import Outside, after
from tests.unit.switch.stage import GROUP, NEW_NIC, OLD_NIC, TABLE, attempt, moved, record


async def test_a_switch_ends_with_everything_on_its_target_and_on_record(out: Outside) -> None:
    """Azure, the state and the record agree, and each resource was written once."""
    await attempt(out)
    assert moved(out) == (True, True)
    assert (out.state().phase, out.state().active, out.state().generation) == (Phase.STEADY, "b", 1)
    assert (record(out).status, record(out).worker, record(out).attempts) == (Status.DONE, "worker", 1)
    assert {step.status for step in record(out).steps} == {StepStatus.DONE}
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC, NEW_NIC])


@pytest.mark.parametrize("puts", [0, 1, 2, 3])
async def test_a_switch_that_died_after_any_write_is_resumed_and_writes_nothing_twice(
    out: Outside, puts: int
) -> None:
    """The next attempt plans from what Azure says, and writes only what is left."""

    class Killed(BaseException):
        """The process is gone."""

    def die(_: Resource) -> None:
        if len(out.network.puts) == puts:
            raise Killed

    out.network.before_put = die
    if puts == 3:
        out.store.before_save = lambda: die(Resource("", "", {}))
    with pytest.raises(Killed):
        await attempt(out)
    out.network.before_put = lambda _: None
    out.store.before_save = lambda: None
    out.leases.held.clear()
    await out.clock.sleep(5.0)
    await attempt(out)
    assert moved(out) == (True, True)
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC, NEW_NIC])
    assert (record(out).status, record(out).attempts) == (Status.DONE, 2)


async def test_a_switch_that_is_done_in_azure_already_writes_nothing(out: Outside) -> None:
    """It is verified, and that is all."""
    out.network.put_there(*azure_of(GROUP, "b"))
    await attempt(out)
    assert (out.network.tried, out.state().active) == ([], "b")


async def test_what_a_dead_worker_began_and_azure_has_done_is_done_on_record(out: Outside) -> None:
    """Only its end was lost. What put something back, or is not configured any more, is not known."""
    began = [
        StepRecord(f"{kind}:{resource.casefold()}", kind, resource, "", StepStatus.RUNNING)
        for kind, resource in (
            ("routes", TABLE),
            ("attach", NEW_NIC),
            ("attach", OLD_NIC),
            ("routes", table_id("gone")),
        )
    ]
    out.network.put_there(*azure_of(GROUP, "b"))
    out.store.operations["g-1-0"] = Operation(request_to("b"), steps=tuple(began))
    await attempt(out)
    assert [step.status for step in record(out).steps] == [*[StepStatus.DONE] * 2, *[StepStatus.RUNNING] * 2]
    assert out.network.puts == []


async def test_what_azure_refuses_is_named_and_the_rest_has_moved(out: Outside) -> None:
    """The operation fails on record with the resource; Azure is read afresh before anything else."""
    denied = NetworkError(NetworkFault.DENIED, TABLE, "403: not yours")
    out.network.refuse[TABLE] = [denied] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (False, True)
    assert out.state().phase is Phase.UNKNOWN
    assert record(out).status is Status.FAILED
    (left,) = record(out).unfinished
    assert "route table table" in left
    assert "403" in left


async def test_why_azure_refused_survives_what_is_long(out: Outside) -> None:
    """Ids of any length, and Azure's own text, do not push the reason out of what people are told."""
    scope = f"/subscriptions/{'0' * 36}/resourceGroups/{'long-' * 18}"
    message = (
        f"locked at {scope} (409 ScopeLocked): following scope(s) are locked: '{scope}'. Remove the lock."
    )
    out.network.refuse[TABLE] = [NetworkError(NetworkFault.REFUSED, TABLE, message)] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    (error,) = (each.error or "" for each in record(out).steps if each.resource_id == TABLE)
    assert error.startswith("locked at ")
    (failed,) = (each.text for each in out.told.notices if each.event == "switch_failed")
    assert "locked at " in failed
    assert "table table" in failed


async def test_what_waits_for_a_refused_step_is_named_as_well(out: Outside) -> None:
    """A public IP whose detach is refused stays where it is, and both ends of that are said."""
    refused = NetworkError(NetworkFault.REFUSED, OLD_NIC, "400: OperationNotAllowed")
    out.network.refuse[OLD_NIC] = [refused] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (True, False)
    assert len(record(out).unfinished) == 2
    assert "waits for another step" in record(out).unfinished[1]


async def test_what_cannot_be_brought_over_is_a_problem_on_record(out: Outside) -> None:
    """A target's NIC that is gone leaves its public IP behind; the routes move by the remembered address."""
    del out.network.resources[NEW_NIC.casefold()]
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (True, False)
    assert any("404" in each for each in record(out).unfinished)


async def test_a_resource_that_changes_at_every_pass_is_given_up_in_the_end(out: Outside) -> None:
    """Only so many times is the network read and planned for again."""
    busy = NetworkError(NetworkFault.BUSY, TABLE, "429: busy")
    out.network.refuse[TABLE] = [busy] * 1000

    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert record(out).unfinished[0] == f"not as planned after {PASSES} passes"
    assert any("429" in each for each in record(out).unfinished)
    assert moved(out) == (False, True)


async def test_a_switch_that_is_superseded_writes_nothing_more(out: Outside) -> None:
    """Between detach and attach a newer generation begins: the attach is left to that."""
    out.network.operation_s = 3.0

    newer = replace(request_to("a"), operation="g-2-0", generation=2)
    after(1.5, lambda: out.store.put(switching("a", request=newer, generation=2)))
    with pytest.raises(Superseded):
        await attempt(out)
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC])
    assert (out.state().generation, out.state().phase) == (2, Phase.SWITCHING)
    assert not record(out).status.ended


async def test_a_look_that_is_old_once_it_is_had_is_made_again_before_a_write(out: Outside) -> None:
    """A process stands still right before it writes a table; superseded meanwhile, it writes nothing."""
    newer = replace(request_to("a"), operation="g-2-0", generation=2)
    stood: list[bool] = []

    def stand_still() -> None:
        operation = out.store.operations.get("g-1-0")
        begun = (
            [step.kind for step in operation.steps if step.status is StepStatus.RUNNING] if operation else []
        )
        if "routes" in begun and not stood:
            stood.append(True)
            out.store.loading_s = 8.0
            after(1.0, lambda: out.store.put(switching("a", request=newer, generation=2)))
            after(7.9, lambda: setattr(out.store, "loading_s", 0.0))

    out.store.before_load = stand_still
    with pytest.raises(Superseded):
        await attempt(out)
    assert (stood, out.network.puts) == ([True], [])


async def test_a_switch_stops_once_the_leader_has_another_configuration(out: Outside) -> None:
    """Between detach and attach the leader is another: who has its configuration goes on, and ends it."""
    out.network.operation_s = 3.0
    after(1.5, lambda: out.store.put(replace(out.state(), fingerprint="another")))
    with pytest.raises(OtherConfiguration):
        await attempt(out)
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC])
    assert out.state().phase is Phase.SWITCHING
    out.store.put(replace(out.state(), fingerprint=GROUP.fingerprint))
    out.leases.held.clear()
    await attempt(out)
    assert moved(out) == (True, True)
    assert (record(out).status, record(out).attempts) == (Status.DONE, 2)


@pytest.mark.parametrize("complete", [True, False])
async def test_a_switch_does_not_end_by_another_configuration_than_the_leaders(
    out: Outside, complete: bool
) -> None:
    """The leader has a new one in the very last moment: what was done, or left undone, is not its switch."""
    if not complete:
        out.network.refuse[TABLE] = [NetworkError(NetworkFault.DENIED, TABLE, "403: not yours")] * 9
    last = 3 if complete else 2

    def reconfigure() -> None:
        if len(out.network.puts) == last:
            out.store.before_save = lambda: None
            out.store.put(replace(out.state(), fingerprint="another"))

    out.store.before_save = reconfigure
    with pytest.raises(OtherConfiguration):
        await attempt(out)
    assert out.state().phase is Phase.SWITCHING
    assert not record(out).status.ended


async def test_a_switch_that_is_superseded_in_its_last_moment_is_not_done(out: Outside) -> None:
    """The report that it is done comes too late, and changes nothing."""
    newer = replace(request_to("a"), operation="g-2-0", generation=2)

    def overtake() -> None:
        if len(out.network.puts) == 3:
            out.store.before_save = lambda: None
            out.store.put(switching("a", request=newer, generation=2))

    out.store.before_save = overtake
    with pytest.raises(Superseded):
        await attempt(out)
    assert (out.state().generation, out.state().phase) == (2, Phase.SWITCHING)


async def test_a_worker_that_has_lost_its_lease_writes_nothing_more(out: Outside) -> None:
    """Somebody else has the switch lease: that one goes on."""
    out.network.operation_s = 20.0

    after(2.0, lambda: out.leases.steal("switch-g"))
    with pytest.raises(LeaseLost):
        await attempt(out)
    await out.clock.sleep(60.0)
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC])
    assert out.state().phase is Phase.SWITCHING


async def test_a_worker_that_storage_does_not_answer_stops_before_its_lease_runs_out(out: Outside) -> None:
    """Whether it may still write cannot be told, so it writes nothing."""
    out.network.operation_s = 20.0

    def gone() -> None:
        out.store.answers = out.leases.answers = False

    after(2.0, gone)
    with pytest.raises((StoreUnavailable, LeaseLost)):
        await attempt(out)
    assert out.clock.monotonic() < 15.0
    assert sorted(out.network.puts) == sorted([TABLE, OLD_NIC])


async def test_a_write_that_a_dead_worker_left_is_waited_for(out: Outside) -> None:
    """A body that looks right while Azure still carries it out is not a switch that is done."""
    out.network.put_there(*azure_of(GROUP, "b"))
    out.network.edit(TABLE, lambda body: body["properties"].update(provisioningState="Updating"))

    def ends() -> None:
        out.network.edit(TABLE, lambda body: body["properties"].update(provisioningState="Succeeded"))

    after(90.0, ends)
    await attempt(out)
    assert 90.0 <= out.clock.monotonic() < 95.0
    assert (out.state().active, out.network.tried) == ("b", [])


async def test_a_write_that_never_ends_is_named_in_the_end(out: Outside) -> None:
    """After five minutes the switch ends as failed, and says what Azure is still at."""
    out.network.put_there(*azure_of(GROUP, "b"))
    out.network.edit(TABLE, lambda body: body["properties"].update(provisioningState="Updating"))

    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert SETTLE_S <= out.clock.monotonic() < SETTLE_S + 5.0
    assert "still carrying" in record(out).unfinished[0]


@pytest.mark.parametrize(("asked_s", "back_s"), [(None, 1.0), (10.0, 8.0)])
async def test_azure_may_be_silent_for_a_moment(out: Outside, asked_s: float | None, back_s: float) -> None:
    """Reads are tried again after a while, or after as long as Azure asks for."""
    silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503", retry_after_s=asked_s)
    out.network.unread = dict.fromkeys(GROUP.resource_ids, silence)

    after(back_s, out.network.unread.clear)
    await attempt(out)
    assert moved(out) == (True, True)


@pytest.mark.parametrize(("asked_s", "within_s"), [(None, 5.0), (10.0, 35.0), (3600.0, 95.0)])
async def test_an_attempt_at_a_silent_azure_ends_soon_and_can_be_made_again(
    out: Outside, asked_s: float | None, within_s: float
) -> None:
    """Nothing has ended: the trouble is on record, and the message comes again."""
    silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone", retry_after_s=asked_s)
    out.network.unread = dict.fromkeys(GROUP.resource_ids, silence)

    with pytest.raises(NetworkError):
        await attempt(out)
    assert out.clock.monotonic() < within_s
    assert "503" in (record(out).error or "")
    assert (record(out).status, out.state().phase) == (Status.RUNNING, Phase.SWITCHING)
    out.network.unread.clear()
    out.leases.held.clear()
    await attempt(out)
    assert (record(out).status, record(out).error, record(out).attempts) == (Status.DONE, None, 2)


async def test_a_resource_that_azure_does_not_show_keeps_nothing_else(out: Outside) -> None:
    """After a few tries the switch goes on without it, and names it."""
    silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone", retry_after_s=2.0)
    out.network.unread[TABLE] = silence
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (False, True)
    assert any("503" in each for each in record(out).unfinished)


async def test_a_resource_that_azure_shows_at_the_second_try_moves_with_the_rest(out: Outside) -> None:
    """One silence is no reason to leave something undone."""
    out.network.unread[TABLE] = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone")

    after(0.4, out.network.unread.clear)
    await attempt(out)
    assert moved(out) == (True, True)


async def test_progress_is_on_record_while_azure_takes_its_time(out: Outside) -> None:
    """The leader sees a worker at it every few seconds, so that the switch is not queued again."""
    out.network.operation_s = 40.0
    ages: list[float] = []

    def look() -> None:
        moved_at = switch_of(out.state()).progress_at
        assert moved_at is not None
        ages.append((out.clock.now() - moved_at).total_seconds())

    for second in range(1, 75):
        after(second, look)
    await attempt(out)
    assert len(ages) == 74
    assert max(ages) <= PROGRESS_S + 1.0


async def test_a_record_that_nobody_made_is_made_by_whoever_takes_the_switch_up(out: Outside) -> None:
    """The one who asked for the switch may have died in between."""
    assert out.store.operations == {}
    await attempt(out)
    assert record(out).request == request_to("b")


async def test_a_record_of_the_first_attempt_is_gone_on_with(out: Outside) -> None:
    """History counts both attempts, from the first one's start."""
    out.store.operations["g-1-0"] = Operation(
        request_to("b"), Status.RUNNING, worker="dead", attempts=1, started_at=later(-30)
    )
    await attempt(out)
    assert (record(out).attempts, record(out).started_at) == (2, later(-30))


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.SUPERSEDED])
async def test_a_switch_whose_record_has_ended_is_not_carried_out_again(out: Outside, status: Status) -> None:
    """Its row went back in time: nothing is read or written, nothing is wanted, and a look decides."""
    out.store.operations["g-1-0"] = Operation(request_to("b"), status)
    with pytest.raises(Superseded):
        await attempt(out)
    assert (out.network.tried, out.network.reads) == ([], [])
    assert (out.state().phase, out.state().wanted) == (Phase.UNKNOWN, None)
    assert record(out).status is status


async def test_a_public_ip_of_somebody_else_on_the_target_is_left_alone(out: Outside) -> None:
    """It would have to be taken off, and that is not this group's to do."""
    theirs = nic("b", "external", {"ip": address("b", "external")}, {"ip": pip_id("theirs")})
    out.network.put_there(theirs)
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert out.network.body(NEW_NIC) == theirs.body
    assert moved(out) == (True, False)
    assert switch_of(out.state()) == Switch(request_to("b"), ended=Status.FAILED)


THROTTLED = NetworkError(NetworkFault.THROTTLED, TABLE, "429: too many", retry_after_s=17.0)


@pytest.mark.parametrize("trigger", [Trigger.FAILOVER, Trigger.MANUAL])
@pytest.mark.parametrize("struck", [(TABLE,), GROUP.resource_ids], ids=["some", "all"])
async def test_throttled_reads_are_waited_out(
    out: Outside, trigger: Trigger, struck: tuple[str, ...]
) -> None:
    """Some or all, for minutes, as ARM asks: one attempt moves everything."""
    request = replace(request_to("b"), trigger=trigger)
    out.store.put(switching(request=request))
    out.network.unread = dict.fromkeys(struck, THROTTLED)
    after(200.0, out.network.unread.clear)
    await attempt(out)
    assert moved(out) == (True, True)
    assert 200.0 <= out.clock.monotonic() < 200.0 + 17.0 + 5.0
    assert (record(out).status, record(out).attempts) == (Status.DONE, 1)
    assert out.network.reads.count(TABLE) <= 200.0 / 17.0 + 5


async def test_a_failover_does_not_wait_for_what_is_throttled_while_there_is_something_to_write(
    out: Outside,
) -> None:
    """The public IP of a dead NVA moves at once, the table when Azure shows it."""
    out.store.put(switching(request=replace(request_to("b"), trigger=Trigger.FAILOVER)))
    out.network.unread[TABLE] = THROTTLED
    done: list[tuple[bool, bool]] = []
    after(10.0, lambda: done.append(moved(out)))
    after(60.0, out.network.unread.clear)
    await attempt(out)
    assert done == [(False, True)]
    assert moved(out) == (True, True)


@pytest.mark.parametrize(("asked_s", "obeyed_s"), [(3600.0, 30.0), (0.0, 5.0), (None, 5.0)])
async def test_throttling_without_end_ends_an_attempt(
    out: Outside, asked_s: float | None, obeyed_s: float
) -> None:
    """However long ARM asks for: it is asked again in half a minute, for five minutes, and not in a rush."""
    error = NetworkError(NetworkFault.THROTTLED, TABLE, "429: too many", retry_after_s=asked_s)
    out.network.unread = dict.fromkeys(GROUP.resource_ids, error)
    with pytest.raises(NetworkError):
        await attempt(out)
    assert THROTTLED_FOR_S <= out.clock.monotonic() < THROTTLED_FOR_S + 4 * 30.0
    assert out.network.reads.count(TABLE) <= THROTTLED_FOR_S / obeyed_s + 4
