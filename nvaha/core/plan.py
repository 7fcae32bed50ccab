"""What a switch has to change: pure; a snapshot and a target go in, steps come out.

The plan is made from what Azure says, never from what an earlier attempt meant to do. So a switch that died
anywhere is resumed by planning again, and one that is done has an empty plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nvaha.core.bodies import (
    IpConfiguration,
    canonical,
    carries,
    holder_of,
    ip_configurations,
    is_part_of,
    last_write_failed,
    next_hops,
    still_being_written,
    with_next_hops,
    with_public_ips,
)
from nvaha.core.inputs import Survey
from nvaha.model import Group, Nva, NvaState, PublicIp, Resource, Snapshot, same_id

SHOWN = 3
"""So many routes of one table are named in a sentence; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write to one resource.

    Args:
        key: what tells it from the plan's other steps, the same in every plan of the same switch.
        kind: `routes`, `detach` or `attach`.
        resource_id: the route table or NIC.
        detail: what it changes, in a sentence.
        next_hops: {route: new next hop}, for a route table.
        public_ips: {IP configuration: public IP id, or None to take it away}, for a NIC.
        after: keys of the steps that must have ended well before.
    """

    key: str
    kind: str
    resource_id: str
    detail: str
    next_hops: Mapping[str, str] = field(default_factory=dict)
    public_ips: Mapping[str, str | None] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    def edit(self, resource: Resource) -> Resource:
        """Return the resource as it should be, whole."""
        if self.kind == "routes":
            return with_next_hops(resource, self.next_hops)
        return with_public_ips(resource, self.public_ips)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that bring a group to its target, and what no step can bring there."""

    target: str
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """The private addresses of a group: what the snapshot says, else what is remembered."""

    addresses: Mapping[str, Mapping[str, Mapping[str, str]]]
    primary: Mapping[str, Mapping[str, str]]

    def owners(self) -> dict[str, tuple[str, str, str]]:
        """Return {address: (NVA, role, IP configuration)}."""
        return {
            address: (nva, role, name)
            for nva, roles in self.addresses.items()
            for role, names in roles.items()
            for name, address in names.items()
        }

    def counterpart(self, owner: tuple[str, str, str], target: str) -> str | None:
        """Return the target's address for the same role: primary for primary, else the same name."""
        nva, role, name = owner
        there = self.addresses.get(target, {}).get(role, {})
        if self.primary.get(nva, {}).get(role) == name:
            return there.get(self.primary.get(target, {}).get(role, ""))
        return there.get(name)


def plan(group: Group, snapshot: Snapshot, target: str, remembered: Mapping[str, NvaState]) -> Plan:
    """Return what has to be written to have the group's routes and public IPs on one NVA.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        target: the NVA to move to.
        remembered: what is known of each NVA, for the addresses of NICs that could not be read.
    """
    problems: list[str] = []
    known = _known(group, snapshot, remembered)
    steps = _route_steps(group, snapshot, known, target, problems)
    steps += _nic_steps(group, snapshot, group.nva(target), problems)
    return Plan(target, tuple(steps), tuple(dict.fromkeys(problems)))


def survey(group: Group, snapshot: Snapshot, remembered: Mapping[str, NvaState]) -> Survey:
    """Return which NVA the network points at, and what is off from the point of view of each."""
    known = _known(group, snapshot, remembered)
    owners = known.owners()
    routes = dict.fromkeys(group.names, 0)
    for table_id in group.route_tables:
        table = snapshot.get(table_id)
        for hop in next_hops(table) if table else ():
            owner = owners.get(canonical(hop.address))
            if owner is not None:
                routes[owner[0]] += 1
    public_ips = dict.fromkeys(group.names, 0)
    for public_ip in group.public_ips:
        for nva in group.nvas:
            nic = snapshot.get(nva.interfaces[public_ip.role])
            public_ips[nva.name] += nic is not None and carries(nic, public_ip.id) is not None
    plans = {name: plan(group, snapshot, name, remembered) for name in group.names}
    return Survey(
        routes=routes,
        public_ips=public_ips,
        off={name: tuple(step.detail for step in each.steps) for name, each in plans.items()},
        problems={name: each.problems for name, each in plans.items()},
        addresses=known.addresses,
        primary=known.primary,
    )


def unsettled(group: Group, snapshot: Snapshot, target: str) -> tuple[str, ...]:
    """Return what traffic to an NVA depends on and Azure is still writing, one sentence each.

    A worker that died leaves such writes behind: their bodies look right before traffic follows them.
    """
    interfaces = group.nva(target).interfaces
    ids = dict.fromkeys((*group.route_tables, *(interfaces[each.role] for each in group.public_ips)))
    resources = (snapshot.get(each) for each in ids)
    return tuple(
        f"{_short(each.id)}: Azure is still carrying an earlier write out"
        for each in resources
        if each is not None and still_being_written(each)
    )


def _known(group: Group, snapshot: Snapshot, remembered: Mapping[str, NvaState]) -> _Known:
    addresses: dict[str, dict[str, Mapping[str, str]]] = {}
    primary: dict[str, dict[str, str]] = {}
    for nva in group.nvas:
        before = remembered.get(nva.name, NvaState())
        addresses[nva.name] = {
            role: before.addresses[role] for role in nva.interfaces if role in before.addresses
        }
        primary[nva.name] = {role: before.primary[role] for role in nva.interfaces if role in before.primary}
        for role, nic_id in nva.interfaces.items():
            nic = snapshot.get(nic_id)
            if nic is None:
                continue
            found = ip_configurations(nic)
            addresses[nva.name][role] = {each.name: each.private_ip for each in found if each.private_ip}
            primary[nva.name][role] = next((each.name for each in found if each.primary), "")
    return _Known(addresses, primary)


def _route_steps(
    group: Group, snapshot: Snapshot, known: _Known, target: str, problems: list[str]
) -> list[Step]:
    owners = known.owners()
    steps = []
    for table_id in group.route_tables:
        table = snapshot.get(table_id)
        if table is None:
            problems.append(_unread(snapshot, "route table", table_id))
            continue
        changes: dict[str, str] = {}
        shown = []
        ours = False
        for hop in next_hops(table):
            owner = owners.get(canonical(hop.address))
            ours = ours or owner is not None
            if owner is None or owner[0] == target:
                continue
            address = known.counterpart(owner, target)
            if address is None:
                text = f"the address of {target} for {owner[1]} ({owner[2]}) is not known"
                problems.append(
                    f"route table {_short(table_id)}: route {hop.route} ({hop.prefix}) stays: {text}"
                )
                continue
            changes[hop.route] = address
            shown.append(f"{hop.route} ({hop.prefix}) from {hop.address} to {address}")
        if ours and not changes and last_write_failed(table):
            shown.append("once more, because its last write failed")
        if shown:
            more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
            detail = f"route table {_short(table_id)}: {', '.join(shown[:SHOWN])}{more}"
            key = f"routes:{table_id.casefold()}"
            steps.append(Step(key, "routes", table_id, detail, next_hops=changes))
    return steps


@dataclass(slots=True)
class _NicChange:
    """What one NIC has to lose and to gain; `waits` maps an IP configuration to the NIC it waits for."""

    detach: dict[str, str] = field(default_factory=dict)
    attach: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)


def _nic_steps(group: Group, snapshot: Snapshot, target: Nva, problems: list[str]) -> list[Step]:
    changes: dict[str, _NicChange] = {}
    for public_ip in group.public_ips:
        nic_id = target.interfaces[public_ip.role]
        wanted = _wanted(group, snapshot, public_ip, nic_id)
        if isinstance(wanted, str):
            problems.append(f"public IP {_short(public_ip.id)}: {wanted}")
            continue
        holders = _holders(group, snapshot, public_ip)
        there = any(same_id(nic, nic_id) and name == wanted.name for nic, name in holders)
        if there and not _failed(snapshot, nic_id):
            continue
        if there:
            # Azure shows the public IP there although it failed to put it there: write that once more.
            changes.setdefault(nic_id.casefold(), _NicChange()).attach[wanted.name] = public_ip.id
            continue
        foreign = _held_elsewhere(group, snapshot, public_ip) if not holders else None
        if foreign is not None:
            problems.append(f"public IP {_short(public_ip.id)}: {foreign}")
            continue
        for nic, name in holders:
            changes.setdefault(nic.casefold(), _NicChange()).detach[name] = public_ip.id
        gain = changes.setdefault(nic_id.casefold(), _NicChange())
        gain.attach[wanted.name] = public_ip.id
        if holders:
            gain.waits[wanted.name] = holders[0][0].casefold()
    return [step for nic, change in changes.items() for step in _writes(_as_written(group, nic), change)]


def _writes(nic_id: str, change: _NicChange) -> list[Step]:
    """Return one write for a NIC, or two if it has to lose something before it can gain something else."""
    steps = []
    ready = {name: ip for name, ip in change.attach.items() if name not in change.waits}
    waiting = {name: ip for name, ip in change.attach.items() if name in change.waits}
    detach_key, attach_key = f"detach:{nic_id.casefold()}", f"attach:{nic_id.casefold()}"
    if not change.detach:
        ready, waiting = {}, dict(change.attach)
    else:
        first: dict[str, str | None] = {**dict.fromkeys(change.detach), **ready}
        detail = _nic_detail(nic_id, change.detach, ready)
        steps.append(Step(detach_key, "detach", nic_id, detail, public_ips=first))
    if waiting:
        needs = dict.fromkeys(f"detach:{change.waits[name]}" for name in waiting if name in change.waits)
        if change.detach:
            needs[detach_key] = None
        detail = _nic_detail(nic_id, {}, waiting)
        public_ips: dict[str, str | None] = dict(waiting)
        steps.append(Step(attach_key, "attach", nic_id, detail, public_ips=public_ips, after=tuple(needs)))
    return steps


def _nic_detail(nic_id: str, lose: Mapping[str, str], gain: Mapping[str, str]) -> str:
    parts = [f"public IP {_short(ip)} off {name}" for name, ip in lose.items()]
    parts += [f"public IP {_short(ip)} onto {name}" for name, ip in gain.items()]
    return f"NIC {_short(nic_id)}: {', '.join(parts)}"


def _wanted(group: Group, snapshot: Snapshot, public_ip: PublicIp, nic_id: str) -> IpConfiguration | str:
    """Return the IP configuration that should carry the public IP, or why none can."""
    nic = snapshot.get(nic_id)
    if nic is None:
        return _unread(snapshot, "NIC", nic_id)
    for configuration in ip_configurations(nic):
        wanted = public_ip.ip_configuration
        if configuration.primary if wanted is None else configuration.name == wanted:
            other = configuration.public_ip
            if other is not None and not any(same_id(other, each.id) for each in group.public_ips):
                theirs = f"{_short(other)}, which is not this group's"
                return f"{_short(nic_id)} ({configuration.name}) carries {theirs}"
            return configuration
    return f"NIC {_short(nic_id)} has no IP configuration {public_ip.ip_configuration or 'that is primary'}"


def _failed(snapshot: Snapshot, resource_id: str) -> bool:
    resource = snapshot.get(resource_id)
    return resource is not None and last_write_failed(resource)


def _holders(group: Group, snapshot: Snapshot, public_ip: PublicIp) -> list[tuple[str, str]]:
    """Return (NIC id, IP configuration) of the group that carries the public IP, by the NICs' own word."""
    found = []
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            nic = snapshot.get(nic_id)
            name = carries(nic, public_ip.id) if nic else None
            if name is not None:
                found.append((nic_id, name))
    return found


def _held_elsewhere(group: Group, snapshot: Snapshot, public_ip: PublicIp) -> str | None:
    """Return why a public IP that no NIC of the group carries is still not free, or None.

    A back reference to a NIC that was read and does not carry it is left over from a detach.
    """
    resource = snapshot.get(public_ip.id)
    if resource is None:
        return _unread(snapshot, "public IP", public_ip.id)
    holder = holder_of(resource)
    if holder is None:
        return None
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            if is_part_of(holder, nic_id):
                return None if snapshot.get(nic_id) else f"is held by {_unread(snapshot, 'NIC', nic_id)}"
    return f"is held by {holder}, which is not this group's"


def _as_written(group: Group, casefolded: str) -> str:
    """Return a NIC's id as the user wrote it."""
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            if nic_id.casefold() == casefolded:
                return nic_id
    return casefolded


def _unread(snapshot: Snapshot, kind: str, resource_id: str) -> str:
    why = snapshot.missing.get(resource_id.casefold(), "was not read")
    return f"{kind} {_short(resource_id)} {why}"


def _short(resource_id: str) -> str:
    return resource_id.rstrip("/").rpartition("/")[2]
