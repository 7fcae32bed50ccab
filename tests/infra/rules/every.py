"""Every rule at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.infra.azure_types import FOLDER, resource_type
from tests.infra.template.functions import TemplateError

from . import access, app, general, network, portal, telemetry
from .sent import World

RULES: tuple[Callable[[World], Iterator[str]], ...] = (
    general.general_problems,
    general.monitor_output_problems,
    general.tag_problems,
    app.plan_problems,
    app.site_problems,
    app.settings_problems,
    network.subnet_problems,
    network.account_problems,
    network.endpoint_problems,
    network.canary_problems,
    access.assignment_problems,
    access.definition_problems,
    access.order_problems,
    telemetry.workspace_problems,
    telemetry.alert_problems,
    telemetry.audit_problems,
    portal.portal_problems,
)


def monitor_problems(world: World) -> Iterator[str]:
    """Report what is wrong with a monitor that is deployed in one way."""
    try:
        for rule in RULES:
            yield from rule(world)
    except TemplateError as stopped:
        yield str(stopped)
    except LookupError as missing:
        yield f"something that every monitor has is not sent: {missing}"


def type_problems(world: World) -> Iterator[str]:
    """Report what Azure's own types do not know, or do not take; nothing where they are not there."""
    for each in world.sent if FOLDER.is_dir() else ():
        known = resource_type(each.resource.part.target)
        if known is None:
            yield f"{each.place}: {each.resource.part.target} is no type and API version that is known"
        else:
            yield from (f"{each.place}: {problem}" for problem in known.problems(each.body))
