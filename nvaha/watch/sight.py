"""What a monitor that does not lead sees: it asks a few, now and then, and acts on none of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice

from nvaha.model import Configuration, ControlTarget, NvaState
from nvaha.ports import Ports, StoreUnavailable
from nvaha.watch.blindness import TIMEOUT_S

AT_MOST = 6
"""So many are asked at a time, the next ones the next time."""
KNOWN_S = 300.0
"""So long a group's addresses are believed: they stand in its state, and need not be read each time."""


class Sight:
    """Asks what a leader goes by: control targets where there are any, else NVAs, by a connection each.

    Args:
        ports: the outside.
        configuration: whom to ask.
    """

    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._control_targets = configuration.control_targets
        self._nvas = [(group, nva) for group in configuration.groups for nva in group.nvas]
        self._known: dict[str, tuple[float, dict[str, NvaState]]] = {}
        self._next = 0

    async def look(self) -> tuple[int, int]:
        """Return how many were asked, and how many of them answered."""
        targets = self._control_targets[:AT_MOST] or await self._some_nvas()
        answers = await asyncio.gather(*(self._ports.prober.reachable(each, TIMEOUT_S) for each in targets))
        return len(answers), sum(answers)

    async def _some_nvas(self) -> tuple[ControlTarget, ...]:
        """Return the NVAs whose turn it is, as far as their addresses are known."""
        first, self._next = self._next, (self._next + AT_MOST) % max(1, len(self._nvas))
        turn = islice((*self._nvas[first:], *self._nvas[:first]), AT_MOST)
        found = []
        for group, nva in turn:
            address = nva.probe.address
            if address is None:
                state = (await self._states(group.name)).get(nva.name, NvaState())
                address = state.address(nva.probe.interface or "")
            if address is not None:
                found.append(ControlTarget(address, nva.probe.port))
        return tuple(found)

    async def _states(self, group: str) -> dict[str, NvaState]:
        now = self._ports.clock.monotonic()
        read_at, states = self._known.get(group, (float("-inf"), {}))
        if not states or now - read_at >= KNOWN_S:
            with suppress(StoreUnavailable):
                held = await self._ports.store.load(group)
                states = dict(held.state.nvas) if held else {}
                self._known[group] = now, states
        return states
