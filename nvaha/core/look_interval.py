"""How often Azure is read: pure. Soon where something is going on, seldom at rest, within a budget always.

ARM allows a subscription 25 reads a second for all that it holds (azure-facts B4). So however large a group,
and whatever its phase, it costs less than a read a second while something is going on, and READS_PER_HOUR at
rest. Reads of a switch under way are not counted here.
"""

from __future__ import annotations

from datetime import datetime

from nvaha.model import Group, GroupState, Phase

UNKNOWN_S = 5.0
SECOND_LOOK_S = 10.0
DRIFTING_S, DRIFTING_LOOKS = 60.0, 3
"""Drift is looked at often while it may be repaired; what is only reported is at rest, in its way."""
AFTER_A_SWITCH_S, AFTER_A_SWITCH_FOR_S = 30.0, 120.0
READS_PER_MINUTE = 50
READS_PER_HOUR = 60


def look_interval_s(group: Group, state: GroupState, now: datetime) -> float:
    """Return the seconds until a group's network should be read again.

    Drift counts once it was seen twice, so the second look follows soon. After a switch, done or failed, the
    network is looked at more often for a while: that is when a write of an older generation, already on its
    way, could still arrive.
    """
    urgent_s = _urgent_s(state, now)
    if urgent_s is None:
        return rest_interval_s(group)
    return max(urgent_s, soonest_s(group))


def soonest_s(group: Group) -> float:
    """Return the seconds that two looks at a group are apart at least, whatever is going on."""
    return len(group.resource_ids) * 60.0 / READS_PER_MINUTE


def rest_interval_s(group: Group) -> float:
    """Return the seconds between two looks at a group at rest: as configured, or what the budget allows."""
    return max(group.policy.drift_interval_s, len(group.resource_ids) * 3600.0 / READS_PER_HOUR)


def _urgent_s(state: GroupState, now: datetime) -> float | None:
    """Return how soon the next look should be, or None if nothing is going on."""
    if state.phase is Phase.UNKNOWN:
        return UNKNOWN_S
    if state.phase is Phase.SWITCHING:
        return DRIFTING_S
    if state.blocked is not None and (state.rival or state.hold) is not None:
        # Somebody may have taken the tag away that something waits for.
        return DRIFTING_S
    if state.drift.seen == 1:
        return SECOND_LOOK_S
    if 1 < state.drift.seen <= DRIFTING_LOOKS:
        return DRIFTING_S
    ended_at = state.guards.ended_at
    if ended_at is not None and 0 <= (now - ended_at).total_seconds() < AFTER_A_SWITCH_FOR_S:
        return AFTER_A_SWITCH_S
    return None
