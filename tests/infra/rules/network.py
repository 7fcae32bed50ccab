"""How the app, its storage and the network must be connected in each way to deploy."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from nvaha.core.canary import harm
from nvaha.model import Resource

from .app import SERVICES, account, differences
from .sent import Json, Sent, World

NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
LOCK = "Microsoft.Authorization/locks"
ROUTE_TABLE = "Microsoft.Network/routeTables"
ENDPOINT = "Microsoft.Network/privateEndpoints"
ZONE = "Microsoft.Network/privateDnsZones"
LINK = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
ZONE_GROUP = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"
# The longest prefix by the end of a subnet's name: Azure Bastion refuses a smaller subnet than /26, the
# parameters say the others, and Azure has none smaller than /29.
LONGEST = {"functions": 26, "private-endpoints": 28, "AzureBastionSubnet": 26}
CLOSED = {
    "accessTier": "Hot",
    "allowBlobPublicAccess": False,
    "allowCrossTenantReplication": False,
    "allowSharedKeyAccess": False,
    "defaultToOAuthAuthentication": True,
    "isLocalUserEnabled": False,
    "isSftpEnabled": False,
    "minimumTlsVersion": "TLS1_2",
    "supportsHttpsTrafficOnly": True,
}


def _subnets(world: World) -> tuple[Json, list[Json]]:
    """Return the subnets that are written, by name, and the one prefix of the network if that is written."""
    networks = world.of(NETWORK)
    written = {each.name: each.properties for each in world.of(SUBNET)}
    for network in networks:
        written |= {each["name"]: each["properties"] for each in network.properties["subnets"]}
    return written, [each.properties["addressSpace"] for each in networks]


def _id(value: str | None) -> Json | None:
    return {"id": value} if value else None


def _wanted_subnets(world: World) -> Json:
    flex = world.parameter("hosting") == "flex"
    new = not world.parameter("existingVirtualNetworkId")
    endpoints = world.parameter("privateEndpoints")
    guard = world.one("Microsoft.Network/networkSecurityGroups").id if new else None
    nats = [each.id for each in world.of("Microsoft.Network/natGateways")]
    prefix = "" if new else f"nvaha-{world.parameter('environmentName')}-"
    delegation = "Microsoft.App/environments" if flex else "Microsoft.Web/serverFarms"
    functions = {
        "addressPrefix": world.parameter("functionSubnetPrefix"),
        "networkSecurityGroup": _id(world.parameter("functionSubnetNetworkSecurityGroupId") or guard),
        "routeTable": _id(world.parameter("functionSubnetRouteTableId")),
        "natGateway": _id(world.parameter("functionSubnetNatGatewayId") or next(iter(nats), None)),
        "serviceEndpoints": [] if flex or endpoints else [{"service": "Microsoft.Storage.Global"}],
        "delegations": [{"name": "functions", "properties": {"serviceName": delegation}}],
    }
    private = {
        "addressPrefix": world.parameter("privateEndpointSubnetPrefix"),
        "networkSecurityGroup": _id(world.parameter("privateEndpointSubnetNetworkSecurityGroupId") or guard),
        "routeTable": _id(world.parameter("privateEndpointSubnetRouteTableId")),
        "privateEndpointNetworkPolicies": "Enabled",
    }
    wanted = {f"{prefix}functions": functions}
    return wanted | ({f"{prefix}private-endpoints": private} if new or endpoints else {})


def size_problems(subnets: Json) -> Iterator[str]:
    """Report subnets that are smaller than what is put into them takes."""
    for name, subnet in subnets.items():
        [longest] = [bits for end, bits in LONGEST.items() if name.endswith(end)] or [29]
        if ip_network(subnet["addressPrefix"]).prefixlen > longest:
            yield f"{name} is {subnet['addressPrefix']}, smaller than /{longest}"


def subnet_problems(world: World) -> Iterator[str]:
    """Report subnets that are not as asked for, and any touch of a subnet that was given."""
    written, spaces = _subnets(world)
    if world.parameter("existingFunctionSubnetId"):
        if written or spaces:
            yield f"the subnet is given, and {sorted(written) or 'its network'} is written all the same"
        return
    wanted = _wanted_subnets(world)
    yield from differences(written, wanted, "subnets")
    network = world.parameter("existingVirtualNetworkId") or world.one(NETWORK).id
    for each in world.of(SUBNET):
        yield from differences(each.id, f"{network}/subnets/{each.name}", each.place)
    yield from size_problems(written)
    for space in spaces:
        whole = ip_network(space["addressPrefixes"][0])
        parts = [ip_network(each["addressPrefix"]) for each in wanted.values()]
        if any(not part.subnet_of(whole) for part in parts) or parts[0].overlaps(parts[1]):  # type: ignore[arg-type]
            yield f"the subnets {parts} do not fit into {whole}"
    own_nat = world.parameter("natGateway") and not world.parameter("functionSubnetNatGatewayId")
    if len(world.of("Microsoft.Network/natGateways")) != int(own_nat):
        yield "there is a NAT gateway of its own and should be none, or none and should be one"
    for guard in world.of("Microsoft.Network/networkSecurityGroups"):
        yield from differences(guard.properties, {"securityRules": []}, guard.place)
    for nat in world.of("Microsoft.Network/natGateways"):
        addresses = [{"id": each.id} for each in world.of("Microsoft.Network/publicIPAddresses")]
        yield from differences(nat.properties["publicIpAddresses"], addresses, nat.place)


def account_problems(world: World) -> Iterator[str]:
    """Report a storage account that answers whom it should not, or not whom it should."""
    private = world.parameter("privateEndpoints")
    flex = world.parameter("hosting") == "flex"
    others = [each.strip() for each in world.parameter("storageSubnetIds").split(",") if each.strip()]
    callers = [] if flex or private else [world.outputs["NVAHA_SUBNET_ID"], *others]
    wanted = {
        **CLOSED,
        "publicNetworkAccess": "Disabled" if private else "Enabled",
        "networkAcls": {
            "defaultAction": "Allow" if flex and not private else "Deny",
            "bypass": "AzureServices",
            "virtualNetworkRules": [{"id": each, "action": "Allow"} for each in callers],
        },
    }
    store = account(world)
    yield from differences(store.properties, wanted, store.place)
    yield from differences(store.body["sku"], {"name": world.parameter("storageSku")}, f"{store.place}.sku")
    locks = [
        (each.id.partition("/providers/Microsoft.Auth")[0], each.properties["level"])
        for each in world.of(LOCK)
    ]
    if locks != ([(store.id, "CanNotDelete")] if world.parameter("storageDeleteLock") else []):
        yield f"{store.place}: locked is {locks}"
    container = world.one("Microsoft.Storage/storageAccounts/blobServices/containers")
    if container.name != "app-package" or container.properties != {"publicAccess": "None"}:
        yield f"{container.place} is open, or not where the app is told to find its package"
    kept = {"enabled": True, "days": 7}
    service = world.one("Microsoft.Storage/storageAccounts/blobServices")
    policies = {"deleteRetentionPolicy": kept, "containerDeleteRetentionPolicy": kept}
    yield from differences(service.properties, policies, service.place)


def _endpoints(world: World) -> dict[tuple[str, str], Sent]:
    """Return each endpoint by the account that it leads to and the service there."""
    found: dict[tuple[str, str], Sent] = {}
    for each in world.of(ENDPOINT):
        connection = each.properties["privateLinkServiceConnections"][0]["properties"]
        found[connection["privateLinkServiceId"], "+".join(connection["groupIds"])] = each
    return found


def endpoint_problems(world: World) -> Iterator[str]:
    """Report private endpoints that are missing, lead to the wrong service, or stand in the wrong subnet."""
    found = _endpoints(world)
    state = world.parameter("existingStateStorageId")
    accounts = [account(world).id, *([state] if state else [])] if world.parameter("privateEndpoints") else []
    wanted = {(id_, service) for id_ in accounts for service in SERVICES}
    for id_, service in sorted(wanted ^ set(found)):
        yield f"the endpoint to {service} of {id_.rpartition('/')[2]} is missing or should not be"
    if len(found) != len(world.of(ENDPOINT)):
        yield "several endpoints lead to the same place"
    subnet = world.parameter("existingPrivateEndpointSubnetId") or world.outputs["NVAHA_ENDPOINT_SUBNET_ID"]
    for each in found.values():
        yield from differences(each.properties["subnet"], {"id": subnet}, each.place)
    yield from _zone_problems(world, found, bool(accounts))


def _zone_problems(world: World, endpoints: dict[tuple[str, str], Sent], any_: bool) -> Iterator[str]:
    central = world.parameter("existingDnsZonesGroupId")
    own = any_ and not central and world.parameter("createPrivateDnsZones")
    names = {f"privatelink.{service}.{world.suffix}" for service in SERVICES}
    zones = {each.name: each.id for each in world.of(ZONE)}
    if set(zones) != (names if own else set()):
        yield f"the zones {sorted(zones)} are made"
    network = world.outputs["NVAHA_ENDPOINT_SUBNET_ID"].split("/subnets/")[0]
    linked = {each.id.split("/virtualNetworkLinks/")[0] for each in world.of(LINK)}
    if linked != set(zones.values()):
        yield f"of the zones {sorted(zones)} only {sorted(linked)} are linked"
    for link in world.of(LINK):
        wanted = {"registrationEnabled": False, "virtualNetwork": {"id": network}}
        yield from differences(link.properties, wanted, link.place)
    groups = {each.id.rpartition("/privateDnsZoneGroups/")[0]: each for each in world.of(ZONE_GROUP)}
    expected = {each.id: service for (_, service), each in endpoints.items()} if own or central else {}
    if set(groups) != set(expected):
        yield f"{len(expected)} endpoints need DNS records, {len(groups)} get them"
    for id_ in set(groups) & set(expected):
        name = f"privatelink.{expected[id_]}.{world.suffix}"
        zone = f"{central}/providers/{ZONE}/{name}" if central else zones.get(name)
        configs: Any = groups[id_].properties["privateDnsZoneConfigs"]
        found = [each["properties"]["privateDnsZoneId"] for each in configs]
        yield from differences(found, [zone], groups[id_].place)


def canary_problems(world: World) -> Iterator[str]:
    """Report a route table that is made unasked, or one that the program would refuse as a canary's."""
    tables = world.of(ROUTE_TABLE)
    if len(tables) != int(world.parameter("canary")):
        yield f"{len(tables)} route tables are made, where canary is {world.parameter('canary')}"
    for each in tables:
        if why := harm(Resource(each.id, "", each.body)):
            yield f"{each.place}: {why}"
