"""Alert rules on a stepped clock: what Azure Monitor would have open at each minute, as lines arrive late.

Azure Monitor runs a rule at its frequency over the window that ends then, on what has arrived. It splits the
rows by the rule's dimensions; each combination has an alert of its own. A stateful alert fires once. It is
resolved when its condition was not met for ten minutes (each minute), or for three evaluations (every five to
fifteen minutes): MicrosoftDocs/azure-monitor-docs, alerts-overview.md, "Stateful alerts".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .alerts import Rule
from .kql import Workspace
from .stories import Line

MINUTE_S = 60.0
RESOLVED_AFTER = {60.0: 10, 300.0: 3}
"""Seconds between two evaluations -> after how many in a row without the condition an alert is resolved."""

Who = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: of which rule, on whom, and from which to which minute it was open; None: it still is."""

    rule: str
    who: Who
    fired: int
    resolved: int | None = None


def replay(
    rules: Iterable[Rule],
    lines: Iterable[Line],
    host: dict[str, Any],
    minutes: int,
    delay_s: Callable[[int], float],
) -> list[Alert]:
    """Run rules minute by minute and return the alerts in the order in which they fired.

    Args:
        rules: as deployed.
        lines: what was logged; minute 0 is where their `at_s` is 0.
        host: host.json, which decides what of it is stored.
        minutes: how long to go on.
        delay_s: seconds from being logged to being there to query, by the line's number.
    """
    there = [(line, delay_s(number)) for number, line in enumerate(lines)]
    listed = [rule for rule in rules if rule.enabled]
    # What has none of the words that a query looks for is no row of it: most lines are heartbeats.
    workspaces = {
        rule.name: Workspace([(line, late_s) for line, late_s in there if _may_match(rule, line)], host)
        for rule in listed
    }
    open_at: dict[tuple[str, Who], int] = {}
    quiet: dict[tuple[str, Who], int] = {}
    alerts: list[Alert] = []
    for minute in range(1, minutes + 1):
        for rule in listed:
            if minute * MINUTE_S % rule.every_s:
                continue
            rows = workspaces[rule.name].result(rule.query, minute * MINUTE_S, rule.window_s)
            met = {tuple(str(row[name]) for name in rule.by) for row in rows}
            for who in met:
                open_at.setdefault((rule.name, who), minute)
            for key in [key for key in open_at if key[0] == rule.name]:
                quiet[key] = 0 if key[1] in met else quiet.get(key, 0) + 1
                if quiet[key] >= RESOLVED_AFTER[rule.every_s]:
                    alerts.append(Alert(*key, open_at.pop(key), minute))
    alerts += [Alert(*key, fired) for key, fired in open_at.items()]
    return sorted(alerts, key=lambda alert: (alert.fired, alert.rule, alert.who))


def _may_match(rule: Rule, line: Line) -> bool:
    words = re.findall(r'has "(\w+)"', rule.query)
    return not words or any(word in line.text for word in words)
