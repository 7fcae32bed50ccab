"""What a person has to change by hand to bring a group to an NVA, wherever its parts are then: pure.

A plan says what differs now; it is of no use for a sheet that is kept until nvaha is gone. So everything is
named, also what is there already: to write it once more does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nvaha.core.addresses import addresses_of
from nvaha.core.attach import holders, places, wanted_configuration
from nvaha.core.bodies import canonical
from nvaha.core.plan import hops_of, plan_with
from nvaha.model import Group, NvaState, Snapshot


@dataclass(frozen=True, slots=True)
class Move:
    """One thing to set.

    Args:
        kind: `route`, `detach` or `attach`.
        resource_id: the route table or NIC.
        name: the route or IP configuration in it.
        value: the next hop, or the public IP's id.
    """

    kind: str
    resource_id: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """The moves that bring a group to an NVA, in an order that Azure takes, and what stays."""

    to: str
    moves: tuple[Move, ...] = ()
    problems: tuple[str, ...] = ()


def by_hand(group: Group, snapshot: Snapshot, target: str, remembered: Mapping[str, NvaState]) -> ByHand:
    """Return how to bring everything of a group to one NVA.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        target: the NVA to move to.
        remembered: what is known of each NVA, for the addresses of NICs that could not be read.
    """
    addresses, hops = addresses_of(group, snapshot, remembered), hops_of(group, snapshot)
    # Problems are those of a plan: whatever is a problem of one today is one for a person, too.
    problems = plan_with(group, snapshot, target, addresses, hops).problems
    routes = [
        Move("route", table_id, hop.route, address)
        for table_id, found in hops.items()
        for hop in found
        if (owner := addresses.owners.get(canonical(hop.address))) is not None
        and (address := addresses.counterpart(owner, target)) is not None
    ]
    return ByHand(target, (*routes, *_public_ips(group, snapshot, target)), problems)


def _public_ips(group: Group, snapshot: Snapshot, target: str) -> tuple[Move, ...]:
    """Return what takes public IPs off wherever they may be then, and after it what puts them there."""
    found, _ = places(group, snapshot, group.nva(target), group.public_ips)
    off: dict[tuple[str, str], Move] = {}
    on: dict[tuple[str, str], Move] = {}
    for public_ip, place in found.items():
        nic_id = group.nva(target).interfaces[public_ip.role]
        on[nic_id.casefold(), place.name] = Move("attach", nic_id, place.name, public_ip.id)
        at = list(holders(group, snapshot, public_ip))
        for nva in group.nvas:
            other = nva.interfaces[public_ip.role]
            wanted = wanted_configuration(group, snapshot, public_ip, other)
            if not isinstance(wanted, str):
                at.append((other, wanted.name))
        for nic, name in at:
            off.setdefault((nic.casefold(), name), Move("detach", nic, name, public_ip.id))
    return (*(move for key, move in off.items() if key not in on), *on.values())
