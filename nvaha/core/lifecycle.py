"""How a switch begins, goes on and ends: pure; `nvaha.core.decide` says when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from nvaha.core.decision import Decision
from nvaha.core.guards import (
    after_failure,
    after_not_begun,
    after_put_back,
    after_request,
    after_success,
    forbidden,
    not_again_yet,
)
from nvaha.core.health import fallen, healthy
from nvaha.core.inputs import MessagePoisoned, SwitchDone, SwitchFailed, SwitchHeldUp, SwitchMoved
from nvaha.core.marks import told, with_tags
from nvaha.core.notices import (
    BLIND,
    LONGEST_SENTENCE,
    TAIL,
    condition,
    listed,
    notice,
    request_fields,
    took_fields,
    took_s,
)
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import (
    Closing,
    Drift,
    Group,
    GroupState,
    Health,
    Notice,
    Nva,
    Phase,
    ProbeSpec,
    Status,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.text import last_part, shortened

NO_PROGRESS_S = 15.0
"""Without progress for this long a switch is queued again: a crashed host hides its message for ten minutes
(azure-facts A2), and a switch lease has run out by then."""
UNCLAIMED_S = 4.0
"""What no worker takes up is queued again this soon: there is no lease that would have to run out first, and
the message may be hidden, lost, deleted, or behind many others. One more message does no harm."""
TOLD_TRIES = 3
"""Asked for again so often without a sign of a worker, a switch needs a person."""
UNATTENDED_S = 30.0
"""Without a worker for this long a switch makes the app unhealthy: twice what a worker's death takes."""
ABANDONED_S = 165.0
"""So long after the last sign of a worker a switch is given up where the group is configured."""
KEPT_REQUEST_IDS = KEPT_CLOSINGS = 10

_ENDS_AS = {SwitchDone: Status.DONE, SwitchFailed: Status.FAILED, MessagePoisoned: Status.FAILED}
_POISONED = "its message failed every time it was delivered (poison queue)"
_REMEDY = (
    "see that the functions switch and poison run (is one disabled, does the app start?), "
    "and that nobody else takes messages off the queue nvaha-switch"
)
_UNCLAIMED = f"no worker takes the switch up: {_REMEDY}"


def stalled(state: GroupState, now: datetime) -> bool:
    """Tell whether a switch is under way that nobody seems to carry out."""
    if state.phase is not Phase.SWITCHING or state.switch is None:
        return False
    return state.switch.silent_s(now) >= NO_PROGRESS_S


def unattended(state: GroupState, now: datetime) -> bool:
    """Tell whether a switch is under way for which no worker has been there for too long."""
    return stalled(state, now) and state.switch is not None and state.switch.silent_s(now) >= UNATTENDED_S


def held_up(state: GroupState) -> bool:
    """Tell whether a switch is under way that waits for somebody who does not carry it out."""
    return state.phase is Phase.SWITCHING and state.blocked not in (None, _UNCLAIMED)


def attended(switch: Switch, now: datetime) -> bool:
    """Tell whether a worker has shown itself just now, so that it need not be asked for again."""
    return switch.claimed and switch.silent_s(now) < NO_PROGRESS_S


def candidate(group: Group, state: GroupState, leaving: str | None) -> str | None:
    """Return the healthy NVA to move to, or None.

    `select: order` takes the first in the configured order, `cycle` the next around the circle after the
    one being left. One that is known not to be ready is taken only if no other is up.
    """
    names = list(group.names)
    if group.policy.select == "cycle" and leaving in names:
        start = names.index(leaving) + 1
        names = names[start:] + names[:start]
    up = [name for name in names if name != leaving and healthy(state.nvas[name])]
    return next((name for name in up if not state.nvas[name].unready), next(iter(up), None))


def begin(
    group: Group,
    state: GroupState,
    now: datetime,
    *,
    trigger: Trigger,
    target: str,
    reason: str,
    by: str,
    forced: bool = False,
    request_id: str | None = None,
    stays: tuple[str, ...] = (),
) -> Decision:
    """Start a switch: a new generation, which the caller writes before it sends the request.

    One that is still under way gives way to it. What `stays` was refused by this target before; whoever
    commands the move again says that this is mended.
    """
    notices = []
    if state.phase is Phase.SWITCHING and state.request is not None:
        old = state.request
        text = f"{group.name}: operation {old.operation} to {old.target} gives way: {reason}"
        notices.append(notice("switch_superseded", "warning", text, group, **request_fields(old)))
        # It may be half done: should the new one not be begun, that is what is still to be finished.
        state = replace(closed(state, old, Status.SUPERSEDED, f"superseded: {reason}"), wanted=old.target)
    generation = state.generation + 1
    operation = f"{group.name}-{generation}-{int(now.timestamp() * 1000)}"
    reason = shortened(reason, 2 * LONGEST_SENTENCE, tail=TAIL)
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
        finishes=state.wanted == target,
    )
    request_ids = state.request_ids
    if request_id is not None:
        request_ids = (*request_ids, (request_id, operation))[-KEPT_REQUEST_IDS:]
    state = replace(
        state,
        phase=Phase.SWITCHING,
        generation=generation,
        fingerprint=state.fingerprint or group.fingerprint,
        switch=Switch(request),
        guards=after_request(state.guards, trigger, now),
        stays=stays,
        blocked=None,
        request_ids=request_ids,
    )
    source = f"from {request.source} " if request.source else ""
    text = f"{group.name}: switching {source}to {target} ({trigger}): {reason}"
    notices.append(notice("switch_requested", "warning", text, group, **request_fields(request)))
    return Decision(state, send=request, notices=tuple(notices), operation=operation)


def go_on(group: Group, state: GroupState, now: datetime, *, blind: bool) -> Decision:
    """Return what follows while a switch is under way: wait, ask again, move elsewhere, or give up."""
    if state.switch is None:
        return Decision(replace(state, phase=Phase.UNKNOWN))
    request = state.switch.request
    if request.target not in state.nvas:
        return _failed(group, state, request, now, f"{request.target} is not configured any more")
    target = state.nvas[request.target]
    other = candidate(group, state, request.target)
    may = not blind and not request.forced and forbidden(group, state, now, Trigger.FAILOVER) is None
    if may and other is not None and fallen(target, group.nva(request.target).probe):
        text = f"{request.target} went down while {group.name} was being switched to it: {condition(target)}"
        return begin(group, state, now, trigger=Trigger.FAILOVER, target=other, reason=text, by="nvaha")
    if (now - request.requested_at).total_seconds() > group.policy.deadline_s:
        error = _because(f"not done within {group.policy.deadline_s:g} s", state)
        return _failed(group, state, request, now, error)
    return _ask_again(group, state, state.switch, now)


def handed_over(group: Group, state: GroupState, known: Iterable[str]) -> tuple[Notice, ...]:
    """Return what says that a switch goes on with another configuration than it was begun with.

    `known` are the NVAs of the configuration before.

    It stays the same operation, so that its record, its deadline and what it has begun are not lost. The
    leader's stamp keeps off who works with another configuration.
    """
    if state.phase is not Phase.SWITCHING or state.request is None or state.is_led_with(group.fingerprint):
        return ()
    request = state.request
    text = f"{group.name}: the configuration has changed while operation {request.operation} was under way, "
    text += "which goes on with the new one. What only the old one named stays as it is: see its steps"
    if gone := [name for name in known if group.named(name) is None]:
        text += f". What still points at {listed(gone)} is not moved"
    return (notice("switch_reconfigured", "warning", text, group, **request_fields(request)),)


def abandoned(state: GroupState, now: datetime) -> SwitchFailed | None:
    """Return the end of the switch under way of a group that the leader has not configured, or None.

    A worker that has it configured goes on, and shows that every few seconds. Once there was no such sign
    for as long as a leader would have asked again, nobody goes on, and nobody asks.
    """
    if state.phase is not Phase.SWITCHING or state.switch is None:
        return None
    moved_at = state.switch.progress_at or state.switch.request.requested_at
    if (now - moved_at).total_seconds() < ABANDONED_S:
        return None
    error = f"the leader has no group {state.group} configured, and no worker went on for {ABANDONED_S:g} s"
    return SwitchFailed(state.generation, state.switch.request.operation, error)


def as_remembered(state: GroupState) -> Group:
    """Return a group that is not configured any more, as far as its state remembers it."""
    return Group(state.group, tuple(Nva(name, {}, ProbeSpec()) for name in state.nvas))


def repeated(group: Group, state: GroupState, operation: str, now: datetime) -> Decision:
    """Answer a repeated command with the operation it led to; one that nobody carries out is queued again."""
    switch = state.switch
    if state.phase is not Phase.SWITCHING or switch is None or switch.request.operation != operation:
        return Decision(state, operation=operation)
    return replace(_ask_again(group, state, switch, now), operation=operation)


def reported(
    group: Group,
    before: GroupState,
    report: SwitchMoved | SwitchHeldUp | SwitchDone | SwitchFailed | MessagePoisoned,
    now: datetime,
) -> Decision:
    """Return what follows from a worker's report; one on another switch than this changes nothing.

    Whoever reports an end again, because storage did not answer the first time, is not told that it is stale.
    A message that failed ends only what nobody carries out: it may be a copy of one that another works off.
    """
    switch = before.switch
    if switch is not None and switch.request.operation == report.operation:
        ends_as = _ENDS_AS.get(type(report))
        if ends_as is not None and switch.ended is ends_as:
            return Decision(before)
    if switch is None or not before.under_way(report.operation, report.generation):
        text = f"{group.name}: generation {report.generation} ({report.operation}) is not under way"
        return Decision(before, refusal=Refusal(RefusalCode.NOT_UNDER_WAY, text))
    if not before.is_led_with(group.fingerprint):
        # It speaks of other tables and public IPs than the leader's: not even its failure is one of these.
        text = f"{group.name}: the leader has another configuration of it than whoever reports this"
        return Decision(before, refusal=Refusal(RefusalCode.OTHER_CONFIGURATION, text))
    match report:
        case SwitchMoved():
            return Decision(replace(before, switch=Switch(switch.request, progress_at=now), blocked=None))
        case SwitchHeldUp():
            return _held_up(group, before, switch, report, now)
        case MessagePoisoned() if not stalled(before, now):
            text = f"{group.name}: operation {report.operation} goes on: "
            text += f"it was asked for, or a worker was at it, less than {NO_PROGRESS_S:g} s ago"
            return Decision(before, refusal=Refusal(RefusalCode.ATTENDED, text))
        case MessagePoisoned():
            return _failed(group, before, switch.request, now, _POISONED)
        case SwitchFailed():
            stays = tuple(dict.fromkeys((*before.stays, *report.stays)))
            state = with_tags(replace(before, stays=stays), report.tagged, whole=False)
            failed = _failed(group, state, switch.request, now, report.error, begun=report.begun)
            return told(group, before, failed)
        case SwitchDone():
            return told(group, before, _done(group, before, report, switch.request, now))


def _held_up(
    group: Group, state: GroupState, switch: Switch, report: SwitchHeldUp, now: datetime
) -> Decision:
    """Say once why a switch waits, unless it moves: then a worker holds its lease and carries it out.

    One that is let go has no worker any more, so the leader asks for another as soon as for the first.
    """
    why = report.why
    if report.let_go:
        state = replace(state, switch=replace(switch, queued_at=now))
    elif attended(switch, now):
        return Decision(state)
    if state.blocked not in (None, _UNCLAIMED):
        return Decision(state)
    text = f"{group.name}: operation {switch.request.operation} waits: {why}"
    fields = request_fields(switch.request)
    said = notice("switch_held_up", "error", text, group, **fields, reason=why)
    return Decision(replace(state, blocked=why), notices=(said,))


def _because(error: str, state: GroupState) -> str:
    return error if state.blocked is None else f"{error}: {state.blocked}"


def _ask_again(group: Group, state: GroupState, switch: Switch, now: datetime) -> Decision:
    """Queue a switch again that nobody carries out, or has taken up; its deadline bounds how often."""
    request, tries = switch.request, switch.tries + 1
    asked_at = switch.queued_at or switch.progress_at or request.requested_at
    if (now - asked_at).total_seconds() < (NO_PROGRESS_S if switch.claimed else UNCLAIMED_S):
        return Decision(state)
    silence = f"no worker has shown itself for operation {request.operation} for {switch.silent_s(now):.0f} s"
    # A worker that has said why it waits was there: that there is none is not what people should look into.
    waits = held_up(state)
    if waits:
        silence = f"operation {request.operation} still waits"
    fields = request_fields(request)
    notices = [
        notice("switch_requeued", "warning", f"{group.name}: {silence}; queued again", group, **fields)
    ]
    if tries == TOLD_TRIES and not waits:
        text = f"{group.name}: {silence}, though it was queued again {tries} times: {_REMEDY}"
        notices.append(notice("switch_unclaimed", "error", text, group, **fields))
    state = replace(
        state,
        switch=replace(switch, queued_at=now, tries=tries),
        blocked=state.blocked or (_UNCLAIMED if tries >= TOLD_TRIES else None),
    )
    return Decision(state, send=request, notices=tuple(notices))


def _done(
    group: Group, state: GroupState, report: SwitchDone, request: SwitchRequest, now: datetime
) -> Decision:
    took = took_s(request, report, now)
    text = f"{group.name}: {request.target} is active ({request.trigger}, {took['done']:.1f} s)"
    fields = request_fields(request)
    notices = [notice("switch_done", "info", text, group, **fields, **took_fields(took))]
    # What finds, or brings, everything where it was recorded already is no move: hold-down is not for that.
    moved = request.source != request.target or state.wanted not in {None, request.target}
    guards = after_success(state.guards, group.policy, now, moved=moved)
    if request.trigger is Trigger.REPAIR:
        notices.append(notice("drift_repaired", "info", text, group, **fields))
        guards = after_put_back(guards, now) if state.drift.whole else guards
    state = replace(
        closed(state, request, Status.DONE),
        phase=Phase.STEADY,
        active=request.target,
        switch=Switch(request, ended=Status.DONE),
        guards=guards,
        drift=Drift(),
        wanted=None,
        stays=(),
        # One that was forced has ended with every mark taken over and read back: nobody need look again.
        rival=None if request.forced else state.rival,
        unread=None,
        unwatched_at=None,
        blocked=None,
    )
    return Decision(state, notices=tuple(notices))


def finish(group: Group, state: GroupState, target: str, now: datetime, *, blind: bool) -> Decision:
    """Return what follows when a switch has failed half-way: what was asked for is asked for again.

    Only a target that fell, a newer command, or nobody up changes where to.
    """
    request = state.request
    if request is None or target not in state.nvas:
        return Decision(replace(state, wanted=None, blocked=None))
    nva, trigger = state.nvas[target], request.trigger
    to: str | None = target
    asked = f"({request.operation})" if request.target == target else f"(asked before {request.operation})"
    reason = f"{target} was asked for and not everything is there {asked}"
    active = state.active if state.active in state.nvas else None
    dead = active is not None and fallen(state.nvas[active], group.nva(active).probe)
    nobody_there = nva.health is Health.UNKNOWN and dead
    if fallen(nva, group.nva(target).probe) or nobody_there:
        to, trigger = candidate(group, state, target), Trigger.FAILOVER
        reason = f"{target} went down before everything was there: {condition(nva)}"
    # The back-off is that of moves to the NVA that fell: moving elsewhere does not wait for it.
    waits = state if to == target else replace(state, guards=replace(state.guards, retry_at=None))
    stop = _not_finished_now(group, waits, to, trigger, now, blind=blind)
    if stop is None and to is not None:
        forced = request.forced and to == target
        stays = state.stays if to == target and trigger is not Trigger.FAILOVER else ()
        return begin(
            group,
            state,
            now,
            trigger=trigger,
            target=to,
            reason=reason,
            by="nvaha",
            forced=forced,
            stays=stays,
        )
    why = _why(state, target, stop)
    decision = Decision(replace(state, blocked=why))
    if why == state.blocked:
        return decision
    text = f"{group.name}: {reason}, but nothing is switched: {why}"
    return decision.told_after(notice("switch_refused", "error", text, group, nva=target, reason=why))


def _why(state: GroupState, target: str, stop: Refusal | None) -> str | None:
    """Return why nothing is asked for now, and what no asking of nvaha's own will move."""
    if stop is None or not state.stays:
        return stop.message if stop else None
    stays = f"{listed([last_part(each) for each in state.stays])} stays where it works"
    return f"{stop.message}. {stays}: {target} refused it; mend that, then command the failover again"


def _not_finished_now(
    group: Group, state: GroupState, to: str | None, trigger: Trigger, now: datetime, *, blind: bool
) -> Refusal | None:
    if blind:
        return Refusal(RefusalCode.BLIND, BLIND)
    by_hand = trigger is Trigger.MANUAL
    stop = not_again_yet(state, now) if by_hand else forbidden(group, state, now, trigger)
    # Asked for first: it changes less often than who is up, and each change is told.
    if stop is not None:
        return stop
    if to is None:
        return Refusal(RefusalCode.NO_CANDIDATE, "no other NVA is up")
    if not healthy(state.nvas[to]):
        return Refusal(RefusalCode.NOT_UP, f"{to} is not up")
    return None


def _failed(
    group: Group,
    state: GroupState,
    request: SwitchRequest,
    now: datetime,
    error: str,
    *,
    begun: bool = True,
) -> Decision:
    """End the switch as failed.

    A repair that failed leaves the record as it was: who is active is not in doubt. So does a move that was
    not begun, and what had been asked for before stays asked for. After any other it is not known where
    traffic goes, but it is known what was asked for.
    """
    error = shortened(error, 4 * LONGEST_SENTENCE, tail=TAIL)
    text = f"{group.name}: operation {request.operation} to {request.target} failed: {error}"
    said = notice("switch_failed", "error", text, group, **request_fields(request))
    keeps_record = request.trigger is Trigger.REPAIR or not begun
    wanted = state.wanted if keeps_record else request.target
    known = state.unwatched_at is None and state.active in group.names
    at_rest = keeps_record and wanted is None and known
    state = replace(
        closed(state, request, Status.FAILED, error),
        phase=Phase.STEADY if at_rest else Phase.UNKNOWN,
        switch=Switch(request, ended=Status.FAILED),
        guards=(after_failure if begun else after_not_begun)(state.guards, request, now),
        wanted=wanted if wanted in group.names else None,
        blocked=None,
    )
    return Decision(state, notices=(said,))


def closed(state: GroupState, request: SwitchRequest, status: Status, error: str | None = None) -> GroupState:
    """Return the state with the record of an operation to be closed."""
    closings = (*state.closings, Closing(request.operation, status, error, request))
    return replace(state, closings=closings[-KEPT_CLOSINGS:])
