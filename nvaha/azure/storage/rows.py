"""States, operations and the leader's record as table entities, and back: pure.

The column `state` holds the whole value as JSON with its schema number and is the only one that is read; the
other columns are for people looking at the table. A string column holds 32 Ki characters and an entity
1 MiB (Microsoft Learn, "Understanding the Table service data model"), so the JSON is cut into `state`,
`state_1` and so on.

A group's JSON is flat, as release 0.1.0 wrote it: monitors of two releases share a table during an upgrade,
so what is stored keeps its names however the values in memory are arranged. What another release has stored
and this one does not know is stored again (nvaha.azure.storage.carried).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from nvaha.azure.storage.bounds import Path, first_wild, too_much
from nvaha.azure.storage.carried import Content, Rest, is_word, join, part
from nvaha.core.discovery import unread_sentence
from nvaha.model import (
    Drift,
    GroupState,
    Guards,
    InstanceRecord,
    LeaderRecord,
    Operation,
    StepRecord,
    Switch,
)
from nvaha.ports import StateUnreadable, StoreUnavailable
from nvaha.text import shortened, shown

SCHEMA = 1
GROUPS_TABLE = "nvahagroups"
HISTORY_TABLE = "nvahahistory"
GROUP_PARTITION = "group"
MONITOR_PARTITION = "monitor"
LEADER_ROW = "leader"
INSTANCE_ROWS = "instance-"
"""What the key of an instance's row begins with; its name follows."""

# Characters: the JSON is ASCII, and a table counts two bytes for each.
_CHUNK = 30_000
_MOST_CHUNKS = 15
_LONGEST = _CHUNK * _MOST_CHUNKS
# An entity has at most 252 columns of its own.
_MOST_NVA_COLUMNS = 100
# Two ids of greatest length and what is wrong with them fit; what does not is cut in the middle.
_LONGEST_TEXT = 1500
_SHORTER_TEXT = 400
_SHORTENED_TEXT = 100
# What a row key cannot hold, and the quotation mark of a query.
_ILLEGAL_KEY = re.compile(r"[/\\#?%'\x00-\x1f\x7f-\x9f]")
_LONGEST_KEY = 200
_LONGEST_INSTANCE = 150
_NUMBER = re.compile(r"0|[1-9][0-9]{0,12}")
_LARGEST_MS = 10**13 - 1
_LARGEST_GENERATION = 10**10 - 1

Entity = dict[str, Any]
_Value = TypeVar("_Value")


def _as_it_is(content: Content) -> Content:
    return content


class _Codec(Generic[_Value]):
    """Writes and reads one kind of value in the `state` columns.

    Args:
        kind: the value's type.
        table: where it is stored, for errors.
        remedy: what a person is to do about a row that cannot be read.
        to_stored: turns the value's JSON into what is stored.
        from_stored: turns that back, in place of whatever an older or newer release left out.
        names: what is stored beside each other, as this release knows it; the fields of `kind` if not given.
    """

    def __init__(
        self,
        kind: type[_Value],
        table: str,
        remedy: str,
        to_stored: Callable[[Content], Content] = _as_it_is,
        from_stored: Callable[[Content], Content] = _as_it_is,
        *,
        names: frozenset[str] | None = None,
    ) -> None:
        self._adapter: TypeAdapter[_Value] = TypeAdapter(kind)
        self._kind, self._table, self._remedy = kind, table, remedy
        self._to_stored, self._from_stored = to_stored, from_stored
        self._names = names or frozenset(_names(kind))

    def text(self, value: _Value, rest: object = None) -> str:
        """Return a value's text as it is stored, with the rest of what was read in its place."""
        content = self._adapter.dump_python(value, mode="json", exclude={"rest"})
        if isinstance(rest, Rest):
            # What is not known beside the rest is put there after that has got its stored names.
            known = join(self._kind, content, dataclasses.replace(rest, names={}))
            content = {**rest.names, **self._to_stored(known)}
        else:
            content = self._to_stored(content)
        return json.dumps({"schema": SCHEMA, **content}, separators=(",", ":"))

    def read(
        self, entity: Mapping[str, Any], now: datetime, defaults: Mapping[str, Any]
    ) -> tuple[_Value, Rest | None]:
        """Return the value in an entity, and what of it is not known here.

        Args:
            entity: as stored.
            now: the time by the storage service's clock.
            defaults: stand in for fields that are not there.
        """
        content = self._content(entity)
        schema = content.pop("schema", 0)
        if not isinstance(schema, int):
            raise self.unreadable(entity, schema, "its schema is not a number")
        if schema > SCHEMA:
            raise self.unreadable(entity, schema, f"its schema is newer than {SCHEMA}", newer=True)
        strange = {name: content.pop(name) for name in tuple(content) if name not in self._names}
        known, rest = part(self._kind, self._from_stored({**defaults, **content}))
        if strange:
            rest = Rest(rest.of, strange, rest.parts) if rest else Rest(None, strange, {})
        if rest and (problem := too_much(rest)):
            raise self.unreadable(entity, sorted(strange), problem, newer=True)
        try:
            value = self._adapter.validate_python(known)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = _as_stored(tuple(map(str, first["loc"])))
            newer = first["type"] == "enum" and is_word(first["input"])
            raise self.unreadable(entity, first["input"], f"{where}: {first['msg']}", newer=newer) from error
        if wild := first_wild(value, now):
            path, found, problem = wild
            raise self.unreadable(entity, found, f"{_as_stored(path)}: {problem}")
        return value, rest

    def _content(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        chunks = [entity.get(column) for column in _columns_of_state()]
        text = "".join(chunk for chunk in chunks if isinstance(chunk, str))
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.unreadable(entity, text, "not JSON") from error
        if not isinstance(content, dict):
            raise self.unreadable(entity, text, "not a JSON object")
        if len(text) > _LONGEST:
            raise self.unreadable(entity, text, f"it has {len(text)} characters; {_LONGEST} can be written")
        return content

    def unreadable(
        self, entity: Mapping[str, Any], value: object, problem: str, *, newer: bool = False
    ) -> StateUnreadable:
        """Return the error that names the row, what is wrong in it, and the remedy."""
        row = f"{entity.get('PartitionKey')}/{entity.get('RowKey')}"
        newest = "a newer release keeps it, and it is left to that; update this monitor"
        remedy = newest if newer else self._remedy
        found = shown(str(value), _SHORTENED_TEXT)
        text = f"table {self._table}, row {row}, column state is '{found}': {problem}; {remedy}"
        return StateUnreadable(text, newer=newer)


_PARTS = {"switch": Switch, "guards": Guards, "drift": Drift}
"""The values inside a group's state whose fields are stored beside its own."""
_STORED_AS = {"probed_at": "heartbeat_at", "writes": "drift", "seen": "drift_seen"}
"""What is called otherwise in the table."""
_IN_MEMORY = {stored: name for name, stored in _STORED_AS.items()}


def _names(kind: type[Any]) -> Iterable[str]:
    """Return the names of a kind's fields that are stored."""
    return (each.name for each in dataclasses.fields(kind) if each.name != "rest")


_FLAT = frozenset(
    _STORED_AS.get(name, name)
    for each in _names(GroupState)
    for name in (_names(_PARTS[each]) if each in _PARTS else (each,))
)
"""The names under which a group's state is stored."""


def _as_stored(path: Path) -> str:
    """Return where in a row's JSON a value stands."""
    name, *rest = path[1:] if path[:1] and path[0] in _PARTS and len(path) > 1 else path or ("",)
    return ".".join((_STORED_AS.get(name, name), *rest))


def _flat(content: Content) -> Content:
    """Return a group's JSON as it is stored: on one level, under the names of release 0.1.0."""
    flat: Content = {}
    for name, value in content.items():
        if name in _PARTS:
            # Without a switch there is no request, but the columns beside it have their defaults.
            flat |= value if value is not None else {"request": None, "progress_at": None, "tries": 0}
        else:
            flat[name] = value
    stored = {_STORED_AS.get(name, name): value for name, value in flat.items()}
    if content["unread"] is not None:
        # Release 0.1.0 has no place of its own for this and tells it among the problems.
        stored["problems"] = [unread_sentence(content["unread"]), *stored["problems"]]
    return stored


def _nested(stored: Content) -> Content:
    """Return what `_flat` made of a group's JSON as it was."""
    flat = {_IN_MEMORY.get(name, name): value for name, value in stored.items()}
    content: Content = {}
    for each, kind in _PARTS.items():
        content[each] = {name: flat.pop(name) for name in _names(kind) if name in flat}
    if content["switch"].get("request") is None:
        content["switch"] = None
    problems = content["drift"].get("problems")
    if isinstance(problems, list) and problems and isinstance(problems[0], str):
        # Release 0.1.0 has no place of its own for this: there it is the first of the problems.
        said = unread_sentence("")
        if problems[0].startswith(said):
            flat.setdefault("unread", problems[0].removeprefix(said))
            content["drift"]["problems"] = problems[1:]
    return {**flat, **content}


_GROUP = _Codec(
    GroupState,
    GROUPS_TABLE,
    "the group is not watched meanwhile; correct that value in the row, which may hold a pause",
    _flat,
    _nested,
    names=_FLAT,
)
_LEADER = _Codec(LeaderRecord, GROUPS_TABLE, "whoever leads writes this row anew")
_INSTANCE = _Codec(InstanceRecord, GROUPS_TABLE, "the instance writes this row anew")
_OPERATION = _Codec(
    Operation, HISTORY_TABLE, "only this entry of the history is missing; correct that value, or leave it"
)


def is_key(text: str) -> bool:
    """Tell whether a text can be a partition or row key."""
    return 0 < len(text) <= _LONGEST_KEY and not _ILLEGAL_KEY.search(text)


def group_entity(state: GroupState) -> Entity:
    """Return the entity of a group's state.

    Raises:
        StoreUnavailable: it is too large for the table.
    """
    request = state.request
    return {
        "PartitionKey": GROUP_PARTITION,
        "RowKey": state.group,
        "phase": state.phase.value,
        "active": state.active,
        "target": state.target,
        "generation": (state.generation, "Edm.Int64"),
        "operation": request.operation if request else None,
        "epoch": (state.epoch, "Edm.Int64"),
        "paused": state.paused,
        "all_down": state.all_down,
        "last_switch_at": state.guards.last_switch_at,
        "heartbeat_at": state.probed_at,
        **_nva_columns(state),
        **_state_columns(_GROUP.text(state, state.rest), f"the state of group {state.group}"),
    }


def read_group(entity: Mapping[str, Any], now: datetime) -> GroupState:
    """Return the group's state in an entity.

    Args:
        entity: as stored.
        now: the time by the storage service's clock: what is too far ahead of it cannot have happened.

    Raises:
        StateUnreadable: it is of a newer schema, or not what this program writes.
    """
    state, rest = _GROUP.read(entity, now, {"group": entity["RowKey"]})
    if state.group != entity["RowKey"]:
        raise _GROUP.unreadable(entity, state.group, "group: it is not the group of this row")
    requests = [("request", state.request), *(("closings.request", each.request) for each in state.closings)]
    ids = [("closings.operation", each.operation) for each in state.closings]
    ids += [(f"{where}.operation", each.operation) for where, each in requests if each]
    ids += [(f"{where}.group", f"{each.group}-0-0") for where, each in requests if each]
    for where, operation in ids:
        if (operation_keys(operation) or ("",))[0] != state.group:
            raise _GROUP.unreadable(entity, operation, f"{where}: it is not of this group")
    return dataclasses.replace(state, rest=rest) if rest else state


class StateDocuments:
    """A group's state as JSON outside of the table: what the row holds."""

    def write(self, state: GroupState) -> Content:
        """Return a state as it is stored."""
        document: Content = json.loads(_GROUP.text(state))
        return document

    def read(self, document: Mapping[str, Any], now: datetime) -> GroupState:
        """Return the state in a document.

        Raises:
            StateUnreadable: it cannot be read, or is of a newer release.
            StoreUnavailable: no row can hold it.
        """
        name = str(document.get("group"))
        columns = _state_columns(json.dumps(document, separators=(",", ":")), f"the state of group {name}")
        return read_group({"PartitionKey": GROUP_PARTITION, "RowKey": name, **columns}, now)


def leader_entity(record: LeaderRecord) -> Entity:
    """Return the entity of the leader's record."""
    return {
        "PartitionKey": MONITOR_PARTITION,
        "RowKey": LEADER_ROW,
        "instance": record.instance,
        "epoch": (record.epoch, "Edm.Int64"),
        "round_at": record.round_at,
        "blind": record.blind,
        **_state_columns(_LEADER.text(record), "the leader's record"),
    }


def read_leader(entity: Mapping[str, Any], now: datetime) -> LeaderRecord:
    """Return the leader's record in an entity; StateUnreadable if it cannot be read."""
    return _LEADER.read(entity, now, {})[0]


def instance_entity(record: InstanceRecord) -> Entity:
    """Return the entity of what an instance tells of itself."""
    return {
        "PartitionKey": MONITOR_PARTITION,
        "RowKey": _instance_key(record.instance),
        "instance": record.instance,
        "app": record.app,
        "version": record.version,
        "leads": record.leads,
        "written_at": record.written_at,
        "campaign_at": record.campaign_at,
        **_state_columns(_INSTANCE.text(record), f"the row of instance {record.instance}"),
    }


def read_instance(entity: Mapping[str, Any], now: datetime) -> InstanceRecord:
    """Return what an instance tells of itself; StateUnreadable if it cannot be read."""
    record = _INSTANCE.read(entity, now, {})[0]
    if _instance_key(record.instance) != entity["RowKey"]:
        raise _INSTANCE.unreadable(entity, record.instance, "instance: it is not that of this row")
    return record


def _instance_key(name: str) -> str:
    """Return the row key of an instance, whatever its name; names that differ have keys that differ."""
    legal = _ILLEGAL_KEY.sub("_", name)[:_LONGEST_INSTANCE]
    mark = "" if legal == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return f"{INSTANCE_ROWS}{legal}{mark}"


def operation_entity(operation: Operation, rest: Rest | None = None) -> Entity:
    """Return the entity of an operation, with long texts cut so that it fits.

    Args:
        operation: what is recorded.
        rest: what this release does not know of the record that is there already.

    Raises:
        ValueError: the operation's id is not one of ours.
    """
    keys = operation_keys(operation.id)
    if keys is None:
        raise ValueError(f"operation id {operation.id!r} is not <group>-<generation>-<milliseconds>")
    partition, row = keys
    request = operation.request
    return {
        "PartitionKey": partition,
        "RowKey": row,
        "operation": operation.id,
        "status": operation.status.value,
        "trigger": request.trigger.value,
        "target": request.target,
        "source": request.source,
        "reason": _cut(request.reason, _LONGEST_TEXT),
        "requested_by": _cut(request.requested_by, _LONGEST_TEXT),
        "requested_at": request.requested_at,
        "started_at": operation.started_at,
        "ended_at": operation.ended_at,
        "error": _cut(operation.error, _LONGEST_TEXT),
        **_state_columns(_fitting(operation, rest), f"operation {operation.id}"),
    }


def read_operation(entity: Mapping[str, Any], now: datetime) -> Operation:
    """Return the operation in an entity; StateUnreadable if it cannot be read."""
    return operation_and_rest(entity, now)[0]


def operation_and_rest(entity: Mapping[str, Any], now: datetime) -> tuple[Operation, Rest | None]:
    """Return the operation in an entity, and what of it is not known here."""
    operation, rest = _OPERATION.read(entity, now, {})
    keys = entity["PartitionKey"], entity["RowKey"]
    if operation_keys(operation.id) != keys or operation.request.group != keys[0]:
        raise _OPERATION.unreadable(entity, operation.id, "request.operation: it is not that of this row")
    return operation, rest


def operation_keys(operation_id: str) -> tuple[str, str] | None:
    """Return partition and row key of an operation id, or None if it is not one of ours.

    Row keys sort as text, so they count down: the newest operation comes first.
    """
    parts = operation_id.rsplit("-", 2)
    if len(parts) != 3 or not is_key(parts[0]):
        return None
    group, generation, requested_ms = parts
    # One id, one row: no leading zeros.
    if not all(_NUMBER.fullmatch(part) for part in (generation, requested_ms)):
        return None
    if int(generation) > _LARGEST_GENERATION:
        return None
    newest_first = f"{_LARGEST_MS - int(requested_ms):013d}-{_LARGEST_GENERATION - int(generation):010d}"
    return group, newest_first


def _fitting(operation: Operation, rest: Rest | None) -> str:
    """Return the operation's JSON, with less and less of its steps until it fits one entity."""
    text = ""
    for longest in (_LONGEST_TEXT, _SHORTER_TEXT, _SHORTENED_TEXT):
        text = _OPERATION.text(_shortened(operation, longest), rest)
        if len(text) <= _LONGEST:
            return text
    shorter = _shortened(operation, _SHORTENED_TEXT)
    kept = len(shorter.steps)
    while kept and len(text) > _LONGEST:
        kept //= 2
        note = f"{len(operation.steps) - kept} of {len(operation.steps)} steps are left out of this record"
        fewer = dataclasses.replace(
            shorter, steps=shorter.steps[:kept], unfinished=(*shorter.unfinished[:kept], note)
        )
        text = _OPERATION.text(fewer, rest)
    return text


def _shortened(operation: Operation, longest: int) -> Operation:
    return dataclasses.replace(
        operation,
        error=_cut(operation.error, _LONGEST_TEXT),
        unfinished=tuple(_cut(sentence, longest) for sentence in operation.unfinished),
        steps=tuple(_shortened_step(step, longest) for step in operation.steps),
    )


def _shortened_step(step: StepRecord, longest: int) -> StepRecord:
    if len(step.detail) <= longest and len(step.error or "") <= longest:
        return step
    return dataclasses.replace(step, detail=_cut(step.detail, longest), error=_cut(step.error, longest))


_Text = TypeVar("_Text", str, str | None)


def _cut(text: _Text, longest: int) -> _Text:
    return text if text is None else shortened(text, longest, tail=longest // 3)


def _columns_of_state() -> Iterable[str]:
    return ("state", *(f"state_{number}" for number in range(1, _MOST_CHUNKS)))


def _state_columns(text: str, what: str) -> Entity:
    if len(text) > _LONGEST:
        raise StoreUnavailable(f"{what} has {len(text)} characters; a table entity holds {_LONGEST}")
    chunks = (text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK))
    return dict(zip(_columns_of_state(), chunks, strict=False))


def _nva_columns(state: GroupState) -> Entity:
    """Return health and failures of each NVA under legal, distinct column names."""
    columns: Entity = {}
    for name, nva in list(state.nvas.items())[:_MOST_NVA_COLUMNS]:
        legal = re.sub(r"[^A-Za-z0-9_]", "_", name)[:64]
        column, number = legal, 2
        while f"health_{column}" in columns:
            column, number = f"{legal}_{number}", number + 1
        columns[f"health_{column}"] = nva.health.value
        columns[f"failures_{column}"] = (nva.failures, "Edm.Int64")
    return columns
