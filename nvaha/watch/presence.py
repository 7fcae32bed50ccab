"""This instance's own row: who could lead can be told before somebody has to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from nvaha import __version__
from nvaha.concurrency import run_all
from nvaha.model import WRITTEN_EVERY_S, Configuration, InstanceRecord, Notice
from nvaha.ports import Ports, StoreUnavailable
from nvaha.state.lease import HeldLease
from nvaha.watch.abstention import Abstention
from nvaha.watch.blindness import Blindness
from nvaha.watch.sight import Sight

FIRST_S = 2.0
"""The first row is written so long after the start: by then the lease has been asked for."""


class Presence:
    """Writes what this monitor could do, whether it leads or not; nothing waits for it.

    Args:
        ports: the outside.
        configuration: what this monitor goes by.
        lease: the leader's lease, held or not.
        blindness: what a leader's rounds saw.
        abstention: whether this monitor asks for the lease at all.
        instance: this monitor's name.
        app: the function app that it is a copy of.
        token_at: returns when a token for Azure was last got.
    """

    def __init__(
        self,
        ports: Ports,
        configuration: Configuration,
        lease: HeldLease,
        blindness: Blindness,
        abstention: Abstention,
        *,
        instance: str,
        app: str,
        token_at: Callable[[], datetime | None],
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._configuration = configuration
        self._lease = lease
        self._blindness = blindness
        self._abstention = abstention
        self._instance = instance
        self._app = app
        self._token_at = token_at
        self._sight = Sight(ports, configuration)
        self._started = ports.clock.monotonic()
        self._due_at = self._started + FIRST_S
        self._seen = InstanceRecord(instance, ports.clock.now())
        self._looked: float | None = None
        self._told: str | None = None

    async def run(self) -> None:
        """Write the row at its interval until cancelled."""
        while True:
            await self._clock.sleep(self._due_at - self._clock.monotonic())
            began_at = self._clock.monotonic()
            await self._try_to_write()
            # Not before: what the end of a tick cuts short is made up for at the start of the next.
            self._due_at = began_at + WRITTEN_EVERY_S

    async def _try_to_write(self) -> None:
        """Look and write; that this cannot be done is said once, and stops nothing."""
        try:
            await run_all((self._look_around(), self._look_at_queue()))
            await self._ports.store.save_instance(self._record())
            self._told = None
        except StoreUnavailable as error:
            self._say("store_unavailable", f"the row of instance {self._instance} cannot be written: {error}")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row must not end the watch
            self._say(
                "round_failed", f"the row of instance {self._instance} met what nobody expected: {error!r}"
            )

    def _record(self) -> InstanceRecord:
        now = self._clock.now()

        def at(monotonic: float) -> datetime:
            # Before storage has answered for the first time its clock is not known.
            return now - timedelta(seconds=self._clock.monotonic() - monotonic)

        return replace(
            self._seen,
            written_at=now,
            seen_at=None if self._looked is None else at(self._looked),
            app=self._app,
            version=__version__,
            configuration=self._configuration.fingerprint,
            started_at=at(self._started),
            leads=self._lease.valid,
            abstains=self._abstention.on,
            campaign_at=self._lease.answered_at,
            token_at=self._token_at(),
        )

    async def _look_around(self) -> None:
        """Take what the leader's rounds saw, or ask a few: whoever leads asks often enough."""
        # Not by when the look has ended: a process may stand still in the middle of it.
        looked = self._clock.monotonic()
        if self._lease.valid:
            asked, answered, age_s = self._blindness.seen
            looked -= age_s
        else:
            asked, answered = await self._sight.look()
        self._looked = looked if asked else None
        self._seen = replace(self._seen, asked=asked, answered=answered)

    async def _look_at_queue(self) -> None:
        try:
            messages = await self._ports.queue.waiting()
        except StoreUnavailable:
            # The row goes on to say when it last answered.
            return
        self._seen = replace(self._seen, queue_at=self._clock.now(), messages=messages)

    def _say(self, event: str, text: str) -> None:
        if self._told != event:
            self._told = event
            self._ports.notifier.notify(Notice(event, "warning", text, {"instance": self._instance}))
