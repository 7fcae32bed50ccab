"""When the next tick is due: pure."""

from __future__ import annotations

from datetime import datetime

from croniter import croniter

LEAST_S, MOST_S = 1.0, 300.0
SPARE_S = 0.3
"""A tick ends this long before the next is due, so that the host need not skip one."""


def tick_budget_s(schedule: str, now: datetime) -> float:
    """Return the seconds that a tick has which starts now.

    Args:
        schedule: NCRONTAB with six fields, seconds first, or a time span `hh:mm:ss` (azure-facts A1).
        now: wall-clock time, as the host's timer reads it.
    """
    if ":" in schedule:
        hours, minutes, seconds = (int(part) for part in schedule.split(":"))
        left = hours * 3600.0 + minutes * 60.0 + seconds
    else:
        occurrences = croniter(schedule, now, second_at_beginning=True)
        left = (occurrences.get_next(datetime) - now).total_seconds()
        if left < LEAST_S + SPARE_S:
            # Timers fire some milliseconds early (Azure/azure-functions-host #7398), and the host takes that
            # for the occurrence itself: the next tick comes with the one after it.
            left = (occurrences.get_next(datetime) - now).total_seconds()
    return min(max(left - SPARE_S, LEAST_S), MOST_S)
