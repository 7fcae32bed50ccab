"""The span of an active NVA that fails, from its first failed probe until it answers or is switched away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from nvaha.model import Phase, Reading
from nvaha.tracing import begin, named
from nvaha.watch.watched import WatchedGroup


def follow(watched: WatchedGroup, readings: Mapping[str, Reading], since: datetime, epoch: int) -> None:
    """Begin, go on with or end a group's incident by what a round has read.

    Args:
        watched: the group, before what was read is decided on.
        readings: of each NVA.
        since: when they were asked for.
        epoch: the leader's.
    """
    active = watched.state.active
    reading = readings.get(active or "")
    if reading is None:
        return
    if reading.ok:
        end(watched, "recovered")
        return
    if watched.incident is None and watched.state.phase is not Phase.SWITCHING:
        name = watched.group.name
        watched.incident = begin(
            "nvaha.incident", apart=True, since=since, group=name, nva=active, epoch=epoch
        )
    if watched.incident is not None:
        failed = {"nva": active, "reason": reading.error, "latency_ms": reading.latency_ms}
        watched.incident.add_event("probe_failed", named(failed))


def end(watched: WatchedGroup, outcome: str) -> None:
    """End a group's incident, if there is one, and say how."""
    if watched.incident is not None:
        watched.incident.set_attribute("nvaha.outcome", outcome)
        watched.incident.end()
        watched.incident = None
