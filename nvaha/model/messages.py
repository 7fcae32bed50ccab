"""The message that a switch request travels as, read as if anybody had written it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from nvaha.model import SwitchRequest

VERSION = 1
MAX_BYTES = 16 * 1024
_LONGEST_NAME = 256


class BadMessage(ValueError):
    """A queue message that no version of this program has written; trying it again cannot help."""


@dataclass(frozen=True, slots=True)
class SwitchMessage:
    """What a message says; the rest is in the group's state and the operation's record."""

    group: str
    generation: int
    operation: str
    epoch: int


def write_message(request: SwitchRequest) -> str:
    """Return the message's text for a request."""
    return json.dumps(
        {
            "v": VERSION,
            "group": request.group,
            "generation": request.generation,
            "operation": request.operation,
            "epoch": request.epoch,
        }
    )


def parse_message(body: bytes) -> SwitchMessage:
    """Read a message's body, already decoded from base64 by the queue trigger.

    Raises:
        BadMessage: it is too long, not JSON, of another version, or a field is missing or of a wrong type.
    """
    if len(body) > MAX_BYTES:
        raise BadMessage(f"the message has {len(body)} bytes; at most {MAX_BYTES} are read")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"the message is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadMessage(f"the message is a JSON {type(content).__name__}, not an object")
    version = content.get("v")
    if type(version) is not int or version != VERSION:
        raise BadMessage(f"the message is of version {_shown(version)}; this program reads version {VERSION}")
    return SwitchMessage(
        group=_name(content, "group"),
        generation=_number(content, "generation"),
        operation=_name(content, "operation"),
        epoch=_number(content, "epoch"),
    )


def _name(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise BadMessage(f"{key} is {_shown(value)}; expected 1 to {_LONGEST_NAME} characters")
    return value


def _number(content: dict[str, Any], key: str) -> int:
    value = content.get(key)
    # bool is an int to Python, but not to whoever wrote the message.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise BadMessage(f"{key} is {_shown(value)}; expected a whole number from 0")
    return value


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:80]
