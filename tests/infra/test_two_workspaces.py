"""Two monitors in two regions, each with a workspace and rules of its own: which rule tells what, when.

The real code runs in the simulated world; what each monitor logs is replayed on a stepped clock in its own
workspace.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tests.simulation.world import World

from .alerts import Rule, rules
from .replay import MINUTE_S, replay
from .stories import Line, recorded
from .test_alerts import TEMPLATE
from .test_queries import HOST, QUERIES

DOWN, RESTARTED, AND_BACK, FOLLOWER_LOST, FOUND, LEADER_LOST, BOTH_LOST, END = 1, 5, 15, 22, 37, 46, 60, 75
"""When what happens, in minutes: an NVA is down from the first on, one monitor after the other is lost."""
RESTART_S = 30.0
"""So long nobody runs where a process is started again; `no-leader` leaves that."""
DELAY_S = 100.0
"""Seconds from being logged to being there to query."""
BEGUN = 4
"""Until then nothing has arrived yet: what fires before is the deployment's own beginning."""
HEARD, SILENT, OVER = 9, 15, 17
"""Minutes to an alert, five of them where a rule is run so often; to one on silence; to its end."""

Open = tuple[int, int | None]
"""The minutes in which an alert was opened and closed; None: it is open."""


async def _story(world: World, led: list[int]) -> None:
    """Let one monitor after the other be lost; `led` is who led at each of the minutes above."""

    async def at(minute: float) -> None:
        await world.pass_time(minute * MINUTE_S - world.loop.now_s)
        assert world.storage.tables.leader is not None
        led.append(number_of(world.storage.tables.leader.instance))

    async def lose(*numbers: int) -> None:
        """Let monitors end, and nobody start them again until that is allowed."""
        world.awake.clear()
        for each in world.processes():
            if each.kind == "monitor" and number_of(each.name) in numbers:
                each.crash()

    await at(DOWN)
    world.chaos.set_alive("g0n1", alive=False)
    for minute in (RESTARTED, AND_BACK):
        await at(minute)
        await lose(led[-1])
        await world.pass_time(RESTART_S)
        world.awake.set()
    await at(FOLLOWER_LOST)
    await lose(1 - led[-1])
    await at(FOUND)
    world.awake.set()
    await at(LEADER_LOST)
    await lose(led[-1])
    await at(BOTH_LOST)
    await lose(0, 1)
    await at(END)


def number_of(name: str) -> int:
    """Return the number of a monitor, whichever of its processes is meant."""
    return int(name.partition(".")[0][-1])


@cache
def logged() -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return what is logged in the workspace of whoever leads at first, and in the other's."""
    led: list[int] = []
    knobs = {"monitors": 2, "interval_s": 10.0, "fast_interval_s": 10.0, "drift_interval_s": 180.0}
    lines = recorded(lambda world: _story(world, led), offset_s=END * MINUTE_S, **knobs)
    first, other = led[0], 1 - led[0]
    assert led == [first, first, other, first, first, first, other, other]
    at_first, at_other = (
        tuple(line for line in lines if line.app == f"app{number}") for number in (first, other)
    )
    return at_first, at_other


def seldom(listed: dict[str, Rule]) -> list[Rule]:
    """Return rules as if run every five minutes, which sees what lasts as well; `no-leader` as it is."""
    return [rule if name == "no-leader" else replace(rule, every_s=300.0) for name, rule in listed.items()]


@cache
def told(name: str) -> tuple[list[Open], list[Open]]:
    """Return when a rule has an alert open, in the first leader's workspace and in the other's."""
    listed = seldom({name: rules(TEMPLATE, QUERIES)[name]})
    at_first, at_other = (
        [(each.fired, each.resolved) for each in found if each.fired >= BEGUN]
        for found in (replay(listed, lines, HOST, END, lambda _: DELAY_S) for lines in logged())
    )
    return at_first, at_other


def lasts(alert: Open, begins: int, ends: int | None, heard: int = HEARD) -> bool:
    """Tell whether an alert is open as long as what it is about, and little longer."""
    fired, resolved = alert
    over = resolved is None if ends is None else resolved is not None and ends < resolved <= ends + OVER
    return begins < fired <= begins + heard and over


def test_nobody_who_leads_or_follows_is_missed() -> None:
    """Whoever is lost for good is told in its own workspace, and no restart or change of leader anywhere."""
    at_first, at_other = told("no-leader")
    assert [lasts(each, LEADER_LOST, None) for each in at_first] == [True]
    assert len(at_other) == 2
    assert lasts(at_other[0], FOLLOWER_LOST, FOUND)
    assert lasts(at_other[1], BOTH_LOST, None)


def test_the_one_that_is_left_tells_that_the_other_is_missed() -> None:
    """Also where it had never led alone before, as when the other's region is gone with its workspace."""
    at_first, at_other = told("no-standby")
    assert [lasts(each, FOLLOWER_LOST, FOUND) for each in at_first] == [True]
    assert [lasts(each, LEADER_LOST, None) for each in at_other] == [True]


def test_a_monitor_that_is_silent_is_told_in_its_own_workspace() -> None:
    """Both of its ways to be heard count, so a change of leader is no silence."""
    at_first, at_other = told("monitor-silent")
    assert [lasts(each, LEADER_LOST, None, SILENT) for each in at_first] == [True]
    assert len(at_other) == 2
    assert lasts(at_other[0], FOLLOWER_LOST, FOUND, SILENT)
    assert lasts(at_other[1], BOTH_LOST, None, SILENT)


def test_a_group_is_told_where_its_leader_logs() -> None:
    """Its alert is open in the leader's workspace, and ends where the leader has come to follow."""
    at_first, at_other = told("nva-down")
    # It led again before its alert was over, and nobody is left there to say that another tells it now.
    assert [lasts(each, DOWN, None) for each in at_first] == [True]
    assert len(at_other) == 2
    assert lasts(at_other[0], RESTARTED, AND_BACK)
    assert lasts(at_other[1], LEADER_LOST, None)


def test_no_other_rule_tells_anything() -> None:
    """Neither while both are well after some changes nor when both are gone."""
    others = [
        rule
        for name, rule in rules(TEMPLATE, QUERIES).items()
        if name not in {"no-leader", "no-standby", "nva-down", "monitor-silent"}
    ]
    for lines in logged():
        for minute in (FOLLOWER_LOST, END):
            assert [rule.name for rule in others if rule.fires(lines, HOST, minute * MINUTE_S)] == []
