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
    configuration's name}, so that routes to an NVA whose NIC is gone can still be recognised. `former` has
    {private IP: (role, IP configuration)} of addresses that it had before: routes may still point there.
    `unready` says, one sentence each, what a switch to it could not move or what would not work there.
    `recent` has a bit for each of the last readings that were believed, the newest lowest, set where one
    failed; `unsteady` tells that too many of them are set, though never enough in a row.
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
    former: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unready: tuple[str, ...] = ()
    recent: int = 0
    unsteady: bool = False

    def address(self, role: str) -> str | None:
        """Return the private address of the primary IP configuration of a role's NIC, if it is known."""
        return self.addresses.get(role, {}).get(self.primary.get(role, ""))


@dataclass(frozen=True, slots=True)
class Resource:
    """One ARM resource exactly as read: its ETag and whole body."""

    id: str
    etag: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The resources of a group as read from ARM, by casefolded id.

    Args:
        resources: what was read.
        missing: why others are not here.
        unanswered: those of the missing whose reason may pass: nothing is known of them.
        absent: those of the missing that Azure does not have: that is knowledge.
        denied: those of the missing that Azure does not let this identity read.
        retry_after_s: how long ARM asked to wait before the unanswered are asked for again; None if none is.
        throttled: whether one of the unanswered was refused only because too much was asked for.
    """

    resources: Mapping[str, Resource]
    missing: Mapping[str, str] = field(default_factory=dict)
    unanswered: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    retry_after_s: float | None = None
    throttled: bool = False
    denied: frozenset[str] = frozenset()

    def get(self, resource_id: str) -> Resource | None:
        """Return the resource of that id, if it was read."""
        return self.resources.get(resource_id.casefold())


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying one part of storage.

    Args:
        service: `blob`, `table` or `queue`.
        place: the container, table or queue.
        did: what was done there.
        failed: what was not; None if all was.
        status: the HTTP status that storage refused it with; None for no answer.
        code: storage's error code.
        error: why, in a sentence.
    """

    service: str
    place: str
    did: tuple[str, ...]
    failed: str | None = None
    status: int | None = None
    code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """How it stands with the tokens for one service.

    Args:
        service: in words.
        until: when the one that is held ends; None if none is held.
        trouble: why asking for one failed last; None if it did not.
        identity: whom it is of, by its object id, as far as it can be read.
    """

    service: str
    until: datetime | None
    trouble: str | None = None
    identity: str | None = None
