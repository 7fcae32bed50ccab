"""The leader's parts put together on an outside in memory, for tests of one part at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from nvaha.model import Configuration, ControlTarget, Group, GroupState
from nvaha.state.lease import HeldLease
from nvaha.watch.blindness import Blindness
from nvaha.watch.leader_record import LeaderRecorder
from nvaha.watch.looks import Looks
from nvaha.watch.rounds import Rounds
from nvaha.watch.standbys import Standbys
from nvaha.watch.watched import WatchedGroup, WatchedGroups
from tests.builders import address, azure_of, group_of, probed_apart, steady, up
from tests.fakes import Outside

CONTROL = ControlTarget("192.0.2.1", 443)
A, B = address("a", "internal"), address("b", "internal")


def watched_group(name: str = "g", **policy: Any) -> Group:
    """Return a group of two NVAs that are probed at addresses of their own."""
    return replace(probed_apart(group_of(**policy)), name=name)


def known(name: str = "g", **more: Any) -> GroupState:
    """Return a group at rest on `a` that an earlier leader has written."""
    nvas = {each: up() for each in ("a", "b")}
    return replace(steady(**{"nvas": nvas, **more}), group=name)


@dataclass(slots=True)
class Leader:
    """A leader's parts; what it sees and says is in `out`."""

    out: Outside
    groups: tuple[Group, ...] = field(default_factory=lambda: (watched_group(),))
    control_targets: tuple[ControlTarget, ...] = ()
    lease: HeldLease = field(init=False)
    watched: WatchedGroups = field(init=False)
    blindness: Blindness = field(init=False)
    standbys: Standbys = field(init=False)
    record: LeaderRecorder = field(init=False)
    rounds: Rounds = field(init=False)
    looks: Looks = field(init=False)

    def __post_init__(self) -> None:
        """Put the parts together as a monitor does."""
        ports = self.out.ports
        self.lease = HeldLease(ports, "leader", "one")
        self.watched = WatchedGroups(Configuration(self.groups), ports, self.lease)
        self.blindness = Blindness(ports, self.control_targets)

    async def lead(self) -> None:
        """Take the lease and every group."""
        configuration = Configuration(self.groups, self.control_targets)
        self.standbys = Standbys(self.out.ports, configuration, self.blindness, "one")
        self.record = LeaderRecorder(
            self.out.ports, self.watched, self.lease, self.blindness, "one", standbys=self.standbys
        )
        self.rounds = Rounds(self.out.ports, self.watched, self.lease, self.blindness, self.record)
        self.looks = Looks(self.out.ports, self.watched, self.lease)
        assert await self.lease.acquire()
        await self.watched.take_over()

    def group(self, name: str = "g") -> WatchedGroup:
        """Return a watched group."""
        return next(each for each in self.watched if each.group.name == name)

    async def beside(self, duty: Coroutine[Any, Any, None], seconds: float) -> None:
        """Let a duty that never ends run for so long, the lease kept beside it."""
        tasks = [asyncio.create_task(each) for each in (duty, self.lease.keep())]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for each in tasks:
            each.cancel()
        for each in tasks:
            with suppress(asyncio.CancelledError):
                await each


def outside(*states: GroupState, active: str = "a") -> Outside:
    """Return an outside with these states of an earlier leader, and Azure with one NVA active."""
    out = Outside(*states)
    out.leases.epochs["leader"] = 1
    out.network.put_there(*azure_of(watched_group(), active))
    return out
