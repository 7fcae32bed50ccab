"""What another release has written into a row and this one does not know is still there after a write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.azure.storage.rows import (
    group_entity,
    operation_and_rest,
    operation_entity,
    read_group,
    read_leader,
    read_operation,
)
from nvaha.core.decide import decide
from nvaha.core.inputs import FailoverCommanded, Input, NetworkRead, Probed, Survey
from nvaha.model import (
    Closing,
    GroupState,
    Health,
    Notice,
    NvaState,
    Operation,
    Phase,
    Status,
    StepRecord,
    StepStatus,
    Switch,
    Trigger,
)
from nvaha.ports import StateUnreadable
from tests.builders import BAD, OK, group_of, later, request_to, up
from tests.strategies import READ_AT, operations, states

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=3)
STRANGE = st.dictionaries(st.sampled_from(["mood", "", "switch", "seen", "rest", "é"]), JSON, max_size=2)
"""Names that are none of ours where they stand; some are words that mean something in memory."""


def content(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON in an entity."""
    columns = ("state", *(f"state_{number}" for number in range(1, 20)))
    found: dict[str, Any] = json.loads("".join(entity.get(column, "") for column in columns))
    return found


def row(stored: dict[str, Any], key: str = "g") -> dict[str, Any]:
    """Return a group's row with this JSON in it."""
    return {"PartitionKey": "group", "RowKey": key, "state": json.dumps(stored)}


def objects(value: Any, name: str = "") -> Iterator[dict[str, Any]]:
    """Return each object of the model in a row's JSON: none that is keyed by names of users or of Azure."""
    if isinstance(value, dict):
        if name not in {"nvas", "addresses", "primary", "former", "fields", "seconds", "versions"}:
            yield value
        if name not in {"addresses", "primary", "former", "fields", "seconds", "versions"}:
            for key, each in value.items():
                yield from objects(each, key if name != "nvas" else "")
    elif isinstance(value, list):
        for each in value:
            yield from objects(each)


def strewn(stored: dict[str, Any], draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a row's JSON with unknown names in any of its objects."""
    copy: dict[str, Any] = json.loads(json.dumps(stored))
    for each in list(objects(copy)):
        each |= {name: value for name, value in draw().items() if name not in each}
    return copy


class TestNames:
    """A name that this release does not know."""

    @given(states, st.data())
    def test_of_a_group_anywhere_is_there_after_a_write(self, state: GroupState, data: st.DataObject) -> None:
        """At every depth, whatever its value."""
        before = strewn(content(group_entity(state)), lambda: data.draw(STRANGE))
        read = read_group(row(before, state.group), READ_AT)
        assert replace(read, rest=None) == state
        assert content(group_entity(read)) == before

    @given(operations, st.data())
    def test_of_an_operation_anywhere_is_there_after_a_write(
        self, operation: Operation, data: st.DataObject
    ) -> None:
        """In the record, its request and its steps."""
        entity = operation_entity(operation)
        before = strewn(content(entity), lambda: data.draw(STRANGE))
        read, rest = operation_and_rest({**entity, "state": json.dumps(before)}, READ_AT)
        assert read == operation
        assert content(operation_entity(read, rest)) == before

    def test_comes_through_decisions(self) -> None:
        """A round, a look and a command each write the row."""
        group = group_of("a", "b")
        state = GroupState("g", Phase.STEADY, active="a", nvas={"a": up(), "b": up()}, epoch=1)
        stored = content(group_entity(state)) | {"mood": "good"}
        stored["nvas"]["b"]["mood"] = {"as": ["ever"]}
        state = read_group(row(stored), READ_AT)
        survey = Survey({"a": 1}, {}, {"a": (), "b": ()})
        inputs: tuple[Input, ...] = (
            Probed(1, {"a": BAD, "b": OK}),
            NetworkRead(1, survey),
            FailoverCommanded(to="b", by="me"),
        )
        for number, happened in enumerate(inputs):
            state = read_group(group_entity(decide(group, state, happened, later(number)).state), READ_AT)
        assert state.phase is Phase.SWITCHING
        after = content(group_entity(state))
        assert (after["mood"], after["nvas"]["b"]["mood"]) == ("good", {"as": ["ever"]})

    def test_belongs_to_one_request_and_not_to_the_next(self) -> None:
        """What was said of one switch is not said of another."""
        first, second = request_to("a"), replace(request_to("b"), generation=2, operation="g-2-0")
        stored = content(group_entity(GroupState("g", switch=Switch(first))))
        stored["request"]["mood"] = "good"
        read = read_group(row(stored), READ_AT)
        assert read.switch is not None
        same = content(group_entity(replace(read, switch=replace(read.switch, tries=1))))
        other = content(group_entity(replace(read, switch=Switch(second))))
        none = content(group_entity(replace(read, switch=None)))
        assert (same["request"]["mood"], "mood" in other["request"], none["request"]) == ("good", False, None)

    def test_stays_with_its_entry_of_a_list(self) -> None:
        """The first closing is done with, the second moves up, a third is new; likewise notices."""
        closings = tuple(Closing(f"g-{number}-0", Status.DONE) for number in range(3))
        notices = tuple(Notice("e", "info", f"number {number}") for number in range(3))
        stored = content(group_entity(GroupState("g", closings=closings[:2], untold=notices[:2])))
        for name in ("closings", "untold"):
            for number, each in enumerate(stored[name]):
                each["mood"] = number
        read = read_group(row(stored), READ_AT)
        after = content(group_entity(replace(read, closings=closings[1:], untold=notices[1:])))
        for name in ("closings", "untold"):
            assert [each.get("mood") for each in after[name]] == [1, None]

    def test_of_a_step_stays_with_it_while_it_goes_on(self) -> None:
        """Steps are known by their keys."""
        steps = tuple(StepRecord(key, "kind", "id", "detail") for key in ("one", "two"))
        entity = operation_entity(Operation(request_to("a"), steps=steps))
        stored = content(entity)
        stored["steps"][1]["mood"] = "good"
        read, rest = operation_and_rest({**entity, "state": json.dumps(stored)}, READ_AT)
        gone_on = replace(read, steps=(replace(read.steps[1], status=StepStatus.DONE),))
        (step,) = content(operation_entity(gone_on, rest))["steps"]
        assert (step["mood"], step["status"]) == ("good", "done")

    def test_goes_with_the_nva_that_it_was_said_of(self) -> None:
        """An NVA that is configured no more takes it along."""
        stored = content(group_entity(GroupState("g", nvas={"a": NvaState(), "b": NvaState()})))
        stored["nvas"]["a"]["mood"] = "good"
        read = read_group(row(stored), READ_AT)
        assert "good" not in json.dumps(content(group_entity(replace(read, nvas={"b": NvaState()}))))

    @pytest.mark.parametrize("much", ["x" * 40_000, json.loads("[" * 40 + "]" * 40)], ids=["long", "deep"])
    def test_with_too_much_behind_it_leaves_the_row_to_the_newer_release(self, much: Any) -> None:
        """The row is refused as a newer one, so that nobody writes it without."""
        stored = content(group_entity(GroupState("g"))) | {"mood": much}
        with pytest.raises(StateUnreadable, match="update this monitor") as caught:
            read_group(row(stored), READ_AT)
        assert caught.value.newer
        assert len(str(caught.value)) < 500


class TestWords:
    """A word that this release does not know, where it knows some."""

    def group(self, change: Callable[[dict[str, Any]], None]) -> GroupState:
        """Return what is read of a group's row with a change in it."""
        switch = Switch(request_to("a"), ended=Status.DONE)
        state = GroupState(
            "g",
            nvas={"a": up()},
            switch=switch,
            closings=(Closing("g-1-0", Status.DONE),),
            untold=(Notice("event", "info", "text"),),
        )
        stored = content(group_entity(state))
        change(stored)
        return read_group(row(stored), READ_AT)

    @pytest.mark.parametrize(
        ("place", "name", "read"),
        [
            (lambda stored: stored["nvas"]["a"], "health", lambda s: s.nvas["a"].health is Health.UNKNOWN),
            (lambda stored: stored["request"], "trigger", lambda s: s.request.trigger is Trigger.FAILBACK),
            (lambda stored: stored, "ended", lambda s: s.switch.ended.ended),
            (lambda stored: stored["closings"][0], "status", lambda s: s.closings[0].status.ended),
            (lambda stored: stored["untold"][0], "level", lambda s: s.untold[0].level == "error"),
        ],
        ids=["health", "trigger", "ended", "closing", "level"],
    )
    def test_is_read_as_what_does_no_harm_and_written_as_it_came(
        self, place: Any, name: str, read: Callable[[GroupState], bool]
    ) -> None:
        """The group goes on, and the word is there for who knows it."""
        state = self.group(lambda stored: place(stored).update({name: "asleep"}))
        assert read(state)
        assert place(content(group_entity(replace(state, generation=9))))[name] == "asleep"

    def test_gives_way_to_what_is_written_in_its_place(self) -> None:
        """An NVA that answers is up, whatever it was called before."""
        state = self.group(lambda stored: stored["nvas"]["a"].update(health="asleep"))
        state = replace(state, nvas={"a": replace(state.nvas["a"], health=Health.UP)})
        assert content(group_entity(state))["nvas"]["a"]["health"] == "up"

    def test_of_a_phase_leaves_the_group_to_the_newer_release(self) -> None:
        """Nobody who does not know what is under way touches it, and nobody is told to mend the row."""
        with pytest.raises(StateUnreadable, match=r"asleep.*update this monitor") as caught:
            self.group(lambda stored: stored.update(phase="asleep"))
        assert caught.value.newer

    @pytest.mark.parametrize("phase", ["two words", "", 7, None, "x" * 100])
    def test_that_no_release_would_write_is_a_broken_row(self, phase: Any) -> None:
        """A person has to mend it."""
        with pytest.raises(StateUnreadable, match="correct that value") as caught:
            self.group(lambda stored: stored.update(phase=phase))
        assert not caught.value.newer

    @pytest.mark.parametrize(
        ("ended_at", "ended"), [(None, False), ("2026-01-01T00:00:00Z", True)], ids=["under way", "over"]
    )
    def test_of_an_operation_is_ended_when_the_operation_is(self, ended_at: str | None, ended: bool) -> None:
        """So what is over is not opened again, and what is not can be ended."""
        step = StepRecord("one", "kind", "id", "detail")
        entity = operation_entity(Operation(request_to("a"), steps=(step,)))
        stored = content(entity) | {"status": "asleep", "ended_at": ended_at}
        stored["steps"][0]["status"] = "asleep"
        found = {**entity, "state": json.dumps(stored)}
        assert read_operation(found, READ_AT).status.ended is ended
        assert content(operation_entity(*operation_and_rest(found, READ_AT))) == stored


def test_what_one_leader_says_of_itself_is_not_said_by_the_next() -> None:
    """Its record is written by itself alone: what another says there is read as far as it is known."""
    stored = {"schema": 1, "instance": "m", "epoch": 1, "round_at": "2026-01-01T00:00:00Z", "mood": "good"}
    entity = {"PartitionKey": "monitor", "RowKey": "leader", "state": json.dumps(stored)}
    assert read_leader(entity, READ_AT).instance == "m"
