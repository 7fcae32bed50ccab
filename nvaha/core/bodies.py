"""Reading and editing ARM bodies: pure; the whole body goes in and the whole body comes out.

Whatever is not asked for here is carried over untouched, whether anybody knows the property or not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nvaha.model import Resource, same_id
from nvaha.text import shown


class UnreadableBodyError(ValueError):
    """An ARM body is not what Azure documents; says the resource, the property and the value."""

    def __init__(self, resource: Resource, where: str, value: object, expected: str) -> None:
        super().__init__(f"{resource.id}: {where} is '{shown(str(value), 80)}', expected {expected}")


@dataclass(frozen=True, slots=True)
class NextHop:
    """One route that sends traffic to a virtual appliance."""

    route: str
    prefix: str
    address: str


@dataclass(frozen=True, slots=True)
class IpConfiguration:
    """One IP configuration of a NIC; `dynamic` tells whether its private address may change."""

    name: str
    private_ip: str | None
    public_ip: str | None
    primary: bool
    version: str = "IPv4"
    dynamic: bool = False


_SAME_IN_ANY_BASE = re.compile(r"(?<![0-9])0+(?=[0-7](?![0-9]))")
"""Zeros that say nothing: some read a number that begins with one as octal, and up to 7 that is the same."""


@lru_cache(maxsize=4096)
def canonical(address: str) -> str:
    """Return an IP address in its one canonical form, by which addresses are compared.

    White space around it does not count, an IPv4 address mapped into IPv6 is the IPv4 address, and what is no
    address, or would be another one to some, is returned as it is.
    """
    text = address.strip()
    if ":" not in text:
        text = _SAME_IN_ANY_BASE.sub("", text)
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def next_hops(table: Resource) -> tuple[NextHop, ...]:
    """Return the route table's routes to virtual appliances; UnreadableBodyError if it has no such shape."""
    found = []
    for route in _children(table, "routes"):
        properties = _properties(table, route)
        address = properties.get("nextHopIpAddress")
        if str(properties.get("nextHopType")).casefold() == "virtualappliance" and isinstance(address, str):
            found.append(NextHop(_name(table, route), str(properties.get("addressPrefix")), address))
    return tuple(found)


def routes(table: Resource) -> tuple[str, ...]:
    """Return the names of all of a route table's routes; UnreadableBodyError if it has no such shape."""
    return tuple(_name(table, route) for route in _children(table, "routes"))


def subnets(table: Resource) -> int:
    """Return how many subnets a route table is associated with; UnreadableBodyError if it does not say."""
    return len(list(_children(table, "subnets")))


def ip_configurations(nic: Resource) -> tuple[IpConfiguration, ...]:
    """Return the NIC's IP configurations; UnreadableBodyError if it has no such shape.

    Where no configuration says that it is primary, the first one is: ARM omits the flag on NICs with one.
    """
    children = list(_children(nic, "ipConfigurations"))
    flagged = any(_properties(nic, child).get("primary") is True for child in children)
    found = []
    for index, child in enumerate(children):
        properties = _properties(nic, child)
        private, public = properties.get("privateIPAddress"), properties.get("publicIPAddress")
        if public is not None and not (isinstance(public, dict) and isinstance(public.get("id"), str)):
            raise UnreadableBodyError(nic, "publicIPAddress", public, "an object with an id")
        found.append(
            IpConfiguration(
                name=_name(nic, child),
                private_ip=canonical(private.split("/")[0]) if isinstance(private, str) else None,
                public_ip=public["id"] if public is not None else None,
                primary=properties.get("primary") is True if flagged else index == 0,
                version=_version(properties.get("privateIPAddressVersion")),
                dynamic=str(properties.get("privateIPAllocationMethod")).casefold() == "dynamic",
            )
        )
    return tuple(found)


def holder_of(public_ip: Resource) -> str | None:
    """Return the id of whatever carries the public IP (an IP configuration or a NAT gateway), or None."""
    properties = _properties(public_ip, public_ip.body)
    for key in ("ipConfiguration", "natGateway"):
        holder = properties.get(key)
        if isinstance(holder, dict) and isinstance(holder.get("id"), str):
            return str(holder["id"])
    return None


def address_version(public_ip: Resource) -> str:
    """Return whether a public IP is IPv4, as when nothing is said, or IPv6."""
    return _version(_properties(public_ip, public_ip.body).get("publicIPAddressVersion"))


def address_is_dynamic(public_ip: Resource) -> bool:
    """Tell whether a public IP loses its address when it is taken off a NIC."""
    return str(_properties(public_ip, public_ip.body).get("publicIPAllocationMethod")).casefold() == "dynamic"


def location(resource: Resource) -> str | None:
    """Return the region that a resource says it is in, in its one form, or None."""
    said = resource.body.get("location")
    return said.replace(" ", "").casefold() if isinstance(said, str) and said else None


def forwards(nic: Resource) -> bool:
    """Tell whether Azure lets a NIC receive what is not for its own addresses."""
    return _properties(nic, nic.body).get("enableIPForwarding") is True


def check(resource: Resource) -> None:
    """Raise UnreadableBodyError unless the resource can be planned with."""
    kind = resource.id.casefold().rpartition("/providers/")[2].split("/")[1:2]
    if kind == ["routetables"]:
        next_hops(resource)
    elif kind == ["networkinterfaces"]:
        ip_configurations(resource)
    else:
        holder_of(resource)


def last_write_failed(resource: Resource) -> bool:
    """Tell whether Azure failed to carry out the resource's last write: its body then says more than is true.

    The remedy is to write what was read once more (kubernetes-sigs/cluster-api-provider-azure #5515).
    """
    return str(_properties(resource, resource.body).get("provisioningState")).casefold() == "failed"


def still_being_written(resource: Resource) -> bool:
    """Tell whether Azure is still carrying the resource's last write out: its body says what will be then."""
    return str(_properties(resource, resource.body).get("provisioningState")).casefold() == "updating"


def is_part_of(child_id: str, resource_id: str) -> bool:
    """Tell whether an id names something inside a resource."""
    return child_id.casefold().startswith(resource_id.casefold() + "/")


def with_next_hops(table: Resource, hops: Mapping[str, str]) -> Resource:
    """Return the table with the named routes pointing at other addresses, all else as it was."""
    wanted = {name.casefold(): hop for name, hop in hops.items()}

    def edited(route: Mapping[str, Any]) -> Mapping[str, Any]:
        hop = wanted.get(str(route.get("name")).casefold())
        return route if hop is None else _with_properties(route, nextHopIpAddress=hop)

    return _with_children(table, "routes", edited)


def with_public_ips(nic: Resource, public_ips: Mapping[str, str | None]) -> Resource:
    """Return the NIC with the named IP configurations carrying other public IPs, or none, all else as it was.

    A reference is taken away by leaving the key out: a null is refused (azure-facts D3).
    """
    wanted = {name.casefold(): public_ip for name, public_ip in public_ips.items()}

    def edited(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(configuration.get("name")).casefold()
        if name not in wanted:
            return configuration
        public_ip, properties = wanted[name], configuration["properties"]
        if public_ip is None:
            kept = {key: value for key, value in properties.items() if key != "publicIPAddress"}
            return {**configuration, "properties": kept}
        if _id_in(properties.get("publicIPAddress")) == public_ip.casefold():
            return configuration
        return _with_properties(configuration, publicIPAddress={"id": public_ip})

    return _with_children(nic, "ipConfigurations", edited)


def with_unreadable(resource: Resource, key: str) -> Resource:
    """Return the resource with one more child in a list that the network service cannot read.

    A reference without an id it answers with InvalidRequestFormat (Azure-Samples/compute-node-manage-vm
    #15), and takes nothing of the write.
    """
    unreadable = {"name": "nvaha-doctor", "properties": {"publicIPAddress": {}}}
    if key == "routes":
        unreadable["properties"] = "not to be read, so that nothing is written"
    children = resource.body["properties"].get(key) or []
    return Resource(
        resource.id, resource.etag, _with_properties(resource.body, **{key: [*children, unreadable]})
    )


def carries(nic: Resource, public_ip_id: str) -> str | None:
    """Return the name of the IP configuration that carries the public IP, or None."""
    for configuration in ip_configurations(nic):
        if configuration.public_ip is not None and same_id(configuration.public_ip, public_ip_id):
            return configuration.name
    return None


def _with_children(
    resource: Resource, key: str, edited: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Resource:
    """Return the resource with the children of a list edited; the rest is shared: no body is ever changed."""
    children = resource.body["properties"][key]
    body = _with_properties(resource.body, **{key: [edited(child) for child in children]})
    return Resource(resource.id, resource.etag, body)


def _with_properties(part: Mapping[str, Any], **properties: object) -> dict[str, Any]:
    return {**part, "properties": {**part["properties"], **properties}}


def _id_in(reference: object) -> str | None:
    found = reference.get("id") if isinstance(reference, dict) else None
    return found.casefold() if isinstance(found, str) else None


def _version(said: object) -> str:
    return "IPv6" if str(said).casefold() == "ipv6" else "IPv4"


def _children(resource: Resource, key: str) -> Iterator[Mapping[str, Any]]:
    children = _properties(resource, resource.body).get(key)
    if children is None:
        return
    if not isinstance(children, list):
        raise UnreadableBodyError(resource, f"properties.{key}", children, "a list")
    for child in children:
        if not isinstance(child, dict):
            raise UnreadableBodyError(resource, f"properties.{key}[]", child, "an object")
        yield child


def _properties(resource: Resource, part: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = part.get("properties")
    if not isinstance(properties, dict):
        raise UnreadableBodyError(resource, "properties", properties, "an object")
    return properties


def _name(resource: Resource, child: Mapping[str, Any]) -> str:
    name = child.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableBodyError(resource, "name", name, "a name")
    return name
