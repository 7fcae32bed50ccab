"""Running several duties at once, with one error instead of a group of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

# Not the loop's own threads: aiohttp asks one of those before each request, the renewal of a lease included.
_ASIDE = ThreadPoolExecutor(1, "nvaha-aside")
_Result = TypeVar("_Result")


@asynccontextmanager
async def unwrapped() -> AsyncIterator[None]:
    """Raise the first error of a task group by itself: the others were only cancelled because of it."""
    try:
        yield
    except BaseExceptionGroup as many:
        first: BaseException = many
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def run_all(duties: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at once; the first error ends them all and is raised."""
    async with unwrapped(), asyncio.TaskGroup() as tasks:
        for duty in duties:
            tasks.create_task(duty)


async def uninterrupted(duty: Coroutine[Any, Any, _Result]) -> _Result:
    """Do something to its end even if whoever wants it is cancelled meanwhile; then that is raised."""
    task = asyncio.ensure_future(duty)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait({task})
        if task.done() and not task.cancelled():
            task.exception()  # it has been seen: what is raised is that nobody waits any more
        raise


async def aside(work: Callable[..., Any], *args: object) -> Any:
    """Compute something beside the event loop, one at a time, so that nobody waits for it but who asked."""
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, work, *args)
