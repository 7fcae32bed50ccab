"""Where telemetry goes, and what wakes somebody up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.infra.tools import ROOT

from .app import differences
from .sent import Sent, World

RULE = "Microsoft.Insights/scheduledQueryRules"
METRIC_RULE = "Microsoft.Insights/metricAlerts"
OUTSIDE = "unhealthy"
"""The one rule that goes by a metric: what /api/health answers to whoever asks from outside."""
PLACES = {"AzureCloud": r"(us|emea|apac|latam)-", "AzureUSGovernment": "usgov-", "AzureChinaCloud": "mc-"}
"""How the population names of each cloud begin (availability.md of Azure Monitor)."""
SETTINGS = "Microsoft.Insights/diagnosticSettings"
CHANGES = ["StorageWrite", "StorageDelete"]
# Telemetry arrives up to some minutes late: a shorter window misses it, a longer one repeats an event long. A
# state lasts: what looks back less forgets it while no monitor says it again; more is refused each minute.
WINDOWS = {"group_state": "PT6H"} | dict.fromkeys(("Lonely", "Heard", "canary_failed", "token_back"), "P1D")
OF_EVENTS = "PT10M"
SEPARATE = ("Group", "Nvas", "Operation", "App")
"""Columns by which alerts of one rule are told apart, in this order."""


def documented() -> dict[str, int]:
    """Return the alerts and their severity as docs/monitoring.md has them."""
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    section = page.split("\n## Alerts\n", 1)[1].split("\n## ", 1)[0]
    return {name: int(severity) for name, severity in re.findall(r"^\| `([\w-]+)` \| (\d) \|", section, re.M)}


def workspace_problems(world: World) -> Iterator[str]:
    """Report logs that are kept elsewhere or take a shared key."""
    given = world.parameter("existingWorkspaceId")
    made = world.of("Microsoft.OperationalInsights/workspaces")
    if bool(given) == bool(made):
        yield f"{len(made)} workspaces are made while {given or 'none'} is given"
    for each in made:
        wanted = {
            "sku": {"name": "PerGB2018"},
            "retentionInDays": world.parameter("logRetentionDays"),
            "features": {"disableLocalAuth": True, "enableLogAccessUsingOnlyResourcePermissions": True},
        }
        yield from differences(each.properties, wanted, each.place)
    insights = world.one("Microsoft.Insights/components")
    workspace = given or made[0].id
    wanted = {"Application_Type": "web", "DisableLocalAuth": True, "WorkspaceResourceId": workspace}
    yield from differences(insights.properties, wanted, insights.place)


def audit_problems(world: World) -> Iterator[str]:
    """Report logs for auditors that are missing, of something else, or that nobody asked for."""
    account = world.one("Microsoft.Storage/storageAccounts").id
    insights = world.one("Microsoft.Insights/components").id
    archive = world.parameter("eventArchiveStorageId")
    categories = {"off": [], "changes": CHANGES, "all": [*CHANGES, "StorageRead"]}
    of_storage = categories[world.parameter("storageLogs")]
    wanted = {
        f"{account}/{service}Services/default": {
            "workspaceId": world.outputs["NVAHA_WORKSPACE_ID"],
            "logs": [{"category": each, "enabled": True} for each in of_storage],
        }
        for service in (("blob", "queue", "table") if of_storage else ())
    }
    if archive:
        wanted[insights] = {
            "storageAccountId": archive,
            "logs": [{"category": "AppTraces", "enabled": True}],
        }
    suffix = f"/providers/{SETTINGS}/nvaha"
    made = {each.id.removesuffix(suffix): each.properties for each in world.of(SETTINGS)}
    yield from differences(made, wanted, "diagnostic settings")


def _list(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def alert_problems(world: World) -> Iterator[str]:
    """Report alerts that are missing, off, deaf, or tell nobody."""
    emails, given = _list(world.parameter("alertEmails")), world.parameter("alertActionGroupId")
    told = bool(emails or given)
    rules = {each.name.split("-", 2)[2]: each for each in world.of(RULE)}
    outside = {each.name.split("-", 2)[2]: each for each in world.of(METRIC_RULE)}
    expected = {
        name: severity
        for name, severity in documented().items()
        if told and world.parameter("availabilityTest" if name == OUTSIDE else "alerts")
    }
    severities = {name: each.properties.get("severity") for name, each in (rules | outside).items()}
    yield from differences(severities, expected, "severity of")
    yield from _said_problems(world, [*emails, *([given] if given else [])], set(expected))
    groups = world.of("Microsoft.Insights/actionGroups")
    if bool(groups) != bool(emails and expected):
        yield f"{len(groups)} action groups are made for {len(emails)} addresses and {len(expected)} rules"
    receivers = [
        {"name": f"email-{at}", "emailAddress": address, "useCommonAlertSchema": True}
        for at, address in enumerate(emails)
    ]
    wanted = {"enabled": True, "groupShortName": "nvaha", "emailReceivers": receivers}
    for group in groups:
        yield from differences(group.properties, wanted, group.place)
    ids = [*(group.id for group in groups), *([given] if given else [])]
    for name, each in rules.items():
        yield from _rule_problems(world, name, each, ids)
    yield from availability_problems(world, ids, asked=OUTSIDE in expected)


def _said_problems(world: World, receivers: list[str], rules: set[str]) -> Iterator[str]:
    """Report an output that lets somebody believe that he is told what he is not."""
    said = world.outputs["NVAHA_ALERTING"]
    if not rules:
        if "nobody" not in said.lower():
            yield f"NVAHA_ALERTING does not say that nobody is told: {said}"
        return
    if any(each not in said for each in receivers) or "nobody" in said.lower():
        yield f"NVAHA_ALERTING does not say who is told: {said}"
    if ("availabilityTest=false" in said) is (OUTSIDE in rules):
        yield f"NVAHA_ALERTING does not say whether anybody asks from outside: {said}"
    if ("alerts=false" in said) is bool(rules - {OUTSIDE}):
        yield f"NVAHA_ALERTING does not say whether there are rules: {said}"


def availability_problems(world: World, groups: list[str], *, asked: bool) -> Iterator[str]:
    """Report a test from outside that asks something else, from too few places, or tells nobody."""
    tests, rules = world.of("Microsoft.Insights/webtests"), world.of(METRIC_RULE)
    if [len(tests), len(rules)] != [int(asked)] * 2:
        yield f"{len(tests)} tests from outside with {len(rules)} rules are made"
        return
    insights = world.one("Microsoft.Insights/components").id
    for test, rule in zip(tests, rules, strict=True):
        places = [each["Id"] for each in test.properties["Locations"]]
        given = _list(world.parameter("availabilityPlaces"))
        if given and places != given:
            yield f"{test.place} asks from {places}, not from {given}"
        if not given and not (
            len(set(places)) >= 4 and all(re.match(PLACES[world.cloud], each) for each in places)
        ):
            yield f"{test.place} asks from {places} in {world.cloud}"
        wanted = {
            "SyntheticMonitorId": test.name,
            "Name": test.name,
            "Kind": "standard",
            "Enabled": True,
            "Frequency": 300,
            "RetryEnabled": True,
            "Request": {
                "RequestUrl": f"{world.outputs['NVAHA_URL']}/api/health",
                "HttpVerb": "GET",
                "FollowRedirects": False,
                "ParseDependentRequests": False,
            },
        }
        yield from differences({key: test.properties.get(key) for key in wanted}, wanted, test.place)
        if test.properties["ValidationRules"].get("ExpectedHttpStatusCode") != 200:
            yield f"{test.place} takes another answer than 200 for health"
        if test.body.get("kind") != "standard":
            yield f"{test.place} is no standard test"
        of_test = {
            "enabled": True,
            "autoMitigate": True,
            "scopes": [test.id, insights],
            "evaluationFrequency": "PT1M",
            "windowSize": "PT5M",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria",
                "webTestId": test.id,
                "componentId": insights,
                "failedLocationCount": max(1, len(places) - 2),
            },
            "actions": [{"actionGroupId": each} for each in groups],
        }
        yield from differences({key: rule.properties.get(key) for key in of_test}, of_test, rule.place)
        if "docs/monitoring.md" not in rule.properties.get("description", ""):
            yield f"{rule.place} does not say where to look"


def _rule_problems(world: World, name: str, rule: Sent, groups: list[str]) -> Iterator[str]:
    properties = rule.properties
    query = world.files.text(world.files.root / "queries" / Path(f"{name}.kql"))
    shown = re.findall(r"\b\w+\b", query.rsplit("| project", 1)[-1])
    separate = [column for column in SEPARATE if column in shown]
    wanted = {
        "enabled": True,
        "autoMitigate": True,
        "skipQueryValidation": True,
        "scopes": [world.outputs["NVAHA_WORKSPACE_ID"]],
        "evaluationFrequency": "PT1M" if documented()[name] < 2 else "PT5M",
        "windowSize": next((each for word, each in WINDOWS.items() if word in query), OF_EVENTS),
        "actions": {"actionGroups": groups},
        "criteria": {
            "allOf": [
                {
                    "query": query,
                    "dimensions": [
                        {"name": column, "operator": "Include", "values": ["*"]} for column in separate
                    ],
                    "timeAggregation": "Count",
                    "operator": "GreaterThan",
                    "threshold": 0,
                    "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
                }
            ]
        },
    }
    yield from differences({key: properties.get(key) for key in wanted}, wanted, rule.place)
    texts = (properties.get("displayName", ""), properties.get("description", ""))
    if not texts[0].startswith("nvaha: ") or "docs/runbook.md" not in texts[1]:
        yield f"{rule.place} does not say what it is, or where to look: {texts}"
    if rule.body.get("kind") != "LogAlert":
        yield f"{rule.place} is no log alert"
