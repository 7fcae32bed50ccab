"""The leader's looks at Azure: each group's routes and public IPs, read when it is time to."""

from __future__ import annotations

import asyncio
import math

from nvaha.concurrency import run_all
from nvaha.core.discovery import CONFIRMED
from nvaha.core.inputs import NetworkRead, NetworkUnread
from nvaha.core.look_interval import look_interval_s, soonest_s
from nvaha.core.marks import read_tags
from nvaha.core.survey import survey
from nvaha.model import Notice
from nvaha.ports import NetworkError, NetworkFault, Ports
from nvaha.state.lease import HeldLease
from nvaha.state.snapshot import read_snapshot
from nvaha.watch.watched import WatchedGroup, WatchedGroups

LOOKS_AT_ONCE, LOOK_ROUND_S = 4, 0.5
WITHIN_S = 7.0
"""So long a look may take: the end of a tick cuts off what is under way; one that began early has ended."""
ROOM = 0.7
"""A look that was cut off is begun anew while so much of a tick is left. Ticks and looks may be equally far
apart: then it would be cut off again, at the same place of each tick, for ever."""

_BLURRED = "Drift, and what would keep an NVA from taking over, are not seen; a switch goes first, and waits"


class Looks:
    """Reads the network of the watched groups, a few at once, beside the rounds."""

    def __init__(self, ports: Ports, watched: WatchedGroups, lease: HeldLease) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._watched = watched
        self._lease = lease

    async def run(self, until: float = math.inf) -> None:
        """Look until cancelled, which is to be expected at `until`, on the monotonic clock."""
        places = asyncio.Semaphore(LOOKS_AT_ONCE)
        needed_s = min(WITHIN_S, ROOM * (until - self._clock.monotonic()))

        def fits(watched: WatchedGroup) -> bool:
            return not watched.cut_off or until - self._clock.monotonic() >= needed_s

        async def look(watched: WatchedGroup) -> None:
            async with places:
                if not fits(watched):
                    return
                # From its beginning: one that takes long, or is cut off, has cost its reads all the same.
                watched.looked_at, watched.cut_off = self._clock.monotonic(), True
                name = watched.group.name
                await self._watched.troubles.apart(name, "a look at Azure", self._look(watched))
                watched.cut_off = False

        while True:
            await run_all([look(each) for each in self._watched if self._due(each) and fits(each)])
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
            tagged = read_tags(watched.group, snapshot, self._ports.account)
            read = NetworkRead(self._lease.epoch, found, standing=standing, tagged=tagged)
            self._count(watched, throttled=snapshot.throttled)
            await self._watched.decide(watched, read)
        except NetworkError as error:
            self._count(watched, throttled=error.fault is NetworkFault.THROTTLED)
            await self._watched.decide(watched, NetworkUnread(self._lease.epoch, str(error)))

    def _count(self, watched: WatchedGroup, *, throttled: bool) -> None:
        """Count the looks in a row that were refused for being too many; tell that once, and its end."""
        before, watched.throttled = watched.throttled, watched.throttled + 1 if throttled else 0
        name = watched.group.name
        if watched.throttled == CONFIRMED:
            text = f"{name}: {CONFIRMED} looks in a row were refused: too much is asked of Azure. {_BLURRED}"
            self._ports.notifier.notify(Notice("throttled", "warning", text, {"group": name}))
        elif before >= CONFIRMED and not throttled:
            text = f"{name}: Azure lets itself be looked at again"
            self._ports.notifier.notify(Notice("throttled_over", "info", text, {"group": name}))
