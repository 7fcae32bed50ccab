"""What operators are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

LEVELS: Final = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator may want to know, with fields that a query can use.

    Args:
        event: one of the stable names in docs/monitoring.md, such as `switch_done`.
        level: `info`, `warning` or `error`.
        text: one sentence.
        fields: group, operation, generation, resource_id and so on; never a secret.
    """

    event: str
    level: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsent:
    """A notice that receivers have not taken yet.

    Args:
        notice: what happened; its field `id` is the same however often it is sent.
        at: when that was decided.
        to: the receivers, by name.
    """

    notice: Notice
    at: datetime
    to: tuple[str, ...]

    @property
    def id(self) -> str:
        """By which a receiver tells that it has had this before."""
        return str(self.notice.fields.get("id", ""))
