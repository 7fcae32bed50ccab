"""How a switch begins, goes on and ends: pure; `nvaha.core.decide` says when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nvaha.core.health import fallen, healthy
from nvaha.core.inputs import SwitchDone, SwitchFailed, SwitchMoved
from nvaha.core.notices import Refusal, clock_time, condition, notice, request_fields
from nvaha.model import Closing, Group, GroupState, Notice, Phase, Status, SwitchRequest, Trigger

NO_PROGRESS_S = 15.0
"""Without progress for this long a switch is queued again: a crashed host hides its message for ten minutes
(azure-facts A2), and a switch lease has run out by then."""
MAX_TRIES = 10
"""So often in a row is a switch queued again without any sign of a worker before it is given up."""
BACK_OFF_S, MAX_BACK_OFF_S = 15.0, 300.0
KEPT_REQUEST_IDS = KEPT_CLOSINGS = 10


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an input.

    Args:
        state: the group's new state; equal to the old one if nothing follows.
        send: the switch to put on the queue once the state is written.
        notices: what to tell operators once the state is written.
        refusal: why the input was not followed.
        operation: the operation that a command led to, also when it was led to earlier.
    """

    state: GroupState
    send: SwitchRequest | None = None
    notices: tuple[Notice, ...] = ()
    refusal: Refusal | None = None
    operation: str | None = None


def forbidden(group: Group, state: GroupState, now: datetime, trigger: Trigger) -> str | None:
    """Return why no automatic switch of this group may start now, or None.

    A repair waits for whatever a failover waits for, and for the repairs before it; a failover never waits
    for repairs. In phase `switching` hold-down says nothing: the group is between two NVAs already.
    """
    policy = group.policy
    if not policy.automatic:
        return "automatic switches are off (policy.automatic)"
    if state.paused:
        return "the group is paused"
    if state.retry_at is not None and now < state.retry_at:
        return f"the last switch failed; not tried again before {clock_time(state.retry_at)}"
    if state.last_switch_at is not None and state.phase is not Phase.SWITCHING:
        until = state.last_switch_at + timedelta(seconds=policy.hold_down_s)
        if now < until:
            return f"hold-down after the last switch, until {clock_time(until)}"
    if len(recent(state.switches, now)) >= policy.max_switches_per_hour:
        return f"flap limit: {policy.max_switches_per_hour} automatic switches within an hour"
    if trigger is not Trigger.REPAIR:
        return None
    if state.repair_at is not None and now < state.repair_at:
        return f"the last repair was just now; no other one before {clock_time(state.repair_at)}"
    if len(recent(state.repairs, now)) >= policy.max_switches_per_hour:
        return f"flap limit: {policy.max_switches_per_hour} repairs within an hour"
    return None


def stalled(state: GroupState, now: datetime) -> bool:
    """Tell whether a switch is under way that nobody seems to carry out."""
    if state.phase is not Phase.SWITCHING or state.request is None:
        return False
    moved = state.progress_at or state.request.requested_at
    return (now - moved).total_seconds() >= NO_PROGRESS_S


def candidate(group: Group, state: GroupState, leaving: str | None) -> str | None:
    """Return the healthy NVA to move to, or None.

    `select: order` takes the first in the configured order, `cycle` the next around the circle after the
    one being left.
    """
    names = list(group.names)
    if group.policy.select == "cycle" and leaving in names:
        start = names.index(leaving) + 1
        names = names[start:] + names[:start]
    return next((name for name in names if name != leaving and healthy(state.nvas[name])), None)


def consider_switching(
    group: Group, state: GroupState, now: datetime, notices: list[Notice], *, blind: bool
) -> Decision:
    """Return what follows while a switch is under way: go on, ask again, move elsewhere, or give up."""
    request = state.request
    if request is None or request.target not in state.nvas:
        if request is not None:
            return failed(group, state, now, notices, f"{request.target} is not configured any more")
        return Decision(replace(state, phase=Phase.UNKNOWN), notices=tuple(notices))
    target = state.nvas[request.target]
    other = candidate(group, state, request.target)
    may = not blind and not request.forced and forbidden(group, state, now, Trigger.FAILOVER) is None
    if may and other is not None and fallen(target, group.nva(request.target).probe):
        text = f"{request.target} went down while {group.name} was being switched to it: {condition(target)}"
        return begin(
            group, state, now, notices, trigger=Trigger.FAILOVER, target=other, reason=text, by="nvaha"
        )
    if (now - request.requested_at).total_seconds() > group.policy.deadline_s:
        return failed(group, state, now, notices, f"not done within {group.policy.deadline_s:g} s")
    if not stalled(state, now):
        return Decision(state, notices=tuple(notices))
    if state.tries >= MAX_TRIES:
        return failed(group, state, now, notices, f"no worker took it up after {MAX_TRIES} requests")
    return _queue_again(group, state, request, now, notices)


def again(group: Group, state: GroupState, operation: str, now: datetime) -> Decision:
    """Answer a repeated command with the operation it led to; one that nobody carries out is queued again."""
    request = state.request
    if request is None or request.operation != operation or not stalled(state, now):
        return Decision(state, operation=operation)
    return replace(_queue_again(group, state, request, now, []), operation=operation)


def _queue_again(
    group: Group, state: GroupState, request: SwitchRequest, now: datetime, notices: list[Notice]
) -> Decision:
    text = f"{group.name}: no progress on operation {request.operation} for {NO_PROGRESS_S:g} s; queued again"
    notices.append(notice("switch_requeued", "warning", text, group, **request_fields(request)))
    state = replace(state, progress_at=now, tries=state.tries + 1)
    return Decision(state, send=request, notices=tuple(notices))


def reported(
    group: Group, before: GroupState, report: SwitchMoved | SwitchDone | SwitchFailed, now: datetime
) -> Decision:
    """Return what follows from a worker's report; one on another switch than this changes nothing."""
    request = before.request
    mine = request is not None and request.operation == report.operation
    if (
        request is None
        or not mine
        or before.phase is not Phase.SWITCHING
        or before.generation != report.generation
    ):
        text = f"{group.name}: generation {report.generation} ({report.operation}) is not under way"
        return Decision(before, refusal=Refusal(409, "stale", text))
    match report:
        case SwitchMoved():
            return Decision(replace(before, progress_at=now, tries=0))
        case SwitchFailed():
            return failed(group, before, now, [], report.error)
        case SwitchDone():
            seconds = (now - request.requested_at).total_seconds()
            text = f"{group.name}: {request.target} is active ({request.trigger}, {seconds:.1f} s)"
            notices = [
                notice(
                    "switch_done", "info", text, group, **request_fields(request), seconds=round(seconds, 3)
                )
            ]
            if request.trigger is Trigger.REPAIR:
                notices.append(notice("drift_repaired", "info", text, group, **request_fields(request)))
            repair = request.trigger is Trigger.REPAIR
            state = replace(
                _close(before, request, Status.DONE),
                phase=Phase.STEADY,
                active=request.target,
                last_switch_at=before.last_switch_at if repair else now,
                repair_at=now + timedelta(seconds=group.policy.hold_down_s) if repair else before.repair_at,
                failed_in_a_row=0,
                repairs_failed_in_a_row=0,
                retry_at=None,
                progress_at=None,
                tries=0,
                drift=(),
                problems=(),
                drift_seen=0,
                blocked=None,
            )
            return Decision(state, notices=tuple(notices))


def begin(
    group: Group,
    state: GroupState,
    now: datetime,
    notices: list[Notice],
    *,
    trigger: Trigger,
    target: str,
    reason: str,
    by: str,
    forced: bool = False,
    request_id: str | None = None,
) -> Decision:
    """Start a switch: a new generation, which the caller writes before it sends the request.

    One that is still under way gives way to it.
    """
    if state.phase is Phase.SWITCHING and state.request is not None:
        old = state.request
        text = f"{group.name}: operation {old.operation} to {old.target} gives way: {reason}"
        notices.append(notice("switch_superseded", "warning", text, group, **request_fields(old)))
        state = _close(state, old, Status.SUPERSEDED, f"superseded: {reason}")
    generation = state.generation + 1
    operation = f"{group.name}-{generation}-{int(now.timestamp() * 1000)}"
    request = SwitchRequest(
        operation=operation,
        group=group.name,
        generation=generation,
        epoch=state.epoch,
        trigger=trigger,
        target=target,
        reason=reason,
        requested_at=now,
        requested_by=by,
        source=state.active,
        forced=forced,
        request_id=request_id,
    )
    switches, repairs = recent(state.switches, now), recent(state.repairs, now)
    if trigger is Trigger.REPAIR:
        repairs = (*repairs, now)
    elif trigger is not Trigger.MANUAL:
        switches = (*switches, now)
    request_ids = state.request_ids
    if request_id is not None:
        request_ids = (*request_ids, (request_id, operation))[-KEPT_REQUEST_IDS:]
    state = replace(
        state,
        phase=Phase.SWITCHING,
        generation=generation,
        request=request,
        progress_at=now,
        tries=0,
        switches=switches,
        repairs=repairs,
        blocked=None,
        request_ids=request_ids,
    )
    text = f"{group.name}: switching from {request.source} to {target} ({trigger}): {reason}"
    notices.append(notice("switch_requested", "warning", text, group, **request_fields(request)))
    return Decision(state, send=request, notices=tuple(notices), operation=operation)


def failed(group: Group, state: GroupState, now: datetime, notices: list[Notice], error: str) -> Decision:
    """End the switch as failed: where traffic goes now is not known before Azure has been read again."""
    request = state.request
    if request is None:
        return Decision(state, notices=tuple(notices))
    text = f"{group.name}: operation {request.operation} to {request.target} failed: {error}"
    notices.append(notice("switch_failed", "error", text, group, **request_fields(request)))
    state = replace(
        _close(state, request, Status.FAILED, error),
        phase=Phase.UNKNOWN,
        progress_at=None,
        tries=0,
        switches=tuple(time for time in state.switches if time != request.requested_at),
        repairs=tuple(time for time in state.repairs if time != request.requested_at),
        blocked=None,
    )
    if request.trigger is Trigger.REPAIR:
        in_a_row = state.repairs_failed_in_a_row + 1
        state = replace(state, repairs_failed_in_a_row=in_a_row, repair_at=now + _back_off(in_a_row))
    else:
        in_a_row = state.failed_in_a_row + 1
        state = replace(state, failed_in_a_row=in_a_row, retry_at=now + _back_off(in_a_row))
    return Decision(state, notices=tuple(notices))


def _back_off(in_a_row: int) -> timedelta:
    return timedelta(seconds=min(BACK_OFF_S * 2 ** min(in_a_row - 1, 10), MAX_BACK_OFF_S))


def _close(state: GroupState, request: SwitchRequest, status: Status, error: str | None = None) -> GroupState:
    closings = (*state.closings, Closing(request.operation, status, error, request))
    return replace(state, closings=closings[-KEPT_CLOSINGS:])


def recent(times: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    """Return those of the times that lie within the last hour."""
    return tuple(time for time in times if (now - time).total_seconds() < 3600.0)
