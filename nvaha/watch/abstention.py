"""Not asking for the lease for a while: a leader that was blind would only take it back."""

from __future__ import annotations

from nvaha.core.instances import lately
from nvaha.ports import Ports, StoreUnavailable

FIRST_S, LONGEST_S = 60.0, 600.0
"""So long a monitor abstains, and twice as long each time it happens again, up to the longest."""
FORGIVEN_S = 3600.0
"""So long after the last time it begins with the shortest again."""
LOOK_S = 5.0


class Abstention:
    """Whether this monitor abstains from campaigning.

    It ends early when nobody leads: a monitor that is blind is better than none, its sight may come back.
    """

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._clock = ports.clock
        self._length_s = 0.0
        self._begun_at = self._until = self._looked_at = float("-inf")

    @property
    def on(self) -> bool:
        """Whether it abstains."""
        return self._clock.monotonic() < self._until

    def begin(self) -> None:
        """Abstain from now on."""
        now = self._clock.monotonic()
        again = now - self._begun_at < FORGIVEN_S
        self._length_s = min(2 * self._length_s, LONGEST_S) if again else FIRST_S
        self._begun_at = self._looked_at = now
        self._until = now + self._length_s

    async def over(self) -> bool:
        """Tell whether the monitor may campaign; look now and then whether anybody leads meanwhile."""
        now = self._clock.monotonic()
        if self.on and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            if not await self._somebody_leads():
                self._until = now
        return not self.on

    async def _somebody_leads(self) -> bool:
        try:
            leader = await self._store.load_leader()
        except StoreUnavailable:
            return True
        return leader is not None and lately(leader.round_at, self._clock.now())
