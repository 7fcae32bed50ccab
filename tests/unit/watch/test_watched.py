"""The groups that a leader watches: taken over, changed by it alone, given up to a newer one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.inputs import Probed
from nvaha.model import Closing, Status
from nvaha.ports import StoreUnavailable, Versioned
from nvaha.state.lease import LeaseLost
from nvaha.watch.troubles import Deposed
from tests.builders import BAD, OK, request_to
from tests.fakes import Outside
from tests.unit.watch.stage import Leader, known, outside, watched_group

FAILED = Probed(2, {"a": BAD, "b": OK})


def leader(out: Outside, *names: str) -> Leader:
    """Return a leader of groups with these names."""
    return Leader(out, tuple(watched_group(name) for name in names or ("g",)))


async def test_a_new_leader_stamps_its_epoch_on_every_group() -> None:
    """Whatever an older leader still has in hand conflicts from then on."""
    out = outside(known("g"))
    mine = leader(out, "g", "new")
    await mine.lead()
    assert len(mine.watched) == 2
    assert {name: held.state.epoch for name, held in out.store.states.items()} == {"g": 2, "new": 2}
    assert out.state().fingerprint == mine.groups[0].fingerprint


async def test_a_group_whose_row_cannot_be_read_is_not_watched_and_the_others_are() -> None:
    """It is told and left as it is, and taken over once somebody has mended it."""
    out = outside(known("g"), known("other"))
    out.store.unreadable.add("g")
    mine = leader(out, "g", "other")
    await mine.lead()
    assert [each.group.name for each in mine.watched] == ["other"]
    assert out.told.events == ["state_unreadable"]
    assert out.state("g").epoch == 1
    out.store.unreadable.clear()
    await mine.watched.take_over()
    assert len(mine.watched) == 2


async def test_what_others_wrote_between_two_ticks_is_taken_over() -> None:
    """An operator's pause counts from the next tick on."""
    out = outside(known())
    mine = leader(out)
    await mine.lead()
    out.store.put(replace(out.state(), paused=True))
    await mine.watched.take_over()
    assert mine.group().state.paused


async def test_what_an_earlier_decision_left_open_is_closed_by_the_next_leader() -> None:
    """Its maker may have died between writing the state and the record."""
    closing = Closing("g-1-0", Status.FAILED, "why", request_to("b"))
    out = outside(known(closings=(closing,)))
    await leader(out).lead()
    assert (out.store.operations["g-1-0"].status, out.store.operations["g-1-0"].error) == (
        Status.FAILED,
        "why",
    )


async def test_a_leader_that_meets_a_newer_epoch_is_deposed_and_remembers_it() -> None:
    """It writes nothing, and would have to take the lease above that epoch."""
    out = outside(known())
    mine = leader(out)
    await mine.lead()
    newer = replace(out.state(), epoch=7)
    out.store.put(newer)
    with pytest.raises(Deposed):
        await mine.watched.decide(mine.group(), FAILED)
    assert (out.state(), mine.watched.newest_epoch) == (newer, 7)


async def test_nothing_is_written_without_the_lease() -> None:
    """A leader that has stood still past its lease finds that out before it writes."""
    out = outside(known())
    mine = leader(out)

    await mine.lead()
    before = out.state()
    await out.clock.sleep(20.0)
    with pytest.raises(LeaseLost):
        await mine.watched.decide(mine.group(), FAILED)
    assert out.state() == before


async def test_a_reading_that_has_become_old_while_it_waited_decides_nothing() -> None:
    """Only what is still new by the time it is its turn is decided on."""
    out = outside(known())
    mine = leader(out)
    await mine.lead()
    before = out.state()
    assert not await mine.watched.decide(mine.group(), FAILED, lambda: False)
    assert out.state() == before


async def test_a_reading_that_has_become_old_while_the_row_was_read_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process may stand still between its turn and its write; the next reading counts, and once."""
    out = outside(known())
    mine = leader(out)
    await mine.lead()
    before = out.state()
    mine.group().unsure = True
    load = out.store.load

    async def then_stops(store: object, group: str) -> Versioned | None:
        found = await load(group)
        await out.clock.sleep(9.0)
        return found

    read_at = out.clock.monotonic()
    with monkeypatch.context() as stopping:
        stopping.setattr(type(out.store), "load", then_stops)
        fresh = await mine.watched.decide(
            mine.group(), FAILED, lambda: out.clock.monotonic() - read_at <= 5.0
        )
    assert (fresh, out.state()) == (False, before)
    assert await mine.watched.decide(mine.group(), FAILED)
    assert out.state().nvas["a"].failures == 1


@pytest.mark.parametrize("written", [True, False])
async def test_after_a_write_without_an_answer_the_state_is_read_again(written: bool) -> None:
    """Whether or not it was written, the next input is decided on what is there, and counts once."""
    out = outside(known())
    mine = leader(out)

    await mine.lead()
    out.store.falls_silent = written
    out.store.answers = written
    with pytest.raises(StoreUnavailable):
        await mine.watched.decide(mine.group(), FAILED)
    out.store.answers = True
    await mine.watched.decide(mine.group(), FAILED)
    assert out.state().nvas["a"].failures == (2 if written else 1)
    assert mine.group().held.version == out.store.states["g"].version


async def test_a_new_leader_starts_afresh() -> None:
    """What it kept of the groups when it led before is forgotten."""
    mine = leader(outside(known()))
    await mine.lead()
    mine.watched.forget()
    assert len(mine.watched) == 0


async def test_an_election_that_comes_to_nothing_forgets_no_look() -> None:
    """What was read of Azure just now is not read again at once, however often the lease changes hands."""
    mine = leader(outside(known()))
    await mine.lead()
    mine.group().looked_at = 5.0
    for _ in range(2):
        mine.watched.forget()
    await mine.watched.take_over()
    assert mine.group().looked_at == 5.0


async def test_a_newer_epoch_that_is_found_between_two_ticks_deposes_as_well() -> None:
    """The states are read at the start of each tick; somebody else has led meanwhile."""
    out = outside(known())
    mine = leader(out)
    await mine.lead()
    out.store.put(replace(out.state(), epoch=7))
    with pytest.raises(Deposed):
        await mine.watched.take_over()
    assert mine.watched.newest_epoch == 7
