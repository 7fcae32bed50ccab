"""A group is renamed or removed while it is switched: its operation ends, and no other app's does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.lifecycle import ABANDONED_S
from nvaha.model import Closing, Configuration, Operation, Phase, Status, Trigger
from nvaha.model.messages import SwitchMessage
from nvaha.switch.attempt import PROGRESS_S
from nvaha.switch.worker import Switcher
from nvaha.watch.monitor import Monitor
from tests.builders import NOON, request_to, switching
from tests.fakes import Outside
from tests.unit.watch.stage import known, outside, watched_group

OLD = watched_group("g")
MESSAGE = SwitchMessage(v=1, group="g", generation=1, operation="g-1-0")
TICK_S = 10.0


def removed(**more: Any) -> Outside:
    """Return an outside in which `g` is being switched, and which only `h` is configured of."""
    out = outside(switching(**more), known("h"))
    out.store.operations["g-1-0"] = Operation(request_to("b"), Status.RUNNING)
    return out


async def lead(out: Outside, seconds: float) -> None:
    """Let a leader that has only `h` configured run, tick after tick."""
    monitor = Monitor(Configuration((watched_group("h"),)), out.ports, "one")
    until = out.clock.monotonic() + seconds
    while out.clock.monotonic() < until:
        await monitor.tick(TICK_S)


async def test_its_operation_ends_as_failed_once_nobody_goes_on_with_it() -> None:
    """The record says why, people are told, and what was asked for stays on record."""
    out = removed()
    await lead(out, ABANDONED_S - TICK_S)
    assert (out.state("g").phase, out.store.operations["g-1-0"].status) == (Phase.SWITCHING, Status.RUNNING)
    await lead(out, 3 * TICK_S)
    operation = out.store.operations["g-1-0"]
    assert operation.status is Status.FAILED
    assert "no group g" in (operation.error or "")
    assert (out.state("g").phase, out.state("g").wanted) == (Phase.UNKNOWN, "b")
    assert out.told.events.count("switch_failed") == 1


async def test_it_ends_whatever_configuration_an_earlier_leader_had() -> None:
    """The one that ends it has none, so there is nothing to differ from."""
    out = removed(fingerprint=OLD.fingerprint)
    await lead(out, ABANDONED_S + 2 * TICK_S)
    assert out.store.operations["g-1-0"].status is Status.FAILED


async def test_a_worker_that_has_the_group_configured_is_left_alone() -> None:
    """Another app, or an instance that is not rolled out yet, carries the switch out to its end."""
    out = removed()
    out.network.operation_s = 3 * ABANDONED_S
    worker = Switcher(Configuration((OLD,)), out.ports, "worker")
    run = worker.run(MESSAGE)
    leading = lead(out, 2 * ABANDONED_S)
    async with asyncio.TaskGroup() as tasks:
        switch = tasks.create_task(run)
        await leading
        assert out.state("g").phase is Phase.SWITCHING
        assert "is done" in await switch
    assert out.store.operations["g-1-0"].status is Status.DONE


async def test_a_worker_that_comes_back_too_late_moves_nothing() -> None:
    """Its switch has ended: what is under way says the state."""
    out = removed()
    await lead(out, ABANDONED_S + 2 * TICK_S)
    await Switcher(Configuration((OLD,)), out.ports, "worker").run(MESSAGE)
    assert out.network.tried == []


async def test_a_group_that_is_configured_again_goes_where_it_was_to_go() -> None:
    """What was asked for is finished, as after any other failure."""
    out = removed(trigger=Trigger.MANUAL)
    await lead(out, ABANDONED_S + 2 * TICK_S)
    out.leases.held.clear()
    await Monitor(Configuration((OLD,)), out.ports, "two").tick(60.0)
    assert {(each.group, each.target) for each in out.queue.sent} == {("g", "b")}


async def test_what_a_leader_left_open_of_it_is_closed_by_the_next() -> None:
    """It had ended the switch and died before it wrote the record."""
    closing = Closing("g-1-0", Status.FAILED, "why", request_to("b"))
    out = removed()
    out.store.put(known("g", closings=(closing,)))
    await lead(out, TICK_S)
    assert out.store.operations["g-1-0"].status is Status.FAILED


@pytest.mark.parametrize("paused", [True, False])
async def test_a_group_at_rest_that_is_not_configured_is_nobodys_business(paused: bool) -> None:
    """Its row stays as it is, a pause in it too."""
    out = removed()
    out.store.put(known("g", paused=paused))
    before = out.store.states["g"]
    await lead(out, 2 * ABANDONED_S)
    assert out.store.states["g"] == before


async def test_the_silence_is_counted_from_the_last_sign_of_a_worker() -> None:
    """Not from when the switch was asked for."""
    out = removed(request=replace(request_to("b"), requested_at=NOON))
    await out.clock.sleep(ABANDONED_S - PROGRESS_S)
    out.store.put(switching(progress_at=out.clock.now()))
    await lead(out, 2 * TICK_S)
    assert out.state("g").phase is Phase.SWITCHING
