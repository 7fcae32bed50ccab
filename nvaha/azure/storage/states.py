"""Group states, the leader's record and operations in Table Storage, by compare-and-swap.

One entity each, written with its ETag, so that one writer wins and the loser reads again. A write whose
answer was lost and that was sent again looks to its own writer like somebody else's: it reads again and finds
its own value.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableClient

from nvaha.azure.storage.connection import Storage, answering, creating
from nvaha.azure.storage.rows import (
    GROUP_PARTITION,
    GROUPS_TABLE,
    HISTORY_TABLE,
    INSTANCE_ROWS,
    LEADER_ROW,
    MONITOR_PARTITION,
    Entity,
    group_entity,
    instance_entity,
    is_key,
    leader_entity,
    operation_and_rest,
    operation_entity,
    operation_keys,
    read_group,
    read_instance,
    read_leader,
    read_operation,
)
from nvaha.model import INSTANCES_FOR_S, GroupState, InstanceRecord, LeaderRecord, Operation
from nvaha.ports import Conflict, StateUnreadable, StoreUnavailable, Versioned

_Row = TypeVar("_Row")

_TRIES = 5
_PAGE = 200
"""Rows that are read in one go: the event loop is held for as long as they take to be decoded, some 0.1 s."""


class TableStore:
    """The `StateStore` of ports.py.

    Args:
        storage: the connection.
    """

    def __init__(self, storage: Storage) -> None:
        self._groups = storage.tables.get_table_client(GROUPS_TABLE)
        self._history = storage.tables.get_table_client(HISTORY_TABLE)
        self._clock = storage.clock
        self._leader_version: str | None = None
        self._leader_epoch = 0

    async def load(self, group: str) -> Versioned | None:
        """Return the group's state, or None if there is none yet."""
        if not is_key(group):
            return None
        async with answering(f"read the state of group {group}"):
            entity = await _get(self._groups, GROUP_PARTITION, group)
        return None if entity is None else self._group(entity)

    async def load_all(self) -> Mapping[str, Versioned | StateUnreadable]:
        """Return every stored group's state, or why it cannot be read, by group name."""
        found: dict[str, Versioned | StateUnreadable] = {}
        async with answering("read the states of all groups"):
            query = f"PartitionKey eq '{GROUP_PARTITION}'"
            try:
                async for entity in self._groups.query_entities(query, results_per_page=_PAGE):
                    try:
                        found[entity["RowKey"]] = self._group(entity)
                    except StateUnreadable as error:
                        found[entity["RowKey"]] = error
            except ResourceNotFoundError:
                return {}
        return found

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write the state if it is still at `version` (None: not there yet); return its new version."""
        entity = group_entity(state)
        async with answering(f"write the state of group {state.group}"):
            return await _put(self._groups, entity, version)

    async def load_leader(self) -> LeaderRecord | None:
        """Return what the leader last wrote of itself."""
        async with answering("read the leader's record"):
            entity = await _get(self._groups, MONITOR_PARTITION, LEADER_ROW)
        return None if entity is None else read_leader(entity, self._clock.now())

    async def save_leader(self, record: LeaderRecord) -> None:
        """Write the leader's record, unless one of a newer epoch is there; over one that cannot be read."""
        if record.epoch < self._leader_epoch:
            return
        entity = leader_entity(record)
        async with answering("write the leader's record"):
            # As a rule nobody else writes it: the version of the last write saves reading it each time.
            for _ in range(_TRIES):
                written = await _put(self._groups, entity, self._leader_version)
                if isinstance(written, str):
                    self._leader_version, self._leader_epoch = written, record.epoch
                    return
                found = await _get(self._groups, MONITOR_PARTITION, LEADER_ROW)
                self._leader_version = None if found is None else _version(found)
                there = _readable(read_leader, found, self._clock.now())
                self._leader_epoch = there.epoch if there else 0
                if self._leader_epoch > record.epoch:
                    return
        raise StoreUnavailable(f"write the leader's record: it changed {_TRIES} times meanwhile")

    async def instances(self) -> tuple[InstanceRecord, ...]:
        """Return what each instance last wrote of itself, if that was within INSTANCES_FOR_S.

        Rows that cannot be read are left out.
        """
        found: list[InstanceRecord] = []
        since = self._clock.now() - timedelta(seconds=INSTANCES_FOR_S)
        async with answering("read the rows of all instances"):
            async for entity in self._instance_rows("ge", since):
                with contextlib.suppress(StateUnreadable):
                    found.append(read_instance(entity, self._clock.now()))
        return tuple(found)

    async def save_instance(self, record: InstanceRecord) -> None:
        """Write an instance's row over whatever is there."""
        entity = instance_entity(record)
        async with answering(f"write the row of instance {record.instance}"):
            await creating(
                lambda: self._groups.upsert_entity(entity, mode=UpdateMode.REPLACE),
                "TableNotFound",
                self._groups.create_table,
            )

    async def forget_instances(self, before: datetime) -> None:
        """Remove the rows, also those that cannot be read, that were last written before that."""
        async with answering("remove the rows of instances that are gone"):
            async for entity in self._instance_rows("lt", before):
                with contextlib.suppress(ResourceModifiedError):
                    await self._groups.delete_entity(
                        entity, etag=_version(entity), match_condition=MatchConditions.IfNotModified
                    )

    async def _instance_rows(self, compared: str, at: datetime) -> AsyncIterator[TableEntity]:
        """Yield the instances' rows that were last written then, no more than a page of them.

        By storage's own word: what a row says of itself may be anything.
        """
        # The sign after the last one of the prefix bounds the range.
        after = INSTANCE_ROWS[:-1] + chr(ord(INSTANCE_ROWS[-1]) + 1)
        query = (
            f"PartitionKey eq '{MONITOR_PARTITION}' and RowKey ge '{INSTANCE_ROWS}' and RowKey lt '{after}'"
        )
        query += f" and Timestamp {compared} datetime'{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
        read = 0
        try:
            async for entity in self._groups.query_entities(query, results_per_page=_PAGE):
                yield entity
                read += 1
                if read == _PAGE:
                    return
        except ResourceNotFoundError:
            return

    async def record(self, operation: Operation) -> None:
        """Write the operation, whole; the last write wins, except that an ended one is never reopened.

        What cannot be read there is replaced, unless a newer release has written it; what this release does
        not know of what it can read stays there.
        """
        keys = operation_keys(operation.id) or ("", "")
        async with answering(f"record the operation {operation.id}"):
            for _ in range(_TRIES):
                found = await _get(self._history, *keys)
                there, rest = _readable(operation_and_rest, found, self._clock.now()) or (None, None)
                if there is not None and there.status.ended and not operation.status.ended:
                    return
                version = None if found is None else _version(found)
                entity = operation_entity(operation, rest)
                if isinstance(await _put(self._history, entity, version), str):
                    return
        raise StoreUnavailable(f"record the operation {operation.id}: it changed {_TRIES} times meanwhile")

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation, or None."""
        keys = operation_keys(operation_id)
        if keys is None:
            return None
        async with answering(f"read the operation {operation_id}"):
            entity = await _get(self._history, *keys)
        return None if entity is None else read_operation(entity, self._clock.now())

    async def history(self, group: str, limit: int) -> tuple[Operation | StateUnreadable, ...]:
        """Return the group's operations, newest first, or why one of them cannot be read."""
        if not is_key(group) or limit < 1:
            return ()
        found: list[Operation | StateUnreadable] = []
        async with answering(f"read the history of group {group}"):
            query = f"PartitionKey eq '{group}'"
            try:
                async for entity in self._history.query_entities(query, results_per_page=min(limit, _PAGE)):
                    try:
                        found.append(read_operation(entity, self._clock.now()))
                    except StateUnreadable as error:
                        found.append(error)
                    if len(found) == limit:
                        break
            except ResourceNotFoundError:
                return ()
        return tuple(found)

    def _group(self, entity: TableEntity) -> Versioned:
        return Versioned(read_group(entity, self._clock.now()), _version(entity))


def _readable(
    read: Callable[[TableEntity, datetime], _Row], entity: TableEntity | None, now: datetime
) -> _Row | None:
    """Return what is to be overwritten; what cannot be read is nothing, unless a newer release wrote it."""
    if entity is None:
        return None
    try:
        return read(entity, now)
    except StateUnreadable as error:
        if error.newer:
            raise
        return None


async def _get(table: TableClient, partition: str, row: str) -> TableEntity | None:
    try:
        return await table.get_entity(partition, row)
    except ResourceNotFoundError:
        # The entity or the whole table: either way there is nothing yet.
        return None


async def _put(table: TableClient, entity: Entity, version: str | None) -> str | Conflict:
    """Write an entity that is at `version`, or not there yet if that is None."""
    if version is None:
        try:
            written = await creating(lambda: table.create_entity(entity), "TableNotFound", table.create_table)
        except ResourceExistsError:
            return Conflict()
        return str(written["etag"])
    try:
        # REPLACE, so that a column whose value is None now disappears.
        written = await table.update_entity(
            entity, mode=UpdateMode.REPLACE, etag=version, match_condition=MatchConditions.IfNotModified
        )
    except (ResourceModifiedError, ResourceNotFoundError):
        return Conflict()
    return str(written["etag"])


def _version(entity: TableEntity) -> str:
    return str(entity.metadata["etag"])
