"""What is stored, in numbers: the same, whichever instance is asked."""

from __future__ import annotations

from collections.abc import Sequence

from nvaha.core.decide import as_configured
from nvaha.core.instances import lately
from nvaha.core.measures import of_group, of_leader
from nvaha.model import Configuration, GroupState, LeaderRecord
from nvaha.model.metrics import Sample
from nvaha.ports import Ports, StateUnreadable, StoreUnavailable


class Stored:
    """Reads how the leader and the groups stand.

    Args:
        configuration: which groups there are.
        ports: the outside.
    """

    def __init__(self, configuration: Configuration, ports: Ports) -> None:
        self._configuration = configuration
        self._ports = ports

    async def samples(self) -> Sequence[Sample]:
        """Return all of it; of storage that does not answer, that it does not."""
        store = self._ports.store
        try:
            stored = await store.load_all()
            leader = await self._leader()
        except StoreUnavailable:
            return (Sample("nvaha_storage_up", 0, {}),)
        now = self._ports.clock.now()
        samples = [Sample("nvaha_storage_up", 1, {})]
        if leader is not None and lately(leader.round_at, now):
            samples += of_leader(leader, now)
        for group in self._configuration.groups:
            found = stored.get(group.name)
            if isinstance(found, StateUnreadable):
                samples += of_group(group, None, now)
            else:
                state = found.state if found is not None else GroupState(group.name)
                samples += of_group(group, as_configured(group, state), now)
        return samples

    async def _leader(self) -> LeaderRecord | None:
        try:
            return await self._ports.store.load_leader()
        except StateUnreadable:
            # Whoever leads writes it anew.
            return None
