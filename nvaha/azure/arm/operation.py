"""Following a write in Azure Resource Manager until it has taken effect.

Azure's Retry-After is not followed on a normal poll: it says 10 s for a NIC whose operation ends after four
(Azure/azure-powershell #14460), and traffic is down meanwhile. Polls are reads, of which ARM allows 25 a
second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from nvaha.azure.arm.client import Answer, ArmClient
from nvaha.azure.arm.errors import answer_error, bounded, operation_error, retry_after_s
from nvaha.ports import Clock, NetworkError, NetworkFault

# An operation that has ended is noticed at the next poll, and traffic waits for it: polls are frequent.
_PAUSES_S = ((10.0, 0.3), (60.0, 1.0), (float("inf"), 2.0))
# With more operations than this at once each is polled less often, to stay within ARM's 25 reads a second.
_CROWD = 8
_GIVE_UP_AFTER_S = 900.0
_POLL_TIMEOUT_S = 5.0
_TOLERATED_S = 30.0
_THROTTLED_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 60.0
_ALIVE_EVERY_S = 1.0

_SUCCEEDED = frozenset({"succeeded"})
_ENDED_BADLY = frozenset({"failed", "canceled", "cancelled"})


@dataclass(slots=True)
class Crowd:
    """How many writes are being followed."""

    size: int = 0


@dataclass(slots=True)
class Following:
    """One write on its way.

    Args:
        client: asks ARM.
        clock: counts and waits.
        resource_id: what is being written.
        resource_url: where to read it, for a write that came without an operation.
        alive: awaited between polls, at least every second.
        crowd: counts the writes that are followed at the same time.
    """

    client: ArmClient
    clock: Clock
    resource_id: str
    resource_url: str
    alive: Callable[[], Awaitable[None]]
    crowd: Crowd
    _silent_since: float | None = field(default=None, init=False)

    async def until_done(self, accepted: Answer) -> None:
        """Wait until the write that was accepted with this answer has ended.

        Raises:
            NetworkError: it failed, or nobody can say how it ended.
        """
        self.crowd.size += 1
        try:
            await self._follow(accepted)
        finally:
            self.crowd.size -= 1

    async def _follow(self, accepted: Answer) -> None:
        link = accepted.headers.get("Azure-AsyncOperation")
        if link is None:
            if _provisioning_state(accepted) in _SUCCEEDED:
                return
            await self._poll(self.resource_url, _provisioning_state)
            return
        url = self.client.resolve(link)
        if url is None:
            raise self._error(NetworkFault.UNREADABLE, "the operation is said to be on another host than ARM")
        try:
            await self._poll(url, _operation_status)
        except NetworkError as error:
            if error.fault is not NetworkFault.DENIED:
                raise
            # Whoever may not read operations may still read the resource that he has just written.
            await self._poll(self.resource_url, _provisioning_state)

    async def _poll(self, url: str, status_of: Callable[[Answer], str | None]) -> None:
        started = self.clock.monotonic()
        pause_s = _pause_s(0.0, self.crowd.size)
        while self.clock.monotonic() - started < _GIVE_UP_AFTER_S:
            await self._wait(pause_s)
            pause_s = _pause_s(self.clock.monotonic() - started, self.crowd.size)
            answer, trouble = await self._ask(url)
            if answer is not None and answer.status == 200:
                status = status_of(answer)
                if status in _SUCCEEDED:
                    return
                if status in _ENDED_BADLY:
                    raise operation_error(self.resource_id, str(status).capitalize(), _error_in(answer))
                if status is not None:
                    self._silent_since = None
                    continue
                trouble = self._error(NetworkFault.UNREADABLE, "the operation does not say how far it is")
            elif answer is not None:
                trouble = answer_error(self.resource_id, answer.status, answer.headers, answer.body)
                if answer.status == 429:
                    # Throttled is no failure: ARM says itself when to come again.
                    pause_s = min(trouble.retry_after_s or _THROTTLED_PAUSE_S, _LONGEST_PAUSE_S)
                    continue
                if answer.status == 503:
                    pause_s = min(max(pause_s, retry_after_s(answer.headers) or 0.0), _LONGEST_PAUSE_S)
            self._tolerate(trouble)
        raise self._error(
            NetworkFault.UNAVAILABLE, f"the operation has not ended within {_GIVE_UP_AFTER_S:g} s"
        )

    async def _ask(self, url: str) -> tuple[Answer | None, NetworkError | None]:
        try:
            return await self.client.send("GET", url, self.resource_id, timeout_s=_POLL_TIMEOUT_S), None
        except NetworkError as error:
            return None, error

    def _tolerate(self, trouble: NetworkError | None) -> None:
        """Go on after a failed poll, unless the failures have lasted too long or cannot pass."""
        if trouble is None:
            return
        now = self.clock.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if trouble.fault is NetworkFault.DENIED:
            raise trouble
        if now - self._silent_since >= _TOLERATED_S:
            raise self._error(
                NetworkFault.UNAVAILABLE,
                bounded(f"the operation cannot be followed; the last poll said: {trouble.message}"),
            ) from trouble

    async def _wait(self, seconds: float) -> None:
        """Wait, asking `alive` first and then at least every second."""
        until = self.clock.monotonic() + seconds
        await self.alive()
        while (left := until - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left, _ALIVE_EVERY_S))
            if left > _ALIVE_EVERY_S:
                await self.alive()

    def _error(self, fault: NetworkFault, message: str) -> NetworkError:
        return NetworkError(fault, self.resource_id, message)


def _pause_s(elapsed_s: float, crowd: int) -> float:
    pause_s = next(pause_s for until_s, pause_s in _PAUSES_S if elapsed_s < until_s)
    return pause_s * max(1.0, crowd / _CROWD)


def _operation_status(answer: Answer) -> str | None:
    body = answer.json_object() or {}
    status = body.get("status")
    return status.casefold() if isinstance(status, str) and status else None


def _provisioning_state(answer: Answer) -> str | None:
    body = answer.json_object()
    if body is None:
        return None
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return None
    # A resource without the property is one that is never on its way.
    state = properties.get("provisioningState", "Succeeded")
    return state.casefold() if isinstance(state, str) and state else None


def _error_in(answer: Answer) -> dict[str, Any] | None:
    error = (answer.json_object() or {}).get("error")
    return error if isinstance(error, dict) else None
