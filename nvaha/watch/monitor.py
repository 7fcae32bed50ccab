"""The leader's rounds inside one timer tick: campaign, then probe and decide until the tick is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from nvaha.concurrency import run_all, unwrapped
from nvaha.core.health import next_interval_s
from nvaha.core.inputs import Elected, Input, NetworkRead, NetworkUnread, Probed
from nvaha.core.look_interval import look_interval_s
from nvaha.core.plan import survey
from nvaha.model import (
    Configuration,
    ControlTarget,
    Group,
    GroupState,
    LeaderRecord,
    Notice,
    Nva,
    NvaState,
)
from nvaha.ports import (
    Clock,
    Leases,
    Network,
    NetworkError,
    Notifier,
    Prober,
    StateStore,
    StoreUnavailable,
    Versioned,
)
from nvaha.state.commit import Committer
from nvaha.state.lease import LeaseLost, Tenure
from nvaha.state.snapshot import read_snapshot
from nvaha.watch.blindness import Probe, Sight

CAMPAIGN_S = 1.0
"""A follower tries for the lease this often through its tick."""
BEACON_S = 10.0
"""The leader writes its record this often."""
LATE_S = 1.0
"""A round that begins this long after it was due is late: the process has too much to do."""
STOPPED_S = 5.0
"""A round that takes so much longer than its probes may is not late: it is not believed."""
LOOKS_AT_ONCE, LOOK_ROUND_S = 4, 0.5
STAMPS_AT_ONCE = 20


class Deposed(Exception):
    """A newer epoch was found in a group's state: somebody else leads now."""


@dataclass(slots=True)
class _Watch:
    """What the leader keeps of one group between rounds; `lock` orders its own writers.

    `unsure` means that a write was not answered: the state is read again before the next one.
    """

    held: Versioned
    due_at: float = 0.0
    looked_at: float = float("-inf")
    unsure: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Monitor:
    """One running copy of the monitor; it keeps its lease and its readings from tick to tick."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        leases: Leases,
        store: StateStore,
        committer: Committer,
        network: Network,
        prober: Prober,
        clock: Clock,
        notifier: Notifier,
        instance: str,
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._committer = committer
        self._network = network
        self._prober = prober
        self._clock = clock
        self._notifier = notifier
        self._instance = instance
        self._tenure = Tenure(leases, clock, "leader", instance)
        self._leading = False
        self._newest_epoch = 0
        self._watches: dict[str, _Watch] = {}
        self._sight = Sight(prober, clock, configuration.control_targets)
        self._round_at = clock.now()
        self._shone_at = float("-inf")
        self._longest_s = 0.0
        self._late = 0
        self._blind = False
        self._complained = False
        self._ticking = False
        self._control: dict[ControlTarget, bool] = {}

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
            while self._clock.monotonic() < until:
                try:
                    if self._leading or await self._campaign():
                        await self._lead(until)
                    else:
                        await self._pause(until)
                except (LeaseLost, Deposed, StoreUnavailable) as error:
                    self._step_down(error)
                    await self._pause(until)
            ended_well = True
        finally:
            self._ticking = False
            if not ended_well:
                self._leading = False
                await self._tenure.release()

    async def _pause(self, until: float) -> None:
        await self._clock.sleep(max(0.0, min(CAMPAIGN_S, until - self._clock.monotonic())))

    async def _campaign(self) -> bool:
        """Try to become the leader: take the lease, read every state, and stamp the new epoch on each.

        The stamp comes before the first round, so that whatever an older leader still has in hand conflicts.
        """
        if not await self._tenure.acquire(at_least=self._newest_epoch):
            self._complained = False
            return False
        self._watches.clear()
        self._sight.forget()
        await self._take_over()
        self._leading, self._complained = True, False
        self._shone_at = float("-inf")
        epoch = self._tenure.epoch
        text = f"{self._instance} leads with epoch {epoch}"
        self._notify("leader_elected", "info", text, instance=self._instance, epoch=epoch)
        return True

    async def _take_over(self) -> None:
        """Read what others wrote since, and start to watch the groups that are not watched yet."""
        stored = await self._store.load_all()
        places = asyncio.Semaphore(STAMPS_AT_ONCE)

        async def stamp(group: Group) -> None:
            async with places:
                held = stored.get(group.name)
                try:
                    if held is not None:
                        held = await self._committer.settle(held)
                    self._tenure.check()
                    self._watches[group.name] = _Watch(
                        await self._commit(group, Elected(self._tenure.epoch), held)
                    )
                except StoreUnavailable as error:
                    text = f"{group.name} is not watched: {error}"
                    self._notify("state_unreadable", "error", text, group=group.name)

        for name, watch in self._watches.items():
            now = stored.get(name)
            if now is not None and now.version != watch.held.version:
                watch.held = await self._committer.settle(now)
        missing = [group for group in self._configuration.groups if group.name not in self._watches]
        await run_all(stamp(group) for group in missing)

    def _step_down(self, error: Exception) -> None:
        if self._leading:
            text = f"{self._instance} no longer leads: {error}"
            self._notify("leader_lost", "warning", text, instance=self._instance)
        elif not self._complained:
            self._complained = True
            text = f"{self._instance} cannot tell who leads: {error}"
            self._notify("store_unavailable", "error", text, instance=self._instance)
        self._leading = False

    async def _lead(self, until: float) -> None:
        if not self._tenure.valid:
            raise LeaseLost("the lease ran out between two ticks")
        try:
            await self._tenure.renew()
            await self._take_over()
        except StoreUnavailable as error:
            # The lease still stands: what is known is enough to go on with.
            self._notify("store_unavailable", "warning", f"{self._instance} goes on without it: {error}")

        async def rounds() -> None:
            watched = [group for group in self._configuration.groups if group.name in self._watches]
            await run_all(self._watch(group, until) for group in watched)
            await self._clock.sleep(until - self._clock.monotonic())
            for duty in duties:
                duty.cancel()

        async with unwrapped(), asyncio.TaskGroup() as tasks:
            duties = [
                tasks.create_task(duty) for duty in (self._tenure.keep(), self._look_after(), self._shine())
            ]
            tasks.create_task(rounds())

    async def _watch(self, group: Group, until: float) -> None:
        watch = self._watches[group.name]
        while True:
            start = max(self._clock.monotonic(), watch.due_at)
            if start >= until:
                return
            await self._clock.sleep(start - self._clock.monotonic())
            began = self._clock.monotonic()
            self._late += began - start > LATE_S
            try:
                await self._round(group, watch, began)
            except StoreUnavailable as error:
                text = f"{group.name}: what this round found could not be written: {error}"
                self._notify("store_unavailable", "error", text, group=group.name)
            self._longest_s = max(self._longest_s, self._clock.monotonic() - began)
            nvas = [(watch.held.state.nvas.get(nva.name, NvaState()), nva.probe) for nva in group.nvas]
            watch.due_at = start + next_interval_s(nvas)

    async def _round(self, group: Group, watch: _Watch, start: float) -> None:
        taken = await asyncio.gather(*(self._reading(nva, watch.held.state) for nva in group.nvas))
        if self._stopped_in(group, start):
            return
        probes = {name: probe for name, probe in taken if probe is not None}
        blind = await self._sight.is_blind(group, probes.values(), start)
        await self._tell_sight()
        readings = {name: probe.reading for name, probe in probes.items()}
        await self._decide(group, watch, Probed(self._tenure.epoch, readings, blind), start)
        self._round_at = self._clock.now()

    def _stopped_in(self, group: Group, start: float) -> bool:
        """Tell whether a round takes so long that the process was stopped in it: what it has read is old."""
        longest_s = max(nva.probe.timeout_s for nva in group.nvas)
        return self._clock.monotonic() - start > longest_s + STOPPED_S

    async def _reading(self, nva: Nva, state: GroupState) -> tuple[str, Probe | None]:
        address = nva.probe.address
        if address is None:
            known = state.nvas.get(nva.name, NvaState())
            role = nva.probe.interface or ""
            address = known.addresses.get(role, {}).get(known.primary.get(role, ""))
        if address is None:
            return nva.name, None
        return nva.name, Probe(address, nva.probe, await self._prober.probe(address, nva.probe))

    async def _tell_sight(self) -> None:
        """Say when the monitor goes blind, in whichever group first, and when it sees everywhere again."""
        if self._blind is self._sight.blind:
            return
        self._blind = self._sight.blind
        if self._blind:
            text = "nothing answers any more: the monitor calls itself blind and switches nothing"
            self._notify("blind", "error", text, instance=self._instance)
        else:
            self._notify("blind_over", "info", "the monitor can see again", instance=self._instance)
        await self._write_record()

    async def _decide(self, group: Group, watch: _Watch, happened: Input, start: float | None = None) -> None:
        """Decide on an input of a group; one of a round that began at `start` only while it is still new."""
        async with watch.lock:
            if start is not None and self._stopped_in(group, start):
                return
            self._tenure.check()
            held = None if watch.unsure else watch.held
            watch.unsure = True
            watch.held = await self._commit(group, happened, held)
            watch.unsure = False

    async def _commit(self, group: Group, happened: Input, held: Versioned | None) -> Versioned:
        committed = await self._committer.commit(group, happened, held, guard=self._tenure.check)
        if committed.refusal is not None:
            self._newest_epoch = max(self._newest_epoch, committed.held.state.epoch)
            raise Deposed(committed.refusal.message)
        return committed.held

    async def _look_after(self) -> None:
        """Read the network of each group when it is time to, a few at once, beside the rounds."""
        places = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(group: Group, watch: _Watch) -> None:
            async with places:
                try:
                    await self._look(group, watch)
                except StoreUnavailable as error:
                    text = f"{group.name}: what Azure said could not be written: {error}"
                    self._notify("store_unavailable", "error", text, group=group.name)
                watch.looked_at = self._clock.monotonic()

        while True:
            now, service_now = self._clock.monotonic(), self._clock.now()
            due = []
            for group in self._configuration.groups:
                watch = self._watches.get(group.name)
                if watch is None:
                    continue
                if now - watch.looked_at >= look_interval_s(group, watch.held.state, service_now):
                    due.append(look(group, watch))
            await run_all(due)
            await self._clock.sleep(LOOK_ROUND_S)

    async def _look(self, group: Group, watch: _Watch) -> None:
        try:
            standing = watch.held.state.phase, watch.held.state.generation
            snapshot = await read_snapshot(self._network, group)
            found = survey(group, snapshot, watch.held.state.nvas)
            read = NetworkRead(self._tenure.epoch, found, standing=standing)
            await self._decide(group, watch, read)
        except NetworkError as error:
            await self._decide(group, watch, NetworkUnread(self._tenure.epoch, str(error)))

    async def _shine(self) -> None:
        """Let the others, and the log, see that rounds are being done."""
        while True:
            await self._clock.sleep(self._shone_at + BEACON_S - self._clock.monotonic())
            began = self._clock.monotonic()
            await self._check_control_targets()
            try:
                await self._write_record()
            except StoreUnavailable as error:
                self._notify("store_unavailable", "warning", f"the leader's record: {error}")
            # Not before: what the end of a tick cuts short is made up for at the start of the next.
            self._shone_at = began

    async def _check_control_targets(self) -> None:
        """Report targets that have gone: with none left, no failure would be believed when it matters."""
        for target, answers in (await self._sight.control_answers()).items():
            if self._control.get(target, True) != answers:
                name = f"{target.address}:{target.port}"
                event, level = ("control_up", "info") if answers else ("control_down", "error")
                text = f"control target {name} {'answers again' if answers else 'does not answer'}"
                self._notify(event, level, text, instance=self._instance, target=name)
            self._control[target] = answers

    async def _write_record(self) -> None:
        record = LeaderRecord(self._instance, self._tenure.epoch, self._round_at, blind=self._blind)
        await self._store.save_leader(record)
        text = f"{self._instance} leads {len(self._watches)} groups with epoch {record.epoch}"
        fields = {
            "instance": self._instance,
            "epoch": record.epoch,
            "groups": len(self._watches),
            "blind": self._blind,
            "round_ms": round(self._longest_s * 1000),
        }
        self._notify("heartbeat", "info", text, **fields)
        if self._late:
            text = f"{self._late} rounds began more than {LATE_S:g} s after they were due"
            self._notify("round_late", "warning", text, **fields)
        self._longest_s, self._late = 0.0, 0

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._notifier.notify(Notice(event, level, text, fields))
