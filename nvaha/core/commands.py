"""What follows from an operator's command: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nvaha.core.decision import Decision
from nvaha.core.health import healthy, lately_probed
from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.core.lifecycle import begin, repeated, stalled
from nvaha.core.notices import LONGEST_SENTENCE, clock_time, condition, notice, paused_sentence
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import Group, GroupState, Pause, Phase, Trigger
from nvaha.text import one_line, shortened


def commanded(group: Group, before: GroupState, command: FailoverCommanded, now: datetime) -> Decision:
    """Return what follows from a commanded failover; one with a known request id starts nothing new."""
    command = replace(command, to=group.named(command.to) or command.to)
    for request_id, operation in before.request_ids:
        if command.request_id is not None and request_id == command.request_id:
            return repeated(group, before, operation, now)
    refusal = refuses(group, before, command, now)
    if refusal is not None:
        return Decision(before, refusal=refusal)
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
    """Return why a commanded failover is not possible now, or None."""
    command = replace(command, to=group.named(command.to) or command.to)
    if command.to not in group.names:
        known = ", ".join(group.names)
        text = f"{group.name} has no NVA {command.to!r}; it has {known}"
        return Refusal(RefusalCode.UNKNOWN_NVA, text)
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


def paused(group: Group, before: GroupState, command: PauseCommanded, now: datetime) -> Decision:
    """Return what follows from a pause or its end; the same again changes nothing."""
    if before.paused == command.paused:
        return Decision(before)
    why = f" ({command.reason})" if command.reason else ""
    word = "paused" if command.paused else "resumed"
    text = f"{group.name} was {word} by {command.by}{why}"
    reason = shortened(one_line(command.reason), LONGEST_SENTENCE)
    pause = Pause(command.by, now, reason) if command.paused else None
    # What waits says why anew at the next round; until then it must not say what is over.
    waited = not command.paused and (before.blocked or "").startswith(paused_sentence(before))
    state = replace(before, paused=command.paused, pause=pause, blocked=None if waited else before.blocked)
    return Decision(state, notices=(notice(word, "warning", text, group),))
