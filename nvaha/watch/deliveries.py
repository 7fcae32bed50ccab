"""What receivers are sent: from what is stored, beside everything else, and waited for by nobody.

What follows from a decision stands in the group's state until it was taken, so that a crash loses none of it;
the leader sends it. What a process tells of itself stands nowhere: it is sent by that process while it lives.
A receiver has a line of its own: one that hangs keeps neither the others nor a round waiting.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

from nvaha.concurrency import run_all
from nvaha.core.sending import Done, untaken
from nvaha.model import Notice, Receiver, Unsent
from nvaha.ports import NotTaken, Ports, StoreUnavailable
from nvaha.state.lease import HeldLease, LeaseLost
from nvaha.watch.watched import WatchedGroups

POLL_S = 0.5
AGAIN_S = (5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""The waits after a receiver did not take something; the last one repeats."""
GIVE_UP_S = 86400.0
"""What was not taken for so long is not sent any more."""
TOLD_AFTER = 3
"""So many times in a row a receiver has to fail before anybody is told."""
MOST_OWN = 100


@dataclass(slots=True)
class _Line:
    """One receiver's: what is on its way, how often it failed in a row, and when it is asked again."""

    flying: tuple[Unsent, asyncio.Task[int]] | None = None
    failed: int = 0
    due_at: float = -math.inf
    tries: dict[str, int] = field(default_factory=dict)


class Deliveries:
    """Sends what is to be sent.

    Args:
        ports: the outside; without receivers nothing is sent.
        watched: the groups, in whose states it stands.
        lease: only who leads sends what stands in states.
        instance: this monitor's name.
    """

    def __init__(self, ports: Ports, watched: WatchedGroups, lease: HeldLease, instance: str) -> None:
        self._receivers = ports.receivers
        self._known = ports.receivers.known
        self._clock = ports.clock
        self._notifier = ports.notifier
        self._watched = watched
        self._lease = lease
        self._instance = instance
        self._lines = {each.name: _Line() for each in self._known}
        self._own: deque[Unsent] = deque(maxlen=MOST_OWN)
        self._done: set[Done] = set()

    async def run(self) -> None:
        """Send until cancelled; what is on its way then goes on, and is heard of in the next tick."""
        if not self._known:
            # What another configuration had to be sent is in nobody's way, but in the row: once in a tick.
            await self._clock.sleep(POLL_S)
            await self._clear()
            return
        await run_all((*map(self._serve, self._known), self._clearing()))

    async def _serve(self, receiver: Receiver) -> None:
        line = self._lines[receiver.name]
        while True:
            if line.flying is None and (unsent := self._next(receiver, line)) is not None:
                line.flying = unsent, asyncio.ensure_future(self._receivers.send(receiver, unsent))
            if line.flying is None:
                await self._clock.sleep(POLL_S)
                continue
            # Not the task itself: it would be cancelled with whoever waits for it, and perhaps sent twice.
            await asyncio.wait({line.flying[1]})
            self._landed(receiver, line, *line.flying)
            line.flying = None

    def _next(self, receiver: Receiver, line: _Line) -> Unsent | None:
        """Return what a receiver is sent next: what was tried least, and of that the oldest."""
        self._own.extend(self._receivers.heard())
        if self._clock.monotonic() < line.due_at:
            return None
        waiting = []
        for each in self._waiting():
            if receiver.name not in each.to or (each.id, receiver.name) in self._done:
                continue
            if (self._clock.now() - each.at).total_seconds() <= GIVE_UP_S:
                waiting.append(each)
                continue
            text = f"{receiver.name} has not taken '{each.notice.text}' for a day; it is not sent any more"
            self._tell(receiver, "error", text)
            self._finish(receiver, line, each)
        line.tries = {each.id: line.tries.get(each.id, 0) for each in waiting}
        return min(waiting, key=lambda each: (line.tries[each.id], each.at), default=None)

    def _waiting(self) -> list[Unsent]:
        stored = self._watched.unsent if self._lease.valid else ()
        return [*(each for watched in stored for each in watched.state.unsent), *self._own]

    def _landed(self, receiver: Receiver, line: _Line, unsent: Unsent, task: asyncio.Task[int]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._finish(receiver, line, unsent)
            line.failed = 0
            return
        line.tries[unsent.id] = line.tries.get(unsent.id, 0) + 1
        line.failed += 1
        line.due_at = self._clock.monotonic() + AGAIN_S[min(line.failed, len(AGAIN_S)) - 1]
        if line.failed == TOLD_AFTER:
            why = str(error) if isinstance(error, NotTaken) else type(error).__name__
            self._tell(receiver, "warning", f"{receiver.name} does not take what it is sent: {why}")

    def _finish(self, receiver: Receiver, line: _Line, unsent: Unsent) -> None:
        line.tries.pop(unsent.id, None)
        self._done.add((unsent.id, receiver.name))

    async def _clearing(self) -> None:
        while True:
            await self._clock.sleep(POLL_S)
            self._own = deque(untaken(self._own, self._done), MOST_OWN)
            await self._clear()
            # What was taken is remembered as long as it stands anywhere that it is to be sent.
            stored = (each for watched in self._watched.unsent for each in watched.state.unsent)
            self._done &= {(each.id, name) for each in (*stored, *self._own) for name in each.to}

    async def _clear(self) -> None:
        """Write down what was taken, and what is for nobody who is configured any more."""
        for watched in self._watched.unsent if self._lease.valid else ():
            owed = {(each.id, name) for each in watched.state.unsent for name in each.to}
            done = {each for each in owed if each in self._done or each[1] not in self._lines}
            if not done:
                continue
            try:
                await self._watched.sent(watched, done)
            except (StoreUnavailable, LeaseLost):
                return

    def _tell(self, receiver: Receiver, level: str, text: str) -> None:
        fields = {"instance": self._instance, "receiver": receiver.name}
        self._notifier.notify(Notice("notify_failed", level, f"{self._instance}: {text}", fields))
