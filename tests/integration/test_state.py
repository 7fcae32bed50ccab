"""States, the leader's record and operations in a real table."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import UpdateMode

from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.rows import (
    GROUP_PARTITION,
    GROUPS_TABLE,
    HISTORY_TABLE,
    INSTANCE_ROWS,
    LEADER_ROW,
    MONITOR_PARTITION,
    operation_keys,
)
from nvaha.azure.storage.states import TableStore
from nvaha.model import (
    GroupState,
    Guards,
    Health,
    InstanceRecord,
    LeaderRecord,
    NvaState,
    Operation,
    Phase,
    Status,
    StepRecord,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.ports import Conflict, StateStore, StateUnreadable
from tests.integration.conftest import Opened

NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def as_port(store: StateStore) -> StateStore:
    """Let the type checker compare the class with its port."""
    return store


def operation(group: str, generation: int, at: datetime = NOW, status: Status = Status.RUNNING) -> Operation:
    """Return an operation of a group."""
    requested_ms = round(at.timestamp() * 1000)
    request = SwitchRequest(
        operation=f"{group}-{generation}-{requested_ms}",
        group=group,
        generation=generation,
        epoch=3,
        trigger=Trigger.FAILOVER,
        target="nva2",
        reason="nva1 is down",
        requested_at=at,
        requested_by="west",
    )
    steps = (StepRecord("rt", "route_table", "/subscriptions/s/rt", "2 routes to 10.0.0.5"),)
    return Operation(request, status=status, started_at=at, steps=steps)


def full_state(group: str) -> GroupState:
    """Return a state in which everything is set."""
    return GroupState(
        group,
        phase=Phase.SWITCHING,
        active="nva-1",
        generation=5,
        epoch=3,
        nvas={"nva-1": NvaState(Health.DOWN, failures=3, since=NOW, last_error="refused")},
        switch=Switch(operation(group, 5).request, progress_at=NOW, tries=1),
        guards=Guards(switches=(NOW,)),
        probed_at=NOW,
    )


def test_a_state_comes_back_as_it_was_written(opened: Opened) -> None:
    """What one monitor writes another one reads, and people read its plain columns."""

    async def run() -> None:
        async with opened() as one, opened() as two:
            state = full_state("written")
            version = await as_port(TableStore(one)).save(state, None)
            found = await TableStore(two).load("written")
            assert found is not None
            assert (found.state, found.version) == (state, version)
            assert (await TableStore(two).load_all())["written"] == found
            row = await one.tables.get_table_client(GROUPS_TABLE).get_entity(GROUP_PARTITION, "written")
            assert (row["phase"], row["active"], row["target"]) == ("switching", "nva-1", "nva2")
            assert (row["health_nva_1"], row["failures_nva_1"].value) == ("down", 3)

    asyncio.run(run())


def test_what_is_none_again_leaves_its_column(opened: Opened) -> None:
    """A column whose value is gone is not left over from an earlier write."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            version = await store.save(full_state("cleared"), None)
            assert isinstance(version, str)
            await store.save(GroupState("cleared"), version)
            row = await storage.tables.get_table_client(GROUPS_TABLE).get_entity(GROUP_PARTITION, "cleared")
            assert "active" not in row
            assert "health_nva_1" not in row

    asyncio.run(run())


def test_of_ten_racing_writers_one_wins(opened: Opened) -> None:
    """Of ten that write against the same version, one wins and nine are told of a conflict."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)

            async def race(version: str | None) -> str:
                writes = (store.save(GroupState("race", generation=number), version) for number in range(10))
                answers = await asyncio.gather(*writes)
                won = [answer for answer in answers if isinstance(answer, str)]
                assert len(won) == 1
                assert sum(isinstance(answer, Conflict) for answer in answers) == 9
                found = await store.load("race")
                assert found is not None
                assert found.version == won[0]
                assert found.state.generation == answers.index(won[0])
                return won[0]

            await race(await race(None))

    asyncio.run(run())


def test_a_state_that_was_deleted_is_a_conflict(opened: Opened) -> None:
    """Writing against a version that somebody deleted does not bring the row back."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            version = await store.save(GroupState("deleted"), None)
            assert isinstance(version, str)
            await storage.tables.get_table_client(GROUPS_TABLE).delete_entity(GROUP_PARTITION, "deleted")
            assert isinstance(await store.save(GroupState("deleted"), version), Conflict)
            assert await store.load("deleted") is None

    asyncio.run(run())


@pytest.mark.parametrize("text", ['{"schema":2}', "{", '{"schema":1,"phase":"asleep"}'])
def test_an_unreadable_state_stops_its_group_only(opened: Opened, text: str) -> None:
    """A row that cannot be read is refused where it is asked for, named among all, and kept as it is."""
    group = f"unreadable{len(text)}"

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            await store.save(GroupState("readable"), None)
            table = storage.tables.get_table_client(GROUPS_TABLE)
            await table.create_entity({"PartitionKey": GROUP_PARTITION, "RowKey": group, "state": text})
            with pytest.raises(StateUnreadable):
                await store.load(group)
            everything = await store.load_all()
            assert "readable" in everything
            assert isinstance(everything[group], StateUnreadable)
            assert group in str(everything[group])
            assert isinstance(await store.save(GroupState(group), None), Conflict)
            assert (await table.get_entity(GROUP_PARTITION, group))["state"] == text

    asyncio.run(run())


def test_a_group_that_was_never_written_is_not_there(opened: Opened) -> None:
    """No row, and no name that a row could have, is no state."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            assert await store.load("nowhere") is None
            assert await store.load("no/where") is None

    asyncio.run(run())


def test_the_leaders_record_is_kept_from_older_epochs(opened: Opened) -> None:
    """The newest epoch's record stays, whoever writes last; its own writer may go on writing."""

    async def run() -> None:
        async with opened() as storage:
            await _forget_leader(storage)
            old, new, other = TableStore(storage), TableStore(storage), TableStore(storage)
            assert await other.load_leader() is None
            await old.save_leader(LeaderRecord("old", 4, NOW))
            later = LeaderRecord("old", 4, NOW + timedelta(seconds=10))
            await old.save_leader(later)
            assert await other.load_leader() == later
            record = LeaderRecord("new", 5, NOW, blind=True)
            await new.save_leader(record)
            await old.save_leader(later)
            await old.save_leader(later)
            assert await other.load_leader() == record
            await new.save_leader(LeaderRecord("new", 5, NOW))
            assert await other.load_leader() == LeaderRecord("new", 5, NOW)

    asyncio.run(run())


def test_instances_keep_rows_of_their_own(opened: Opened) -> None:
    """Each is written over; what cannot be read is left out; who has not written since then is removed."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            await store.save(GroupState("g"), None)
            await _forget_leader(storage)
            await store.save_leader(LeaderRecord("one", 1, NOW))
            table = storage.tables.get_table_client(GROUPS_TABLE)
            async for each in table.query_entities(f"PartitionKey eq '{MONITOR_PARTITION}'"):
                if each["RowKey"].startswith(INSTANCE_ROWS):
                    await table.delete_entity(each)
            odd = InstanceRecord("west/2 é", NOW, version="1", answered=2, seen_at=NOW)
            for record in (InstanceRecord("one", NOW), odd, InstanceRecord("one", NOW, leads=True)):
                await store.save_instance(record)
            await table.create_entity(
                {"PartitionKey": MONITOR_PARTITION, "RowKey": f"{INSTANCE_ROWS}zz", "state": "garbage"}
            )
            found = {each.instance: each for each in await store.instances()}
            assert found == {"one": InstanceRecord("one", NOW, leads=True), odd.instance: odd}
            now = datetime.now(UTC)
            await store.forget_instances(now - timedelta(minutes=5))
            assert len(await store.instances()) == 2
            await store.forget_instances(now + timedelta(minutes=5))
            assert await store.instances() == ()
            left = [each["RowKey"] async for each in table.query_entities("RowKey ge 'instance'")]
            assert not [each for each in left if each.startswith(INSTANCE_ROWS)]
            assert await store.load_leader() is not None

    asyncio.run(run())


async def _forget_leader(storage: Storage) -> None:
    store = TableStore(storage)
    await store.save(GroupState("any"), None)
    table = storage.tables.get_table_client(GROUPS_TABLE)
    await table.delete_entity(MONITOR_PARTITION, LEADER_ROW)


def test_an_operation_comes_back_as_it_was_written(opened: Opened) -> None:
    """An operation is read by its id, and the last write is the one that is read."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            running = operation("op-erations", 1)
            await store.record(running)
            assert await store.operation(running.id) == running
            done = dataclasses.replace(running, status=Status.DONE, ended_at=NOW)
            await store.record(done)
            assert await store.operation(running.id) == done
            for unknown in ("op-erations-2-1", "nonsense", "a/b-1-1", ""):
                assert await store.operation(unknown) is None

    asyncio.run(run())


def test_an_ended_operation_stays_ended(opened: Opened) -> None:
    """A late report of progress does not reopen an operation, not even in a race."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            running = operation("ended", 1)
            failed = dataclasses.replace(running, status=Status.FAILED, error="refused")
            await asyncio.gather(store.record(running), store.record(failed), store.record(running))
            assert await store.operation(running.id) == failed
            await store.record(running)
            assert await store.operation(running.id) == failed

    asyncio.run(run())


def test_an_operation_of_a_newer_version_is_not_overwritten(opened: Opened) -> None:
    """A record that this version cannot read is left alone."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            ended = operation("newer", 1, status=Status.DONE)
            keys = operation_keys(ended.id)
            assert keys is not None
            await store.record(operation("newer", 2))
            table = storage.tables.get_table_client(HISTORY_TABLE)
            row = {"PartitionKey": keys[0], "RowKey": keys[1], "state": '{"schema":9}'}
            await table.upsert_entity(row, mode=UpdateMode.REPLACE)
            with pytest.raises(StateUnreadable):
                await store.record(ended)
            assert (await table.get_entity(*keys))["state"] == '{"schema":9}'

    asyncio.run(run())


WILD = json.dumps({"schema": 1, "status": "running", "attempts": -1})


def test_an_operation_that_nobody_can_read_is_hidden_alone_and_replaced(opened: Opened) -> None:
    """The rest of the history is there, and whoever carries that switch out writes its record anew."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            other, spoilt = operation("wild", 1), operation("wild", 2)
            keys = operation_keys(spoilt.id)
            assert keys is not None
            await store.record(other)
            table = storage.tables.get_table_client(HISTORY_TABLE)
            await table.create_entity({"PartitionKey": keys[0], "RowKey": keys[1], "state": WILD})
            with pytest.raises(StateUnreadable):
                await store.operation(spoilt.id)
            unreadable, readable = await store.history("wild", 9)
            assert isinstance(unreadable, StateUnreadable)
            assert keys[1] in str(unreadable)
            assert readable == other
            await store.record(spoilt)
            assert await store.history("wild", 9) == (spoilt, other)

    asyncio.run(run())


def test_a_leaders_record_that_nobody_can_read_is_replaced(opened: Opened) -> None:
    """It says who leads, and whoever leads says so again; a newer release's is left as it is."""

    async def run() -> None:
        async with opened() as storage:
            await _forget_leader(storage)
            table = storage.tables.get_table_client(GROUPS_TABLE)
            row = {"PartitionKey": MONITOR_PARTITION, "RowKey": LEADER_ROW}
            await table.create_entity({**row, "state": '{"schema":1,"instance":"x","epoch":-1}'})
            with pytest.raises(StateUnreadable):
                await TableStore(storage).load_leader()
            mine = LeaderRecord("mine", 2, NOW)
            await TableStore(storage).save_leader(mine)
            assert await TableStore(storage).load_leader() == mine
            await table.upsert_entity({**row, "state": '{"schema":9}'}, mode=UpdateMode.REPLACE)
            with pytest.raises(StateUnreadable):
                await TableStore(storage).save_leader(mine)
            assert (await table.get_entity(MONITOR_PARTITION, LEADER_ROW))["state"] == '{"schema":9}'

    asyncio.run(run())


def test_history_is_newest_first_and_bounded(opened: Opened) -> None:
    """History gives a group's own operations, the newest first, at most as many as asked for."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            written = [
                operation("history", number, NOW + timedelta(seconds=number)) for number in range(8, 13)
            ]
            written.append(operation("history", 13, NOW + timedelta(seconds=12)))
            for each in (*written, operation("history-other", 99)):
                await store.record(each)
            newest_first = tuple(reversed(written))
            assert await store.history("history", 100) == newest_first
            assert await store.history("history", 2) == newest_first[:2]
            assert await store.history("history", 0) == ()
            assert await store.history("o'history", 5) == ()

    asyncio.run(run())


def test_a_large_operation_fits(opened: Opened) -> None:
    """An operation over hundreds of tables is stored with all its steps."""

    async def run() -> None:
        async with opened() as storage:
            store = TableStore(storage)
            step = StepRecord(
                "k" * 100, "route_table", "/subscriptions/" + "x" * 200, "d" * 400, error="é" * 300
            )
            large = dataclasses.replace(operation("large", 1), steps=(step,) * 250)
            await store.record(large)
            found = await store.operation(large.id)
            assert found is not None
            assert len(found.steps) == 250

    asyncio.run(run())
