"""What happens next to a group: pure; values in, values out.

`decide(group, state, input, now)` is the only place where a switch comes to be. An operator's command and a
dead NVA go through it alike, and whoever calls it writes the new state by compare-and-swap before acting on
the rest of the decision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nvaha.core.health import advance, fallen, healthy, same_for_the_reader
from nvaha.core.inputs import (
    Elected,
    FailoverCommanded,
    Input,
    NetworkRead,
    NetworkUnread,
    PauseCommanded,
    Probed,
    SwitchDone,
    SwitchFailed,
    SwitchMoved,
)
from nvaha.core.lifecycle import (
    Decision,
    again,
    begin,
    candidate,
    consider_switching,
    forbidden,
    reported,
    stalled,
)
from nvaha.core.notices import Refusal, all_down_notice, clock_time, condition, health_notices, notice
from nvaha.model import Group, GroupState, Health, Notice, NvaState, Phase, Trigger

HEARTBEAT_S = 10.0
"""At rest a group's state is written this often, and no more."""
STALE_S = 30.0
"""Health older than this says nothing about now: three heartbeats."""


def decide(group: Group, state: GroupState, happened: Input, now: datetime) -> Decision:
    """Return what follows for a group from something that happened.

    Args:
        group: the group as configured.
        state: its state as read; the caller writes the new one against the same version.
        happened: the input.
        now: the time by the storage service's clock.
    """
    leads = isinstance(happened, Elected | Probed | NetworkRead | NetworkUnread)
    alike = state.fingerprint in (None, group.fingerprint)
    before = fit(group, state) if leads or alike else state
    match happened:
        case Elected() | Probed() | NetworkRead() | NetworkUnread() if before.epoch > happened.epoch:
            text = f"{group.name}: epoch {happened.epoch} is deposed by epoch {before.epoch}"
            return Decision(before, refusal=Refusal(409, "deposed", text))
        case FailoverCommanded() if not alike:
            text = f"{group.name}: this instance has another configuration of it than the leader"
            remedy = "deploy the same one everywhere, or restart the app"
            return Decision(before, refusal=Refusal(409, "other_configuration", f"{text}; {remedy}"))
        case Elected():
            return Decision(replace(before, epoch=happened.epoch, fingerprint=group.fingerprint))
        case Probed():
            decision = _probed(group, before, happened, now)
            late = before.heartbeat_at is None or (now - before.heartbeat_at).total_seconds() >= HEARTBEAT_S
            if late or worth_writing(group, before, decision.state):
                return replace(decision, state=replace(decision.state, heartbeat_at=now))
            return decision
        case NetworkUnread():
            return _network_unread(group, before, happened)
        case NetworkRead():
            return _network_read(group, before, happened)
        case FailoverCommanded():
            return _commanded(group, before, happened, now)
        case PauseCommanded():
            return _paused(group, before, happened)
        case SwitchMoved() | SwitchDone() | SwitchFailed():
            return reported(group, before, happened, now)


def fit(group: Group, state: GroupState) -> GroupState:
    """Return the state as the present configuration allows it: an NVA no longer configured is forgotten."""
    nvas = {name: state.nvas.get(name, NvaState()) for name in group.names}
    fitted = state if nvas == state.nvas else replace(state, nvas=nvas)
    if fitted.phase is Phase.STEADY and fitted.active not in nvas:
        return replace(fitted, phase=Phase.UNKNOWN, active=None, drift=(), problems=(), drift_seen=0)
    return fitted


def worth_writing(group: Group, old: GroupState, new: GroupState) -> bool:
    """Tell whether a state says something new, beyond what can wait for the next heartbeat."""
    if set(old.nvas) != set(new.nvas):
        return True
    for name, nva in new.nvas.items():
        if name not in group.names:
            continue
        if not same_for_the_reader(old.nvas[name], nva, group.nva(name).probe):
            return True
    return replace(old, nvas={}) != replace(new, nvas={})


def refuses(group: Group, state: GroupState, command: FailoverCommanded, now: datetime) -> Refusal | None:
    """Return why a commanded failover is not possible now, or None."""
    if command.to not in group.names:
        known = ", ".join(group.names)
        return Refusal(400, "unknown_nva", f"{group.name} has no NVA {command.to!r}; it has {known}")
    overrides = command.force and stalled(state, now)
    if state.phase is Phase.SWITCHING and state.request is not None and not overrides:
        text = (
            f"{group.name} is being switched to {state.request.target} (operation {state.request.operation})"
        )
        return Refusal(409, "switching", text)
    if command.force:
        return None
    if state.active == command.to and state.phase is Phase.STEADY and not state.drift:
        return Refusal(412, "already_active", f"{command.to} is already the active NVA of {group.name}")
    if state.heartbeat_at is None or (now - state.heartbeat_at).total_seconds() > STALE_S:
        seen = "never" if state.heartbeat_at is None else f"last at {clock_time(state.heartbeat_at)}"
        text = f"the health of {command.to} is not known: no leader has probed {group.name} lately ({seen})"
        return Refusal(412, "stale", f"{text}; force overrides this")
    if not healthy(state.nvas[command.to]):
        text = f"{command.to} is not up: {condition(state.nvas[command.to])}; force overrides this"
        return Refusal(412, "not_up", text)
    return None


def _probed(group: Group, before: GroupState, happened: Probed, now: datetime) -> Decision:
    nvas: dict[str, NvaState] = dict(before.nvas)
    for name, reading in happened.readings.items():
        if name in nvas:
            nvas[name] = advance(nvas[name], reading, group.nva(name).probe, now, blind=happened.blind)
    notices = list(health_notices(group, before.active, before.nvas, nvas))
    down = bool(nvas) and all(nva.health is Health.DOWN for nva in nvas.values())
    if down != before.all_down:
        notices.append(all_down_notice(group, nvas, down=down))
    state = replace(before, nvas=nvas, epoch=happened.epoch, all_down=down)
    return _consider(group, state, now, notices, blind=happened.blind)


def _network_read(group: Group, before: GroupState, happened: NetworkRead) -> Decision:
    """Take in what Azure says; what follows from it follows at the next reading.

    A leader that has not read the NVAs itself yet knows only what an older one knew, perhaps long ago.
    """
    if happened.standing not in (None, (before.phase, before.generation)):
        return Decision(before)
    survey = happened.survey
    nvas = dict(before.nvas)
    for name, addresses in survey.addresses.items():
        if name in nvas and addresses:
            merged = {**nvas[name].addresses, **addresses}
            primary = {**nvas[name].primary, **survey.primary.get(name, {})}
            nvas[name] = replace(nvas[name], addresses=merged, primary=primary)
    state = replace(before, nvas=nvas, epoch=happened.epoch)
    if state.phase is Phase.SWITCHING:
        return Decision(state)
    if state.phase is Phase.UNKNOWN:
        return _discovered(group, state, happened)
    active = state.active or ""
    off, problems = survey.off.get(active, ()), survey.problems.get(active, ())
    if not off and not problems:
        return Decision(replace(state, drift=(), problems=(), drift_seen=0))
    seen = state.drift_seen + 1
    state = replace(state, drift=off, problems=problems, drift_seen=seen)
    notices = []
    if seen == 2:
        said = "; ".join((*off, *problems))
        text = f"{group.name}: Azure disagrees with the recorded active {state.active}: {said}"
        notices.append(notice("drift_found", "warning", text, group, nva=state.active))
    return Decision(state, notices=tuple(notices))


def _network_unread(group: Group, before: GroupState, happened: NetworkUnread) -> Decision:
    """Say that Azure cannot be read, before a failover needs it; nothing is decided on what is not known."""
    text = f"Azure could not be read: {happened.error}"
    state = replace(before, epoch=happened.epoch, problems=(text,))
    if before.problems and before.problems[0].startswith("Azure could not be read"):
        # The reasons may differ from look to look; one is enough to write and to tell.
        return Decision(before)
    notices = (notice("discovery_failed", "error", f"{group.name}: {text}", group),)
    return Decision(state, notices=notices)


def _discovered(group: Group, state: GroupState, happened: NetworkRead) -> Decision:
    """Take the NVA that most points at for the active one; the rest is drift, seen often enough to act on.

    When nothing points at any NVA, as after a crash between detach and attach, the recorded active stands.
    """
    survey = happened.survey
    owner = survey.owner() or state.active
    if owner is None:
        each = dict.fromkeys(problem for problems in survey.problems.values() for problem in problems)
        why = "; ".join(each) or "no route and no public IP points at any of its NVAs"
        text = f"{group.name}: the active NVA cannot be told: {why}. A commanded failover settles it"
        if state.blocked == text:
            return Decision(state)
        return Decision(
            replace(state, blocked=text), notices=(notice("discovery_failed", "error", text, group),)
        )
    off, problems = survey.off.get(owner, ()), survey.problems.get(owner, ())
    said = "; ".join((*off, *problems))
    text = f"{group.name}: {owner} is the active NVA" + (f", but: {said}" if said else "")
    notices = [notice("discovered", "warning" if said else "info", text, group, nva=owner)]
    state = replace(
        state,
        phase=Phase.STEADY,
        active=owner,
        drift=off,
        problems=problems,
        drift_seen=2 if said else 0,
        blocked=None,
    )
    return Decision(state, notices=tuple(notices))


def _consider(
    group: Group, state: GroupState, now: datetime, notices: list[Notice], *, blind: bool
) -> Decision:
    if state.phase is Phase.SWITCHING:
        return consider_switching(group, state, now, notices, blind=blind)
    if state.phase is Phase.UNKNOWN or state.active is None:
        return Decision(state, notices=tuple(notices))
    due = _due(group, state, now, blind=blind)
    if due is None:
        return Decision(replace(state, blocked=None), notices=tuple(notices))
    trigger, target, reason = due
    stop: str | None = None
    if blind:
        stop = "the monitor is blind: none of its probes is answered, so none of them is believed"
    elif target is None:
        stop = "no other NVA is up"
    else:
        stop = forbidden(group, state, now, trigger)
    if stop is not None or target is None:
        if stop != state.blocked:
            text = f"{group.name}: {reason}, but nothing is switched: {stop}"
            notices.append(notice("switch_refused", "error", text, group, nva=state.active, reason=stop))
        return Decision(replace(state, blocked=stop), notices=tuple(notices))
    return begin(group, state, now, notices, trigger=trigger, target=target, reason=reason, by="nvaha")


def _due(
    group: Group, state: GroupState, now: datetime, *, blind: bool
) -> tuple[Trigger, str | None, str] | None:
    """Return the automatic switch that is called for, if any, with its reason; its target may be missing.

    A blind monitor's reading calls for one as well: it will not be followed, and that is worth saying.
    """
    policy, active = group.policy, state.active or ""
    nva = state.nvas[active]
    if fallen(nva, group.nva(active).probe) or (blind and nva.health is Health.DOWN):
        return Trigger.FAILOVER, candidate(group, state, active), f"{active} is down: {condition(nva)}"
    repairable = state.drift_seen >= 2 and policy.drift == "repair" and healthy(nva)
    if repairable and state.drift:
        return Trigger.REPAIR, active, "; ".join(state.drift)
    preferred = group.names[0]
    if policy.failback == "automatic" and active != preferred and healthy(state.nvas[preferred]):
        since = state.nvas[preferred].since
        last = state.last_switch_at
        # An operator who has just moved the group away meant it: that time counts too.
        stable = all(
            time is not None and (now - time).total_seconds() >= policy.failback_after_s
            for time in (since, last or since)
        )
        if stable and healthy(nva):
            return Trigger.FAILBACK, preferred, f"{preferred} is preferred and has been up long enough"
    return None


def _commanded(group: Group, before: GroupState, command: FailoverCommanded, now: datetime) -> Decision:
    for request_id, operation in before.request_ids:
        if command.request_id is not None and request_id == command.request_id:
            return again(group, before, operation, now)
    refusal = refuses(group, before, command, now)
    if refusal is not None:
        return Decision(before, refusal=refusal)
    reason = command.reason or f"commanded by {command.by}"
    return begin(
        group,
        before,
        now,
        [],
        trigger=Trigger.MANUAL,
        target=command.to,
        reason=reason,
        by=command.by,
        forced=command.force,
        request_id=command.request_id,
    )


def _paused(group: Group, before: GroupState, command: PauseCommanded) -> Decision:
    if before.paused == command.paused:
        return Decision(before)
    why = f" ({command.reason})" if command.reason else ""
    word = "paused" if command.paused else "resumed"
    text = f"{group.name} was {word} by {command.by}{why}"
    state = replace(before, paused=command.paused)
    return Decision(state, notices=(notice(word, "warning", text, group),))
