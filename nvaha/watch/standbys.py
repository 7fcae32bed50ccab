"""The leader's view of the other instances: who could take its place, and who sees when it does not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from nvaha.core.instances import could_lead, difference, lately, sees
from nvaha.model import WRITTEN_EVERY_S, Configuration, InstanceRecord, Notice
from nvaha.ports import LEASE_S, Ports, StoreUnavailable
from nvaha.watch.blindness import Blindness

LACKING_S = 60.0
"""So long nobody else could lead before that is told; so long an instance has run before it is missed."""
MISSED_FOR = KEPT_FOR = timedelta(days=1)
"""So long after there was a standby its lack is told; so long after it was written a row is kept."""
SWEPT_EVERY_S = 3600.0
CHECK_S = 2.5
UNLED_S = 60.0
"""So long without a leader is told by the next one: no other monitor could, and the alert may not have."""


class Blinded(Exception):
    """The leader is blind, and another instance is not: that one should lead.

    Args:
        standby: its name.
    """

    def __init__(self, standby: str, blind_s: float) -> None:
        super().__init__(f"it has been blind for {blind_s:.0f} s, and {standby} sees")
        self.standby = standby


class Standbys:
    """Who could lead in this leader's place.

    Args:
        ports: the outside.
        configuration: what this monitor goes by.
        blindness: whether it sees.
        instance: its name.

    `count` is how many could, `seen_at` when any was last there, `alone` whether their lack has been told.
    """

    def __init__(
        self, ports: Ports, configuration: Configuration, blindness: Blindness, instance: str
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._fingerprint = configuration.fingerprint
        self._blindness = blindness
        self._instance = instance
        self._recalled = False
        self._due_at = self._swept_at = float("-inf")
        self._none_since: float | None = None
        self._told: dict[str, str | None] = {}
        self.count = 0
        self.seen_at: datetime | None = None
        self.alone = False

    def elected(self) -> None:
        """Start afresh: somebody else may have led meanwhile."""
        self._recalled, self._none_since = False, None

    async def recall(self) -> None:
        """After an election, read what the leader before knew, before it is overwritten, and who is there."""
        if self._recalled:
            return
        self._recalled = True
        with suppress(StoreUnavailable):
            before = await self._ports.store.load_leader()
            if before is not None:
                self.seen_at, self.alone = before.standby_at, before.alone
                self._tell_gap(before.round_at)
        await self._look()

    def _tell_gap(self, round_at: datetime) -> None:
        gap_s = (self._clock.now() - round_at).total_seconds()
        if gap_s >= UNLED_S:
            text = f"nobody led for {gap_s:.0f} s before {self._instance} does: nothing was watched meanwhile"
            self._notify("no_leader", "warning", text, seconds=round(gap_s))

    async def run(self) -> None:
        """Look at the others' rows until cancelled.

        Raises:
            Blinded: this leader has been blind for a whole lease, and another instance is not.
        """
        while True:
            now = self._clock.monotonic()
            if now >= self._due_at or self._blindness.blind_s >= LEASE_S:
                self._yield_to_sight(await self._look())
                await self._sweep()
            await self._clock.sleep(CHECK_S)

    async def _look(self) -> list[InstanceRecord]:
        """Return who could lead by what the rows say now, nobody where they cannot be read."""
        self._due_at = self._clock.monotonic() + WRITTEN_EVERY_S - CHECK_S / 2
        try:
            rows = await self._ports.store.instances()
        except StoreUnavailable:
            # What cannot be read says nothing, neither of those who could lead nor of those who see.
            return []
        now = self._clock.now()
        others = [each for each in rows if each.instance != self._instance]
        able = [each for each in others if could_lead(each, self._fingerprint, now)]
        self.count = len(able)
        self._tell_differences(others, now)
        self._tell_lack(able, now)
        return able

    def _yield_to_sight(self, able: Iterable[InstanceRecord]) -> None:
        blind_s, now = self._blindness.blind_s, self._clock.now()
        if blind_s < LEASE_S:
            return
        since = now - timedelta(seconds=blind_s)
        for each in able:
            # Seen while this one was blind: what was answered before may have gone for everybody.
            if sees(each, now) and each.seen_at is not None and each.seen_at > since:
                raise Blinded(each.instance, blind_s)

    def _tell_lack(self, able: list[InstanceRecord], now: datetime) -> None:
        grown = timedelta(seconds=LACKING_S)
        if self.alone and able:
            self.alone, self.seen_at = False, now
            text = f"{able[0].instance} could lead if {self._instance} did not"
            self._notify("standby_back", "info", text, standby=able[0].instance, standbys=len(able))
        if any(each.started_at is not None and each.started_at <= now - grown for each in able):
            self.seen_at = now
        if able:
            self._none_since = None
            return
        monotonic = self._clock.monotonic()
        self._none_since = monotonic if self._none_since is None else self._none_since
        missed = self.seen_at is not None and now - self.seen_at <= MISSED_FOR
        if missed and not self.alone and monotonic - self._none_since >= LACKING_S:
            self.alone = True
            text = f"no other instance could lead if {self._instance} did not; one could within the last day"
            self._notify("no_standby", "warning", text, standbys=0)

    def _tell_differences(self, others: Iterable[InstanceRecord], now: datetime) -> None:
        told: dict[str, str | None] = {}
        for each in others:
            what = difference(each, self._fingerprint)
            if what is None:
                continue
            before = self._told.get(each.instance)
            if before != each.configuration and lately(each.written_at, now):
                text = f"{each.instance} has another configuration than {self._instance}, which leads: {what}"
                self._notify("config_differs", "warning", text, standby=each.instance, reason=what)
                before = each.configuration
            told[each.instance] = before
        self._told = told

    async def _sweep(self) -> None:
        """Remove the rows of instances that are gone: their names may be such as never come back."""
        now = self._clock.monotonic()
        if now - self._swept_at >= SWEPT_EVERY_S:
            self._swept_at = now
            with suppress(StoreUnavailable):
                await self._ports.store.forget_instances(self._clock.now() - KEPT_FOR)

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._ports.notifier.notify(Notice(event, level, text, {"instance": self._instance, **fields}))
