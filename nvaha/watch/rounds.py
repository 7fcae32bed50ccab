"""The leader's rounds: each group's NVAs are probed together, and what that means is decided."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from nvaha.concurrency import run_all
from nvaha.core.health import next_interval_s
from nvaha.core.inputs import Probed
from nvaha.model import Group, GroupState, Nva, NvaState, Phase, ProbeSpec
from nvaha.ports import Ports
from nvaha.state.lease import HeldLease
from nvaha.watch.blindness import Blindness, Probe
from nvaha.watch.incidents import end, follow
from nvaha.watch.leader_record import LeaderRecorder
from nvaha.watch.watched import WatchedGroup, WatchedGroups

LATE_S = 1.0
"""A round that begins this long after it was due is late: the process has too much to do."""
STOPPED_S = 5.0
"""A round that takes so much longer than its probes may is not late: it is not believed."""


class Rounds:
    """Probes the watched groups, each at its own pace.

    Args:
        ports: the outside.
        watched: the groups.
        lease: the leader's lease.
        blindness: tells whether failures are to be believed.
        record: told how the rounds go.
    """

    def __init__(
        self,
        ports: Ports,
        watched: WatchedGroups,
        lease: HeldLease,
        blindness: Blindness,
        record: LeaderRecorder,
    ) -> None:
        self._ports = ports
        self._clock, self._meter = ports.clock, ports.meter
        self._watched = watched
        self._lease = lease
        self._blindness = blindness
        self._record = record

    async def run(self, until: float) -> None:
        """Do rounds of every group; none is begun at or after `until`, on the monotonic clock."""
        await run_all(self._watch(each, until) for each in self._watched)

    async def _watch(self, watched: WatchedGroup, until: float) -> None:
        name = watched.group.name
        while True:
            due_at = max(self._clock.monotonic(), watched.due_at)
            if due_at >= until:
                return
            await self._clock.sleep(due_at - self._clock.monotonic())
            began_at = self._clock.monotonic()
            await self._watched.troubles.apart(name, "a round", self._round(watched, began_at))
            took_s = self._clock.monotonic() - began_at
            self._record.round_took(took_s, late=began_at - due_at > LATE_S)
            self._meter.observe("nvaha_round_duration_seconds", took_s)
            self._meter.observe("nvaha_round_lateness_seconds", began_at - due_at)
            watched.due_at = due_at + next_interval_s(_nvas(watched.group, watched.state))

    async def _round(self, watched: WatchedGroup, began_at: float) -> None:
        group = watched.group
        taken = await asyncio.gather(*(self._reading(group, nva, watched.state) for nva in group.nvas))

        def believable() -> bool:
            # A round that takes so long was stopped in the middle: what it has read is old.
            longest_s = max(nva.probe.timeout_s for nva in group.nvas)
            return self._clock.monotonic() - began_at <= longest_s + STOPPED_S

        if not believable():
            self._record.round_dropped()
            return
        probes = {name: probe for name, probe in taken if probe is not None}
        blind = await self._blindness.is_blind(group, probes.values(), began_at)
        await self._record.tell_blindness(blind=self._blindness.blind)
        readings = {name: probe.reading for name, probe in probes.items()}
        watched.paces.add(readings)
        probed = Probed(self._lease.epoch, readings, blind)
        since = self._clock.now() - timedelta(seconds=self._clock.monotonic() - began_at)
        follow(watched, readings, since, self._lease.epoch)
        if await self._watched.decide(watched, probed, believable):
            self._record.round_ended()
            if watched.state.phase is Phase.SWITCHING:
                end(watched, "switch")
        else:
            self._record.round_dropped()

    async def _reading(self, group: Group, nva: Nva, state: GroupState) -> tuple[str, Probe | None]:
        address = nva.probe.address
        if address is None:
            known = state.nvas.get(nva.name, NvaState())
            address = known.address(nva.probe.interface or "")
        if address is None:
            return nva.name, None
        reading = await self._ports.prober.probe(address, nva.probe)
        result = "ok" if reading.ok else "failed"
        self._meter.observe("nvaha_probe_duration_seconds", reading.latency_ms / 1000, result=result)
        if not reading.ok:
            self._meter.count("nvaha_probe_failures_total", group=group.name, nva=nva.name)
        return nva.name, Probe(address, nva.probe, reading)


def _nvas(group: Group, state: GroupState) -> list[tuple[NvaState, ProbeSpec]]:
    return [(state.nvas.get(nva.name, NvaState()), nva.probe) for nva in group.nvas]
