"""A failover of the real app reaches a webhook, once, as it went."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import environment
from tests.contract.answers import Json

from .in_process import running

SAMPLE = environment()
FIRST, SECOND = (nva.name for nva in SAMPLE.nvas)


def test_a_failover_is_told_step_by_step(azurite: Azurite, tmp_path: Path) -> None:
    """The NVA that died, the switch that was asked for, and its end, by a worker: each once, in order."""
    events: list[Json] = []

    async def takes(request: web.Request) -> web.Response:
        events.append(await request.json())
        return web.Response(status=202)

    def named(config: Json) -> None:
        config["notify"] = [{"name": "hook", "type": "webhook", "url_setting": "HOOK_URL"}]

    async def play() -> None:
        app = web.Application()
        app.router.add_post("/hook", takes)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        # What a worker has written the leader sees when it next writes or ticks.
        more = {"HOOK_URL": url, "NVAHA_SCHEDULE": "*/2 * * * * *"}
        try:
            async with running(azurite, tmp_path, SAMPLE, edit=named, more=more) as there:
                await there.all_up()
                status, answer = await there.call("notify_test", {"receiver": "hook"})
                [tried] = answer["receivers"]
                assert (status, tried["taken"], tried["status"]) == (200, True, 202)
                assert url not in json.dumps(answer)
                await there.nvas[FIRST].stop()
                await there.active(SECOND)
                end = time.monotonic() + 30.0
                while not of("switch_done"):
                    assert time.monotonic() < end, events
                    await asyncio.sleep(0.05)
        finally:
            await runner.cleanup()

    def of(kind: str) -> list[Any]:
        return [each["id"] for each in events if each["type"] == f"nvaha.{kind}"]

    asyncio.run(play())
    for kind in ("notify_test", "nva_down", "switch_requested", "switch_done"):
        assert len(set(of(kind))) == 1
    order = [each["type"] for each in events]
    assert (
        order.index("nvaha.nva_down")
        < order.index("nvaha.switch_requested")
        < order.index("nvaha.switch_done")
    )
    assert {each["source"] for each in events} == {"/nvaha/devstoreaccount1"}
