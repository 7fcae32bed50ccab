"""From an input to a written state, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nvaha.core.inputs import FailoverCommanded, Input, PauseCommanded, Probed, SwitchFailed
from nvaha.model import GroupState, Operation, Phase, Status, SwitchRequest
from nvaha.ports import StoreUnavailable, Versioned
from nvaha.state.commit import MAX_RACES, Committed, Committer
from tests.builders import BAD, NOON, OK, group_of, request_to, steady, switching
from tests.fakes import Outside

GROUP = group_of()


async def commit(
    out: Outside, happened: Input, held: Versioned | None = None, guard: Callable[[], None] | None = None
) -> Committed:
    """Commit one input."""
    return await Committer(out.ports).commit(GROUP, happened, held, guard=guard)


def overtaken(out: Outside, times: int, by: GroupState) -> None:
    """Let somebody else write first, so many times."""
    left = [by] * times

    def overtake() -> None:
        if left:
            out.store.put(left.pop())

    out.store.before_save = overtake


async def test_a_switch_is_written_recorded_and_sent() -> None:
    """The state is there before the record and the message, and all three agree."""
    out = Outside(steady())
    await commit(out, FailoverCommanded("b", "somebody"))
    assert out.state().request is not None
    assert out.queue.sent == [out.state().request]
    assert out.store.operations[out.queue.sent[0].operation].status is Status.REQUESTED
    assert out.told.events == ["switch_requested"]


async def test_the_record_stands_before_the_message_is_sent() -> None:
    """However slow the table is: a worker may have its message, and a record of its own, at once."""
    out = Outside(steady())
    out.store.recording_s = 3.0
    recorded: list[bool] = []
    send = out.queue.send

    async def noted(queue: object, request: SwitchRequest) -> None:
        recorded.append(request.operation in out.store.operations)
        await send(request)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(out.queue), "send", noted)
        await commit(out, FailoverCommanded("b", "somebody"))
    assert recorded == [True]


async def test_nothing_follows_from_a_state_that_was_not_written() -> None:
    """A lost race is decided again on what the winner wrote."""
    out = Outside(steady())
    stale = out.store.states["g"]
    out.store.put(switching())
    committed = await commit(out, FailoverCommanded("b", "somebody"), stale)
    assert committed.refusal is not None
    assert (out.queue.sent, out.store.saves, out.told.notices) == ([], 0, [])


async def test_races_are_lost_only_so_often() -> None:
    """Whoever always comes second gives up and says that storage was of no use."""
    out = Outside(steady())
    overtaken(out, MAX_RACES, steady())
    with pytest.raises(StoreUnavailable):
        await commit(out, FailoverCommanded("b", "somebody"))
    assert out.queue.sent == []


async def test_what_is_no_news_is_not_written() -> None:
    """Between heartbeats a round that found nothing new writes nothing."""
    out = Outside(steady())
    await commit(out, Probed(1, {"a": OK, "b": OK}), out.store.states["g"])
    assert out.store.saves == 0


async def test_a_guard_has_the_last_word_before_every_write() -> None:
    """Who may not write any more after a lost race writes nothing."""
    out = Outside(steady())
    overtaken(out, 1, steady())
    calls: list[int] = []

    def guard() -> None:
        calls.append(out.store.saves)
        if len(calls) > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await commit(out, Probed(1, {"a": BAD, "b": OK}), out.store.states["g"], guard=guard)
    assert (len(calls), out.store.saves) == (2, 0)


@pytest.mark.parametrize("lost", ["sent_twice", "lose_answers"])
async def test_a_write_whose_answer_is_lost_is_found_again(lost: str) -> None:
    """Whoever finds its own write standing has written: nothing is decided twice, what follows is done."""
    out = Outside(steady())
    setattr(out.store, lost, 1)
    committed = await commit(out, FailoverCommanded("b", "somebody"))
    assert (committed.refusal, len(out.queue.sent)) == (None, 1)
    assert committed.operation == out.queue.sent[0].operation
    assert (out.state().phase, out.state().generation) == (Phase.SWITCHING, 1)
    assert out.told.events == ["switch_requested"]


async def test_a_refusal_on_a_group_without_a_state_writes_none() -> None:
    """Nobody has probed the group yet, so its target's health is not known."""
    out = Outside()
    committed = await commit(out, FailoverCommanded("b", "somebody"))
    assert committed.refusal is not None
    assert (out.store.states, out.queue.sent) == ({}, [])


async def test_a_write_without_an_answer_is_not_taken_for_one() -> None:
    """Whether it was written is found out later; nothing follows from it now."""
    out = Outside(steady())
    out.store.falls_silent = True
    with pytest.raises(StoreUnavailable):
        await commit(out, FailoverCommanded("b", "somebody"))
    assert (out.queue.sent, out.told.notices) == ([], [])
    assert out.state().phase is Phase.SWITCHING


@pytest.mark.parametrize("lost", ["records", "messages"])
async def test_what_could_not_follow_is_told_and_left_to_be_done_again(lost: str) -> None:
    """The state stands, and whoever reads it finds what is still to be done."""
    out = Outside(steady())
    out.store.takes_records, out.queue.answers = lost != "records", lost != "messages"
    await commit(out, FailoverCommanded("b", "somebody"))
    assert out.state().phase is Phase.SWITCHING
    assert "store_unavailable" in out.told.events


async def test_what_ended_is_closed_in_its_record() -> None:
    """A failed switch's record ends with the reason, and the state needs to remember no longer."""
    out = Outside(switching())
    request = out.state().request
    assert request is not None
    out.store.operations[request.operation] = Operation(request, Status.RUNNING)
    await commit(out, SwitchFailed(1, request.operation, "why"))
    record = out.store.operations[request.operation]
    assert (record.status, record.error, record.ended_at) == (Status.FAILED, "why", NOON)


async def test_a_record_that_nobody_made_is_made_to_be_closed() -> None:
    """An operation whose maker died between the state and the record ends on record all the same."""
    out = Outside(switching())
    await commit(out, SwitchFailed(1, "g-1-0", "why"))
    assert out.store.operations["g-1-0"].status is Status.FAILED


async def test_a_record_that_could_not_be_closed_is_closed_by_whoever_comes_next() -> None:
    """The closing stays in the state until a record says the same."""
    out = Outside(switching())
    out.store.takes_records = False
    await commit(out, SwitchFailed(1, "g-1-0", "why"))
    assert len(out.state().closings) == 1
    out.store.takes_records = True
    settled = await Committer(out.ports).settle(out.store.states["g"])
    assert settled.state.closings == ()
    assert out.store.operations["g-1-0"].status is Status.FAILED


async def test_an_ended_record_stays_as_it_is() -> None:
    """Closing twice changes nothing, not even the time."""
    out = Outside(switching())
    request = out.state().request
    assert request is not None
    ended = Operation(request, Status.DONE, ended_at=NOON)
    out.store.operations[request.operation] = ended
    await commit(out, SwitchFailed(1, request.operation, "why"))
    assert out.store.operations[request.operation] == ended


async def test_the_first_word_on_a_group_creates_its_state() -> None:
    """A command on a group that no monitor has seen yet is remembered."""
    out = Outside()
    await commit(out, PauseCommanded(paused=True, by="somebody"))
    assert out.state().paused


async def test_the_state_after_a_race_is_the_winners_and_ours() -> None:
    """Both changes are there when two write at the same time."""
    out = Outside(steady())
    overtaken(out, 1, steady(paused=True))
    await commit(out, Probed(1, {"a": BAD, "b": OK}), out.store.states["g"])
    assert out.state().paused
    assert out.state().nvas["a"].failures == 1


async def test_an_operation_whose_record_cannot_be_read_is_closed_all_the_same() -> None:
    """It is written anew from the request in the state; else it would be tried again for ever."""
    out = Outside(switching())
    out.store.operations["g-1-0"] = Operation(request_to("b"))
    out.store.illegible.add("g-1-0")
    await commit(out, SwitchFailed(1, "g-1-0", "why"))
    assert (out.store.operations["g-1-0"].status, out.store.illegible) == (Status.FAILED, set())
    assert [each.fields["operation"] for each in out.told.notices if each.event == "state_unreadable"] == [
        "g-1-0"
    ]
