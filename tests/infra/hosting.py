"""What host.json and azure.yaml make of the app: which log lines are stored, and how azd deploys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from .rules.sent import World

# Microsoft.Extensions.Logging; None stores nothing.
LEVELS = ("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")

# The platform's own lines that come with every tick and that nobody reads: the two traces "Executing" and
# "Executed" of the function, its request, and the counts of the aggregator
# (MicrosoftDocs/azure-docs, articles/azure-functions/configure-monitoring.md, "Configure categories").
EVERY_TICK = (
    *("Function.probe", "Function.health", "Host.Results", "Host.Aggregator"),
    # An open status page asks for these every few seconds.
    *("Function.groups", "Function.group", "Function.ui", "Function.ui_file"),
)


def level_of(host: dict[str, Any], category: str) -> str:
    """Return the level from which on a category is stored: the longest name that the category begins with."""
    levels = host.get("logging", {}).get("logLevel", {})
    named = [name for name in levels if category.casefold().startswith(name.casefold())]
    name = max(named, key=len, default=next((each for each in levels if each.casefold() == "default"), None))
    return str(levels[name]) if name is not None else "Information"


def stores(host: dict[str, Any], category: str, level: str) -> bool:
    """Tell whether a line of a category and level reaches Application Insights, always."""
    sampling = host.get("logging", {}).get("applicationInsights", {}).get("samplingSettings", {})
    spared = {each.strip() for each in sampling.get("excludedTypes", "").split(";")}
    least = level_of(host, category)
    sampled = sampling.get("isEnabled", True) and "Trace" not in spared
    return not sampled and least in LEVELS and LEVELS.index(level) >= LEVELS.index(least) and least != "None"


def host_problems(text: str, functions: Iterable[str]) -> list[str]:
    """Report what host.json loses of the app's events, and what it stores for nothing."""
    host = json.loads(text)
    problems = []
    for name in functions:
        if not stores(host, f"Function.{name}.User", "Information"):
            problems.append(f"the events of function {name} are not all stored")
        if not stores(host, f"Function.{name}", "Error"):
            problems.append(f"a failure of function {name} is not stored")
    for category in EVERY_TICK:
        if stores(host, category, "Information"):
            problems.append(f"{category} is stored with every run")
    for category in ("Host.Results", "Host.Startup", "Host.General", "Microsoft", "Worker"):
        if not stores(host, category, "Error"):
            problems.append(f"an error of {category} is not stored")
    unknown = [each for each in host["logging"]["logLevel"].values() if each not in LEVELS]
    return problems + [f"{each} is no log level" for each in unknown]


def azd_problems(text: str, world: World) -> list[str]:
    """Report what keeps azd from deploying its one service to an app.

    azd refuses `remoteBuild` for anything but Flex Consumption, and there builds Python remotely without it
    (Azure/azure-dev, cli/azd/pkg/project/service_target_functionapp.go); a dedicated plan builds because of
    two application settings. azd finds the app by its tag.

    Args:
        text: azure.yaml.
        world: a monitor, as the template deploys it.
    """
    problems = []
    tag = world.one("Microsoft.Web/sites").body["tags"].get("azd-service-name")
    for name, service in yaml.safe_load(text)["services"].items():
        found = {"project": ".", "language": "python", "host": "function"}
        problems += [
            f"{key} of {name} is not {value}" for key, value in found.items() if service.get(key) != value
        ]
        if "remoteBuild" in service:
            problems.append(f"remoteBuild of {name}: azd refuses it on a dedicated plan")
        if name != tag:
            problems.append(f"no app has the tag azd-service-name {name}")
    settings = world.one("Microsoft.Web/sites/config").properties
    for name in ("SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"):
        builds = str(settings.get(name)).lower() in {"1", "true"}
        if builds != (world.parameter("hosting") == "dedicated"):
            problems.append(f"{name} is {settings.get(name)} on {world.parameter('hosting')}")
    return problems
