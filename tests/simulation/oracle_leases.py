"""The oracle's own account of who may rely on a lease, and who has just looked at a group's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvaha.model import GroupState
from nvaha.ports import Versioned
from tests.simulation.azure import WRITER
from tests.simulation.process import Process
from tests.simulation.storage import LEASE_S
from tests.simulation.tolerances import MONOTONIC_S

if TYPE_CHECKING:
    from tests.simulation.world import World

Holder = tuple[str, int, str]
"""The process, which of the messages it works off, and the lease or the group."""


class LeaseOracle:
    """Counts leases from when they were asked for, by true time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[Holder, tuple[float, int]] = {}
        self._looked: dict[Holder, tuple[float, GroupState]] = {}

    def hold(self, process: Process, name: str, sent_s: float, epoch: int) -> None:
        """Note a lease that was granted or renewed on a request sent at `sent_s`."""
        self._held[_holder(process, name)] = sent_s, epoch

    def lose(self, process: Process, name: str) -> None:
        """Note that a lease was given up or found lost."""
        self._held.pop(_holder(process, name), None)

    def epoch(self, process: Process, name: str) -> int | None:
        """Return the epoch of a lease that its holder may rely on now, or None."""
        sent_s, epoch = self._held.get(_holder(process, name), (float("-inf"), 0))
        return epoch if self._world.loop.now_s - sent_s <= LEASE_S - MONOTONIC_S else None

    def looked(self, process: Process, found: Versioned | None) -> None:
        """Note what a process was shown of a group."""
        if found is not None:
            now = self._world.loop.now_s
            self._looked[_holder(process, found.state.group)] = now, found.state

    def shown(self, process: Process, group: str) -> GroupState | None:
        """Return the group's state that a process was shown at this very moment, or None."""
        at_s, state = self._looked.get(_holder(process, group), (float("-inf"), None))
        return state if at_s == self._world.loop.now_s else None


def _holder(process: Process, name: str) -> Holder:
    writer = WRITER.get()
    return process.name, writer.run if writer else 0, name
