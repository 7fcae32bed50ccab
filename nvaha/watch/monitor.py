"""One timer tick: campaign for the lease, and while it is held lead, until the tick is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from nvaha.concurrency import unwrapped
from nvaha.model import Configuration, Notice
from nvaha.ports import LEASE_S, Ports, StoreUnavailable
from nvaha.state.lease import HeldLease, LeaseLost
from nvaha.watch.abstention import Abstention
from nvaha.watch.blindness import Blindness
from nvaha.watch.canary import CanaryWatch
from nvaha.watch.following import Following
from nvaha.watch.leader_record import LeaderRecorder
from nvaha.watch.looks import Looks
from nvaha.watch.pings import Pings
from nvaha.watch.presence import Presence
from nvaha.watch.rounds import Rounds
from nvaha.watch.standbys import Blinded, Standbys
from nvaha.watch.troubles import Deposed
from nvaha.watch.watched import WatchedGroups

CAMPAIGN_S = 1.0
"""A follower tries for the lease this often through its tick."""
EAGER_S, EAGER_FOR_S = 0.25, LEASE_S + 5.0
"""A process that was started again often finds the lease of its dead self, which runs out meanwhile."""


class Monitor:
    """One running copy of the monitor; it keeps its lease and its readings from tick to tick."""

    def __init__(
        self,
        configuration: Configuration,
        ports: Ports,
        instance: str,
        *,
        app: str = "",
        token_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._instance = instance
        self._lease = HeldLease(ports, "leader", instance)
        self._watched = WatchedGroups(configuration, ports, self._lease)
        self._blindness = Blindness(ports, configuration.control_targets)
        self._standbys = Standbys(ports, configuration, self._blindness, instance)
        self._abstention = Abstention(ports)
        self._presence = Presence(
            ports,
            configuration,
            self._lease,
            self._blindness,
            self._abstention,
            instance=instance,
            app=app or instance,
            token_at=token_at,
        )
        self._following = Following(ports, configuration, self._lease, instance)
        self._record = LeaderRecorder(
            ports, self._watched, self._lease, self._blindness, instance, standbys=self._standbys
        )
        self._rounds = Rounds(ports, self._watched, self._lease, self._blindness, self._record)
        self._pings = Pings(ports, self._record.all_is_watched, instance)
        self._looks = Looks(ports, self._watched, self._lease)
        self._canary = CanaryWatch(ports, self._watched, self._lease)
        self._eager_until = self._clock.monotonic() + EAGER_FOR_S
        self._leading = False
        self._complained = False
        self._ticking = False

    async def tick(self, budget_s: float) -> None:
        """Lead, or try to, until the budget is used up.

        A tick that ends well keeps the lease for the next one. One that ends badly gives it up, so that
        another monitor need not wait for it to run out.

        Args:
            budget_s: seconds until no new round is started.
        """
        if self._ticking:
            # Whoever starts the function by hand while it runs would have every failure counted twice.
            return
        until = self._clock.monotonic() + budget_s
        ended_well = False
        self._ticking = True
        try:
            async with unwrapped(), asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(each.run()) for each in (self._presence, self._following)]
                await self._lead_or_follow(until)
                for duty in beside:
                    duty.cancel()
            ended_well = True
        finally:
            self._ticking = False
            if not ended_well:
                self._leading = False
                await self._lease.release()

    async def _lead_or_follow(self, until: float) -> None:
        while self._clock.monotonic() < until:
            try:
                if self._leading or await self._campaign():
                    await self._lead(until)
                else:
                    await self._wait(until)
            except Blinded as error:
                self._abstention.begin()
                self._step_down(error, standby=error.standby)
                await self._lease.release()
                await self._wait(until)
            except (LeaseLost, Deposed, StoreUnavailable) as error:
                self._step_down(error)
                await self._wait(until)

    async def _wait(self, until: float) -> None:
        now = self._clock.monotonic()
        pause_s = EAGER_S if now < self._eager_until else CAMPAIGN_S
        await self._clock.sleep(max(0.0, min(pause_s, until - now)))

    async def _campaign(self) -> bool:
        """Try to become the leader: take the lease, read every state, and stamp the new epoch on each."""
        if not await self._abstention.over():
            return False
        if not await self._lease.acquire(at_least=self._watched.newest_epoch):
            self._complained = False
            return False
        self._watched.forget()
        self._blindness.forget()
        await self._watched.take_over()
        self._leading, self._complained = True, False
        self._record.elected()
        self._standbys.elected()
        epoch = self._lease.epoch
        text = f"{self._instance} leads with epoch {epoch}"
        self._notify("leader_elected", "info", text, instance=self._instance, epoch=epoch)
        return True

    def _step_down(self, error: Exception, **fields: object) -> None:
        if self._leading:
            text = f"{self._instance} no longer leads: {error}"
            self._notify("leader_lost", "warning", text, instance=self._instance, **fields)
        elif not self._complained:
            self._complained = True
            text = f"{self._instance} cannot tell who leads: {error}"
            self._notify("store_unavailable", "error", text, instance=self._instance)
        self._leading = False

    async def _lead(self, until: float) -> None:
        if not self._lease.valid:
            raise LeaseLost("the lease ran out between two ticks")
        try:
            await self._lease.renew()
            await self._watched.take_over()
        except StoreUnavailable as error:
            # The lease still stands: what is known is enough to go on with.
            self._notify("store_unavailable", "warning", f"{self._instance} goes on without it: {error}")

        async def rounds() -> None:
            await self._rounds.run(until)
            await self._clock.sleep(until - self._clock.monotonic())
            for duty in beside:
                duty.cancel()

        async with unwrapped(), asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(duty)
                for duty in (
                    self._lease.keep(),
                    self._looks.run(until),
                    self._record.run(),
                    self._standbys.run(),
                    self._pings.run(),
                    self._canary.run(),
                )
            ]
            tasks.create_task(rounds())

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._ports.notifier.notify(Notice(event, level, text, fields))
