"""A leader whose groups' rows go back in time, or are gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nvaha.core.inputs import Probed
from nvaha.model import Phase
from nvaha.watch.troubles import Deposed
from tests.builders import OK
from tests.fakes import Outside
from tests.unit.watch.stage import Leader, known, outside


async def leading() -> tuple[Outside, Leader]:
    """Return a leader that has probed its group, paused it, and switched it three times."""
    out = outside(known(generation=3, paused=True))
    leader = Leader(out)
    await leader.lead()
    await leader.watched.decide(leader.group(), Probed(leader.lease.epoch, {"a": OK, "b": OK}))
    return out, leader


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("by", ["tick", "round", "election"])
async def test_what_a_leader_remembers_outlasts_its_row(*, gone: bool, by: str) -> None:
    """Whatever it does next, it looks anew, and neither generation, epoch nor pause is lost."""
    out, leader = await leading()
    if gone:
        out.store.states.clear()
    else:
        out.store.put(known(generation=2))
    if by == "election":
        leader.watched.forget()
    if by == "round":
        await leader.watched.decide(leader.group(), Probed(leader.lease.epoch, {"b": replace(OK, ok=False)}))
    else:
        await leader.watched.take_over()
    state = out.state()
    assert (state.phase, state.generation, state.epoch, state.paused) == (Phase.UNKNOWN, 3, 2, True)
    assert "unwatched" in out.told.events


async def test_what_was_written_is_remembered_though_its_writer_was_cancelled() -> None:
    """A round that ends between its write and its end has switched: the next one is not that switch again."""
    out, leader = await leading()
    out.store.put(replace(out.state(), paused=False))
    await leader.watched.take_over()
    fails = Probed(leader.lease.epoch, {"a": replace(OK, ok=False), "b": OK})
    writer: asyncio.Task[bool]

    def cancel() -> None:
        writer.cancel()

    out.store.before_save = cancel
    while out.state().phase is not Phase.SWITCHING:
        writer = asyncio.ensure_future(leader.watched.decide(leader.group(), fails))
        await asyncio.wait({writer})
    out.store.before_save = lambda: None
    out.store.put(known(generation=2))
    await leader.watched.take_over()
    assert (out.state().generation, out.state().phase) == (4, Phase.UNKNOWN)


async def test_what_a_newer_leader_has_written_is_no_step_back() -> None:
    """Whoever finds a newer epoch stops; nothing of that is overwritten."""
    out, leader = await leading()
    newer = known(epoch=9, generation=2)
    out.store.put(newer)
    with pytest.raises(Deposed):
        await leader.watched.take_over()
    assert out.state() == newer


async def test_what_others_write_meanwhile_is_taken_over() -> None:
    """A pause ends: that is no step back, and nothing is said of one."""
    out, leader = await leading()
    out.store.put(replace(out.state(), paused=False))
    await leader.watched.take_over()
    assert (leader.group().state.paused, leader.group().state.phase) == (False, Phase.STEADY)
    assert "unwatched" not in out.told.events
