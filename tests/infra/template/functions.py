"""The functions of Azure Resource Manager that the templates call, on values that are known."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
WORD = 0xFFFFFFFF


class TemplateError(Exception):
    """Azure would not start the deployment, or would stop it here, with this sentence."""


def _rotate(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & WORD


def _mix_first(word: int) -> int:
    return _rotate(word * 0x239B961B & WORD, 15) * 0xAB0E9789 & WORD


def _mix_second(word: int) -> int:
    return _rotate(word * 0xAB0E9789 & WORD, 17) * 0x239B961B & WORD


def _finish(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & WORD
    return word ^ word >> 16


def murmur_hash(data: bytes) -> int:
    """Return the 64-bit MurmurHash3 in the form that Azure takes for uniqueString."""
    first = second = 0
    for start in range(0, len(data) // 8 * 8, 8):
        first ^= _mix_first(int.from_bytes(data[start : start + 4], "little"))
        first = ((_rotate(first, 19) + second) * 5 + 0x561CCD1B) & WORD
        second ^= _mix_second(int.from_bytes(data[start + 4 : start + 8], "little"))
        second = ((_rotate(second, 13) + first) * 5 + 0x0BCAA747) & WORD
    rest = data[len(data) // 8 * 8 :]
    first ^= _mix_first(int.from_bytes(rest[:4], "little"))
    second ^= _mix_second(int.from_bytes(rest[4:], "little"))
    first, second = first ^ len(data), second ^ len(data)
    first = (first + second) & WORD
    second = (second + first) & WORD
    first, second = _finish(first), _finish(second)
    first = (first + second) & WORD
    second = (second + first) & WORD
    return second << 32 | first


def unique_string(*values: str) -> str:
    """Return Azure's hash of 13 letters and digits."""
    bits = murmur_hash("-".join(values).encode()) << 1
    return "".join(BASE32[bits >> (60 - 5 * place) & 31] for place in range(13))


def union(*values: Any) -> Any:
    """Merge objects, inner ones too, or the items of arrays."""
    if isinstance(values[0], list):
        merged: list[Any] = []
        for each in (each for value in values for each in value):
            if each not in merged:
                merged.append(each)
        return merged
    result: dict[str, Any] = {}
    for value in values:
        for key, each in value.items():
            inner = result.get(key)
            both = isinstance(inner, dict) and isinstance(each, dict)
            result[key] = union(inner, each) if both else each
    return result


def format_string(pattern: str, *values: Any) -> str:
    """Put values in the places of {0}, {1} and so on."""

    def replacement(match: re.Match[str]) -> str:
        if match.group() in {"{{", "}}"}:
            return match.group()[0]
        value = values[int(match.group(1))]
        return str(value) if not isinstance(value, bool) else str(value).capitalize()

    return re.sub(r"\{\{|\}\}|\{(\d+)\}", replacement, pattern)


def string(value: Any) -> str:
    """Return a value as text; objects and arrays as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def join(values: list[str], separator: str) -> str:
    """Put strings together."""
    return separator.join(values)


def split(value: str, separator: str) -> list[str]:
    """Cut text at a separator."""
    return value.split(separator)


def fail(sentence: str) -> None:
    """Stop the deployment."""
    raise TemplateError(sentence)


def parse_json(value: str) -> Any:
    """Read JSON."""
    return json.loads(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "any": lambda value: value,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "concat": lambda *arrays: [each for array in arrays for each in array],
    "contains": lambda container, item: item in container,
    "empty": lambda value: not value,
    "fail": fail,
    "format": format_string,
    "guid": lambda *values: str(uuid.uuid5(GUID_NAMESPACE, "-".join(values))),
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value, key=str.lower)],
    "json": parse_json,
    "length": len,
    "max": max,
    "replace": lambda value, old, new: value.replace(old, new),
    "join": join,
    "split": split,
    "string": string,
    "sub": lambda one, other: one - other,
    "substring": lambda value, start: value[start:],
    "toLower": lambda value: value.lower(),
    "union": union,
    "uniqueString": unique_string,
}
