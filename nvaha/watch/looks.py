"""The leader's looks at Azure: each group's routes and public IPs, read when it is time to."""

from __future__ import annotations

import asyncio

from nvaha.concurrency import run_all
from nvaha.core.inputs import NetworkRead, NetworkUnread
from nvaha.core.look_interval import look_interval_s, soonest_s
from nvaha.core.survey import survey
from nvaha.ports import NetworkError, Ports
from nvaha.state.lease import HeldLease
from nvaha.state.snapshot import read_snapshot
from nvaha.watch.watched import WatchedGroup, WatchedGroups

LOOKS_AT_ONCE, LOOK_ROUND_S = 4, 0.5
WITHIN_S = 7.0
"""So long a look may take: the end of a tick cuts off what is under way; one that began early has ended."""


class Looks:
    """Reads the network of the watched groups, a few at once, beside the rounds."""

    def __init__(self, ports: Ports, watched: WatchedGroups, lease: HeldLease) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._watched = watched
        self._lease = lease

    async def run(self) -> None:
        """Look until cancelled."""
        places = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(watched: WatchedGroup) -> None:
            async with places:
                # From its beginning: one that takes long, or is cut off, has cost its reads all the same.
                watched.looked_at, watched.cut_off = self._clock.monotonic(), True
                name = watched.group.name
                await self._watched.troubles.apart(name, "a look at Azure", self._look(watched))
                watched.cut_off = False

        while True:
            await run_all([look(each) for each in self._watched if self._due(each)])
            await self._clock.sleep(LOOK_ROUND_S)

    def _due(self, watched: WatchedGroup) -> bool:
        interval_s = look_interval_s(watched.group, watched.state, self._clock.now())
        if watched.cut_off:
            interval_s = min(interval_s, soonest_s(watched.group))
        return self._clock.monotonic() - watched.looked_at >= interval_s

    async def _look(self, watched: WatchedGroup) -> None:
        try:
            standing = watched.state.phase, watched.state.generation
            snapshot = await read_snapshot(self._ports.network, watched.group, WITHIN_S)
            found = survey(watched.group, snapshot, watched.state.nvas)
            await self._watched.decide(watched, NetworkRead(self._lease.epoch, found, standing=standing))
        except NetworkError as error:
            await self._watched.decide(watched, NetworkUnread(self._lease.epoch, str(error)))
