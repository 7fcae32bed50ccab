"""How often Azure is read: pure. Soon where something is going on, seldom at rest."""

from __future__ import annotations

from datetime import datetime

from nvaha.model import Group, GroupState, Phase

UNKNOWN_S = 5.0
SECOND_LOOK_S = 10.0
DRIFTING_S = 60.0
AFTER_A_SWITCH_S, AFTER_A_SWITCH_FOR_S = 30.0, 120.0
READS_PER_HOUR = 60
"""At rest a group costs no more ARM reads than this in an hour."""


def look_interval_s(group: Group, state: GroupState, now: datetime) -> float:
    """Return the seconds until a group's network should be read again.

    Drift counts once it was seen twice, so the second look follows soon. After a switch, done or failed, the
    network is looked at more often for a while: that is when a write of an older generation, already on its
    way, could still arrive.
    """
    guards = state.guards
    if state.phase is Phase.UNKNOWN:
        return UNKNOWN_S
    if state.phase is Phase.SWITCHING:
        return DRIFTING_S
    if state.drift.seen == 1:
        return SECOND_LOOK_S
    if state.drift.seen:
        return DRIFTING_S
    for ended in (guards.last_switch_at, guards.retry_at, guards.repair_at):
        if ended is not None and (now - ended).total_seconds() < AFTER_A_SWITCH_FOR_S:
            return AFTER_A_SWITCH_S
    return max(group.policy.drift_interval_s, len(group.resource_ids) * 3600.0 / READS_PER_HOUR)
