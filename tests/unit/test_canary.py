"""The canary from the leader to Azure and back: switched when it is due, told, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.canary import ADDRESSES, PREFIX, canary_group
from nvaha.core.canary_runs import EMPTY_S, RETRY_S
from nvaha.model import CanarySpec, Configuration, GroupState, Notice, Phase, Resource, Trigger
from nvaha.model.messages import SwitchMessage
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from nvaha.watch.monitor import Monitor
from tests.builders import table_id
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, B, known, outside, watched_group

EVERY_S = 600.0
TABLE = table_id("rt-canary")
CANARY = canary_group(TABLE, CanarySpec(every_s=EVERY_S, slow_s=60.0))
CONFIGURATION = Configuration((watched_group(),), canary=CANARY)
FIRST, SECOND = ADDRESSES.values()


def table(address: str = FIRST, **properties: Any) -> Resource:
    """Return the canary's table as it is deployed."""
    hop = {"addressPrefix": PREFIX, "nextHopType": "VirtualAppliance", "nextHopIpAddress": address}
    routes = [{"name": "canary", "properties": hop}]
    return Resource(TABLE, "", {"id": TABLE, "properties": {"routes": routes, **properties}})


def there(*states: GroupState, deployed: Resource | None = None) -> Outside:
    """Return an outside with a group at rest and the canary's table."""
    out = outside(known(), *states)
    out.network.put_there(deployed or table())
    return out


async def worker(out: Outside, *, claims_after_s: float = 0.2) -> None:
    """Work messages off as the platform's worker does, some time after they were sent."""
    switcher, taken = Switcher(CONFIGURATION, out.ports, "worker"), 0
    while True:
        await out.clock.sleep(claims_after_s)
        for sent in out.queue.sent[taken:]:
            taken += 1
            message = SwitchMessage(
                v=1, group=sent.group, generation=sent.generation, operation=sent.operation
            )
            with suppress(SwitchIncomplete):
                await switcher.run(message)


async def lead(
    out: Outside,
    seconds: float,
    at: Mapping[float, Callable[[], object]] | None = None,
    *,
    workers: bool = True,
    claims_after_s: float = 0.2,
    configuration: Configuration = CONFIGURATION,
) -> None:
    """Let a monitor lead for so long, with a worker beside it, and with what happens at which second."""
    for when, happens in (at or {}).items():
        after(when, happens)
    duty = asyncio.create_task(worker(out, claims_after_s=claims_after_s)) if workers else None
    await Monitor(configuration, out.ports, "one").tick(seconds)
    if duty is not None:
        duty.cancel()


def hop(out: Outside) -> str:
    """Return where the canary's route points."""
    return str(out.network.body(TABLE)["properties"]["routes"][0]["properties"]["nextHopIpAddress"])


def told(out: Outside, event: str) -> list[Notice]:
    """Return what was told under a name."""
    return [each for each in out.told.notices if each.event == event]


async def test_a_new_canary_is_switched_at_once_and_told_with_its_phases() -> None:
    """A deployment proves itself: request, claim, first write and end are on record with their seconds."""
    out = there()
    out.ports = replace(out.ports, versions=lambda: {"python": "3.13.1"})
    await lead(out, 30.0)
    (done,) = told(out, "canary_done")
    assert (hop(out), out.network.puts) == (SECOND, [TABLE])
    phases = [done.fields[each] for each in ("claimed_s", "first_write_s", "seconds")]
    assert phases == sorted(phases)
    assert 0 < phases[0] < 1 < phases[2]
    assert done.fields["versions"] == {"python": "3.13.1"}
    assert done.fields["trigger"] == Trigger.CANARY
