"""What the simulator remembers of each request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LogEntry:
    """One request to ARM, in order of arrival; filled in as the request and its operation go on.

    Args:
        time: when it arrived, monotonic seconds.
        method: `GET`, `PUT`, or `POLL` for a GET of an operation's status.
        resource_id: the resource as the client wrote it; for a poll, the resource whose operation it is.
        principal: who asked; None without a valid token.
        if_match: the If-Match header, if any.
        correlation_id: the caller's, or one of the simulator's own; ARM's activity log has it.
        status: the HTTP status sent; None while unanswered and when the connection was reset or left hanging.
        code: ARM's error code, if any.
        operation: the id of the operation that the write started, or that was polled.
        outcome: that operation's status (of a poll: the status told).
        took_effect: a write that was accepted and whose body was kept.
        answered: when the answer was ready, monotonic seconds.
    """

    time: float
    method: str
    resource_id: str
    principal: str | None = None
    if_match: str | None = None
    correlation_id: str = ""
    status: int | None = None
    code: str | None = None
    operation: str | None = None
    outcome: str | None = None
    took_effect: bool = False
    answered: float | None = None
