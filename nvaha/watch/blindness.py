"""Telling dead NVAs from a monitor that cannot see: what is broken may be on this side of the network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from nvaha.model import ControlTarget, Group, ProbeSpec, Reading
from nvaha.ports import LEASE_S, Ports

TIMEOUT_S = 1.0
SEEN_S = 1.0
"""An answer this long before a round still proves in it that the monitor can see."""
WITNESSES = 3
"""So many of the NVAs that answered last are asked once more before a monitor calls itself blind."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a round: where it went, and what came of it."""

    address: str
    spec: ProbeSpec
    reading: Reading


class Blindness:
    """Whether one monitor can see.

    With control targets it can see as long as one of them answers. Without, as long as any NVA of any group
    does: one that answered just before the round, or one of those that answered last, asked again.
    """

    def __init__(self, ports: Ports, control_targets: tuple[ControlTarget, ...]) -> None:
        self._prober = ports.prober
        self._clock = ports.clock
        self._control_targets = control_targets
        self._witnesses: dict[ControlTarget, None] = {}
        self._answered_at = float("-inf")
        self._asked: tuple[float, bool] = (float("-inf"), True)
        self._asking = asyncio.Lock()
        self._blind_in: dict[str, tuple[float, float]] = {}
        self._seen: dict[str, tuple[float, int, int]] = {}

    @property
    def blind(self) -> bool:
        """Whether the last round of any group was blind."""
        return bool(self._blind_in)

    @property
    def blind_s(self) -> float:
        """For how many seconds, up to its last round, some group's rounds have been blind."""
        now = self._clock.monotonic()
        # A group whose rounds have stopped says nothing about now.
        lasting = (last - since for since, last in self._blind_in.values() if now - last <= LEASE_S)
        return max(lasting, default=0.0)

    @property
    def seen(self) -> tuple[int, int, float]:
        """How many NVAs the last rounds asked, how many answered, and how many seconds ago the last did.

        Where none answered, how many seconds ago the last was asked.
        """
        asked = sum(asked for _, asked, _ in self._seen.values())
        answered = sum(answered for _, _, answered in self._seen.values())
        ends = [at for at, _, answers in self._seen.values() if answers or not answered]
        return asked, answered, self._clock.monotonic() - max(ends) if ends else 0.0

    def forget(self) -> None:
        """Start afresh, as a new leader does."""
        self._blind_in.clear()
        self._seen.clear()

    async def is_blind(self, group: Group, probes: Iterable[Probe], start: float) -> bool:
        """Tell whether a round's failures are not to be believed; asked only when there are any.

        Args:
            group: whose round it is.
            probes: the round's probes.
            start: when the round began, on the monotonic clock.
        """
        readings = {probe.address: probe.reading for probe in probes}
        read_at = self._clock.monotonic()
        self._remember(probes)
        blind = False
        if not all(reading.ok for reading in readings.values()):
            if self._control_targets:
                blind = not await self._reachable(self._control_targets)
            elif self._answered_at < start - SEEN_S:
                blind = not await self._reachable(tuple(self._witnesses))
        if readings:
            now = self._clock.monotonic()
            self._seen[group.name] = read_at, len(readings), sum(each.ok for each in readings.values())
            if blind:
                since, _ = self._blind_in.get(group.name, (start, start))
                self._blind_in[group.name] = since, now
            else:
                self._blind_in.pop(group.name, None)
        return blind

    def _remember(self, probes: Iterable[Probe]) -> None:
        for probe in probes:
            if probe.reading.ok:
                self._answered_at = self._clock.monotonic()
                witness = ControlTarget(probe.address, probe.spec.port)
                # The last to answer are at the end.
                self._witnesses.pop(witness, None)
                self._witnesses[witness] = None
                if len(self._witnesses) > WITNESSES:
                    del self._witnesses[next(iter(self._witnesses))]

    async def control_answers(self) -> dict[ControlTarget, bool]:
        """Ask every control target, whether or not there is any need to."""
        answers = await asyncio.gather(
            *(self._prober.reachable(target, TIMEOUT_S) for target in self._control_targets)
        )
        return dict(zip(self._control_targets, answers, strict=True))

    async def _reachable(self, targets: tuple[ControlTarget, ...]) -> bool:
        """Ask once, however many groups want to know at the same time."""
        async with self._asking:
            asked_at, answer = self._asked
            now = self._clock.monotonic()
            if now - asked_at < TIMEOUT_S / 2:
                return answer
            answers = await asyncio.gather(*(self._prober.reachable(each, TIMEOUT_S) for each in targets))
            answered_at = self._clock.monotonic()
            # Counted from the answer: a question that took its whole timeout would be asked again at once.
            # One that took longer did not: the process stood still, and the answer is as old as that.
            in_time = answered_at - now <= 2 * TIMEOUT_S
            self._asked = answered_at if in_time else float("-inf"), any(answers)
            return any(answers)
