"""What holds for every deployment, whatever it is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .app import differences
from .sent import World

GLOBAL = frozenset(
    {
        "Microsoft.Insights/actionGroups",
        "Microsoft.Insights/metricAlerts",
        "Microsoft.Network/privateDnsZones",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    }
)
# They belong to another resource, and have neither place nor tags.
EXTENSIONS = frozenset({"Microsoft.Insights/diagnosticSettings"})
STANDARD = frozenset(
    {
        "Microsoft.Network/bastionHosts",
        "Microsoft.Network/loadBalancers",
        "Microsoft.Network/natGateways",
        "Microsoft.Network/publicIPAddresses",
    }
)


def general_problems(world: World) -> Iterator[str]:
    """Report places, SKUs and names that Azure refuses, and resources that get in each other's way."""
    bodies: dict[str, object] = {}
    for each in world.sent:
        extends = each.type in EXTENSIONS or "Authorization" in each.type
        if each.type in GLOBAL or (each.type.count("/") == 1 and not extends):
            place = "global" if each.type in GLOBAL else world.parameter("location")
            yield from differences(each.body.get("location"), place, f"{each.place}.location")
        if each.type in STANDARD:
            yield from differences(each.body.get("sku"), {"name": "Standard"}, f"{each.place}.sku")
        if each.type == "Microsoft.Network/publicIPAddresses":
            yield from differences(each.properties.get("publicIPAllocationMethod"), "Static", each.place)
        if "unused" in each.id:
            yield f"{each.place} has the name of what is not deployed: {each.id}"
        if bodies.setdefault(each.id.lower(), each.body) != each.body:
            yield f"{each.id} is sent twice, and not the same"
    for (scope, name), times in Counter(world.modules).items():
        if times > 1 or len(name) > 64:
            yield f"{times} deployments in {scope} are called {name}"


def monitor_output_problems(world: World) -> Iterator[str]:
    """Report outputs of a monitor that name anything else than what is deployed."""
    site = world.one("Microsoft.Web/sites")
    group = world.one("Microsoft.Resources/resourceGroups")
    identity = world.one("Microsoft.ManagedIdentity/userAssignedIdentities")
    wanted = {
        "AZURE_LOCATION": world.parameter("location"),
        "AZURE_RESOURCE_GROUP": group.name,
        "AZURE_FUNCTION_APP_NAME": site.name,
        "NVAHA_URL": f"https://{site.name}.azurewebsites.net",
        "NVAHA_IDENTITY_CLIENT_ID": "c1000000-0000-0000-0000-000000000000",
        "NVAHA_IDENTITY_PRINCIPAL_ID": "a1000000-0000-0000-0000-000000000000",
        "NVAHA_STATE_STORAGE_ID": world.parameter("existingStateStorageId")
        or world.one("Microsoft.Storage/storageAccounts").id,
        "NVAHA_OPERATOR_ROLE_ID": world.parameter("operatorRoleId")
        or world.one("Microsoft.Authorization/roleDefinitions").id,
        "NVAHA_WORKSPACE_ID": world.parameter("existingWorkspaceId")
        or world.one("Microsoft.OperationalInsights/workspaces").id,
        "NVAHA_CANARY_ROUTE_TABLE_ID": next(
            (each.id for each in world.of("Microsoft.Network/routeTables")), ""
        ),
        **_subnets(world),
    }
    # Who is told stands with the rules on alerts.
    shown = {name: value for name, value in world.outputs.items() if name != "NVAHA_ALERTING"}
    yield from differences(shown, wanted, "output")
    named = world.parameter("resourceGroupName") or f"rg-{world.parameter('environmentName')}"
    yield from differences(group.name, named, "resource group")
    if not identity.id.startswith(f"{group.id}/"):
        yield f"the identity is in {identity.id}"


def _subnets(world: World) -> dict[str, str]:
    """Return what the outputs on subnets must say; other rules take them at their word."""
    endpoints = world.parameter("privateEndpoints")
    network = world.parameter("existingVirtualNetworkId")
    prefix = f"nvaha-{world.parameter('environmentName')}-" if network else ""
    if world.parameter("existingFunctionSubnetId"):
        subnets = [world.parameter(f"existing{each}SubnetId") for each in ("Function", "PrivateEndpoint")]
    else:
        network = network or world.one("Microsoft.Network/virtualNetworks").id
        subnets = [f"{network}/subnets/{prefix}{each}" for each in ("functions", "private-endpoints")]
    return {"NVAHA_SUBNET_ID": subnets[0], "NVAHA_ENDPOINT_SUBNET_ID": subnets[1] if endpoints else ""}


def tag_problems(world: World) -> Iterator[str]:
    """Report what azd would not find again."""
    tags = {"azd-env-name": world.parameter("environmentName")}
    for each in world.sent:
        top = each.type.count("/") == 1 or each.type.endswith("/virtualNetworkLinks")
        top = top and each.type not in EXTENSIONS
        if top and "Authorization" not in each.type and each.type != "Microsoft.Web/sites":
            # Application Insights finds its tests by a tag.
            linked = world.of("Microsoft.Insights/components") if each.type.endswith("/webtests") else []
            links = {f"hidden-link:{component.id}": "Resource" for component in linked}
            # A dashboard's name is short and plain; what people read stands in a tag.
            if each.type.endswith("/dashboards"):
                links["hidden-title"] = f"nvaha: {world.parameter('environmentName')}"
            yield from differences(each.body.get("tags"), tags | links, f"{each.place}.tags")
