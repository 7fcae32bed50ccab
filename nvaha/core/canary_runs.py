"""When a canary is switched, and what came of it: pure.

A run takes the way of any switch. Only its beginning is another (it is due, and nothing else is going on),
and what is told of its end, under names of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from nvaha.core.decision import Decision
from nvaha.core.inputs import CanaryWatched, Input, SwitchDone
from nvaha.core.lifecycle import begin, go_on
from nvaha.core.notices import notice, request_fields, took_fields, took_s
from nvaha.model import (
    CanaryRecord,
    CanarySpec,
    Group,
    GroupState,
    Notice,
    Phase,
    Status,
    Trigger,
)

RETRY_S = 3600.0
"""So long after a run that failed the next one begins."""
EMPTY_S = 60.0
"""So long after a run that found nothing to write: it has proved all but the write."""
SPREAD = 0.1
"""Runs begin up to this part of the interval early, each deployment's at another time."""
OVERDUE = 2.0
"""After so many intervals without a run that ended well, that is a failure of its own."""

_BUSY: Final = "a group is being switched, or may be: its state cannot be read"
REMEDY: Final = "A failover may fail the same way: mend that, and see with nvaha failover canary --to NVA"

_TOLD_AS: Final = {
    "switch_requested": ("canary_started", "info"),
    "switch_failed": ("canary_failed", "error"),
    "switch_unclaimed": ("canary_slow", "error"),
    "switch_held_up": ("canary_slow", "error"),
}
"""What is told of a group's switch -> what is told of a canary's: it is no group's trouble."""


def watched(group: Group, before: GroupState, happened: CanaryWatched, now: datetime) -> Decision:
    """Return what follows when the leader looks at the canary: it goes on, begins a run, or waits.

    Args:
        group: the canary.
        before: its state.
        happened: the leader's look.
        now: the time by the storage service's clock.
    """
    state = replace(before, epoch=happened.epoch, canary=before.canary or CanaryRecord(since=now))
    if state.phase is Phase.SWITCHING:
        return go_on(group, state, now, blind=False)
    waits = "it is paused" if state.paused else _BUSY if happened.busy else None
    if waits is None and now >= due_at(group, state, now):
        first, second = group.names
        target = first if state.active == second else second
        text = "it is time for its run"
        return begin(group, state, now, trigger=Trigger.CANARY, target=target, reason=text, by="nvaha")
    return _overdue(group, state, waits, now)


def due_at(group: Group, state: GroupState, now: datetime) -> datetime:
    """Return when the next run is due; now if there has been none."""
    spec, guards, switch = group.canary or CanarySpec(), state.guards, state.switch
    if guards.ended_at is None or switch is None:
        return now
    if switch.ended is not Status.DONE:
        return guards.ended_at + timedelta(seconds=min(RETRY_S, spec.every_s))
    if guards.last_switch_at is None or guards.last_switch_at < guards.ended_at:
        return guards.ended_at + timedelta(seconds=EMPTY_S)
    # Between 0 and 1, by what two deployments differ in, and another each time.
    drawn = zlib.crc32(f"{group.fingerprint}{state.generation}".encode()) / 2**32
    return guards.last_switch_at + timedelta(seconds=spec.every_s * (1.0 - SPREAD * drawn))


def concluded(
    group: Group, before: GroupState, happened: Input, decision: Decision, now: datetime
) -> Decision:
    """Return a decision on the canary in a canary's words, with what came of its run on record.

    Args:
        group: the canary.
        before: its state before the decision.
        happened: what was decided on.
        decision: as on any group.
        now: the time by the storage service's clock.
    """
    said = tuple(_told(each) for each in decision.notices if each.event != "switch_done")
    decision, state = replace(decision, notices=said), decision.state
    if before.phase is not Phase.SWITCHING or state.switch is None or state.switch.ended is None:
        return decision
    record = state.canary or CanaryRecord(since=now)
    if not isinstance(happened, SwitchDone):
        failed = replace(record, error=state.closings[-1].error)
        return replace(decision, state=replace(state, canary=failed))
    seconds = took_s(state.switch.request, happened, now)
    after = replace(record, seconds=seconds, versions=happened.versions, error=None)
    notices = [*_versions_changed(group, record.versions, happened.versions)]
    fields = {**request_fields(state.switch.request), **took_fields(seconds)}
    if happened.wrote_at is None:
        # A switch by ARM's leave to read only is no proof of one: the next goes the other way, and writes.
        guards = replace(state.guards, last_switch_at=before.guards.last_switch_at)
        text = f"{group.name}: nothing was left to write, so the next run follows in {EMPTY_S:g} s"
        notices.append(notice("canary_empty", "info", text, group, **fields))
        return replace(decision, state=replace(state, canary=after, guards=guards)).told_after(*notices)
    after = replace(after, overdue_at=None)
    took = ", ".join(f"{phase.replace('_', ' ')} after {value:.1f} s" for phase, value in seconds.items())
    text = f"{group.name}: a switch works from end to end: {took}"
    notices.append(notice("canary_done", "info", text, group, **fields, versions=dict(happened.versions)))
    slow_s = (group.canary or CanarySpec()).slow_s
    if seconds["done"] > slow_s:
        text = f"{group.name}: a switch works, but took longer than {slow_s:g} s: {took}"
        notices.append(notice("canary_slow", "error", text, group, **fields))
    return replace(decision, state=replace(state, canary=after)).told_after(*notices)


def _versions_changed(group: Group, old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Notice, ...]:
    """Say what the worker runs on that it did not at the run before; a first run has nothing to compare."""
    changed = [
        f"{what} {old.get(what, 'not seen')} -> {new.get(what, 'not seen')}"
        for what in sorted({*old, *new})
        if old.get(what) != new.get(what)
    ]
    if not old or not changed:
        return ()
    text = f"{group.name}: the worker runs on other versions than at the last run: {', '.join(changed)}"
    return (notice("versions_changed", "warning", text, group, versions=dict(new)),)


def is_overdue(group: Group, state: GroupState, now: datetime) -> bool:
    """Tell whether no run has ended well for too long."""
    return _late_s(state, now) >= OVERDUE * (group.canary or CanarySpec()).every_s


def _late_s(state: GroupState, now: datetime) -> float:
    since = state.guards.last_switch_at or (state.canary.since if state.canary else now)
    return (now - since).total_seconds()


def _overdue(group: Group, state: GroupState, waits: str | None, now: datetime) -> Decision:
    """Say, once in an interval, that no run has ended well for too long."""
    spec, record = group.canary or CanarySpec(), state.canary or CanaryRecord(since=now)
    told_at = record.overdue_at
    again = told_at is None or (now - told_at).total_seconds() >= spec.every_s
    if not again or not is_overdue(group, state, now):
        return Decision(state)
    why = waits or record.error or "no run has begun"
    text = f"{group.name}: no switch has ended well for {_late_s(state, now) / 3600:.1f} h: {why}"
    state = replace(state, canary=replace(record, overdue_at=now))
    return Decision(state, notices=(notice("canary_failed", "error", text, group, reason=why),))


def _told(said: Notice) -> Notice:
    event, level = _TOLD_AS.get(said.event, (said.event, said.level))
    text = f"{said.text.rstrip('.')}. {REMEDY}" if event == "canary_failed" else said.text
    return replace(said, event=event, level=level, text=text)
