"""What is remembered grows old, and a row may go back in time: the past informs, it does not rule: pure.

Nobody knows what people have done while nobody watched. So a record that is older than that is memory only:
the group is looked at as if for the first time, and what was asked for then is asked for no more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nvaha.core.decision import Decision
from nvaha.core.health import stale_after_s
from nvaha.core.inputs import (
    Elected,
    MessagePoisoned,
    OfLeader,
    Probed,
    SwitchDone,
    SwitchFailed,
    SwitchHeldUp,
    SwitchMoved,
)
from nvaha.core.lifecycle import KEPT_REQUEST_IDS, closed
from nvaha.core.notices import day_and_time, listed, notice, request_fields
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import (
    Drift,
    Group,
    GroupState,
    Health,
    Notice,
    NvaState,
    Phase,
    Status,
    Switch,
)

UNWATCHED_S = 300.0
"""A group that nobody has watched for longer is looked at anew: ten times what it takes at worst to replace a
leader, and hardly time for people to notice that nobody watches and to move much by hand (decision 0024)."""
CLOCK_S = 4.0
"""One leader's clock may go back by so much: it is good to two seconds, twice."""

Report = SwitchMoved | SwitchHeldUp | SwitchDone | SwitchFailed | MessagePoisoned


def unwatched(state: GroupState, now: datetime) -> bool:
    """Tell whether nobody has watched a group, or carried its switch out, for too long.

    A time that is as far ahead says as little about now. Of a group without any nothing is remembered.
    """
    known = _times(state)
    return bool(known) and not any(_near(time, now, UNWATCHED_S) for time in known)


RequestIds = tuple[tuple[str, str], ...]


def behind(state: GroupState, remembered: GroupState) -> bool:
    """Tell whether a row has gone back in time, by what the leader that wrote it last remembers of it.

    Epochs and generations only grow, a switch that has ended is not under way again, and rounds go on.
    """
    if state.epoch < remembered.epoch or state.generation < remembered.generation:
        return True
    if state.generation > remembered.generation or state.epoch > remembered.epoch:
        return False
    begun_anew = state.phase is Phase.SWITCHING and remembered.phase is not Phase.SWITCHING
    if remembered.probed_at is None:
        return begun_anew
    since_s = -1e9 if state.probed_at is None else (state.probed_at - remembered.probed_at).total_seconds()
    return begun_anew or since_s < -CLOCK_S


def watched_anew(
    group: Group, state: GroupState, happened: OfLeader, now: datetime
) -> tuple[GroupState, tuple[Notice, ...]]:
    """Return what a leader may rely on when something happens, and what people are told of the rest.

    A look by itself moves nothing, and is no sign that nobody looked: its age is judged at the next round.

    Args:
        group: the group as configured.
        state: its state as read.
        happened: the input, with what this leader has seen of the group before.
        now: the time by the storage service's clock.
    """
    remembered = happened.remembered
    back = remembered is not None and behind(state, remembered)
    if group.canary is not None:
        # It is switched now and then, and watched by nobody in between; but its numbers never go back.
        return (_not_before(state, remembered) if remembered is not None and back else state), ()
    if remembered is not None and back:
        why = f"what is stored of it went back in time, to {_last(state)}"
        return forgotten(group, _unprobed(_not_before(state, remembered)), now, why, remembered)
    if not isinstance(happened, Elected | Probed):
        return state, ()
    # How old a record is that nobody has ever probed, a new leader cannot tell.
    undated = isinstance(happened, Elected) and remembered is None and state.active is not None
    if unwatched(state, now) or (undated and not _times(state)):
        return forgotten(group, _unprobed(state), now, _unwatched_since(state))
    return state, ()


def forgotten(
    group: Group, state: GroupState, now: datetime, why: str, remembered: GroupState | None = None
) -> tuple[GroupState, tuple[Notice, ...]]:
    """Return the state with nothing in it that would move anything, to be looked at anew, and what is told.

    A switch goes on only where this leader remembers that very one. A pause, the guards and what was asked
    for by whom stay.
    """
    notices = []
    dropped = [f"it was {state.phase} on {state.active or 'no NVA'}"]
    goes_on = _is_under_way(state, remembered)
    for each in (state, remembered):
        request = each.request if each is not None and each.phase is Phase.SWITCHING else None
        if request is None or goes_on:
            continue
        error = f"{why}: it is not gone on with"
        text = f"{group.name}: operation {request.operation} to {request.target} failed: {error}"
        notices.append(notice("switch_failed", "error", text, group, **request_fields(request)))
        state = replace(
            closed(state, request, Status.FAILED, error), switch=Switch(request, ended=Status.FAILED)
        )
        dropped.append(f"operation {request.operation} to {request.target} ends")
    if state.wanted is not None:
        dropped.append(f"{state.wanted} is not wanted any more")
    if state.drift.sentences:
        dropped.append(f"what was off then is forgotten: {listed(state.drift.sentences, 2)}")
    text = (
        f"{group.name}: {why}, so that is memory only ({listed(dropped)}). "
        f"It is looked at as if for the first time (policy.adopt is {group.policy.adopt})"
    )
    state = replace(
        state,
        phase=Phase.SWITCHING if goes_on else Phase.UNKNOWN,
        drift=Drift(),
        wanted=None,
        stays=(),
        blocked=None,
        unwatched_at=now,
    )
    return state, (*notices, notice("unwatched", "warning", text, group))


def recounted(group: Group, state: GroupState, now: datetime) -> GroupState:
    """Return the state without counts that are too old to be counted on.

    After a short gap an NVA keeps its health and has to fail, or answer, as often as ever for another one;
    after a long one its health is unknown as well.
    """
    if state.probed_at is None or _near(state.probed_at, now, stale_after_s(group)):
        return state
    if not _near(state.probed_at, now, UNWATCHED_S):
        return _unprobed(state)
    return replace(state, nvas={name: _uncounted(nva) for name, nva in state.nvas.items()})


def too_late(group: Group, before: GroupState, report: Report, now: datetime) -> Decision | None:
    """Return what follows from a report on a switch under way that is too old to be gone on with, or None.

    Whoever is at it hears that it is over. What says that it has failed ends it, and nothing of it is wanted.
    """
    if not before.under_way(report.operation, report.generation):
        return None
    if isinstance(report, SwitchFailed) and report.outdated:
        why = f"what is stored of it went back in time: {report.error}"
    elif unwatched(before, now):
        why = _unwatched_since(before)
    else:
        return None
    if isinstance(report, SwitchFailed | MessagePoisoned):
        state, notices = forgotten(group, before, now, why)
        return Decision(state, notices=notices)
    return Decision(before, refusal=Refusal(RefusalCode.UNWATCHED, gone_by(before)))


def gone_by(state: GroupState) -> str:
    """Say why a switch under way is not carried out any more."""
    return (
        f"nobody has watched {state.group} or carried this switch out since {_last(state)}, longer than "
        f"{UNWATCHED_S:g} s: the leader looks first, and then a failover can be commanded anew"
    )


def _is_under_way(state: GroupState, remembered: GroupState | None) -> bool:
    """Tell whether the switch of a row is the one that the leader remembers to be under way."""
    if remembered is None or state.request is None or state.phase is not Phase.SWITCHING:
        return False
    return remembered.under_way(state.request.operation, state.request.generation)


def _not_before(state: GroupState, remembered: GroupState) -> GroupState:
    """Return a row that went back in time with what must not: numbers, a pause, what holds switches back."""
    return replace(
        state,
        epoch=max(state.epoch, remembered.epoch),
        generation=max(state.generation, remembered.generation),
        fingerprint=remembered.fingerprint,
        paused=state.paused or remembered.paused,
        paused_until=_longest_pause(state, remembered),
        # Else what was begun, or cancelled, would be begun.
        scheduled=remembered.scheduled,
        pause=state.pause if state.paused else remembered.pause,
        # For the addresses: routes may point where only these say whose that is.
        nvas=remembered.nvas or state.nvas,
        guards=remembered.guards,
        request_ids=_all_of(remembered.request_ids, state.request_ids)[-KEPT_REQUEST_IDS:],
    )


def _all_of(known: RequestIds, read: RequestIds) -> RequestIds:
    """Return the requests of both; what was asked for on a row of the past comes last."""
    return (*known, *(each for each in read if each not in known))


def _longest_pause(*states: GroupState) -> datetime | None:
    """Return when a group is to be resumed by itself, by all that is known of its pauses; None if never."""
    ends = [each.paused_until for each in states if each.paused]
    known = [each for each in ends if each is not None]
    return max(known) if known and len(known) == len(ends) else None


def _unprobed(state: GroupState) -> GroupState:
    """Return the state without anything that is known of its NVAs' health; their addresses stay."""
    nvas = {
        name: replace(_uncounted(nva), health=Health.UNKNOWN, since=None, latency_ms=None, last_error=None)
        for name, nva in state.nvas.items()
    }
    return replace(state, nvas=nvas, all_down=False)


def _uncounted(nva: NvaState) -> NvaState:
    return replace(nva, failures=0, confirmed=0, successes=0, recent=0, unsteady=False)


def _near(time: datetime, now: datetime, within_s: float) -> bool:
    return abs((now - time).total_seconds()) <= within_s


def _unwatched_since(state: GroupState) -> str:
    return f"nobody has watched it since {_last(state)}" if _times(state) else "nobody has watched it so far"


def _last(state: GroupState) -> str:
    known = _times(state)
    return day_and_time(max(known)) if known else "nobody knows when"


def _times(state: GroupState) -> list[datetime]:
    """Return when a group was watched, or its switch carried out, as far as that is recorded."""
    switch = state.switch
    times = [state.probed_at, state.unwatched_at, state.guards.ended_at]
    if switch is not None:
        times += [switch.progress_at, switch.queued_at, switch.request.requested_at]
    return [time for time in times if time is not None]
