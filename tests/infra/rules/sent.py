"""A whole deployment as plain values: the parameters given, and everything that Azure would be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.infra.template.deployment import Deployment, Instance, Resource
from tests.infra.template.functions import TemplateError
from tests.infra.template.runtime import is_known, settle
from tests.infra.template.scope import SUBSCRIPTION, Scope, resource_id
from tests.infra.template.source import Files

Json = dict[str, Any]

CLIENT_ID = "c1000000-0000-0000-0000-000000000000"
PRINCIPAL_ID = "a1000000-0000-0000-0000-000000000000"
CONNECTION_STRING = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
PUBLIC_ADDRESS = "203.0.113.10"
# The storage suffix of each cloud by the name that Azure Resource Manager gives it.
CLOUDS = {
    "AzureCloud": "core.windows.net",
    "AzureUSGovernment": "core.usgovcloudapi.net",
    "AzureChinaCloud": "core.chinacloudapi.cn",
}

PORTALS = {
    "AzureCloud": "https://portal.azure.com",
    "AzureUSGovernment": "https://portal.azure.us",
    "AzureChinaCloud": "https://portal.azure.cn",
}


def at_run_time(cloud: str) -> Mapping[str, Callable[..., Any]]:
    """Return the functions that only a running deployment can answer, as a cloud answers them."""
    suffix = CLOUDS[cloud]

    def reference(id_: str, _version: str) -> Json:
        name = id_.rpartition("/")[2]
        return {
            "clientId": CLIENT_ID,
            "principalId": PRINCIPAL_ID,
            "ConnectionString": CONNECTION_STRING,
            "ipAddress": PUBLIC_ADDRESS,
            "primaryEndpoints": {"blob": f"https://{name}.blob.{suffix}/"},
            "defaultHostName": f"{name}.azurewebsites.net",
        }

    def within_group(subscription: str, group: str, kind: str, *names: str) -> Any:
        return resource_id(Scope(subscription, group).id, kind, *names)

    return {
        "environment": lambda: {"name": cloud, "portal": PORTALS[cloud], "suffixes": {"storage": suffix}},
        "reference": reference,
        "extensionResourceId": resource_id,
        "resourceId": within_group,
    }


@dataclass(frozen=True)
class Sent:
    """One resource as it is sent."""

    id: str
    type: str
    name: str
    body: Json
    resource: Resource

    @property
    def properties(self) -> Json:
        """Its properties."""
        found: Json = self.body.get("properties", {})
        return found

    @property
    def place(self) -> str:
        """Where it is written."""
        return repr(self.resource)


class World:
    """One deployment of one template with certain parameters, in one cloud."""

    def __init__(
        self,
        files: Files,
        template: str,
        given: Mapping[str, Any],
        group: str | None = None,
        cloud: str = "AzureCloud",
    ) -> None:
        self.files = files
        self.given = given
        self.cloud = cloud
        self.suffix = CLOUDS[cloud]
        self._known = at_run_time(cloud)
        self._deployment = Deployment(files, files.root / template, Scope(SUBSCRIPTION, group), given)

    @cached_property
    def sent(self) -> list[Sent]:
        """Every resource that is sent; TemplateError where Azure would stop."""
        return [self._send(resource) for resource in self._deployment.resources()]

    def _send(self, resource: Resource) -> Sent:
        id_ = settle(resource.id, self._known)
        body = settle(resource.body, self._known)
        if not is_known(body) or not isinstance(id_, str):
            raise TemplateError(f"{resource!r} holds what nobody knows when it is sent")
        return Sent(id_, resource.type, body["name"], body, resource)

    @cached_property
    def modules(self) -> list[tuple[str, str]]:
        """Scope and name of every deployment of a module."""
        return [(each.inner.scope.id, each.value("name")) for each in self._deployment.modules()]

    @cached_property
    def outputs(self) -> Json:
        """Every output."""
        return {name: settle(each, self._known) for name, each in self._deployment.outputs().items()}

    def parameter(self, name: str) -> Any:
        """Return a parameter as it is given, or its default where that is a literal."""
        if name in self.given:
            return self.given[name]
        default = self._deployment.source.parameters[name].default
        return self._deployment.evaluate(default, {}) if default is not None else None

    def of(self, kind: str) -> list[Sent]:
        """Return what is sent of one type."""
        return [each for each in self.sent if each.type == kind]

    def one(self, kind: str) -> Sent:
        """Return the only one that is sent of its type."""
        found = self.of(kind)
        if len(found) != 1:
            raise TemplateError(f"{len(found)} of {kind} are sent, not one")
        return found[0]

    def json(self, name: str) -> Any:
        """Return a JSON file beside the template."""
        return json.loads(self.files.text(self.files.root / name))


def _steps(instance: Instance) -> list[Instance]:
    """Return an instance and the modules that it is in."""
    steps: list[Instance] = []
    here: Instance | None = instance
    while here is not None:
        steps.append(here)
        here = here.deployment.above
    return steps


def waits_for(later: Resource, earlier: Resource) -> bool:
    """Tell whether Azure begins with a resource only after another is done, as the dependencies stand."""
    wanted = set(map(id, _steps(earlier)))
    todo: list[Instance] = [need for step in _steps(later) for need in step.needs]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        # Azure leaves out what is not deployed, and what that would have waited for.
        if id(here) in seen or not here.deployed:
            continue
        if id(here) in wanted:
            return True
        seen.add(id(here))
        todo += here.needs
    return False
