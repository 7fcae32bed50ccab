"""The oracle's account of what goes on although something small goes wrong beside it.

One group that raises what nobody has thought of keeps no other group from being probed, and one request that
storage does not answer ends no switch while its lease stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.azure import WRITER
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

SLACK_S = 3.0
"""For asking witnesses, writing states, and the pause between two ticks."""
SINGLE_S = 10.0
"""No other request has gone unanswered for so long before a single one."""
Standing = tuple[float, int, int | None]
"""When a group was probed last, and what had hindered its leader until then, and its epoch."""


class RoundOracle:
    """Watches probes, and the ends of attempts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._probed: dict[tuple[str, str], Standing] = {}
        self._unanswered: dict[int, list[tuple[float, bool]]] = {}

    def probed(self, process: Process, group: str) -> None:
        """Check, while another group raises, that a group's rounds go on under an undisturbed leader."""
        world, now = self._world, self._world.loop.now_s
        epoch = world.oracle.leases.epoch(process, "leader")
        last_s, *before = self._probed.get((process.name, group), (now, 0, None))
        self._probed[process.name, group] = now, process.hindered, epoch
        knobs, others = world.knobs, world.faults.raising.keys() - {group}
        longest_s = knobs.interval_s + knobs.timeout_s + SLACK_S
        if others and epoch is not None and before == [process.hindered, epoch] and now - last_s > longest_s:
            text = (
                f"{process.name} has not probed {group} for {now - last_s:.1f} s while {sorted(others)} raise"
            )
            world.oracle.violated(text, rule="rounds go on")

    def unanswered(self, process: Process) -> None:
        """Note that a worker was not answered by storage, and whether its lease stood."""
        writer = WRITER.get()
        if writer is not None:
            held = self._world.oracle.leases.epoch(process, f"switch-{writer.group}") is not None
            self._unanswered.setdefault(writer.run, []).append((self._world.loop.now_s, held))

    def abandoned(self, process: Process, operation: str) -> None:
        """Check that an attempt that storage ended was not ended by a single silence."""
        writer = WRITER.get()
        silences = self._unanswered.get(writer.run, []) if writer else []
        lately = [held for at_s, held in silences if at_s > self._world.loop.now_s - SINGLE_S]
        # Who can have no token leaves the switch to another, whatever storage says to that.
        has_token = process.no_token_until_s <= self._world.loop.now_s
        if lately == [True] and has_token:
            text = f"{process.name} gives {operation} up because of one request that was not answered"
            self._world.oracle.violated(text, rule="single silence")
