"""When the next tick is due: pure."""

from __future__ import annotations

from datetime import datetime

from nvaha.config.ncrontab import Ncrontab

LEAST_S, MOST_S = 1.0, 300.0
SPARE_S = 0.3
"""A tick ends this long before the next is due, so that the host need not skip one."""


def tick_budget_s(schedule: str, now: datetime) -> float:
    """Return the seconds that a tick has which starts now.

    Args:
        schedule: NCRONTAB that the settings have taken.
        now: wall-clock time, as the host's timer reads it.
    """
    ticks, started = Ncrontab(schedule), now.timestamp()
    due = ticks.next_after(started)
    if due - started < LEAST_S + SPARE_S:
        # Timers fire some milliseconds early (Azure/azure-functions-host #7398), and the host takes that
        # for the occurrence itself: the next tick comes with the one after it.
        due = ticks.next_after(due)
    return min(max(due - started - SPARE_S, LEAST_S), MOST_S)
