"""The oracle's own account of health: counted from what each monitor was told, apart from the code's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from nvaha.model import GroupState
from tests.simulation.process import Process
from tests.simulation.scenery import Place
from tests.simulation.tolerances import BLIND_S

if TYPE_CHECKING:
    from tests.simulation.oracle_past import Gap
    from tests.simulation.world import World

WINDOW, UNSTEADY_FROM, STEADY_TO = 30, 10, 3
"""With so many failures in so many readings an NVA is unsteady, with no more than so many it is steady."""
LOST = 3
"""What a monitor counted and did not write is lost with it: a window may be stitched from so many."""
Counts = tuple[str, int, int, int]
"""Health, failures in a row (up to `fall`), those of them that may be acted on, successes in a row."""
UNKNOWN: Counts = ("unknown", 0, 0, 0)


@dataclass(slots=True)
class _Seen:
    """What one monitor was told."""

    readings: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    answered_s: float = float("-inf")
    control_asked_s: float = float("-inf")
    control_silent_since_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Told:
    """What a monitor knew when it sent a write: its last reading of each NVA, and whether it was blind.

    `numbers` tells each reading from every other one. What is `doubtful` was read before the row went back to
    where it knew no address: it counts in the round that was under way, and in none that begins later.
    """

    readings: dict[str, bool]
    numbers: dict[str, int]
    doubtful: frozenset[str]
    blind: bool
    sighted: bool


class HealthOracle:
    """Follows readings into the counts that each written state must show."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, _Seen] = {}
        self._counts: dict[tuple[str, str], dict[str, Counts]] = {}
        self._started_s: dict[str, float] = {}
        self._lately: dict[str, deque[bool]] = {}
        self._unsteady: dict[tuple[str, str], frozenset[str]] = {}
        self._number = 0
        self._used: set[int] = set()

    def read(self, process: Process, place: Place, *, ok: bool) -> None:
        """Remember what a monitor was told of an NVA."""
        seen = self._seen_by(process)
        seen.readings[place.nva] = ok
        seen.doubtful.discard(place.nva)
        self._lately.setdefault(place.nva, deque(maxlen=LOST * WINDOW)).append(ok)
        self._number += 1
        seen.numbers[place.nva] = self._number
        if ok:
            seen.answered_s = self._world.loop.now_s

    def control_asked(self, process: Process, *, answers: bool) -> None:
        """Remember what a monitor was told of a control target."""
        seen, now = self._seen_by(process), self._world.loop.now_s
        seen.control_asked_s = now
        if answers:
            seen.answered_s = now
        seen.control_silent_since_s = float("inf") if answers else min(seen.control_silent_since_s, now)

    def answered_s(self, name: str) -> float:
        """Return when a process was last answered, by an NVA or a control target."""
        return self._seen[name].answered_s if name in self._seen else float("-inf")

    def told(self, process: Process) -> Told:
        """Return what a monitor knows now."""
        seen, now = self._seen_by(process), self._world.loop.now_s
        knobs = self._world.knobs
        if knobs.control_target:
            # Control targets are asked in rounds in which a probe failed, and with the leader's record.
            asked_lately = seen.control_asked_s > now - knobs.interval_s - knobs.timeout_s - 1.0
            blind = asked_lately and seen.control_silent_since_s < now - BLIND_S
            return self._told(seen, blind=blind, sighted=False)
        since = max(seen.answered_s, self._started_s[process.name])
        blind = since < now - BLIND_S - 2 * knobs.timeout_s
        # An answer from any NVA in the round at hand means sight.
        return self._told(seen, blind=blind, sighted=seen.answered_s == now)

    def _told(self, seen: _Seen, *, blind: bool, sighted: bool) -> Told:
        return Told(
            dict(seen.readings), dict(seen.numbers), frozenset(seen.doubtful), blind=blind, sighted=sighted
        )

    def follow(
        self,
        group: str,
        before: str | None,
        state: GroupState,
        version: str,
        *,
        told: Told | None,
        gap: Gap,
    ) -> str | None:
        """Account for a written state; return what is wrong with it.

        Every NVA stands where it stood or, if a monitor wrote, has moved by that monitor's last reading; what
        was counted before a gap counts no more.
        """
        old = self._counts.pop((group, before), {}) if before is not None else {}
        was = self._unsteady.pop((group, before), frozenset()) if before is not None else frozenset()
        unsteady = frozenset(name for name, nva in state.nvas.items() if nva.unsteady)
        self._unsteady[group, version] = unsteady
        held = unsteady if self._world.knobs.unsteady == "down" else frozenset()
        found = {name: self._of_state(state, name, held=name in held) for name in state.nvas}
        self._counts[group, version] = found
        stood = {name: old.get(name, UNKNOWN) for name in found}
        for name in unsteady ^ was:
            aged = gap.counts[0] and name in was
            if told is None or not (aged or self._called_for(name, found[name], unsteady=name in unsteady)):
                return (
                    f"{name} becomes {'un' if name in unsteady else ''}steady after {self._lately.get(name)}"
                )
        if found == stood:
            return None
        if told is not None:
            blindness = [True] if told.blind else [False] if told.sighted else [False, True]
            sure = {name: ok for name, ok in told.readings.items() if name not in told.doubtful}
            for then in _aged(stood, gap):
                if found == then:
                    return None
                for blind, readings in product(blindness, (sure, told.readings)):
                    moved = {
                        name: self._moved(each, readings.get(name), blind, held=name in held)
                        for name, each in then.items()
                    }
                    if found == moved:
                        self._use(group, told, found, then)
                        return None
        return f"health counts went from {stood} to {found} after {told}"

    def put_back(self, group: str, version: str, state: GroupState) -> None:
        """Note a row that says what it said before."""
        unsteady = frozenset(name for name, nva in state.nvas.items() if nva.unsteady)
        held = unsteady if self._world.knobs.unsteady == "down" else frozenset()
        self._unsteady[group, version] = unsteady
        # What the row has lost of them may be counted once more.
        self._used.clear()
        for name, nva in state.nvas.items():
            if not self._world.knobs.fixed_addresses and not nva.addresses:
                # It cannot be probed until it is looked at again.
                for seen in self._seen.values():
                    seen.doubtful.add(name)
        self._counts[group, version] = {
            name: self._of_state(state, name, held=name in held) for name in state.nvas
        }

    def _use(self, group: str, told: Told, found: Mapping[str, Counts], stood: Mapping[str, Counts]) -> None:
        """Use up the readings that a write counted; each counts once, whatever storage answered."""
        for name in found:
            number = told.numbers.get(name, 0)
            if found[name] != stood[name] and number in self._used:
                text = f"{group} counts one reading of {name} twice"
                self._world.oracle.violated(text, rule="counted once")
            self._used.add(number)

    def counts(self, group: str, version: str, nva: str) -> Counts:
        """Return an NVA's counts in a written state."""
        return self._counts[group, version].get(nva, UNKNOWN)

    def _called_for(self, name: str, found: Counts, *, unsteady: bool) -> bool:
        """Tell whether enough of what monitors were told lately makes an NVA unsteady, or steady again."""
        lately = self._lately.get(name, deque())
        failed = lately.count(False)
        if unsteady:
            return failed >= max(UNSTEADY_FROM, self._world.knobs.fall)
        fell = found[0] == "down" and found[1] >= self._world.knobs.fall
        return fell or lately.count(True) >= WINDOW - STEADY_TO

    def _of_state(self, state: GroupState, name: str, *, held: bool) -> Counts:
        nva = state.nvas[name]
        failures = min(nva.failures, self._world.knobs.fall)
        # One that is down for being unsteady is so on many readings, whatever the last of them were.
        confirmed = self._world.knobs.fall if held else nva.confirmed
        return str(nva.health), failures, confirmed, nva.successes

    def _moved(self, counts: Counts, ok: bool | None, blind: bool, *, held: bool) -> Counts:
        if ok is None:
            return counts
        health, failures, confirmed, successes = counts
        fall, rise = self._world.knobs.fall, self._world.knobs.rise
        if ok:
            successes = min(successes + 1, rise)
            risen = "up" if successes == rise else health
            return ("down" if held else risen, 0, fall if held else 0, successes)
        failures = min(failures + 1, fall)
        confirmed = 0 if blind else min(confirmed + 1, fall)
        return (
            "down" if held or failures == fall else health,
            failures,
            fall if held else confirmed,
            0,
        )

    def _seen_by(self, process: Process) -> _Seen:
        seen = self._seen.get(process.name)
        if seen is None:
            seen = self._seen[process.name] = _Seen()
            self._started_s[process.name] = self._world.loop.now_s
        return seen


def _aged(stood: dict[str, Counts], gap: Gap) -> Iterator[dict[str, Counts]]:
    """Yield what may be left of the counts after a gap."""
    if not gap.counts[1]:
        yield stood
    if gap.counts[0] and not gap.health[1]:
        yield {name: (health, 0, 0, 0) for name, (health, *_) in stood.items()}
    if gap.health[0]:
        yield dict.fromkeys(stood, UNKNOWN)
