"""The storage service's clock, so that all monitors share one even where a host's own clock is wrong.

Every answer of storage carries a `Date` header. The difference between it and the local monotonic clock is
kept and followed when it moves, so a wrong or stepped wall clock changes nothing. What this does not give:
precision (the header counts whole seconds), or time that never steps back when the service's does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A slower answer says too little about when its date was written.
_MAX_ROUND_TRIP_S = 2.0
# Below this, header resolution and round trips explain a difference; above, one of the clocks was set.
_TOLERANCE_S = 2.0
# The header is cut to the second: on average it is this much behind.
_HALF_RESOLUTION_S = 0.5


class ServiceClock:
    """The `Clock` of ports.py: storage's time once one answer has been seen, the wall clock until then.

    Args:
        monotonic: seconds on a clock that is never set.
        wall: seconds since 1970 on this host's clock.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset_s: float | None = None

    @property
    def synchronized(self) -> bool:
        """Whether an answer of storage has been seen."""
        return self._offset_s is not None

    def read(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Learn from the `Date` header of one answer, if it has one; times as of `observe`."""
        try:
            service_time = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if service_time.tzinfo is not None:
            self.observe(service_time, sent_at, received_at)

    def ahead_s(self) -> float | None:
        """Return by how many seconds the service's clock is ahead of this host's; None if it is not known."""
        return self.now().timestamp() - self._wall() if self.synchronized else None

    def observe(self, service_time: datetime, sent_at: float, received_at: float) -> None:
        """Learn from one answer of storage.

        Args:
            service_time: its `Date` header, timezone-aware.
            sent_at: the monotonic clock before the request was sent.
            received_at: the monotonic clock when the answer was there.
        """
        if not 0 <= received_at - sent_at <= _MAX_ROUND_TRIP_S:
            return
        offset_s = service_time.timestamp() + _HALF_RESOLUTION_S - (sent_at + received_at) / 2
        # Following every answer would make the clock shake by a second; a kept offset runs evenly.
        if self._offset_s is None or abs(offset_s - self._offset_s) > _TOLERANCE_S:
            self._offset_s = offset_s

    def now(self) -> datetime:
        """Return UTC now by the storage service's clock, good to about 2 s."""
        seconds = self._wall() if self._offset_s is None else self._monotonic() + self._offset_s
        return datetime.fromtimestamp(seconds, UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set."""
        return self._monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
