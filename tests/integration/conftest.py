"""One Azurite for all of these tests, in memory; each test uses names of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from nvaha.azure.clock import ServiceClock
from nvaha.azure.storage.connection import Storage
from nvaha.config.settings import Settings
from nvaha.lab.stage.azurite import Azurite

Opened = Callable[[], AbstractAsyncContextManager[Storage]]


def settings_for(connection_string: str) -> Settings:
    """Return settings with this storage and defaults for the rest."""
    return Settings.from_environ({"AzureWebJobsStorage": connection_string, "NVAHA_INSTANCE": "test"})


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Run one Azurite for the whole session."""
    server = Azurite()
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
def opened(azurite: Azurite) -> Opened:
    """Return what opens a connection to the Azurite inside a test's event loop."""

    @asynccontextmanager
    async def open_storage() -> AsyncIterator[Storage]:
        async with Storage(settings_for(azurite.connection_string), ServiceClock()) as storage:
            yield storage

    return open_storage
