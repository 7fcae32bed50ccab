"""Every event is told by an alert rule, or there is a reason why none does: so docs/alerts.md says."""

from __future__ import annotations

import re

import pytest

from nvaha.model.events import CONDITIONS, EVENTS, WAKES

from .alerts import FIRES_ON, rules, seconds
from .stories import stories
from .test_alerts import TEMPLATE
from .test_docs import sections
from .test_queries import HOST, QUERIES
from .tools import ROOT

PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
TOLD, UNTOLD = PAGE.split("\n## Told by none\n")
RULES = rules(TEMPLATE, QUERIES)
ROWS = {
    found[1]: (found[2], int(found[3]), found[4], found[5], found[6])
    for found in re.finditer(
        r"^\| `(\w+)` \| `([\w-]+)` \| (\d) \| `(\w+)` \| `(\w+)` \| \[\w+\]\(runbook\.md#(\w+)\) \|$",
        TOLD,
        re.M,
    )
}
REASONS = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", UNTOLD, re.M))
NOT_BY_AN_EVENT = {"active-nva-down", "no-standby", "no-leader", "monitor-silent", "host-ends"}


def test_every_event_is_in_one_table() -> None:
    """No event is forgotten, none is in both tables, and none is there that is none."""
    assert sorted([*ROWS, *REASONS]) == sorted(EVENTS)
    assert all(len(reason) > 10 and reason.endswith(".") for reason in REASONS.values())


def test_what_wakes_and_no_rule_tells_has_a_rule_in_its_reason() -> None:
    """What receivers are sent by default, and begins something, has a rule or a reason that names one."""
    ends = {name for name, (_, begins) in CONDITIONS.items() if not begins}
    for event in (WAKES - ends - {"notify_test"}) & REASONS.keys():
        assert set(re.findall(r"`([\w-]+)`", REASONS[event])) & RULES.keys(), event


def test_each_rule_is_on_the_page() -> None:
    """Each rule tells an event, or is among those that go by none, and every rule that is named is one."""
    assert {rule for rule, *_ in ROWS.values()} | NOT_BY_AN_EVENT == RULES.keys()
    assert not {rule for rule, *_ in ROWS.values()} & NOT_BY_AN_EVENT
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE))
    assert named <= RULES.keys()


@pytest.mark.parametrize("event", ROWS)
def test_the_page_says_what_is_deployed(event: str) -> None:
    """Severity, window and interval are those of the rule, and the runbook has that section."""
    name, severity, window, every, section = ROWS[event]
    rule = RULES[name]
    assert (rule.severity, rule.window_s, rule.every_s) == (severity, seconds(window), seconds(every))
    assert section in sections()


@pytest.mark.parametrize("event", ROWS)
def test_the_rule_tells_the_event(event: str) -> None:
    """There is a story in which the app tells the event, and the rule fires on it."""
    rule = RULES[ROWS[event][0]]
    heard = [story for story in FIRES_ON[rule.name] if event in {line.event for line in stories()[story]}]
    assert heard
    assert rule.fires(stories()[heard[0]], HOST, 1.0)
