"""What Azure's lists say of a network, as the facts that a proposal rests on: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nvaha.core.bodies import (
    IpConfiguration,
    NextHop,
    UnreadableBodyError,
    canonical,
    check,
    forwards,
    ip_configurations,
    is_part_of,
    next_hops,
)
from nvaha.model import Resource
from nvaha.text import last_part

NICS, ROUTE_TABLES, PUBLIC_IPS = "networkInterfaces", "routeTables", "publicIPAddresses"
BALANCERS = "loadBalancers"


@dataclass(frozen=True, slots=True)
class Interface:
    """A NIC of a VM, in one subnet; `balancers` are ids inside load balancers that send traffic to it."""

    id: str
    subnet: str
    configurations: tuple[IpConfiguration, ...]
    forwards: bool = False
    balancers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return last_part(self.id)

    @property
    def primary(self) -> IpConfiguration:
        """The IP configuration that stands for the NIC."""
        return next(each for each in self.configurations if each.primary)

    def slot(self, configuration: IpConfiguration) -> str:
        """Return by what its counterpart on another NIC is found: "" for primary, else the folded name."""
        return "" if configuration.primary else configuration.name.casefold()

    def at_slot(self, slot: str) -> IpConfiguration | None:
        """Return the IP configuration of a slot, if the NIC has one."""
        return next((each for each in self.configurations if self.slot(each) == slot), None)


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM as its NICs tell of it; the primary NIC comes first."""

    id: str
    interfaces: tuple[Interface, ...]

    @property
    def name(self) -> str:
        """Its name, which another resource group may have, too."""
        return last_part(self.id)

    def on(self, subnet: str) -> tuple[Interface, ...]:
        """Return its NICs in a subnet."""
        return tuple(each for each in self.interfaces if each.subnet.casefold() == subnet.casefold())


@dataclass(frozen=True, slots=True)
class Table:
    """A route table: its routes to one appliance, {route: addresses} of those to several, and who uses it."""

    id: str
    hops: tuple[NextHop, ...]
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subnets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return last_part(self.id)


@dataclass(frozen=True, slots=True)
class Place:
    """One private address of a VM."""

    machine: Machine
    interface: Interface
    configuration: IpConfiguration


@dataclass(frozen=True, slots=True)
class Seen:
    """A network as it was read.

    Args:
        machines: VMs with at least one NIC that was read.
        tables: route tables.
        frontends: {private address: id inside a load balancer}.
        resources: every body, by folded id.
        strange: what could not be understood, a sentence each.
    """

    machines: tuple[Machine, ...] = ()
    tables: tuple[Table, ...] = ()
    frontends: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    strange: tuple[str, ...] = ()

    def get(self, resource_id: str) -> Resource | None:
        """Return a resource by its id, if it was read."""
        return self.resources.get(resource_id.casefold())

    def places(self) -> dict[str, tuple[Place, ...]]:
        """Return who has each private address; networks that are not joined may have the same ones."""
        found: dict[str, tuple[Place, ...]] = {}
        for machine in self.machines:
            for interface in machine.interfaces:
                for each in interface.configurations:
                    if each.private_ip is not None:
                        place = Place(machine, interface, each)
                        found[each.private_ip] = (*found.get(each.private_ip, ()), place)
        return found


def counted(number: int, what: str) -> str:
    """Return a number with its word, in the plural if need be."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def network_of(subnet: str) -> str:
    """Return the folded id of the virtual network that a subnet is in."""
    return subnet.casefold().partition("/subnets/")[0]


def seen(bodies: Iterable[Resource]) -> Seen:
    """Return what ARM's bodies say; those of other types than the four that are asked for are left out.

    Args:
        bodies: NICs, route tables, public IPs and load balancers, as lists show them.
    """
    resources = {each.id.casefold(): each for each in bodies}
    strange: list[str] = []
    machines: dict[str, tuple[str, list[tuple[bool, Interface]]]] = {}
    tables: list[Table] = []
    frontends: dict[str, str] = {}
    good: dict[str, Resource] = {}
    for key, resource in resources.items():
        kind = _kind(resource.id)
        try:
            check(resource)
            if kind == NICS.casefold():
                machine = _id(resource.body, "properties", "virtualMachine")
                interface = _interface(resource) if machine else None
                if machine and interface:
                    _, interfaces = machines.setdefault(machine.casefold(), (machine, []))
                    interfaces.append((_at(resource.body, "properties", "primary") is not True, interface))
            elif kind == ROUTE_TABLES.casefold():
                tables.append(_table(resource))
            elif kind == BALANCERS.casefold():
                frontends |= _frontends(resource)
            good[key] = resource
        except UnreadableBodyError as error:
            strange.append(f"{last_part(resource.id)} is left out: {error}")
    return Seen(
        tuple(
            Machine(machine, tuple(each for _, each in sorted(interfaces, key=lambda each: each[0])))
            for machine, interfaces in machines.values()
        ),
        tuple(tables),
        frontends,
        good,
        tuple(strange),
    )


def _kind(resource_id: str) -> str:
    return resource_id.casefold().rpartition("/providers/microsoft.network/")[2].partition("/")[0]


def _interface(nic: Resource) -> Interface | None:
    """Return a NIC, or None if it is in no subnet: then nothing can be routed to it."""
    configurations = ip_configurations(nic)
    properties = [each.get("properties") for each in _dicts(nic.body, "properties", "ipConfigurations")]
    subnets = [subnet for each in properties if (subnet := _id(each, "subnet"))]
    if not configurations or not subnets:
        return None
    pools = ("loadBalancerBackendAddressPools", "loadBalancerInboundNatRules")
    references = [other for each in properties for pool in pools for other in _dicts(each, pool)]
    balancers = tuple(str(each["id"]) for each in references if isinstance(each.get("id"), str))
    return Interface(nic.id, subnets[0], configurations, forwards(nic), balancers)


def _table(table: Resource) -> Table:
    several = {}
    for route in _dicts(table.body, "properties", "routes"):
        addresses = _at(route, "properties", "nextHop", "nextHopIpAddresses")
        if isinstance(addresses, list) and addresses:
            several[str(route.get("name"))] = tuple(canonical(str(each)) for each in addresses)
    used = (each.get("id") for each in _dicts(table.body, "properties", "subnets"))
    return Table(table.id, next_hops(table), several, tuple(each for each in used if isinstance(each, str)))


def _frontends(balancer: Resource) -> dict[str, str]:
    return {
        canonical(address): f"{balancer.id}/frontendIPConfigurations/{each.get('name')}"
        for each in _dicts(balancer.body, "properties", "frontendIPConfigurations")
        if isinstance(address := _at(each, "properties", "privateIPAddress"), str)
    }


def balancer_of(part: str) -> str:
    """Return the name of the load balancer that an id is inside of."""
    return re.split(f"/{BALANCERS}/", part, flags=re.IGNORECASE)[-1].partition("/")[0]


def inside_one(parts: Iterable[str], frontend: str) -> bool:
    """Tell whether one of the ids is inside the same load balancer as a frontend."""
    balancer = frontend.partition("/frontendIPConfigurations/")[0]
    return any(is_part_of(each, balancer) for each in parts)


def _at(value: object, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _id(value: object, *keys: str) -> str | None:
    found = _at(value, *keys, "id")
    return found if isinstance(found, str) and found else None


def _dicts(value: object, *keys: str) -> Iterator[Mapping[str, Any]]:
    found = _at(value, *keys)
    yield from (each for each in (found if isinstance(found, list) else []) if isinstance(each, Mapping))
