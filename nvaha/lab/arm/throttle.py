"""Real throttling: token buckets as ARM and Microsoft.Network keep them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """Room for `capacity` requests, refilled by `per_second`."""

    capacity: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per subscription and principal (`reads`, `writes`) and of Microsoft.Network per subscription."""

    reads: Bucket
    writes: Bucket
    network_reads: Bucket
    network_writes: Bucket


_PLENTY = Bucket(1_000_000, 100_000)
GENEROUS_LIMITS = Limits(_PLENTY, _PLENTY, _PLENTY, _PLENTY)

# Learn, request-limits-and-throttling: ARM per subscription and principal since 2024; Microsoft.Network per
# subscription and region, 10,000 reads and 1,000 writes in 5 minutes.
AZURE_LIMITS = Limits(
    Bucket(250, 25), Bucket(200, 10), Bucket(10_000, 10_000 / 300), Bucket(1_000, 1_000 / 300)
)


@dataclass(slots=True)
class _Level:
    tokens: float
    at: float


class Throttle:
    """Counts requests against the limits."""

    def __init__(self) -> None:
        self._levels: dict[tuple[Bucket, str], _Level] = {}

    def take(self, bucket: Bucket, key: str, now: float) -> tuple[float, float]:
        """Take one token.

        Args:
            bucket: its size and refill.
            key: whose bucket it is.
            now: monotonic seconds.

        Returns:
            The seconds to wait (0 if the request may go on) and the tokens that remain.
        """
        level = self._levels.setdefault((bucket, key), _Level(bucket.capacity, now))
        level.tokens = min(bucket.capacity, level.tokens + (now - level.at) * bucket.per_second)
        level.at = now
        if level.tokens < 1:
            return (1 - level.tokens) / bucket.per_second, 0
        level.tokens -= 1
        return 0, level.tokens
