"""From readings to health: pure, one NVA at a time.

An NVA is `down` after `fall` consecutive failures and `up` after `rise` consecutive successes. Failures that
a blind monitor read are shown but never confirmed, and only confirmed failures move traffic.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nvaha.model import STALE_AFTER_S, GroupState, Health, NvaState, ProbeSpec, Reading


def advance(nva: NvaState, reading: Reading, spec: ProbeSpec, now: datetime, *, blind: bool) -> NvaState:
    """Return what is known of an NVA after one more reading.

    Args:
        nva: what was known before.
        reading: the new reading.
        spec: the NVA's probe, for `fall` and `rise`.
        now: when the reading was taken.
        blind: whether the monitor could not see at all when it was taken.
    """
    if reading.ok:
        successes = min(nva.successes + 1, spec.rise)
        rose = nva.health is not Health.UP and successes >= spec.rise
        return replace(
            nva,
            health=Health.UP if rose else nva.health,
            since=now if rose else nva.since,
            failures=0,
            confirmed=0,
            successes=successes,
            latency_ms=reading.latency_ms,
            last_error=None,
        )
    failures = nva.failures + 1
    fell = nva.health is not Health.DOWN and failures >= spec.fall
    return replace(
        nva,
        health=Health.DOWN if fell else nva.health,
        since=now if fell else nva.since,
        failures=failures,
        confirmed=0 if blind else min(nva.confirmed + 1, spec.fall),
        successes=0,
        latency_ms=None,
        last_error=reading.error,
    )


def fallen(nva: NvaState, spec: ProbeSpec) -> bool:
    """Tell whether an NVA is down on evidence that may move traffic away from it."""
    return nva.health is Health.DOWN and nva.confirmed >= spec.fall


def lately_probed(state: GroupState, now: datetime, within_s: float = STALE_AFTER_S) -> bool:
    """Tell whether a leader has probed a group lately, so that its health is about now."""
    return state.probed_at is not None and abs((now - state.probed_at).total_seconds()) <= within_s


def healthy(nva: NvaState) -> bool:
    """Tell whether traffic may be moved to an NVA: it is up, and its last probe was answered too."""
    return nva.health is Health.UP and nva.failures == 0


def undecided(nva: NvaState) -> bool:
    """Tell whether the next few readings may change an NVA's health, so that they are worth hurrying."""
    if nva.health is Health.DOWN:
        return nva.successes > 0
    return nva.failures > 0 or nva.health is Health.UNKNOWN


def next_interval_s(nvas: list[tuple[NvaState, ProbeSpec]]) -> float:
    """Return the seconds from the start of one round of a group to the start of its next.

    All NVAs of a group are asked together, so that a failing active and its candidates are always compared
    on readings of the same age.
    """
    return min(spec.fast_interval_s if undecided(nva) else spec.interval_s for nva, spec in nvas)


def same_for_the_reader(one: NvaState, other: NvaState, spec: ProbeSpec) -> bool:
    """Tell whether two states differ only in what can wait for a heartbeat: latencies, counts past `fall`."""

    def essence(nva: NvaState) -> NvaState:
        return replace(nva, failures=min(nva.failures, spec.fall), latency_ms=None, last_error=None)

    return essence(one) == essence(other)
