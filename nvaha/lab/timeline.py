"""What happens after an NVA has stopped, told while it happens and on one clock.

All times are seconds since the stop. Hosts log with the wall clock and the simulator with the monotonic one,
both on this machine: the two are read together at the stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from nvaha.lab.arm import LogEntry
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.nva import Down, FakeNva
from nvaha.lab.stage.process import HostEvent, News
from nvaha.lab.stage.stage import Lab

_LOOK_S = 0.05
# Lines of several sources are put in order before they are told; this long a source may be late.
_SORT_S = 0.2
_TOLD = {
    "nva_down": "down",
    "nva_up": "up",
    "all_down": "down",
    "blind": "blind",
    "switch_requested": "switch requested",
    "switch_requeued": "switch queued again",
    "switch_claimed": "switch taken up",
    "step_done": "step done",
    "step_failed": "step failed",
    "switch_done": "done",
    "switch_failed": "failed",
    "switch_refused": "refused",
}
_KINDS = {"routeTables": "route table", "networkInterfaces": "NIC", "publicIPAddresses": "public IP"}


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line of a timeline: seconds since the stop, a short title, and more."""

    at_s: float
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How long everything took, in seconds since the NVA stopped.

    Args:
        detected_s: until its health was `down`.
        requested_s: until the switch was requested.
        first_write_s: until the first write reached Azure.
        done_s: until the switch was done and read back.
        outage_s: how long the client was not answered, on any way in.
        by_direction: the same by `route` and `public_ip`.
    """

    detected_s: float
    requested_s: float
    first_write_s: float
    done_s: float
    outage_s: float
    by_direction: Mapping[str, float]


@dataclass(slots=True)
class _Seen:
    """How far each source was read."""

    requests: int = 0
    probe_failed: bool = False
    traffic: set[str] = field(default_factory=set)


class Timeline:
    """Follows one failover.

    Args:
        lab: a running lab, at rest.
        nva: the NVA that is stopped.
        tell: told each line, in order.
    """

    def __init__(self, lab: Lab, nva: FakeNva, tell: Callable[[Line], None]) -> None:
        self._lab = lab
        self._nva = nva
        self._tell = tell
        self._seen = _Seen(len(lab.simulator.log))
        self._news = News()
        self._news.among(lab.events())
        self._waiting: list[Line] = []
        self._wall = self._monotonic = 0.0
        self._firsts: dict[str, float] = {}

    async def follow(self, *, within_s: float, how: Down = Down.REFUSE) -> Figures:
        """Stop the NVA and follow what happens until traffic is back and the switch is done.

        Raises:
            LabError: that did not come to pass within the time.
        """
        self._nva.stop(how)
        self._wall, self._monotonic = time.time(), time.monotonic()
        outage = None
        while outage is None or "switch_done" not in self._firsts:
            if self._now() > within_s:
                self._flush(float("inf"))
                raise LabError(f"not over within {within_s:g} s. Logs: {self._lab.folder}")
            await asyncio.sleep(_LOOK_S)
            await self._look()
            outage = self._lab.traffic.outage(self._monotonic)
            self._flush(self._now() - _SORT_S)
        self._flush(float("inf"))
        needed = ("nva_down", "switch_requested", "PUT")
        if missing := [each for each in needed if each not in self._firsts]:
            raise LabError(f"traffic is back, but without {', '.join(missing)}. Logs: {self._lab.folder}")
        first = {name: round(at_s, 3) for name, at_s in self._firsts.items()}
        return Figures(
            detected_s=first["nva_down"],
            requested_s=first["switch_requested"],
            first_write_s=first["PUT"],
            done_s=first["switch_done"],
            outage_s=round(outage.total_s, 3),
            by_direction={way: round(seconds, 3) for way, seconds in outage.by_direction.items()},
        )

    def _now(self) -> float:
        return time.monotonic() - self._monotonic

    def _add(self, at_s: float, title: str, text: str) -> None:
        self._waiting.append(Line(at_s, title, text))

    def _flush(self, until_s: float) -> None:
        self._waiting.sort()
        while self._waiting and self._waiting[0].at_s <= until_s:
            self._tell(self._waiting.pop(0))

    async def _look(self) -> None:
        await self._look_for_failed_probe()
        for event in self._news.among(self._lab.events()):
            self._take_event(event)
        log = self._lab.simulator.log
        for request in log[self._seen.requests :]:
            self._take_request(request)
        self._seen.requests = len(log)
        self._look_at_traffic()

    async def _look_for_failed_probe(self) -> None:
        if self._seen.probe_failed:
            return
        try:
            group = await self._lab.group()
        except (LabError, aiohttp.ClientError, TimeoutError):
            return
        for nva in group["nvas"]:
            if nva["name"] == self._nva.name and nva["failures"]:
                self._seen.probe_failed = True
                self._add(self._now(), "first failed probe", f"{nva['name']}: {nva['last_error']}")

    def _take_event(self, event: HostEvent) -> None:
        title = _TOLD.get(event.event)
        if title is None:
            return
        at_s = event.at - self._wall
        if event.event != "nva_down" or event.fields.get("nva") == self._nva.name:
            self._firsts.setdefault(event.event, at_s)
        # One switch is followed: its id before each of its steps would only make the lines longer.
        self._add(at_s, title, event.text.removeprefix(f"{event.fields.get('operation')}: "))

    def _take_request(self, request: LogEntry) -> None:
        if request.method != "PUT":
            return
        at_s = request.time - self._monotonic
        self._firsts.setdefault("PUT", at_s)
        kind, _, name = request.resource_id.rpartition("/")
        self._add(at_s, "write sent", f"{_KINDS.get(kind.rpartition('/')[2], kind)} {name}")

    def _look_at_traffic(self) -> None:
        for flow in self._lab.traffic.flows:
            restored = flow.restored_at(self._monotonic)
            if restored is None or flow.name in self._seen.traffic or restored <= self._monotonic:
                continue
            self._seen.traffic.add(flow.name)
            way = "route in" if flow.direction == "route" else "public IP"
            nva = next((each for sent_at, _, each in flow.samples if sent_at >= restored), None)
            self._add(restored - self._monotonic, "traffic back", f"{way} {flow.name}, through {nva}")
