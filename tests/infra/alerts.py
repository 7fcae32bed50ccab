"""The alert rules as deployed: what each must fire on, and what it must not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .kql import result
from .stories import Line, stories

FALLEN = {
    "the active NVA dies",
    "the active NVA dies and nothing is switched by itself",
    "every NVA dies",
    "every NVA dies and returns",
    "nobody takes the switch up",
    "Azure fails every attempt",
    "the monitor sees nothing",
}
FIRES_ON = {
    "active-nva-down": FALLEN,
    "all-nvas-down": {"every NVA dies", "every NVA dies and returns", "the monitor sees nothing"},
    "switch-failed": {"nobody takes the switch up", "Azure fails every attempt"},
    "switch-unclaimed": {"nobody takes the switch up"},
    "poison-message": {"Azure fails every attempt"},
    "nva-not-ready": {"a standby is not ready", "neither is ready, and then one is"},
    "host-ends": {"the host ends and ends again"},
}
"""Rule -> the stories that an operator must be told of by it; of every other story it must not speak."""
LATE_S = 300.0
"""Telemetry may arrive so late, and must be seen nevertheless (Azure Monitor: "some minutes")."""
OVER_S = 1200.0
"""So long after it, nothing that was one event is an alert any more."""
SILENCES = {20.0: False, 60.0: False, 150.0: False, 240.0: True, 500.0: True, 900.0: True}
"""Seconds after the end of a story -> whether by then no leader has been heard of for too long."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule as deployed."""

    name: str
    query: str
    window_s: float
    every_s: float
    enabled: bool

    def fires(self, lines: Iterable[Line], host: dict[str, Any], at_s: float) -> bool:
        """Tell whether the rule fires when it is run at a time: its query returns a row."""
        return self.enabled and bool(result(self.query, lines, host, at_s, self.window_s))


def rules(template: str, queries: Mapping[str, str]) -> dict[str, Rule]:
    """Read the rules from the template.

    Raises:
        ValueError: the condition is another than that the query returns a row.
    """
    common = dict(re.findall(r"^ +(\w+): '?([\w.]+)'?$", template.split("scheduledQueryRules@", 1)[1], re.M))
    expected = {
        "timeAggregation": "Count",
        "operator": "GreaterThan",
        "threshold": "0",
        "numberOfEvaluationPeriods": "1",
        "minFailingPeriodsToAlert": "1",
        "autoMitigate": "true",
    }
    wrong = [name for name, value in expected.items() if common.get(name) != value]
    if wrong:
        raise ValueError(f"a rule does not fire and resolve with the rows of its query: {', '.join(wrong)}")
    found = re.findall(
        r"name: '([\w-]+)'\n +title: .*\n +severity: \d\n +query: loadTextContent\('.*/queries/([\w.-]+)'\)",
        template,
    )
    window_s, every_s = _seconds(common["windowSize"]), _seconds(common["evaluationFrequency"])
    enabled = common.get("enabled") == "true"
    return {name: Rule(name, queries.get(file, ""), window_s, every_s, enabled) for name, file in found}


def _seconds(period: str) -> float:
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", period)
    days, hours, minutes = (int(each or 0) for each in found.groups()) if found else (0, 0, 0)
    return timedelta(days=days, hours=hours, minutes=minutes).total_seconds()


def alert_problems(
    template: str, queries: Mapping[str, str], host: dict[str, Any], only: str | None = None
) -> Iterator[str]:
    """Report the rules that are missing, that are silent when they must not be, or that cry wolf.

    Args:
        template: the template that deploys them.
        queries: the queries by file name.
        host: host.json.
        only: the name of a rule to look at alone.
    """
    try:
        found = rules(template, queries)
    except ValueError as error:
        yield str(error)
        return
    yield from (f"there is no rule {name}" for name in (*FIRES_ON, "no-leader") if name not in found)
    for rule in (rule for rule in found.values() if only in (None, rule.name)):
        if rule.every_s > 60.0:
            yield f"{rule.name} is not run every minute"
        try:
            yield from _leaderless_problems(rule, host) if rule.name == "no-leader" else _problems(rule, host)
        except Exception as error:  # noqa: BLE001 - whatever keeps a query from running is the finding
            yield f"{rule.name} cannot be run: {error}"


def _problems(rule: Rule, host: dict[str, Any]) -> Iterator[str]:
    loud = FIRES_ON.get(rule.name, set())
    for story in loud:
        if not rule.fires(stories()[story], host, LATE_S):
            yield f"{rule.name} is silent when {story}"
    others = {story: lines for story, lines in stories().items() if story not in loud}
    if rule.fires([line for lines in others.values() for line in lines], host, 1.0):
        for story, lines in others.items():
            if rule.fires(lines, host, 1.0):
                yield f"{rule.name} fires when {story}"
    if rule.fires([line for story in loud for line in stories()[story]], host, OVER_S):
        yield f"{rule.name} still fires {OVER_S:g} s later"


def _leaderless_problems(rule: Rule, host: dict[str, Any]) -> Iterator[str]:
    """A story that ends is a leader that is heard of no more."""
    lines = stories()["the leader stops"]
    for at_s, must in SILENCES.items():
        if rule.fires(lines, host, at_s) is not must:
            yield f"{rule.name} {'is silent' if must else 'fires'} {at_s:g} s after the leader stopped"
    if not rule.fires([], host, 0.0):
        yield f"{rule.name} is silent when nothing was ever logged"
