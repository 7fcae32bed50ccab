"""The shapes of what operators are shown: checked where they are made, and published as the API's schema.

A key that is made and not named here does not pass the type checker, and one that is named is in
`GET /api/openapi.json`; so code and document cannot part.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

# That of `typing` itself pydantic reads only from Python 3.12 on.
from typing_extensions import TypedDict

from nvaha.model import Health, Phase, ReceiverKind, Status, StepStatus, Trigger

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""UTC, ISO 8601, with milliseconds but of an export."""


class HealthAnswer(TypedDict):
    """Whether somebody watches."""

    status: Literal["healthy", "unhealthy"]


class LeaderAnswer(TypedDict):
    """Who leads."""

    instance: str
    epoch: int
    round_at: Time | None
    fresh: bool
    blind: bool
    unattended: int
    standby_at: Time | None
    alone: bool


class InstanceAnswer(TypedDict):
    """What one instance wrote of itself."""

    name: str
    app: str
    version: str
    leads: bool
    fresh: bool
    could_lead: bool
    abstains: bool
    same_configuration: bool
    sees: bool
    asked: int
    answered: int
    started_at: Time | None
    written_at: Time | None
    campaign_at: Time | None
    token_at: Time | None
    queue_at: Time | None
    messages: int | None


class AdviceAnswer(TypedDict):
    """What is not plain good, with what to do about it; `runbook` is a place in docs/runbook.md."""

    code: str
    level: str
    text: str
    todo: str
    runbook: str


class PauseAnswer(TypedDict):
    """Who has paused a group, when and why."""

    by: str
    since: Time | None
    reason: str


class InstancesAnswer(TypedDict):
    """The instances, how many could lead in the leader's place, and what is wrong with both."""

    standbys: int
    instances: list[InstanceAnswer]
    advice: list[AdviceAnswer]


class NvaAnswer(TypedDict):
    """One NVA's health."""

    name: str
    health: Health
    since: Time | None
    failures: int
    latency_ms: float | None
    last_error: str | None
    not_ready: list[str]
    unsteady: bool
    address: str | None
    port: int


class StepAnswer(TypedDict):
    """One write to one resource."""

    kind: str
    resource_id: str
    detail: str
    status: StepStatus
    attempts: int
    started_at: Time | None
    ended_at: Time | None
    error: str | None


OperationAnswer = TypedDict(
    "OperationAnswer",
    {
        "id": str,
        "correlation_id": str,
        "group": str,
        "status": Status,
        "trigger": Trigger,
        "from": str | None,
        "to": str,
        "reason": str,
        "requested_by": str,
        "request_id": str | None,
        "forced": bool,
        "generation": int,
        "epoch": int,
        "requested_at": Time | None,
        "started_at": Time | None,
        "ended_at": Time | None,
        "seconds": float | None,
        "attempts": int,
        "worker": str | None,
        "error": str | None,
        "unfinished": list[str],
        "steps": list[StepAnswer],
    },
)
OperationAnswer.__doc__ = "The record of a switch: who asked, why, its steps, how it ended."


class CanaryAnswer(TypedDict):
    """What the canary's last run came to."""

    name: str
    active: str | None
    status: str | None
    operation: str | None
    done_at: Time | None
    age_s: int | None
    due_at: Time | None
    seconds: dict[str, float]
    versions: dict[str, str]
    error: str | None
    paused: bool
    overdue: bool
    advice: list[AdviceAnswer]


ScheduledAnswer = TypedDict(
    "ScheduledAnswer",
    {
        "from": str | None,
        "to": str,
        "at": Time | None,
        "reason": str,
        "requested_by": str,
        "requested_at": Time | None,
        "request_id": str | None,
    },
)
ScheduledAnswer.__doc__ = "A failover at a time to come."


class PublicIpAnswer(TypedDict):
    """One public IP of a group."""

    role: str
    resource_id: str


class GroupAnswer(TypedDict):
    """One group; asked for alone it has its last operation and what it is of, and the canary its runs."""

    name: str
    phase: Phase
    active: str | None
    target: str | None
    generation: int
    epoch: int
    paused: bool
    pause: PauseAnswer | None
    paused_until: Time | None
    scheduled: ScheduledAnswer | None
    automatic: bool
    all_down: bool
    wanted: str | None
    blocked: str | None
    drift: list[str]
    rival: str | None
    hold: str | None
    probed_at: Time | None
    last_switch_at: Time | None
    nvas: list[NvaAnswer]
    advice: list[AdviceAnswer]
    canary: NotRequired[CanaryAnswer]
    operation: NotRequired[OperationAnswer | None]
    route_tables: NotRequired[list[str]]
    public_ips: NotRequired[list[PublicIpAnswer]]


class GroupsAnswer(InstancesAnswer):
    """The leader, the instances, every group and the canary."""

    leader: LeaderAnswer | None
    groups: list[GroupAnswer]
    canary: CanaryAnswer | None


class PlannedAnswer(TypedDict):
    """One write that a failover would make."""

    kind: str
    resource_id: str
    detail: str
    changes: int


class PlanAnswer(TypedDict):
    """What a failover would change, and what forbids it."""

    group: str
    to: str
    allowed: bool
    forbids: str | None
    hold: str | None
    steps: list[PlannedAnswer]
    problems: list[str]
    read_at: Time | None


class CheckedAnswer(TypedDict):
    """How one NVA stands in Azure."""

    name: str
    routes: int
    public_ips: int
    off: list[str]
    not_ready: list[str]


class CheckAnswer(TypedDict):
    """How a group stands in Azure now, against its record."""

    group: str
    phase: Phase
    active: str | None
    found: str | None
    agrees: bool
    differs: list[str]
    nvas: list[CheckedAnswer]
    unanswered: list[str]
    hidden: list[str]
    rival: str | None
    hold: str | None
    read_at: Time | None


class MoveAnswer(TypedDict):
    """One thing that a person sets."""

    kind: str
    resource_id: str
    name: str
    value: str


class SheetAnswer(TypedDict):
    """All that a person sets to bring a group to one NVA."""

    to: str
    moves: list[MoveAnswer]
    problems: list[str]


class BreakGlassAnswer(TypedDict):
    """How a group is moved by hand, to each of its NVAs."""

    group: str
    read_at: Time | None
    hold: list[str]
    nvas: list[SheetAnswer]


class HistoryAnswer(TypedDict):
    """Operations, newest first, of a group or of all, and why those that are missing cannot be read."""

    group: str | None
    operations: list[OperationAnswer]
    unreadable: list[str]


class TriedAnswer(TypedDict):
    """What became of a test that one receiver was sent."""

    name: str
    type: ReceiverKind
    taken: bool
    status: int | None
    error: str | None
    seconds: float


class NotifyTestAnswer(TypedDict):
    """What every receiver that was sent a test made of it."""

    receivers: list[TriedAnswer]


class FindingAnswer(TypedDict):
    """One thing that was examined: how it stands, and what to do about it."""

    area: str
    level: str
    code: str
    subject: str
    text: str
    remedy: str


class DoctorAnswer(TypedDict):
    """What an examination of the app found, from where it runs."""

    read_at: Time
    instance: str
    version: str
    worst: str
    findings: list[FindingAnswer]


class ExportAnswer(TypedDict):
    """All states as they are stored; what is in one is its release's own."""

    schema: int
    exported_at: Time
    epoch: int
    groups: dict[str, dict[str, Any]]
    unreadable: dict[str, str]


class AdoptedAnswer(TypedDict):
    """The group as it begins."""

    group: str
    active: str | None
    generation: int
    epoch: int
    paused: bool
