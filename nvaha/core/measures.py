"""How the leader and the groups stand, in numbers: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nvaha.core.discovery import CONFIRMED
from nvaha.core.health import lately_probed
from nvaha.model import Group, GroupState, Health, LeaderRecord, NvaState, Phase
from nvaha.model.metrics import SHARD, Sample


def of_leader(leader: LeaderRecord, now: datetime) -> Iterator[Sample]:
    """Return what the leader's record says.

    Args:
        leader: what the leader last wrote of itself.
        now: the time by the storage service's clock.
    """
    shard = {"shard": SHARD}
    yield Sample("nvaha_leader_info", 1, {"instance": leader.instance, **shard})
    yield Sample("nvaha_leader_epoch", leader.epoch, shard)
    yield Sample("nvaha_leader_round_age_seconds", max(0.0, (now - leader.round_at).total_seconds()), shard)
    yield Sample("nvaha_leader_blind", leader.blind, shard)


def of_group(group: Group, state: GroupState | None, now: datetime) -> Iterator[Sample]:
    """Return what a group's state says.

    Args:
        group: the group as configured.
        state: as stored; None if it cannot be read, of which only that is said.
        now: the time by the storage service's clock.
    """
    of = {"group": group.name}
    yield Sample("nvaha_group_readable", state is not None, of)
    if state is None:
        return
    drift = state.drift
    yield Sample("nvaha_group_watched", lately_probed(group, state, now), of)
    yield Sample("nvaha_group_switching", state.phase is Phase.SWITCHING, of)
    yield Sample("nvaha_group_paused", state.paused, of)
    yield Sample("nvaha_group_generation", state.generation, of)
    yield Sample("nvaha_group_drift", len(drift.sentences) if drift.seen >= CONFIRMED else 0, of)
    for name in group.names:
        nva, each = state.nvas.get(name, NvaState()), {**of, "nva": name}
        yield Sample("nvaha_nva_active", name == state.active, each)
        yield Sample("nvaha_nva_up", nva.health is Health.UP, each)
        yield Sample("nvaha_nva_failures", nva.failures, each)
        yield Sample("nvaha_nva_unsteady", nva.unsteady, each)
        yield Sample("nvaha_nva_ready", not nva.unready, each)
        if nva.latency_ms is not None:
            yield Sample("nvaha_nva_latency_seconds", nva.latency_ms / 1000, each)
