"""What follows from an operator's command: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from nvaha.core.decision import Decision
from nvaha.core.health import healthy, lately_probed
from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.lifecycle import KEPT_REQUEST_IDS, begin, repeated, stalled
from nvaha.core.notices import (
    LONGEST_SENTENCE,
    clock_time,
    condition,
    day_and_time,
    notice,
    paused_sentence,
)
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import Group, GroupState, Pause, Phase, Scheduled, Trigger
from nvaha.text import one_line, shortened

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 7 * 86400.0
"""A pause that ends by itself is no shorter and no longer."""
LONGEST_AHEAD_S = 30 * 86400.0
"""No failover is scheduled further ahead."""


def commanded(group: Group, before: GroupState, command: FailoverCommanded, now: datetime) -> Decision:
    """Return what follows from a commanded failover; one with a known request id starts nothing new."""
    command = replace(
        command,
        to=group.named(command.to) or command.to,
        source=command.source and (group.named(command.source) or command.source),
    )
    for request_id, operation in before.request_ids:
        if command.request_id is not None and request_id == command.request_id:
            if not operation:
                text = f"{group.name}: the failover of request id {request_id} was cancelled or dropped"
                return Decision(before, refusal=Refusal(RefusalCode.NOT_SCHEDULED, text))
            return repeated(group, before, operation, now)
    if before.scheduled is not None and command.request_id == (before.scheduled.request_id or ""):
        return Decision(before)
    refusal = refuses(group, before, command, now)
    if refusal is not None:
        return Decision(before, refusal=refusal)
    if command.at is not None:
        return _scheduled(group, before, command, command.at, now)
    return begin(
        group,
        before,
        now,
        trigger=Trigger.MANUAL,
        target=command.to,
        reason=command.reason or f"commanded by {command.by}",
        by=command.by,
        forced=command.force,
        request_id=command.request_id,
    )


def refuses(group: Group, state: GroupState, command: FailoverCommanded, now: datetime) -> Refusal | None:
    """Return why a commanded failover is not possible now, or None.

    One for a time to come has only to be possible as such; how things stand is asked when it is due.
    """
    command = replace(command, to=group.named(command.to) or command.to)
    source = command.source and (group.named(command.source) or command.source)
    for name in (command.to, source):
        if name is not None and name not in group.names:
            known = ", ".join(group.names)
            text = f"{group.name} has no NVA {name!r}; it has {known}"
            return Refusal(RefusalCode.UNKNOWN_NVA, text)
    if source is not None and source != state.active:
        active = f"is on {state.active}" if state.active else "is on no NVA that is known"
        return Refusal(RefusalCode.NOT_ACTIVE, f"{group.name} {active}, not on {source}")
    if command.at is not None:
        return _not_then(group, state, command.at, now)
    overrides = command.force and stalled(state, now)
    if state.phase is Phase.SWITCHING and state.request is not None and not overrides:
        under_way = f"to {state.request.target} (operation {state.request.operation})"
        return Refusal(RefusalCode.SWITCHING, f"{group.name} is being switched {under_way}")
    if command.force:
        return None
    if state.rival is not None:
        return Refusal(RefusalCode.RIVAL, state.rival)
    agrees = not state.drift.writes and group.policy.drift != "off"
    if state.active == command.to and state.phase is Phase.STEADY and agrees:
        text = f"{command.to} is already the active NVA of {group.name}"
        return Refusal(RefusalCode.ALREADY_ACTIVE, text)
    if group.canary is not None:
        # Nobody probes what is no appliance.
        return None
    if not lately_probed(group, state, now):
        seen = "never" if state.probed_at is None else f"last at {clock_time(state.probed_at)}"
        text = f"the health of {command.to} is not known: no leader has probed {group.name} lately ({seen})"
        return Refusal(RefusalCode.STALE, f"{text}; force overrides this")
    if not healthy(state.nvas[command.to]):
        text = f"{command.to} is not up: {condition(state.nvas[command.to])}; force overrides this"
        return Refusal(RefusalCode.NOT_UP, text)
    return None


def _not_then(group: Group, state: GroupState, at: datetime, now: datetime) -> Refusal | None:
    """Return why nothing can be scheduled for a time, or None."""
    if group.canary is not None:
        text = f"{group.name} is the canary, which has its own times; nothing is scheduled for it"
        return Refusal(RefusalCode.UNKNOWN_GROUP, text)
    ahead_s = (at - now).total_seconds()
    if not 0 < ahead_s <= LONGEST_AHEAD_S:
        how = "past" if ahead_s <= 0 else f"more than {LONGEST_AHEAD_S / 86400:g} days ahead"
        text = f"{day_and_time(at)} is {how}; storage's clock says {day_and_time(now)}"
        return Refusal(RefusalCode.BAD_TIME, text)
    if state.scheduled is not None:
        text = f"{group.name} has a failover scheduled, {said_of(state.scheduled)}; cancel that one first"
        return Refusal(RefusalCode.SCHEDULED, text)
    return None


def said_of(scheduled: Scheduled) -> str:
    """Return a scheduled failover in words."""
    source = f"from {scheduled.source} " if scheduled.source else ""
    return f"{source}to {scheduled.target} at {day_and_time(scheduled.at)}, by {scheduled.by}"


def _scheduled(
    group: Group, before: GroupState, command: FailoverCommanded, at: datetime, now: datetime
) -> Decision:
    scheduled = Scheduled(command.to, at, command.by, now, command.reason, command.source, command.request_id)
    why = f" ({command.reason})" if command.reason else ""
    text = f"{group.name}: a failover is scheduled, {said_of(scheduled)}{why}"
    said = notice("failover_scheduled", "warning", text, group, target=scheduled.target)
    return Decision(replace(before, scheduled=scheduled), notices=(said,))


def cancelled(group: Group, before: GroupState, command: CancelCommanded) -> Decision:
    """Return what follows when a scheduled failover is not wanted any more."""
    scheduled = before.scheduled
    if scheduled is None:
        text = f"{group.name} has no failover scheduled: see whether it has been begun, or was dropped"
        return Decision(before, refusal=Refusal(RefusalCode.NOT_SCHEDULED, text))
    why = f" ({command.reason})" if command.reason else ""
    text = f"{group.name}: the failover {said_of(scheduled)}, was cancelled by {command.by}{why}"
    said = notice("failover_cancelled", "warning", text, group, target=scheduled.target)
    return Decision(unscheduled(before), notices=(said,))


def unscheduled(state: GroupState) -> GroupState:
    """Return the state without a scheduled failover; the same request, come late, schedules it no more."""
    request_ids = state.request_ids
    if state.scheduled is not None and state.scheduled.request_id is not None:
        request_ids = (*request_ids, (state.scheduled.request_id, ""))[-KEPT_REQUEST_IDS:]
    return replace(state, scheduled=None, request_ids=request_ids)


def paused(group: Group, before: GroupState, command: PauseCommanded, now: datetime) -> Decision:
    """Return what follows from a pause or its end; the same again changes nothing.

    A pause makes none shorter that there is: whoever asked for that one counts on it.
    """
    until = now + timedelta(seconds=command.for_s) if command.paused and command.for_s else None
    if command.paused and before.paused:
        there = before.paused_until
        until = max(until, there) if until is not None and there is not None else None
    if (before.paused, before.paused_until) == (command.paused, until):
        return Decision(before)
    why = f" ({command.reason})" if command.reason else ""
    word = "paused" if command.paused else "resumed"
    ends = f" until {day_and_time(until)}" if until is not None else ""
    text = f"{group.name} was {word}{ends} by {command.by}{why}"
    said = notice(word, "warning", text, group)
    if not command.paused:
        return Decision(resumed(before), notices=(said,))
    pause = Pause(command.by, now, shortened(one_line(command.reason), LONGEST_SENTENCE))
    return Decision(replace(before, paused=True, pause=pause, paused_until=until), notices=(said,))


def resumed(state: GroupState) -> GroupState:
    """Return the state of a group that is not paused any more.

    What waits says why anew at the next round; until then it must not say what is over.
    """
    waited = (state.blocked or "").startswith(paused_sentence(state))
    blocked = None if waited else state.blocked
    return replace(state, paused=False, pause=None, paused_until=None, blocked=blocked)
