"""An event loop whose time is virtual: it jumps to the next timer and never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from typing import Any

OWNER: ContextVar[dict[asyncio.Task[Any], None] | None] = ContextVar("owner", default=None)
"""Where the tasks are kept that are made in this context: every task of a process, whoever awaits it."""

SWEPT_AT = 100
"""Tasks that are done are swept out when there are so many: cheaper than a callback for each."""


MOST_IN_NO_TIME = 100_000
"""So many turns of the loop in one virtual moment are no work, but something that goes on for ever."""


class Stuck(Exception):
    """The simulation would never end: it would wait for ever, or go round and round without waiting."""


class _Jump:
    """Stands where a selector would: waiting means moving the loop's time on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is ready, and no timer is set")
        self._turns += 1
        if timeout > 0:
            self._loop.now_s += timeout
            self._turns = 0
        if self._turns > MOST_IN_NO_TIME:
            raise Stuck(f"{MOST_IN_NO_TIME} turns, and no time has passed")
        return []


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have the same order in every run."""

    def __init__(
        self, coroutine: Generator[Any, None, Any] | Coroutine[Any, Any, Any], number: int, **more: Any
    ) -> None:
        self._number = number
        super().__init__(coroutine, **more)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order they were scheduled, at the virtual times they were scheduled for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._selector = _Jump(self)
        self._tasks_made = 0
        super().__init__()
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self.now_s

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Generator[Any, None, Any] | Coroutine[Any, Any, Any],
        **more: Any,
    ) -> NumberedTask:
        self._tasks_made += 1
        task = NumberedTask(coroutine, self._tasks_made, loop=loop, **more)
        owned = OWNER.get()
        if owned is not None:
            if len(owned) >= SWEPT_AT:
                for each in [each for each in owned if each.done()]:
                    del owned[each]
            owned[task] = None
        return task

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there is no input or output."""

    def _write_to_self(self) -> None:
        """Do nothing: nobody is in another thread."""
