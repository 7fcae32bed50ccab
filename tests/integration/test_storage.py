"""The storage clients against a real Azurite."""

from __future__ import annotations

import asyncio

from nvaha.azure.clock import ServiceClock
from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.states import TableStore
from nvaha.lab.stage.azurite import Azurite
from tests.integration.conftest import settings_for


def test_every_answer_sets_the_shared_clock(azurite: Azurite) -> None:
    """A monitor whose own clock is an hour off tells the service's time after one request."""

    async def run() -> None:
        right, wrong = ServiceClock(), ServiceClock(wall=lambda: right.now().timestamp() + 3600)
        assert wrong.now() > right.now()
        async with Storage(settings_for(azurite.connection_string), wrong) as storage:
            await TableStore(storage).load("any")
        assert wrong.synchronized
        assert abs((wrong.now() - right.now()).total_seconds()) < 2.5

    asyncio.run(run())
