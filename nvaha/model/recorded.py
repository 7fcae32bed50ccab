"""What is remembered: a group's state, its switches, and their operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from nvaha.model.observed import NvaState


class Phase(StrEnum):
    """Where a group stands: not read from Azure yet, at rest, or being switched."""

    UNKNOWN = "unknown"
    STEADY = "steady"
    SWITCHING = "switching"


class Trigger(StrEnum):
    """Why a switch was asked for."""

    FAILOVER = "failover"
    MANUAL = "manual"
    REPAIR = "repair"
    FAILBACK = "failback"


class Status(StrEnum):
    """How far an operation is, or how it ended."""

    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


FINAL = frozenset({Status.DONE, Status.FAILED, Status.SUPERSEDED})


class StepStatus(StrEnum):
    """How far a step is, or how it ended."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """One move of a group: what the queue message points at, and what its operation record starts from."""

    operation: str
    group: str
    generation: int
    epoch: int
    trigger: Trigger
    target: str
    reason: str
    requested_at: datetime
    requested_by: str
    source: str | None = None
    forced: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """An operation that ended by a decision, so that its record can be closed even after a crash.

    `request` is what the record is made from if its maker died before there was one.
    """

    operation: str
    status: Status
    error: str | None = None
    request: SwitchRequest | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """Everything remembered of one group; one table entity, written by compare-and-swap.

    Args:
        request: the switch under way in phase `switching`, else the last one.
        progress_at: when the switch under way last moved.
        tries: how often the switch under way was put on the queue again.
        last_switch_at: when the last switch ended; hold-down counts from here.
        switches: when the automatic switches of the last hour were asked for; the flap limit counts these.
        failed_in_a_row: operations that failed since one succeeded.
        retry_at: no automatic switch starts before this, after a failed operation.
        all_down: every NVA is down, and that has been reported.
        drift: one sentence for each write that it would have taken, at the last look, to agree with `active`.
        drift_seen: consecutive looks that found drift or problems.
        problems: what disagrees with `active` and no write of ours can put right.
        closings: operations whose records may not have been closed yet.
        blocked: why an automatic switch that is due does not start, or None.
        request_ids: the last few (request id, operation id) pairs of manual failovers.
        repairs: when the repairs of the last hour were asked for; they have a limit of their own.
        repair_at: no repair starts before this, after one that was done or failed.
        repairs_failed_in_a_row: repairs that failed since one succeeded.
        fingerprint: of the configuration that the leader has.
    """

    group: str
    phase: Phase = Phase.UNKNOWN
    active: str | None = None
    generation: int = 0
    epoch: int = 0
    paused: bool = False
    nvas: Mapping[str, NvaState] = field(default_factory=dict)
    request: SwitchRequest | None = None
    progress_at: datetime | None = None
    tries: int = 0
    last_switch_at: datetime | None = None
    switches: tuple[datetime, ...] = ()
    failed_in_a_row: int = 0
    retry_at: datetime | None = None
    all_down: bool = False
    drift: tuple[str, ...] = ()
    drift_seen: int = 0
    problems: tuple[str, ...] = ()
    blocked: str | None = None
    closings: tuple[Closing, ...] = ()
    request_ids: tuple[tuple[str, str], ...] = ()
    heartbeat_at: datetime | None = None
    repairs: tuple[datetime, ...] = ()
    repair_at: datetime | None = None
    repairs_failed_in_a_row: int = 0
    fingerprint: str | None = None

    @property
    def target(self) -> str | None:
        """The NVA being switched to, or None at rest."""
        return self.request.target if self.request and self.phase is Phase.SWITCHING else None


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """What the leader tells the others: who it is, and when its last round ended."""

    instance: str
    epoch: int
    round_at: datetime
    blind: bool = False
    blind_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step as history keeps it."""

    key: str
    kind: str
    resource_id: str
    detail: str
    status: StepStatus = StepStatus.PLANNED
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """The record of a switch: who asked, why, its steps, how it ended.

    `unfinished` says, one sentence each, what the switch left undone.
    """

    request: SwitchRequest
    status: Status = Status.REQUESTED
    worker: str | None = None
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    error: str | None = None
    unfinished: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The operation's id, unique over all groups."""
        return self.request.operation
