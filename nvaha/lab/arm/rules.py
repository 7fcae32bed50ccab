"""What Azure checks before it accepts a write."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from nvaha.lab.arm.address import NICS, ROUTE_TABLES
from nvaha.lab.arm.errors import (
    address_in_use,
    bad_request,
    denied_by_policy,
    invalid_request,
    not_found_in_region,
    retryable_error,
    versions_differ,
    zones_differ,
)
from nvaha.lab.arm.shape import CHILDREN, children, public_ip_references
from nvaha.lab.arm.store import Store
from nvaha.lab.arm.switches import Switches

Json = dict[str, Any]

_NEXT_HOPS = {"virtualappliance", "virtualnetworkgateway", "vnetlocal", "internet", "none"}
_REFERENCES = ("publicIPAddress", "subnet", "networkSecurityGroup", "gatewayLoadBalancer", "publicIPPrefix")


def check_format(sent: object, kind: str) -> Json:
    """Return the body if it has the form that the definition asks for; 400 if not."""
    if not isinstance(sent, dict):
        raise invalid_request("The body is not an object.")
    properties = sent.get("properties", {})
    if not isinstance(properties, dict):
        raise invalid_request("Error converting 'properties': an object is required.")
    _check_references(properties)
    for child in _format_of_children(properties, CHILDREN.get(kind)):
        _check_references(child.get("properties", {}))
    if not sent.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    return sent


def check_route_format(sent: object) -> Json:
    """Return the body of one route if it has the form that the definition asks for; 400 if not."""
    if not isinstance(sent, dict) or not isinstance(sent.get("properties"), dict):
        raise invalid_request("The body is not an object with 'properties'.")
    return sent


def check_rules(body: Json, kind: str, store: Store, switches: Switches) -> None:
    """Raise the 400, or the 429 that is no throttling, with which Azure refuses a well-formed write.

    Args:
        body: the resource as it would be after the write.
        kind: its type.
        store: the other resources.
        switches: how Azure behaves where that varies.
    """
    if any(switches.denies(tag) for tag in body.get("tags") or ()):
        raise denied_by_policy(body["name"])
    if kind == ROUTE_TABLES:
        for route in children(body):
            _check_route(route)
    elif kind == NICS:
        if not children(body):
            raise bad_request(
                "InvalidIPConfigCount",
                f"Network interface {body['id']} must have one or more IP configurations.",
            )
        seen: set[str] = set()
        for configuration, public_ip in public_ip_references(body):
            if public_ip.casefold() in seen:
                raise address_in_use(configuration["id"], public_ip, body["id"])
            seen.add(public_ip.casefold())
            _check_public_ip(body, configuration, public_ip, store, switches)


def _format_of_children(properties: Json, name: str | None) -> list[Json]:
    if name is None or name not in properties:
        return []
    found = properties[name]
    if not isinstance(found, list):
        raise invalid_request(f"Error converting '{name}': an array is required.")
    for child in found:
        if not isinstance(child, dict) or not child.get("name"):
            raise invalid_request(f"Required property 'name' not found in '{name}'.")
        if not isinstance(child.get("properties", {}), dict):
            raise invalid_request(f"Error converting 'properties' in '{name}': an object is required.")
    return found


def _check_references(properties: Json) -> None:
    for name in _REFERENCES:
        if name in properties and not (isinstance(properties[name], dict) and properties[name].get("id")):
            raise invalid_request(f"Error converting value to '{name}': a reference with an id is required.")


def _check_route(route: Json) -> None:
    properties, name = route["properties"], route["name"]
    next_hop = str(properties.get("nextHopType", "")).casefold()
    if next_hop not in _NEXT_HOPS:
        raise invalid_request(f"Error converting value '{properties.get('nextHopType')}' to 'nextHopType'.")
    prefix = properties.get("addressPrefix", "")
    # A prefix without a slash is a service tag.
    if not prefix or ("/" in prefix and not _is_network(prefix)):
        raise bad_request(
            "InvalidAddressPrefixFormat",
            f"Address prefix {prefix!r} of route {name} is not formatted correctly.",
        )
    address = properties.get("nextHopIpAddress")
    if next_hop != "virtualappliance":
        return
    if not address:
        raise bad_request(
            "MissingNextHopIpAddress",
            f"NextHopIpAddress cannot be Null or Empty in route {name} when NextHopType is VirtualAppliance.",
        )
    if not _is_address(address):
        raise bad_request(
            "InvalidNextHopIpAddress",
            f"NextHopIpAddress {address} in route {name} is not a valid IP address.",
        )


def _check_public_ip(
    nic: Json, configuration: Json, public_ip: str, store: Store, switches: Switches
) -> None:
    record = store.find(public_ip)
    if record is None or _region(record.body) != _region(nic):
        raise not_found_in_region(configuration["id"], public_ip)
    if record.operation is not None:
        raise retryable_error(
            "ReferencedResourceNotProvisioned",
            f"Cannot proceed with operation because resource {public_ip} used by resource "
            f"{configuration['id']} is not in Succeeded state. Resource is in Updating state.",
        )
    properties = record.body["properties"]
    if properties.get("provisioningState") == "Failed":
        raise bad_request(
            "ReferencedResourceNotProvisioned",
            f"Cannot proceed with operation because resource {public_ip} used by resource "
            f"{configuration['id']} is not in Succeeded state. Resource is in Failed state.",
        )
    version = properties["publicIPAddressVersion"]
    other = configuration["properties"]["privateIPAddressVersion"]
    if version.casefold() != other.casefold():
        raise versions_differ(public_ip, version, configuration["id"], other)
    _check_zone(nic, record.body, switches)
    if "natGateway" in properties:
        raise address_in_use(configuration["id"], public_ip, properties["natGateway"]["id"])
    _check_free(nic, configuration, public_ip, store, may_overlap=switches.attach_may_overlap_detach)


def _check_zone(nic: Json, public_ip: Json, switches: Switches) -> None:
    vm = nic["properties"].get("virtualMachine", {}).get("id")
    zone = switches.zone_of(vm) if vm else None
    if zone is not None and zone not in (zones := public_ip.get("zones") or []):
        raise zones_differ(vm, zone, public_ip["id"], ", ".join(zones) or "Regional")


def _region(body: Json) -> str:
    return str(body.get("location", "")).replace(" ", "").casefold()


def _check_free(nic: Json, configuration: Json, public_ip: str, store: Store, *, may_overlap: bool) -> None:
    for other in store.of_kind(NICS):
        if other.body["id"].casefold() == nic["id"].casefold():
            continue
        for holder, held in public_ip_references(other.body):
            if held.casefold() == public_ip.casefold():
                raise address_in_use(configuration["id"], public_ip, holder["id"])
    record = store.find(public_ip)
    holder_id = record.body["properties"].get("ipConfiguration", {}).get("id") if record else None
    if holder_id is None or holder_id.casefold() == configuration["id"].casefold():
        return
    # No NIC asks for it any more, so the holder is being detached, or is no NIC at all.
    detaching = f"/{NICS}/".casefold() in holder_id.casefold()
    if not (detaching and may_overlap):
        raise address_in_use(configuration["id"], public_ip, holder_id)


def _is_network(prefix: str) -> bool:
    try:
        ip_network(prefix)
    except ValueError:
        return False
    return True


def _is_address(text: object) -> bool:
    try:
        ip_address(str(text))
    except ValueError:
        return False
    return True
