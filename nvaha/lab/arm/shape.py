"""What a whole-resource PUT makes of a resource.

What the service owns stays as it is, whatever the body says of it; what the body leaves out is lost, or falls
back to Azure's default; what the body says and no model knows is kept. Which properties the service owns is
`readOnly` in Microsoft's OpenAPI description of Microsoft.Network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from nvaha.lab.arm.address import LOAD_BALANCERS, NICS, PUBLIC_IPS, ROUTE_TABLES, Address

Json = dict[str, Any]

CHILDREN = {ROUTE_TABLES: "routes", NICS: "ipConfigurations"}
_SERVICE_OWNED = {
    ROUTE_TABLES: ("provisioningState", "resourceGuid", "subnets"),
    NICS: (
        "provisioningState",
        "resourceGuid",
        "macAddress",
        "primary",
        "virtualMachine",
        "tapConfigurations",
        "privateEndpoint",
        "vnetEncryptionSupported",
        "defaultOutboundConnectivityEnabled",
        "hostedWorkloads",
        "dscpConfiguration",
    ),
    PUBLIC_IPS: ("provisioningState", "resourceGuid", "ipConfiguration", "ipAddress"),
    LOAD_BALANCERS: ("provisioningState", "resourceGuid"),
}
_SERVICE_OWNED_OF_CHILDREN = {
    ROUTE_TABLES: ("provisioningState", "hasBgpOverride"),
    NICS: ("provisioningState", "privateLinkConnectionProperties"),
}
_SERVICE_OWNED_DNS = ("appliedDnsServers", "internalFqdn", "internalDomainNameSuffix")


def shape(sent: Json, old: Json | None, address: Address, new_guid: Callable[[], str]) -> Json:
    """Return the resource's body after a PUT, still without its new ETag and state.

    Args:
        sent: the request's body; not changed.
        old: the body before, or None for a new resource.
        address: where the resource is.
        new_guid: gives a fresh GUID.
    """
    body = copy.deepcopy(sent)
    properties: Json = body.setdefault("properties", {})
    known = old or {}
    body["id"] = known.get("id", address.resource_id)
    body["name"] = known.get("name", address.name)
    body["type"] = f"Microsoft.Network/{address.kind}"
    _keep(properties, known.get("properties", {}), _SERVICE_OWNED[address.kind])
    properties.setdefault("resourceGuid", new_guid())
    if address.kind == ROUTE_TABLES:
        _shape_route_table(body, known)
    elif address.kind == NICS:
        _shape_nic(properties, known.get("properties", {}))
        _shape_ip_configurations(body, known)
    elif address.kind == PUBLIC_IPS:
        _shape_public_ip(body)
    return body


def stamp(body: Json, etag: str, state: str) -> None:
    """Write a new ETag and provisioning state into a resource and its parts, which share them."""
    body["etag"] = etag
    body["properties"]["provisioningState"] = state
    for child in children(body):
        child["etag"] = etag
        child.setdefault("properties", {})["provisioningState"] = state


def children(body: Json) -> list[Json]:
    """Return the routes of a route table, the IP configurations of a NIC, and nothing else."""
    name = CHILDREN.get(str(body.get("type", "")).rpartition("/")[2])
    return (body["properties"].get(name) or []) if name else []


def public_ip_references(body: Json) -> Iterator[tuple[Json, str]]:
    """Yield each IP configuration of a NIC that has a public IP, with the public IP's id."""
    for configuration in children(body):
        reference = configuration.get("properties", {}).get("publicIPAddress")
        if reference:
            yield configuration, reference["id"]


def without_state(body: Json) -> Json:
    """Return a copy without ETags and states, to tell whether a write changes anything."""
    plain = copy.deepcopy(body)
    stamp(plain, "", "")
    return plain


def _keep(properties: Json, old: Json, names: Iterable[str]) -> None:
    for name in names:
        properties.pop(name, None)
        if name in old:
            properties[name] = copy.deepcopy(old[name])


def _shape_children(body: Json, old: Json, kind: str) -> None:
    before = {child["name"].casefold(): child for child in children(old)} if old else {}
    for child in body["properties"].setdefault(CHILDREN[kind], []):
        was = before.get(child["name"].casefold(), {})
        child["name"] = was.get("name", child["name"])
        child["id"] = f"{body['id']}/{CHILDREN[kind]}/{child['name']}"
        child["type"] = f"Microsoft.Network/{kind}/{CHILDREN[kind]}"
        _keep(
            child.setdefault("properties", {}),
            was.get("properties", {}),
            _SERVICE_OWNED_OF_CHILDREN[kind],
        )


def _shape_route_table(body: Json, old: Json) -> None:
    body["properties"].setdefault("disableBgpRoutePropagation", False)
    _shape_children(body, old, ROUTE_TABLES)
    for route in children(body):
        route["properties"].setdefault("hasBgpOverride", False)


def _shape_nic(properties: Json, old: Json) -> None:
    for name in ("enableAcceleratedNetworking", "enableIPForwarding", "disableTcpStateTracking"):
        properties.setdefault(name, False)
    properties.setdefault("vnetEncryptionSupported", False)
    dns: Json = properties.setdefault("dnsSettings", {})
    _keep(dns, old.get("dnsSettings", {}), _SERVICE_OWNED_DNS)
    dns.setdefault("dnsServers", [])
    dns.setdefault("appliedDnsServers", [])


def _shape_ip_configurations(body: Json, old: Json) -> None:
    _shape_children(body, old, NICS)
    configurations = children(body)
    if not configurations:
        return
    before = {child["name"].casefold(): child["properties"] for child in children(old)} if old else {}
    subnet = configurations[0]["properties"].get("subnet")
    someone_is_primary = any(each["properties"].get("primary") for each in configurations)
    for index, configuration in enumerate(configurations):
        properties = configuration["properties"]
        was = before.get(configuration["name"].casefold(), {})
        if subnet:
            properties.setdefault("subnet", copy.deepcopy(was.get("subnet", subnet)))
        properties.setdefault("primary", index == 0 and not someone_is_primary)
        properties.setdefault("privateIPAddressVersion", "IPv4")
        properties.setdefault("privateIPAllocationMethod", "Dynamic")
        if "privateIPAddress" not in properties:
            properties["privateIPAddress"] = was.get("privateIPAddress") or _next_address(configurations)


def _next_address(configurations: list[Json]) -> str:
    taken = [
        ip_address(each["properties"]["privateIPAddress"].partition("/")[0])
        for each in configurations
        if each["properties"].get("privateIPAddress")
    ]
    return str(max(taken, key=int) + 1) if taken else "10.0.0.4"


def _shape_public_ip(body: Json) -> None:
    body.setdefault("sku", {"name": "Basic", "tier": "Regional"})
    properties = body["properties"]
    properties.setdefault("publicIPAddressVersion", "IPv4")
    properties.setdefault("publicIPAllocationMethod", "Dynamic")
    properties.setdefault("idleTimeoutInMinutes", 4)
    properties.setdefault("ipTags", [])
    properties.setdefault("ddosSettings", {"protectionMode": "VirtualNetworkInherited"})
