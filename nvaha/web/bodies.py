"""What may stand in a request's body: everything is bounded, and nothing unknown is ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from nvaha.model import LARGEST
from nvaha.text import safe

MAX_BYTES = 16 * 1024
MAX_STATE_BYTES = 1024 * 1024
"""Twice what a row of the table can hold of a group's state."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# What is kept, in the state and in the history, is kept without a secret.
Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(safe)]


def _whole(value: object) -> object:
    # To JSON Schema, and to clients whose only numbers are floats, 65.0 is an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FailoverBody(_Body):
    """What `POST /groups/{group}/failover` takes."""

    to: Name
    force: bool = False
    reason: Text = ""
    request_id: Name | None = None


class PauseBody(_Body):
    """What `POST /groups/{group}/pause` and `/resume` take; all of it may be left out."""

    reason: Text = ""


class NotifyTestBody(_Body):
    """What `POST /notify/test` takes; without a receiver all are meant."""

    receiver: Name | None = None


class AdoptBody(_Body):
    """What `POST /state/{group}` takes: one group's part of an export, and the epoch in it."""

    epoch: Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_whole)]
    state: dict[str, Any]


def complaints(error: ValidationError) -> list[dict[str, str]]:
    """Return one entry for each thing that is wrong with a body."""
    return [
        {"path": ".".join(str(part) for part in each["loc"]) or "body", "message": each["msg"]}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
