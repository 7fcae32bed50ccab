"""From readings to health: pure, one NVA at a time.

An NVA is `down` after `fall` consecutive failures and `up` after `rise` consecutive successes. Failures that
a blind monitor read are shown but never confirmed, and only confirmed failures move traffic.

An NVA that answers now and then never fails `fall` times in a row. It is `unsteady` while many of its last
readings failed; that is told, and by `policy.unsteady` it is `down` as long as it is so.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from operator import attrgetter

from nvaha.model import STALE_AFTER_S, Group, GroupState, Health, NvaState, ProbeSpec, Reading

WINDOW = 30
"""So many of the last readings tell whether an NVA is steady."""
UNSTEADY_FROM, STEADY_TO = 10, 3
"""With so many failures among them it becomes unsteady, and with no more than so many steady again."""
ROUNDS_MISSED = 3
"""Counts of a group that is probed seldom are old once so many rounds are missing."""


def advance(
    nva: NvaState,
    reading: Reading,
    spec: ProbeSpec,
    now: datetime,
    *,
    blind: bool,
    unsteady_is_down: bool = False,
) -> NvaState:
    """Return what is known of an NVA after one more reading.

    Args:
        nva: what was known before.
        reading: the new reading.
        spec: the NVA's probe, for `fall` and `rise`.
        now: when the reading was taken.
        blind: whether the monitor could not see at all when it was taken.
        unsteady_is_down: whether an NVA that is unsteady counts as down.
    """
    nva = _seen(nva, reading, spec, blind=blind)
    held = nva.unsteady and unsteady_is_down
    if reading.ok:
        after = replace(
            nva,
            failures=0,
            confirmed=0,
            successes=min(nva.successes + 1, spec.rise),
            latency_ms=reading.latency_ms,
            last_error=None,
        )
    else:
        after = replace(
            nva,
            failures=nva.failures + 1,
            confirmed=0 if blind else min(nva.confirmed + 1, spec.fall),
            successes=0,
            latency_ms=None,
            last_error=reading.error,
        )
    health = nva.health
    if held or after.failures >= spec.fall:
        health = Health.DOWN
    elif after.successes >= spec.rise:
        health = Health.UP
    if health is not nva.health:
        after = replace(after, health=health, since=now)
    if health is Health.DOWN and not held:
        # Enough failed in a row: that says more, and what comes after it is counted afresh.
        after = replace(after, recent=0, unsteady=False)
    return after


def _seen(nva: NvaState, reading: Reading, spec: ProbeSpec, *, blind: bool) -> NvaState:
    """Return an NVA with one more reading among its last ones, if that is to be believed."""
    if blind and not reading.ok:
        return nva
    recent = (nva.recent << 1 | (not reading.ok)) & (1 << WINDOW) - 1
    failed = recent.bit_count()
    # Where more in a row are asked for, no fewer in all make an NVA unsteady.
    unsteady = failed > STEADY_TO if nva.unsteady else failed >= max(UNSTEADY_FROM, spec.fall)
    return replace(nva, recent=recent, unsteady=unsteady)


def fallen(nva: NvaState, spec: ProbeSpec) -> bool:
    """Tell whether an NVA is down on evidence that may move traffic away from it.

    One that is down while it is unsteady is so by policy, on readings that were believed.
    """
    return nva.health is Health.DOWN and (nva.unsteady or nva.confirmed >= spec.fall)


def stale_after_s(group: Group) -> float:
    """Return the seconds after which a group's counts, or its health, say nothing about now."""
    slowest_s = min((nva.probe.interval_s for nva in group.nvas), default=0.0)
    return max(STALE_AFTER_S, ROUNDS_MISSED * slowest_s)


def lately_probed(group: Group, state: GroupState, now: datetime) -> bool:
    """Tell whether a leader has probed a group lately, so that its health is about now."""
    probed_at = state.probed_at
    return probed_at is not None and abs((now - probed_at).total_seconds()) <= stale_after_s(group)


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

    counted = min(one.failures, spec.fall) == min(other.failures, spec.fall)
    return counted and bool(_essence()(one) == _essence()(other))


@cache
def _essence() -> attrgetter[tuple[object, ...]]:
    """Return what reads of an NVA whatever is news."""
    can_wait = {"failures", "latency_ms", "last_error", "recent"}
    return attrgetter(*(each.name for each in fields(NvaState) if each.compare and each.name not in can_wait))
