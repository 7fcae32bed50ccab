"""Rows of release 0.1.0, which shares its tables with this one during an upgrade, in both directions.

`rows_0_1_0.json` was written by release 0.1.0: real rows of groups in eleven situations, the leader's record,
two operations, and the JSON schemas by which it reads each kind of value. It is not to be edited.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, FormatChecker

from nvaha.azure.storage.rows import (
    group_entity,
    leader_entity,
    operation_entity,
    read_group,
    read_leader,
    read_operation,
)
from nvaha.core.decide import decide
from nvaha.core.inputs import NetworkRead, NetworkUnread, Survey
from nvaha.model import (
    Closing,
    Drift,
    GroupState,
    Guards,
    Health,
    LeaderRecord,
    NvaState,
    Operation,
    Phase,
    Status,
    StepRecord,
    StepStatus,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.operate.views import group_view
from tests.builders import group_of, later
from tests.strategies import READ_AT, leaders, operations, states

ROWS: dict[str, Any] = json.loads((Path(__file__).parent / "rows_0_1_0.json").read_text())
GONE_KEYS = {"blind_since"}
"""What 0.1.0 stored of the leader and this release does not: it takes its default."""

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_time(text: object) -> bool:
    """Tell whether a text is a time with a time zone."""
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def at(seconds: float) -> datetime:
    """Return a time of the story in which the rows were written."""
    return datetime.fromtimestamp(datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp() + seconds + 0.25, UTC)


def nva(address: str, **more: Any) -> NvaState:
    """Return an NVA of the story, with the addresses of its one interface."""
    return NvaState(addresses={"internal": {"ip": address}}, primary={"internal": "ip"}, **more)


def silent(failures: int, since: float, address: str) -> NvaState:
    """Return an NVA that has been down since then."""
    error = "timed out after 1.0 s"
    return nva(address, health=Health.DOWN, failures=failures, confirmed=3, since=at(since), last_error=error)


FIRST_UP = nva("10.0.0.4", health=Health.UP, successes=2, since=at(5), latency_ms=1.25)
SECOND_UP = nva("10.0.0.5", health=Health.UP, successes=2, since=at(5), latency_ms=1.25)
FAILOVER = SwitchRequest(
    operation="edge-1-1793534411250",
    group="edge",
    generation=1,
    epoch=3,
    trigger=Trigger.FAILOVER,
    target="nva2",
    reason="nva1 is down: its probe failed 3 times in a row (timed out after 1.0 s)",
    requested_at=at(11),
    requested_by="nvaha",
    source="nva1",
)
MANUAL = SwitchRequest(
    operation="edge-2-1793534435250",
    group="edge",
    generation=2,
    epoch=3,
    trigger=Trigger.MANUAL,
    target="nva2",
    reason="drill",
    requested_at=at(35),
    requested_by="nvaha/0.1.0",
    source="nva1",
    forced=True,
    request_id="r-1",
)
FAILED = Closing(FAILOVER.operation, Status.FAILED, "left undone: rt", FAILOVER)
DONE = Closing(MANUAL.operation, Status.DONE, None, MANUAL)
SILENCE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/routeTables/rt: 503: no answer"


def state(**more: Any) -> GroupState:
    """Return a state of the group of the story."""
    return GroupState("edge", epoch=3, fingerprint="724bd651c1c6", **more)


STEADY: dict[str, Any] = {
    "phase": Phase.STEADY,
    "active": "nva1",
    "nvas": {"nva1": FIRST_UP, "nva2": SECOND_UP},
    "probed_at": at(5),
}
ONE_DEAD: dict[str, Any] = {
    "active": "nva1",
    "nvas": {"nva1": silent(23, 11, "10.0.0.4"), "nva2": SECOND_UP},
    "probed_at": at(26),
}
AFTER_A_FAILURE: dict[str, Any] = {
    **ONE_DEAD,
    "phase": Phase.UNKNOWN,
    "generation": 1,
    "switch": Switch(FAILOVER),
    "guards": Guards(failed_in_a_row=1, retry_at=at(47)),
    "closings": (FAILED,),
}
COMMANDED: dict[str, Any] = {
    **AFTER_A_FAILURE,
    "phase": Phase.SWITCHING,
    "generation": 2,
    "paused": True,
    "switch": Switch(MANUAL, progress_at=at(35)),
    "request_ids": (("r-1", MANUAL.operation),),
}
AFTER_THE_COMMAND: dict[str, Any] = {
    **COMMANDED,
    "phase": Phase.STEADY,
    "active": "nva2",
    "switch": Switch(MANUAL),
    "guards": Guards(last_switch_at=at(36)),
    "closings": (FAILED, DONE),
}
MEANING = {
    "new": state(nvas={"nva1": NvaState(), "nva2": NvaState()}),
    "unread": state(
        nvas={"nva1": NvaState(), "nva2": NvaState()},
        unread=SILENCE,
    ),
    "steady": state(**STEADY),
    "drift": state(
        **STEADY, drift=Drift(("route table rt: a (10.0.0.0/8) from 10.0.0.5 to 10.0.0.4",), seen=2)
    ),
    "switching": state(
        phase=Phase.SWITCHING,
        active="nva1",
        generation=1,
        nvas={"nva1": silent(3, 11, "10.0.0.4"), "nva2": SECOND_UP},
        probed_at=at(11),
        switch=Switch(FAILOVER, progress_at=at(11)),
        guards=Guards(switches=(at(11),)),
    ),
    "queued_again": state(
        **ONE_DEAD,
        phase=Phase.SWITCHING,
        generation=1,
        switch=Switch(FAILOVER, progress_at=at(26), tries=1),
        guards=Guards(switches=(at(11),)),
    ),
    "failed": state(**AFTER_A_FAILURE),
    "paused": state(**AFTER_A_FAILURE, paused=True),
    "commanded": state(**COMMANDED),
    "done": state(**AFTER_THE_COMMAND),
    "all_down": state(
        **{
            **AFTER_THE_COMMAND,
            "nvas": {"nva1": silent(27, 11, "10.0.0.4"), "nva2": silent(4, 39, "10.0.0.5")},
            "probed_at": at(39),
            "all_down": True,
            "blocked": "no other NVA is up",
        }
    ),
}
STEP = StepRecord(
    "routes:x", "routes", "x", "route table rt: y", StepStatus.FAILED, at(11), at(11), attempts=2, error="409"
)
OPERATIONS = {
    "requested": Operation(FAILOVER),
    "failed": Operation(
        FAILOVER,
        Status.FAILED,
        worker="w",
        attempts=1,
        started_at=at(11),
        ended_at=at(11),
        steps=(STEP,),
        error="left undone",
        unfinished=("route table rt: y: 409",),
    ),
}
LEADER = LeaderRecord("one", 3, at(40), blind=True)


def content(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON in an entity."""
    columns = ("state", *(f"state_{number}" for number in range(1, 20)))
    found: dict[str, Any] = json.loads("".join(entity.get(column, "") for column in columns))
    return found


def reads(entity: dict[str, Any], kind: str) -> None:
    """Check that release 0.1.0 can read what is in an entity: the schema number, and then the value."""
    stored = content(entity)
    assert stored.pop("schema") == 1
    Draft202012Validator(ROWS["schemas"][kind], format_checker=FORMATS).validate(stored)


def said(before: Any, after: Any) -> Any:
    """Return what a JSON value says to whoever knows only the keys of an older one."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: said(value, after[key]) for key, value in before.items() if key in after}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [said(one, other) for one, other in zip(before, after, strict=True)]
    return after


def known(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Return what release 0.1.0 keeps of a JSON value: the keys that its schema names."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for choice in schema.get("anyOf", ()):
        if value is not None and choice.get("type") != "null":
            return known(value, choice, definitions)
    if isinstance(value, dict) and "properties" in schema:
        names = schema["properties"]
        return {key: known(each, names[key], definitions) for key, each in value.items() if key in names}
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        return {key: known(each, schema["additionalProperties"], definitions) for key, each in value.items()}
    if isinstance(value, list) and "items" in schema and "prefixItems" not in schema["items"]:
        return [known(each, schema["items"], definitions) for each in value]
    return value


def shown(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that are there for people, as the table shows them."""
    found = {}
    for name, value in entity.items():
        if not name.startswith("state"):
            plain = value[0] if isinstance(value, tuple) else value
            found[name] = plain.isoformat() if isinstance(plain, datetime) else plain
    return found


class TestRead:
    """This release reads what 0.1.0 has written."""

    def test_every_situation_in_the_file_has_its_meaning_here(self) -> None:
        """None is left out."""
        assert (set(MEANING), set(OPERATIONS)) == (set(ROWS["groups"]), set(ROWS["operations"]))

    @pytest.mark.parametrize("situation", MEANING)
    def test_a_groups_row_means_what_it_meant(self, situation: str) -> None:
        """Every value is where this release keeps it."""
        assert read_group(ROWS["groups"][situation], READ_AT) == MEANING[situation]

    @pytest.mark.parametrize("situation", OPERATIONS)
    def test_an_operations_row_means_what_it_meant(self, situation: str) -> None:
        """The request, every step, how it ended."""
        assert read_operation(ROWS["operations"][situation], READ_AT) == OPERATIONS[situation]

    def test_the_leaders_row_means_what_it_meant(self) -> None:
        """Who leads, since which round, and that it is blind."""
        assert read_leader(ROWS["leader"], READ_AT) == LEADER


class TestWritten:
    """Release 0.1.0 reads what this one writes."""

    @pytest.mark.parametrize("situation", MEANING)
    def test_a_groups_row_that_was_read_says_the_same_when_it_is_written_again(self, situation: str) -> None:
        """Field by field, in the JSON and in the columns for people."""
        before = ROWS["groups"][situation]
        after = group_entity(read_group(before, READ_AT))
        reads(after, "GroupState")
        assert said(content(before), content(after)) == content(before)
        assert shown(after) == shown(before)

    @pytest.mark.parametrize("situation", OPERATIONS)
    def test_an_operations_row_that_was_read_says_the_same_when_it_is_written_again(
        self, situation: str
    ) -> None:
        """Field by field, under the same keys."""
        before = ROWS["operations"][situation]
        after = operation_entity(read_operation(before, READ_AT))
        reads(after, "Operation")
        assert said(content(before), content(after)) == content(before)
        assert shown(after) == shown(before)

    def test_the_leaders_row_that_was_read_says_the_same_when_it_is_written_again(self) -> None:
        """All but since when it is blind, which nothing was decided on."""
        before = ROWS["leader"]
        after = leader_entity(read_leader(before, READ_AT))
        reads(after, "LeaderRecord")
        kept = {key: value for key, value in content(before).items() if key not in GONE_KEYS}
        assert said(kept, content(after)) == kept
        assert shown(after) == {key: value for key, value in shown(before).items() if key not in GONE_KEYS}

    @given(states)
    def test_any_state_can_be_read_by_0_1_0(self, state: GroupState) -> None:
        """Whatever values are in it, and whatever fields are added to them."""
        reads(group_entity(state), "GroupState")

    @given(operations)
    def test_any_operation_can_be_read_by_0_1_0(self, operation: Operation) -> None:
        """Whatever values are in it."""
        reads(operation_entity(operation), "Operation")

    @given(leaders)
    def test_any_leaders_record_can_be_read_by_0_1_0(self, record: LeaderRecord) -> None:
        """Whatever values are in it."""
        reads(leader_entity(record), "LeaderRecord")

    def test_that_azure_cannot_be_read_is_told_by_0_1_0_among_the_problems(self) -> None:
        """It has no place of its own for that; operators see the sentence all the same."""
        unread = state(**STEADY, unread=SILENCE, drift=Drift(problems=("a problem",), seen=1))
        stored = content(group_entity(unread))
        assert stored["problems"] == [f"Azure could not be read: {SILENCE}", "a problem"]
        assert read_group(group_entity(unread), READ_AT) == unread

    @given(states)
    def test_what_0_1_0_leaves_of_a_state_is_read_and_says_the_same(self, state: GroupState) -> None:
        """It drops the keys that it does not know when it writes; everything else comes through."""
        schema = ROWS["schemas"]["GroupState"]
        kept = known(content(group_entity(state)), schema, schema["$defs"])
        row = {"PartitionKey": "group", "RowKey": state.group, "state": json.dumps(kept)}
        again = content(group_entity(read_group(row, READ_AT)))
        assert said(kept, again) == kept


def test_the_schemas_are_those_of_0_1_0() -> None:
    """A check that accepts anything would be none."""
    with pytest.raises(ValueError, match="not-a-time"):
        is_time("not-a-time")
    reads(ROWS["groups"]["steady"], "GroupState")
    for key, value in (("phase", "asleep"), ("heartbeat_at", "2026-01-01T00:00:00"), ("switches", [None])):
        spoilt = content(ROWS["groups"]["steady"]) | {key: value}
        with pytest.raises(Exception, match=r"asleep|date-time|None"):
            reads({"state": json.dumps(spoilt)}, "GroupState")


class TestUnread:
    """A group that 0.1.0 could not read from Azure, taken over by this release."""

    group = group_of("nva1", "nva2")

    def test_it_is_said_no_longer_once_azure_was_read(self) -> None:
        """Azure answers, nothing points at any NVA: operators see that, and not an old silence."""
        before = read_group(ROWS["groups"]["unread"], READ_AT)
        survey = Survey({}, {}, {"nva1": (), "nva2": ()})
        after = decide(self.group, before, NetworkRead(3, survey), later(0)).state
        assert not any(
            "could not be read" in each for each in group_view(self.group, after, None, READ_AT)["drift"]
        )

    def test_it_is_said_once_while_azure_is_silent(self) -> None:
        """The next look fails as well: one sentence is enough."""
        before = read_group(ROWS["groups"]["unread"], READ_AT)
        after = decide(self.group, before, NetworkUnread(3, SILENCE), later(0)).state
        assert len(group_view(self.group, after, None, READ_AT)["drift"]) == 1
