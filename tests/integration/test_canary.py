"""A canary over real adapters: token, queue, tables and the ARM simulator, which checks every write."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from nvaha.core.canary import ADDRESSES
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import environment

from .in_process import Json, Running, running

FIRST, SECOND = ADDRESSES.values()


def _hop(body: Json) -> Any:
    return body["properties"]["routes"][0]["properties"]["nextHopIpAddress"]


async def _canary(app: Running) -> Json:
    """Return the canary as GET shows it, once its run has ended."""
    end = time.monotonic() + 20.0
    while True:
        _, view = await app.call("groups")
        if view["canary"]["status"] not in (None, "running"):
            return dict(view["canary"])
        assert time.monotonic() < end, view["canary"]
        await asyncio.sleep(0.1)


def test_a_canary_is_switched_end_to_end(azurite: Azurite, tmp_path: Path) -> None:
    """Its next hop has moved and nothing else in Azure; the shipped role was enough for it."""
    sample = environment(canary=True)

    async def play() -> None:
        async with running(azurite, tmp_path, sample) as app:
            before = app.arm.snapshot()
            await app.all_up()
            canary = await _canary(app)
            assert (canary["status"], canary["error"]) == ("done", None)
            assert 0 < canary["seconds"]["claimed"] <= canary["seconds"]["done"] < 20
            assert {"python", "nvaha", "azure-functions"} <= canary["versions"].keys()
            after = app.arm.snapshot()
            changed = [key for key in before if before[key] != after[key]]
            assert [key.casefold() for key in changed] == [(sample.canary or "").casefold()]
            assert (_hop(before[changed[0]]), _hop(after[changed[0]])) == (FIRST, SECOND)

    asyncio.run(play())
