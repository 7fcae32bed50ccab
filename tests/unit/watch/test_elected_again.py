"""A monitor that loses the lease and leads again soon: what it asked for before counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from nvaha.model import Configuration, Resource
from nvaha.ports import Network
from nvaha.watch.monitor import Monitor
from tests.builders import group_of
from tests.fakes import Outside, run

MOST_A_MINUTE = 60
"""So many reads a minute may a group cost, whatever is going on."""


@dataclass
class CountedNetwork:
    """A network whose reads are counted."""

    network: Network
    count: int = 0

    async def get(self, resource_id: str) -> Resource:
        """Count a read, and do it."""
        self.count += 1
        return await self.network.get(resource_id)

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Write, which no look does."""
        await self.network.put(resource, alive=alive)


def test_elections_buy_no_more_looks() -> None:
    """A leader that is deposed and elected again within seconds reads a group no more often for it."""
    group = group_of("a", "b", "c", tables=("one", "two", "three"))
    outside = Outside()
    network = CountedNetwork(outside.network)

    async def minute() -> None:
        monitor = Monitor(Configuration((group,)), replace(outside.ports, network=network), "m")
        ticking = asyncio.ensure_future(monitor.tick(60.0))
        for _ in range(3):
            await asyncio.sleep(12.0)
            outside.leases.steal("leader")
            await asyncio.sleep(7.0)
            del outside.leases.held["leader"]
        await ticking

    run(minute())
    assert 0 < network.count <= MOST_A_MINUTE
