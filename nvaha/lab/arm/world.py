"""The parts of one simulated Azure, wired together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from nvaha.lab.arm.access import Access
from nvaha.lab.arm.effective import Effective
from nvaha.lab.arm.faults import Faults
from nvaha.lab.arm.gate import Gate
from nvaha.lab.arm.identity import Identity
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.store import Guids, Store
from nvaha.lab.arm.switches import Switches
from nvaha.lab.arm.throttle import Throttle
from nvaha.lab.arm.timeline import Timeline
from nvaha.lab.arm.writes import Writes
from nvaha.lab.stage.profiles import Profile

Json = dict[str, Any]


class World:
    """Everything that a request to the simulated Azure can touch."""

    def __init__(
        self,
        resources: Iterable[Json],
        profile: Profile,
        switches: Switches,
        *,
        seed: int,
        clock: Callable[[], float],
        wall: Callable[[], float],
        gate: Gate | None = None,
    ) -> None:
        self.profile = profile
        self.switches = switches
        self.clock = clock
        self.guids = Guids(seed)
        self.timeline = Timeline(clock)
        self.effective = Effective(self.timeline)
        self.store = Store(self.guids)
        self.store.load(resources)
        for body in self.store.bodies():
            self.effective.apply(body)
        self.writes = Writes(
            self.store,
            self.effective,
            timeline=self.timeline,
            guids=self.guids,
            switches=switches,
            profile=profile,
        )
        self.faults = Faults(seed)
        self.access = Access()
        self.identity = Identity(switches, self.faults, gate or Gate(), clock=clock, wall=wall)
        self.throttle = Throttle()
        self.log: list[LogEntry] = []

    def snapshot(self) -> dict[str, Json]:
        """Return a deep copy of every body, by id, as GET would show them now."""
        self.timeline.advance()
        return {body["id"]: copy.deepcopy(body) for body in self.store.bodies()}
