"""What goes wrong on request: errors, lost connections and failing operations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar

from nvaha.lab.arm.switches import Keeps


class FaultKind(StrEnum):
    """What happens to the request, or to the operation that it starts."""

    ERROR = "error"  # answered with `status` and `code`; the write does not take effect
    ERROR_AFTER = "error_after"  # the same, but the write took effect
    RESET_BEFORE = "reset_before"  # the connection is reset; the write does not take effect
    RESET_AFTER = "reset_after"  # the connection is reset; the write took effect
    HANG_BEFORE = "hang_before"  # no answer; the write does not take effect
    HANG_AFTER = "hang_after"  # no answer; the write took effect
    GARBLED = "garbled"  # 200 with a body that is no JSON; a write does not take effect
    GARBLED_AFTER = "garbled_after"  # the same, but the write took effect and its operation runs
    STALE = "stale"  # a read shows the resource as it was before the operation that runs
    SLOW = "slow"  # `delay_s` later than usual
    SHORT_LIVED = "short_lived"  # the token handed out is good for `delay_s` only
    OPERATION_FAILED = "operation_failed"
    OPERATION_CANCELED = "operation_canceled"  # superseded by somebody who put the old body back
    OPERATION_SLOW = "operation_slow"  # `delay_s` longer than usual
    OPERATION_STUCK = "operation_stuck"  # never ends
    OPERATION_LOST = "operation_lost"  # runs as usual, but every poll of it is a 404
    OPERATION_ELSEWHERE = "operation_elsewhere"  # the link to it names another host, at which it answers
    OPERATION_UNLINKED = "operation_unlinked"  # the write is answered as usual, but without a link to it
    OPERATION_BARE = "operation_bare"  # the write is answered with `status`, without body and link

    @property
    def of_operation(self) -> bool:
        """Tell whether the request is answered as usual and only its operation goes wrong."""
        return self.value.startswith("operation")


TOKEN = "TOKEN"  # noqa: S105 - a method's name
"""Stands as the method of a request for a token."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and for which requests.

    Args:
        kind: what goes wrong.
        method: `GET`, `PUT`, `POLL` (a GET of an operation's status) or `*` for any of these; or `TOKEN`, of
            the identity's endpoint, with the audience as resource, of the kinds `error`, `hang_before`,
            `slow` and `short_lived`.
        resource: a pattern with `*` and `?` on the resource id, without regard to case. A poll has the id of
            the resource whose operation it is.
        principal: a pattern on who asks.
        count: how many requests it strikes; None for all.
        skip: how many matching requests pass before the first one is struck.
        probability: how likely it strikes a matching request; drawn by the simulator's seed.
        status: the HTTP status of `error` and `operation_bare`.
        code: the error code of `error` and `operation_failed`.
        message: the error's text.
        detail: the code of the error's first detail, if it has one.
        retry_after_s: the Retry-After header, in whole seconds.
        delay_s: seconds more than usual.
        keeps: which body a failed operation leaves; None for the simulator's switch.
    """

    # Whoever writes one as JSON is told of a name that it does not have.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: FaultKind
    method: str = "*"
    resource: str = "*"
    principal: str = "*"
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    status: int = 500
    code: str = "InternalServerError"
    message: str = "An error occurred."
    detail: str | None = None
    retry_after_s: int | None = None
    delay_s: float = 0.0
    keeps: Keeps | None = None

    def matches(self, method: str, resource_id: str, principal: str) -> bool:
        """Tell whether a request is one that this fault is about."""
        asked_for = self.method.upper()
        return (
            (fnmatchcase(method, asked_for) if method != TOKEN else asked_for == TOKEN)
            and fnmatchcase(resource_id.casefold(), self.resource.casefold())
            and fnmatchcase(principal, self.principal)
        )


def throttled(retry_after_s: int, *, method: str = "*", resource: str = "*", count: int | None = 1) -> Fault:
    """Return real throttling: 429 with Retry-After, no matter what the resource is doing."""
    return Fault(
        FaultKind.ERROR,
        method=method,
        resource=resource,
        count=count,
        status=429,
        code="SubscriptionRequestsThrottled",
        message="Number of requests for the subscription exceeded the limit.",
        retry_after_s=retry_after_s,
    )


def retryable(
    detail: str = "ReferencedResourceNotProvisioned",
    *,
    method: str = "PUT",
    resource: str = "*",
    count: int | None = 1,
) -> Fault:
    """Return a 429 that is no throttling: an operation, here or on a referenced resource, is under way."""
    return Fault(
        FaultKind.ERROR,
        method=method,
        resource=resource,
        count=count,
        status=429,
        code="RetryableError",
        message="A retryable error occurred.",
        detail=detail,
    )


def unserved(*, method: str = "*", resource: str = "*", count: int | None = 1) -> Fault:
    """Return the refusal of a server that does not know the API version, as one of many now and then."""
    return Fault(
        FaultKind.ERROR,
        method=method,
        resource=resource,
        count=count,
        status=400,
        code="NoRegisteredProviderFound",
        message="No registered resource provider found for location 'westeurope' and API version "
        "'2025-03-01' for type 'networkInterfaces'. The supported api-versions are '2023-09-01, 2023-11-01'.",
    )


class Faults:
    """The faults that wait for their requests, first added first."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._draws = 0
        self._waiting: list[_Waiting] = []

    def add(self, fault: Fault) -> None:
        """Let this go wrong from now on."""
        self._waiting.append(_Waiting(fault, fault.skip, fault.count))

    def remove(self, fault: Fault) -> None:
        """Let this go wrong no more; harmless if it does not."""
        self._waiting = [each for each in self._waiting if each.fault != fault]

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The faults that may still strike."""
        return tuple(each.fault for each in self._waiting)

    def strike(
        self, method: str, resource_id: str, principal: str, *, operation: bool = False
    ) -> Fault | None:
        """Return the fault that strikes a request, or (`operation`) the operation that it starts."""
        for each in self._waiting:
            fault = each.fault
            if fault.kind.of_operation is not operation or not fault.matches(method, resource_id, principal):
                continue
            if each.skip > 0:
                each.skip -= 1
                continue
            if not self._drawn(fault.probability):
                continue
            if each.left is not None:
                each.left -= 1
                if each.left <= 0:
                    self._waiting.remove(each)
            return fault
        return None

    def _drawn(self, probability: float) -> bool:
        if probability >= 1:
            return True
        self._draws += 1
        digest = hashlib.sha256(f"{self._seed}/{self._draws}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < probability


@dataclass(slots=True)
class _Waiting:
    fault: Fault
    skip: int
    left: int | None
