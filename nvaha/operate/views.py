"""What operators are shown, as JSON-ready values: HTTP and the CLI print these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from nvaha.core import conditions
from nvaha.core.advice import Advice
from nvaha.core.by_hand import ByHand
from nvaha.core.canary_runs import due_at, is_overdue
from nvaha.core.decide import as_configured
from nvaha.core.discovery import unread_sentence
from nvaha.core.inputs import Survey, Tagged
from nvaha.core.instances import could_lead, lately, sees
from nvaha.core.marks import rival_of
from nvaha.core.plan import Plan
from nvaha.model import (
    Group,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Operation,
    Phase,
    Scheduled,
    StepRecord,
)
from nvaha.ports import correlation_id

if TYPE_CHECKING:
    from nvaha.operate.answers import (
        AdviceAnswer,
        BreakGlassAnswer,
        CanaryAnswer,
        CheckAnswer,
        GroupAnswer,
        InstanceAnswer,
        InstancesAnswer,
        LeaderAnswer,
        NvaAnswer,
        OperationAnswer,
        PauseAnswer,
        PlanAnswer,
        ScheduledAnswer,
        StepAnswer,
    )


def group_view(
    group: Group, state: GroupState, leader: LeaderRecord | None, now: datetime, unreadable: str | None = None
) -> GroupAnswer:
    """Return one group as `GET /groups/{group}` answers it, without its last operation.

    Args:
        group: the group as configured.
        state: as stored.
        leader: what the leader says of itself, or None if nothing is known of one.
        now: the time by the storage service's clock.
        unreadable: why the state cannot be read, if it cannot.
    """
    state = as_configured(group, state)
    if group.canary is not None:
        advice = conditions.of_canary(group, state, now)
    else:
        advice = conditions.of_group(group, state, leader, now, unreadable)
    unread = [unread_sentence(state.unread)] if state.unread is not None else []
    return {
        "name": group.name,
        "phase": state.phase,
        "active": state.active,
        "target": state.target,
        "generation": state.generation,
        "epoch": state.epoch,
        "paused": state.paused,
        "pause": _pause_view(state),
        "paused_until": _time(state.paused_until) if state.paused else None,
        "scheduled": _scheduled_view(state.scheduled),
        "automatic": group.policy.automatic,
        "all_down": state.all_down,
        "wanted": None if state.phase is Phase.SWITCHING else state.wanted,
        "blocked": state.blocked,
        "drift": [*state.drift.sentences, *unread],
        "rival": rival_of(state),
        "hold": state.hold,
        "probed_at": _time(state.probed_at),
        "last_switch_at": _time(state.guards.last_switch_at),
        "nvas": [_nva_view(group, state, name) for name in group.names],
        "advice": advice_view(advice),
    }


def advice_view(advice: Iterable[Advice]) -> list[AdviceAnswer]:
    """Return what is not plain good, each with what to do about it; the worst first."""
    return [
        {
            "code": each.code,
            "level": each.level,
            "text": each.text,
            "todo": each.todo,
            "runbook": each.runbook,
        }
        for each in advice
    ]


def _pause_view(state: GroupState) -> PauseAnswer | None:
    pause = state.pause
    if pause is None or not state.paused:
        return None
    return {"by": pause.by, "since": _time(pause.since), "reason": pause.reason}


def _scheduled_view(scheduled: Scheduled | None) -> ScheduledAnswer | None:
    if scheduled is None:
        return None
    return {
        "from": scheduled.source,
        "to": scheduled.target,
        "at": _time(scheduled.at),
        "reason": scheduled.reason,
        "requested_by": scheduled.by,
        "requested_at": _time(scheduled.asked_at),
        "request_id": scheduled.request_id,
    }


def check_view(
    group: Group, state: GroupState, found: Survey, tagged: Tagged, read_at: datetime
) -> CheckAnswer:
    """Return how a group stands in Azure, as `GET /groups/{group}/check` answers it.

    `state` is as the configuration allows it.
    """
    active, known = state.active, not (found.unanswered or found.hidden)
    differs = (*found.off[active], *found.problems.get(active, ())) if active else ()
    return {
        "group": group.name,
        "phase": state.phase,
        "active": active,
        "found": found.owner(),
        "agrees": known and active is not None and not differs,
        "differs": list(dict.fromkeys(differs)),
        "nvas": [
            {
                "name": name,
                "routes": found.routes.get(name, 0),
                "public_ips": found.public_ips.get(name, 0),
                "off": list(found.off.get(name, ())),
                "not_ready": list(found.unready.get(name, ())),
            }
            for name in group.names
        ],
        "unanswered": list(found.unanswered),
        "hidden": list(found.hidden),
        "rival": tagged.rival,
        "hold": tagged.hold,
        "read_at": _time(read_at),
    }


def canary_view(canary: Group, state: GroupState, now: datetime) -> CanaryAnswer:
    """Return what the canary's last run came to, and how long it is since one ended well."""
    state, record = as_configured(canary, state), state.canary
    done_at, ended = state.guards.last_switch_at, state.switch.ended if state.switch else None
    running = state.phase is Phase.SWITCHING
    return {
        "name": canary.name,
        "active": state.active,
        "status": "running" if running else str(ended) if ended else None,
        "operation": state.request.operation if state.request else None,
        "done_at": _time(done_at),
        "age_s": None if done_at is None else round((now - done_at).total_seconds()),
        "due_at": None if running else _time(due_at(canary, state, now)),
        "seconds": dict(record.seconds) if record else {},
        "versions": dict(record.versions) if record else {},
        "error": state.blocked or (record.error if record else None),
        "paused": state.paused,
        "overdue": is_overdue(canary, state, now),
        "advice": advice_view(conditions.of_canary(canary, state, now)),
    }


def _nva_view(group: Group, state: GroupState, name: str) -> NvaAnswer:
    nva, spec = state.nvas[name], group.nva(name).probe
    role = spec.interface or ""
    return {
        "name": name,
        "health": nva.health,
        "since": _time(nva.since),
        "failures": nva.failures,
        "latency_ms": None if nva.latency_ms is None else round(nva.latency_ms, 1),
        "last_error": nva.last_error,
        "not_ready": list(nva.unready),
        "unsteady": nva.unsteady,
        "address": spec.address or nva.addresses.get(role, {}).get(nva.primary.get(role, "")),
        "port": spec.port,
    }


def leader_view(leader: LeaderRecord | None, now: datetime) -> LeaderAnswer | None:
    """Return who leads, and whether its last round is recent enough to say so."""
    if leader is None:
        return None
    return {
        "instance": leader.instance,
        "epoch": leader.epoch,
        "round_at": _time(leader.round_at),
        "fresh": conditions.leads(leader, now),
        "blind": leader.blind,
        "unattended": leader.unattended,
        "standby_at": _time(leader.standby_at),
        "alone": leader.alone,
    }


def instances_view(
    rows: Iterable[InstanceRecord], leader: LeaderRecord | None, configuration: str, now: datetime
) -> InstancesAnswer:
    """Return the instances, how many of them could lead in the leader's place, and what is wrong with both.

    Args:
        rows: what they say of themselves.
        leader: what the leader says of itself, or None if nothing is known of one.
        configuration: the fingerprint to compare with, if the leader does not show its own.
        now: the time by the storage service's clock.
    """
    shown = sorted(rows, key=lambda each: each.instance)
    leading = leader.instance if leader else None
    meant = next((each.configuration for each in shown if each.instance == leading), configuration)
    others = (each for each in shown if each.instance != leading)
    return {
        "standbys": sum(could_lead(each, meant, now) for each in others),
        "instances": [_instance_view(each, leading, meant, now) for each in shown],
        "advice": advice_view(conditions.of_monitors(leader, shown, meant, now)),
    }


def _instance_view(
    record: InstanceRecord, leading: str | None, configuration: str, now: datetime
) -> InstanceAnswer:
    return {
        "name": record.instance,
        "app": record.app,
        "version": record.version,
        "leads": record.instance == leading,
        "fresh": lately(record.written_at, now),
        "could_lead": could_lead(record, configuration, now),
        "abstains": record.abstains,
        "same_configuration": record.configuration == configuration,
        "sees": sees(record, now),
        "asked": record.asked,
        "answered": record.answered,
        "started_at": _time(record.started_at),
        "written_at": _time(record.written_at),
        "campaign_at": _time(record.campaign_at),
        "token_at": _time(record.token_at),
        "queue_at": _time(record.queue_at),
        "messages": record.messages,
    }


def operation_view(operation: Operation) -> OperationAnswer:
    """Return one operation as `GET /operations/{id}` answers it."""
    request = operation.request
    started, ended = request.requested_at, operation.ended_at
    return {
        "id": operation.id,
        "correlation_id": correlation_id(operation.id),
        "group": request.group,
        "status": operation.status,
        "trigger": request.trigger,
        "from": request.source,
        "to": request.target,
        "reason": request.reason,
        "requested_by": request.requested_by,
        "request_id": request.request_id,
        "forced": request.forced,
        "generation": request.generation,
        "epoch": request.epoch,
        "requested_at": _time(request.requested_at),
        "started_at": _time(operation.started_at),
        "ended_at": _time(ended),
        "seconds": None if ended is None else round((ended - started).total_seconds(), 3),
        "attempts": operation.attempts,
        "worker": operation.worker,
        "error": operation.error,
        "unfinished": list(operation.unfinished),
        "steps": [_step_view(step) for step in operation.steps],
    }


def _step_view(step: StepRecord) -> StepAnswer:
    return {
        "kind": step.kind,
        "resource_id": step.resource_id,
        "detail": step.detail,
        "status": step.status,
        "attempts": step.attempts,
        "started_at": _time(step.started_at),
        "ended_at": _time(step.ended_at),
        "error": step.error,
    }


def plan_view(
    group: Group, todo: Plan, forbids: str | None, read_at: datetime, hold: str | None = None
) -> PlanAnswer:
    """Return what a failover would change, as `GET /groups/{group}/plan` answers it."""
    return {
        "group": group.name,
        "to": todo.target,
        "allowed": forbids is None,
        "forbids": forbids,
        "hold": hold,
        "steps": [
            {
                "kind": step.kind,
                "resource_id": step.resource_id,
                "detail": step.detail,
                "changes": len(step.next_hops) + sum(each is not None for each in step.public_ips.values()),
            }
            for step in todo.steps
        ],
        "problems": list(todo.problems),
        "read_at": _time(read_at),
    }


def break_glass_view(group: Group, sheets: Sequence[ByHand], read_at: datetime) -> BreakGlassAnswer:
    """Return how a group is moved by hand, as `GET /groups/{group}/break-glass` answers it."""
    return {
        "group": group.name,
        "read_at": _time(read_at),
        "hold": [*group.route_tables, *(each.id for each in group.public_ips)],
        "nvas": [
            {
                "to": sheet.to,
                "moves": [
                    {
                        "kind": each.kind,
                        "resource_id": each.resource_id,
                        "name": each.name,
                        "value": each.value,
                    }
                    for each in sheet.moves
                ],
                "problems": list(sheet.problems),
            }
            for sheet in sheets
        ],
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
