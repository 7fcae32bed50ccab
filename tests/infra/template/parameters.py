"""What a parameter asks of the value that it is given."""

from __future__ import annotations

import re
from typing import Any

from .functions import TemplateError
from .runtime import is_known
from .source import Parameter

KINDS: dict[str, type] = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}


def is_a(value: Any, wanted: str) -> bool:
    """Tell whether a value is of one of the types that Bicep names; a boolean is no number."""
    return type(value) is KINDS.get(wanted)


def _limit(parameter: Parameter, decorator: str) -> int | None:
    found = parameter.decorators.get(decorator)
    return None if found is None else int(found)


def check_argument(template: str, parameter: Parameter, value: Any) -> None:
    """Raise TemplateError unless a known value is one that the parameter takes."""
    if not is_known(value):
        return
    where = f"{template}: parameter {parameter.name}"
    wanted = KINDS[parameter.type]
    if not is_a(value, parameter.type):
        raise TemplateError(f"{where} is {value!r} and must be of type {parameter.type}")
    allowed = parameter.decorators.get("allowed")
    if allowed is not None:
        words = re.findall(r"'([^']*)'", allowed) if wanted is str else map(int, re.findall(r"\d+", allowed))
        if value not in list(words):
            raise TemplateError(f"{where} is {value!r}, which is not allowed")
    size: int = value if wanted is int else 0 if wanted is bool else len(value)
    names = ("minValue", "maxValue") if wanted is int else ("minLength", "maxLength")
    least, most = (_limit(parameter, name) for name in names)
    if (least is not None and size < least) or (most is not None and size > most):
        raise TemplateError(f"{where} is {value!r}: {names[0]} {least}, {names[1]} {most}")
