"""What holds automatic switches back: hold-down, flap limit, back-off, an operator's pause: pure.

A repair waits for whatever a failover waits for, and for the repairs before it; a failover never waits for
repairs. Whatever happens to a switch leads to new guards as a whole, here and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from nvaha.core.notices import clock_time, contested, paused_sentence
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import Group, GroupState, Guards, Phase, Policy, SwitchRequest, Trigger

BACK_OFF_S, MAX_BACK_OFF_S = 15.0, 300.0
FLAP_WINDOW_S = 3600.0
MOST_PUT_BACK = 2
"""So often within an hour is a group brought back from where somebody has moved all of it; then it is his."""


def forbidden(group: Group, state: GroupState, now: datetime, trigger: Trigger) -> Refusal | None:
    """Return why no automatic switch of this group may start now, or None.

    Between two NVAs, in a switch or after one that failed, hold-down says nothing.
    """
    policy, guards = group.policy, state.guards
    if not policy.automatic:
        return Refusal(RefusalCode.AUTOMATIC_OFF, "automatic switches are off (policy.automatic)")
    if (stop := not_again_yet(state, now)) is not None:
        return stop
    between = state.phase is Phase.SWITCHING or state.wanted is not None
    if guards.last_switch_at is not None and not between:
        until = guards.last_switch_at + timedelta(seconds=policy.hold_down_s)
        if now < until:
            text = f"hold-down after the last switch, until {clock_time(until)}"
            return Refusal(RefusalCode.HOLD_DOWN, text)
    most = policy.max_switches_per_hour
    if len(_recent(guards.switches, now)) >= most:
        text = f"flap limit: {most} automatic switches within an hour; {_next(guards.switches, most)}"
        return Refusal(RefusalCode.FLAP_LIMIT, text)
    if trigger is Trigger.FAILBACK and guards.failback_at is not None and now < guards.failback_at:
        text = (
            f"the last failback could not be begun; not tried again before {clock_time(guards.failback_at)}"
        )
        return Refusal(RefusalCode.BACK_OFF, text)
    if state.drift.contested and trigger in {Trigger.REPAIR, Trigger.FAILBACK}:
        return Refusal(RefusalCode.RIVAL, contested(state.active, state.drift))
    if trigger is not Trigger.REPAIR:
        return None
    if guards.repair_at is not None and now < guards.repair_at:
        text = f"the last repair was just now; no other one before {clock_time(guards.repair_at)}"
        return Refusal(RefusalCode.BACK_OFF, text)
    if len(_recent(guards.repairs, now)) >= most:
        text = f"flap limit: {most} repairs within an hour; {_next(guards.repairs, most)}"
        return Refusal(RefusalCode.FLAP_LIMIT, text)
    return None


def not_again_yet(state: GroupState, now: datetime) -> Refusal | None:
    """Return why not even what an operator asked for is tried again by itself now, or None."""
    retry_at = state.guards.retry_at
    if state.paused:
        return Refusal(RefusalCode.PAUSED, paused_sentence(state))
    if state.rival is not None:
        return Refusal(RefusalCode.RIVAL, state.rival)
    if state.hold is not None:
        return Refusal(RefusalCode.HELD, state.hold)
    if retry_at is not None and now < retry_at:
        text = f"the last switch failed; not tried again before {clock_time(retry_at)}"
        return Refusal(RefusalCode.BACK_OFF, text)
    return None


def after_request(guards: Guards, trigger: Trigger, now: datetime) -> Guards:
    """Return the guards once a switch was asked for; an operator's does not count."""
    switches, repairs = _recent(guards.switches, now), _recent(guards.repairs, now)
    if trigger is Trigger.REPAIR:
        repairs = (*repairs, now)
    elif trigger is not Trigger.MANUAL:
        switches = (*switches, now)
    return replace(guards, switches=switches, repairs=repairs)


def after_success(guards: Guards, policy: Policy, now: datetime, *, moved: bool) -> Guards:
    """Return the guards once a switch has ended well; one that left the group where it was is a repair."""
    forgiven = replace(guards, failed_in_a_row=0, repairs_failed_in_a_row=0, retry_at=None, ended_at=now)
    if not moved:
        return replace(forgiven, repair_at=now + timedelta(seconds=policy.hold_down_s))
    return replace(forgiven, last_switch_at=now)


def after_put_back(guards: Guards, now: datetime) -> Guards:
    """Return the guards once a repair has brought back a group that was all elsewhere."""
    return replace(guards, put_back=(*_recent(guards.put_back, now), now))


def is_contested(guards: Guards, now: datetime) -> bool:
    """Tell whether a group that is all elsewhere again has been brought back often enough."""
    return len(_recent(guards.put_back, now)) >= MOST_PUT_BACK


def after_failure(guards: Guards, request: SwitchRequest, now: datetime) -> Guards:
    """Return the guards once a switch has failed: it waits longer each time, and is no flap."""
    guards = _without(guards, request, now)
    if request.trigger is Trigger.REPAIR:
        in_a_row = guards.repairs_failed_in_a_row + 1
        return replace(guards, repairs_failed_in_a_row=in_a_row, repair_at=now + _back_off(in_a_row))
    in_a_row = guards.failed_in_a_row + 1
    return replace(guards, failed_in_a_row=in_a_row, retry_at=now + _back_off(in_a_row))


def after_not_begun(guards: Guards, request: SwitchRequest, now: datetime) -> Guards:
    """Return the guards once a planned move was found to end badly: it must not hold a failover up."""
    guards = _without(guards, request, now)
    if request.trigger is not Trigger.FAILBACK:
        return guards
    return replace(guards, failback_at=now + timedelta(seconds=MAX_BACK_OFF_S))


def _without(guards: Guards, request: SwitchRequest, now: datetime) -> Guards:
    asked_at = request.requested_at
    return replace(
        guards,
        switches=tuple(time for time in guards.switches if time != asked_at),
        repairs=tuple(time for time in guards.repairs if time != asked_at),
        ended_at=now,
    )


def _back_off(in_a_row: int) -> timedelta:
    return timedelta(seconds=min(BACK_OFF_S * 2 ** min(in_a_row - 1, 10), MAX_BACK_OFF_S))


def _recent(times: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    return tuple(time for time in times if (now - time).total_seconds() < FLAP_WINDOW_S)


def _next(times: tuple[datetime, ...], most: int) -> str:
    frees = sorted(times)[-most] + timedelta(seconds=FLAP_WINDOW_S)
    return f"the next may start at {clock_time(frees)}"
