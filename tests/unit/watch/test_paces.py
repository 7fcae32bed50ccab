"""How long probes took, as it is told with how a group stands."""

from __future__ import annotations

from nvaha.model import Reading
from nvaha.watch.paces import Paces


def test_what_was_answered_is_told_once() -> None:
    """The average and the longest of those that were answered; then it begins anew."""
    paces = Paces()
    for ms in (1.0, 2.04, 6.0):
        paces.add(
            {"a": Reading(ok=True, latency_ms=ms), "b": Reading(ok=False, latency_ms=0.0, error="refused")}
        )
    paces.add({"c": Reading(ok=True, latency_ms=0.06)})
    assert paces.tell() == [{"nva": "a", "ms": 3.0, "most_ms": 6.0}, {"nva": "c", "ms": 0.1, "most_ms": 0.1}]
    assert paces.tell() == []
