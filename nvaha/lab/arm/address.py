"""What a URL of ARM asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

ROUTE_TABLES = "routeTables"
NICS = "networkInterfaces"
PUBLIC_IPS = "publicIPAddresses"
LOAD_BALANCERS = "loadBalancers"
"""Only read: a switch writes none."""
KINDS = {kind.casefold(): kind for kind in (ROUTE_TABLES, NICS, PUBLIC_IPS, LOAD_BALANCERS)}

_SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
_GROUP = r"(?:/resourceGroups/(?P<group>[^/]+))"
_KIND = r"/providers/Microsoft\.Network/(?P<kind>" + "|".join(KINDS.values()) + ")"
_RESOURCE = re.compile(
    _SUBSCRIPTION + _GROUP + _KIND + r"/(?P<name>[^/]+)(?:/routes/(?P<route>[^/]+))?", re.I
)
_LIST = re.compile(_SUBSCRIPTION + _GROUP + "?" + _KIND, re.I)
_OPERATION = re.compile(
    _SUBSCRIPTION + r"/providers/Microsoft\.Network/locations/[^/]+/operations/(?P<operation>[^/]+)", re.I
)


@dataclass(frozen=True, slots=True)
class Address:
    """A resource, one route of a route table, a list of resources, or an operation.

    Args:
        subscription: its id, as written.
        kind: the resource type in Azure's own case; empty for an operation.
        group: the resource group; None for a list of the whole subscription, and for an operation.
        name: the resource's name; None for a list.
        route: the route's name, if one route is meant.
        operation: the operation's id, if one is meant.
    """

    subscription: str
    kind: str = ""
    group: str | None = None
    name: str | None = None
    route: str | None = None
    operation: str | None = None

    @property
    def resource_id(self) -> str:
        """The resource's id, without the route."""
        return f"{self.scope}/providers/Microsoft.Network/{self.kind}/{self.name}"

    @property
    def route_id(self) -> str:
        """The route's id."""
        return f"{self.resource_id}/routes/{self.route}"

    @property
    def scope(self) -> str:
        """The id of the resource group, else of the subscription."""
        group = f"/resourceGroups/{self.group}" if self.group else ""
        return f"/subscriptions/{self.subscription}{group}"


def parse_address(path: str) -> Address | None:
    """Return what a URL's path asks for, without regard to case; None if there is no such thing here."""
    path = path.rstrip("/")
    if match := _RESOURCE.fullmatch(path):
        kind = KINDS[match["kind"].casefold()]
        if match["route"] and kind != ROUTE_TABLES:
            return None
        return Address(match["subscription"], kind, match["group"], match["name"], match["route"])
    if match := _LIST.fullmatch(path):
        return Address(match["subscription"], KINDS[match["kind"].casefold()], match["group"])
    if match := _OPERATION.fullmatch(path):
        return Address(match["subscription"], operation=match["operation"])
    return None


def address_of(resource_id: str) -> Address:
    """Return the address of a resource of this network.

    Raises:
        ValueError: the id is none of a route table, NIC, public IP or load balancer.
    """
    address = parse_address(resource_id)
    if address is None or address.name is None or address.route is not None:
        msg = f"Not the id of a route table, network interface, public IP or load balancer: {resource_id}"
        raise ValueError(msg)
    return address
