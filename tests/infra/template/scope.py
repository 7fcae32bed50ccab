"""Where things are deployed, and the ids that they have there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .functions import TemplateError

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"


@dataclass(frozen=True)
class Scope:
    """A subscription, or a resource group in it."""

    subscription: str
    group: str | None = None

    @property
    def id(self) -> str:
        """Resource id."""
        whole = f"/subscriptions/{self.subscription}"
        return f"{whole}/resourceGroups/{self.group}" if self.group else whole


def resource_id(scope: str, kind: str, *names: Any) -> Any:
    """Return the id of a resource within a scope."""
    namespace, *types = kind.split("/")
    if len(types) != len(names):
        raise TemplateError(f"{kind} has {len(types)} names, not {len(names)}: {names}")
    parts = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
    return f"{scope}/providers/{namespace}/{parts}"
