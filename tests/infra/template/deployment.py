"""A deployment on paper: every resource that a template would send, evaluated as Azure Resource Manager does.

What Azure knows only while it deploys (`reference()`, the cloud's suffixes, secure parameters) stays an
expression. Dependencies are those that the Bicep compiler writes, the ones that nobody spelt out included.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .functions import TemplateError
from .parameters import check_argument
from .runtime import Call, Index, Property, Runtime, Secure, call
from .scope import Scope, resource_id
from .source import Files, Part, part_references
from .syntax import Array, Choice, Expression, Invoke, Item, Literal, Member, Name, Object, Operation, Text
from .syntax import Loop as LoopExpression

Values = Mapping[str, Any]
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    # Azure evaluates both sides of these, whatever the first is.
    "&&": lambda first, second: first and second,
    "||": lambda first, second: first or second,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
}


class Instance:
    """One resource or module of a deployment, or one turn of its loop."""

    def __init__(self, deployment: Deployment, part: Part, local: Values, index: int | None) -> None:
        self.deployment = deployment
        self.part = part
        self.local = local
        self.index = index

    def __repr__(self) -> str:
        turn = "" if self.index is None else f"[{self.index}]"
        return f"{self.deployment.path.name}:{self.part.symbol}{turn}"

    def value(self, key: str, default: Any = None) -> Any:
        """Return one top-level value of the body."""
        found = self.part.body.get(key)
        return default if found is None else self.deployment.evaluate(found, self.local)

    @cached_property
    def deployed(self) -> bool:
        """Whether it is deployed at all: its condition holds, and it does not exist already."""
        if self.part.existing:
            return False
        condition = self.part.condition
        return condition is None or bool(self.deployment.evaluate(condition, self.local))

    @cached_property
    def needs(self) -> list[Instance]:
        """What the compiler makes it wait for; TemplateError where that does not exist."""
        return list(self._needs())

    def _needs(self) -> Iterator[Instance]:
        for reference in part_references(self.deployment.source, self.part.symbol):
            found = self.deployment.instances(reference.symbol)
            if reference.index is not None:
                found = [self._at(found, reference.symbol, reference.index)]
            for each in found:
                yield from each.needs if each.part.existing else [each]

    def _at(self, found: list[Any], symbol: str, index: Expression) -> Any:
        at = self.deployment.evaluate(index, self.local)
        if not 0 <= at < len(found):
            raise TemplateError(
                f"{self!r} depends on {symbol}[{at}], a loop of {len(found)}: array index out of bounds"
            )
        return found[at]


class Resource(Instance):
    """A resource: its id, and what is sent for it."""

    @property
    def type(self) -> str:
        """Resource type."""
        return self.part.target.split("@")[0]

    @property
    def api_version(self) -> str:
        """API version."""
        return self.part.target.split("@")[1]

    @cached_property
    def parent(self) -> Resource | None:
        """The resource that it is a child of."""
        found = self.value("parent")
        return found.only() if isinstance(found, Symbol) else None

    @cached_property
    def names(self) -> list[Any]:
        """Its ancestors' names and its own."""
        return [*(self.parent.names if self.parent else []), self.value("name")]

    @cached_property
    def extended(self) -> Resource | None:
        """The resource that it is an extension of."""
        found = self.value("scope")
        return found.only() if isinstance(found, Symbol) else None

    @cached_property
    def id(self) -> Any:
        """Resource id; an expression where a name is not known yet."""
        scope, kind = self.deployment.scope, self.type
        if not all(isinstance(name, str) for name in self.names):
            if self.extended:
                return Call("extensionResourceId", (self.extended.id, kind, *self.names))
            return Call("resourceId", (scope.subscription, scope.group, kind, *self.names))
        if kind == "Microsoft.Resources/resourceGroups":
            return Scope(scope.subscription, self.names[0]).id
        return resource_id(self.extended.id if self.extended else scope.id, kind, *self.names)

    @cached_property
    def body(self) -> dict[str, Any]:
        """What is sent, without what only Bicep reads."""
        whole: dict[str, Any] = self.deployment.evaluate(self.part.body, self.local)
        return {key: value for key, value in whole.items() if key not in {"parent", "scope", "dependsOn"}}

    def member(self, name: str) -> Any:
        """Return what `symbol.name` stands for."""
        match name:
            case "id":
                return self.id
            case "name":
                return self.value("name")
            case "properties":
                return Call("reference", (self.id, self.api_version))
        raise TemplateError(f"{self!r}: {name} is not read by any template")


class Module(Instance):
    """A module: a deployment of its own."""

    @cached_property
    def inner(self) -> Deployment:
        """The module's own deployment."""
        scope = self.value("scope", self.deployment.scope)
        if isinstance(scope, Symbol):
            group = scope.only()
            scope = Scope(self.deployment.scope.subscription, group.names[0])
        path = (self.deployment.path.parent / self.part.target).resolve()
        given = self.value("params", {})
        return Deployment(self.deployment.files, path, scope, given, self)

    def member(self, name: str) -> Any:
        """Return the module's outputs, of which only the one that is asked for is evaluated."""
        if name != "outputs":
            raise TemplateError(f"{self!r}: {name} is not read by any template")
        if not self.deployed:
            raise TemplateError(f"{self!r} is read and not deployed")
        return Outputs(self.inner)


@dataclass(frozen=True)
class Symbol:
    """A resource or module as an expression names it, or the whole of its loop."""

    deployment: Deployment
    name: str
    index: int | None = None

    def only(self) -> Any:
        """Return the one that is meant."""
        found = self.deployment.instances(self.name)
        if self.index is None:
            return found[0]
        if self.index >= len(found):
            raise TemplateError(f"{self.name}[{self.index}] is out of bounds: a loop of {len(found)}")
        return found[self.index]


@dataclass(frozen=True)
class Outputs:
    """The outputs of a module."""

    deployment: Deployment


class Deployment:
    """A template with its arguments, in a scope."""

    def __init__(
        self, files: Files, path: Path, scope: Scope, given: Values, above: Module | None = None
    ) -> None:
        self.files = files
        self.path = path
        self.scope = scope
        self.above = above
        self.source = files.source(path)
        if self.source.target_scope != ("resourceGroup" if scope.group else "subscription"):
            raise TemplateError(
                f"{path.name} is for a {self.source.target_scope}, and deployed in {scope.id}"
            )
        self._given = given
        self._values: dict[str, Any] = {}
        self._instances: dict[str, list[Any]] = {}

    def resources(self) -> Iterator[Resource]:
        """Yield every resource that is sent, in modules too; TemplateError where Azure would stop."""
        for name in (*self.source.parameters, *self._given):
            self._parameter(name)
        for symbol in (*self.source.resources, *self.source.modules):
            for each in self.instances(symbol):
                _ = each.needs
                if each.deployed and isinstance(each, Resource):
                    yield each
                elif each.deployed:
                    yield from each.inner.resources()

    def modules(self) -> Iterator[Module]:
        """Yield every module that is deployed, those inside others included."""
        for symbol in self.source.modules:
            for each in self.instances(symbol):
                if each.deployed:
                    yield each
                    yield from each.inner.modules()

    def outputs(self) -> dict[str, Any]:
        """Return every output."""
        return {name: self.evaluate(value, {}) for name, value in self.source.outputs.items()}

    def instances(self, symbol: str) -> list[Any]:
        """Return the resources or modules of a symbol, one for each turn of its loop."""
        if symbol not in self._instances:
            part = self.source.part(symbol)
            assert part is not None
            kind = Resource if symbol in self.source.resources else Module
            if part.loop is None:
                self._instances[symbol] = [kind(self, part, {}, None)]
            else:
                over = self.evaluate(part.loop.over, {})
                names = (part.loop.item, part.loop.index)
                self._instances[symbol] = [
                    kind(self, part, dict(zip(names, (item, index), strict=True)), index)
                    for index, item in enumerate(over)
                ]
        return self._instances[symbol]

    def _parameter(self, name: str) -> Any:
        if name not in self._values:
            parameter = self.source.parameters.get(name)
            if parameter is None:
                raise TemplateError(f"{self.path.name} has no parameter {name}")
            if name in self._given:
                value = self._given[name]
            elif parameter.default is not None:
                value = self.evaluate(parameter.default, {})
            else:
                raise TemplateError(f"{self.path.name} needs parameter {name}")
            check_argument(self.path.name, parameter, value)
            self._values[name] = Secure(name, value) if "secure" in parameter.decorators else value
        return self._values[name]

    def evaluate(self, expression: Expression, local: Values) -> Any:
        """Return the value of an expression, as far as it is known before the deployment runs."""
        match expression:
            case Literal(value):
                return value
            case Text(parts):
                return self._text(parts, local)
            case Name(name):
                return self._name(name, local)
            case Member(of, name):
                return _member(self.evaluate(of, local), name)
            case Item(of, index):
                return _item(self.evaluate(of, local), self.evaluate(index, local))
            case Invoke(function, arguments):
                return self._invoke(function, arguments, local)
            case Choice(condition, yes, no):
                return self.evaluate(yes if self.evaluate(condition, local) else no, local)
            case Operation(sign, operands):
                return self._operation(sign, operands, local)
            case Object(entries):
                return {self.evaluate(key, local): self.evaluate(value, local) for key, value in entries}
            case Array(items):
                return [self.evaluate(each, local) for each in items]
            case LoopExpression(item, index, over, body):
                turns = enumerate(self.evaluate(over, local))
                return [self.evaluate(body, {**local, item: each, index: at}) for at, each in turns]
        raise TemplateError(f"{self.path.name}: a condition stands where none is allowed")

    def _text(self, parts: tuple[str | Expression, ...], local: Values) -> Any:
        pattern = ""
        values: list[Any] = []
        for part in parts:
            if isinstance(part, str):
                pattern += part.replace("{", "{{").replace("}", "}}")
            else:
                pattern += f"{{{len(values)}}}"
                values.append(self.evaluate(part, local))
        return call("format", pattern, *values)

    def _name(self, name: str, local: Values) -> Any:
        if name in local:
            return local[name]
        if name in self.source.parameters:
            return self._parameter(name)
        if name in self.source.variables:
            if name not in self._values:
                self._values[name] = self.evaluate(self.source.variables[name], {})
            return self._values[name]
        if self.source.part(name):
            return Symbol(self, name)
        raise TemplateError(f"{self.path.name}: nothing declares {name}")

    def _operation(self, sign: str, operands: tuple[Expression, ...], local: Values) -> Any:
        first = self.evaluate(operands[0], local)
        if len(operands) == 1:
            return not first if sign == "!" else -first
        second = self.evaluate(operands[1], local)
        return call("sub", first, second) if sign == "-" else COMPARE[sign](first, second)

    def _invoke(self, function: str, arguments: tuple[Expression, ...], local: Values) -> Any:
        values = [self.evaluate(each, local) for each in arguments]
        match function:
            case "subscription":
                return {"id": Scope(self.scope.subscription).id, "subscriptionId": self.scope.subscription}
            case "resourceGroup" if values:
                return Scope(*values)
            case "resourceGroup":
                return {"id": self.scope.id, "name": self.scope.group, "location": "westeurope"}
            case "resourceId":
                return resource_id(self.scope.id, *values)
            case "subscriptionResourceId":
                return resource_id(Scope(self.scope.subscription).id, *values)
            case "environment":
                return Call("environment", ())
            case "loadTextContent":
                return self.files.text(self.path.parent / values[0])
            case "loadJsonContent":
                return call("json", self.files.text(self.path.parent / values[0]))
        return call(function, *values)


def _member(of: Any, name: str) -> Any:
    if isinstance(of, Symbol):
        return of.only().member(name)
    if isinstance(of, Outputs):
        return of.deployment.evaluate(of.deployment.source.outputs[name], {})
    if isinstance(of, Runtime):
        return Property(of, name)
    if not isinstance(of, dict) or name not in of:
        raise TemplateError(f"there is no property {name} in {str(of)[:80]}")
    return of[name]


def _item(of: Any, index: Any) -> Any:
    if isinstance(of, Symbol):
        return Symbol(of.deployment, of.name, index)
    if isinstance(of, Runtime) or isinstance(index, Runtime):
        return Index(of, index)
    try:
        return of[index]
    except (LookupError, TypeError):
        raise TemplateError(f"there is no item {index} in {str(of)[:80]}: out of bounds") from None
