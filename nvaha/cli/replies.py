"""What the app answers, checked: the shapes of nvaha.operate.views as a client may rely on them.

An app newer than this command may say more, which is ignored; what is said must make sense. Every text is
made safe for a terminal on the way in.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from nvaha.model import Status
from nvaha.text import safe

Text = Annotated[str, AfterValidator(safe)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]


class Reply(BaseModel):
    """Something the app said."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Complaint(Reply):
    """One thing that is wrong, and where."""

    path: Text = ""
    message: Text = ""


def _usable(details: object) -> object:
    """Return the details that have the usual shape; the sentence beside them must not be lost over others."""
    if not isinstance(details, list):
        return ()
    return [
        each for each in details if isinstance(each, dict) and all(isinstance(v, str) for v in each.values())
    ]


class ErrorBody(Reply):
    """Why the app did not do it."""

    code: Text
    message: Text
    details: Annotated[tuple[Complaint, ...], BeforeValidator(_usable)] = ()


class TriedReply(Reply):
    """What became of a test that one receiver was sent."""

    name: Text
    type: Text
    taken: bool
    status: Count | None = None
    error: Text | None = None
    seconds: Figure


class NotifyTestReply(Reply):
    """What every receiver made of its test."""

    receivers: tuple[TriedReply, ...]


class ErrorReply(Reply):
    """Any answer that is not 2xx."""

    error: ErrorBody


class AdviceReply(Reply):
    """One thing that is not plain good, and what to do about it."""

    code: Text
    level: Text = "error"
    text: Text
    todo: Text
    runbook: Text = ""


class NvaReply(Reply):
    """One NVA of a group."""

    name: Text
    health: Text
    since: AwareDatetime | None = None
    failures: Count = 0
    latency_ms: Figure | None = None
    last_error: Text | None = None
    not_ready: tuple[Text, ...] = ()
    unsteady: bool = False
    address: Text | None = None
    port: Count | None = None


class ExportReply(Reply):
    """All states of a storage account."""

    schema_: Count = Field(alias="schema")
    exported_at: AwareDatetime
    epoch: Count
    groups: dict[str, dict[str, object]]
    unreadable: dict[str, Text] = {}


class AdoptedReply(Reply):
    """What was taken over of one group."""

    group: Text
    active: Text | None = None
    generation: Count
    paused: bool


class MoveReply(Reply):
    """One thing to set by hand."""

    kind: Text
    resource_id: Text
    name: Text
    value: Text


class SheetReply(Reply):
    """How a group is brought to one NVA by hand."""

    to: Text
    moves: tuple[MoveReply, ...] = ()
    problems: tuple[Text, ...] = ()


class BreakGlassReply(Reply):
    """How a group is brought to each of its NVAs by hand."""

    group: Text
    read_at: AwareDatetime
    hold: tuple[Text, ...] = ()
    nvas: tuple[SheetReply, ...] = ()


class StepReply(Reply):
    """One step of an operation, or of a plan, where it has no status yet."""

    kind: Text
    resource_id: Text
    detail: Text
    status: Text = "planned"
    attempts: Count = 0
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    error: Text | None = None


class OperationReply(Reply):
    """One operation."""

    id: Text
    correlation_id: Text = ""
    group: Text
    status: Text
    to: Text
    source: Text | None = Field(default=None, alias="from")
    trigger: Text = ""
    reason: Text = ""
    requested_by: Text = ""
    request_id: Text | None = None
    forced: bool = False
    requested_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    seconds: Figure | None = None
    error: Text | None = None
    unfinished: tuple[Text, ...] = ()
    steps: tuple[StepReply, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in [each for each in Status if each.ended]

    @property
    def why(self) -> str:
        """The reason, unless it only repeats who asked."""
        return "" if self.reason == f"commanded by {self.requested_by}" else self.reason


class CanaryReply(Reply):
    """What the canary's last run came to."""

    name: Text
    status: Text | None = None
    done_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    seconds: dict[Text, Figure] = {}
    versions: dict[Text, Text] = {}
    error: Text | None = None
    paused: bool = False
    overdue: bool = False
    advice: tuple[AdviceReply, ...] = ()


class ScheduledReply(Reply):
    """A failover at a time to come."""

    source: Text | None = Field(default=None, alias="from")
    to: Text
    at: AwareDatetime
    reason: Text = ""
    requested_by: Text = ""


class GroupReply(Reply):
    """One group; `operation` only where one group was asked for, `canary` only of the canary."""

    name: Text
    phase: Text
    active: Text | None = None
    target: Text | None = None
    paused: bool = False
    paused_until: AwareDatetime | None = None
    scheduled: ScheduledReply | None = None
    automatic: bool = True
    all_down: bool = False
    wanted: Text | None = None
    blocked: Text | None = None
    drift: tuple[Text, ...] = ()
    rival: Text | None = None
    hold: Text | None = None
    probed_at: AwareDatetime | None = None
    last_switch_at: AwareDatetime | None = None
    nvas: tuple[NvaReply, ...]
    advice: tuple[AdviceReply, ...] | None = None
    operation: OperationReply | None = None
    canary: CanaryReply | None = None


class LeaderReply(Reply):
    """Who leads."""

    instance: Text
    epoch: Count
    round_at: AwareDatetime
    fresh: bool
    blind: bool = False
    alone: bool = False


class InstanceReply(Reply):
    """One copy of the monitor."""

    name: Text
    version: Text = ""
    leads: bool = False
    fresh: bool = False
    could_lead: bool = False
    abstains: bool = False
    same_configuration: bool = True
    asked: Count = 0
    answered: Count = 0
    written_at: AwareDatetime | None = None


class GroupsReply(Reply):
    """The leader, the instances, every group, and the canary if there is one."""

    leader: LeaderReply | None
    instances: tuple[InstanceReply, ...] = ()
    advice: tuple[AdviceReply, ...] = ()
    groups: tuple[GroupReply, ...]
    canary: CanaryReply | None = None


class PlanReply(Reply):
    """What a failover would change, and what forbids it."""

    group: Text
    to: Text
    allowed: bool
    forbids: Text | None = None
    hold: Text | None = None
    steps: tuple[StepReply, ...]
    problems: tuple[Text, ...] = ()


class StandingReply(Reply):
    """What Azure has on one NVA."""

    name: Text
    routes: Count = 0
    public_ips: Count = 0
    off: tuple[Text, ...] = ()
    not_ready: tuple[Text, ...] = ()


class CheckReply(Reply):
    """How a group stands in Azure, against its record."""

    group: Text
    phase: Text = ""
    active: Text | None = None
    agrees: bool
    differs: tuple[Text, ...] = ()
    nvas: tuple[StandingReply, ...] = ()
    unanswered: tuple[Text, ...] = ()
    hidden: tuple[Text, ...] = ()
    rival: Text | None = None
    hold: Text | None = None


class HistoryReply(Reply):
    """A group's operations, or those of all groups, newest first."""

    group: Text | None = None
    operations: tuple[OperationReply, ...]
    unreadable: tuple[Text, ...] = ()


class FindingReply(Reply):
    """One thing that was examined, and what to do about it."""

    area: Text
    level: Text
    code: Text = ""
    subject: Text = ""
    text: Text
    remedy: Text = ""


class DoctorReply(Reply):
    """What an examination found."""

    read_at: AwareDatetime
    instance: Text = ""
    version: Text = ""
    worst: Text = "error"
    findings: tuple[FindingReply, ...]
