"""host.json stores what operators need and no more, and azure.yaml deploys to either plan."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator

import pytest

from .hosting import azd_problems, host_problems, level_of
from .rules.ways import COMMON, Way
from .template.source import Files
from .tools import INFRA, ROOT

DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def functions() -> Iterator[str]:
    """Yield the names of the app's functions."""
    for node in ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef):
            yield node.name


def test_events_are_stored_and_ticks_are_not() -> None:
    """Every function's events and every failure are stored; what comes with each tick is not."""
    names = list(functions())
    assert {"probe", "switch", "poison", "health", "failover"} <= set(names)
    assert host_problems((ROOT / "host.json").read_text(encoding="utf-8"), names) == []


def test_component_samples_nothing() -> None:
    """Application Insights keeps every event that reaches it."""
    template = (INFRA / "app" / "observability.bicep").read_text(encoding="utf-8")
    assert "SamplingPercentage" not in template
    assert "dailyQuotaGb" not in template


@pytest.mark.parametrize(
    ("category", "level"),
    [
        ("Function.probe", "Error"),
        ("Function.probe.User", "Debug"),
        ("function.PROBE.User", "Debug"),
        ("Function.probes", "Error"),
        ("Function.switch.User", "Warning"),
        ("Host.Results", "None"),
        ("Worker", "Trace"),
    ],
)
def test_the_longest_name_decides(category: str, level: str) -> None:
    """A category has the level of the longest name that it begins with, in any case; else the default."""
    levels = {
        "default": "Trace",
        "Function": "Warning",
        "Function.probe": "Error",
        "Function.probe.User": "Debug",
        "Host": "None",
    }
    assert level_of({"logging": {"logLevel": levels}}, category) == level


@pytest.mark.parametrize("hosting", ["flex", "dedicated"])
def test_azd_deploys_to_both_plans(hosting: str) -> None:
    """azure.yaml names the tagged app, sets nothing that a plan refuses, and each plan builds its own way."""
    world = Way({**COMMON, "hosting": hosting}).world(Files())
    assert azd_problems((ROOT / "azure.yaml").read_text(encoding="utf-8"), world) == []


@pytest.mark.parametrize(
    ("right", "wrong", "hosting"),
    [
        ("ENABLE_ORYX_BUILD: 'true'", "ENABLE_ORYX_BUILD: 'false'", "dedicated"),
        ("  SCM_DO_BUILD_DURING_DEPLOYMENT: '1'\n", "", "dedicated"),
        ("dedicatedSettings = flex ? {} : {", "dedicatedSettings = !flex ? {} : {", "dedicated"),
        ("dedicatedSettings = flex ? {} : {", "dedicatedSettings = !flex ? {} : {", "flex"),
        ("dedicatedSettings, extraAppSettings", "extraAppSettings", "dedicated"),
    ],
)
def test_a_plan_that_builds_nothing_is_found(right: str, wrong: str, hosting: str) -> None:
    """A plan that is told the other's way to build, or none, is reported however the template says it."""
    path = INFRA / "app" / "function-app.bicep"
    source = path.read_text(encoding="utf-8")
    assert right in source
    world = Way({**COMMON, "hosting": hosting}).world(Files(changed={path: source.replace(right, wrong)}))
    assert any(
        "BUILD" in each for each in azd_problems((ROOT / "azure.yaml").read_text(encoding="utf-8"), world)
    )


def test_a_switch_fits_into_the_time_that_a_function_has() -> None:
    """The longest deadline that the configuration allows ends before the host would cut the function off."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert "`30s` to `14m`" in page
    assert hours * 3600 + minutes * 60 + seconds > 14 * 60


def test_switches_of_many_groups_run_side_by_side() -> None:
    """A lost zone fails many groups at once; the last of them must not wait for the first to end."""
    queues = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]["queues"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    assert queues["batchSize"] <= 32, "the host takes no more at a time (azure-facts A2)"
    assert at_once == 24
    assert f"One process carries {at_once} switches out at a time" in DESIGN
