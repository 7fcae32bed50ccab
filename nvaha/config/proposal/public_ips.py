"""Which public IPs of the NVAs may follow the active one, and which are an NVA's own: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nvaha.config.proposal.nvas import Item, Nvas
from nvaha.config.proposal.seen import Interface, Machine, Seen
from nvaha.core.bodies import IpConfiguration, address_version
from nvaha.model import Resource
from nvaha.text import last_part

_MANAGEMENT = re.compile(r"mgmt|management|admin", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Held:
    """A public IP where it is."""

    id: str
    machine: Machine
    nic: Interface
    configuration: IpConfiguration


def public_ips(network: Seen, nvas: Nvas, *, active: str | None, routed: frozenset[str]) -> tuple[Item, ...]:
    """Return the public IPs on the NVAs' NICs in shared subnets.

    Args:
        network: what was read.
        nvas: the NVAs.
        active: the NVA that routes lead to, or None.
        routed: folded ids of the subnets that routes lead to.
    """
    return tuple(
        _item(network, nvas, held, subnet=subnet, holders=holders, active=active, routed=routed)
        for subnet in nvas.shared
        for holders in _by_slot(nvas, subnet)
        for held in holders
    )


def _by_slot(nvas: Nvas, subnet: str) -> Iterator[list[_Held]]:
    """Yield the public IPs that would be at one place, were they all on one NVA."""
    held: dict[str, list[_Held]] = {}
    for machine in nvas.machines:
        (nic,) = machine.on(subnet)
        for each in nic.configurations:
            if each.public_ip:
                held.setdefault(nic.slot(each), []).append(_Held(each.public_ip, machine, nic, each))
    yield from held.values()


def _item(
    network: Seen,
    nvas: Nvas,
    held: _Held,
    *,
    subnet: str,
    holders: Sequence[_Held],
    active: str | None,
    routed: frozenset[str],
) -> Item:
    who, where, resource = nvas.name(held.machine), nvas.shared[subnet], network.get(held.id)
    configuration = held.configuration
    item = Item(
        held.id,
        f"{_address(resource)}, on {configuration.name} of {held.nic.name} in {where} ({who})",
        subnets=(subnet,),
        configuration=None if configuration.primary else configuration.name,
        on=((who, 1),),
    )
    if "IPv6" in {configuration.version, "" if resource is None else address_version(resource)}:
        return replace(item, bar="it is an IPv6 address, which is not supported")
    if lacking := nvas.lacking(subnet, held.nic.slot(configuration)):
        return replace(item, bar=f"{lacking[0]} has no IP configuration {configuration.name} to take it over")
    if len(holders) > 1:
        each = ", ".join(f"{last_part(other.id)} on {nvas.name(other.machine)}" for other in holders)
        return replace(item, doubt=f"each NVA has one there, most likely its own, which must stay: {each}")
    if active not in {None, who}:
        return replace(item, doubt=f"it is on {who}, and routes lead to {active}")
    if subnet not in routed and _MANAGEMENT.search(f"{where} {last_part(held.id)}"):
        return replace(item, doubt=f"by its name it is for the management of {who} alone")
    return item


def _address(public_ip: Resource | None) -> str:
    if public_ip is None:
        return "not read"
    sku = public_ip.body.get("sku")
    basic = isinstance(sku, Mapping) and str(sku.get("name")).casefold() == "basic"
    return f"{public_ip.body['properties'].get('ipAddress', 'no address yet')}{', Basic' if basic else ''}"
