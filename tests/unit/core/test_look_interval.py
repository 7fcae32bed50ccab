"""How often Azure is read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nvaha.core.look_interval import look_interval_s
from nvaha.model import GroupState, Phase
from tests.builders import NOON, group_of, later, steady, switching


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (GroupState("g"), 6.0),
        (switching(), 60.0),
        (steady(seen=1), 10.0),
        (steady(seen=2), 60.0),
        (steady(seen=11), 400.0),
        (steady(ended_at=NOON - timedelta(seconds=119)), 30.0),
        (steady(ended_at=NOON - timedelta(seconds=121)), 400.0),
        (steady(ended_at=later(3600)), 400.0),
        (steady(retry_at=later(3600), repair_at=later(3600), last_switch_at=later(3600)), 400.0),
        (steady(), 400.0),
    ],
)
def test_azure_is_read_as_often_as_the_state_calls_for(state: GroupState, seconds: float) -> None:
    """The network is read soon where something is going on or may still arrive, and seldom at rest."""
    group = group_of(drift_interval_s=400.0)
    assert look_interval_s(group, state, NOON) == seconds


@pytest.mark.parametrize("tables", [1, 10, 200])
def test_rest_costs_no_more_than_a_read_a_minute(tables: int) -> None:
    """However many resources a group has, at rest they cost at most 60 reads in an hour."""
    group = group_of(tables=tuple(f"t{number}" for number in range(tables)), drift_interval_s=1.0)
    looks_an_hour = 3600.0 / look_interval_s(group, steady(), NOON)
    assert looks_an_hour * len(group.resource_ids) <= 60.0 + 1e-9


@pytest.mark.parametrize("state", [GroupState("g"), steady(seen=1), steady(seen=2), steady(ended_at=NOON)])
def test_a_large_group_is_looked_at_less_often_in_every_phase(state: GroupState) -> None:
    """However urgent it is, a group costs no more than a read a second."""
    group = group_of(tables=tuple(f"t{number}" for number in range(200)))
    assert look_interval_s(group, state, NOON) >= len(group.resource_ids)


def test_a_group_that_is_not_known_is_never_left_for_long() -> None:
    """Unknown comes before everything else."""
    state = steady(phase=Phase.UNKNOWN, seen=2, last_switch_at=NOON)
    assert look_interval_s(group_of(), state, NOON) == look_interval_s(group_of(), GroupState("g"), NOON)
