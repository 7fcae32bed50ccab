"""The previous release itself, as code, and this one take turns at the same rows and messages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import nvaha
import nvaha.model
from nvaha.azure.storage.rows import (
    group_entity,
    leader_entity,
    operation_entity,
    read_group,
    read_leader,
    read_operation,
)
from nvaha.model import GroupState, LeaderRecord, Operation, Switch, SwitchRequest
from nvaha.model.messages import parse_message, write_message
from nvaha.ports import StateUnreadable
from tests.builders import request_to
from tests.previous import ARCHIVE, COMMIT, RELEASE, previous
from tests.previous.format import Format, file_of, format_of
from tests.strategies import READ_AT, leaders, operations, requests, states

ROWS: dict[str, Any] = json.loads((Path(__file__).parent / "rows_0_1_0.json").read_text())
TOLERATED = {
    "Trigger.canary": "only in rows of the canary, a group that it has not configured and leaves alone"
}
"""Words that are written though the previous release does not know them, and why it bears them."""
UNWRITTEN: frozenset[str] = frozenset()
"""Words that are read already, and written from the next release on."""
GONE = {"LeaderRecord.blind_since": "it has a default there, and nothing was decided on it"}
"""Names that are not written any more, and why the previous release does without."""
FEW = settings(max_examples=40)


def stored(entity: dict[str, Any]) -> dict[str, Any]:
    """Return an entity as the table gives it back."""
    plain = {name: value[0] if isinstance(value, tuple) else value for name, value in entity.items()}
    return {name: value for name, value in plain.items() if value is not None}


def content(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON in an entity."""
    columns = ("state", *(f"state_{number}" for number in range(1, 20)))
    found: dict[str, Any] = json.loads("".join(entity.get(column, "") for column in columns))
    return found


class TestArchive:
    """The archive is what it says it is."""

    def test_its_checksum_and_its_commit_are_those_on_its_page(self) -> None:
        """Nobody has edited it."""
        page = (ARCHIVE.parent / "README.md").read_text()
        assert hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() in page
        assert (COMMIT in page, previous()("model").__file__.startswith(str(ARCHIVE))) == (True, True)

    @pytest.mark.parametrize(
        ("kind", "codec"),
        [("GroupState", "_GROUP"), ("Operation", "_OPERATION"), ("LeaderRecord", "_LEADER")],
    )
    def test_it_reads_rows_by_the_schemas_of_its_release(self, kind: str, codec: str) -> None:
        """So it is that release, whose rows and schemas were kept when it was new."""
        reads = getattr(previous()("azure.entities"), codec)._adapter
        assert reads.json_schema() == ROWS["schemas"][kind]

    def test_it_lives_beside_this_release(self) -> None:
        """Neither has a module of the other."""
        theirs = previous()("model").GroupState
        assert theirs is not GroupState
        assert sys.modules["nvaha"] is nvaha
        assert Path(nvaha.__file__).parent.parent != ARCHIVE
        assert previous()("ports").StoreUnavailable is not sys.modules["nvaha.ports"].StoreUnavailable
        assert RELEASE in ARCHIVE.name


class TestRows:
    """Each reads what the other has written, and what it says is the same as far as both know it."""

    @FEW
    @given(states)
    def test_a_state_of_ours_goes_to_the_old_release_and_comes_back(self, state: GroupState) -> None:
        """All that it has a place for is there again; what it has none for has its default."""
        entities = previous()("azure.entities")
        theirs = entities.read_group(stored(group_entity(state)))
        back = read_group(stored(entities.group_entity(theirs)), READ_AT)
        assert back.rest is None
        again = entities.read_group(stored(group_entity(back)))
        assert again == theirs

    @FEW
    @given(states)
    def test_a_state_of_the_old_release_comes_through_ours_unchanged(self, state: GroupState) -> None:
        """Read by us and written by us, it is the same to it."""
        entities = previous()("azure.entities")
        before = entities.group_entity(entities.read_group(stored(group_entity(state))))
        after = group_entity(read_group(stored(before), READ_AT))
        assert entities.read_group(stored(after)) == entities.read_group(stored(before))

    @FEW
    @given(operations)
    def test_an_operation_goes_both_ways(self, operation: Operation) -> None:
        """Nothing of it but what the old release has no place for is lost."""
        entities = previous()("azure.entities")
        theirs = entities.read_operation(stored(operation_entity(operation)))
        back = read_operation(stored(entities.operation_entity(theirs)), READ_AT)
        assert entities.read_operation(stored(operation_entity(back))) == theirs

    @FEW
    @given(leaders)
    def test_the_leaders_record_goes_both_ways(self, record: LeaderRecord) -> None:
        """Who leads, by which epoch, since which round, and whether it sees."""
        entities = previous()("azure.entities")
        theirs = entities.read_leader(stored(leader_entity(record)))
        assert (theirs.instance, theirs.epoch, theirs.round_at) == (
            record.instance,
            record.epoch,
            record.round_at,
        )
        back = read_leader(stored(entities.leader_entity(theirs)), READ_AT)
        assert entities.read_leader(stored(leader_entity(back))) == theirs


class TestMessages:
    """Each takes up what the other has put on the queue."""

    @FEW
    @given(requests)
    def test_a_message_of_ours_is_read_by_the_old_release(self, request: SwitchRequest) -> None:
        """It finds the group, the generation and the operation in it."""
        message = previous()("messages").parse_message(write_message(request).encode())
        assert (message.group, message.generation, message.operation) == (
            request.group,
            request.generation,
            request.operation,
        )

    @FEW
    @given(requests)
    def test_a_message_of_the_old_release_is_read_by_us(self, request: SwitchRequest) -> None:
        """The same."""
        message = parse_message(previous()("messages").write_message(request).encode())
        assert (message.group, message.operation) == (request.group, request.operation)


class TestFormat:
    """New words are read in one release and written in the next; names may come, and none goes."""

    kept: Format = json.loads(file_of(RELEASE).read_text())

    def test_what_is_kept_of_the_previous_release_is_what_it_stores(self) -> None:
        """The file was not edited."""
        model = previous()("model")
        with previous().in_place():
            assert format_of(model) == self.kept

    def test_every_word_that_is_written_is_read_by_the_previous_release(self) -> None:
        """A new one waits for the next release, unless that one bears it and the reason is in TOLERATED."""
        new = {
            f"{choice}.{word}"
            for choice, words in format_of(nvaha.model)["words"].items()
            for word in set(words) - set(self.kept["words"].get(choice, words))
        }
        assert new - UNWRITTEN == TOLERATED.keys()

    def test_every_word_of_the_previous_release_is_read(self) -> None:
        """None was taken away."""
        ours = format_of(nvaha.model)["words"]
        lost = {choice: set(words) - set(ours[choice]) for choice, words in self.kept["words"].items()}
        assert {choice: words for choice, words in lost.items() if words} == {}

    def test_every_name_of_the_previous_release_is_still_written(self) -> None:
        """Under that name: what was moved in memory stays where it was in the table."""
        ours = format_of(nvaha.model)["names"]
        ours["GroupState"] = sorted(content(group_entity(GroupState("g", switch=Switch(request_to("a"))))))
        lost = {
            f"{kind}.{name}"
            for kind, names in self.kept["names"].items()
            for name in set(names) - set(ours[kind])
        }
        assert lost == GONE.keys()

    def test_every_new_name_has_a_default(self) -> None:
        """Rows of the previous release are without it."""
        for name in self.kept["names"]:
            kind = getattr(nvaha.model, name)
            new = [each for each in dataclasses.fields(kind) if each.name not in self.kept["names"][name]]
            missing = [
                each.name for each in new if each.default is each.default_factory is dataclasses.MISSING
            ]
            assert missing == []


def test_a_newer_row_is_left_alone_by_the_old_release_too() -> None:
    """A schema number that neither knows: both refuse, and neither writes."""
    entity = stored(group_entity(GroupState("edge")))
    entity["state"] = json.dumps(content(entity) | {"schema": 2})
    with pytest.raises(StateUnreadable):
        read_group(entity, READ_AT)
    entities = previous()("azure.entities")
    with pytest.raises(entities.StateUnreadable):
        entities.read_group(entity)
