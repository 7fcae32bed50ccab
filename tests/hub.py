"""Networks as Azure's lists show them, small enough to be written in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nvaha.model import Resource

SUBSCRIPTION = "/subscriptions/7d5f3c1a-2b64-4e0f-9a38-51c6e0b7d942"
GROUP = f"{SUBSCRIPTION}/resourceGroups/hub-rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
Json = dict[str, Any]


def subnet(name: str, network: str = "hub") -> str:
    """Return a subnet's id."""
    return f"{NETWORK}/virtualNetworks/{network}/subnets/{name}"


def vm(name: str, group: str = GROUP) -> str:
    """Return a VM's id."""
    return f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def config(
    address: str, public_ip: str = "", *, name: str = "ipconfig1", primary: bool = True, version: str = "IPv4"
) -> Json:
    """Return an IP configuration, still without its subnet."""
    properties: Json = {
        "privateIPAddress": address,
        "privateIPAllocationMethod": "Static",
        "privateIPAddressVersion": version,
        "primary": primary,
    }
    if public_ip:
        properties["publicIPAddress"] = {"id": f"{NETWORK}/publicIPAddresses/{public_ip}"}
    return {"name": name, "properties": properties}


def nic(
    name: str,
    machine: str,
    where: str,
    *configs: Json,
    forwards: bool = True,
    pool: str = "",
    tags: Mapping[str, str] | None = None,
) -> Resource:
    """Return a NIC of a VM, by the names of VM and subnet or their ids; `pool` is a load balancer's name."""
    there = where if "/" in where else subnet(where)
    properties: Json = {
        "enableIPForwarding": forwards,
        "virtualMachine": {"id": machine if "/" in machine else vm(machine)},
        "ipConfigurations": [
            {**each, "properties": {**each["properties"], "subnet": {"id": there}}} for each in configs
        ],
    }
    if pool:
        backend = f"{NETWORK}/loadBalancers/{pool}/backendAddressPools/nvas"
        first = properties["ipConfigurations"][0]["properties"]
        first["loadBalancerBackendAddressPools"] = [{"id": backend}]
    return _resource("networkInterfaces", name, properties, tags=dict(tags or {}))


def table(
    name: str,
    hops: Sequence[str],
    *,
    used_by: Sequence[str] = (),
    several: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> Resource:
    """Return a route table with a route to each next hop, and one to `several` at once."""
    routes: list[Json] = [
        {
            "name": f"route{number}",
            "properties": {
                "addressPrefix": f"10.{100 + number}.0.0/16",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": hop,
            },
        }
        for number, hop in enumerate(hops)
    ]
    if several:
        properties = {
            "addressPrefix": "0.0.0.0/0",
            "nextHopType": "VirtualApplianceEcmp",
            "nextHop": {"nextHopIpAddresses": list(several)},
        }
        routes.append({"name": "to-all", "properties": properties})
    subnets = [{"id": each if "/" in each else subnet(each, "spoke")} for each in used_by]
    return _resource("routeTables", name, {"routes": routes, "subnets": subnets}, tags=dict(tags or {}))


def public_ip(
    name: str, address: str = "203.0.113.10", *, sku: str = "Standard", version: str = "IPv4"
) -> Resource:
    """Return a public IP."""
    properties = {
        "ipAddress": address,
        "publicIPAddressVersion": version,
        "publicIPAllocationMethod": "Static",
    }
    return _resource("publicIPAddresses", name, properties, sku={"name": sku})


def balancer(name: str, address: str) -> Resource:
    """Return an internal load balancer."""
    frontend = {"name": "front", "properties": {"privateIPAddress": address}}
    return _resource("loadBalancers", name, {"frontendIPConfigurations": [frontend]})


def pair() -> list[Resource]:
    """Return two NVAs between two subnets, the first active, with a table and a public IP."""
    return [
        nic("fw1-ext", "fw1", "untrust", config("10.0.1.4", "pip")),
        nic("fw1-int", "fw1", "trust", config("10.0.2.4")),
        nic("fw2-ext", "fw2", "untrust", config("10.0.1.5")),
        nic("fw2-int", "fw2", "trust", config("10.0.2.5")),
        table("udr", ["10.0.2.4"], used_by=["web"]),
        public_ip("pip"),
    ]


def _resource(kind: str, name: str, properties: Json, **more: object) -> Resource:
    resource_id = f"{NETWORK}/{kind}/{name}"
    body = {"id": resource_id, "name": name, "location": "westeurope", "properties": properties, **more}
    return Resource(resource_id, 'W/"1"', body)
