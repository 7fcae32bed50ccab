"""The message that a switch request travels as, read as if anybody had written it."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nvaha.model import LARGEST, SwitchRequest
from nvaha.text import safe, shortened

VERSION = 1
MAX_BYTES = 16 * 1024
_SHOWN = 80

Name = Annotated[str, Field(min_length=1, max_length=256)]


class BadMessage(ValueError):
    """A queue message that no version of this program has written; trying it again cannot help."""


def _trace_context(found: object) -> str | None:
    """Return what may be a trace context: whatever stands there, it is no reason to refuse a switch."""
    return found if isinstance(found, str) and len(found) <= _SHOWN else None


class SwitchMessage(BaseModel):
    """What a message says; the rest is in the group's state and the operation's record.

    A key that is not here is ignored: a later release may have added it.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    v: Annotated[int, Field(ge=VERSION, le=VERSION)]
    group: Name
    generation: Annotated[int, Field(ge=0, le=LARGEST)]
    operation: Name
    traceparent: Annotated[str | None, BeforeValidator(_trace_context)] = None


def write_message(request: SwitchRequest) -> str:
    """Return the message's text for a request."""
    return json.dumps(
        {
            "v": VERSION,
            "group": request.group,
            "generation": request.generation,
            "operation": request.operation,
            # Nothing reads it, but 0.1.0 refuses a message without it, and may run beside this release
            # while that is rolled out.
            "epoch": request.epoch,
            # Where a switch is traced, across the queue.
            **({} if request.traceparent is None else {"traceparent": request.traceparent}),
        }
    )


def parse_message(body: bytes) -> SwitchMessage:
    """Read a message's body, already decoded from base64 by the queue trigger.

    Raises:
        BadMessage: it is too long, not JSON, of another version, a field is missing or of a wrong type, or
            its operation is not one of its group and generation.
    """
    if len(body) > MAX_BYTES:
        raise BadMessage(f"the message has {len(body)} bytes; at most {MAX_BYTES} are read")
    try:
        message = SwitchMessage.model_validate_json(body)
    except ValidationError as error:
        raise BadMessage(_complaint(error)) from None
    belongs, _, milliseconds = message.operation.rpartition("-")
    form = f"{message.group}-{message.generation}"
    if belongs != form or not (milliseconds.isascii() and milliseconds.isdigit()):
        operation = shortened(repr(message.operation), _SHOWN)
        raise BadMessage(f"operation is {operation}, and not {shortened(form, _SHOWN)}-<milliseconds>")
    return message


def _complaint(error: ValidationError) -> str:
    """Return what is wrong with a message: of all that is, the first, which says why the rest is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the message"
    value = "missing" if first["type"] == "missing" else shortened(safe(repr(first["input"])), _SHOWN)
    if where == "v":
        return f"the message is of version {value}; this program reads version {VERSION}"
    return f"{where} is {value}: {first['msg']}"
