"""The values that flow from a probe to a switch: frozen, without behaviour that needs I/O or a clock.

Times are timezone-aware UTC datetimes of the storage service's clock (see nvaha.clock); durations are
seconds as floats with the suffix `_s`; Azure resource ids are kept as the user wrote them and compared
through `same_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ProbeKind(StrEnum):
    """How an NVA is asked whether it is alive."""

    TCP = "tcp"
    HTTP = "http"
    HTTPS = "https"


class Health(StrEnum):
    """What the readings so far say of an NVA."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


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


class StepStatus(StrEnum):
    """How far a step is, or how it ended."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


FINAL = frozenset({Status.DONE, Status.FAILED, Status.SUPERSEDED})


def same_id(one: str, other: str) -> bool:
    """Tell whether two Azure resource ids name the same resource; ARM ids are case-insensitive."""
    return one.casefold() == other.casefold()


# --- configuration, as checked by nvaha.config -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """How one NVA is probed.

    Either `address` (fixed) or `interface` (the role whose primary private IP is asked) is set.
    """

    kind: ProbeKind = ProbeKind.TCP
    port: int = 22
    interface: str | None = None
    address: str | None = None
    path: str = "/"
    expect: tuple[int, ...] = (200,)
    host: str | None = None
    verify_tls: bool = True
    interval_s: float = 1.0
    fast_interval_s: float = 0.5
    timeout_s: float = 1.0
    fall: int = 3
    rise: int = 2


@dataclass(frozen=True, slots=True)
class Nva:
    """One appliance: its NIC ids by role, and how it is probed."""

    name: str
    interfaces: Mapping[str, str]
    probe: ProbeSpec


@dataclass(frozen=True, slots=True)
class PublicIp:
    """A public IP that follows the active NVA on the interface of one role.

    `ip_configuration` names the IP configuration that carries it; None means the NIC's primary one.
    """

    role: str
    id: str
    ip_configuration: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """When a group may be switched without an operator."""

    automatic: bool = True
    select: str = "order"
    failback: str = "manual"
    failback_after_s: float = 300.0
    hold_down_s: float = 60.0
    max_switches_per_hour: int = 6
    drift: str = "repair"
    drift_interval_s: float = 300.0
    deadline_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Group:
    """NVAs that stand in for each other, with the route tables and public IPs that follow the active one."""

    name: str
    nvas: tuple[Nva, ...]
    route_tables: tuple[str, ...] = ()
    public_ips: tuple[PublicIp, ...] = ()
    policy: Policy = field(default_factory=Policy)
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the fingerprint of what a switch may touch, by which instances tell whether they agree."""
        nvas = [(nva.name, sorted(nva.interfaces.items())) for nva in self.nvas]
        touched = repr((nvas, sorted(self.route_tables), [repr(each) for each in self.public_ips])).casefold()
        object.__setattr__(self, "fingerprint", hashlib.sha256(touched.encode()).hexdigest()[:12])

    @property
    def names(self) -> tuple[str, ...]:
        """The NVAs' names in order of preference."""
        return tuple(nva.name for nva in self.nvas)

    @property
    def resource_ids(self) -> tuple[str, ...]:
        """Every resource that a switch of the group reads, without repetition."""
        nics = [nic for nva in self.nvas for nic in nva.interfaces.values()]
        ids = [*self.route_tables, *nics, *(public_ip.id for public_ip in self.public_ips)]
        return tuple({each.casefold(): each for each in ids}.values())

    def nva(self, name: str) -> Nva:
        """Return the NVA of that name; KeyError if the group has none."""
        for nva in self.nvas:
            if nva.name == name:
                return nva
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class ControlTarget:
    """Something outside every group that answers whenever the monitor's own network works."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """All groups, and the targets by which a monitor tells its own blindness from dead NVAs."""

    groups: tuple[Group, ...]
    control_targets: tuple[ControlTarget, ...] = ()


# --- probing ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one probe; `error` is None exactly when `ok`."""

    ok: bool
    latency_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NvaState:
    """What is known of one NVA.

    `failures` and `successes` count consecutive readings. `confirmed` counts the failures that were read
    while the monitor could see: a blind monitor's failures are reported, never acted on.
    `addresses` remembers {role: {IP configuration name: private IP}} and `primary` {role: the primary IP
    configuration's name}, so that routes to an NVA whose NIC is gone can still be recognised.
    """

    health: Health = Health.UNKNOWN
    failures: int = 0
    confirmed: int = 0
    successes: int = 0
    since: datetime | None = None
    latency_ms: float | None = None
    last_error: str | None = None
    addresses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    primary: Mapping[str, str] = field(default_factory=dict)


# --- state -----------------------------------------------------------------------------------------


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


# --- operations ------------------------------------------------------------------------------------


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


# --- the network as Azure describes it -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resource:
    """One ARM resource exactly as read: its ETag and whole body."""

    id: str
    etag: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The resources of a group as read from ARM, by casefolded id; `missing` says why others are not here.

    `retry_after_s` is set when some are missing for a reason that may pass: how long ARM asked to wait.
    """

    resources: Mapping[str, Resource]
    missing: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def get(self, resource_id: str) -> Resource | None:
        """Return the resource of that id, if it was read."""
        return self.resources.get(resource_id.casefold())


# --- what operators are told -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator may want to know, with fields that a query can use.

    Args:
        event: one of the stable names in docs/monitoring.md, such as `switch_done`.
        level: `info`, `warning` or `error`.
        text: one sentence.
        fields: group, operation, generation, resource_id and so on; never a secret.
    """

    event: str
    level: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
