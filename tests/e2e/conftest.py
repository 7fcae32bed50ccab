"""How these tests run: each is one story, and the stories of one file are told at the same time.

Most of each is waiting for leases, timers and queues, and each has a lab of its own. So all of a file's that
were selected begin with its first, on one event loop, and each test waits for the end of its own. With
workers of pytest-xdist this needs a file to stay in one of them; where it does not, each begins by itself.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MEASURED, WHOLE_FILES
from tests.e2e.story import MEASUREMENTS, STARTING, Measurement

HERE = Path(__file__).parent
LONGEST_FIRST = (
    "test_outages",
    "test_releases",
    "test_crashes",
    "test_host_ends",
    "test_lost_messages",
    "test_takeover",
)
"""So that no worker is left alone with one at the end."""

_Story = Coroutine[Any, Any, list[Measurement]]


class Telling:
    """The stories of one file while they are told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runner = asyncio.Runner()
        self._stories: dict[str, asyncio.Task[list[Measurement]]] = {}

    def begin(self, items: list[pytest.Function]) -> None:
        """Begin the stories of some tests."""

        async def create() -> None:
            STARTING.set(asyncio.Semaphore(2))
            for item in items:
                self._stories[item.nodeid] = asyncio.create_task(_told(item), name=item.name)

        self._runner.run(create())

    def begun(self, item: pytest.Function) -> bool:
        """Tell whether a test's story has begun."""
        return item.nodeid in self._stories

    def end(self, item: pytest.Function) -> list[Measurement]:
        """Wait for the end of a test's story, while the others go on; raise what it raised."""

        async def wait() -> list[Measurement]:
            return await self._stories[item.nodeid]

        return self._runner.run(wait())

    def close(self) -> None:
        """Break off what nobody has waited for."""
        self._runner.close()


_TELLING = pytest.StashKey[Telling]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of this folder first, the longest of them before the others."""
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    ours = [item for item in items if item.path.parent == HERE]
    ours.sort(key=lambda item: order.get(item.path.stem, len(order)))
    items[:] = [*ours, *(item for item in items if item.path.parent != HERE)]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tell a story, and those of the same file beside it."""
    if not _is_story(pyfuncitem):
        return None
    session = pyfuncitem.session
    telling = session.stash.get(_TELLING, None)
    if telling is None or telling.path != pyfuncitem.path:
        if telling is not None:
            telling.close()
        telling = session.stash[_TELLING] = Telling(pyfuncitem.path)
    if not telling.begun(pyfuncitem):
        files = [each for each in session.items if each.path == pyfuncitem.path and _is_story(each)]
        stories = [each for each in files if isinstance(each, pytest.Function)]
        telling.begin(stories if _together(session.config) else [pyfuncitem])
    for measurement in telling.end(pyfuncitem):
        pyfuncitem.user_properties.append((MEASURED, measurement))
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no lab behind when the tests were broken off."""
    telling = session.stash.get(_TELLING, None)
    if telling is not None:
        telling.close()


def _is_story(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj)


def _together(config: pytest.Config) -> bool:
    """Tell whether this process runs every selected test of a file."""
    return bool(getattr(config, "workerinput", {}).get(WHOLE_FILES, True))


async def _told(item: pytest.Function) -> list[Measurement]:
    measurements: list[Measurement] = []
    MEASUREMENTS.set(measurements)
    # A story takes no fixture: it may begin long before it is its test's turn.
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    await item.obj(**parameters)
    return measurements
