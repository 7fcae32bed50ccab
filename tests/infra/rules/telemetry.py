"""Where telemetry goes, and what wakes somebody up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.infra.tools import ROOT

from .app import differences
from .sent import Sent, World

RULE = "Microsoft.Insights/scheduledQueryRules"
SETTINGS = "Microsoft.Insights/diagnosticSettings"
CHANGES = ["StorageWrite", "StorageDelete"]
# Telemetry arrives up to some minutes late: a shorter window misses it, a longer one repeats an event long. A
# state lasts: what looks back less forgets it while no monitor says it again; more is refused each minute.
WINDOWS = {"group_state": "PT6H", "standbys": "P1D", "canary_failed": "P1D"}
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


def alert_problems(world: World) -> Iterator[str]:
    """Report alerts that are missing, off, deaf, or tell nobody."""
    rules = {each.name.split("-", 2)[2]: each for each in world.of(RULE)}
    emails = [each.strip() for each in world.parameter("alertEmails").split(",") if each.strip()]
    given = world.parameter("alertActionGroupId")
    said = world.outputs["NVAHA_ALERTING"]
    if any(each not in said for each in (*emails, given)) and world.parameter("alerts"):
        yield f"NVAHA_ALERTING does not say who is told: {said}"
    if not world.parameter("alerts") or not (emails or given):
        if rules or world.of("Microsoft.Insights/actionGroups"):
            yield "nobody is to be told, and rules are made all the same"
        if "nobody" not in said.lower():
            yield f"NVAHA_ALERTING does not say that nobody is told: {said}"
        return
    wanted = documented()
    severities = {name: each.properties.get("severity") for name, each in rules.items()}
    yield from differences(severities, wanted, "severity of")
    groups = world.of("Microsoft.Insights/actionGroups")
    if bool(groups) != bool(emails):
        yield f"{len(groups)} action groups are made for {len(emails)} addresses"
    receivers = [
        {"name": f"email-{at}", "emailAddress": address, "useCommonAlertSchema": True}
        for at, address in enumerate(emails)
    ]
    told = {"enabled": True, "groupShortName": "nvaha", "emailReceivers": receivers}
    for group in groups:
        yield from differences(group.properties, told, group.place)
    ids = [*(group.id for group in groups), *([given] if given else [])]
    for name, each in rules.items():
        yield from _rule_problems(world, name, each, ids)


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
    if not texts[0].startswith("nvaha: ") or "docs/monitoring.md" not in texts[1]:
        yield f"{rule.place} does not say what it is, or where to look: {texts}"
    if rule.body.get("kind") != "LogAlert":
        yield f"{rule.place} is no log alert"
