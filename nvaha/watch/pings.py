"""A dead man's switch: while the leader leads and sees every group, somebody outside Azure hears of it."""

from __future__ import annotations

from collections.abc import Callable

from nvaha.model import Notice
from nvaha.ports import PingFailed, Ports

PING_EVERY_S = 60.0


class Pings:
    """Pings now and then, beside the rounds; what becomes of it changes nothing else.

    Args:
        ports: the outside; without a pinger nothing is done.
        well: tells whether everything is watched just now.
        instance: this monitor's name.
    """

    def __init__(self, ports: Ports, well: Callable[[], bool], instance: str) -> None:
        self._pinger = ports.pinger
        self._clock = ports.clock
        self._notifier = ports.notifier
        self._well = well
        self._instance = instance
        self._due_at = float("-inf")
        self._failed = False

    async def run(self) -> None:
        """Ping at its interval until cancelled; a ping that was cut off is begun anew in the next tick."""
        while self._pinger is not None:
            await self._clock.sleep(max(1.0, self._due_at - self._clock.monotonic()))
            if not self._well():
                continue
            try:
                await self._pinger.ping()
            except PingFailed as error:
                self._tell(error)
            else:
                self._failed = False
            self._due_at = self._clock.monotonic() + PING_EVERY_S

    def _tell(self, error: PingFailed) -> None:
        """Say it once: whoever waits for the ping gives the alarm."""
        if not self._failed:
            text = f"{self._instance}: the URL in NVAHA_PING_URL does not take its ping: {error}"
            self._notifier.notify(Notice("ping_failed", "warning", text, {"instance": self._instance}))
        self._failed = True
