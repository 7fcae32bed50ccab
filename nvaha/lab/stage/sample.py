"""The sample environment as Azure would show it, and the configuration that belongs to it.

One virtual network with NVAs between an external and an internal subnet. The first NVA is active: it holds
the public IPs, and the route tables lead to its internal interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import Any

Json = dict[str, Any]

SUBSCRIPTION = "7d5f3c1a-2b64-4e0f-9a38-51c6e0b7d942"
RESOURCE_GROUP = "ha-nva-rg"
LOCATION = "westeurope"
SUBNETS = {
    "dmz-external": ip_network("10.0.0.64/27"),
    "dmz-internal": ip_network("10.0.0.96/27"),
    "mgmt": ip_network("10.0.0.128/25"),
    "web": ip_network("10.0.1.0/24"),
}
OWN_PREFIXES = ("0.0.0.0/0", "10.1.0.0/16")
ACTIVE_ROLE = "internal"
PUBLIC_ROLE = "external"
PROBE_PORT = 22
_ROLES = {PUBLIC_ROLE: "dmz-external", ACTIVE_ROLE: "dmz-internal"}
_FIRST_HOST = 4
_LAST_HOST = 30


@dataclass(frozen=True, slots=True)
class SampleNva:
    """One NVA of the sample: NIC ids and primary private addresses, by role."""

    name: str
    interfaces: Mapping[str, str]
    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Environment:
    """A whole sample.

    Args:
        resources: every body, as Azure's GET shows it.
        nvas: in order of preference; the first is active.
        route_tables: their ids.
        public_ips: their ids; number i is on the IP configuration `ipconfig{i+1}` of the active external NIC.
        prefixes: the destinations that lead to the active NVA.
        canary: id of the canary's route table, or None.
    """

    resources: tuple[Json, ...]
    nvas: tuple[SampleNva, ...]
    route_tables: tuple[str, ...]
    public_ips: tuple[str, ...]
    prefixes: tuple[str, ...]
    canary: str | None = None


def environment(
    nvas: int = 2,
    public_ips: int = 1,
    route_tables: int = 2,
    *,
    routes: Sequence[str] = OWN_PREFIXES,
    subscription: str = SUBSCRIPTION,
    resource_group: str = RESOURCE_GROUP,
    prefix: str = "ha-nva",
    canary: bool = False,
) -> Environment:
    """Build a sample environment.

    Args:
        nvas: how many NVAs; at least 2.
        public_ips: how many public IPs follow the active NVA, each on its own IP configuration.
        route_tables: how many route tables follow it.
        routes: the prefixes that lead to the active NVA in every route table.
        subscription: its id.
        resource_group: its name.
        prefix: what every name starts with.
        canary: whether there is a route table for one.

    Raises:
        ValueError: the addresses of the external /27 do not suffice.
    """
    configurations = max(2, public_ips)
    if nvas < 2 or nvas * configurations > _LAST_HOST - _FIRST_HOST + 1:
        msg = (
            f"{nvas} NVAs with {configurations} IP configurations each do not fit into a /27; at least 2 NVAs"
        )
        raise ValueError(msg)
    scope = f"/subscriptions/{subscription}/resourceGroups/{resource_group}/providers"
    names = _Names(scope, prefix)
    machines = tuple(_nva(names, index) for index in range(nvas))
    addresses = tuple(names.public_ip(index) for index in range(public_ips))
    tables = tuple(names.route_table(index) for index in range(route_tables))
    active = machines[0].addresses[ACTIVE_ROLE]
    nics = [
        _nic(names, index, role, machines[index], _slots(role, index, nvas, addresses, configurations))
        for index in range(nvas)
        for role in _ROLES
    ]
    holders = [
        f"{machines[0].interfaces[PUBLIC_ROLE]}/ipConfigurations/ipconfig{i + 1}" for i in range(public_ips)
    ]
    canary_table = names.network("routeTables", "canary") if canary else None
    return Environment(
        (
            *([_canary_table(canary_table)] if canary_table else ()),
            *nics,
            *(_public_ip(public_ip, i, holders[i]) for i, public_ip in enumerate(addresses)),
            *(_route_table(names, table, routes, active) for table in tables),
        ),
        machines,
        tables,
        addresses,
        tuple(routes),
        canary_table,
    )


def configuration(
    sample: Environment,
    addresses: Mapping[str, tuple[str, int]] | None = None,
    *,
    name: str = "edge",
    probe: Mapping[str, object] | None = None,
    policy: Mapping[str, object] | None = None,
) -> Json:
    """Return the configuration file, as a dictionary, that makes the sample one group.

    Args:
        sample: what `environment` built.
        addresses: where to probe, (address, port) by the NVA's name; the internal interface's own address and
            port 22 where it says nothing.
        name: the group's name.
        probe: the group's probe settings.
        policy: the group's policy.
    """
    nvas = []
    for nva in sample.nvas:
        if addresses and nva.name in addresses:
            address, port = addresses[nva.name]
            target: Json = {"address": address, "port": port}
        else:
            target = {"interface": ACTIVE_ROLE, "port": PROBE_PORT}
        nvas.append({"name": nva.name, "interfaces": dict(nva.interfaces), "probe": target})
    group: Json = {"name": name, "nvas": nvas}
    if sample.route_tables:
        group["route_tables"] = list(sample.route_tables)
    if len(sample.public_ips) == 1:
        group["public_ips"] = {PUBLIC_ROLE: sample.public_ips[0]}
    elif sample.public_ips:
        group["public_ips"] = {
            PUBLIC_ROLE: [
                {"id": public_ip, "ip_configuration": f"ipconfig{i + 1}"}
                for i, public_ip in enumerate(sample.public_ips)
            ]
        }
    if probe:
        group["probe"] = dict(probe)
    if policy:
        group["policy"] = dict(policy)
    canary: Json = {"canary": {"route_table": sample.canary}} if sample.canary else {}
    return {**canary, "groups": [group]}


@dataclass(frozen=True, slots=True)
class _Names:
    scope: str
    prefix: str

    def network(self, kind: str, name: str) -> str:
        return f"{self.scope}/Microsoft.Network/{kind}/{self.prefix}-{name}"

    def machine(self, index: int) -> str:
        return f"{self.scope}/Microsoft.Compute/virtualMachines/{self.prefix}-vm{index + 1}"

    def nic(self, index: int, role: str) -> str:
        return self.network("networkInterfaces", f"vm{index + 1}-nic{list(_ROLES).index(role) + 1}")

    def subnet(self, name: str) -> str:
        return f"{self.network('virtualNetworks', 'vnet')}/subnets/{name}"

    def public_ip(self, index: int) -> str:
        return self.network("publicIPAddresses", _numbered("pip", index))

    def route_table(self, index: int) -> str:
        return self.network("routeTables", "mgmt-udr" if index == 1 else _numbered("udr", index))


def _numbered(name: str, index: int) -> str:
    return name if index == 0 else f"{name}{index + 1}"


def _address(role: str, host: int) -> str:
    return str(SUBNETS[_ROLES[role]].network_address + _FIRST_HOST + host)


def _nva(names: _Names, index: int) -> SampleNva:
    return SampleNva(
        names.machine(index).rpartition("/")[2],
        {role: names.nic(index, role) for role in _ROLES},
        {role: _address(role, index) for role in _ROLES},
    )


def _slots(
    role: str, index: int, nvas: int, public_ips: Sequence[str], configurations: int
) -> list[tuple[str, str | None]]:
    """Return each IP configuration's private address and public IP; only the external NICs have several."""
    if role != PUBLIC_ROLE:
        return [(_address(role, index), None)]
    held = list(public_ips) if index == 0 else []
    held += [""] * (configurations - len(held))
    return [(_address(role, index + number * nvas), held[number] or None) for number in range(configurations)]


def _nic(
    names: _Names, index: int, role: str, nva: SampleNva, slots: Sequence[tuple[str, str | None]]
) -> Json:
    resource_id = nva.interfaces[role]
    number = index * len(_ROLES) + list(_ROLES).index(role)
    return {
        "name": resource_id.rpartition("/")[2],
        "id": resource_id,
        "type": "Microsoft.Network/networkInterfaces",
        "location": LOCATION,
        "kind": "Regular",
        "tags": {"environment": "sample", "role": role, "owner": "network team"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": f"5b1d0000-0000-4000-8000-{number:012d}",
            "ipConfigurations": [
                _ip_configuration(resource_id, i, address, names.subnet(_ROLES[role]), public_ip)
                for i, (address, public_ip) in enumerate(slots)
            ],
            "dnsSettings": {
                "dnsServers": ["10.0.0.132", "168.63.129.16"],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": "kq3oyfiqyaruzhhpv2cfbtxmyd.ax.internal.cloudapp.net",
            },
            "macAddress": f"00-0D-3A-2B-10-{number:02X}",
            "enableAcceleratedNetworking": True,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": True,
            "disableTcpStateTracking": False,
            "networkSecurityGroup": {"id": names.network("networkSecurityGroups", f"{role}-nsg")},
            "primary": role == PUBLIC_ROLE,
            "virtualMachine": {"id": names.machine(index)},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "allowPort25Out": True,
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
        },
    }


def _ip_configuration(nic: str, index: int, address: str, subnet: str, public_ip: str | None) -> Json:
    properties: Json = {
        "provisioningState": "Succeeded",
        "privateIPAddress": address,
        "privateIPAllocationMethod": "Static",
        "subnet": {"id": subnet},
        "primary": index == 0,
        "privateIPAddressVersion": "IPv4",
        # No model of any SDK knows this one; a whole-resource PUT must carry it along all the same.
        "sampleServiceHint": {"revision": index + 1, "labels": ["kept"]},
    }
    if public_ip is not None:
        properties["publicIPAddress"] = {"id": public_ip, "properties": {"deleteOption": "Detach"}}
    return {
        "name": f"ipconfig{index + 1}",
        "id": f"{nic}/ipConfigurations/ipconfig{index + 1}",
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": properties,
    }


def _public_ip(resource_id: str, index: int, holder: str) -> Json:
    name = resource_id.rpartition("/")[2]
    return {
        "name": name,
        "id": resource_id,
        "type": "Microsoft.Network/publicIPAddresses",
        "location": LOCATION,
        "sku": {"name": "Standard", "tier": "Regional"},
        "zones": ["1", "2", "3"],
        "tags": {"environment": "sample"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": f"5b1d0000-0000-4000-9000-{index:012d}",
            "ipAddress": str(IPv4Address("203.0.113.10") + index),
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "dnsSettings": {"domainNameLabel": name, "fqdn": f"{name}.{LOCATION}.cloudapp.azure.com"},
            "ipTags": [],
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
            "ipConfiguration": {"id": holder},
        },
    }


def _route_table(names: _Names, resource_id: str, prefixes: Sequence[str], next_hop: str) -> Json:
    name = resource_id.rpartition("/")[2]
    routes = [
        _route(resource_id, f"to-nva-{i + 1}", each, "VirtualAppliance", next_hop)
        for i, each in enumerate(prefixes)
    ]
    routes += [
        _route(resource_id, "management-internet", "198.51.100.0/24", "Internet"),
        _route(resource_id, "within-vnet", "10.0.0.0/16", "VnetLocal"),
        _route(resource_id, "other-appliance", "192.168.0.0/16", "VirtualAppliance", "10.0.2.4"),
    ]
    subnet = "mgmt" if "mgmt" in name else "web"
    return {
        "name": name,
        "id": resource_id,
        "type": "Microsoft.Network/routeTables",
        "location": LOCATION,
        "tags": {"environment": "sample", "owner": "network team"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": f"5b1d0000-0000-4000-a000-{sum(name.encode()):012d}",
            "disableBgpRoutePropagation": True,
            "routes": routes,
            "subnets": [{"id": names.subnet(subnet)}],
        },
    }


def _canary_table(resource_id: str) -> Json:
    """Return a table as the deployment makes one: no subnet uses it."""
    return {
        "name": resource_id.rpartition("/")[2],
        "id": resource_id,
        "type": "Microsoft.Network/routeTables",
        "location": LOCATION,
        "tags": {"environment": "sample"},
        "properties": {
            "provisioningState": "Succeeded",
            "disableBgpRoutePropagation": True,
            "routes": [_route(resource_id, "canary", "203.0.113.0/24", "VirtualAppliance", "192.0.2.1")],
        },
    }


def _route(table: str, name: str, prefix: str, kind: str, next_hop: str | None = None) -> Json:
    properties: Json = {
        "provisioningState": "Succeeded",
        "addressPrefix": prefix,
        "nextHopType": kind,
        "hasBgpOverride": False,
    }
    if next_hop is not None:
        properties["nextHopIpAddress"] = next_hop
    return {
        "name": name,
        "id": f"{table}/routes/{name}",
        "type": "Microsoft.Network/routeTables/routes",
        "properties": properties,
    }
