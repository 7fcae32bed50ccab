"""What host.json and azure.yaml make of the app: which log lines are stored, and how azd deploys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

# Microsoft.Extensions.Logging; None stores nothing.
LEVELS = ("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")

# The platform's own lines that come with every tick and that nobody reads: the two traces "Executing" and
# "Executed" of the function, its request, and the counts of the aggregator
# (MicrosoftDocs/azure-docs, articles/azure-functions/configure-monitoring.md, "Configure categories").
EVERY_TICK = ("Function.probe", "Function.health", "Host.Results", "Host.Aggregator")


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


def azd_problems(text: str, function_app: str) -> list[str]:
    """Report what keeps azd from deploying the one service to either plan.

    azd refuses `remoteBuild` for anything but Flex Consumption, and there builds Python remotely without it
    (Azure/azure-dev, cli/azd/pkg/project/service_target_functionapp.go); the dedicated plan builds because of
    two application settings. azd finds the app by its tag.
    """
    problems = []
    for name, service in yaml.safe_load(text)["services"].items():
        found = {"project": ".", "language": "python", "host": "function"}
        problems += [
            f"{key} of {name} is not {value}" for key, value in found.items() if service.get(key) != value
        ]
        if "remoteBuild" in service:
            problems.append(f"remoteBuild of {name}: azd refuses it on a dedicated plan")
        if f"'azd-service-name': '{name}'" not in function_app:
            problems.append(f"no app has the tag azd-service-name {name}")
    settings = function_app.split("dedicatedSettings = flex ? {} : {", 1)[-1].split("}", 1)[0]
    for name in ("SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"):
        if f"{name}: 'true'" not in settings:
            problems.append(f"the dedicated plan builds nothing without {name}")
    return problems
