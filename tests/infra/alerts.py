"""The alert rules as deployed: what each must fire on, and what it must not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .kql import Row, result
from .stories import Line, by_story, stories

FALLEN = {
    "the standby NVA dies",
    "the active NVA dies",
    "the active NVA dies and nothing is switched by itself",
    "every NVA dies",
    "nobody takes the switch up",
    "Azure fails every attempt",
    "Azure refuses a write",
    "the monitor sees nothing",
}
FIRES_ON = {
    "all-nvas-down": {"every NVA dies", "the monitor sees nothing"},
    "active-nva-down": {
        "the active NVA dies and nothing is switched by itself",
        "nobody takes the switch up",
        "Azure fails every attempt",
        "Azure refuses a write",
    },
    "nva-down": FALLEN,
    "switch-failed": {"Azure fails every attempt", "Azure refuses a write"},
    "switch-unclaimed": {"nobody takes the switch up", "a stranger holds the lease of a switch"},
    "group-unwatched": {"a row cannot be read", "every round raises"},
    "monitor-blind": {"the monitor sees nothing"},
    "poison-message": {"Azure fails every attempt"},
    "host-ends": {"the host ends and ends again"},
    "nva-not-ready": {"a standby is not ready", "neither is ready, and then one is"},
    "nva-unsteady": {"a standby answers now and then"},
    "drift": {"routes are bent and left so"},
    "active-unknown": {"Azure could never be read"},
    "throttled": {"Azure refuses to be looked at"},
    "failover-dropped": {"a scheduled failover meets a pause"},
    "no-token": {"no token can be had"},
    "rival": {"another deployment's mark is seen"},
    "canary-failed": {"the canary fails", "the canary fails as ever"},
    "no-standby": {"the standby monitor is gone"},
}
"""Rule -> the stories that an operator must be told of by it; of every other story it must not speak."""
ONCE = {"poison-message", "host-ends", "monitor-blind", "failover-dropped"}
"""Rules that say no more of what has not happened again; the leader says ever anew that it is blind."""
LATE_S = 300.0
"""Telemetry may arrive so late, and must be seen nevertheless (Azure Monitor: "some minutes")."""
OVER_S = 1200.0
"""So long after it, nothing that was one event is an alert any more, and all that lasts still is."""
SILENCES = {
    "no-leader": {20.0: False, 60.0: False, 150.0: False, 240.0: True, 500.0: True, 900.0: True},
    "monitor-silent": {20.0: False, 240.0: False, 400.0: True, 3600.0: True, 80_000.0: True},
}
"""Rules on what is not heard: seconds after the end of a story -> whether that is too long by then."""
NEVER_HEARD = {"no-leader": True, "monitor-silent": False}
"""Whether such a rule speaks where nobody was ever heard of: a monitor that never was is not missed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule as deployed."""

    name: str
    query: str
    severity: int
    window_s: float
    every_s: float
    by: tuple[str, ...]
    enabled: bool

    def fires(self, lines: Iterable[Line], host: dict[str, Any], at_s: float) -> bool:
        """Tell whether the rule fires when it is run at a time: its query returns a row."""
        return self.enabled and bool(result(self.query, lines, host, at_s, self.window_s))

    def heard(self, host: dict[str, Any], at_s: float) -> set[str]:
        """Return the stories that the rule fires on when it is run at a time."""

        def ask(lines: Iterable[Line]) -> list[Row]:
            return result(self.query, lines, host, at_s, self.window_s) if self.enabled else []

        return {story for story, rows in by_story(self.query, ask).items() if rows}


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
    by = {
        name: tuple(re.findall(r"name: '(\w+)'", columns))
        for name, columns in re.findall(r"^var (by\w+) = \[\n(.*?)^\]", template, re.M | re.S)
    }
    found = re.findall(
        r"name: '([\w-]+)'\n +title: .*\n +severity: (\d)\n"
        r" +query: loadTextContent\('.*/queries/([\w.-]+)'\)\n"
        r" +every: '(\w+)'\n +window: '(\w+)'\n +by: (\S+)\n",
        template,
    )
    enabled = common.get("enabled") == "true"
    return {
        name: Rule(
            name,
            queries.get(file, ""),
            int(severity),
            seconds(window),
            seconds(every),
            by.get(columns, ()),
            enabled,
        )
        for name, severity, file, every, window, columns in found
    }


def seconds(period: str) -> float:
    """Return the length of a period as Azure writes it, such as PT6H."""
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
    yield from (f"there is no rule {name}" for name in (*FIRES_ON, *SILENCES) if name not in found)
    for rule in (rule for rule in found.values() if only in (None, rule.name)):
        if rule.every_s > (60.0 if rule.severity < 2 else 300.0):
            yield f"{rule.name} is not run often enough"
        try:
            yield from _silence_problems(rule, host) if rule.name in SILENCES else _problems(rule, host)
        except Exception as error:  # noqa: BLE001 - whatever keeps a query from running is the finding
            yield f"{rule.name} cannot be run: {error}"


def _problems(rule: Rule, host: dict[str, Any]) -> Iterator[str]:
    loud = FIRES_ON.get(rule.name, set())
    for story in loud - rule.heard(host, LATE_S):
        yield f"{rule.name} is silent when {story}"
    for story in rule.heard(host, 1.0) - loud:
        yield f"{rule.name} fires when {story}"
    over = rule.heard(host, OVER_S) & loud
    for story in over if rule.name in ONCE else loud - over:
        wrong = "still fires" if rule.name in ONCE else "is silent"
        yield f"{rule.name} {wrong} {OVER_S:g} s after {story}"


def _silence_problems(rule: Rule, host: dict[str, Any]) -> Iterator[str]:
    """A story that ends is a leader that is heard of no more."""
    lines = stories()["the leader stops"]
    for at_s, must in SILENCES[rule.name].items():
        if rule.fires(lines, host, at_s) is not must:
            yield f"{rule.name} {'is silent' if must else 'fires'} {at_s:g} s after the leader stopped"
    if rule.fires([], host, 0.0) is not NEVER_HEARD[rule.name]:
        yield f"{rule.name} is wrong about a log in which nothing ever was"
