"""Holding a lease: how long it may be relied on, and when it is lost.

What a lease does not give: a fence. A process that is stopped between a check and a write wakes up with the
lease gone and does not know it, and ARM never sees a lease at all. So what matters is fenced where it is
written: group states by compare-and-swap on a state that carries the epoch, ARM resources by If-Match.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from nvaha.model import Notice
from nvaha.ports import LEASE_CONTAINER, LEASE_MARGIN_S, LEASE_S, LeaseGrant, Ports, StoreUnavailable

LATE_S = 4.0
"""With less than this left a renewal is late: as a rule it comes with more than 8 s left."""


class LeaseLost(Exception):
    """The lease can no longer be relied on; whoever held it stops at once."""


class HeldLease:
    """One holder's hold on one lease.

    Validity counts on the monotonic clock from before the request that got or renewed it was sent, so a slow
    answer shortens it instead of stretching it.
    """

    def __init__(self, ports: Ports, name: str, holder: str) -> None:
        self._leases = ports.leases
        self._clock = ports.clock
        self._notifier = ports.notifier
        self._name = name
        self._holder = holder
        self._grant: LeaseGrant | None = None
        self.answered_at: datetime | None = None
        """When storage last answered whether the lease is ours, by its own clock."""
        self._valid_until = float("-inf")
        self._newest_epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch of the lease that is held; LeaseLost if none is."""
        if self._grant is None:
            raise LeaseLost(f"lease {self._name} is not held")
        return self._grant.epoch

    @property
    def taken_by_a_stranger(self) -> str:
        """Say, for whoever can do something about it, that somebody holds the lease who should not."""
        where = f"the lease of the blob {self._name} in the container {LEASE_CONTAINER}"
        remedy = "break it in the portal, or with az storage blob lease break"
        return f"{where} is held by somebody who does not do what it is for: {remedy}"

    @property
    def valid(self) -> bool:
        """Whether the lease may be relied on right now."""
        return self._grant is not None and self._clock.monotonic() < self._valid_until

    def check(self) -> None:
        """Raise LeaseLost unless the lease may be relied on right now."""
        if not self.valid:
            raise LeaseLost(f"lease {self._name} of {self._holder} has run out")

    async def acquire(self, *, at_least: int = 0) -> bool:
        """Take the lease, or take up again one that has run out and that nobody has taken since.

        Returns:
            False if somebody else holds it.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        if self._grant is not None and self._grant.epoch <= at_least:
            await self.release()
        if self._grant is not None:
            with suppress(LeaseLost):
                await self.renew()
                return True
        sent_at = self._clock.monotonic()
        # What storage has lost meanwhile must not bring back an epoch that was there before.
        newest = max(at_least, self._newest_epoch)
        self._grant = await self._leases.acquire(self._name, self._holder, at_least=newest)
        self.answered_at = self._clock.now()
        self._stamp(sent_at)
        if self._grant is not None:
            self._newest_epoch = self._grant.epoch
        return self._grant is not None

    async def renew(self) -> None:
        """Extend the lease; LeaseLost if somebody else has it, StoreUnavailable if storage did not answer."""
        if self._grant is None:
            raise LeaseLost(f"lease {self._name} is not held")
        sent_at = self._clock.monotonic()
        left_s = self._valid_until - sent_at
        renewed = await self._leases.renew(self._grant)
        self.answered_at = self._clock.now()
        if not renewed:
            self._grant = None
            raise LeaseLost(f"lease {self._name} was lost by {self._holder}")
        self._stamp(sent_at)
        if left_s < LATE_S:
            text = f"lease {self._name} of {self._holder} was renewed {max(left_s, 0.0):.1f} s before its end"
            self._notifier.notify(Notice("lease_renewed_late", "warning", text, {"instance": self._holder}))

    async def keep(self) -> None:
        """Renew until cancelled; LeaseLost once the lease cannot be relied on any more."""
        unanswered = False
        while True:
            await self._clock.sleep(1.0 if unanswered else LEASE_S / 4)
            try:
                await self.renew()
                unanswered = False
            except StoreUnavailable:
                unanswered = True
            self.check()

    async def release(self) -> None:
        """Give the lease up; one that cannot be given up runs out by itself."""
        grant, self._grant = self._grant, None
        if grant is None:
            return
        try:
            await self._leases.release(grant)
        except StoreUnavailable:
            return

    def _stamp(self, sent_at: float) -> None:
        self._valid_until = sent_at + LEASE_S - LEASE_MARGIN_S
