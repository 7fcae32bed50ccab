"""What a look at Azure says of a group: who is pointed at, what is off, who is ready: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from nvaha.core.addresses import Addresses, Owner, addresses_of
from nvaha.core.attach import unread
from nvaha.core.bodies import (
    address_is_dynamic,
    canonical,
    carries,
    forwards,
    ip_configurations,
    last_write_failed,
)
from nvaha.core.inputs import Survey
from nvaha.core.plan import Hops, hops_of, plan_with
from nvaha.model import Group, Nva, NvaState, Snapshot
from nvaha.text import last_part


def survey(group: Group, snapshot: Snapshot, remembered: Mapping[str, NvaState]) -> Survey:
    """Return which NVA the network points at, and what is off from the point of view of each.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        remembered: what is known of each NVA.
    """
    addresses = addresses_of(group, snapshot, remembered)
    # Parsed once: a large group has a hundred thousand routes.
    hops = hops_of(group, snapshot)
    plans = {name: plan_with(group, snapshot, name, addresses, hops) for name in group.names}
    owners = _owners(addresses, hops)
    roles = _routed(owners)
    shared = _wrong_for_all(group, snapshot, owners)
    return Survey(
        routes=_routes(group, owners),
        public_ips=_public_ips(group, snapshot),
        off={name: tuple(said for step in each.steps for said in step.off) for name, each in plans.items()},
        problems={name: each.problems for name, each in plans.items()},
        unready={
            nva.name: tuple(
                dict.fromkeys((*plans[nva.name].problems, *_wrong_at(snapshot, nva, roles), *shared))
            )
            for nva in group.nvas
        },
        unanswered=_sentences(group, snapshot, snapshot.unanswered),
        hidden=_sentences(group, snapshot, set(snapshot.missing) - snapshot.unanswered - snapshot.absent),
        addresses=addresses.current,
        primary=addresses.primary,
    )


def dropping(
    group: Group, snapshot: Snapshot, target: str, remembered: Mapping[str, NvaState]
) -> tuple[str, ...]:
    """Return which of an NVA's NICs would drop what is routed to them, though routes can lead there.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        target: the NVA.
        remembered: what is known of each NVA.
    """
    addresses = addresses_of(group, snapshot, remembered)
    roles = _routed(_owners(addresses, hops_of(group, snapshot)))
    nics = {role: snapshot.get(nic_id) for role, nic_id in group.nva(target).interfaces.items()}
    return tuple(
        _drops(group.nva(target).interfaces[role])
        for role, nic in nics.items()
        if role in roles and nic is not None and not forwards(nic)
    )


def _owners(addresses: Addresses, hops: Hops) -> dict[str, list[Owner]]:
    return {
        table_id: [
            addresses.owners[at] for hop in found if (at := canonical(hop.address)) in addresses.owners
        ]
        for table_id, found in hops.items()
    }


def _routed(owners: Mapping[str, list[Owner]]) -> set[str]:
    return {role for found in owners.values() for _, role, _ in found}


def _drops(nic_id: str) -> str:
    return f"NIC {last_part(nic_id)}: IP forwarding is off, so Azure drops what is routed there"


def _routes(group: Group, owners: Mapping[str, list[Owner]]) -> dict[str, int]:
    counted = Counter(nva for found in owners.values() for nva, _, _ in found)
    return {name: counted[name] for name in group.names}


def _public_ips(group: Group, snapshot: Snapshot) -> dict[str, int]:
    public_ips = dict.fromkeys(group.names, 0)
    for public_ip in group.public_ips:
        for nva in group.nvas:
            nic = snapshot.get(nva.interfaces[public_ip.role])
            public_ips[nva.name] += nic is not None and carries(nic, public_ip.id) is not None
    return public_ips


def _wrong_at(snapshot: Snapshot, nva: Nva, routed_roles: set[str]) -> list[str]:
    """Return what would keep traffic from an NVA although everything could be moved there."""
    wrong = []
    for role, nic_id in nva.interfaces.items():
        nic = snapshot.get(nic_id)
        if nic is None:
            wrong.append(unread(snapshot, "NIC", nic_id))
            continue
        name = last_part(nic_id)
        if last_write_failed(nic):
            wrong.append(f"NIC {name} is in state Failed: Azure may refuse to change it")
        if role not in routed_roles:
            continue
        if not forwards(nic):
            wrong.append(_drops(nic_id))
        wrong += [
            f"NIC {name}: {each.name} has a dynamic private address: make it static, or it may change"
            for each in ip_configurations(nic)
            if each.dynamic
        ]
    return wrong


def _wrong_for_all(group: Group, snapshot: Snapshot, owners: Mapping[str, list[Owner]]) -> list[str]:
    """Return what is wrong with the group's resources, whichever NVA is active."""
    wrong = [
        f"route table {last_part(table_id)} has no route that leads to any NVA of the group"
        for table_id, found in owners.items()
        if not found
    ]
    for public_ip in group.public_ips:
        resource = snapshot.get(public_ip.id)
        if resource is not None and address_is_dynamic(resource):
            name = last_part(public_ip.id)
            wrong.append(f"public IP {name} is dynamic: it gets another address when it is moved")
    return wrong


def _sentences(group: Group, snapshot: Snapshot, ids: frozenset[str] | set[str]) -> tuple[str, ...]:
    return tuple(
        f"{last_part(each)} {snapshot.missing[each.casefold()]}"
        for each in group.resource_ids
        if each.casefold() in ids
    )
