"""What a scenario's groups look like: their configuration, and their resources in Azure."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nvaha.core.canary import ADDRESSES, NAME, PREFIX, canary_group
from nvaha.model import CanarySpec, Configuration, ControlTarget, Group, Nva, Policy, ProbeSpec, PublicIp
from tests.simulation.knobs import Knobs

if TYPE_CHECKING:
    from tests.simulation.azure import Arm

ROLES = ("external", "internal")
NETWORK = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network"
FOREIGN_ADDRESS = "10.99.0.1"
SECOND = "second"
CANARY_TABLE = f"{NETWORK}/routeTables/canary"
CANARY_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address belongs: the NVA's group, name, role, and IP configuration."""

    group: str
    nva: str
    role: str
    configuration: str


def configuration_of(knobs: Knobs) -> Configuration:
    """Return the scenario's configuration."""
    targets = (ControlTarget("192.0.2.53", 443),) if knobs.control_target else ()
    canary = canary_group(CANARY_TABLE, CanarySpec(every_s=CANARY_EVERY_S)) if knobs.canary else None
    return Configuration(tuple(_group(knobs, number) for number in range(knobs.groups)), targets, canary)


def roles_of(knobs: Knobs) -> tuple[str, ...]:
    """Return the roles of the scenario's interfaces."""
    return ROLES[-knobs.roles :]


def addresses_of(knobs: Knobs) -> dict[str, Place]:
    """Return whose each address is."""
    canary = ADDRESSES.items() if knobs.canary else ()
    return {at: Place(NAME, nva, "", "") for nva, at in canary} | {
        address(group, roles.index(role), nva, second=second): Place(
            f"g{group}", f"g{group}n{nva}", role, SECOND if second else first_name(nva)
        )
        for roles in [roles_of(knobs)]
        for group in range(knobs.groups)
        for nva in range(knobs.nvas)
        for role in roles
        for second in (False, True)
    }


def address(group: int, role: int, nva: int, *, second: bool) -> str:
    """Return the private address of an IP configuration."""
    return f"10.{group}.{role}.{(100 if second else 10) + nva}"


def first_name(nva: int) -> str:
    """Return the name of an NVA's primary IP configurations, which differs from NVA to NVA."""
    return f"primary-{nva}"


def nic_id(group: int, nva: int, role: str) -> str:
    """Return the id of an NVA's NIC, in mixed case as users write ids."""
    return f"{NETWORK}/networkInterfaces/G{group}n{nva}-{role}"


def table_id(knobs: Knobs, group: int, table: int) -> str:
    """Return the id of a group's table; in some scenarios all groups have the first one in common."""
    owner = 0 if knobs.shared_table and table == 0 else group
    return f"{NETWORK}/routeTables/g{owner}-table{table}"


def _group(knobs: Knobs, number: int) -> Group:
    roles = roles_of(knobs)
    nvas = tuple(
        Nva(
            f"g{number}n{nva}",
            {role: nic_id(number, nva, role) for role in roles},
            ProbeSpec(
                interface=None if knobs.fixed_addresses else roles[-1],
                address=address(number, len(roles) - 1, nva, second=False) if knobs.fixed_addresses else None,
                interval_s=knobs.interval_s,
                fast_interval_s=min(knobs.fast_interval_s, knobs.interval_s),
                timeout_s=knobs.timeout_s,
                fall=knobs.fall,
                rise=knobs.rise,
            ),
        )
        for nva in range(knobs.nvas)
    )
    public_ips = (
        PublicIp(roles[0], f"{NETWORK}/publicIPAddresses/g{number}-pip0"),
        PublicIp(roles[-1], f"{NETWORK}/publicIPAddresses/g{number}-pip1", SECOND),
    )
    return Group(
        f"g{number}",
        nvas,
        tuple(table_id(knobs, number, each) for each in range(knobs.tables)),
        public_ips[: knobs.public_ips],
        Policy(**{each.name: getattr(knobs, each.name) for each in fields(Policy)}),
    )


def furnish(arm: Arm, configuration: Configuration, knobs: Knobs, rng: random.Random) -> None:
    """Put every group's resources there, on their first NVA or, in some scenarios, scattered."""
    if configuration.canary is not None:
        route = _route("canary", "VirtualAppliance", ADDRESSES["first"])
        route["properties"]["addressPrefix"] = PREFIX
        arm.create(CANARY_TABLE, "table", _table([route]))
    for number, group in enumerate(configuration.groups):

        def at() -> int:
            return rng.randrange(knobs.nvas) if knobs.split_at_start else 0

        places = {each.id: at() for each in group.public_ips}
        for public_ip in group.public_ips:
            arm.create(public_ip.id, "pip", {"properties": {"ipAddress": "198.51.100.1"}, "tags": {}})
        for index in range(knobs.nvas):
            for order, role in enumerate(roles_of(knobs)):
                carried = {
                    each.ip_configuration: each.id
                    for each in group.public_ips
                    if each.role == role and places[each.id] == index
                }
                arm.create(nic_id(number, index, role), "nic", _nic(number, order, index, carried))
        for table in group.route_tables:
            shared = arm.entries.get(table.casefold())
            routes = shared.body["properties"]["routes"] if shared else _foreign_routes()
            arm.create(table, "table", _table([*routes, *_routes(number, knobs, rng, at)]))


def _nic(group: int, role: int, nva: int, carried: dict[str | None, str]) -> dict[str, Any]:
    configurations = []
    for second in (False, True):
        properties: dict[str, Any] = {
            "privateIPAddress": address(group, role, nva, second=second),
            "primary": not second,
            "unheardOf": {"kept": True},
        }
        public_ip = carried.get(SECOND if second else None)
        if public_ip is not None:
            properties["publicIPAddress"] = {"id": public_ip}
        configurations.append({"name": SECOND if second else first_name(nva), "properties": properties})
    return {"properties": {"enableIPForwarding": True, "ipConfigurations": configurations}, "tags": {}}


def _foreign_routes() -> list[dict[str, Any]]:
    return [_route("internet", "Internet", None), _route("foreign", "VirtualAppliance", FOREIGN_ADDRESS)]


def _routes(group: int, knobs: Knobs, rng: random.Random, at: Any) -> list[dict[str, Any]]:
    routes = []
    for number in range(rng.randint(1, 3)):
        role, second = rng.randrange(knobs.roles), rng.random() < 0.3
        hop = address(group, role, at(), second=second)
        routes.append(_route(f"g{group}-{number}", "VirtualAppliance", hop))
    return routes


def _table(routes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"properties": {"disableBgpRoutePropagation": True, "routes": routes}, "tags": {}}


def _route(name: str, kind: str, hop: str | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"addressPrefix": f"10.{len(name)}.0.0/16", "nextHopType": kind}
    if hop is not None:
        properties["nextHopIpAddress"] = hop
    return {"name": name, "properties": properties}
