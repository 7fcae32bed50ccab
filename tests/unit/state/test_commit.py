"""From an input to a written state, and what follows from it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from nvaha.core.inputs import FailoverCommanded, Input, PauseCommanded, Probed, SwitchFailed
from nvaha.model import (
    GroupState,
    LeaderRecord,
    Notice,
    Operation,
    Phase,
    Status,
    SwitchRequest,
)
from nvaha.ports import Conflict, Ports, StoreUnavailable, Versioned
from nvaha.state.commit import MAX_RACES, Committer
from tests.builders import BAD, NOON, OK, group_of, later, steady, switching

GROUP = group_of()


class Storage:
    """A table, a history, a queue and a log in memory, each of which may fail."""

    def __init__(self, state: GroupState | None = None) -> None:
        self.held = None if state is None else Versioned(state, "v0")
        self.operations: dict[str, Operation] = {}
        self.ids = itertools.count()
        self.sent: list[SwitchRequest] = []
        self.notices: list[Notice] = []
        self.saves = 0
        self.conflicts = 0
        self.answers = True
        self.takes_records = self.takes_messages = True
        self.before_save: Callable[[], None] = lambda: None

    async def load(self, group: str) -> Versioned | None:
        return self.held

    async def load_all(self) -> Mapping[str, Versioned]:
        return {} if self.held is None else {self.held.state.group: self.held}

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        self.before_save()
        if self.conflicts:
            self.conflicts -= 1
            return Conflict()
        if version != (self.held.version if self.held else None):
            return Conflict()
        self.saves += 1
        self.held = Versioned(state, f"v{self.saves}")
        if not self.answers:
            raise StoreUnavailable("no answer, though it was written")
        return self.held.version

    async def load_leader(self) -> LeaderRecord | None:
        return None

    async def save_leader(self, record: LeaderRecord) -> None:
        raise NotImplementedError

    async def record(self, operation: Operation) -> None:
        if not self.takes_records:
            raise StoreUnavailable("no answer")
        self.operations[operation.id] = operation

    async def operation(self, operation_id: str) -> Operation | None:
        if not self.takes_records:
            raise StoreUnavailable("no answer")
        return self.operations.get(operation_id)

    async def history(self, group: str, limit: int) -> tuple[Operation, ...]:
        return tuple(self.operations.values())[:limit]

    async def send(self, request: SwitchRequest) -> None:
        if not self.takes_messages:
            raise StoreUnavailable("no answer")
        self.sent.append(request)

    def now(self) -> datetime:
        return later(1)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    def ports(self) -> Ports:
        """Return this as all that a committer needs of the outside."""
        rest: Any = None
        return Ports(rest, self, self, rest, rest, self, self, lambda: f"id{next(self.ids)}")

    @property
    def state(self) -> GroupState:
        """The state as stored."""
        assert self.held is not None
        return self.held.state


def commit(
    storage: Storage, happened: Input, held: Versioned | None = None, **more: Callable[[], None]
) -> object:
    """Commit one input."""
    return asyncio.run(Committer(storage.ports()).commit(GROUP, happened, held, **more))


def test_a_switch_is_written_recorded_and_sent() -> None:
    """The state is there before the record and the message, and all three agree."""
    storage = Storage(steady())
    commit(storage, FailoverCommanded("b", "somebody"))
    assert storage.state.request is not None
    assert storage.sent == [storage.state.request]
    assert storage.operations[storage.sent[0].operation].status is Status.REQUESTED
    assert [each.event for each in storage.notices] == ["switch_requested"]


def test_nothing_follows_from_a_state_that_was_not_written() -> None:
    """A lost race is decided again on what the winner wrote."""
    storage = Storage(steady())
    stale = Versioned(steady(), "older")
    storage.held = Versioned(switching(), "v0")
    committed = commit(storage, FailoverCommanded("b", "somebody"), stale)
    assert getattr(committed, "refusal", None) is not None
    assert (storage.sent, storage.saves, storage.notices) == ([], 0, [])


def test_races_are_lost_only_so_often() -> None:
    """Whoever always comes second gives up and says that storage was of no use."""
    storage = Storage(steady())
    storage.conflicts = MAX_RACES
    with pytest.raises(StoreUnavailable):
        commit(storage, FailoverCommanded("b", "somebody"))
    assert storage.sent == []


def test_what_is_no_news_is_not_written() -> None:
    """Between heartbeats a round that found nothing new writes nothing."""
    storage = Storage(steady())
    commit(storage, Probed(1, {"a": OK, "b": OK}), storage.held)
    assert storage.saves == 0


def test_a_guard_has_the_last_word_before_every_write() -> None:
    """Who may not write any more after a lost race writes nothing."""
    storage = Storage(steady())
    storage.conflicts = 1
    calls: list[int] = []

    def guard() -> None:
        calls.append(storage.saves)
        if len(calls) > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        commit(storage, Probed(1, {"a": BAD, "b": OK}), storage.held, guard=guard)
    assert (len(calls), storage.saves) == (2, 0)


def test_a_write_whose_answer_is_lost_is_found_again() -> None:
    """Whoever finds its own write standing has written: nothing is decided twice, what follows is done."""
    storage = Storage(steady())
    storage.answers = False
    commit(storage, FailoverCommanded("b", "somebody"))
    assert (storage.state.phase, storage.state.generation) == (Phase.SWITCHING, 1)
    assert [each.operation for each in storage.sent] == ["g-1-1772366401000"]
    assert [each.event for each in storage.notices] == ["switch_requested"]


@pytest.mark.parametrize("lost", ["takes_records", "takes_messages"])
def test_what_could_not_follow_is_told_and_left_to_be_done_again(lost: str) -> None:
    """The state stands, and whoever reads it finds what is still to be done."""
    storage = Storage(steady())
    setattr(storage, lost, False)
    commit(storage, FailoverCommanded("b", "somebody"))
    assert storage.state.phase is Phase.SWITCHING
    assert "store_unavailable" in [each.event for each in storage.notices]


def test_what_ended_is_closed_in_its_record() -> None:
    """A failed switch's record ends with the reason, and the state needs to remember no longer."""
    storage = Storage(switching())
    request = storage.state.request
    assert request is not None
    storage.operations[request.operation] = Operation(request, Status.RUNNING)
    commit(storage, SwitchFailed(1, request.operation, "why"))
    record = storage.operations[request.operation]
    assert (record.status, record.error, record.ended_at) == (Status.FAILED, "why", later(1))


def test_a_record_that_nobody_made_is_made_to_be_closed() -> None:
    """An operation whose maker died between the state and the record ends on record all the same."""
    storage = Storage(switching())
    commit(storage, SwitchFailed(1, "g-1-0", "why"))
    assert storage.operations["g-1-0"].status is Status.FAILED


def test_a_record_that_could_not_be_closed_is_closed_by_whoever_comes_next() -> None:
    """The closing stays in the state until a record says the same."""
    storage = Storage(switching())
    storage.takes_records = False
    commit(storage, SwitchFailed(1, "g-1-0", "why"))
    assert len(storage.state.closings) == 1
    storage.takes_records = True
    assert storage.held is not None
    settled = asyncio.run(Committer(storage.ports()).settle(storage.held))
    assert settled.state.closings == ()
    assert storage.operations["g-1-0"].status is Status.FAILED


def test_an_ended_record_stays_as_it_is() -> None:
    """Closing twice changes nothing, not even the time."""
    storage = Storage(switching())
    request = storage.state.request
    assert request is not None
    ended = Operation(request, Status.DONE, ended_at=NOON)
    storage.operations[request.operation] = ended
    commit(storage, SwitchFailed(1, request.operation, "why"))
    assert storage.operations[request.operation] == ended


def test_the_first_word_on_a_group_creates_its_state() -> None:
    """A command on a group that no monitor has seen yet is remembered."""
    storage = Storage()
    commit(storage, PauseCommanded(paused=True, by="somebody"))
    assert storage.state.paused


def test_the_state_after_a_race_is_the_winners_and_ours() -> None:
    """Both changes are there when two write at the same time."""
    storage = Storage(steady())

    def overtake() -> None:
        storage.before_save = lambda: None
        storage.held = Versioned(replace(steady(), paused=True), "theirs")

    storage.before_save = overtake
    commit(storage, Probed(1, {"a": BAD, "b": OK}), storage.held)
    assert storage.state.paused
    assert storage.state.nvas["a"].failures == 1
