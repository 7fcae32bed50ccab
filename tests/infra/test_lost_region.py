"""A region is lost with all that is in it: the leader, an NVA, their workspace; then the state.

What is left is one monitor in another region and its own workspace. Only that one's rules are replayed:
nobody reads the lost one any more, neither the alerts that were open there nor what would have fired.
"""

from __future__ import annotations

from functools import cache

from tests.simulation.world import World

from .alerts import rules
from .replay import MINUTE_S, Alert, replay
from .stories import Line, recorded
from .test_alerts import TEMPLATE
from .test_queries import HOST, QUERIES
from .test_two_workspaces import BEGUN, DELAY_S, HEARD, number_of, seldom

STANDBY_DOWN, REGION_LOST, STATE_LOST, END = 1, 15, 30, 46
"""When what happens, in minutes."""
LATER = {"all-nvas-down", "active-nva-down", "nva-down", "no-standby"}
"""What is to be told of the lost region by the one that is left."""


async def _story(world: World, led: list[int]) -> None:
    async def at(minute: float) -> None:
        await world.pass_time(minute * MINUTE_S - world.loop.now_s)

    await at(STANDBY_DOWN)
    # In the region that stays, and told in the other: there its alert is open when the workspace is gone.
    world.chaos.set_alive("g0n1", alive=False)
    await at(REGION_LOST)
    assert world.storage.tables.leader is not None
    led.append(number_of(world.storage.tables.leader.instance))
    world.awake.clear()
    for each in world.processes():
        if each.kind == "monitor" and number_of(each.name) == led[-1]:
            each.crash()
    world.chaos.set_alive("g0n0", alive=False)
    await at(STATE_LOST)
    world.faults.storage_out_until_s = END * MINUTE_S
    await at(END)


@cache
def logged() -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return what the monitor in the lost region logged, and what the one that is left does."""
    led: list[int] = []
    knobs = {"monitors": 2, "interval_s": 10.0, "fast_interval_s": 10.0, "drift_interval_s": 180.0}
    lines = recorded(lambda world: _story(world, led), control_target=True, offset_s=END * MINUTE_S, **knobs)
    [lost] = led
    gone, left = (tuple(line for line in lines if line.app == f"app{each}") for each in (lost, 1 - lost))
    return gone, left


@cache
def told() -> tuple[Alert, ...]:
    """Return the alerts of the workspace that is left."""
    return tuple(
        alert
        for alert in replay(seldom(rules(TEMPLATE, QUERIES)), logged()[1], HOST, END, lambda _: DELAY_S)
        if alert.fired >= BEGUN
    )


def test_the_lost_region_had_told_what_was_wrong() -> None:
    """What the other has to say again was said in the lost workspace, and there only."""
    gone, left = logged()
    before_s = REGION_LOST * MINUTE_S
    assert any(line.event == "nva_down" for line in gone)
    assert not any(line.event == "nva_down" and line.at_s < before_s for line in left)
    assert max(line.at_s for line in gone) <= before_s


def test_what_is_left_tells_all_that_is_wrong() -> None:
    """What began before the region was lost as well as what went with it; each once, as long as it lasts."""
    lasting = {alert.rule: alert for alert in told() if alert.rule in LATER}
    assert set(lasting) == LATER
    for alert in lasting.values():
        assert REGION_LOST < alert.fired <= REGION_LOST + HEARD
        assert alert.resolved is None


def test_nobody_is_missed_while_one_leads() -> None:
    """The one that is left leads at once, so nothing says that nobody does, until the state is lost, too."""
    [alert] = [alert for alert in told() if alert.rule == "no-leader"]
    assert STATE_LOST < alert.fired <= STATE_LOST + HEARD
    assert alert.resolved is None


def test_nothing_else_is_told() -> None:
    """No rule tells what is not so: who cannot read the state has nothing to tell but that, and is silent."""
    assert {alert.rule for alert in told()} == {*LATER, "no-leader", "monitor-silent"}
