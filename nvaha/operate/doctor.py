"""Examining the app from where it runs: storage, tokens, Azure, probes, clocks, monitors; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from nvaha.core import conditions, diagnosis
from nvaha.core.addresses import addresses_of
from nvaha.core.decide import as_configured
from nvaha.core.findings import Area, Finding, Level, advised, found, well
from nvaha.core.instances import could_lead
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.core.survey import survey
from nvaha.core.trial import offers, written
from nvaha.model import (
    Configuration,
    ControlTarget,
    Group,
    GroupState,
    LeaderRecord,
    Nva,
    Phase,
    ProbeSpec,
    Reading,
    Resource,
    Snapshot,
)
from nvaha.operate.control import Refused
from nvaha.ports import (
    ON_BEHALF_OF,
    Network,
    NetworkError,
    NetworkFault,
    Ports,
    Prober,
    StateUnreadable,
    StoreUnavailable,
    Trials,
    Versioned,
)
from nvaha.state.snapshot import read_snapshot
from nvaha.text import safe, shown

WITHIN_S = 20.0
"""So long an examination takes; what is not done by then is told as not examined."""
READ_WITHIN_S = 10.0
GROUPS_AT_ONCE = OFFERS_AT_ONCE = 4
_LAST_OFFER_S = 6.0
"""So long before the end nothing more is offered: what was is answered by then, or not at all."""
OFFER_EVERY_S = 0.1
"""ARM gives one identity ten writes back a second (azure-facts B4); no more are offered, so that all it may
write at once is left to switches."""
TARGET_S = 2.0

Sink = list[Finding]
States = Mapping[str, Versioned | StateUnreadable]


class Doctor:
    """Examines what a configuration needs.

    Args:
        configuration: the groups and control targets.
        ports: the outside; its network is read as for a plan.
        trials: what is tried.
    """

    def __init__(self, configuration: Configuration, ports: Ports, trials: Trials) -> None:
        self._configuration = configuration
        self._network, self._store, self._prober = ports.network, ports.store, ports.prober
        self._clock, self._trials = ports.clock, trials

    async def examine(self, name: str | None = None) -> list[Finding]:
        """Return what was found, within WITHIN_S.

        Args:
            name: the group to examine; None for all, and the canary.

        Raises:
            Refused: there is no group of that name.
        """
        chosen = [each for each in self._configuration.switched if name in (None, each.name)]
        if name is not None and not chosen:
            known = ", ".join(each.name for each in self._configuration.switched[:20])
            text = f"there is no group '{shown(name, 80)}'; configured are: {known}"
            raise Refused(Refusal(RefusalCode.UNKNOWN_GROUP, text))
        run = _Run(self._network, self._prober, self._trials)
        sink: Sink = []

        async def part(area: Area, subject: str, work: Callable[[Sink], Awaitable[None]]) -> None:
            """Do one part, so that whatever becomes of it is told, and costs no other part."""
            try:
                async with asyncio.timeout_at(run.until):
                    await work(sink)
            except TimeoutError:
                text = f"not all of it was examined within {WITHIN_S:g} s"
                sink.append(found(Area(area), "not_examined", subject, text))
            except StoreUnavailable as error:
                told = any(each.area is Area.STORAGE and each.level is not Level.OK for each in sink)
                code = "follows" if told else "not_examined"
                sink.append(found(Area(area), code, subject, safe(str(error)), wanted="storage"))
            except Exception as error:  # noqa: BLE001 - it is told, as what could not be examined
                text = f"examining it failed: {type(error).__name__}: {safe(str(error))}"
                sink.append(found(Area(area), "not_examined", subject, text))

        await part(Area.IDENTITY, "tokens", run.tokens)
        await asyncio.gather(
            part(Area.STORAGE, "storage", run.storage),
            part(Area.PROBES, "control targets", partial(run.targets, self._configuration.control_targets)),
        )
        states: States | None = None
        leader: LeaderRecord | None = None

        async def rows(sink: Sink) -> None:
            nonlocal states, leader
            states = await self._store.load_all()
            leader = await self._monitors(sink)

        await part(Area.MONITORS, "rows", rows)
        await asyncio.gather(
            *(
                part(Area.AZURE, each.name, partial(run.group, each, (states or {}).get(each.name)))
                for each in chosen
            )
        )
        if states is not None:
            await part(Area.GROUPS, "groups", partial(self._groups, chosen, states, leader, run.said))
        await part(Area.CLOCK, "clock", run.clocks)
        return sink

    async def _monitors(self, sink: Sink) -> LeaderRecord | None:
        try:
            leader = await self._store.load_leader()
        except StateUnreadable:
            leader = None
        instances, now = await self._store.instances(), self._clock.now()
        leading = leader.instance if leader else None
        meant = next(
            (each.configuration for each in instances if each.instance == leading),
            self._configuration.fingerprint,
        )
        advice = conditions.of_monitors(leader, instances, meant, now)
        wrong = advised(Area.MONITORS, "monitors", advice)
        standbys = sum(could_lead(each, meant, now) for each in instances if each.instance != leading)
        if meant != self._configuration.fingerprint:
            text = "this app has another configuration than the leader"
            wrong.append(found(Area.MONITORS, "other_configuration", "this app", text))
        if not wrong:
            text = f"{leading} leads, {standbys} could in its place"
            sink.append(well(Area.MONITORS, "monitors", text))
        sink += [*wrong, *diagnosis.of_instances(instances, standbys)]
        return leader

    async def _groups(
        self,
        chosen: Iterable[Group],
        states: States,
        leader: LeaderRecord | None,
        said: set[tuple[str, str]],
        sink: Sink,
    ) -> None:
        """Say what `nvaha status` says of each group, but for what was read anew."""
        now = self._clock.now()
        for group in chosen:
            held = states.get(group.name)
            unreadable = str(held) if isinstance(held, StateUnreadable) else None
            state = as_configured(group, _state(group, held))
            if group.canary is not None:
                advice = conditions.of_canary(group, state, now)
            else:
                advice = conditions.of_group(group, state, leader, now, unreadable)
            wrong = advised(
                Area.GROUPS, group.name, (each for each in advice if (group.name, each.code) not in said)
            )
            sink += wrong or [
                well(Area.GROUPS, group.name, f"{state.phase}, active {state.active or 'not known'}")
            ]


def _state(group: Group, held: Versioned | StateUnreadable | None) -> GroupState:
    return held.state if isinstance(held, Versioned) else GroupState(group.name)


class _Run:
    """One examination: until when it may last, whom it is of, and what has been offered already."""

    def __init__(self, network: Network, prober: Prober, trials: Trials) -> None:
        self._network, self._prober, self._trials = network, prober, trials
        self._now = asyncio.get_running_loop().time
        self.until = self._now() + WITHIN_S
        self.said: set[tuple[str, str]] = set()
        """What is told of groups here anyway, by the names of advice."""
        self._identity: str | None = None
        self._places = asyncio.Semaphore(GROUPS_AT_ONCE)
        self._offering, self._pace = asyncio.Semaphore(OFFERS_AT_ONCE), asyncio.Lock()
        self._offered: dict[str, asyncio.Future[list[Finding] | None]] = {}
        self._short = False

    async def tokens(self, sink: Sink) -> None:
        """Look at the tokens, and learn whom they are of."""
        seen = await self._trials.tokens()
        self._identity = next((each.identity for each in seen if each.identity), None)
        sink += map(diagnosis.of_token, seen)

    async def storage(self, sink: Sink) -> None:
        """Try storage."""
        sink += diagnosis.of_storage(await self._trials.storage(), self._identity)

    async def targets(self, targets: Sequence[ControlTarget], sink: Sink) -> None:
        """Ask each control target for a connection."""
        readings = await asyncio.gather(
            *(self._ask(each.address, ProbeSpec(port=each.port, timeout_s=TARGET_S)) for each in targets)
        )
        sink += diagnosis.of_targets(list(zip(targets, readings, strict=True)))

    async def clocks(self, sink: Sink) -> None:
        """Compare the clocks by what has been answered meanwhile."""
        sink += diagnosis.of_clocks(self._trials.clocks())

    async def group(self, group: Group, held: Versioned | StateUnreadable | None, sink: Sink) -> None:
        """Read, survey and probe a group, and offer what a failover would write."""
        async with self._places:
            state = as_configured(group, _state(group, held))
            snapshot = Snapshot({})
            self.said.add((group.name, "discovery_failed"))
            try:
                snapshot = await read_snapshot(self._network, group, READ_WITHIN_S)
            except NetworkError as error:
                text = safe(error.message)
                sink.append(diagnosis.of_silence(group, error.resource_id, error.fault, text))
                sink += diagnosis.of_unread(
                    Area.READINESS, group, group.resource_ids, snapshot, "nothing of it is known"
                )
            else:
                self.said.add((group.name, "nva_not_ready"))
                sink += diagnosis.of_reads(group, snapshot, self._identity)
                said = survey(group, snapshot, state.nvas)
                sink += diagnosis.of_readiness(group, said, snapshot)
            if group.canary is None:
                probed = [self._probe(group, each, snapshot, state) for each in group.nvas]
                for each in await asyncio.gather(*probed):
                    sink.append(each)
                    if each.level is Level.ERROR:
                        self.said.add((group.name, "nva_down"))
            await self._offers(group, snapshot, state, sink)

    async def _probe(self, group: Group, nva: Nva, snapshot: Snapshot, state: GroupState) -> Finding:
        spec = nva.probe
        address = spec.address
        if address is None:
            addresses, role = addresses_of(group, snapshot, state.nvas), spec.interface or ""
            names = addresses.current[nva.name].get(role, {})
            address = names.get(addresses.primary[nva.name].get(role, ""))
        reading = None if address is None else await self._ask(address, spec)
        return diagnosis.of_probe(group, nva.name, address, spec, reading)

    async def _ask(self, address: str, spec: ProbeSpec) -> Reading:
        """Probe once, and once more if that failed: one packet that is lost is no finding."""
        reading = await self._prober.probe(address, spec)
        return reading if reading.ok else await self._prober.probe(address, spec)

    async def _offers(self, group: Group, snapshot: Snapshot, state: GroupState, sink: Sink) -> None:
        if state.phase is Phase.SWITCHING:
            text = "a switch is under way, so no write was tried"
            sink.append(found(Area.RIGHTS, "switch_under_way", group.name, text))
            return
        said = await asyncio.gather(*(self._objections(group, each) for each in offers(group, snapshot)))
        needed = written(group)
        proven = sum(each == [] for each in said)
        if proven:
            which = f"all that a failover writes ({proven})"
            if proven < len(needed):
                which = f"{proven} of {len(needed)} that a failover writes"
            text = f"{which} may be written: tried, and nothing changed"
            sink.append(well(Area.RIGHTS, group.name, text))
        sink += diagnosis.of_unread(Area.RIGHTS, group, needed, snapshot, "not tried")
        if None in said:
            text = f"{said.count(None)} of its resources were not tried"
            sink.append(found(Area.RIGHTS, "write_not_tried", group.name, text))
        sink += dict.fromkeys(finding for each in said if each for finding in each)

    async def _objections(self, group: Group, resource: Resource) -> list[Finding] | None:
        """Return what Azure objects to in a write of a resource, which groups may share; None: not tried."""
        key = resource.id.casefold()
        if key not in self._offered:
            self._offered[key] = asyncio.ensure_future(self._in_turn(group, resource))
        return await self._offered[key]

    async def _in_turn(self, group: Group, resource: Resource) -> list[Finding] | None:
        async with self._offering:
            async with self._pace:
                if self._now() > self.until - _LAST_OFFER_S:
                    return None
                await asyncio.sleep(OFFER_EVERY_S)
            return None if self._short else await self._offer(group, resource)

    async def _offer(self, group: Group, resource: Resource) -> list[Finding]:
        # All of them under one id, by which the activity log tells them from what a switch writes.
        ON_BEHALF_OF.set("doctor")
        try:
            await self._trials.offer(resource)
        except NetworkError as error:
            self._short = self._short or error.fault is NetworkFault.THROTTLED
            text = f"{group.name}: {safe(error.message)}"
            return [diagnosis.of_offer(resource.id, error.fault, error.code, text, self._identity)]
        return []
