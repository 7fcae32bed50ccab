"""The oracle's account of who sees: a leader that does not lets one that does lead, and only such a one.

Sight is counted from outside: who was cut off, and whom anybody answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nvaha.model import InstanceRecord, Notice
from tests.simulation.process import START_S, Process
from tests.simulation.storage import LEASE_S
from tests.simulation.tolerances import CLOCK_S

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_S = 0.5
CLAIM_S = 20.0
"""A row is believed for so long after the answer that it tells of."""
MARGIN_S = 10.0
"""For looking at the rows, giving the lease up, and asking for it between two ticks."""
APART_S = 45.0
"""No sooner does the same process give the lease up again: it abstained for a minute, or nobody has led for
30 s, and it was blind for another lease."""
ROUND_S = 7.0
"""A round, or a look around, may have taken so long since the answer that is told of."""


class SightOracle:
    """Watches who leads while cut off, and what instances claim to see."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[tuple[str, bool], tuple[float, int]] = {}
        self._gave_up: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again whether somebody leads who should not."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        world, knobs = self._world, self._world.knobs
        monitors = [each for each in world.processes() if each.kind == "monitor"]
        visible = world.control_alive if knobs.control_target else any(world.alive.values())
        cut_off_s = min(
            (
                self._lasting(each, cut_off=True)
                for each in monitors
                if world.oracle.leases.epoch(each, "leader") is not None
            ),
            default=0.0,
        )
        seeing_s = max((self._lasting(each, cut_off=False) for each in monitors), default=0.0)
        if not visible or world.faults.raising or not self._can_probe():
            self._since.clear()
        bound_s = knobs.interval_s + knobs.timeout_s + LEASE_S + MARGIN_S
        if min(cut_off_s, seeing_s) > bound_s:
            text = f"who leads has seen nothing for {cut_off_s:.1f} s, while another has seen all the time"
            world.oracle.violated(text, rule="who sees leads")

    def _can_probe(self) -> bool:
        """Tell whether any NVA's address is known: who has none to ask does not miss its answer."""
        states = (self._world.state(group.name) for group in self._world.configuration.groups)
        known = (nva.addresses for state in states if state is not None for nva in state.nvas.values())
        return self._world.knobs.fixed_addresses or any(known)

    def _lasting(self, process: Process, *, cut_off: bool) -> float:
        """Return for how long a process has been so, and nothing else has kept it from going on."""
        world, now = self._world, self._world.loop.now_s
        leads = world.oracle.leases.epoch(process, "leader") is not None
        row = world.storage.tables.instances.get(process.name)
        so = process.isolated is cut_off and leads is cut_off and not process.dead and not process.stalled
        able = cut_off or (row is not None and not row.abstains)
        since_s, hindered = self._since.get((process.name, cut_off), (now, process.hindered))
        if not so or not able or hindered != process.hindered:
            since_s = now
        self._since[process.name, cut_off] = since_s, process.hindered
        return now - since_s

    def claimed(self, process: Process, record: InstanceRecord) -> None:
        """Check that who says that somebody has answered was answered then.

        Before storage has answered for the first time a row's times are those of the process's own clock; its
        own may be known when the row arrives. What is to come by storage's is believed by nobody.
        """
        written_s = record.written_at.timestamp() - START_S
        known = process.clock.synchronized and written_s <= self._world.loop.now_s + CLOCK_S
        if record.answered and record.seen_at is not None and known:
            seen_s = record.seen_at.timestamp() - START_S
            answered_s = self._world.oracle.health.answered_s(process.name)
            if answered_s < seen_s - CLOCK_S - ROUND_S:
                text = (
                    f"{process.name} says that it saw at {seen_s:.1f}, and was answered at {answered_s:.1f}"
                )
                self._world.oracle.violated(text, rule="sight is true")

    def told(self, process: Process, notice: Notice) -> None:
        """Check a leader that gives up for another: that one was answered lately, and it does so seldom."""
        if notice.event != "leader_lost" or "standby" not in notice.fields:
            return
        world, now = self._world, self._world.loop.now_s
        world.count("gave the lease up")
        other = str(notice.fields["standby"])
        ago_s = now - world.oracle.health.answered_s(other)
        if ago_s > CLAIM_S + CLOCK_S + ROUND_S:
            text = f"{process.name} gives up for {other}, which was answered {ago_s:.1f} s ago"
            world.oracle.violated(text, rule="gives up for one that sees")
        silent_s = now - world.oracle.health.answered_s(process.name)
        if not world.knobs.control_target and silent_s < LEASE_S - CLOCK_S:
            text = f"{process.name} gives up, and was answered {silent_s:.1f} s ago"
            world.oracle.violated(text, rule="gives up for one that sees")
        before_s = self._gave_up.get(process.name, float("-inf"))
        if now - before_s < APART_S:
            text = f"{process.name} gives the lease up twice within {now - before_s:.1f} s"
            world.oracle.violated(text, rule="no flapping of leaders")
        self._gave_up[process.name] = now
