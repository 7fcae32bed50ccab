"""Every rule at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.infra.azure_types import resource_type
from tests.infra.template.functions import TemplateError
from tests.infra.template.source import Files

from . import access, app, network, telemetry
from .sent import World

RULES: tuple[Callable[[World], Iterator[str]], ...] = (
    app.plan_problems,
    app.site_problems,
    app.settings_problems,
    network.subnet_problems,
    network.account_problems,
    network.endpoint_problems,
    access.assignment_problems,
    access.definition_problems,
    access.order_problems,
    telemetry.workspace_problems,
    telemetry.alert_problems,
)


def monitor_problems(files: Files, given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a monitor that is deployed in one way."""
    world = World(files, "main.bicep", given)
    return list(_found(world, RULES))


def _found(world: World, rules: tuple[Callable[[World], Iterator[str]], ...]) -> Iterator[str]:
    try:
        for each in world.sent:
            tags = each.body.get("tags", {}).get("azd-env-name")
            if "tags" in each.body and tags != world.given["environmentName"]:
                yield f"{each.place} is not tagged for azd"
        for rule in rules:
            yield from rule(world)
    except TemplateError as stopped:
        yield str(stopped)


def type_problems(world: World) -> Iterator[str]:
    """Report what Azure's own types do not know, or do not take."""
    for each in world.sent:
        known = resource_type(each.resource.part.target)
        if known is None:
            yield f"{each.place}: {each.resource.part.target} is no type and API version that is known"
        else:
            yield from (f"{each.place}: {problem}" for problem in known.problems(each.body))
