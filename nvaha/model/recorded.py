"""What is remembered: a group's state, its switches, and their operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from nvaha.model.observed import NvaState
from nvaha.model.told import Notice, Unsent

LARGEST: Final = 10**9
"""No epoch, generation or count that is ever written is larger."""
WRITTEN_EVERY_S = 10.0
"""At rest a leader writes its own record and each group's state this often, and no more."""
SIGN_EVERY_S = 9 * WRITTEN_EVERY_S
"""At rest each monitor tells its log this often that somebody leads: two with a group or two stay under a
hundred lines an hour. `no-leader.kql` takes each line to hold until the next."""
STALE_AFTER_S = 3 * WRITTEN_EVERY_S
"""What was written longer ago says nothing about now: three writes in a row are missing."""


INSTANCES_FOR_S = 3600.0
"""So long after it last wrote an instance is still spoken of; on some plans no name ever comes back."""


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
    CANARY = "canary"


class Status(StrEnum):
    """How far an operation is, or how it ended."""

    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to such an operation."""
        return self in {Status.DONE, Status.FAILED, Status.SUPERSEDED}


class StepStatus(StrEnum):
    """How far a step is, or how it ended."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """One move of a group: what the queue message points at, and what its operation record starts from.

    `finishes` tells that an earlier one to the same NVA was left half done: this one is no matter of choice.
    `traceparent` is the W3C trace context in which it was decided, if that is traced: whoever carries it out
    goes on with that trace.
    """

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
    finishes: bool = False
    traceparent: str | None = None


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
class Switch:
    """The switch under way in phase `switching`, else the last one.

    Args:
        request: what was asked for.
        progress_at: when a worker last showed itself; None before one has, and once it has ended.
        tries: how often it was put on the queue again since a worker last showed itself.
        ended: how it ended, or None.
        queued_at: when it was last put on the queue again; None once a worker has shown itself since.
    """

    request: SwitchRequest
    progress_at: datetime | None = None
    tries: int = 0
    ended: Status | None = None
    queued_at: datetime | None = None

    @property
    def claimed(self) -> bool:
        """Whether a worker has shown itself since it was last put on the queue."""
        return self.progress_at is not None and self.queued_at is None

    def silent_s(self, now: datetime) -> float:
        """Return the seconds since a worker last showed itself, or since it was asked for if none has."""
        return (now - (self.progress_at or self.request.requested_at)).total_seconds()


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds automatic switches back; nvaha.core.guards says how.

    Args:
        last_switch_at: when the last switch ended well; hold-down counts from here.
        ended_at: when anything last ended, well or not; Azure is read more often for a while.
        switches: when the automatic switches of the last hour were asked for; the flap limit counts these.
        failed_in_a_row: operations that failed since one succeeded.
        retry_at: no automatic switch starts before this, after a failed operation.
        repairs: when the repairs of the last hour were asked for; they have a limit of their own.
        repair_at: no repair starts before this, after one that was done or failed.
        repairs_failed_in_a_row: repairs that failed since one succeeded.
        failback_at: no failback starts before this, after one that could not be begun.
        put_back: when the repairs of the last hour ended that had found everything elsewhere.
    """

    last_switch_at: datetime | None = None
    ended_at: datetime | None = None
    switches: tuple[datetime, ...] = ()
    failed_in_a_row: int = 0
    retry_at: datetime | None = None
    repairs: tuple[datetime, ...] = ()
    repair_at: datetime | None = None
    repairs_failed_in_a_row: int = 0
    failback_at: datetime | None = None
    put_back: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """How Azure disagreed with the recorded active NVA when it was last read.

    Args:
        writes: one sentence for each table and public IP that a write of ours would put right.
        problems: what no write of ours can put right.
        seen: consecutive looks that found either.
        unasked: it was so when the group was first seen: nobody knows whether that was meant, so a person
            settles it.
        owners: the other NVAs that anything points at.
        whole: all that there is points at them, and nothing at the recorded active.
        contested: it was so again after repairs enough: somebody else moves the group, so it is left to a
            person.
        drift_since: when a look first found it.
    """

    writes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seen: int = 0
    unasked: bool = False
    owners: tuple[str, ...] = ()
    whole: bool = False
    contested: bool = False
    drift_since: datetime | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, in words."""
        return (*self.writes, *self.problems)


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """What is remembered of a canary's runs; when they ended is in the guards.

    Args:
        since: when a leader first had it.
        seconds: {phase: seconds from the request} of the last run that ended well.
        versions: {what: version} that the worker of that run saw.
        error: why the last run failed, or None.
        overdue_at: when it was last told that no run has ended well for too long.
    """

    since: datetime
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    overdue_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A failover that a person has asked for at a time to come.

    Args:
        target: where to.
        at: when.
        by: who asked for it.
        asked_at: when he did.
        reason: why, or empty.
        source: the NVA that has to be the active one when it begins; None if any may be.
        request_id: what makes the request's repetition harmless, or None.
    """

    target: str
    at: datetime
    by: str
    asked_at: datetime
    reason: str = ""
    source: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused a group, when, and why; `reason` may be empty."""

    by: str
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupState:
    """Everything remembered of one group; one table entity, written by compare-and-swap.

    What belongs together is one value and replaced whole, so that no way out of a phase can forget a part.

    Args:
        active: the NVA that carries traffic, as recorded.
        generation: grows with every switch.
        epoch: of the newest leader that wrote here.
        fingerprint: of the configuration that the leader has.
        paused_until: when a pause ends by itself; None if only a person ends it, and while there is none.
        scheduled: the failover that is to be begun at a time to come, or None.
        probed_at: when the NVAs were last probed, as far as that was worth a write.
        all_down: every NVA is down, and that has been reported.
        wanted: the NVA that a switch which failed was to move to: what was asked for is to be finished.
        stays: public IPs that this NVA refused once they had been taken off another: they are left there
            while that one works.
        unread: why Azure could not be read, or not all of it, at the last look, or None.
        rival: which resource bears the mark of another deployment, and what to do about it, or None.
        hold: which tag on which resource says that nothing is to be moved by itself, or None.
        unwatched_at: when a leader found that nobody had watched the group, until it has looked and probed.
        blocked: why an automatic switch that is due does not start, or why none can be, or None.
        closings: operations whose records may not have been closed yet.
        request_ids: the last few (request id, operation id) pairs of manual failovers; without an operation
            where a scheduled one was cancelled or dropped.
        untold: notices that whoever wrote this state may not have told yet.
        unsent: notices that receivers have not taken yet; empty where there are none.
        write_ids: of the last few writes, newest last, by which a writer whose answer was lost finds its own.
        rest: what another release has stored of the group and this one does not know, or None: whoever stores
            states knows what it is, and nobody else looks at it.
        canary: of a canary only, its runs.
        pause: of a group that is paused, who did so; None also where a release before this one did.
    """

    group: str
    phase: Phase = Phase.UNKNOWN
    active: str | None = None
    generation: int = 0
    epoch: int = 0
    fingerprint: str | None = None
    paused: bool = False
    nvas: Mapping[str, NvaState] = field(default_factory=dict)
    probed_at: datetime | None = None
    all_down: bool = False
    switch: Switch | None = None
    guards: Guards = field(default_factory=Guards)
    drift: Drift = field(default_factory=Drift)
    wanted: str | None = None
    stays: tuple[str, ...] = ()
    unread: str | None = None
    rival: str | None = None
    hold: str | None = None
    unwatched_at: datetime | None = None
    blocked: str | None = None
    closings: tuple[Closing, ...] = ()
    request_ids: tuple[tuple[str, str], ...] = ()
    untold: tuple[Notice, ...] = ()
    unsent: tuple[Unsent, ...] = ()
    write_ids: tuple[str, ...] = ()
    rest: object = None
    canary: CanaryRecord | None = None
    paused_until: datetime | None = None
    scheduled: Scheduled | None = None
    pause: Pause | None = None

    @property
    def request(self) -> SwitchRequest | None:
        """What the switch under way, or the last one, was asked to do."""
        return self.switch.request if self.switch else None

    @property
    def target(self) -> str | None:
        """The NVA being switched to, or None at rest."""
        return self.switch.request.target if self.switch and self.phase is Phase.SWITCHING else None

    def is_led_with(self, fingerprint: str) -> bool:
        """Tell whether a configuration of the group is the leader's, as far as one has said."""
        return self.fingerprint in (None, fingerprint)

    def under_way(self, operation: str, generation: int) -> bool:
        """Tell whether exactly this operation is what the group is being switched by."""
        mine = self.switch is not None and self.switch.request.operation == operation
        return mine and self.phase is Phase.SWITCHING and self.generation == generation


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """What the leader tells the others: who it is, and when its last round ended.

    `unattended` counts the groups whose switch no worker carries out. `standby_at` is when an instance was
    last seen that could lead in its place, and `alone` tells that its lack has been told.
    """

    instance: str
    epoch: int
    round_at: datetime
    blind: bool = False
    unattended: int = 0
    standby_at: datetime | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """What one running monitor tells of itself, whether it leads or not.

    Args:
        instance: its name.
        written_at: when it wrote this.
        app: the function app that it is a copy of: those that answer HTTP there may be other processes.
        version: its release.
        configuration: the fingerprint of its whole configuration.
        started_at: since when it runs.
        leads: whether it held the lease.
        abstains: it gave the lease up because it was blind, and does not ask for it for a while.
        campaign_at: when it last asked for the lease, or to keep it, and storage answered.
        token_at: when it was last given a token for Azure.
        queue_at: when the queue of switches last answered it; `messages`: about how many were on it.
        asked: how many NVAs or control targets it asked at its last look around.
        answered: how many of them answered.
        seen_at: when that was.
    """

    instance: str
    written_at: datetime
    app: str = ""
    version: str = ""
    configuration: str = ""
    started_at: datetime | None = None
    leads: bool = False
    abstains: bool = False
    campaign_at: datetime | None = None
    token_at: datetime | None = None
    queue_at: datetime | None = None
    messages: int | None = None
    asked: int = 0
    answered: int = 0
    seen_at: datetime | None = None


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
