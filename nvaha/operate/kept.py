"""Answers that anybody may ask for, kept for a while: storage is asked no more often however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from nvaha.ports import Clock

KEPT_S, KEPT_LONGEST_S, KEPT_TIMES = 2.0, 10.0, 20.0
"""An answer is kept at least so long, and so many times as long as it took, up to the longest: who needs no
key does not have all states of a large monitor read without a pause."""

_Answer = TypeVar("_Answer")


class Kept(Generic[_Answer]):
    """One answer for all who ask within a while.

    Args:
        clock: the time.
        ask: makes the answer; whatever it raises is not kept.
    """

    def __init__(self, clock: Clock, ask: Callable[[], Awaitable[_Answer]]) -> None:
        self._clock = clock
        self._ask = ask
        self._kept: tuple[float, _Answer] | None = None
        self._asking = asyncio.Lock()

    async def get(self) -> _Answer:
        """Return the answer that is kept, or ask anew."""
        async with self._asking:
            began = self._clock.monotonic()
            if self._kept is not None and began < self._kept[0]:
                return self._kept[1]
            answer = await self._ask()
            ended = self._clock.monotonic()
            self._kept = ended + min(max(KEPT_S, KEPT_TIMES * (ended - began)), KEPT_LONGEST_S), answer
            return answer
