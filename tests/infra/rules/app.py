"""What each plan and its app must be sent, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nvaha.config.settings import Cloud

from .sent import CLIENT_ID, CONNECTION_STRING, Json, Sent, World

CLOUD_NAMES = {
    "AzureCloud": Cloud.PUBLIC,
    "AzureUSGovernment": Cloud.US_GOVERNMENT,
    "AzureChinaCloud": Cloud.CHINA,
}
SERVICES = ("blob", "queue", "table")

# Refused on Flex Consumption with error 51021 where it is enforced, null included, or of another plan by
# their description (azure-facts A9 says which is which).
REFUSED_ON_FLEX = frozenset(
    {
        "alwaysOn",
        "elasticWebAppScaleLimit",
        "ftpsState",
        "functionAppScaleLimit",
        "functionsRuntimeScaleMonitoringEnabled",
        "linuxFxVersion",
        "minimumElasticInstanceCount",
        "netFrameworkVersion",
        "numberOfWorkers",
        "preWarmedInstanceCount",
        "use32BitWorkerProcess",
        "windowsFxVersion",
    }
)
# Core Tools set these on a dedicated Linux app when they publish (LinuxDedicatedBuildSettings there).
BUILD = {
    "ENABLE_ORYX_BUILD": "true",
    "SCM_DO_BUILD_DURING_DEPLOYMENT": "1",
    "BUILD_FLAGS": "UseExpressBuild",
    "XDG_CACHE_HOME": "/tmp/.cache",  # noqa: S108
}

# Logs go on by the host, traces and metrics by the worker (docs/telemetry.md): each signal has one sender.
OPEN_TELEMETRY = {
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_TRACES_SAMPLER": "always_on",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": (
        "azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3"
    ),
}


def differences(found: Any, wanted: Any, where: str) -> Iterator[str]:
    """Yield where two values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**wanted, **found}:
            if key not in found:
                yield f"{where}.{key} is missing"
            elif key not in wanted:
                yield f"{where}.{key} is set and should not be"
            else:
                yield from differences(found[key], wanted[key], f"{where}.{key}")
    elif found != wanted:
        yield f"{where} is {found!r}, not {wanted!r}"


def _list(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def identity(world: World) -> Sent:
    """Return the monitor's identity."""
    return world.one("Microsoft.ManagedIdentity/userAssignedIdentities")


def account(world: World) -> Sent:
    """Return the monitor's own storage account."""
    return world.one("Microsoft.Storage/storageAccounts")


def plan_problems(world: World) -> Iterator[str]:
    """Report a plan that is not the one asked for."""
    flex = world.parameter("hosting") == "flex"
    plan = world.one("Microsoft.Web/serverfarms")
    wanted = {
        "kind": "functionapp" if flex else "linux",
        "sku": {"name": "FC1", "tier": "FlexConsumption"} if flex else {"name": "B1", "tier": "Basic"},
        "properties": {
            "reserved": True,
            "zoneRedundant": world.parameter("zoneRedundant") if flex else False,
        },
    }
    yield from differences({key: plan.body.get(key) for key in wanted}, wanted, plan.place)


def _flex_config(world: World) -> Json:
    ready, strategy = world.parameter("alwaysReadyInstances"), world.parameter("updateStrategy")
    return {
        "deployment": {
            "storage": {
                "type": "blobContainer",
                "value": f"https://{account(world).name}.blob.{world.suffix}/app-package",
                "authentication": {
                    "type": "UserAssignedIdentity",
                    "userAssignedIdentityResourceId": identity(world).id,
                },
            }
        },
        "scaleAndConcurrency": {
            "instanceMemoryMB": world.parameter("instanceMemoryMB"),
            "maximumInstanceCount": world.parameter("maximumInstanceCount"),
            "alwaysReady": [
                {"name": f"function:{name}", "instanceCount": ready} for name in ("probe", "switch")
            ],
        },
        "runtime": {"name": "python", "version": world.parameter("pythonVersion")},
        **({"siteUpdateStrategy": {"type": strategy}} if strategy else {}),
    }


def _site_config(world: World, *, flex: bool) -> Json:
    allowed = _list(world.parameter("allowedIpRanges"))
    tested = allowed and world.of("Microsoft.Insights/webtests")
    testers: list[Json] = [
        {
            "name": "availability-tests",
            "action": "Allow",
            "tag": "ServiceTag",
            "ipAddress": "ApplicationInsightsAvailability",
            "priority": 99,
        }
    ]
    common = {
        "http20Enabled": True,
        "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2",
        "remoteDebuggingEnabled": False,
        "ipSecurityRestrictionsDefaultAction": "Deny" if allowed else "Allow",
        "ipSecurityRestrictions": (testers if tested else [])
        + [
            {"name": f"allowed-{at}", "action": "Allow", "ipAddress": prefix, "priority": 100 + at}
            for at, prefix in enumerate(allowed)
        ],
    }
    runtime = f"PYTHON|{world.parameter('pythonVersion')}"
    only = {"alwaysOn": True, "linuxFxVersion": runtime, "ftpsState": "Disabled"}
    return common if flex else common | only


def site_problems(world: World) -> Iterator[str]:
    """Report a site that is not closed, not this identity's, or holds settings of the other plan."""
    flex = world.parameter("hosting") == "flex"
    site = world.one("Microsoft.Web/sites")
    identity_id = identity(world).id
    direct = {"allTraffic": False, "applicationTraffic": False}
    wanted = {
        "name": site.name,
        "location": world.parameter("location"),
        "kind": "functionapp,linux",
        "tags": {"azd-env-name": world.parameter("environmentName"), "azd-service-name": "monitor"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id: {}}},
        "properties": {
            "serverFarmId": world.one("Microsoft.Web/serverfarms").id,
            "httpsOnly": True,
            "clientAffinityEnabled": False,
            "keyVaultReferenceIdentity": identity_id,
            "publicNetworkAccess": "Enabled",
            "virtualNetworkSubnetId": world.outputs["NVAHA_SUBNET_ID"],
            "outboundVnetRouting": None if flex else direct,
            "functionAppConfig": _flex_config(world) if flex else None,
            "siteConfig": _site_config(world, flex=flex),
        },
    }
    yield from differences(site.body, wanted, site.place)
    if flex:
        for key in sorted(REFUSED_ON_FLEX & set(site.properties["siteConfig"])):
            yield f"{site.place}: siteConfig.{key} is refused on Flex Consumption"
    policies = world.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    found = {each.name: each.properties for each in policies}
    closed = {name: {"allow": False} for name in (("scm",) if flex else ("ftp", "scm"))}
    yield from differences(found, closed, "publishing credentials")


def _connection(world: World, prefix: str, name: str) -> dict[str, str]:
    uris = {
        f"{prefix}__{service}ServiceUri": f"https://{name}.{service}.{world.suffix}" for service in SERVICES
    }
    return uris | {
        f"{prefix}__accountName": name,
        f"{prefix}__credential": "managedidentity",
        f"{prefix}__clientId": CLIENT_ID,
    }


def _settings(world: World) -> Json:
    state = world.parameter("existingStateStorageId")
    optional = {
        "NVAHA_INSTANCE": world.parameter("instanceName"),
        "NVAHA_ARM_API_VERSION": world.parameter("armApiVersion"),
        "NVAHA_ARM_ENDPOINT": world.parameter("armEndpoint"),
        "NVAHA_ARM_CA": world.parameter("armCa"),
    }
    token = world.one("Microsoft.Web/sites").name.removeprefix("func-")
    extra: Json = world.parameter("extraAppSettings")
    wanted: Json = {
        "AzureFunctionsWebHost__hostid": f"nvaha-{token}",
        **_connection(world, "AzureWebJobsStorage", account(world).name),
        "APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION_STRING,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={CLIENT_ID};Authorization=AAD",
        "AZURE_CLIENT_ID": CLIENT_ID,
        "NVAHA_STORAGE": "NVAHASTATE" if state else "AzureWebJobsStorage",
        **(_connection(world, "NVAHASTATE", state.rpartition("/")[2]) if state else {}),
        "NVAHA_CONFIG": world.parameter("config"),
        "NVAHA_SCHEDULE": world.parameter("schedule"),
        "NVAHA_CLOUD": CLOUD_NAMES[world.cloud].value,
        "NVAHA_PING_URL": world.parameter("pingUrl"),
        **{name: value for name, value in optional.items() if value},
        **(OPEN_TELEMETRY if world.parameter("openTelemetry") else {}),
    }
    if world.parameter("hosting") == "dedicated":
        wanted |= {"FUNCTIONS_EXTENSION_VERSION": "~4", "FUNCTIONS_WORKER_RUNTIME": "python", **BUILD}
    return wanted | extra


def settings_problems(world: World) -> Iterator[str]:
    """Report application settings that are missing, too many, or of the wrong account, service or plan."""
    settings = world.one("Microsoft.Web/sites/config")
    if settings.name != "appsettings":
        yield f"{settings.place} is {settings.name}, not appsettings"
    yield from differences(settings.properties, _settings(world), settings.place)
    host_id = settings.properties.get("AzureFunctionsWebHost__hostid", "")
    if len(host_id) > 32:
        yield f"the host's id {host_id} is longer than the 32 characters that Azure looks at"
