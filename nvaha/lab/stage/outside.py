"""What stands outside Azure and is sent something: a webhook's receiver, a service that waits for pings."""

from __future__ import annotations

import time

from aiohttp import web

from nvaha.lab.stage.azurite import LabError

RECEIVER = "chat"
URL_SETTING, KEY_SETTING, PING_SETTING = "LAB_RECEIVER_URL", "LAB_RECEIVER_KEY", "NVAHA_PING_URL"


class Outside:
    """Takes whatever is sent to it, or refuses it, and counts; `start` and `stop`.

    `refuses` says whether everything is answered with 503.
    """

    def __init__(self) -> None:
        self.refuses = False
        self.pinged_at: float | None = None
        """When a ping was taken last, in monotonic seconds."""
        self.taken = 0
        """How many notifications were taken."""
        self._runner: web.AppRunner | None = None
        self._url = ""

    async def start(self) -> None:
        """Listen at a free port of 127.0.0.1."""
        app = web.Application()
        app.router.add_get("/ping", self._ping)
        app.router.add_post("/hook", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def settings(self) -> dict[str, str]:
        """The application settings by which monitors know of it; LabError if it was not started."""
        if not self._url:
            raise LabError("nobody outside was started")
        return {
            PING_SETTING: f"{self._url}/ping",
            URL_SETTING: f"{self._url}/hook",
            KEY_SETTING: "signs-nothing-that-matters",
        }

    @property
    def configuration(self) -> dict[str, object]:
        """What the configuration says of it."""
        settings = {"url_setting": URL_SETTING, "key_setting": KEY_SETTING}
        return {"notify": [{"name": RECEIVER, "type": "webhook", **settings}]}

    async def _ping(self, _: web.Request) -> web.Response:
        if not self.refuses:
            self.pinged_at = time.monotonic()
        return self._answer()

    async def _hook(self, request: web.Request) -> web.Response:
        await request.read()
        self.taken += not self.refuses
        return self._answer()

    def _answer(self) -> web.Response:
        return web.Response(status=503 if self.refuses else 200)
