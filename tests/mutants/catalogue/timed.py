"""Rules of what people name a time, or an NVA, for: not before, not twice, not if it is not so any more."""

from __future__ import annotations

from tests.mutants.catalogue.asked import TIMED, TIMES
from tests.mutants.change import replace
from tests.mutants.mutant import Mutant

TIMING = (
    Mutant(
        "other-nva-is-active",
        "a failover from an NVA that is not the active one is refused",
        "nvaha.core.commands:refuses",
        replace("source != state.active", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "ends-by-one-clock",
        "nothing that a person has named a time for happens before it by any clock",
        "nvaha.core.timed:_over",
        replace("CLOCK_S", by="0.0"),
        tests=TIMES,
    ),
    Mutant(
        "pause-stays",
        "a pause ends at its time",
        "nvaha.core.timed:ended",
        replace("_over(until, now)", by="False"),
        tests=(*TIMES, *TIMED),
    ),
    Mutant(
        "pause-shortened",
        "a second pause makes the first no shorter",
        "nvaha.core.commands:paused",
        replace("max(until, there)", by="until"),
        tests=TIMES,
    ),
    Mutant(
        "end-of-an-older-pause",
        "when a pause was to end is forgotten with it",
        "nvaha.core.timed:ended",
        replace("not state.paused and state.paused_until is not None", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "pause-shortened-by-an-old-row",
        "of a row that went back and what a leader remembers the longer pause counts",
        "nvaha.core.age:_longest_pause",
        replace("max(known)", by="min(known)"),
        tests=TIMES,
    ),
    Mutant(
        "begun-twice",
        "what is scheduled is begun once",
        "nvaha.core.timed:begun",
        replace("scheduled=None", by="scheduled=due"),
        tests=(*TIMES, *TIMED),
    ),
    Mutant(
        "begun-again-by-an-old-row",
        "a row that went back schedules nothing that was begun or cancelled",
        "nvaha.core.age:_not_before",
        replace("scheduled=remembered.scheduled", by="scheduled=state.scheduled"),
        tests=(*TIMES, *TIMED),
    ),
    Mutant(
        "cancelled-is-begun",
        "what is cancelled or dropped is not begun",
        "nvaha.core.commands:unscheduled",
        replace("scheduled=None", by="scheduled=state.scheduled"),
        tests=(*TIMES, *TIMED),
    ),
    Mutant(
        "cancelled-is-asked-for-again",
        "the same request, come late, does not schedule again what was cancelled",
        "nvaha.core.commands:commanded",
        replace("not operation", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "scheduled-beats-pause",
        "a pause in force at its time wins over what is scheduled",
        "nvaha.core.timed:_forbidden",
        replace("state.paused and (state.paused_until is None or due.at < state.paused_until)", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "scheduled-beats-hold",
        "what is scheduled is not begun while a tag holds the group",
        "nvaha.core.timed:_forbidden",
        replace("state.hold is not None", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "scheduled-for-long-ago",
        "what nobody could begin for minutes after its time is dropped",
        "nvaha.core.timed:_forbidden",
        replace("(now - due.at).total_seconds() > MISSED_S", by="False"),
        tests=(*TIMES, *TIMED),
    ),
    Mutant(
        "scheduled-from-anywhere",
        "the NVA that has to be active has to be so at the scheduled time",
        "nvaha.core.timed:begun",
        replace("source=due.source", by="source=None"),
        tests=TIMES,
    ),
    Mutant(
        "scheduled-is-forced",
        "what is scheduled is never forced",
        "nvaha.core.timed:begun",
        replace(
            "commanded(group, replace(state, scheduled=None, probed_at=now), command, now)",
            by="commanded(group, replace(state, scheduled=None), replace(command, force=True), now)",
        ),
        tests=TIMES,
    ),
    Mutant(
        "scheduled-before-a-look",
        "who does not know yet who is active begins nothing that is scheduled",
        "nvaha.core.timed:begun",
        replace("state.unwatched_at is not None", by="False"),
        tests=TIMES,
    ),
    Mutant(
        "time-without-a-zone",
        "a time without a zone is no time",
        "nvaha.web.bodies:_time",
        replace("time.tzinfo is not None", by="True"),
        simulated=False,
    ),
)
