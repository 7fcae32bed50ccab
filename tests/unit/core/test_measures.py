"""How the groups stand, in numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.measures import of_group
from nvaha.model import Drift, GroupState, Health, NvaState, Phase
from nvaha.model.metrics import SHOWN
from tests.builders import NOON, group_of, later, steady, up

GROUP = group_of()


def shown(state: GroupState | None) -> dict[str, float]:
    """Return what is shown, by name and NVA."""
    samples = list(of_group(GROUP, state, NOON))
    assert all(tuple(each.labels) == SHOWN[each.name].labels for each in samples)
    return {" ".join((each.name, *list(each.labels.values())[1:])): each.value for each in samples}


def test_of_a_row_that_cannot_be_read_only_that_is_shown() -> None:
    """Nothing is known of its NVAs."""
    assert shown(None) == {"nvaha_group_readable": 0}


@pytest.mark.parametrize(
    ("state", "name", "value"),
    [
        (steady(probed_at=later(-1)), "nvaha_group_watched", 1),
        (steady(probed_at=later(-3600)), "nvaha_group_watched", 0),
        (replace(steady(), phase=Phase.SWITCHING), "nvaha_group_switching", 1),
        (steady(paused=True), "nvaha_group_paused", 1),
        (steady(generation=7), "nvaha_group_generation", 7),
        (steady(drift=Drift(writes=("a",), problems=("b",), seen=2)), "nvaha_group_drift", 2),
        (steady(drift=Drift(writes=("a",), seen=1)), "nvaha_group_drift", 0),
        (steady("b"), "nvaha_nva_active b", 1),
        (steady("b"), "nvaha_nva_active a", 0),
        (steady(nvas={"a": up()}), "nvaha_nva_up a", 1),
        (steady(nvas={"a": up(), "b": NvaState()}), "nvaha_nva_up b", 0),
        (steady(nvas={"a": NvaState(Health.DOWN, failures=4)}), "nvaha_nva_failures a", 4),
        (steady(nvas={"a": replace(up(), unsteady=True)}), "nvaha_nva_unsteady a", 1),
        (steady(nvas={"a": replace(up(), unready=("a table",))}), "nvaha_nva_ready a", 0),
        (steady(nvas={"a": replace(up(), latency_ms=1.5)}), "nvaha_nva_latency_seconds a", 0.0015),
    ],
)
def test_what_is_stored_is_shown(state: GroupState, name: str, value: float) -> None:
    """Each as its row has it; what is seen once only is no drift yet."""
    assert shown(state)[name] == value
