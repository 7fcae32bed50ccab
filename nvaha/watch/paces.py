"""How long the probes of a group's NVAs took since that was last told: for charts, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nvaha.model import Reading


@dataclass(slots=True)
class _Pace:
    probes: int = 0
    total_ms: float = 0.0
    most_ms: float = 0.0


class Paces:
    """Adds up what each NVA's answers took."""

    def __init__(self) -> None:
        self._paces: dict[str, _Pace] = {}

    def add(self, readings: Mapping[str, Reading]) -> None:
        """Take in a round; a probe that was not answered took no time that means anything."""
        for name, reading in readings.items():
            if reading.ok:
                pace = self._paces.setdefault(name, _Pace())
                pace.probes += 1
                pace.total_ms += reading.latency_ms
                pace.most_ms = max(pace.most_ms, reading.latency_ms)

    def tell(self) -> list[dict[str, object]]:
        """Return each NVA that answered, with its average and its longest in milliseconds, and begin anew."""
        told, self._paces = self._paces, {}
        return [
            {"nva": name, "ms": round(pace.total_ms / pace.probes, 1), "most_ms": round(pace.most_ms, 1)}
            for name, pace in told.items()
        ]
