"""How long a host runs: until it is asked to stop, or until a listener meets what it does not handle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

STOP_S = 10.0
"""A host that stops waits so long for its functions (azure-functions-host `WebJobsScriptHostService.cs`)."""
SHUT_DOWN = 70
"""The exit code of a host that a listener brought down; nothing else ends with it."""
_log = logging.getLogger("Host")
_Result = TypeVar("_Result")


class ListenerError(Exception):
    """What storage answered, or did not, is nothing that this listener handles: its host ends."""


class Lifetime:
    """When this host stops, and why: `error` is None unless a listener brought it down."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self.error: BaseException | None = None

    @property
    def stopping(self) -> bool:
        """Whether the host stops; nothing new is begun then."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask the host to stop in good order."""
        self._stopping.set()

    def watch(self, task: asyncio.Task[_Result]) -> asyncio.Task[_Result]:
        """Shut the host down at once if a task raises; returns the task."""
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self.error = self.error or error
        known = isinstance(error, ListenerError)
        _log.error(
            "An unhandled exception has occurred. Host is shutting down. %s",
            error,
            exc_info=None if known else error,
        )
        self.stop()

    async def stopped(self) -> None:
        """Wait until the host stops."""
        await self._stopping.wait()

    async def stopped_within(self, seconds: float) -> bool:
        """Wait, and tell whether the host began to stop meanwhile."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def unless_stopped(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        """Return what work comes to, or None if the host stops first, which cancels it."""
        working = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return await working
            working.cancel()
            await asyncio.wait({working})
            return None
        finally:
            working.cancel()
            stopped.cancel()


Listener = Callable[[Lifetime], Coroutine[Any, Any, None]]


async def listen(listeners: Iterable[Listener], life: Lifetime) -> None:
    """Run listeners until the host stops and what they have in work has ended, or `STOP_S` are over."""
    tasks = [life.watch(asyncio.create_task(each(life))) for each in listeners]
    await life.stopped()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_S)
