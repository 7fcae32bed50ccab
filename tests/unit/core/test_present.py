"""How a group stands now, in one line that alert rules go by: what is there, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.lifecycle import UNATTENDED_S
from nvaha.core.present import CROWD, LASTING_S, TOLD_EVERY_S, TROUBLED_EVERY_S, present, told_again_s
from nvaha.model import GroupState, Health, Notice, NvaState
from nvaha.model.events import FIELDS
from tests.builders import group_of, later, steady, switching, up

GROUP = group_of()
AT_REST = {"group", "nva", "phase", "epoch"}


def line(state: GroupState | None, at_s: float = 0.0, **more: bool) -> Notice:
    """Return the line on a group at a time after noon."""
    given = {"blind": False, "fresh": False, "unreadable": False, **more}
    return present(GROUP, state, later(at_s), **given)


def said(state: GroupState | None, at_s: float = 0.0, **more: bool) -> dict[str, object]:
    """Return the fields beyond those that every line has."""
    return {name: value for name, value in line(state, at_s, **more).fields.items() if name not in AT_REST}


def test_a_group_at_rest_says_little() -> None:
    """Who is active, and nothing that does not apply."""
    assert line(steady()).fields == {"group": "g", "nva": "a", "phase": "steady", "epoch": 1}


SHORT = {"a": NvaState(Health.DOWN, since=later(0))}


@pytest.mark.parametrize(
    ("state", "at_s", "more", "wanted"),
    [
        (steady(nvas=SHORT), 1.0, {}, {"down": "a"}),
        (steady(nvas=SHORT), LASTING_S - 1, {}, {"down": "a"}),
        (steady(nvas=SHORT), LASTING_S, {}, {"down": "a", "active_down": True}),
        (steady(nvas={"a": NvaState(Health.DOWN)}), 0.0, {}, {"down": "a", "active_down": True}),
        (steady(nvas={"b": NvaState(Health.DOWN)}), LASTING_S, {}, {"down": "b"}),
        (steady(all_down=True), 0.0, {}, {"all_down": True}),
        (steady(nvas={"b": up(unsteady=True)}), 0.0, {}, {"unsteady": "b"}),
        (steady(nvas={"a": up(unready=("x",)), "b": up(unready=("y",))}), 0.0, {}, {"not_ready": "a, b"}),
        (steady(writes=("x",), seen=1), 0.0, {}, {}),
        (steady(writes=("x", "y"), problems=("z",), seen=2), 0.0, {}, {"drift": 3}),
        (steady(writes=("x",), seen=2, unasked=True), 0.0, {}, {"drift": 1, "unasked": True}),
        (steady(wanted="b"), 0.0, {}, {"unfinished": "b"}),
        (switching(wanted="b"), 0.0, {}, {"unfinished": "b"}),
        (switching(wanted="a"), 0.0, {}, {}),
        (steady(rival="a mark"), 0.0, {}, {"rival": True}),
        (steady(problems=("x",), seen=1, contested=True), 0.0, {}, {"rival": True}),
        (steady(hold="a tag"), 0.0, {}, {"held": True}),
        (steady(blocked="hold-down"), 0.0, {}, {"blocked": "hold-down"}),
        (switching(blocked="somebody"), 0.0, {}, {"blocked": "somebody", "held_up": True}),
        (switching(), UNATTENDED_S, {}, {"unattended": True}),
        (steady(paused=True), 0.0, {}, {"paused": True}),
        (steady(), 0.0, {"blind": True}, {"blind": True}),
        (steady(), 0.0, {"unreadable": True}, {"unreadable": True, "unwatched": True}),
        (steady(), 0.0, {"throttled": True}, {"throttled": True}),
        (replace(steady(), unread="503"), 0.0, {}, {"unread": True}),
        (steady(), 31.0, {}, {"unwatched": True}),
        (steady(), 31.0, {"fresh": True}, {}),
        (None, 0.0, {"fresh": True}, {"unwatched": True}),
    ],
)
def test_what_applies_is_there_and_nothing_else(
    state: GroupState | None, at_s: float, more: dict[str, bool], wanted: dict[str, object]
) -> None:
    """Each trouble has its field, from when it is one, under a name that operators can look up."""
    assert said(state, at_s, **more) == wanted
    assert line(state, at_s, **more).fields.keys() <= FIELDS.keys()


def test_the_line_is_bounded() -> None:
    """A reason however long does not make it long."""
    assert len(str(line(steady(blocked="x" * 10_000)))) < 2000


def test_an_nva_that_is_not_known_yet_is_in_no_trouble() -> None:
    """A group whose NVAs were never probed says so by its phase alone."""
    assert said(replace(GroupState("g"), probed_at=later(0))) == {}


@pytest.mark.parametrize(
    ("state", "groups", "seconds"),
    [
        (steady(), 1, TOLD_EVERY_S),
        (steady(paused=True), CROWD, TOLD_EVERY_S),
        (steady(), 5 * CROWD, 5 * TOLD_EVERY_S),
        (steady(all_down=True), 1, TROUBLED_EVERY_S),
        (steady(all_down=True), 5 * CROWD, 5 * TROUBLED_EVERY_S),
    ],
)
def test_a_line_is_told_again_by_trouble_and_by_how_many_there_are(
    state: GroupState, groups: int, seconds: float
) -> None:
    """What an alert is about is told each minute, what is well each ten, and a crowd more seldom."""
    assert told_again_s(line(state), groups) == seconds
