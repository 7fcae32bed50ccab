"""The ways to deploy a monitor: each network, each kind of endpoint, each hosting, and what can be added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.infra.template.source import Files

from .sent import CLOUDS, World

Given = Mapping[str, Any]


class Way(NamedTuple):
    """The parameters of a deployment, and the cloud that it is in."""

    given: Given
    cloud: str = "AzureCloud"

    def world(self, files: Files) -> World:
        """Return a monitor that is deployed in this way."""
        return World(files, "main.bicep", self.given, cloud=self.cloud)


OTHER = "/subscriptions/33333333-3333-3333-3333-333333333333"
HUB = f"{OTHER}/resourceGroups/rg-hub/providers/Microsoft.Network"
HERE = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net"

ATTACHED = {
    "functionSubnetNetworkSecurityGroupId": f"{HUB}/networkSecurityGroups/nsg-functions",
    "functionSubnetRouteTableId": f"{HUB}/routeTables/rt-functions",
    "functionSubnetNatGatewayId": f"{HUB}/natGateways/ng-hub",
    "privateEndpointSubnetNetworkSecurityGroupId": f"{HUB}/networkSecurityGroups/nsg-endpoints",
    "privateEndpointSubnetRouteTableId": f"{HUB}/routeTables/rt-endpoints",
}
NETWORKS: dict[str, Given] = {
    "new network": {},
    "new subnets": {"existingVirtualNetworkId": f"{HUB}/virtualNetworks/vnet-hub"},
    "given subnets": {
        "existingFunctionSubnetId": f"{HUB}/virtualNetworks/vnet-hub/subnets/snet-functions",
        "existingPrivateEndpointSubnetId": f"{HUB}/virtualNetworks/vnet-hub/subnets/snet-endpoints",
    },
}
ENDPOINTS: dict[str, Given] = {
    "own zones": {},
    "central zones": {"existingDnsZonesGroupId": f"{OTHER}/resourceGroups/rg-dns"},
    "zones by policy": {"createPrivateDnsZones": False},
    "no endpoints": {"privateEndpoints": False},
}
STATES: dict[str, Given] = {
    "first": {},
    "second": {
        "existingStateStorageId": (
            f"{OTHER}/resourceGroups/rg-first/providers/Microsoft.Storage/storageAccounts/stfirst"
        )
    },
}
# One scope of every kind that a role can be assigned on, in two subscriptions.
SCOPES = [
    HERE,
    f"{HUB}/routeTables/rt-spokes",
    f"{HUB}/networkInterfaces/nva1-nic1",
    f"{HUB}/publicIPAddresses/pip-fw",
    f"{HUB}/virtualNetworks/vnet-hub",
    f"{HUB}/networkSecurityGroups/nsg-nva",
    f"{HUB}/loadBalancers/lb-nva",
    f"{HUB}/applicationGateways/agw",
    f"{HUB}/applicationSecurityGroups/asg-nva",
]
TOPIC = f"{OTHER}/resourceGroups/rg-ops/providers/Microsoft.EventGrid/topics/ops"
COMMON: Given = {
    "environmentName": "prod",
    "location": "westeurope",
    "networkScopes": ", ".join(SCOPES),
    "nicReferences": "loadBalancerPool, applicationSecurityGroup",
    "alertEmails": "ops@example.com, net@example.com",
    "allowedIpRanges": "192.0.2.0/24, 198.51.100.7/32",
}
MORE: dict[str, Given] = {
    "flex, given subnets in a given network": {**NETWORKS["new subnets"], **NETWORKS["given subnets"]},
    "flex, what others attached": {**NETWORKS["new subnets"], **ATTACHED},
    "dedicated, what others attached": {"hosting": "dedicated", **ATTACHED},
    "dedicated, NAT gateway": {"hosting": "dedicated", "natGateway": True},
    "dedicated, another Python": {"hosting": "dedicated", "pythonVersion": "3.12"},
    "dedicated, further subnets": {
        "hosting": "dedicated",
        "privateEndpoints": False,
        "storageSubnetIds": f"{HUB}/virtualNetworks/vnet-b/subnets/snet-b",
    },
    "flex, zone-redundant": {
        "zoneRedundant": True,
        "alwaysReadyInstances": 2,
        "storageSku": "Standard_ZRS",
        "storageDeleteLock": True,
        "instanceMemoryMB": 2048,
        "maximumInstanceCount": 50,
        "updateStrategy": "RollingUpdate",
        "pythonVersion": "3.12",
    },
    "flex, everything else that can be set": {
        "resourceGroupName": "rg-of-ours",
        "config": '{"groups": []}',
        "schedule": "*/5 * * * * *",
        "instanceName": "first",
        "armApiVersion": "2024-05-01",
        "armEndpoint": "https://management.example",
        "armCa": "ca.pem",
        "pingUrl": "https://ping.example/0000",
        "openTelemetry": True,
        # One that nvaha does not set, and one that it does: the last word is the operator's.
        "extraAppSettings": {
            "AZURE_TENANT_ID": "22222222-2222-2222-2222-222222222222",
            "NVAHA_SCHEDULE": "*/10 * * * * *",
        },
        "logRetentionDays": 90,
    },
    "flex, audited": {
        "storageLogs": "changes",
        "eventArchiveStorageId": (
            f"{OTHER}/resourceGroups/rg-audit/providers/Microsoft.Storage/storageAccounts/staudit"
        ),
    },
    "flex, sends to an Event Grid topic": {"eventGridTopicId": TOPIC},
    "dedicated, all storage logged": {
        "hosting": "dedicated",
        "storageLogs": "all",
        "existingWorkspaceId": f"{HUB}/workspaces/log-central",
    },
    "flex, tells an action group of ours": {
        "alertEmails": "",
        "alertActionGroupId": f"{HUB}/actionGroups/ag-ops",
    },
    "flex, tells both": {"alertActionGroupId": f"{HUB}/actionGroups/ag-ops"},
    "flex, asked from places of ours": {"availabilityPlaces": "us-tx-sn1-azr, emea-fr-pra-edge"},
    "flex, not asked from outside": {"availabilityTest": False},
    "flex, asked from outside only": {"alerts": False},
    "flex, neither": {"alerts": False, "availabilityTest": False},
    "flex, canary": {"canary": True},
    "flex, with what is there": {
        "operatorRoleId": f"{OTHER}/providers/Microsoft.Authorization/roleDefinitions/{'4' * 8}-0000",
        "existingWorkspaceId": f"{HUB}/workspaces/log-central",
        "alerts": False,
        "portal": False,
    },
    "flex, nothing that can be left out": {
        "networkScopes": "",
        "nicReferences": "",
        "alertEmails": "",
        "allowedIpRanges": "",
    },
}


def every_way() -> dict[str, Way]:
    """Return each way to deploy by its name: all combinations of what decides how it connects, and more."""
    ways = {
        f"{hosting}, {network}, {endpoint}, {state}": Way(
            {**COMMON, "hosting": hosting, **NETWORKS[network], **ENDPOINTS[endpoint], **STATES[state]}
        )
        for hosting in ("flex", "dedicated")
        for network in NETWORKS
        for endpoint in ENDPOINTS
        for state in STATES
    }
    ways |= {name: Way({**COMMON, **given}) for name, given in MORE.items()}
    return ways | {f"flex in {cloud}": Way(COMMON, cloud) for cloud in CLOUDS}


# Enough of them that every branch of the templates is taken at least once.
FEW = (
    "flex, new network, own zones, second",
    "flex, new subnets, no endpoints, first",
    "flex, given subnets, central zones, first",
    "dedicated, new network, no endpoints, first",
    "dedicated, new subnets, own zones, first",
    "dedicated, given subnets, zones by policy, second",
    *MORE,
    *(f"flex in {cloud}" for cloud in CLOUDS),
)
REFUSED: dict[str, tuple[Given, str]] = {
    "function subnet without endpoint subnet": (
        {"existingFunctionSubnetId": NETWORKS["given subnets"]["existingFunctionSubnetId"]},
        "existingPrivateEndpointSubnetId",
    ),
    "zone redundancy with one instance": ({"zoneRedundant": True}, "alwaysReadyInstances"),
    "scope of a subnet": (
        {"networkScopes": f"{HUB}/virtualNetworks/vnet-hub/subnets/snet-nva"},
        "snet-nva",
    ),
    "scope of a kind that no role is for": (
        {"networkScopes": f"{HUB}/azureFirewalls/fw"},
        "azureFirewalls",
    ),
    "Event Grid topic that is none": (
        {"eventGridTopicId": TOPIC.replace("/topics/", "/namespaces/")},
        "eventGridTopicId",
    ),
    "update strategy that is none": ({"updateStrategy": "Slots"}, "updateStrategy"),
    "SKU that is none": ({"storageSku": "Standard_XRS"}, "storageSku"),
    "too few instances": ({"maximumInstanceCount": 39}, "maximumInstanceCount"),
}
