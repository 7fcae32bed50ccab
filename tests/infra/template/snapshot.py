"""A deployment in the form that `bicep snapshot` writes, and the parameter files beside its snapshots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.infra.bicep import tree

from .deployment import Deployment, Resource
from .runtime import Call, Index, Runtime, as_template, call
from .syntax import Array, Expression, Literal, Object, expression

# What the tool writes around a name of several parts that it does not know: the parts that are not empty.
NOT_EMPTY = Call("lambda", ("x", Call("not", (Call("empty", (Call("lambdaVariables", ("x",)),)),))))


def _constant(value: Expression) -> Any:
    match value:
        case Literal(constant):
            return constant
        case Object(entries):
            return {_constant(key): _constant(each) for key, each in entries}
        case Array(items):
            return [_constant(each) for each in items]
    raise ValueError(f"{value} is no constant")


def read_parameters(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the template that a .bicepparam file is for, below infra, and the arguments in it."""
    content = path.read_text(encoding="utf-8")
    using = re.search(r"^using '<infra>/(.*)'$", content, re.M)
    assert using is not None, path
    given = re.findall(r"^param (\w+) = (.*)$", content, re.M)
    nodes = {
        name: tree(f"var item = {value}\n").named_children[0].named_children[-1] for name, value in given
    }
    return using.group(1), {name: _constant(expression(node)) for name, node in nodes.items()}


def _id(resource: Resource, name: Any) -> Any:
    scope = resource.deployment.scope
    if not isinstance(name, Runtime) or len(resource.names) == 1:
        return resource.id
    parts = Call("filter", (Call("split", (name, "/")), NOT_EMPTY))
    pieces = (Index(parts, at) for at in range(len(resource.names)))
    return Call("resourceId", (scope.subscription, scope.group, resource.type, *pieces))


def by_id(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return resources in the order of their ids."""
    return sorted(resources, key=lambda each: str(each["id"]))


def snapshot(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment's resources, ordered by id, and its outputs, as the tool predicts them."""
    resources: list[dict[str, Any]] = []
    for resource in deployment.resources():
        names = resource.names
        pattern = "/".join(f"{{{at}}}" for at in range(len(names)))
        name = names[0] if len(names) == 1 else call("format", pattern, *names)
        head = {
            "id": _id(resource, name),
            "type": resource.type,
            "name": name,
            "apiVersion": resource.api_version,
        }
        resources.append(as_template({**resource.body, **head}))
    return {"predictedResources": by_id(resources), "outputs": as_template(deployment.outputs())}
