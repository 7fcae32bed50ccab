"""What will happen later in the simulated Azure: ends of operations, and the data path that follows."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timeline:
    """Events in order of time, carried out when somebody looks.

    Whoever reads the state calls `advance` first, so that no background task is needed and the outcome
    depends on the clock alone.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def at(self, when: float, action: Callable[[float], None]) -> None:
        """Carry `action` out at a time in monotonic seconds; it is told that time, not that of looking."""
        heapq.heappush(self._events, (when, next(self._order), action))

    def advance(self) -> float:
        """Carry out all that is due, and return the time in monotonic seconds."""
        now = self._clock()
        while self._events and self._events[0][0] <= now:
            when, _, action = heapq.heappop(self._events)
            action(when)
        return now
