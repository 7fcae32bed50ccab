"""The leader's duty to the canary: see that it is switched when it is due, and that this ends."""

from __future__ import annotations

from nvaha.core.inputs import CanaryWatched
from nvaha.ports import Ports
from nvaha.state.lease import HeldLease
from nvaha.watch.watched import WatchedGroup, WatchedGroups

WATCHED_EVERY_S = 2.0
"""So often the canary is looked at; that writes nothing unless something follows."""


class CanaryWatch:
    """Watches the canary beside the rounds; what goes wrong with it is not the groups' trouble."""

    def __init__(self, ports: Ports, watched: WatchedGroups, lease: HeldLease) -> None:
        self._clock = ports.clock
        self._watched = watched
        self._lease = lease

    async def run(self) -> None:
        """Watch the canary until cancelled."""
        while True:
            canary = self._watched.canary
            if canary is not None:
                await self._watched.troubles.apart(canary.group.name, "watching it", self._watch(canary))
            await self._clock.sleep(WATCHED_EVERY_S)

    async def _watch(self, canary: WatchedGroup) -> None:
        await self._watched.decide(canary, CanaryWatched(self._lease.epoch, self._watched.busy))
