"""A look at an Azure that does not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Configuration, Phase
from nvaha.watch.monitor import Monitor
from tests.builders import azure_of, group_of
from tests.fakes import Outside, run


def test_a_look_at_an_azure_that_does_not_answer_ends_within_its_tick() -> None:
    """However many resources are silent, by the end of the tick it is on record that Azure is."""
    group = group_of("a", "b", tables=tuple(f"table{number}" for number in range(60)))
    outside = Outside()
    outside.network.read_s = 1000.0

    async def tick() -> None:
        await Monitor(Configuration((group,)), outside.ports, "m").tick(9.0)

    run(tick())
    assert outside.state().unread is not None


@pytest.mark.parametrize("read_s", [0.05, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("tables", [1, 3, 4, 9])
@pytest.mark.parametrize("elected_at_s", [0.0, 8.7, 9.2, 9.5])
def test_no_look_is_cut_off_at_the_same_place_of_every_tick(
    read_s: float, tables: int, elected_at_s: float
) -> None:
    """Two looks may be as far apart as two ticks; one that was cut off is begun at another time."""
    group = group_of("a", "b", tables=tuple(f"table{number}" for number in range(tables)))
    outside = Outside()
    outside.network.put_there(*azure_of(group, "a"))
    outside.network.read_s = read_s

    async def ticks() -> None:
        monitor = Monitor(Configuration((group,)), outside.ports, "m")
        outside.leases.held["leader"] = "gone", elected_at_s
        for number in range(1, 5):
            await monitor.tick(10.0 * number - 0.3 - outside.clock.monotonic())
            await outside.clock.sleep(10.0 * number - outside.clock.monotonic())

    run(ticks())
    assert outside.state().phase is Phase.STEADY


def test_a_look_that_got_no_place_in_time_waits_for_the_next_tick() -> None:
    """Of many groups at a slow Azure some get their turn late in the tick; they cost no reads in vain."""
    names = tuple(f"g{number}" for number in range(9))
    groups = tuple(replace(group_of("a", "b", tables=("table",)), name=name) for name in names)
    outside = Outside()
    outside.network.put_there(*azure_of(groups[0], "a"))
    outside.network.read_s = 4.0

    async def looks_in_each() -> list[int]:
        monitor, found = Monitor(Configuration(groups), outside.ports, "m"), []
        for _ in range(4):
            outside.network.reads.clear()
            await monitor.tick(9.7)
            found.append(outside.network.reads.count(groups[0].route_tables[0]))
        return found

    assert run(looks_in_each()) == [4, 4, 1, 0]
    assert all(outside.state(name).phase is Phase.STEADY for name in names)
