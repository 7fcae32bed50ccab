"""What happens next to a group: pure; values in, values out.

`decide(group, state, input, now)` is the only place where a switch comes to be. An operator's command and a
dead NVA go through it alike, and whoever calls it writes the new state by compare-and-swap before acting on
the rest of the decision.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter

from nvaha.core import age, canary_runs, commands, discovery, timed
from nvaha.core.decision import Decision
from nvaha.core.guards import forbidden
from nvaha.core.health import advance, fallen, healthy, same_for_the_reader
from nvaha.core.inputs import (
    CanaryWatched,
    CancelCommanded,
    Elected,
    FailoverCommanded,
    Input,
    MessagePoisoned,
    NetworkRead,
    NetworkUnread,
    OfLeader,
    PauseCommanded,
    Probed,
    SwitchDone,
    SwitchFailed,
    SwitchHeldUp,
    SwitchMoved,
)
from nvaha.core.lifecycle import begin, candidate, finish, go_on, handed_over, reported
from nvaha.core.marks import told
from nvaha.core.notices import BLIND, all_down_notice, condition, health_notices, listed, notice
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import WRITTEN_EVERY_S, Drift, Group, GroupState, Health, NvaState, Phase, Trigger

_beside_the_nvas = attrgetter(
    *(each.name for each in fields(GroupState) if each.compare and each.name != "nvas")
)


def decide(group: Group, state: GroupState, happened: Input, now: datetime) -> Decision:
    """Return what follows for a group from something that happened.

    Args:
        group: the group as configured.
        state: its state as read; the caller writes the new one against the same version.
        happened: the input.
        now: the time by the storage service's clock.
    """
    by_leader = isinstance(happened, OfLeader)
    same_configuration = state.is_led_with(group.fingerprint)
    before = as_configured(group, state) if by_leader or same_configuration else state
    if isinstance(happened, FailoverCommanded) and not same_configuration:
        text = f"{group.name}: this instance has another configuration of it than the leader"
        remedy = "deploy the same one everywhere, or restart the app"
        return Decision(before, refusal=Refusal(RefusalCode.OTHER_CONFIGURATION, f"{text}; {remedy}"))
    if not isinstance(happened, OfLeader):
        return _follows(group, before, happened, now)
    if before.epoch > happened.epoch:
        text = f"{group.name}: epoch {happened.epoch} is deposed by epoch {before.epoch}"
        return Decision(before, refusal=Refusal(RefusalCode.DEPOSED, text))
    before, said = age.watched_anew(group, before, happened, now)
    if isinstance(happened, Elected):
        said = (*said, *handed_over(group, before, state.nvas))
    if isinstance(happened, Probed | CanaryWatched):
        before, over = timed.ended(group, before, now)
        said = (*said, *over)
    return _follows(group, before, happened, now).told_after(*said)


def _follows(group: Group, before: GroupState, happened: Input, now: datetime) -> Decision:
    """Return what follows from an input that is to be followed."""
    match happened:
        case Elected():
            return Decision(replace(before, epoch=happened.epoch, fingerprint=group.fingerprint))
        case Probed():
            return _probed(group, before, happened, now)
        case NetworkUnread():
            return discovery.unread(group, before, happened)
        case NetworkRead():
            decision = told(group, before, discovery.read(group, before, happened, now))
        case CanaryWatched():
            decision = canary_runs.watched(group, before, happened, now)
        case FailoverCommanded():
            decision = commands.commanded(group, before, happened, now)
        case PauseCommanded():
            return commands.paused(group, before, happened, now)
        case CancelCommanded():
            return commands.cancelled(group, before, happened)
        case SwitchMoved() | SwitchHeldUp() | SwitchDone() | SwitchFailed() | MessagePoisoned():
            # Who has another configuration than the leader ends nothing, however late it is.
            led = before.is_led_with(group.fingerprint)
            late = age.too_late(group, before, happened, now) if led else None
            decision = late or reported(group, before, happened, now)
    return decision if group.canary is None else canary_runs.concluded(group, before, happened, decision, now)


def as_configured(group: Group, state: GroupState) -> GroupState:
    """Return the state as the present configuration allows it: an NVA no longer configured is forgotten."""
    known = {name.casefold(): nva for name, nva in state.nvas.items()}
    nvas = {name: known.get(name.casefold(), NvaState()) for name in group.names}
    fitting = state if nvas == state.nvas else replace(state, nvas=nvas)
    if fitting.active is not None and (active := group.named(fitting.active)) is not None:
        fitting = fitting if active == fitting.active else replace(fitting, active=active)
    if fitting.wanted is not None and fitting.wanted not in nvas:
        fitting = replace(fitting, wanted=group.named(fitting.wanted))
    if fitting.phase is Phase.STEADY and fitting.active not in nvas:
        return replace(fitting, phase=Phase.UNKNOWN, active=None, drift=Drift())
    return fitting


def worth_writing(group: Group, old: GroupState, new: GroupState) -> bool:
    """Tell whether a state says something new, beyond what can wait until it is written anyway."""
    if set(old.nvas) != set(new.nvas):
        return True
    for name, nva in new.nvas.items():
        if name not in group.names:
            continue
        if not same_for_the_reader(old.nvas[name], nva, group.nva(name).probe):
            return True
    return bool(_beside_the_nvas(old) != _beside_the_nvas(new))


def _probed(group: Group, before: GroupState, happened: Probed, now: datetime) -> Decision:
    before = age.recounted(group, before, now)
    nvas: dict[str, NvaState] = dict(before.nvas)
    for name, reading in happened.readings.items():
        if name in nvas:
            nvas[name] = advance(
                nvas[name],
                reading,
                group.nva(name).probe,
                now,
                blind=happened.blind,
                unsteady_is_down=group.policy.unsteady == "down",
            )
    notices = list(health_notices(group, before.active, before.nvas, nvas))
    down = bool(nvas) and all(nva.health is Health.DOWN for nva in nvas.values())
    if down != before.all_down:
        notices.append(all_down_notice(group, nvas, down=down))
    # Looked at and probed anew: what is recorded is about now.
    unwatched_at = None if before.phase is Phase.STEADY else before.unwatched_at
    state = replace(before, nvas=nvas, epoch=happened.epoch, all_down=down, unwatched_at=unwatched_at)
    decision = timed.begun(group, state, now)
    if decision.send is None:
        considered = _consider(group, decision.state, now, blind=happened.blind)
        decision = considered.told_after(*decision.notices)
    decision = decision.told_after(*notices)
    since_s = (now - before.probed_at).total_seconds() if before.probed_at else WRITTEN_EVERY_S
    if not 0 <= since_s < WRITTEN_EVERY_S or worth_writing(group, before, decision.state):
        return replace(decision, state=replace(decision.state, probed_at=now))
    return decision


def _consider(group: Group, state: GroupState, now: datetime, *, blind: bool) -> Decision:
    if state.phase is Phase.SWITCHING:
        return go_on(group, state, now, blind=blind)
    if state.wanted is not None:
        return finish(group, state, state.wanted, now, blind=blind)
    if state.phase is Phase.UNKNOWN or state.active is None:
        return Decision(state)
    due = _due(group, state, state.active, now, blind=blind)
    if due is None:
        return Decision(replace(state, blocked=None))
    trigger, target, reason = due
    stop = _stop(group, state, now, trigger, target, blind=blind)
    if stop is None and target is not None:
        return begin(group, state, now, trigger=trigger, target=target, reason=reason, by="nvaha")
    why = stop.message if stop else None
    decision = Decision(replace(state, blocked=why))
    if why == state.blocked:
        return decision
    text = f"{group.name}: {reason}, but nothing is switched: {why}"
    return decision.told_after(notice("switch_refused", "error", text, group, nva=state.active, reason=why))


def _stop(
    group: Group, state: GroupState, now: datetime, trigger: Trigger, target: str | None, *, blind: bool
) -> Refusal | None:
    """Return why an automatic switch that is due does not start, or None."""
    if blind:
        return Refusal(RefusalCode.BLIND, BLIND)
    stop = forbidden(group, state, now, trigger)
    # Asked for first: it changes less often than who is up, and each change is told.
    if stop is None and target is None:
        return Refusal(RefusalCode.NO_CANDIDATE, "no other NVA is up")
    return stop


def _due(
    group: Group, state: GroupState, active: str, now: datetime, *, blind: bool
) -> tuple[Trigger, str | None, str] | None:
    """Return the automatic switch that is called for, if any, with its reason; its target may be missing.

    A blind monitor's reading calls for one as well: it will not be followed, and that is worth saying.
    """
    policy, nva = group.policy, state.nvas[active]
    if fallen(nva, group.nva(active).probe) or (blind and nva.health is Health.DOWN):
        return Trigger.FAILOVER, candidate(group, state, active), f"{active} is down: {condition(nva)}"
    drift = state.drift
    # What nobody asked to be moved is moved off an NVA that is dead all the same.
    dead = any(fallen(state.nvas[each], group.nva(each).probe) for each in drift.owners if each in state.nvas)
    confirmed = drift.seen >= discovery.CONFIRMED and (dead or not drift.unasked)
    if confirmed and drift.writes and policy.drift == "repair" and healthy(nva):
        return Trigger.REPAIR, active, listed(drift.writes)
    if policy.failback == "automatic" and not drift.unasked and _failback_due(group, state, active, now):
        preferred = group.names[0]
        return Trigger.FAILBACK, preferred, f"{preferred} is preferred and has been up long enough"
    return None


def _failback_due(group: Group, state: GroupState, active: str, now: datetime) -> bool:
    preferred = group.names[0]
    if active == preferred or not healthy(state.nvas[preferred]) or not healthy(state.nvas[active]):
        return False
    if state.nvas[preferred].unready:
        # It would not be begun: what is missing there has been told, and ends by a look.
        return False
    since, last = state.nvas[preferred].since, state.guards.last_switch_at
    # An operator who has just moved the group away meant it: that time counts too.
    return all(
        time is not None and (now - time).total_seconds() >= group.policy.failback_after_s
        for time in (since, last or since)
    )
