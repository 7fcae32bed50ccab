"""What the test environment must be made of, besides that its packets arrive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from tests.infra.template.functions import TemplateError
from tests.infra.tools import ROOT

from .app import differences
from .general import general_problems
from .machines import LostError
from .network import size_problems
from .packets import Network, packet_problems
from .sent import Sent, World

SCRIPTS = ("break-active.sh", "common.sh", "deploy.sh", "teardown.sh", "watch.sh")
# Names that the scripts give themselves: resource group, monitor, deployment.
OWN = {"ha-nva-rg", "ha-nva-test", "ha-nva-test-environment"}
IMAGE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
TRUSTED = {
    "securityType": "TrustedLaunch",
    "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
}


def environment_problems(world: World) -> Iterator[str]:
    """Report everything that is wrong with the test environment, as it is deployed."""
    try:
        yield from general_problems(world)
        yield from packet_problems(world)
        network = Network(world)
        yield from _subnet_problems(world, network)
        yield from _interface_problems(world, network)
        for machine in world.of("Microsoft.Compute/virtualMachines"):
            yield from _machine_problems(world, machine)
        yield from _zone_problems(world)
        yield from _bastion_problems(world)
        yield from _script_problems(world)
    except (LostError, TemplateError) as stopped:
        yield str(stopped)
    except (LookupError, ValueError) as missing:
        yield f"something that the environment needs is missing, or no address: {missing}"


def _subnet_problems(world: World, network: Network) -> Iterator[str]:
    flex = world.parameter("hosting") == "flex"
    functions = network.subnets[world.outputs["functionSubnetId"]]
    delegation = "Microsoft.App/environments" if flex else "Microsoft.Web/serverFarms"
    found = [each["properties"]["serviceName"] for each in functions.get("delegations", [])]
    yield from differences(found, [delegation], "delegation of the monitor's subnet")
    inner = network.subnets[world.outputs["privateEndpointSubnetId"]]
    if inner.get("delegations") or inner.get("privateEndpointNetworkPolicies") != "Enabled":
        yield "the subnet of the private endpoints is delegated, or no security group counts there"
    prefixes = [ip_network(each["addressPrefix"]) for each in network.subnets.values()]
    for at, prefix in enumerate(prefixes):
        if any(prefix.overlaps(other) for other in prefixes[:at]):
            yield f"{prefix} overlaps another subnet"
        if not prefix.subnet_of(ip_network(network.space)):  # type: ignore[arg-type]
            yield f"{prefix} is not in {network.space}"
    yield from size_problems({id_.rpartition("/")[2]: each for id_, each in network.subnets.items()})
    for id_, subnet in network.subnets.items():
        guard = (subnet.get("networkSecurityGroup") or {}).get("id")
        if guard not in network.guards and not id_.endswith("/AzureBastionSubnet"):
            yield f"{id_} has no security group"
    balancer = world.one("Microsoft.Network/loadBalancers")
    for front in (each["properties"] for each in balancer.properties["frontendIPConfigurations"]):
        subnet = network.subnets[front["subnet"]["id"]]
        if ip_address(front["privateIPAddress"]) not in ip_network(subnet["addressPrefix"]):
            yield f"{front['privateIPAddress']} is not in the load balancer's subnet"
        yield from differences(front["privateIPAllocationMethod"], "Static", balancer.place)


def _interface_problems(world: World, network: Network) -> Iterator[str]:
    for machine in network.machines.values():
        if machine.primary != [True, False][: len(machine.interfaces)]:
            yield f"{machine.name}: the first interface is not the primary one"
    for each in world.of("Microsoft.Network/networkInterfaces"):
        interface = network.interfaces[each.id]
        nva = len(network.owner(interface)[0].interfaces) > 1
        if nva and not interface.forwards:
            yield f"{each.place} of an NVA does not forward"
        (config,) = (item["properties"] for item in each.properties["ipConfigurations"])
        method = "Static" if nva else "Dynamic"
        if config.get("privateIPAllocationMethod") != method or ("privateIPAddress" in config) != nva:
            yield f"{each.place}: the address is not {method}"


def _machine_problems(world: World, machine: Sent) -> Iterator[str]:
    system = machine.properties["osProfile"]
    user = world.parameter("adminUsername")
    key = {
        "path": f"/home/{user}/.ssh/authorized_keys",
        "keyData": world.parameter("sshPublicKey"),
    }
    linux = {
        "disablePasswordAuthentication": True,
        "provisionVMAgent": True,
        "ssh": {"publicKeys": [key]},
    }
    wanted = {"computerName": machine.name, "adminUsername": user, "linuxConfiguration": linux}
    found = {name: each for name, each in system.items() if name != "customData"}
    yield from differences(found, wanted, machine.place)
    properties = machine.properties
    yield from differences(properties["hardwareProfile"]["vmSize"], world.parameter("vmSize"), machine.place)
    yield from differences(properties["storageProfile"]["imageReference"], IMAGE, machine.place)
    yield from differences(properties["storageProfile"]["osDisk"]["deleteOption"], "Delete", machine.place)
    yield from differences(properties.get("securityProfile"), TRUSTED, machine.place)
    # The serial console, the way in without Bastion, needs it.
    console = {"bootDiagnostics": {"enabled": True}}
    yield from differences(properties.get("diagnosticsProfile"), console, machine.place)


def _zone_problems(world: World) -> Iterator[str]:
    zones = {each.name: each.body.get("zones", []) for each in world.of("Microsoft.Compute/virtualMachines")}
    addresses = {each.name: each for each in world.of("Microsoft.Network/publicIPAddresses")}
    public = addresses["ha-nva-pip"]
    if not world.parameter("useZones"):
        if any(zones.values()) or public.body.get("zones"):
            yield f"there are zones where none are asked for: {zones}"
        return
    nvas = [zones["ha-nva-vm1"], zones["ha-nva-vm2"]]
    if nvas[0] == nvas[1] or not all(len(each) == 1 for each in nvas):
        yield f"both NVAs fail with one zone: {nvas}"
    servers = [zone for name, zone in zones.items() if "-web-" in name]
    if sorted(servers) != [["1"], ["2"], ["3"]] or public.body.get("zones") != ["1", "2", "3"]:
        yield f"web servers or public IP are not spread over the zones: {servers}"


def _bastion_problems(world: World) -> Iterator[str]:
    hosts = world.of("Microsoft.Network/bastionHosts")
    if len(hosts) != int(world.parameter("bastion")):
        yield f"{len(hosts)} of Bastion are there against what was asked for"
    network = world.one("Microsoft.Network/virtualNetworks")
    for host in hosts:
        config = {
            "subnet": {"id": f"{network.id}/subnets/AzureBastionSubnet"},
            "publicIPAddress": {
                "id": f"{network.id.rpartition('/virtualNetworks/')[0]}/publicIPAddresses/ha-nva-bastion-pip"
            },
        }
        # `az network bastion ssh` goes through the tunnel.
        wanted = {"enableTunneling": True, "ipConfigurations": [{"name": "ipconfig1", "properties": config}]}
        yield from differences(host.properties, wanted, host.place)
        if "AzureBastionSubnet" not in {each["name"] for each in network.properties["subnets"]}:
            yield "Bastion has no subnet"


def _script_problems(world: World) -> Iterator[str]:
    """Report what the scripts, or the page about them, name and the template does not make."""
    folder = world.files.root / "test-environment"
    scripts = "\n".join(world.files.text(folder / name) for name in SCRIPTS)
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    made = {each.name for each in world.sent} | OWN
    if world.parameter("bastion"):
        for name in sorted(set(re.findall(r"\bha-nva-[\w-]*\w", scripts + page)) - made):
            yield f"a script or docs/deploy.md names {name}, which is not made"
    for route in re.findall(r"--name (\w+) --query nextHopIpAddress", scripts):
        tables = world.of("Microsoft.Network/routeTables")
        if any(route not in {each["name"] for each in table.properties["routes"]} for table in tables):
            yield f"a script reads the route {route}, which is not in every table"
    network = Network(world)
    group = json.loads(world.outputs["config"])["groups"][0]
    inner = {network.interfaces[nva["interfaces"]["internal"]].address: nva["name"] for nva in group["nvas"]}
    told = dict(re.findall(r"([\d.]+)\) echo (\S+) ;;", scripts))
    yield from differences(told, inner, "addresses in common.sh")
    for nva in group["nvas"]:
        ends = [nva["interfaces"][side].rpartition("/")[2] for side in ("external", "internal")]
        yield from differences(ends, [f"{nva['name']}-nic1", f"{nva['name']}-nic2"], "configured interfaces")
