"""What may stand in a request's body: everything is bounded, and nothing unknown is ignored."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nvaha.config.forms import read_duration
from nvaha.core.commands import LONGEST_PAUSE_S, SHORTEST_PAUSE_S
from nvaha.model import LARGEST
from nvaha.text import safe

MAX_BYTES = 16 * 1024
MAX_STATE_BYTES = 1024 * 1024
"""Twice what a row of the table can hold of a group's state."""


def _time(value: object) -> datetime:
    """Return a time in UTC, written as in ISO 8601; seconds since 1970 would show no zone."""
    problem = "no time: write 2026-12-01T02:00:00Z, or with an offset such as +02:00 at its end"
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", value, re.ASCII):
        with contextlib.suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(value)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
            problem = "a time without a zone: write Z for UTC at its end, or an offset such as +02:00"
    raise PydanticCustomError("time", "{text}", {"text": problem})


def _pause(text: str) -> str:
    try:
        good = SHORTEST_PAUSE_S <= read_duration(text) <= LONGEST_PAUSE_S
    except PydanticCustomError:
        good = False
    if not good:
        remedy = "write a number with its unit, from 1m to 7d, such as 30m, 2h or 1h30m"
        raise PydanticCustomError("duration", "{text}", {"text": f"no duration for a pause: {remedy}"})
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# What is kept, in the state and in the history, is kept without a secret.
Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(safe)]
Time = Annotated[datetime, BeforeValidator(_time)]
PauseDuration = Annotated[str, StringConstraints(max_length=30), AfterValidator(_pause)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FailoverBody(_Body):
    """What `POST /groups/{group}/failover` takes."""

    to: Name
    force: bool = False
    reason: Text = ""
    request_id: Name | None = None
    from_: Name | None = Field(default=None, alias="from")
    at: Time | None = None

    @model_validator(mode="after")
    def _unforced_then(self) -> Self:
        if self.at is not None and self.force:
            raise PydanticCustomError("force", "what is scheduled is never forced: leave out force, or at")
        return self


class PauseBody(_Body):
    """What `POST /groups/{group}/pause` takes; all of it may be left out."""

    reason: Text = ""
    for_: PauseDuration | None = Field(default=None, alias="for")


class ReasonBody(_Body):
    """What `POST /groups/{group}/resume` and `/cancel` take; all of it may be left out."""

    reason: Text = ""


class AdoptBody(_Body):
    """What `POST /state/{group}` takes: one group's part of an export, and the epoch in it."""

    epoch: Annotated[int, Field(ge=0, le=LARGEST)]
    state: dict[str, Any]


def complaints(error: ValidationError) -> list[dict[str, str]]:
    """Return one entry for each thing that is wrong with a body."""
    return [
        {"path": ".".join(str(part) for part in each["loc"]) or "body", "message": each["msg"]}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
