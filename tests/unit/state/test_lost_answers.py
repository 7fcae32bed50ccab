"""Lost answers, requests repeated below, callers that are cancelled: nothing happens twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nvaha.core.inputs import FailoverCommanded, PauseCommanded, Probed, SwitchDone, SwitchFailed, SwitchMoved
from nvaha.model import GroupState, Notice, Phase, Status
from nvaha.ports import Conflict, StoreUnavailable, Versioned
from nvaha.state.commit import MOST_UNTOLD, Committed, Committer
from nvaha.state.lease import LeaseLost
from tests.builders import BAD, OK, group_of, steady, switching
from tests.fakes import FakeStore, Outside, run

GROUP = group_of()


class RepeatingStore(FakeStore):
    """A store below which each write is sent again: the second one meets the first and is told so.

    `between` is written by somebody else before the second one arrives.
    """

    between: GroupState | None = None

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write, lose the answer, write again."""
        first = await super().save(state, version)
        if isinstance(first, Conflict):
            return first
        if self.between is not None:
            self.put(replace(self.between, write_ids=state.write_ids, untold=state.untold))
            self.between = None
        return await super().save(state, version)


def outside(state: GroupState, between: GroupState | None = None) -> Outside:
    """Return an outside whose store repeats every write."""
    there = Outside()
    store = RepeatingStore()
    store.between = between
    store.put(state)
    there.store = store
    there.ports = replace(there.ports, store=store)
    return there


def commit(there: Outside, happened: Probed | FailoverCommanded | SwitchDone | PauseCommanded) -> Committed:
    """Commit one input."""
    return run(Committer(there.ports).commit(GROUP, happened))


def test_a_reading_counts_once() -> None:
    """With `fall: 3`, one failed reading is one failure, however often it was sent."""
    there = outside(steady())
    commit(there, Probed(1, {"a": BAD, "b": OK}))
    assert there.state().nvas["a"].failures == 1


def test_a_reading_counts_once_although_a_worker_wrote_in_between() -> None:
    """Somebody's write on top of ours does not hide ours."""
    once = replace(steady(), nvas={**steady().nvas})
    after = run(Committer(Outside(once).ports).commit(GROUP, Probed(1, {"a": BAD, "b": OK}))).held.state
    there = outside(steady(), between=replace(after, paused=True))
    commit(there, Probed(1, {"a": BAD, "b": OK}))
    assert (there.state().nvas["a"].failures, there.state().paused) == (1, True)


def test_a_command_starts_one_switch_and_sends_one_message() -> None:
    """The second request meets the first and starts nothing."""
    there = outside(steady())
    committed = commit(there, FailoverCommanded("b", "somebody"))
    assert (there.state().generation, len(there.queue.sent)) == (1, 1)
    assert committed.operation == there.queue.sent[0].operation


def test_done_is_not_called_stale() -> None:
    """A worker whose report took effect is told so, and its record is closed."""
    there = outside(switching())
    committed = commit(there, SwitchDone(1, "g-1-0"))
    assert committed.refusal is None
    assert (there.state().phase, there.state().active) == (Phase.STEADY, "b")
    assert there.store.operations["g-1-0"].status is Status.DONE


@pytest.mark.parametrize(
    ("report", "ended"),
    [
        (SwitchDone(1, "g-1-0"), Status.DONE),
        (SwitchFailed(1, "g-1-0", "why"), Status.FAILED),
    ],
)
def test_an_end_may_be_reported_again(report: SwitchDone | SwitchFailed, ended: Status) -> None:
    """A worker that asks again because nobody answered is not refused, and ends nothing a second time."""
    there = Outside(switching())
    committer = Committer(there.ports)
    run(committer.commit(GROUP, report))
    first = there.state()
    again = run(committer.commit(GROUP, report))
    assert (again.refusal, there.state()) == (None, first)
    assert there.store.operations["g-1-0"].status is ended


def test_another_end_than_the_one_it_came_to_is_stale() -> None:
    """Failed is not done."""
    there = Outside(switching())
    committer = Committer(there.ports)
    run(committer.commit(GROUP, SwitchFailed(1, "g-1-0", "why")))
    assert run(committer.commit(GROUP, SwitchDone(1, "g-1-0"))).refusal is not None
    assert run(committer.commit(GROUP, SwitchMoved(1, "g-1-0"))).refusal is not None


def test_notices_are_told_once_with_an_id_each() -> None:
    """What is told is taken out of the state again, so that nobody else tells it too."""
    there = outside(steady())
    commit(there, PauseCommanded(paused=True, by="somebody"))
    assert there.told.events == ["paused"]
    assert there.told.notices[0].fields["id"]
    assert there.state().untold == ()


def test_notices_of_a_writer_that_died_are_told_by_whoever_reads() -> None:
    """They are found in the state, with the id that they were written with."""
    there = Outside(steady())
    written = run(Committer(there.ports).commit(GROUP, PauseCommanded(paused=True, by="somebody"))).held.state
    lost = tuple(there.told.notices)
    survivor = Outside(replace(written, untold=lost))
    run(Committer(survivor.ports).settle(survivor.store.states["g"]))
    assert survivor.told.notices == list(lost)
    assert survivor.state().untold == ()


def test_storage_that_never_answers_is_said() -> None:
    """A caller learns that nobody knows whether it was written."""
    there = Outside(steady())

    def silent() -> None:
        raise StoreUnavailable("no answer")

    there.store.before_save = silent
    with pytest.raises(StoreUnavailable):
        commit(there, PauseCommanded(paused=True, by="somebody"))
    assert there.told.events == []


def test_a_caller_that_is_cancelled_between_write_and_message_leaves_both_done() -> None:
    """A written switch is sent although another group's end cancels whoever wrote it."""
    there = Outside(steady())

    async def cancelled() -> None:
        task = asyncio.ensure_future(Committer(there.ports).commit(GROUP, FailoverCommanded("b", "somebody")))
        there.store.before_save = lambda: (task.cancel(), None)[1]
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert there.state().phase is Phase.SWITCHING
    assert [each.target for each in there.queue.sent] == ["b"]
    assert "switch_requested" in there.told.events


def test_a_guard_has_the_last_word_before_every_write() -> None:
    """Whoever may not write any more writes nothing, not even that it has told."""
    there = Outside(steady())
    allowed = iter([None])

    def guard() -> None:
        if next(allowed, "over") == "over":
            raise StoreUnavailable("the lease is over")

    held: Versioned = run(
        Committer(there.ports).commit(GROUP, PauseCommanded(paused=True, by="x"), guard=guard)
    ).held
    assert (held.state.paused, there.told.events) == (True, ["paused"])
    assert len(there.state().untold) == 1


def test_a_lease_that_ends_once_a_switch_is_written_holds_back_no_message() -> None:
    """The state stands: what follows from it is sent, and only that it was told stays unwritten."""
    there = Outside(steady())
    allowed = iter([None])

    def guard() -> None:
        if next(allowed, "over") == "over":
            raise LeaseLost("it has run out")

    command = FailoverCommanded("b", "somebody")
    committed = run(Committer(there.ports).commit(GROUP, command, guard=guard))
    assert [each.operation for each in there.queue.sent] == [committed.operation]
    assert len(there.state().untold) == 1


def test_of_too_many_notices_the_oldest_give_way() -> None:
    """A state holds so many that may not have been told; what happens now is among them."""
    old = tuple(Notice("paused", "info", f"{number}", {"group": "g"}) for number in range(MOST_UNTOLD))
    there = Outside(steady(untold=old))
    commit(there, FailoverCommanded("b", "somebody"))
    assert len(there.told.notices) == MOST_UNTOLD
    assert there.told.events[-1] == "switch_requested"
