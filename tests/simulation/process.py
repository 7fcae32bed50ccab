"""A process that can crash, stall and come back, and its clocks.

Everything a process does to the outside goes through `Process.send` and `Process.sleep`. A crash makes these
dead first and cancels all of the process's tasks after, also those that nobody awaits, so no `finally` and no
work in the background can do what a dead process could not. A stalled process hears nothing until it is
woken; what it had sent goes on.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nvaha.azure.clock import ServiceClock
from nvaha.model import Group
from tests.simulation.loop import OWNER

if TYPE_CHECKING:
    from tests.simulation.world import World

START_S = 1_750_000_000.0
"""The service's clock at virtual time zero, in seconds since 1970."""
PREVIOUS = "-previous"
"""Ends the names of processes of the previous release."""
UNWINDING_S, UNWINDINGS = 1.0, 10
"""So often, and a virtual second each time, is a crashed process told again that it has ended."""


@dataclass(slots=True)
class Fate:
    """What happens to one request.

    Args:
        out_s: seconds until the service serves it; None: it never arrives.
        back_s: seconds for the answer; None: it is lost.
        limit_s: after so many seconds the caller hears that there was no answer.
        refused: the error that the service answers instead of serving, if any.
        again_s: the request is served and its answer lost; so long after, the layer below the caller sends it
            once more, and the caller sees the answer to that.
    """

    out_s: float | None
    back_s: float | None
    limit_s: float
    refused: Exception | None = None
    again_s: float | None = None

    @property
    def answered_s(self) -> float | None:
        """Seconds until the caller has an answer; None: it gets none."""
        if self.out_s is None or self.back_s is None:
            return None
        seconds = self.out_s + self.back_s
        if self.again_s is not None:
            seconds += self.again_s + self.out_s
        return seconds if seconds <= self.limit_s else None


class Process:
    """One running copy of something.

    `hindered` counts what may have kept it from going on at once: stalls, and answers of storage that were
    slow or never came. `previous` tells that it runs the previous release.
    """

    def __init__(self, world: World, name: str, kind: str, *, previous: bool = False) -> None:
        self.world, self.name, self.kind, self.previous = world, name, kind, previous
        self.dead = self.stalled = self.isolated = False
        self.hindered = 0
        self.no_token_until_s = 0.0
        self.configuration = world.configuration
        self._backlog: deque[Callable[[], None]] = deque()
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._ids = 0
        self._loop = world.loop
        rng = world.rng
        self._rate = 1.0 + rng.uniform(-1e-3, 1e-3)
        self._base_s = rng.uniform(0.0, 1e6)
        self._wall_off_s = rng.choice([0.0, 0.0, rng.uniform(-7200.0, 7200.0)])
        self.crashed = world.loop.create_future()
        self.clock = ProcessClock(self)

    def group(self, name: str) -> Group:
        """Return a group as this process has it configured; world.group has the newest."""
        return next(each for each in self.configuration.switched if each.name == name)

    def monotonic(self) -> float:
        """Return this process's seconds, which run a little fast or slow."""
        return self._base_s + self._loop.now_s * self._rate

    def wall(self) -> float:
        """Return what this process's wall clock shows, which anybody may have set."""
        return START_S + self._loop.now_s + self._wall_off_s

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock."""
        self._wall_off_s += seconds

    def new_id(self) -> str:
        """Return a text that no process has had before."""
        self._ids += 1
        return f"{self.name}-{self._ids}"

    def start(self, main: Any) -> asyncio.Task[Any]:
        """Run a coroutine in this process; it ends with it."""
        context = contextvars.copy_context()
        context.run(OWNER.set, self._tasks)
        return context.run(self._loop.create_task, main)

    def crash(self) -> None:
        """End at once: nothing that runs in this process reaches the outside from here on."""
        if self.dead:
            return
        self.dead = True
        self._backlog.clear()
        for task in tuple(self._tasks):
            task.cancel()
        if not self.crashed.done():
            self.crashed.set_result(None)

    async def ended(self) -> None:
        """Wait until all of a crashed process's tasks have been unwound."""
        for _ in range(UNWINDINGS):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                return
            await asyncio.wait(left, timeout=UNWINDING_S)
            for task in left:
                task.cancel()
        self.world.oracle.violated(f"{self.name} has crashed and works on")

    def stall(self) -> None:
        """Stop hearing anything."""
        self.stalled = True
        self.hindered += 1

    def wake(self) -> None:
        """Hear everything that was missed, in order."""
        self.stalled = False
        while self._backlog and not self.stalled:
            self._backlog.popleft()()

    async def sleep(self, seconds: float) -> None:
        """Wait by this process's clock."""
        self._check()
        future = self._loop.create_future()
        handle = self._loop.call_later(max(0.0, seconds) / self._rate, self._deliver, future, None)
        try:
            await future
        finally:
            handle.cancel()

    def send(self, fate: Fate, serve: Callable[[], Any], lost: Exception) -> asyncio.Future[Any]:
        """Send a request; the future is its answer, or `lost` if none comes in time.

        `serve` runs at the service when the request arrives there, whatever became of the sender; a sender
        that died meanwhile may have died before the request left it.
        """
        self._check()
        loop, future = self._loop, self._loop.create_future()
        leaves_anyway = self.world.rng.random() < 0.5

        def leave() -> None:
            if fate.out_s is not None:
                loop.call_later(fate.out_s, arrive, fate.again_s)
            if fate.answered_s is None:
                loop.call_later(fate.limit_s, self._deliver, future, lost)

        def leave_again() -> None:
            if not self.dead and not future.done():
                loop.call_later(fate.out_s or 0.0, arrive, None)

        def arrive(again_s: float | None) -> None:
            if self.dead and not leaves_anyway:
                return
            outcome: Any
            try:
                outcome = serve() if fate.refused is None else fate.refused
            except Exception as error:  # noqa: BLE001 - the service's answer, whatever it is
                outcome = error
            if again_s is not None:
                loop.call_later(again_s, self._when_awake, leave_again)
            elif fate.back_s is not None:
                loop.call_later(fate.back_s, self._deliver, future, outcome)

        # Something else than an answer may have woken this task: what it sends leaves when it goes on.
        self._when_awake(leave)
        self.world.chaos.strike(self)
        return future

    async def wait(self, future: asyncio.Future[Any], seconds: float) -> bool:
        """Wait for an answer, but no longer than this; tell whether it is there."""
        self._check()
        if future.done():
            return True
        bell = self._loop.create_future()

        def ring(_: object) -> None:
            if not bell.done():
                bell.set_result(None)

        future.add_done_callback(ring)
        handle = self._loop.call_later(seconds / self._rate, self._deliver, bell, None)
        try:
            await bell
        finally:
            handle.cancel()
            future.remove_done_callback(ring)
        return future.done()

    def _check(self) -> None:
        if self.dead:
            raise asyncio.CancelledError

    def _when_awake(self, action: Callable[[], None]) -> None:
        if self.stalled:
            context = contextvars.copy_context()
            self._backlog.append(lambda: context.run(action))
        else:
            action()

    def _deliver(self, future: asyncio.Future[Any], outcome: Any) -> None:
        if self.dead or future.done():
            return
        if self.stalled:
            self._backlog.append(lambda: self._settle(future, outcome))
        else:
            self._settle(future, outcome)

    @staticmethod
    def _settle(future: asyncio.Future[Any], outcome: Any) -> None:
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


class ProcessClock(ServiceClock):
    """The production clock on a simulated process's clocks."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.monotonic, process.wall)
        self._process = process

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._process.sleep(seconds)
