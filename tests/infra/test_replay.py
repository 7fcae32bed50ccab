"""Two hours of what the app logs, replayed minute by minute: which alerts are open when, and on whom.

What must be open follows from what was done to the world, not from any rule: an outage is an alert within
`HEARD` minutes, and is none any more within `OVER` minutes after its end.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import cache

from nvaha.core.inputs import PauseCommanded
from tests.simulation.scenes import command, only
from tests.simulation.world import World

from .alerts import Rule, rules
from .replay import MINUTE_S, Alert, replay
from .stories import Line, recorded
from .test_alerts import TEMPLATE
from .test_queries import HOST, QUERIES

MINUTES = 120
CRASHES = (70, 80, 81, 82)
HEARD = 7
"""Minutes to an alert: three probes, the leader's ten seconds, five minutes of telemetry, the rule's own."""
OVER = 17
"""Minutes to its end: the same, and the ten in which it must not be so."""


def delay_s(number: int) -> float:
    """Return one to five minutes: in no order, the same each time."""
    return random.Random(number).uniform(60.0, 300.0)


def set_alive(world: World, group: str, *nvas: int, alive: bool) -> None:
    """Let NVAs of a group die or come back."""
    for nva in nvas:
        world.chaos.set_alive(f"{group}n{nva}", alive=alive)


async def _two_hours(world: World) -> None:
    """g0 is out from 10 to 100, g1 from 40 to 60, g2 is paused and loses its active NVA, g3 flaps."""

    async def at(minute: float) -> None:
        await world.pass_time(minute * MINUTE_S - world.loop.now_s)

    async def flap() -> None:
        for minute in range(20, 50, 4):
            await asyncio.sleep(max(0.0, minute * MINUTE_S - world.loop.now_s))
            set_alive(world, "g3", 0, 1, alive=False)
            await asyncio.sleep(2 * MINUTE_S)
            set_alive(world, "g3", 0, 1, alive=True)

    world.spawn(flap())
    await at(10)
    set_alive(world, "g0", 0, 1, alive=False)
    await at(15)
    await command(world, PauseCommanded(paused=True, by="ops"), "g2")
    await at(20)
    set_alive(world, "g2", 0, alive=False)
    await at(40)
    set_alive(world, "g1", 0, 1, alive=False)
    await at(50)
    await command(world, PauseCommanded(paused=False, by="ops"), "g2")
    await at(60)
    set_alive(world, "g1", 0, 1, alive=True)
    for minute in CRASHES:
        # Another leader, then what three restarts of a deployment make of it.
        await at(minute)
        only(world, "monitor").crash()
    await at(90)
    set_alive(world, "g2", 0, alive=True)
    await at(100)
    set_alive(world, "g0", 0, 1, alive=True)
    await at(MINUTES)


async def _then_nobody(world: World) -> None:
    """g0 is out from 5 on, and ten minutes later nobody is there any more to say so."""
    await world.pass_time(5 * MINUTE_S)
    set_alive(world, "g0", 0, 1, alive=False)
    await world.pass_time(10 * MINUTE_S)


@cache
def logged(story: str) -> tuple[Line, ...]:
    """Return what is logged in a story, from its minute 0 on."""
    scene, groups, minutes = {"two hours": (_two_hours, 4, MINUTES), "nobody": (_then_nobody, 1, 15)}[story]
    more = {"interval_s": 10.0, "drift_interval_s": 180.0, "control_target": True, "groups": groups}
    return tuple(_from_start(line, minutes) for line in recorded(scene, **more))


AT_ONCE = {
    "two hours": {"all-nvas-down", "active-nva-down", "nva-down"},
    "nobody": {"all-nvas-down"},
}
"""The rules of which a story tells when they are heard, and which run as deployed in it."""


@cache
def alerts(story: str) -> tuple[Alert, ...]:
    """Return what was open during a story; what else is told in the long one is looked for as it lasts."""
    listed = [rule for rule in _rules() if rule.name in AT_ONCE[story]]
    if story == "two hours":
        listed += [replace(rule, every_s=300.0) for rule in _rules() if rule.name not in AT_ONCE[story]]
    return tuple(replay(listed, logged(story), HOST, MINUTES, delay_s))


def _from_start(line: Line, minutes: int) -> Line:
    return Line(line.at_s + minutes * MINUTE_S, line.category, line.level, line.text, line.app, line.event)


def _rules() -> list[Rule]:
    return list(rules(TEMPLATE, QUERIES).values())


def of(story: str, rule: str, group: str) -> list[Alert]:
    """Return the alerts of a rule on a group."""
    return [each for each in alerts(story) if each.rule == rule and each.who[:1] == (group,)]


def lasted(found: list[Alert], begins: int, ends: int) -> bool:
    """Tell whether there was one alert, as long as what it is about, and little longer."""
    return len(found) == 1 and (
        begins <= found[0].fired <= begins + HEARD
        and found[0].resolved is not None
        and ends <= found[0].resolved <= ends + OVER
    )


def test_an_outage_is_one_alert_as_long_as_it_lasts() -> None:
    """Ninety minutes without an answer are one alert, through a change of leader and three restarts."""
    for rule in ("all-nvas-down", "active-nva-down", "nva-down"):
        assert lasted(of("two hours", rule, "g0"), 10, 100), rule


def test_a_second_group_has_an_alert_of_its_own() -> None:
    """An outage that begins and ends during another's is told, and over, by itself."""
    for rule in ("all-nvas-down", "active-nva-down", "nva-down"):
        assert lasted(of("two hours", rule, "g1"), 40, 60), rule


def test_what_is_expected_of_a_paused_group_is_silent_until_it_goes_on() -> None:
    """The active NVA that died in a pause is told when the pause is over, and nothing of the pause itself."""
    assert lasted(of("two hours", "nva-down", "g2"), 50, 90)
    assert {each.rule for each in alerts("two hours") if each.who[:1] == ("g2",)} == {"nva-down"}


def test_flapping_is_one_alert() -> None:
    """A group that is gone and back every two minutes wakes people once."""
    for rule in ("all-nvas-down", "nva-down"):
        assert lasted(of("two hours", rule, "g3"), 20, 50), rule


def test_nothing_else_is_told() -> None:
    """No group has any other alert, and none is on anything else but that nobody leads, or stands by."""
    told = {each.rule for each in alerts("two hours")}
    assert told <= {"all-nvas-down", "active-nva-down", "nva-down", "no-leader", "no-standby"}


def test_a_leader_that_is_there_is_not_missed() -> None:
    """While telemetry takes up to two minutes nobody is woken, but perhaps around four crashes in a row."""
    rule = next(each for each in _rules() if each.name == "no-leader")
    found = replay([rule], logged("two hours"), HOST, MINUTES, lambda number: delay_s(number) * 0.4)
    late = [each.fired for each in found if each.fired > HEARD]
    assert all(CRASHES[0] <= fired <= CRASHES[-1] + HEARD for fired in late)


def test_an_alert_stays_open_when_nobody_is_left_to_say_that_it_is_over() -> None:
    """Without any line the group's outage stays open, and that nobody leads is told beside it."""
    [out] = of("nobody", "all-nvas-down", "g0")
    assert (5 <= out.fired <= 5 + HEARD, out.resolved) == (True, None)
    # As above: it waits two minutes for telemetry.
    rule = next(each for each in _rules() if each.name == "no-leader")
    found = replay([rule], logged("nobody"), HOST, MINUTES, lambda number: delay_s(number) * 0.4)
    [nobody] = [each for each in found if each.fired > 10]
    assert (15 <= nobody.fired <= 15 + HEARD, nobody.resolved) == (True, None)
