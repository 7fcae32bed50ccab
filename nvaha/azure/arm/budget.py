"""What ARM lets this process read, and who goes without when it is short: plans first, then looks, no switch.

ARM counts the reads of one principal in one subscription: 250 at once, and 25 more a second (azure-facts B4).
The same is counted here, and corrected downwards by what its answers say is left, which knows of other
processes under the same identity, too. A look leaves some of it to switches, a plan leaves more, to looks as
well; the read of a switch waits for nobody here. Connections are shared out likewise. Writes are a switch's
alone, so nothing is kept for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from nvaha.ports import LONGEST_WAIT_S, Clock, NetworkError, NetworkFault

CAPACITY, PER_SECOND = 250.0, 25.0
PATIENCE_S = 4.5
"""So long a look or a plan waits for its turn: a little less than a snapshot waits for one read."""
_LEAST_WAIT_S = 0.01
WRITES_AT_ONCE = 50
_REMAINING = "x-ms-ratelimit-remaining-subscription-reads"


@dataclass(frozen=True, slots=True)
class _Share:
    """What somebody may have of what there is.

    Args:
        leaves: so many reads are left to those who come first.
        at_once: so many of its reads are under way at a time.
    """

    leaves: float
    at_once: int


class Purpose(Enum):
    """What a resource is read for; those above go first."""

    SWITCH = _Share(leaves=0.0, at_once=50)
    LOOK = _Share(leaves=75.0, at_once=16)
    PLAN = _Share(leaves=150.0, at_once=8)


CONNECTIONS = WRITES_AT_ONCE + sum(each.value.at_once for each in Purpose)


@dataclass(slots=True)
class _Level:
    """How many reads are left of one subscription, at a monotonic time, and who queues for them."""

    left: float
    at: float
    queues: dict[Purpose, asyncio.Lock] = field(
        default_factory=lambda: {each: asyncio.Lock() for each in Purpose}
    )


class Budget:
    """The reads of one process, by subscription."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: dict[str, _Level] = {}
        self._places = {each: asyncio.Semaphore(each.value.at_once) for each in Purpose}

    @asynccontextmanager
    async def read(self, purpose: Purpose, resource_id: str) -> AsyncIterator[None]:
        """Have a read and a connection for it, as soon as it is this purpose's turn.

        Raises:
            NetworkError: THROTTLED, without ARM having been asked: those who go first need it all.
        """
        places = self._places[purpose]
        try:
            async with asyncio.timeout(None if purpose is Purpose.SWITCH else PATIENCE_S):
                if purpose is not Purpose.SWITCH:
                    await self._turn(purpose, resource_id)
                level = self._level(resource_id)
                level.left = max(0.0, level.left - 1.0)
                await places.acquire()
        except TimeoutError:
            raise _not_asked(resource_id, PATIENCE_S) from None
        try:
            yield
        finally:
            places.release()

    def learn(self, resource_id: str, headers: Mapping[str, str], throttled_s: float | None) -> None:
        """Take in what an answer to a read says.

        Args:
            resource_id: what was read.
            headers: the answer's.
            throttled_s: how long nobody should ask, if that was the answer.
        """
        level = self._level(resource_id)
        if throttled_s is not None:
            level.left = 0.0
            level.at = max(level.at, self._clock.monotonic() + min(throttled_s, LONGEST_WAIT_S))
        elif (remaining := headers.get(_REMAINING, "")).isdecimal():
            level.left = min(level.left, float(remaining))

    async def _turn(self, purpose: Purpose, resource_id: str) -> None:
        until = self._clock.monotonic() + PATIENCE_S
        async with self._level(resource_id).queues[purpose]:
            while (wait_s := self._wait_s(purpose, resource_id)) > 0.0:
                if self._clock.monotonic() + wait_s > until:
                    raise _not_asked(resource_id, wait_s)
                await self._clock.sleep(max(wait_s, _LEAST_WAIT_S))

    def _wait_s(self, purpose: Purpose, resource_id: str) -> float:
        """Return the seconds until this purpose may read, if nobody else does."""
        level = self._level(resource_id)
        missing = purpose.value.leaves + 1.0 - level.left
        throttled_s = max(0.0, level.at - self._clock.monotonic())
        return 0.0 if missing <= 0.0 else throttled_s + missing / PER_SECOND

    def _level(self, resource_id: str) -> _Level:
        now = self._clock.monotonic()
        level = self._levels.setdefault(_subscription(resource_id), _Level(CAPACITY, now))
        if now > level.at:
            level.left = min(CAPACITY, level.left + (now - level.at) * PER_SECOND)
            level.at = now
        return level


def _subscription(resource_id: str) -> str:
    return resource_id.casefold().strip("/").removeprefix("subscriptions/").partition("/")[0]


def _not_asked(resource_id: str, wait_s: float) -> NetworkError:
    text = "not asked for: what ARM lets one identity read is short, and switches go first"
    return NetworkError(NetworkFault.THROTTLED, resource_id, text, retry_after_s=wait_s)
