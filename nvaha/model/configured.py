"""What is configured: groups, their NVAs, and how they are probed and switched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum


class ProbeKind(StrEnum):
    """How an NVA is asked whether it is alive."""

    TCP = "tcp"
    HTTP = "http"
    HTTPS = "https"


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
    """One appliance: its NIC ids by role, and how it is probed.

    One of a canary has no NIC: its `address` is what routes to it have as their next hop.
    """

    name: str
    interfaces: Mapping[str, str]
    probe: ProbeSpec
    address: str | None = None


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
    """When a group may be switched without an operator.

    Args:
        automatic: whether nvaha switches by itself at all.
        select: `order` or `cycle`; which NVA that is up comes next.
        failback: `manual` or `automatic`; whether the first NVA gets the group back.
        failback_after_s: how long the first NVA must have been up before.
        hold_down_s: no automatic switch starts this long after one has ended.
        max_switches_per_hour: the flap limit.
        drift: `repair`, `report` or `off`; what is done about routes that do not agree with the active NVA.
        adopt: `wait` or `repair`; what is done about those found at the very first look.
        unsteady: `report` or `down`; what an NVA is that fails many probes, but never enough in a row.
        drift_interval_s: how often Azure is read at rest.
        deadline_s: a switch that is not done by then has failed.
    """

    automatic: bool = True
    select: str = "order"
    failback: str = "manual"
    failback_after_s: float = 300.0
    hold_down_s: float = 60.0
    max_switches_per_hour: int = 6
    drift: str = "repair"
    adopt: str = "wait"
    unsteady: str = "report"
    drift_interval_s: float = 300.0
    deadline_s: float = 600.0


@dataclass(frozen=True, slots=True)
class CanarySpec:
    """How often a canary is switched, and from when on that took too long, in seconds."""

    every_s: float = 86400.0
    slow_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Group:
    """NVAs that stand in for each other, with the route tables and public IPs that follow the active one.

    With `canary` it is none that carries traffic: it is switched to see that switching works.
    `resource_ids` is every resource that a switch of the group reads, without repetition.
    """

    name: str
    nvas: tuple[Nva, ...]
    route_tables: tuple[str, ...] = ()
    public_ips: tuple[PublicIp, ...] = ()
    policy: Policy = field(default_factory=Policy)
    canary: CanarySpec | None = None
    fingerprint: str = field(init=False, compare=False)
    resource_ids: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Derive the fingerprint of what a switch may touch, by which instances tell whether they agree."""
        nvas = [(nva.name, sorted(nva.interfaces.items())) for nva in self.nvas]
        touched = repr((nvas, sorted(self.route_tables), [repr(each) for each in self.public_ips])).casefold()
        object.__setattr__(self, "fingerprint", hashlib.sha256(touched.encode()).hexdigest()[:12])
        nics = [nic for nva in self.nvas for nic in nva.interfaces.values()]
        ids = [*self.route_tables, *nics, *(public_ip.id for public_ip in self.public_ips)]
        object.__setattr__(self, "resource_ids", tuple({each.casefold(): each for each in ids}.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The NVAs' names in order of preference."""
        return tuple(nva.name for nva in self.nvas)

    def named(self, name: str) -> str | None:
        """Return the NVA's name as configured; Azure's names, and so ours, are equal in any case."""
        return next((each for each in self.names if each.casefold() == name.casefold()), None)

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


class ReceiverKind(StrEnum):
    """In which form a receiver takes what it is sent."""

    WEBHOOK = "webhook"
    TEAMS = "teams"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EVENT_GRID = "event_grid"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is sent what people have to know. Where it is, and its key, are secrets: only settings are named.

    An Event Grid topic has neither: everybody may know its endpoint, and the app's identity may send to it.

    Args:
        url_setting: the application setting that holds its URL; None for the kind's own.
        key_setting: the one that holds the key: to sign with, or PagerDuty's routing key.
        events: what it is sent; empty for those that wake people.
        level: what is told at a lower level is not sent.
        groups: whose events it is sent; empty for all. What is of no group is sent to all.
        endpoint: the URL of an Event Grid topic.
    """

    name: str
    kind: ReceiverKind
    url_setting: str | None = None
    key_setting: str | None = None
    events: tuple[str, ...] = ()
    level: str = "info"
    groups: tuple[str, ...] = ()
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All groups, the targets by which a monitor tells its own blindness from dead NVAs, and the canary.

    `receivers` decide nothing, so instances that differ in them agree.
    """

    groups: tuple[Group, ...]
    control_targets: tuple[ControlTarget, ...] = ()
    canary: Group | None = None
    receivers: tuple[Receiver, ...] = ()
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the fingerprint of all of it, by which instances tell whether they would decide the same.

        Before the dash: what switches may touch; after it: policies, probes and control targets. A setting at
        its default is left out, so that a release which knows one more agrees with one that does not.
        """
        groups = sorted(self.switched, key=lambda group: group.name)
        touched = [(group.name, group.fingerprint) for group in groups]
        decided = [
            (group.name, _set(group.policy), [(nva.name, _set(nva.probe)) for nva in group.nvas])
            for group in groups
        ]
        targets = sorted((target.address, target.port) for target in self.control_targets)
        halves = (repr(touched), repr((decided, targets)))
        text = "-".join(hashlib.sha256(half.encode()).hexdigest()[:12] for half in halves)
        object.__setattr__(self, "fingerprint", text)

    @property
    def switched(self) -> tuple[Group, ...]:
        """Whatever can be switched: the groups, and the canary if there is one."""
        return self.groups if self.canary is None else (*self.groups, self.canary)


def _set(value: Policy | ProbeSpec) -> list[tuple[str, str]]:
    """Return the settings that are not at their defaults."""
    there = [(each.name, getattr(value, each.name), each.default) for each in fields(value)]
    return [(name, str(found)) for name, found, default in there if found != default]
