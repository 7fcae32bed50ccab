"""The test environment's packets, walked on paper: to the page and back, out of the web tier, and probes.

Azure's side (routes, security groups, forwarding on interfaces, the load balancer) comes from the evaluated
template, the machines' side from what cloud-init writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from .machines import LostError, Machine, Packet
from .sent import Json, World

CLIENT = "198.51.100.7"
OUTSIDE = "192.0.2.80"
MONITOR = "10.0.2.4"
PORTS = (80, 443)
# What an Ubuntu machine listens on without any setup.
SSH = 22


# What the walk below knows of each part of the network. Any other property may change a packet's way: teach
# the walk what it does before it is used.
MODELLED: dict[str, frozenset[str]] = {
    "subnet": frozenset(
        {
            "addressPrefix",
            "delegations",
            "networkSecurityGroup",
            "privateEndpointNetworkPolicies",
            "routeTable",
        }
    ),
    "security rule": frozenset(
        {
            "access",
            "description",
            "destinationAddressPrefix",
            "destinationPortRange",
            "destinationPortRanges",
            "direction",
            "priority",
            "protocol",
            "sourceAddressPrefix",
            "sourcePortRange",
        }
    ),
    "route": frozenset({"addressPrefix", "nextHopIpAddress", "nextHopType"}),
    "interface": frozenset({"enableIPForwarding", "ipConfigurations"}),
    "IP configuration": frozenset(
        {
            "loadBalancerBackendAddressPools",
            "privateIPAddress",
            "privateIPAllocationMethod",
            "publicIPAddress",
            "subnet",
        }
    ),
    "load balancer": frozenset(
        {"backendAddressPools", "frontendIPConfigurations", "loadBalancingRules", "probes"}
    ),
    "balancing rule": frozenset(
        {"backendAddressPool", "backendPort", "frontendIPConfiguration", "frontendPort", "probe", "protocol"}
    ),
}


def _parts(world: World) -> Iterator[tuple[str, Json]]:
    """Yield the properties of each part of the network that packets meet, and what kind it is."""
    inside = {
        "Microsoft.Network/virtualNetworks": ("", "subnets", "subnet"),
        "Microsoft.Network/networkSecurityGroups": ("", "securityRules", "security rule"),
        "Microsoft.Network/routeTables": ("", "routes", "route"),
        "Microsoft.Network/networkInterfaces": ("interface", "ipConfigurations", "IP configuration"),
        "Microsoft.Network/loadBalancers": ("load balancer", "loadBalancingRules", "balancing rule"),
    }
    for type_, (kind, list_, part) in inside.items():
        for each in world.of(type_):
            if kind:
                yield kind, each.properties
            yield from ((part, entry["properties"]) for entry in each.properties[list_])


def modelled_problems(world: World) -> Iterator[str]:
    """Report properties of the network that nobody has walked a packet with."""
    for kind, properties in _parts(world):
        for name in sorted(set(properties) - MODELLED[kind]):
            yield f"what {name} of a {kind} does to packets is not known here"


@dataclass
class Interface:
    """A network interface with its address, as Azure forwards for it."""

    id: str
    subnet: str
    address: str
    forwards: bool
    public_ip: str | None
    pools: list[str]


def _matches(prefix: str, address: str, space: str) -> bool:
    inside = ip_address(address) in ip_network(space)
    named = {"*": True, "VirtualNetwork": inside, "Internet": not inside}
    return named[prefix] if prefix in named else ip_address(address) in ip_network(prefix)


class Network:
    """The test environment after its deployment."""

    def __init__(self, world: World) -> None:
        self.world = world
        network = world.one("Microsoft.Network/virtualNetworks")
        self.space: str = network.properties["addressSpace"]["addressPrefixes"][0]
        self.subnets: dict[str, Json] = {
            f"{network.id}/subnets/{each['name']}": each["properties"]
            for each in network.properties["subnets"]
        }
        self.guards = {
            each.id: each.properties["securityRules"]
            for each in world.of("Microsoft.Network/networkSecurityGroups")
        }
        self.routes: dict[str, list[Json]] = {
            each.id: [dict(route["properties"]) for route in each.properties["routes"]]
            for each in world.of("Microsoft.Network/routeTables")
        }
        self.interfaces = dict(self._interfaces())
        self.machines = {each.name: Machine(each) for each in world.of("Microsoft.Compute/virtualMachines")}
        self._allowed: set[tuple[str, frozenset[str], int]] = set()

    def _interfaces(self) -> Iterator[tuple[str, Interface]]:
        for at, each in enumerate(self.world.of("Microsoft.Network/networkInterfaces")):
            (config,) = (item["properties"] for item in each.properties["ipConfigurations"])
            subnet = config["subnet"]["id"]
            prefix = ip_network(self.subnets[subnet]["addressPrefix"])
            address = config.get("privateIPAddress", str(prefix[10 + at]))
            if ip_address(address) not in prefix:
                raise LostError(f"{each.name}: {address} is not in {prefix}")
            yield (
                each.id,
                Interface(
                    each.id,
                    subnet,
                    address,
                    each.properties.get("enableIPForwarding", False),
                    (config.get("publicIPAddress") or {}).get("id"),
                    [pool["id"] for pool in config.get("loadBalancerBackendAddressPools", [])],
                ),
            )

    def public(self) -> Interface:
        """Return the interface that has the public IP."""
        found = [each for each in self.interfaces.values() if each.public_ip]
        if len(found) != 1:
            raise LostError(f"{len(found)} interfaces have a public IP, not one")
        return found[0]

    def guard(self, interface: Interface, direction: str, packet: Packet) -> None:
        """Raise unless the subnet's security group lets a packet pass, or let its connection pass before."""
        flow = (interface.id, frozenset({packet.source, packet.destination}), packet.port)
        if flow in self._allowed:
            return
        inside = [ip_address(each) in ip_network(self.space) for each in (packet.source, packet.destination)]
        default = all(inside) or (direction == "Outbound" and not inside[1])
        group = self.subnets[interface.subnet].get("networkSecurityGroup")
        if group is None:
            raise LostError(f"{interface.subnet} has no security group")
        rules: list[Json] = [each["properties"] for each in self.guards[group["id"]]]
        for rule in sorted(rules, key=lambda each: int(each["priority"])):
            ports = rule.get("destinationPortRanges", [rule.get("destinationPortRange")])
            if (
                rule["direction"] == direction
                and rule["sourcePortRange"] == "*"
                and rule["protocol"] in {"*", "Tcp"}
                and (ports == ["*"] or str(packet.port) in ports)
                and _matches(rule["sourceAddressPrefix"], packet.source, self.space)
                and _matches(rule["destinationAddressPrefix"], packet.destination, self.space)
            ):
                default = rule["access"] == "Allow"
                break
        if not default:
            raise LostError(f"{group['id'].rpartition('/')[2]} stops {packet} {direction}")
        self._allowed.add(flow)

    def send(self, interface: Interface, packet: Packet) -> Interface | None:
        """Return the interface at which a packet arrives that leaves another; None for the internet."""
        if packet.source != interface.address and not interface.forwards:
            raise LostError(f"{interface.id} may not send for {packet.source}")
        self.guard(interface, "Outbound", packet)
        table = self.subnets[interface.subnet].get("routeTable")
        routes = [
            (ip_network(each["addressPrefix"]).prefixlen, each["nextHopType"], each.get("nextHopIpAddress"))
            for each in (self.routes[table["id"]] if table else [])
            if ip_address(packet.destination) in ip_network(each["addressPrefix"])
        ]
        longest = max(routes, default=(-1, "", None))
        inside = ip_address(packet.destination) in ip_network(self.space)
        if inside and longest[0] <= ip_network(self.space).prefixlen:
            return self.arrive(packet.destination, packet)
        if longest[1] == "VirtualAppliance":
            return self.arrive(str(longest[2]), packet)
        if longest[1] not in {"", "Internet"}:
            raise LostError(f"{packet} is routed to {longest[1]}")
        if interface.public_ip is None:
            raise LostError(f"{interface.id} has no way out of its own")
        return None

    def arrive(self, address: str, packet: Packet) -> Interface:
        """Return the interface that has an address, or stands behind it, and takes a packet."""
        found = [each for each in self.interfaces.values() if each.address == address]
        if not found:
            raise LostError(f"nobody has {address}")
        interface = found[0]
        if packet.destination != interface.address and not interface.forwards:
            raise LostError(f"{interface.id} takes nothing for {packet.destination}")
        self.guard(interface, "Inbound", packet)
        return interface

    def owner(self, interface: Interface) -> tuple[Machine, str]:
        """Return the machine that an interface is in, and what it is called there."""
        for machine in self.machines.values():
            if interface.id in machine.interfaces:
                return machine, f"eth{machine.interfaces.index(interface.id)}"
        raise LostError(f"{interface.id} is in no machine")

    def through(self, interface: Interface, packet: Packet) -> tuple[Interface, Packet]:
        """Return where and as what a packet leaves the NVA whose interface it reached."""
        machine, name = self.owner(interface)
        left, go_out = machine.forward(packet, name)
        for prefix, gateway, each in machine.routes():
            at = self.interfaces[machine.interfaces[int(each.removeprefix("eth"))]]
            first = ip_network(self.subnets[at.subnet]["addressPrefix"])[1]
            if prefix != self.space or gateway != str(first):
                raise LostError(f"{machine.name}: {prefix} by {gateway} is not the network behind {first}")
        leaving = self.interfaces[machine.interfaces[int(go_out.removeprefix("eth"))]]
        if left.source == f"address of {go_out}":
            masked = replace(left, source=leaving.address)
            before, _, came, went = machine.flows.pop()
            machine.flows.append((before, masked, came, went))
            left = masked
        return leaving, left

    def balance(self, packet: Packet) -> list[Interface]:
        """Return the interfaces behind the load balancer that a packet to its address may reach."""
        balancer = self.world.one("Microsoft.Network/loadBalancers")
        fronts = {
            f"{balancer.id}/frontendIPConfigurations/{each['name']}": each["properties"]["privateIPAddress"]
            for each in balancer.properties["frontendIPConfigurations"]
        }
        pools = {
            f"{balancer.id}/backendAddressPools/{each['name']}"
            for each in balancer.properties.get("backendAddressPools", [])
        }
        probes = {
            f"{balancer.id}/probes/{each['name']}"
            for each in balancer.properties["probes"]
            if (each["properties"]["protocol"], each["properties"]["port"]) == ("Tcp", 80)
        }
        for rule in (each["properties"] for each in balancer.properties["loadBalancingRules"]):
            front = fronts.get(rule["frontendIPConfiguration"]["id"])
            if (front, rule["frontendPort"], rule["protocol"]) == (packet.destination, packet.port, "Tcp"):
                if rule["probe"]["id"] not in probes or rule["backendPort"] != packet.port:
                    raise LostError(f"{rule} does not lead to port {packet.port}")
                pool = rule["backendAddressPool"]["id"]
                if pool not in pools:
                    raise LostError(f"there is no pool {pool}")
                return [each for each in self.interfaces.values() if pool in each.pools]
        raise LostError(f"the load balancer has no rule for {packet}")


def _page(bed: Network, active: str, port: int) -> None:
    """Walk a request from the internet to the page, and its answer back."""
    public = bed.public()
    machine, name = bed.owner(public)
    if (machine.name, name) != (active, "eth0"):
        raise LostError(f"the public IP is at {name} of {machine.name}, the routes lead to {active}")
    request = Packet(CLIENT, public.address, port, CLIENT)
    inner, asked = bed.through(bed.arrive(public.address, request), request)
    if asked.source != CLIENT:
        raise LostError(f"the page sees {asked.source}, not the client")
    bed.guard(inner, "Outbound", asked)
    if asked.source != inner.address and not inner.forwards:
        raise LostError(f"{inner.id} may not send for {asked.source}")
    servers = bed.balance(asked)
    if len(servers) != 3:
        raise LostError(f"{len(servers)} web servers stand behind the load balancer, not 3")
    for server in servers:
        served = replace(asked, destination=server.address)
        bed.guard(server, "Inbound", served)
        script = bed.owner(server)[0].file("/opt/page/serve.py", "systemctl", "page.service")
        if not re.search(rf'\("0\.0\.0\.0", {port}\)', script):
            raise LostError(f"nothing serves port {port}")
        reply = served.answered()
        back = bed.send(server, reply)
        if back is None or back.id != inner.id:
            raise LostError(f"the answer goes to {back.id if back else 'the internet'}, not to {inner.id}")
        leaving, last = bed.through(back, asked.answered())
        if last != request.answered() or bed.send(leaving, last) is not None:
            raise LostError(f"the client gets {last}")


def _outward(bed: Network, source: Interface) -> None:
    """Walk a connection from inside out through the NVA, and the answer back."""
    asked = Packet(source.address, OUTSIDE, 443, source.id)
    hop = bed.send(source, asked)
    if hop is None:
        raise LostError(f"{source.id} leaves past the NVAs")
    outer, left = bed.through(hop, asked)
    if bed.send(outer, left) is not None or left.source != outer.address:
        raise LostError(f"{left} does not leave with the NVA's address")
    inner, answer = bed.through(bed.arrive(outer.address, left.answered()), left.answered())
    if answer != asked.answered() or bed.send(inner, answer) is not source:
        raise LostError(f"the answer to {asked} does not come back")


def _probe(bed: Network, inner: Interface, port: int) -> None:
    """Walk the monitor's probe to an NVA, and the answer back."""
    asked = Packet(MONITOR, inner.address, port, MONITOR)
    if port != SSH:
        raise LostError(f"no NVA listens on port {port}")
    subnet = bed.world.outputs["functionSubnetId"]
    if ip_address(MONITOR) not in ip_network(bed.subnets[subnet]["addressPrefix"]):
        raise LostError("the monitor is not in its subnet")
    if bed.subnets[subnet].get("routeTable"):
        raise LostError("the monitor's subnet has routes")
    bed.arrive(inner.address, asked)
    machine, name = bed.owner(inner)
    if machine.route(MONITOR) != name:
        raise LostError(f"{machine.name} answers probes by {machine.route(MONITOR)}")


def _walk(world: World, active: int) -> Iterator[str]:
    """Report what does not arrive while one of the two NVAs is the active one."""
    bed = Network(world)
    group = json.loads(world.outputs["config"])["groups"][0]
    nvas = group["nvas"]
    pip = bed.public().public_ip
    if active:
        for at, nva in enumerate(nvas):
            bed.interfaces[nva["interfaces"]["external"]].public_ip = pip if at == active else None
        address = bed.interfaces[nvas[active]["interfaces"]["internal"]].address
        for table in group["route_tables"]:
            for route in bed.routes[table]:
                route["nextHopIpAddress"] = address
    sources = [each for each in bed.interfaces.values() if bed.subnets[each.subnet].get("routeTable")]
    if len(sources) != 4:
        yield f"{len(sources)} machines are routed through the NVAs, not three web servers and the jumpbox"
    for port in PORTS:
        _page(bed, nvas[active]["name"], port)
    for source in sources:
        _outward(bed, source)
    for nva in nvas:
        _probe(bed, bed.interfaces[nva["interfaces"][nva["probe"]["interface"]]], nva["probe"]["port"])
    if group["public_ips"] != {"external": pip} or set(group["route_tables"]) != set(bed.routes):
        yield "the configuration does not name the public IP and both route tables"


def packet_problems(world: World) -> Iterator[str]:
    """Report what does not arrive in the test environment, whichever NVA is active."""
    yield from modelled_problems(world)
    for active in (0, 1):
        yield from _walk(world, active)
