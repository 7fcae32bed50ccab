"""Ways to have something decided: a round, a look, a command."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nvaha.core.decide import decide
from nvaha.core.decision import Decision
from nvaha.core.inputs import FailoverCommanded, NetworkRead, Probed, Survey
from nvaha.model import Group, GroupState, Health, Reading
from tests.builders import BAD, NOON, OK, group_of

GROUP = group_of()


def probed(state: GroupState, group: Group = GROUP, *, now: datetime = NOON, **more: Any) -> Decision:
    """Return the decision on a round in which every NVA that is up answered and no other did."""
    readings: dict[str, Reading] = {
        name: OK if nva.health is Health.UP else BAD for name, nva in state.nvas.items()
    }
    readings.update(more.pop("readings", {}))
    return decide(group, state, Probed(1, readings, **more), now)


def look(state: GroupState, *, group: Group = GROUP, **survey: Any) -> Decision:
    """Return the decision on what Azure says."""
    found: dict[str, Any] = {"routes": {}, "public_ips": {}, "off": dict.fromkeys(group.names, ())}
    return decide(group, state, NetworkRead(1, Survey(**{**found, **survey})), NOON)


def command(
    state: GroupState, to: str, *, group: Group = GROUP, now: datetime = NOON, **more: Any
) -> Decision:
    """Return the decision on a commanded failover."""
    return decide(group, state, FailoverCommanded(to, "somebody", **more), now)
