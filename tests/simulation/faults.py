"""Which faults happen when: all of it drawn from the seed, all of it off in the second phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nvaha.ports import NetworkError, NetworkFault, StoreUnavailable
from tests.simulation.azure import WRITER
from tests.simulation.oracle_rounds import SINGLE_S
from tests.simulation.process import Fate, Process
from tests.simulation.storage import LEASE_REQUESTS, LIMIT_S

if TYPE_CHECKING:
    from tests.simulation.world import World

LATEST_S = 40.0
"""A request that is delayed on its way arrives no later than this after it was sent."""
GET_LIMIT_S, PUT_LIMIT_S = 5.0, 30.0
LONGEST_OUTAGE_S = 25.0
REPEATED_S = ((0.0, 0.3), (3.5, 4.2))
"""The storage SDK sends a request again at once after a reset, or when it has waited long for an answer."""
REPEATED = frozenset({"acquire", "renew", "release", "save", "save_leader", "record", "send"})


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that a scenario plans for one request to storage.

    Args:
        kind: whose request: that of a monitor, a worker or the web.
        what: which request.
        fate: what of its fate is different.
        when: tells by what is saved or sent whether it is this one.
    """

    kind: str
    what: str
    fate: dict[str, Any]
    when: Callable[[Any], bool] = lambda _: True


class Faults:
    """Draws the fate of requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rates = world.knobs.rates
        self.on = True
        self.storage_out_until_s = self.lease_out_until_s = self.arm_out_until_s = 0.0
        self.reads_short_until_s = 0.0
        self.planned: list[Planned] = []
        self.unreadable: dict[str, NetworkFault] = {}
        self.unwritable: dict[str, NetworkFault] = {}
        self.unattachable: dict[str, NetworkFault] = {}
        self.raising: dict[str, str] = {}
        self._blinked_s = float("-inf")

    def happens(self, kind: str) -> bool:
        """Tell whether a fault of this kind hits the request at hand."""
        rate = self._rates[kind]
        return self.on and rate > 0.0 and self._world.rng.random() < rate

    def stop(self) -> None:
        """End the first phase."""
        self.on = False
        self.reads_short_until_s = 0.0
        self.unreadable.clear()
        self.unwritable.clear()
        self.unattachable.clear()
        self.raising.clear()

    def raise_for(self, group: str, what: str) -> None:
        """Raise what nobody has thought of, where it is a group's turn to."""
        if self.raising.get(group) == what:
            raise ValueError(f"nobody has thought of this {what} of {group}")

    def storage_fate(self, process: Process, what: str, subject: Any) -> Fate:
        """Return what happens to a request to storage."""
        fate = self._storage_fate(what)
        for each in self.planned:
            if (each.kind, each.what) == (process.kind, what) and each.when(subject):
                self.planned.remove(each)
                return replace(fate, **each.fate)
        return fate

    def _storage_fate(self, what: str) -> Fate:
        rng, mean = self._world.rng, self._world.knobs.storage_latency_s
        fate = Fate(rng.uniform(0.2, 1.0) * mean, rng.uniform(0.2, 1.0) * mean, LIMIT_S)
        if not self.on:
            return fate
        if self._world.loop.now_s < self.storage_out_until_s:
            return self._broken(fate, rng.random(), StoreUnavailable("503"))
        if what in LEASE_REQUESTS and self._world.loop.now_s < self.lease_out_until_s:
            # Silence, which is what costs the holder of a lease most.
            fate.out_s = None
            return fate
        if self.happens("storage_error"):
            return self._broken(fate, rng.random(), StoreUnavailable("500"))
        if self.happens("storage_slow"):
            fate.out_s = rng.uniform(0.5, LATEST_S if rng.random() < 0.1 else LIMIT_S * 2)
        elif what not in LEASE_REQUESTS and self._blinks():
            fate.out_s, fate.limit_s = rng.choice([(None, 0.1), (None, LIMIT_S), (fate.out_s, 0.0)])
        elif what in REPEATED and self.happens("answer_repeated"):
            fate.again_s = rng.uniform(*rng.choice(REPEATED_S))
            self._world.count("answers lost and requests repeated")
        return fate

    def _blinks(self) -> bool:
        """Tell whether this request of a switch, and no other one near it, goes unanswered."""
        now = self._world.loop.now_s
        if WRITER.get() is None or now < self._blinked_s + SINGLE_S or not self.happens("storage_blinks"):
            return False
        self._blinked_s = now
        return True

    def read_fate(self, resource_id: str) -> Fate:
        """Return what happens to a read of one resource."""
        fate = self.arm_fate(write=False)
        fault = self.unreadable.get(resource_id.casefold())
        if fault is NetworkFault.UNAVAILABLE:
            fate.out_s = None
        elif fault is not None:
            fate.refused = NetworkError(fault, resource_id, f"{fault}", retry_after_s=5.0)
        return fate

    def arm_fate(self, *, write: bool) -> Fate:
        """Return what happens to a request to ARM, apart from what ARM itself answers."""
        rng, mean = self._world.rng, self._world.knobs.arm_latency_s
        limit_s = PUT_LIMIT_S if write else GET_LIMIT_S
        fate = Fate(rng.uniform(0.2, 1.0) * mean, rng.uniform(0.2, 1.0) * mean, limit_s)
        if not self.on:
            return fate
        unavailable = NetworkError(NetworkFault.UNAVAILABLE, "", "503")
        if self._world.loop.now_s < self.arm_out_until_s:
            return self._broken(fate, rng.random(), unavailable)
        if self.happens("arm_error"):
            which = rng.random()
            if which < 0.4:
                return self._broken(fate, which / 0.4, unavailable)
            fault = rng.choice([NetworkFault.BUSY, NetworkFault.THROTTLED])
            fate.refused = NetworkError(fault, "", "429", retry_after_s=rng.choice([None, 1.0, 5.0, 17.0]))
        elif self.happens("arm_slow"):
            fate.out_s = rng.uniform(0.5, 2 * GET_LIMIT_S)
        elif write and self.happens("arm_late"):
            fate.out_s = rng.uniform(1.0, LATEST_S)
            if rng.random() < 0.5:
                # The connection is reset, the request goes on.
                fate.back_s, fate.limit_s = None, rng.uniform(0.1, 3.0)
        return fate

    def _broken(self, fate: Fate, which: float, refused: Exception) -> Fate:
        """Make a request fail: refused, or reset before or after it took effect, or silent."""
        if which < 0.4:
            fate.refused = refused
        elif which < 0.6:
            fate.out_s, fate.limit_s = None, 0.1
        elif which < 0.8:
            fate.back_s, fate.limit_s = None, (fate.out_s or 0.0) + 0.05
        elif which < 0.9:
            fate.back_s = None
        else:
            fate.out_s = None
        return fate
