"""What a worker does for an operation is told to Azure as that operation's, under an id that history has."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from nvaha.model import Configuration, Resource
from nvaha.operate.views import operation_view
from nvaha.ports import ON_BEHALF_OF, correlation_id
from nvaha.switch.worker import Switcher
from tests.fakes import Outside
from tests.unit.switch.stage import GROUP, MESSAGE, record


async def test_all_that_a_switch_asks_is_its_operations(out: Outside) -> None:
    """Its reads and writes, in whatever task; and nothing that the process does besides, or afterwards."""
    seen: set[str | None] = set()
    get = out.network.get

    async def noted(resource_id: str) -> Resource:
        seen.add(ON_BEHALF_OF.get())
        return await get(resource_id)

    class Noting:
        """A network whose reads are noted."""

        get = staticmethod(noted)
        put = out.network.put

    out.network.before_put = lambda _: seen.add(ON_BEHALF_OF.get())
    ports = replace(out.ports, network=Noting())
    running = asyncio.ensure_future(Switcher(Configuration((GROUP,)), ports, "worker").run(MESSAGE))
    await asyncio.sleep(0.5)
    assert ON_BEHALF_OF.get() is None
    await running
    assert seen == {MESSAGE.operation}
    await Switcher(Configuration((GROUP,)), ports, "worker").run(MESSAGE)
    assert ON_BEHALF_OF.get() is None


async def test_history_and_the_log_say_under_which_id(out: Outside) -> None:
    """The same in both, so that what Azure logged can be joined to either."""
    await Switcher(Configuration((GROUP,)), out.ports, "worker").run(MESSAGE)
    [claimed] = [each for each in out.told.notices if each.event == "switch_claimed"]
    expected = correlation_id(MESSAGE.operation)
    assert (claimed.fields["correlation_id"], operation_view(record(out))["correlation_id"]) == (
        expected,
        expected,
    )
    assert correlation_id("g-1-1") != expected
