"""What happens at a time that a person has named: a pause ends, a failover begins: pure.

Whoever named the time and whoever leads then have storage's clock, each good to two seconds. So nothing
happens before its time is over by both; and what nobody could do at its time is not done much later.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nvaha.core.age import CLOCK_S
from nvaha.core.commands import commanded, resumed, said_of, unscheduled
from nvaha.core.decision import Decision
from nvaha.core.inputs import FailoverCommanded
from nvaha.core.notices import clock_time, day_and_time, notice
from nvaha.model import Group, GroupState, Health, Notice, Scheduled

MISSED_S = 300.0
"""A scheduled failover that could not be begun for so long after its time is dropped."""


def ended(group: Group, state: GroupState, now: datetime) -> tuple[GroupState, tuple[Notice, ...]]:
    """Return the state without what is over by now, and what people are told of it.

    A failover that is due and forbidden comes first: a pause that ends now was in force at its time.

    Args:
        group: the group as configured.
        state: its state before this round.
        now: the time by the storage service's clock.
    """
    notices = []
    due = _due(state, now)
    if due is not None and (why := _forbidden(state, due, now)) is not None:
        state, said = _dropped(group, state, due, why)
        notices.append(said)
    until = state.paused_until
    if state.paused and until is not None and _over(until, now):
        text = f"{group.name} is resumed: its pause was until {day_and_time(until)}"
        notices.append(notice("resumed", "warning", text, group))
        state = resumed(state)
    if not state.paused and state.paused_until is not None:
        # A release that does not know of it may have resumed the group: the next pause has an end of its own.
        state = replace(state, paused_until=None)
    return state, tuple(notices)


def begun(group: Group, state: GroupState, now: datetime) -> Decision:
    """Return what follows of a failover that may be due, once the NVAs have been probed in this round.

    It is an operator's command, given now: whatever refuses that ends it. It waits only for what a leader
    that has just begun does not know yet.
    """
    due = _due(state, now)
    if due is None:
        return Decision(state)
    target = state.nvas.get(group.named(due.target) or "")
    if state.unwatched_at is not None or (target is not None and target.health is Health.UNKNOWN):
        return Decision(state)
    command = FailoverCommanded(
        to=due.target,
        by=due.by,
        reason=f"{due.reason or f'commanded by {due.by}'} (scheduled for {day_and_time(due.at)})",
        request_id=due.request_id,
        source=due.source,
    )
    decision = commanded(group, replace(state, scheduled=None, probed_at=now), command, now)
    if decision.refusal is None:
        return decision
    state, said = _dropped(group, state, due, decision.refusal.message)
    return Decision(state, notices=(said,))


def _due(state: GroupState, now: datetime) -> Scheduled | None:
    return state.scheduled if state.scheduled is not None and _over(state.scheduled.at, now) else None


def _forbidden(state: GroupState, due: Scheduled, now: datetime) -> str | None:
    """Return why a failover that is due is not begun, however the NVAs are, or None."""
    if state.paused and (state.paused_until is None or due.at < state.paused_until):
        return "the group is paused"
    if state.hold is not None:
        return state.hold
    if (now - due.at).total_seconds() > MISSED_S:
        return f"until {clock_time(now)} nobody watched the group, or could tell how its NVAs are"
    return None


def _dropped(group: Group, state: GroupState, due: Scheduled, why: str) -> tuple[GroupState, Notice]:
    text = f"{group.name}: the failover {said_of(due)}, is not carried out, nor tried again: {why}"
    said = notice("failover_dropped", "error", text, group, target=due.target, reason=why)
    return unscheduled(state), said


def _over(time: datetime, now: datetime) -> bool:
    return (now - time).total_seconds() >= CLOCK_S
