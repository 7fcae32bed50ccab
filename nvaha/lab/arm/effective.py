"""What the data path uses, which lags behind what ARM shows."""

from __future__ import annotations

import copy
from ipaddress import ip_address, ip_network
from typing import Any

from nvaha.lab.arm.address import NICS, ROUTE_TABLES
from nvaha.lab.arm.shape import children, public_ip_references
from nvaha.lab.arm.timeline import Timeline

Json = dict[str, Any]


class Effective:
    """Routes and public IPs as packets meet them."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._routes: dict[str, list[Json]] = {}
        self._targets: dict[str, tuple[str, str]] = {}

    def next_hop(self, route_table_id: str, destination: str) -> str | None:
        """Return the appliance's address to which a packet goes.

        Args:
            route_table_id: the route table of the sender's subnet.
            destination: the packet's destination address.

        Returns:
            `nextHopIpAddress` of the longest matching prefix; None if that route leads to no appliance, or
            none matches.
        """
        route = self.route(route_table_id, destination)
        return route["properties"].get("nextHopIpAddress") if route else None

    def route(self, route_table_id: str, destination: str) -> Json | None:
        """Return the route of the longest prefix that matches a destination address, or None."""
        self._timeline.advance()
        address = ip_address(destination)
        matching = []
        for route in self._routes.get(route_table_id.casefold(), []):
            prefix = route["properties"]["addressPrefix"]
            if "/" in prefix and address in (network := ip_network(prefix)):
                matching.append((network.prefixlen, route))
        return copy.deepcopy(max(matching, key=lambda each: each[0])[1]) if matching else None

    def public_ip_target(self, public_ip_id: str) -> str | None:
        """Return the private address at which packets to a public IP arrive; None if nowhere."""
        self._timeline.advance()
        target = self._targets.get(public_ip_id.casefold())
        return target[1] if target else None

    def all(self) -> Json:
        """Return every route by route table and every public IP's target, by casefolded ids."""
        self._timeline.advance()
        return {
            "routes": copy.deepcopy(self._routes),
            "public_ips": {public_ip: address for public_ip, (_, address) in self._targets.items()},
        }

    def apply(self, body: Json) -> None:
        """Let the data path follow a resource."""
        resource_id = body["id"].casefold()
        kind = body["type"].rpartition("/")[2]
        if kind == ROUTE_TABLES:
            self._routes[resource_id] = copy.deepcopy(children(body))
        elif kind == NICS:
            self.forget(resource_id)
            for configuration, public_ip in public_ip_references(body):
                address = configuration["properties"]["privateIPAddress"]
                self._targets[public_ip.casefold()] = (resource_id, address)

    def forget(self, resource_id: str) -> None:
        """Let the data path know a resource no more."""
        gone = resource_id.casefold()
        self._routes.pop(gone, None)
        self._targets = {each: target for each, target in self._targets.items() if target[0] != gone}
