"""What is seen: readings, health, and the network as Azure describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Health(StrEnum):
    """What the readings so far say of an NVA."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one probe; `error` is None exactly when `ok`."""

    ok: bool
    latency_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NvaState:
    """What is known of one NVA.

    `failures` and `successes` count consecutive readings. `confirmed` counts the failures that were read
    while the monitor could see: a blind monitor's failures are reported, never acted on.
    `addresses` remembers {role: {IP configuration name: private IP}} and `primary` {role: the primary IP
    configuration's name}, so that routes to an NVA whose NIC is gone can still be recognised.
    """

    health: Health = Health.UNKNOWN
    failures: int = 0
    confirmed: int = 0
    successes: int = 0
    since: datetime | None = None
    latency_ms: float | None = None
    last_error: str | None = None
    addresses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    primary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One ARM resource exactly as read: its ETag and whole body."""

    id: str
    etag: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The resources of a group as read from ARM, by casefolded id; `missing` says why others are not here.

    `retry_after_s` is set when some are missing for a reason that may pass: how long ARM asked to wait.
    """

    resources: Mapping[str, Resource]
    missing: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def get(self, resource_id: str) -> Resource | None:
        """Return the resource of that id, if it was read."""
        return self.resources.get(resource_id.casefold())
