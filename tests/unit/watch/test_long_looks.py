"""A look at an Azure that does not answer."""

from __future__ import annotations

from nvaha.model import Configuration
from nvaha.watch.monitor import Monitor
from tests.builders import group_of
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
