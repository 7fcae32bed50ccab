"""Reads the native file part by part into a draft of what is good of it, and builds the values from that.

A draft exists even when there are errors, so that the checks across parts can run on whatever could be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nvaha.config.forms import (
    NO_ROLE,
    CanaryForm,
    FileForm,
    GroupForm,
    NvaForm,
    PolicyForm,
    ProbeForm,
    PublicIpForm,
    ReceiverForm,
    TargetForm,
)
from nvaha.config.problems import Findings, Unshown, at
from nvaha.config.reading import is_role, read, read_id, read_in
from nvaha.core.canary import canary_group
from nvaha.model import (
    CanarySpec,
    Configuration,
    ControlTarget,
    Group,
    Nva,
    Policy,
    ProbeKind,
    ProbeSpec,
    PublicIp,
    Receiver,
    ReceiverKind,
)

_SOCKET = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")
_DURATIONS = (
    "interval",
    "fast_interval",
    "timeout",
    "failback_after",
    "hold_down",
    "drift_interval",
    "deadline",
    "every",
    "slow",
)
GROUPS = (1, 1000)
RECEIVERS = (0, 10)
NVAS = (2, 16)
_PORTS = {"tcp": 22, "http": 80, "https": 443}


@dataclass(slots=True)
class ProbeDraft:
    """One NVA's probe: its own fields over its group's. `own` and `group` say where each one was written."""

    values: dict[str, Any]
    broken: frozenset[str]
    own: frozenset[str]
    path: str
    group_path: str

    def where(self, *names: str) -> str:
        """Return the path of the probe that an error in these fields belongs to."""
        return self.path if self.own.intersection(names) else self.group_path

    @property
    def port(self) -> int:
        """The port that is asked, by default the probe type's usual one."""
        return int(self.values.get("port") or _PORTS[self.values.get("type", "tcp")])


@dataclass(slots=True)
class NvaDraft:
    """An NVA; `roles` are those written, `ids` those with a good id. None: `interfaces` cannot be read."""

    path: str
    name: str | None
    roles: tuple[str, ...] | None
    ids: dict[str, str]
    probe: ProbeDraft


@dataclass(slots=True)
class GroupDraft:
    """A group; `resources_written` says that route tables or public IPs were written, good or not."""

    path: str
    name: str | None
    nvas: list[NvaDraft] = field(default_factory=list)
    resources_written: bool = False
    route_tables: list[tuple[str, str]] = field(default_factory=list)
    public_ips: list[tuple[str, PublicIp]] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=dict)
    policy_broken: frozenset[str] = frozenset()


@dataclass(slots=True)
class Draft:
    """What could be read of the file."""

    groups: list[GroupDraft]
    control_targets: list[tuple[str, ControlTarget]]
    canary: Group | None = None
    receivers: list[tuple[str, Receiver, frozenset[str]]] = field(default_factory=list)


def read_draft(tree: object, findings: Findings) -> Draft:
    """Read the whole native file; what is wrong goes to `findings`, each part by itself."""
    part = read(FileForm, tree, "", findings)
    groups: list[Any] = []
    if part.form.groups is not None:
        groups = within("groups", part.form.groups, GROUPS, findings)
    targets = within("control_targets", part.form.control_targets or [], (0, 16), findings)
    return Draft(
        [_group(value, at("groups", index), findings) for index, value in enumerate(groups)],
        _targets(targets, findings),
        None if part.form.canary is None else _canary(part.form.canary, findings),
        _receivers(within("notify", part.form.notify or [], RECEIVERS, findings), findings),
    )


def _canary(value: object, findings: Findings) -> Group | None:
    given = dict(read(CanaryForm, value, "canary", findings).given)
    table = given.pop("route_table", None)
    if table is None or read_id(table, "routeTables", at("canary", "route_table"), findings) is None:
        return None
    return canary_group(table, CanarySpec(**_named_as_in_model(given)))


def _receivers(values: list[Any], findings: Findings) -> list[tuple[str, Receiver, frozenset[str]]]:
    """Return the receivers, each with its path and the names of its fields that cannot be read."""
    found = []
    for index, value in enumerate(values):
        path = at("notify", index)
        part = read(ReceiverForm, value, path, findings)
        given = dict(part.given)
        name, kind = given.pop("name", None), given.pop("type", None)
        for each in ("events", "groups"):
            if each in given:
                given[each] = _words(at(path, each), given[each], findings)
        if name is not None and kind is not None:
            found.append((path, Receiver(name, ReceiverKind(kind), **given), part.broken))
    return found


def _words(path: str, values: list[Any], findings: Findings) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if not isinstance(value, str):
            findings.error(at(path, index), value, "is not text", "write a name")
    return tuple(value for value in values if isinstance(value, str))


def within(path: str, items: list[Any], bounds: tuple[int, int], findings: Findings) -> list[Any]:
    """Report a list that is too short or too long, and return no more of it than is allowed."""
    low, high = bounds
    if not low <= len(items) <= high:
        count = "1 entry" if len(items) == 1 else f"{len(items)} entries"
        findings.error(path, Unshown.NONE, f"has {count}", f"write {low} to {high} of them")
    return items[:high]


def _targets(values: list[Any], findings: Findings) -> list[tuple[str, ControlTarget]]:
    targets = []
    for index, value in enumerate(values):
        path, written = at("control_targets", index), value
        if not isinstance(value, dict):
            match = _SOCKET.fullmatch(value) if isinstance(value, str) else None
            if not match:
                findings.error(
                    path, value, "is not an address with a port", 'write 10.0.0.4:53 or "[fd00::4]:53"'
                )
                continue
            written = {"address": match[1] or match[2], "port": int(match[3])}
        form = read(TargetForm, written, path, findings).form
        if form.address and form.port:
            targets.append((path, ControlTarget(form.address, form.port)))
    return targets


def _group(value: object, path: str, findings: Findings) -> GroupDraft:
    part = read(GroupForm, value, path, findings)
    form = part.form
    probe = read_in(part, "probe", ProbeForm, path, findings)
    policy = read_in(part, "policy", PolicyForm, path, findings)
    group = GroupDraft(path, form.name, policy=policy.given, policy_broken=policy.broken)
    group.resources_written = bool(
        form.route_tables or form.public_ips or part.broken & {"route_tables", "public_ips"}
    )
    nvas_path = at(path, "nvas")
    nvas = [] if form.nvas is None else within(nvas_path, form.nvas, NVAS, findings)
    for index, item in enumerate(nvas):
        group.nvas.append(
            _nva(item, at(nvas_path, index), (probe.given, probe.broken, at(path, "probe")), findings)
        )
    tables_path = at(path, "route_tables")
    tables = within(tables_path, form.route_tables or [], (0, 400), findings)
    for index, item in enumerate(tables):
        table_path = at(tables_path, index)
        if table := read_id(item, "routeTables", table_path, findings):
            group.route_tables.append((table_path, table))
    for role, item in (form.public_ips or {}).items():
        role_path = at(at(path, "public_ips"), role)
        if not is_role(role):
            findings.error(role_path, role, *NO_ROLE)
        if isinstance(item, list):
            for index, one in enumerate(within(role_path, item, (1, 100), findings)):
                _public_ip(group, role, one, at(role_path, index), findings)
        else:
            _public_ip(group, role, item, role_path, findings)
    return group


def _public_ip(group: GroupDraft, role: str, value: object, path: str, findings: Findings) -> None:
    configuration = None
    if isinstance(value, dict):
        form = read(PublicIpForm, value, path, findings).form
        value, configuration, path = form.id, form.ip_configuration, at(path, "id")
        if value is None:
            return  # reported with its form
    if address := read_id(value, "publicIPAddresses", path, findings):
        group.public_ips.append((path, PublicIp(role, address, configuration)))


def _nva(
    value: object, path: str, group_probe: tuple[dict[str, Any], frozenset[str], str], findings: Findings
) -> NvaDraft:
    part = read(NvaForm, value, path, findings)
    probe = read_in(part, "probe", ProbeForm, path, findings)
    own = frozenset(probe.given) | probe.broken
    inherited, inherited_broken, group_path = group_probe
    replaced = set(own)
    if own & {"address", "interface"}:  # an NVA's own target stands for both
        replaced |= {"address", "interface"}
    values = {name: item for name, item in inherited.items() if name not in replaced} | probe.given
    draft = ProbeDraft(
        values, probe.broken | (inherited_broken - replaced), own, at(path, "probe"), group_path
    )
    interfaces = part.form.interfaces
    nva = NvaDraft(path, part.form.name, None if interfaces is None else tuple(interfaces), {}, draft)
    for role, item in (interfaces or {}).items():
        role_path = at(at(path, "interfaces"), role)
        if not is_role(role):
            findings.error(role_path, role, *NO_ROLE)
        if nic := read_id(item, "networkInterfaces", role_path, findings):
            nva.ids[role] = nic
    return nva


def build(draft: Draft) -> Configuration:
    """Turn a draft without errors into the values that flow."""
    targets = tuple(target for _, target in draft.control_targets)
    groups = tuple(_build_group(group) for group in draft.groups)
    return Configuration(groups, targets, draft.canary, tuple(each for _, each, _ in draft.receivers))


def _build_group(group: GroupDraft) -> Group:
    return Group(
        name=str(group.name),
        nvas=tuple(Nva(str(nva.name), nva.ids, build_probe(nva)) for nva in group.nvas),
        route_tables=tuple(table for _, table in group.route_tables),
        public_ips=tuple(address for _, address in group.public_ips),
        policy=Policy(**_named_as_in_model(group.policy)),
    )


def build_probe(nva: NvaDraft) -> ProbeSpec:
    """Return the NVA's probe with defaults for everything that was not written."""
    values = _named_as_in_model(nva.probe.values)
    values["kind"] = ProbeKind(values.pop("type", "tcp"))
    values["port"] = nva.probe.port
    if "address" not in values and "interface" not in values and nva.roles:
        values["interface"] = nva.roles[0]
    return ProbeSpec(**values)


def _named_as_in_model(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_s" if name in _DURATIONS else name: value for name, value in values.items()}
