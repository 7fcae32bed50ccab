"""One scenario: everything in it, and the log of what happened."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from nvaha.model import Configuration, Group, GroupState, Notice, Phase
from nvaha.model.messages import SwitchMessage, parse_message
from tests.simulation import actors
from tests.simulation.actors import Slot
from tests.simulation.azure import Arm
from tests.simulation.chaos import Chaos
from tests.simulation.faults import Faults
from tests.simulation.knobs import Knobs
from tests.simulation.loop import VirtualLoop
from tests.simulation.oracle import Oracle
from tests.simulation.process import Process
from tests.simulation.scenery import addresses_of, configuration_of, furnish
from tests.simulation.storage import Storage


class World:
    """Everything of one run."""

    def __init__(self, loop: VirtualLoop, knobs: Knobs) -> None:
        self.loop, self.knobs = loop, knobs
        self.account = "stnvaha"
        self.rng = random.Random(knobs.seed * 2 + 1)
        self.log: list[str] = []
        self.notices: list[Notice] = []
        self.counts: Counter[str] = Counter()
        self.everything = configuration_of(knobs)
        self.configuration = self.everything
        self.places = addresses_of(knobs)
        self.alive = {name: True for group in self.configuration.groups for name in group.names}
        self.asked: Counter[str] = Counter()
        self.answers_each = dict.fromkeys(self.alive, 1)
        self.control_alive = True
        self.deliveries = 0
        self.awake = asyncio.Event()
        self.awake.set()
        self.faults = Faults(self)
        self.oracle = Oracle(self)
        self.storage = Storage(self)
        self.arm = Arm(self)
        furnish(self.arm, self.configuration, knobs, self.rng)
        self.chaos = Chaos(self)
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopped = loop.create_future()
        self.slots = [
            *(Slot(self, "monitor", number, actors.monitor) for number in range(knobs.monitors)),
            *(Slot(self, "worker", number, actors.worker) for number in range(knobs.workers)),
            Slot(self, "web", 0, actors.operator),
        ]
        self.other = Other(self) if knobs.rival else None
        if self.other is not None:
            self.slots += self.other.slots

    def note(self, who: str, what: str) -> None:
        """Write a line of the log."""
        self.log.append(f"{self.loop.now_s:9.3f} {who}: {what}")

    def count(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] += 1

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something that is not part of any process."""
        self._tasks.append(self.loop.create_task(coroutine))

    def stop(self) -> None:
        """End the run early: a rule was broken."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def pass_time(self, seconds: float) -> bool:
        """Let time pass; False if a rule was broken meanwhile."""
        await asyncio.wait({self._stopped}, timeout=seconds)
        return not self._stopped.done()

    async def shut(self) -> None:
        """End everything."""
        for slot in self.slots:
            if slot.process is not None:
                slot.process.crash()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self.slots:
            if slot.process is not None:
                await slot.process.ended()

    def start(self) -> None:
        """Start every process and everything that goes wrong."""
        for slot in self.slots:
            self.spawn(slot.run())
        self.chaos.start()
        self.spawn(self.oracle.sight.run())

    async def deploy(self, configuration: Configuration, between_s: tuple[float, float]) -> None:
        """Start processes again with another configuration, one after the other, so far apart.

        Whoever starts for another reason has the new one as well.
        """
        self.configuration = configuration
        self.note("somebody", f"deploys {[each.resource_ids for each in configuration.groups]}")
        for slot in self.rng.sample(self.slots, len(self.slots)):
            await asyncio.sleep(self.rng.uniform(*between_s))
            if slot.process is not None and slot.process.configuration is not self.configuration:
                self.note(slot.process.name, "is ended for the new configuration")
                slot.process.crash()

    def sleep(self, seconds: float) -> None:
        """Let nothing of nvaha run for so long, as when everything is stopped."""
        self.note("world", f"nothing of nvaha runs for {seconds:.1f} s")
        self.count("all asleep")
        self.awake.clear()
        self.loop.call_later(seconds, self.awake.set)
        for process in self.processes():
            process.crash()

    def heal(self) -> None:
        """Start the second phase: nothing goes wrong any more."""
        self.faults.stop()
        self.control_alive = True
        self.awake.set()
        for process in self.processes():
            process.isolated = False
            process.wake()
            if process.configuration is not self.configuration:
                process.crash()
        for group in self.configuration.groups:
            down = self.knobs.dead_at_end and self.rng.random() < 0.7
            survivors = self.rng.sample(group.names, self.rng.randint(1, len(group.names)))
            for name in group.names:
                self.chaos.set_alive(name, alive=not down and name in survivors)

    def processes(self) -> list[Process]:
        """Return the processes there are now."""
        return [slot.process for slot in self.slots if slot.process is not None]

    def group(self, name: str) -> Group:
        """Return a group by name."""
        return next(each for each in self.configuration.switched if each.name == name)

    def state(self, name: str) -> GroupState | None:
        """Return a group's state as stored."""
        held = self.storage.tables.groups.get(name)
        return held.state if held else None

    @staticmethod
    def parse(body: str) -> SwitchMessage:
        """Read a message's body as the trigger hands it over."""
        return parse_message(body.encode())

    def needs_help(self, group: Group, view: dict[str, Any]) -> bool:
        """Tell whether what is wrong with a group is, by its policy, left to people."""
        state = self.state(group.name)
        if state is None or state.phase is Phase.SWITCHING:
            return False
        if state.drift.unasked or state.drift.contested:
            return True
        if state.phase is Phase.UNKNOWN and state.stays:
            # Refused once it was taken off: it stays until a person says that this is mended.
            return view["blocked"] is not None
        limited = (
            max(len(state.guards.switches), len(state.guards.repairs)) >= group.policy.max_switches_per_hour
        )
        if state.phase is Phase.UNKNOWN:
            by_itself = group.policy.automatic and not limited
            by_hand = state.wanted is None or not (by_itself or self.alive[state.wanted])
            return view["blocked"] is not None and by_hand
        if state.active and self.alive[state.active] and not view["drift"]:
            return False
        by_hand = limited or not group.policy.automatic
        reported = group.policy.drift == "report" and bool(view["drift"])
        # What a first look finds scattered is left for people to decide on.
        waits = self.knobs.adopt == "wait" and state.generation == 0 and bool(state.drift.writes)
        return reported or waits or (by_hand and view["blocked"] is not None)


class Other(World):
    """A second deployment for the same groups: on the same Azure, with storage and an oracle of its own.

    What the oracles find is one list; they know nothing else of each other.
    """

    def __init__(self, world: World) -> None:
        self.__dict__.update(vars(world))
        self.account, self.other = "stother", None
        self.oracle = Oracle(self)
        self.oracle.violations = world.oracle.violations
        self.oracle.writes.edits = world.oracle.writes.edits
        self.storage = Storage(self)
        self.slots = [Slot(self, "monitor", 9, actors.monitor), Slot(self, "worker", 9, actors.worker)]
