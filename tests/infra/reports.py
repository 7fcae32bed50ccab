"""What each query says of what the app logged, compared with the log lines themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .kql import Row, result
from .stories import Line, stories

ENDS = {
    "the active NVA dies": "switch_done",
    "nobody takes the switch up": "switch_failed",
    "Azure fails every attempt": "switch_failed",
    "an operator pauses, moves and resumes": "switch_done",
}
"""Story -> how its only switch ends."""

Check = Callable[[str, dict[str, Any], list[Row]], list[str]]


def fields(line: Line) -> dict[str, Any]:
    """Return an event's JSON, which is the last thing on its line."""
    found: dict[str, Any] = json.loads(line.text[line.text.rindex('{"event":') :])
    return found


def report_problems(name: str, query: str, host: dict[str, Any]) -> list[str]:
    """Report where a query shows something else than what was logged, or columns with nothing in them."""
    everything = [line for lines in stories().values() for line in lines]
    try:
        rows = result(query, everything, host, 1.0 if name != "no-leader.kql" else 240.0)
        found = [f"{name} shows nothing"] if not rows else _empty_columns(name, rows)
        return found + CHECKS[name](query, host, rows)
    except Exception as error:  # noqa: BLE001 - whatever keeps a query from running is the finding
        return [f"{name} cannot be run: {error}"]


def _empty_columns(name: str, rows: list[Row]) -> list[str]:
    """A column that no row fills reads a field that these events do not carry."""
    return [
        f"{name}: the column {column} is always empty"
        for column in rows[0]
        if all(row[column] in (None, "") for row in rows)
    ]


def _events(everything: Iterable[Line]) -> Counter[str]:
    return Counter(event for line in everything if (event := fields(line)["event"]) != "heartbeat")


def _timeline(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    logged = _events(line for lines in stories().values() for line in lines)
    shown = Counter(row["Event"] for row in rows)
    times = [row["TimeGenerated"] for row in rows]
    problems = [f"timeline.kql shows {dict(shown)} of {dict(logged)}"] if shown != logged else []
    return problems + (["timeline.kql is not newest first"] if times != sorted(times, reverse=True) else [])


def _switches(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    problems = []
    for story, lines in stories().items():
        shown = result(query, lines, host, 1.0) if story in ENDS else []
        wanted = [ENDS[story]] if story in ENDS else []
        if [row["Result"] for row in shown] != wanted:
            problems.append(f"switches.kql shows {shown} when {story}")
            continue
        for row in shown:
            asked, over = (_time_of(lines, event) for event in ("switch_requested", row["Result"]))
            if abs(row["Took"].total_seconds() - (over - asked)) > 0.01:
                problems.append(f"switches.kql says {row['Took']} of {over - asked:.3f} s when {story}")
    if len(rows) < len(ENDS) - 1:
        problems.append("switches.kql loses switches of several operations")
    under_way = [line for line in stories()["the active NVA dies"] if fields(line)["event"] != "switch_done"]
    if [row["Result"] for row in result(query, under_way, host, 1.0)] != ["under way"]:
        problems.append("switches.kql does not say that a switch is under way")
    return problems


def _time_of(lines: Iterable[Line], event: str) -> float:
    return next(line.at_s for line in lines if fields(line)["event"] == event)


def _rounds(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    problems = []
    for story, blind in (("nothing happens", 0), ("the monitor sees nothing", 1)):
        beats = [each for line in stories()[story] if (each := fields(line))["event"] == "heartbeat"]
        shown = result(query, stories()[story], host, 1.0)
        logged = {
            "Groups": max(each["groups"] for each in beats),
            "Worst_ms": max(each["round_ms"] for each in beats),
            "Blind": sum(each["blind"] for each in beats),
            "Epoch": max(each["epoch"] for each in beats),
        }
        said = {
            "Groups": max(row["Groups"] for row in shown),
            "Worst_ms": max(row["Worst_ms"] for row in shown),
            "Blind": sum(row["Blind"] for row in shown),
            "Epoch": max(row["Epoch"] for row in shown),
        }
        if said != logged or (said["Blind"] > 0) is not bool(blind):
            problems.append(f"rounds.kql says {said} of {logged} when {story}")
        if any(not 0 <= row["P95_ms"] <= row["Worst_ms"] for row in shown):
            problems.append(f"rounds.kql's percentile is beyond the worst when {story}")
    return problems


def _says(**wanted: object) -> Check:
    """Return a check that each row fills all its columns, and says so much of what the stories are about."""

    def check(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
        empty = [f"{column} is empty" for row in rows for column in row if row[column] in (None, "")]
        other = [f"not {wanted} but {row}" for row in rows if wanted.items() - row.items()]
        return empty + other

    return check


CHECKS: dict[str, Check] = {
    "timeline.kql": _timeline,
    "switches.kql": _switches,
    "rounds.kql": _rounds,
    "active-nva-down.kql": _says(Group="g0", Nva="g0n0"),
    "all-nvas-down.kql": _says(Group="g0"),
    "switch-failed.kql": _says(Group="g0", Generation=1),
    "poison-message.kql": _says(Group="g0"),
    "no-leader.kql": _says(),
}
