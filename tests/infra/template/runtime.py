"""What is known only while a deployment runs, kept as the expression that Azure will evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .functions import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Call:
    """A function whose result, or one of whose arguments, is not known yet."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Property:
    """`of.name`."""

    of: Any
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[index]`."""

    of: Any
    index: Any


@dataclass(frozen=True, slots=True)
class Secure:
    """A secure parameter: its value is never written into the template."""

    name: str
    value: Any


Runtime = Call | Property | Index | Secure


def is_known(value: object) -> bool:
    """Tell whether nothing in a value waits for the deployment."""
    if isinstance(value, dict):
        return all(is_known(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(is_known(each) for each in value)
    return not isinstance(value, Runtime)


def call(name: str, *arguments: Any) -> Any:
    """Return a function's result, or the call itself while an argument is not known."""
    if all(is_known(each) for each in arguments):
        return FUNCTIONS[name](*arguments)
    return Call(name, arguments)


def render(value: Any) -> str:
    """Return a value as it stands within an expression of a template."""
    match value:
        case Call(name, arguments):
            return f"{name}({', '.join(render(each) for each in arguments)})"
        case Property(of, name):
            return f"{render(of)}.{name}"
        case Index(of, index):
            return f"{render(of)}[{render(index)}]"
        case Secure(name):
            return f"parameters('{name}')"
        case None:
            return "null()"
        case bool():
            return f"{str(value).lower()}()"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case dict():
            pairs = (render(each) for pair in value.items() for each in pair)
            return f"createObject({', '.join(pairs)})"
        case list():
            return f"createArray({', '.join(render(each) for each in value)})"
    return str(value)


def as_template(value: Any) -> Any:
    """Return a value as JSON with `[expression]` wherever something is not known yet."""
    if isinstance(value, dict):
        return {as_template(key): as_template(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_template(each) for each in value]
    return f"[{render(value)}]" if isinstance(value, Runtime) else value


def settle(value: Any, facts: Mapping[str, Callable[..., Any]]) -> Any:
    """Evaluate a value again with some functions known that were not, such as environment().

    What remains unknown stays an expression.
    """
    match value:
        case dict():
            return {settle(key, facts): settle(each, facts) for key, each in value.items()}
        case list():
            return [settle(each, facts) for each in value]
        case Secure():
            return settle(value.value, facts)
        case Property(of, name):
            inner = settle(of, facts)
            return inner[name] if isinstance(inner, dict) else Property(inner, name)
        case Index(of, index):
            inner, at = settle(of, facts), settle(index, facts)
            return Index(inner, at) if isinstance(inner, Runtime) or isinstance(at, Runtime) else inner[at]
        case Call(name, arguments):
            settled = [settle(each, facts) for each in arguments]
            known = facts.get(name, FUNCTIONS.get(name))
            if known is None or not all(is_known(each) for each in settled):
                return Call(name, tuple(settled))
            return known(*settled)
    return value
