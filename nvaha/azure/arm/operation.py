"""Following a write in Azure Resource Manager until it has taken effect.

Azure's Retry-After is not followed on a normal poll: it says 10 s for a NIC whose operation ends after four
(Azure/azure-powershell #14460), and traffic is down meanwhile. Polls are reads, of which ARM allows 25 a
second.

Where there is no operation to follow, or following it leads nowhere, the resource itself is read, at once:
the address of an operation has been answered with 404 for years, for NICs too (Azure/azure-cli #3330,
hashicorp/go-azure-sdk #989), and half a minute of asking again is half a minute without traffic.

What reading the resource proves is less. `Succeeded` may be the state from before our write was taken in, so
it counts only under another ETag than the one that the write was made for, unless the PUT's own answer still
had that one. It may also be the end of somebody's later write. And `Failed` comes without a reason. So a
success here means that the resource is at rest in a state that is not the old one, and whether it is the one
that was asked for is for whoever wrote to read back, which a switch does in any case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from nvaha.azure.arm.client import Answer, ArmClient
from nvaha.azure.arm.errors import answer_error, bounded, operation_error
from nvaha.model import same_id
from nvaha.ports import LONGEST_WAIT_S, Clock, NetworkError, NetworkFault

# An operation that has ended is noticed at the next poll, and traffic waits for it: polls are frequent.
_PAUSES_S = ((10.0, 0.3), (60.0, 1.0), (float("inf"), 2.0))
# With more operations than this at once each is polled less often, to stay within ARM's 25 reads a second.
_CROWD = 8
_GIVE_UP_AFTER_S = 900.0
_POLL_TIMEOUT_S = 5.0
_TOLERATED_S = 30.0
_THROTTLED_PAUSE_S = 5.0
_ALIVE_EVERY_S = 1.0

_SUCCEEDED = frozenset({"succeeded"})
_ENDED_BADLY = frozenset({"failed", "canceled", "cancelled"})


@dataclass(slots=True)
class Crowd:
    """How many writes are being followed."""

    size: int = 0


@dataclass(frozen=True, slots=True)
class _Word:
    """What one poll said of the write: how it stands, or why that is not known."""

    status: str | None = None
    trouble: NetworkError | None = None
    throttled: bool = False

    @property
    def wait_s(self) -> float:
        """How long not to ask again: throttled is no failure, and ARM says itself when to come again."""
        asked_s = (self.trouble.retry_after_s if self.trouble else None) or 0.0
        return min(asked_s or (_THROTTLED_PAUSE_S if self.throttled else 0.0), LONGEST_WAIT_S)


@dataclass(slots=True)
class Following:
    """One write on its way.

    Args:
        client: asks ARM.
        clock: counts and waits.
        resource_id: what is being written.
        resource_url: where to read it.
        etag: the resource's ETag that the write was made for.
        alive: awaited between polls, at least every second.
        crowd: counts the writes that are followed at the same time.
    """

    client: ArmClient
    clock: Clock
    resource_id: str
    resource_url: str
    etag: str
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
        written = self._resource(accepted)
        link = accepted.headers.get("Azure-AsyncOperation")
        if link is None and _state(written) in _SUCCEEDED:
            return
        # A token goes along with every request, so a link to another host is as good as none.
        operation = None if link is None else self.client.resolve(link)
        stale = None if _etag(written) == self.etag else self.etag
        started = self.clock.monotonic()
        pause_s = _pause_s(0.0, self.crowd.size)
        while self.clock.monotonic() - started < _GIVE_UP_AFTER_S:
            await self._wait(pause_s)
            pause_s = _pause_s(self.clock.monotonic() - started, self.crowd.size)
            word = _Word() if operation is None else await self._word_of(operation)
            if word.trouble is not None and word.trouble.fault.lasting:
                operation = None
            if word.status is None and not word.throttled:
                await self.alive()
                first, word = word, await self._word_of_resource(stale, final=operation is None)
                pause_s = max(pause_s, first.wait_s if word.trouble else 0.0)
            if word.status in _SUCCEEDED:
                return
            pause_s = max(pause_s, word.wait_s)
            self._tolerate(word)
        raise self._error(
            NetworkFault.UNAVAILABLE, f"the operation has not ended within {_GIVE_UP_AFTER_S:g} s"
        )

    async def _word_of(self, operation: str) -> _Word:
        """Ask the operation. NetworkError if it has ended, but not in success."""
        answer = await self._ask(operation)
        if isinstance(answer, _Word):
            return answer
        body = answer.json_object() or {}
        status = _folded(body.get("status"))
        if status is None:
            return _Word(trouble=self._error(NetworkFault.UNREADABLE, "the operation does not say how it is"))
        if status in _ENDED_BADLY:
            error = body.get("error")
            raise operation_error(
                self.resource_id, status.capitalize(), error if isinstance(error, dict) else None
            )
        return _Word(status)

    async def _word_of_resource(self, stale: str | None, *, final: bool) -> _Word:
        """Ask the resource.

        Args:
            stale: the ETag under which it does not show the write yet, if that is known.
            final: there is no operation to ask any more. NetworkError if the resource has failed then; before
                that it is better to wait for the operation, which says why.
        """
        answer = await self._ask(self.resource_url)
        if isinstance(answer, _Word):
            return answer
        shown = self._resource(answer)
        state = _state(shown)
        if state is None:
            return _Word(trouble=self._error(NetworkFault.UNREADABLE, "the answer is not the resource"))
        if state not in _SUCCEEDED | _ENDED_BADLY:
            return _Word(state)
        if stale is not None and (_etag(shown) or answer.headers.get("ETag")) == stale:
            text = "the resource does not show the write that was accepted"
            return _Word(trouble=self._error(NetworkFault.UNAVAILABLE, text))
        if state in _SUCCEEDED:
            return _Word(state)
        text = f"the resource is {state.capitalize()} after the write; why, no operation says"
        failed = self._error(NetworkFault.UNAVAILABLE, text)
        if final:
            raise failed
        return _Word(trouble=failed)

    async def _ask(self, url: str) -> Answer | _Word:
        """Return the answer, if it is a 200, or else what is wrong."""
        try:
            answer = await self.client.read(url, self.resource_id, timeout_s=_POLL_TIMEOUT_S)
        except NetworkError as error:
            return _Word(trouble=error)
        if answer.status == 200:
            return answer
        trouble = answer_error(self.resource_id, answer.status, answer.headers, answer.body)
        return _Word(trouble=trouble, throttled=answer.status == 429)

    def _resource(self, answer: Answer) -> dict[str, Any] | None:
        """Return the resource, if that is what the answer holds."""
        body = answer.json_object()
        if body is None or not isinstance(body.get("properties"), dict):
            return None
        return body if isinstance(body.get("id"), str) and same_id(body["id"], self.resource_id) else None

    def _tolerate(self, word: _Word) -> None:
        """Go on after a poll that said nothing, unless that has lasted too long or cannot pass."""
        if word.trouble is None:
            self._silent_since = None
        elif word.trouble.fault is NetworkFault.DENIED:
            raise word.trouble
        elif not word.throttled:
            now = self.clock.monotonic()
            if self._silent_since is None:
                self._silent_since = now
            if now - self._silent_since >= _TOLERATED_S:
                raise self._error(
                    NetworkFault.UNAVAILABLE,
                    bounded(f"the write cannot be followed; the last poll said: {word.trouble.message}"),
                ) from word.trouble

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


def _state(resource: dict[str, Any] | None) -> str | None:
    # A resource without the property is one that is never on its way.
    return None if resource is None else _folded(resource["properties"].get("provisioningState", "Succeeded"))


def _etag(resource: dict[str, Any] | None) -> object:
    return None if resource is None else resource.get("etag")


def _folded(status: object) -> str | None:
    return status.casefold() if isinstance(status, str) and status else None
