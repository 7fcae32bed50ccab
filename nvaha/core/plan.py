"""What a switch has to change: pure; a snapshot and a target go in, steps come out.

The plan is made from what Azure says, never from what an earlier attempt meant to do. So a switch that died
anywhere is resumed by planning again, and one that is done has an empty plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nvaha.core.addresses import Addresses, addresses_of
from nvaha.core.attach import held_elsewhere, holders, places, unread
from nvaha.core.bodies import (
    NextHop,
    canonical,
    last_write_failed,
    next_hops,
    still_being_written,
    with_next_hops,
    with_public_ips,
)
from nvaha.core.canary import harm
from nvaha.model import Group, Nva, NvaState, PublicIp, Resource, Snapshot, same_id
from nvaha.text import last_part

Hops = Mapping[str, tuple[NextHop, ...]]

SHOWN = 3
"""So many routes of one table are named in a sentence; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write to one resource.

    Args:
        key: what tells it from the plan's other steps, the same in every plan of the same switch.
        kind: `routes`, `detach` or `attach`; or `mark`, which changes nothing but whose the resource is.
        resource_id: the route table or NIC.
        detail: what it changes, in a sentence.
        next_hops: {route: new next hop}, for a route table.
        public_ips: {IP configuration: public IP id, or None to take it away}, for a NIC.
        after: keys of the steps that must have ended well before.
        off: how it stands before it, and how it should, in a sentence for each table and public IP.
    """

    key: str
    kind: str
    resource_id: str
    detail: str
    next_hops: Mapping[str, str] = field(default_factory=dict)
    public_ips: Mapping[str, str | None] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    off: tuple[str, ...] = ()

    def edit(self, resource: Resource) -> Resource:
        """Return the resource as it should be, whole."""
        if self.kind == "routes":
            return with_next_hops(resource, self.next_hops)
        if self.kind == "mark":
            return resource
        return with_public_ips(resource, self.public_ips)

    def because(self, error: object) -> str:
        """Return why it failed without the id that errors begin with: what it is about, its detail says."""
        return str(error).removeprefix(f"{self.resource_id}: ")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that bring a group to its target, and what no step can bring there."""

    target: str
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()


def plan(group: Group, snapshot: Snapshot, target: str, remembered: Mapping[str, NvaState]) -> Plan:
    """Return what has to be written to have the group's routes and public IPs on one NVA.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        target: the NVA to move to.
        remembered: what is known of each NVA, for the addresses of NICs that could not be read.
    """
    return plan_with(
        group, snapshot, target, addresses_of(group, snapshot, remembered), hops_of(group, snapshot)
    )


def hops_of(group: Group, snapshot: Snapshot) -> Hops:
    """Return the next hops of the group's route tables that were read, by the tables' ids."""
    tables = ((table_id, snapshot.get(table_id)) for table_id in group.route_tables)
    return {table_id: next_hops(table) for table_id, table in tables if table is not None}


def plan_with(group: Group, snapshot: Snapshot, target: str, addresses: Addresses, hops: Hops) -> Plan:
    """Return the plan, for a caller that has the group's addresses and next hops already."""
    problems = _unknown_nics(group, snapshot, addresses)
    harmful = tuple(harms(group, snapshot))
    if harmful:
        return Plan(target, problems=harmful)
    steps = [
        step
        for table_id in group.route_tables
        if (
            step := _route_step(
                table_id, snapshot, hops.get(table_id, ()), addresses, target, problems=problems
            )
        )
    ]
    steps += _nic_steps(group, snapshot, group.nva(target), problems)
    return Plan(target, tuple(steps), tuple(dict.fromkeys(problems)))


def plan_again(
    group: Group, snapshot: Snapshot, target: str, remembered: Mapping[str, NvaState], step: Step
) -> Step | None:
    """Return one step as it looks on a newer snapshot, or None if nothing is left to do.

    Only what the step touches is planned: a table's writer does not plan the other tables again.
    """
    if harms(group, snapshot):
        return None
    if step.kind == "routes":
        addresses = addresses_of(group, snapshot, remembered)
        table = snapshot.get(step.resource_id)
        hops = next_hops(table) if table is not None else ()
        return _route_step(step.resource_id, snapshot, hops, addresses, target, problems=[])
    again = _nic_steps(group, snapshot, group.nva(target), [])
    return next((each for each in again if each.key == step.key), None)


def harms(group: Group, snapshot: Snapshot) -> list[str]:
    """Return why a canary's switch could move traffic, one sentence each; of other groups it is meant to."""
    if group.canary is None:
        return []
    tables = (snapshot.get(each) for each in group.route_tables)
    return [why for table in tables if table is not None and (why := harm(table)) is not None]


def unread_public_ips(group: Group, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the group's public IPs that could not be read, one sentence each."""
    unseen = [each.id for each in group.public_ips if snapshot.get(each.id) is None]
    return tuple(unread(snapshot, "public IP", each) for each in unseen)


def plan_back(group: Group, snapshot: Snapshot, source: Nva, taken: list[PublicIp]) -> Plan:
    """Return what puts those of the public IPs taken off an NVA that hang on nothing now back on it."""
    free = [each for each in taken if not holders(group, snapshot, each)]
    problems: list[str] = []
    steps = _nic_steps(group, snapshot, source, problems, free)
    return Plan(source.name, tuple(steps), tuple(problems))


def unsettled(group: Group, snapshot: Snapshot, target: str) -> tuple[str, ...]:
    """Return what traffic to an NVA depends on and Azure is still writing, one sentence each.

    A worker that died leaves such writes behind: their bodies look right before traffic follows them.
    """
    interfaces = group.nva(target).interfaces
    ids = dict.fromkeys((*group.route_tables, *(interfaces[each.role] for each in group.public_ips)))
    resources = (snapshot.get(each) for each in ids)
    return tuple(
        f"{last_part(each.id)}: Azure is still carrying an earlier write out"
        for each in resources
        if each is not None and still_being_written(each)
    )


def _unknown_nics(group: Group, snapshot: Snapshot, addresses: Addresses) -> list[str]:
    """Return the NICs whose addresses nobody knows: routes that lead there look like somebody else's."""
    if not group.route_tables:
        return []
    return [
        f"routes that lead to it cannot be told: {unread(snapshot, 'NIC', nic_id)}"
        for nva in group.nvas
        for role, nic_id in nva.interfaces.items()
        if role not in addresses.current.get(nva.name, {}) and nic_id.casefold() not in snapshot.absent
    ]


def _route_step(
    table_id: str,
    snapshot: Snapshot,
    hops: tuple[NextHop, ...],
    addresses: Addresses,
    target: str,
    *,
    problems: list[str],
) -> Step | None:
    table = snapshot.get(table_id)
    if table is None:
        problems.append(unread(snapshot, "route table", table_id))
        return None
    changes: dict[str, str] = {}
    shown, off = [], []
    ours = False
    for hop in hops:
        here = canonical(hop.address)
        owner = addresses.owners.get(here)
        ours = ours or owner is not None
        if owner is None or (owner[0] == target and addresses.is_current(here, owner)):
            continue
        address = addresses.counterpart(owner, target)
        if address is None:
            text = f"the address of {target} for {owner[1]} ({owner[2]}) is not known"
            problems.append(
                f"route table {last_part(table_id)}: route {hop.route} ({hop.prefix}) stays: {text}"
            )
            continue
        changes[hop.route] = address
        if len(changes) <= SHOWN:
            route = f"{hop.route} ({hop.prefix})"
            shown.append(f"{route} from {hop.address} to {address}")
            off.append(f"{route} leads to {owner[0]} ({hop.address}), should lead to {target} ({address})")
    if ours and not changes and last_write_failed(table):
        shown.append("once more, because its last write failed")
        off.append("its last write failed")
    if not shown:
        return None
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    detail, stands = (f"route table {last_part(table_id)}: {', '.join(each)}{more}" for each in (shown, off))
    key = f"routes:{table_id.casefold()}"
    return Step(key, "routes", table_id, detail, next_hops=changes, off=(stands,))


@dataclass(slots=True)
class _NicChange:
    """What one NIC has to lose and to gain.

    `waits` maps an IP configuration to the NIC it waits for, `off` to how it stands before and should.
    """

    detach: dict[str, str] = field(default_factory=dict)
    attach: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)


def _nic_steps(
    group: Group,
    snapshot: Snapshot,
    target: Nva,
    problems: list[str],
    public_ips: list[PublicIp] | None = None,
) -> list[Step]:
    changes: dict[str, _NicChange] = {}
    found, without = places(group, snapshot, target, group.public_ips if public_ips is None else public_ips)
    problems += without
    for public_ip, wanted in found.items():
        nic_id = target.interfaces[public_ip.role]
        held_by = holders(group, snapshot, public_ip)
        there = any(same_id(nic, nic_id) and name == wanted.name for nic, name in held_by)
        if there and not _failed(snapshot, nic_id):
            continue
        if there:
            # Azure shows the public IP there although it failed to put it there: write that once more.
            change = changes.setdefault(nic_id.casefold(), _NicChange())
            change.attach[wanted.name] = public_ip.id
            change.off[wanted.name] = f"NIC {last_part(nic_id)}: its last write failed"
            continue
        foreign = held_elsewhere(group, snapshot, public_ip) if not held_by else None
        if foreign is not None:
            problems.append(f"public IP {last_part(public_ip.id)}: {foreign}")
            continue
        for nic, name in held_by:
            changes.setdefault(nic.casefold(), _NicChange()).detach[name] = public_ip.id
        gain = changes.setdefault(nic_id.casefold(), _NicChange())
        gain.attach[wanted.name] = public_ip.id
        gain.off[wanted.name] = _stands(public_ip, held_by, nic_id, wanted.name)
        if held_by:
            gain.waits[wanted.name] = held_by[0][0].casefold()
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
        detail, off = _nic_detail(nic_id, change.detach, ready), tuple(change.off[name] for name in ready)
        steps.append(Step(detach_key, "detach", nic_id, detail, public_ips=first, off=off))
    if waiting:
        needs = dict.fromkeys(f"detach:{change.waits[name]}" for name in waiting if name in change.waits)
        if change.detach:
            needs[detach_key] = None
        detail = _nic_detail(nic_id, {}, waiting)
        gained: dict[str, str | None] = dict(waiting)
        off = tuple(change.off[name] for name in waiting)
        steps.append(
            Step(attach_key, "attach", nic_id, detail, public_ips=gained, after=tuple(needs), off=off)
        )
    return steps


def _nic_detail(nic_id: str, lose: Mapping[str, str], gain: Mapping[str, str]) -> str:
    parts = [f"public IP {last_part(ip)} off {name}" for name, ip in lose.items()]
    parts += [f"public IP {last_part(ip)} onto {name}" for name, ip in gain.items()]
    return f"NIC {last_part(nic_id)}: {', '.join(parts)}"


def _stands(public_ip: PublicIp, held_by: list[tuple[str, str]], nic_id: str, name: str) -> str:
    """Say where a public IP is, and where it should be."""
    here = " and ".join(f"{at} of NIC {last_part(nic)}" for nic, at in held_by) or "no NIC"
    there = f"{name} of NIC {last_part(nic_id)}"
    return f"public IP {last_part(public_ip.id)} is on {here}, should be on {there}"


def _failed(snapshot: Snapshot, resource_id: str) -> bool:
    resource = snapshot.get(resource_id)
    return resource is not None and last_write_failed(resource)


def _as_written(group: Group, casefolded: str) -> str:
    """Return a NIC's id as the user wrote it."""
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            if nic_id.casefold() == casefolded:
                return nic_id
    return casefolded
