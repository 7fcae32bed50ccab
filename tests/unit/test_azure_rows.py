"""Table entities of states, operations and the leader's record."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nvaha.azure.storage.rows import (
    group_entity,
    instance_entity,
    is_key,
    leader_entity,
    operation_entity,
    operation_keys,
    read_group,
    read_instance,
    read_leader,
    read_operation,
)
from nvaha.core.commands import LONGEST_AHEAD_S, LONGEST_PAUSE_S
from nvaha.core.guards import after_failure, after_not_begun, after_success
from nvaha.core.health import advance
from nvaha.model import (
    CanaryRecord,
    Drift,
    GroupState,
    Guards,
    InstanceRecord,
    LeaderRecord,
    NvaState,
    Operation,
    Policy,
    ProbeSpec,
    Reading,
    Scheduled,
    StepRecord,
    SwitchRequest,
    Trigger,
)
from nvaha.ports import StateUnreadable, StoreUnavailable
from tests.builders import request_to
from tests.strategies import READ_AT, instances, leaders, operations, requests, states

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def legal(entity: Mapping[str, Any]) -> None:
    """Check what the table service checks: names, sizes, the number of columns."""
    assert len(entity) <= 252 + 3
    total = 0
    for name, value in entity.items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name)
        text = value if isinstance(value, str) else ""
        assert len(text.encode("utf-16-le")) <= 64 * 1024
        total += 2 * len(name) + len(text.encode("utf-16-le")) + 16
    assert total < 1024 * 1024


@given(states)
def test_a_state_comes_back(state: GroupState) -> None:
    """Every state is the same after writing and reading, in a legal entity."""
    entity = group_entity(state)
    legal(entity)
    assert read_group(entity, READ_AT) == state


@given(operations)
def test_an_operation_comes_back(operation: Operation) -> None:
    """Every operation is the same after writing and reading, in a legal entity."""
    entity = operation_entity(operation)
    legal(entity)
    assert read_operation(entity, READ_AT) == operation


@given(leaders)
def test_the_leaders_record_comes_back(record: LeaderRecord) -> None:
    """Every leader's record is the same after writing and reading."""
    entity = leader_entity(record)
    legal(entity)
    assert read_leader(entity, READ_AT) == record


@given(instances)
def test_an_instances_row_comes_back(record: InstanceRecord) -> None:
    """Whatever it is called, and however full it is; its key is legal."""
    entity = instance_entity(record)
    legal(entity)
    assert is_key(entity["RowKey"])
    assert read_instance(entity, READ_AT) == record


@given(st.text(max_size=120), st.text(max_size=120))
@example("a/b", "a?b")
@example("x" * 160, "x" * 170)
def test_no_two_instances_share_a_row(one: str, other: str) -> None:
    """A sign that no key may hold does not make two names one."""
    keys = {instance_entity(InstanceRecord(name, NOW))["RowKey"] for name in (one, other)}
    assert len(keys) == len({one, other})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"instance": "two"}, "instance"),
        ({"written_at": "2099-01-01T00:00:00Z"}, "written_at"),
        ({"campaign_at": "1970-01-01T00:00:00Z"}, "campaign_at"),
        ({"messages": -1}, "messages"),
        ({"answered": 10**12}, "answered"),
        ({"version": "x" * 9000}, "version"),
    ],
)
def test_an_instances_row_that_nobody_can_have_written_is_refused(
    changes: dict[str, object], named: str
) -> None:
    """The place is named; what a newer release adds is not in the way."""
    entity = instance_entity(InstanceRecord("one", NOW))
    content = json.loads(entity["state"])
    assert read_instance({**entity, "state": json.dumps({**content, "new": 1})}, NOW) == InstanceRecord(
        "one", NOW
    )
    with pytest.raises(StateUnreadable, match=named):
        read_instance({**entity, "state": json.dumps({**content, **changes})}, NOW)


def test_an_older_schema_reads_with_defaults() -> None:
    """A state without a schema and with next to nothing in it reads as a new one."""
    entity = {"PartitionKey": "group", "RowKey": "edge", "state": '{"generation": 4}'}
    assert read_group(entity, READ_AT) == GroupState("edge", generation=4)


def test_an_unknown_field_of_this_schema_does_no_harm() -> None:
    """A field that a later version of the same schema added does no harm."""
    entity = {"PartitionKey": "group", "RowKey": "edge", "state": '{"schema": 1, "mood": "good"}'}
    assert replace(read_group(entity, READ_AT), rest=None) == GroupState("edge")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"schema": 2}', "2"),
        ('{"schema": "x"}', "x"),
        ('{"schema": 1, "phase": "asleep"}', "asleep"),
        ('{"schema": 1, "generation": "many"}', "many"),
        ('{"schema": 1, "nvas": [1]}', "nvas"),
        ('{"schema": 1, "heartbeat_at": "2026-01-01T00:00:00"}', "2026-01-01"),
        ('{"schema": 1, "group": "other"}', "other"),
        ("[]", "[]"),
        ("", "JSON"),
        ("[" * 20_000, "[["),
        (None, "JSON"),
        (7, "JSON"),
    ],
)
def test_what_cannot_be_read_names_the_place(text: object, named: str) -> None:
    """The error says table, row, column, value and that nothing was overwritten."""
    with pytest.raises(StateUnreadable) as caught:
        read_group({"PartitionKey": "group", "RowKey": "edge", "state": text}, READ_AT)
    message = str(caught.value)
    assert all(part in message for part in ("nvahagroups", "group/edge", "column state", named))
    assert len(message) < 500


@given(st.text(max_size=200) | st.binary(max_size=50) | st.none() | st.integers())
def test_any_column_is_read_or_refused(value: object) -> None:
    """Whatever somebody puts into the column, reading gives a state or StateUnreadable."""
    with contextlib.suppress(StateUnreadable):
        read_group({"PartitionKey": "group", "RowKey": "edge", "state": value}, READ_AT)


@given(states, st.data())
def test_a_spoilt_state_is_read_or_refused(state: GroupState, data: st.DataObject) -> None:
    """Any value in place of any field gives a state or StateUnreadable, nothing else."""
    content = json.loads(group_entity(state)["state"])
    spoilt = data.draw(st.sampled_from(sorted(content)))
    content[spoilt] = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.none(), max_size=2)
    )
    with contextlib.suppress(StateUnreadable):
        read_group({"PartitionKey": "group", "RowKey": state.group, "state": json.dumps(content)}, READ_AT)


def test_a_long_state_is_cut_into_columns() -> None:
    """A state beyond one column's size is spread over several and comes back whole."""
    state = GroupState("edge", drift=Drift(tuple("route ä" * 100 for _ in range(60))))
    entity = group_entity(state)
    legal(entity)
    assert "state_1" in entity
    assert read_group(entity, READ_AT) == state


def test_a_state_beyond_an_entity_is_refused() -> None:
    """A state that no entity holds is not written in part."""
    with pytest.raises(StoreUnavailable):
        group_entity(GroupState("edge", drift=Drift(("x" * 500_000,))))


def test_nva_columns_are_legal_and_distinct() -> None:
    """NVAs whose names differ only in what a column name cannot hold get columns of their own."""
    nvas = {name: NvaState(failures=number) for number, name in enumerate(["a-b", "a.b", "a_b", "é" * 300])}
    entity = group_entity(GroupState("edge", nvas=nvas))
    legal(entity)
    assert len([name for name in entity if name.startswith("health_")]) == 4
    assert [entity[f"failures_a_b{end}"][0] for end in ("", "_2", "_3")] == [0, 1, 2]


def test_many_nvas_keep_the_entity_legal() -> None:
    """More NVAs than columns are still all in the state."""
    state = GroupState("edge", nvas={f"nva{number}": NvaState() for number in range(500)})
    entity = group_entity(state)
    legal(entity)
    assert read_group(entity, READ_AT) == state


def operation(steps: int, detail: str) -> Operation:
    """Return an operation with that many steps."""
    request = SwitchRequest("edge-1-5", "edge", 1, 1, Trigger.MANUAL, "nva2", "because", NOW, "me")
    step = StepRecord("key", "route_table", "/subscriptions/" + "x" * 250, detail, error=detail)
    return Operation(request, steps=(step,) * steps)


@pytest.mark.parametrize(("steps", "kept"), [(10, 10), (300, 300), (600, 600), (20_000, None)])
def test_an_operation_of_any_size_fits(steps: int, kept: int | None) -> None:
    """Long texts are cut first, then steps are left out, and the record says how many."""
    entity = operation_entity(operation(steps, "no answer; " * 500))
    legal(entity)
    found = read_operation(entity, READ_AT)
    if kept is None:
        assert 0 < len(found.steps) < steps
        assert any(str(steps) in sentence for sentence in found.unfinished)
    else:
        assert len(found.steps) == kept


def test_operations_sort_newest_first() -> None:
    """Row keys put the later operation first, and of two in one millisecond the later generation."""
    ids = ["e-9-1000", "e-10-1000", "e-1-2000", "e-2-10000", "e-11-9999999999999"]
    rows = [keys[1] for operation_id in ids if (keys := operation_keys(operation_id))]
    assert rows == sorted(rows, reverse=True)
    assert len(rows) == len(ids)


@pytest.mark.parametrize(
    "operation_id",
    [
        "",
        "edge",
        "edge-1",
        "-1-2",
        "edge-x-2",
        "edge-1-",
        "edge-01-2",
        "a/b-1-2",
        "edge-1-10000000000000",
        "e-1--2",
    ],
)
def test_what_is_not_an_operation_id_has_no_row(operation_id: str) -> None:
    """Only ids of our own form lead to a row."""
    assert operation_keys(operation_id) is None


@given(requests, requests)
def test_no_two_operations_share_a_row(one: SwitchRequest, other: SwitchRequest) -> None:
    """Different ids have different rows."""
    if one.operation != other.operation:
        assert operation_keys(one.operation) != operation_keys(other.operation)


@pytest.mark.parametrize(
    ("text", "expected"), [("edge", True), ("", False), ("a/b", False), ("a'b", False), ("x" * 300, False)]
)
def test_keys_are_checked(text: str, expected: bool) -> None:
    """A name that no row key can hold, or that would end a query's text, is no key."""
    assert is_key(text) is expected


def test_a_time_zone_other_than_utc_keeps_its_moment() -> None:
    """A time written with another zone is the same moment when read."""
    aware = datetime.fromisoformat("2026-03-01T13:00:00+01:00")
    assert read_group(group_entity(GroupState("e", probed_at=aware)), READ_AT).probed_at == NOW
    assert aware - NOW == timedelta(0)


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 10))
@example([n % 4 == 3 for n in range(78)], 4)
def test_whatever_probes_lead_to_can_be_read_back(answered: list[bool], fall: int) -> None:
    """No health that the code itself writes is out of the bounds that it reads within."""
    nva, spec = NvaState(), ProbeSpec(fall=fall)
    for ok in answered:
        reading = Reading(ok, 1.0, None if ok else "timed out")
        nva = advance(nva, reading, spec, NOW, blind=False)
    state = GroupState("g", nvas={"a": nva})
    entity = {**group_entity(state), "PartitionKey": "group"}
    assert read_group(entity, NOW) == state


@pytest.mark.parametrize(
    "guards",
    [
        after_not_begun(Guards(), request_to("a", Trigger.FAILBACK), NOW),
        after_failure(Guards(failed_in_a_row=99), request_to("b"), NOW),
        after_failure(Guards(repairs_failed_in_a_row=99), request_to("a", Trigger.REPAIR), NOW),
        after_success(Guards(), Policy(hold_down_s=86400.0), NOW, moved=False),
        after_success(Guards(), Policy(), NOW, moved=True),
    ],
    ids=["not begun", "failed", "repair failed", "repaired", "switched"],
)
def test_what_the_guards_wait_for_is_read_where_the_clock_is_behind(guards: Guards) -> None:
    """The longest wait that one monitor writes is no wild value to another whose clock is slower."""
    state = GroupState("g", guards=guards)
    assert read_group(group_entity(state), NOW - timedelta(seconds=5)).guards == guards


@pytest.mark.parametrize(
    ("name", "longest_s"), [("paused_until", LONGEST_PAUSE_S), ("scheduled", LONGEST_AHEAD_S)]
)
def test_no_row_names_a_later_time_than_a_command_can(name: str, longest_s: float) -> None:
    """One that somebody has written there would pause a group, or move it, in a hundred years."""

    def row(ahead_s: float) -> Mapping[str, Any]:
        at = NOW + timedelta(seconds=ahead_s)
        value: Any = at if name == "paused_until" else Scheduled("b", at, "somebody", NOW)
        return group_entity(replace(GroupState("g", paused=True), **{name: value}))

    # Its clock may be behind the one that the time was named by.
    known = read_group(row(longest_s + 2.0), NOW)
    assert getattr(known, name) is not None
    with pytest.raises(StateUnreadable, match=name):
        read_group(row(longest_s + 400.0), NOW)


def test_a_canary_comes_back_from_its_row_and_older_rows_have_none() -> None:
    """What its last run came to outlives the leader; a row of a release that knew of none is read."""
    record = CanaryRecord(NOW, {"claimed": 0.4, "done": 2.5}, {"python": "3.13.1"}, "403: denied", NOW)
    entity = group_entity(GroupState("canary", canary=record))
    assert read_group(entity, NOW).canary == record
    content = json.loads(entity["state"])
    del content["canary"]
    assert read_group({**entity, "state": json.dumps(content)}, NOW).canary is None
