"""Where the oracle bends, and why; nowhere else."""

from __future__ import annotations

CLOCK_S = 4.0
"""`Clock.now` is good to about 2 s on each of two processes: who ended a switch and who begins one."""

MONOTONIC_S = 0.05
"""A process's monotonic clock may run 1e-3 fast or slow, over the 15 s of a lease."""

BROKEN_S = 15.0
"""After somebody has broken a switch lease two workers may hold it for this long: whoever had it cannot know
before its next renewal. Their writes may cross, and what is undone is found as a late write is."""

BLIND_S = 15.0
"""So long after the last answer, and its probe's time-out, is a monitor certainly blind: an answer just
before a round counts for it, and the monitor may have stalled in the round for as long as its lease bears."""

STALE_S = 30.0 + CLOCK_S
"""An operator's command relies on health no older than this: three heartbeats."""

LOST_EDIT_S = 6.5
"""Where NICs ignore If-Match nothing keeps an edit made between a read and a write, so a NIC's copy has to be
this fresh when it is written: a read of at most 5 s, one second, and a moment for looking whether it may. For
a table If-Match is enough, however old the copy."""

LATE_REPAIR_LOOKS = 2
"""What an older write undoes is found at a look and confirmed at a second one."""
