"""The oracle's account of the leader's looks at Azure: how often, and what a look may decide."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nvaha.model import Group, Phase
from nvaha.ports import NetworkError
from tests.simulation.oracle_switches import Change
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

MINUTE_S, PATIENCE_S = 60.0, 6.0
MOST_A_MINUTE = 60
"""One read a second and group, on average over a minute."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a leader had been shown of a group when it sent a write.

    Args:
        number: of its last read, so that one look is told from the next.
        unseen: what it asked for last time and was not answered, though that may pass.
    """

    number: int
    unseen: tuple[str, ...]


@dataclass(slots=True)
class _Reads:
    """One leader's reads of one group."""

    number: int = 0
    used: int = -1
    seen: dict[str, bool] = field(default_factory=dict)
    seen_s: dict[str, float] = field(default_factory=dict)
    asked_s: deque[float] = field(default_factory=deque)


class LookOracle:
    """Watches what monitors read, and what they write after it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads: dict[tuple[str, str], _Reads] = {}
        self._groups: dict[str, list[Group]] = {}
        for group in world.everything.groups:
            for each in group.resource_ids:
                self._groups.setdefault(each.casefold(), []).append(group)

    def asked(self, process: Process, resource_id: str) -> None:
        """Count a read that a monitor sends; of what groups share nobody can tell whose it is."""
        # What only a canary has no leader looks at.
        groups = self._groups.get(resource_id.casefold(), [])
        if process.kind != "monitor" or len(groups) > 1:
            return
        self._world.count("reads by leaders")
        reads, now = self._of(process, groups[0].name), self._world.loop.now_s
        reads.asked_s.append(now)
        while reads.asked_s[0] <= now - MINUTE_S:
            reads.asked_s.popleft()
        if len(reads.asked_s) > MOST_A_MINUTE:
            text = f"{process.name} has read {groups[0].name} {len(reads.asked_s)} times within a minute"
            self._world.oracle.violated(text, rule="reads paced")

    def answered(self, process: Process, resource_id: str, error: BaseException | None) -> None:
        """Note how a monitor's read ended; an error that will come again is seen as well as an answer."""
        if process.kind != "monitor":
            return
        key, now = resource_id.casefold(), self._world.loop.now_s
        if error is not None:
            self._world.oracle.tags.unread(process, resource_id)
        seen = error is None or (isinstance(error, NetworkError) and error.fault.lasting)
        for group in self._groups[key]:
            reads = self._of(process, group.name)
            reads.number += 1
            # What groups share may have been read for another one just now.
            shared = len(self._groups[key]) > 1 and now - reads.seen_s.get(key, -PATIENCE_S) < PATIENCE_S
            reads.seen[key] = seen or (shared and reads.seen[key])
            if seen:
                reads.seen_s[key] = now

    def look(self, process: Process, group: Group) -> Look:
        """Return what a monitor has seen of a group."""
        reads = self._of(process, group.name)
        ids = [each.casefold() for each in group.resource_ids]
        return Look(reads.number, tuple(each for each in ids if not reads.seen.get(each, False)))

    def disagreements(self, change: Change) -> Iterator[tuple[str, str]]:
        """Yield (rule, text) for what a write made of a look that it may not."""
        look, old, new = change.sent.look, change.old, change.new
        if look is None:
            return
        discovered = old.phase is Phase.UNKNOWN and new.phase is Phase.STEADY
        if not discovered and new.drift.seen <= old.drift.seen:
            return
        reads = self._of(change.process, change.group.name)
        if look.number <= reads.used:
            yield "counted once", "one look counts twice"
        reads.used = look.number
        if look.unseen:
            yield "whole look", f"a look decides something, though {', '.join(look.unseen)} was not seen"

    def _of(self, process: Process, group: str) -> _Reads:
        return self._reads.setdefault((process.name, group), _Reads())
