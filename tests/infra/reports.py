"""What each query says of what the app logged, compared with the log lines themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .kql import Row, result
from .stories import HOST_CATEGORY, Line, by_story, stories

ENDS = {"switch_done", "switch_failed", "switch_superseded"}
"""How a switch ends."""

LATEST = ("group_state", "heartbeat", "following")
"""What rules take the newest line of: of each group, and of the leader and who follows."""

HOUR_S = 3600.0
REACH_S = {"timeline.kql": 24 * HOUR_S, "switches.kql": 7 * 24 * HOUR_S, "rounds.kql": 6 * HOUR_S}
"""How far back each query for people looks, in seconds: what its first line promises."""

Check = Callable[[str, dict[str, Any], list[Row]], list[str]]


def fields(line: Line) -> dict[str, Any]:
    """Return an event's JSON, which is the last thing on its line; a line of somebody else has none."""
    if line.event is None:
        return {"event": None}
    found: dict[str, Any] = json.loads(line.text[line.text.rindex('{"event":') :])
    assert found["event"] == line.event
    return found


def report_problems(name: str, query: str, host: dict[str, Any]) -> list[str]:
    """Report where a query shows something else than what was logged, or columns with nothing in them."""
    everything = [line for lines in stories().values() for line in lines]
    try:
        if "arg_max" in query and name != "switches.kql":
            # Of one story at a time: each has its own groups, all called alike.
            found_by = by_story(query, lambda lines: result(query, lines, host, 1.0))
            rows = [row for found in found_by.values() for row in found]
        else:
            rows = result(query, everything, host, 1.0 if name != "no-leader.kql" else 300.0)
        found = [f"{name} shows nothing"] if not rows else _empty_columns(name, rows)
        return found + _reach(name, query, host, len(rows)) + CHECKS[name](query, host, rows)
    except Exception as error:  # noqa: BLE001 - whatever keeps a query from running is the finding
        return [f"{name} cannot be run: {error}"]


def _reach(name: str, query: str, host: dict[str, Any], rows: int) -> list[str]:
    """What is a little younger than the promised time is shown whole, what is older is not."""
    reach_s = REACH_S.get(name)
    if reach_s is None:
        return []
    everything = [line for lines in stories().values() for line in lines]
    span_s = -min(line.at_s for line in everything)
    younger = len(result(query, everything, host, reach_s - span_s - 1))
    older = len(result(query, everything, host, reach_s + 1))
    # The rows of a query by minute depend on where a minute begins.
    shown = younger > 0 if name == "rounds.kql" else younger == rows
    return [] if shown and not older else [f"{name} does not look back {reach_s / HOUR_S:.0f} h"]


def _empty_columns(name: str, rows: list[Row]) -> list[str]:
    """A column that no row fills reads a field that these events do not carry."""
    return [
        f"{name}: the column {column} is always empty"
        for column in rows[0]
        if all(row[column] in (None, "") for row in rows)
    ]


def _events(everything: Iterable[Line]) -> Counter[str]:
    found = (fields(line)["event"] for line in everything)
    return Counter(event for event in found if event not in {None, *LATEST})


def _timeline(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    logged = _events(line for lines in stories().values() for line in lines)
    shown = Counter(row["Event"] for row in rows)
    times = [row["TimeGenerated"] for row in rows]
    problems = [f"timeline.kql shows {dict(shown)} of {dict(logged)}"] if shown != logged else []
    return problems + (["timeline.kql is not newest first"] if times != sorted(times, reverse=True) else [])


def _moved(lines: Iterable[Line]) -> list[tuple[str, str, float | None]]:
    """Return each switch that was logged, the newest first: its operation, how it ended, after how long.

    One that has not ended is under way, and nobody knows for how long.
    """
    asked: dict[str, float] = {}
    ended: dict[str, tuple[str, float]] = {}
    for line in lines:
        found = fields(line)
        event, operation = found["event"], str(found.get("operation"))
        if event == "switch_requested":
            asked[operation] = line.at_s
        elif event in ENDS:
            ended[operation] = event, line.at_s
    return [
        (operation, ended[operation][0], ended[operation][1] - asked[operation])
        if operation in ended
        else (operation, "under way", None)
        for operation in list(asked)[::-1]
    ]


def _switches(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    problems = []
    found = by_story(query, lambda lines: result(query, lines, host, 1.0))
    for story, lines in stories().items():
        shown = found.get(story, [])
        wanted = _moved(lines)
        if [(row["Operation"], row["Result"]) for row in shown] != [each[:2] for each in wanted]:
            problems.append(f"switches.kql shows {shown} of {wanted} when {story}")
            continue
        problems += [
            f"switches.kql says {row['Done_s']} of {took_s} s when {story}"
            for row, (_, _, took_s) in zip(shown, wanted, strict=True)
            if (row["Done_s"] is None) is not (took_s is None)
            or (took_s is not None and abs(row["Done_s"] - took_s) > 0.01)
        ]
    if len(rows) != len({each[0] for lines in stories().values() for each in _moved(lines)}):
        problems.append("switches.kql loses switches of several operations")
    under_way = [line for line in stories()["the active NVA dies"] if fields(line)["event"] != "switch_done"]
    if [row["Result"] for row in result(query, under_way, host, 1.0)] != ["under way"]:
        problems.append("switches.kql does not say that a switch is under way")
    return problems


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


def _lists(event: str, when: Callable[[dict[str, Any]], bool] = lambda _: True, **columns: str) -> Check:
    """Return a check that each such event that was logged has a row, with its fields in the columns."""

    def check(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
        logged = Counter(
            tuple(each[name] for name in columns.values())
            for lines in stories().values()
            for line in lines
            if (each := fields(line))["event"] == event and when(each)
        )
        shown = Counter(tuple(row[name] for name in columns) for row in rows)
        return [f"{event}: {dict(shown)} is shown of {dict(logged)}"] if shown != logged else []

    return check


def _newest(when: Callable[[dict[str, Any]], bool], event: str = "group_state", **columns: str) -> Check:
    """Return a check that what was last told of each group has a row, if it is so, with its fields."""

    def check(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
        problems = []
        found = by_story(query, lambda lines: result(query, lines, host, 1.0))
        for story, lines in stories().items():
            last = {each.get("group"): each for each in map(fields, lines) if each["event"] == event}
            wanted = [tuple(each[name] for name in columns.values()) for each in last.values() if when(each)]
            shown = [tuple(row[name] for name in columns) for row in found.get(story, ())]
            if shown != wanted:
                problems.append(f"{shown} is shown of {wanted} when {story}")
        return problems

    return check


def _no_standby(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    """A leader that is missed by none, or that leads no more, is none that lost its standby."""
    problems = []
    for story, lines in stories().items():
        told = [each for each in map(fields, lines) if each["event"] in {"heartbeat", "following"}]
        wanted = [told[-1]["event"] == "heartbeat" and bool(told[-1].get("alone"))] if told else [False]
        if [bool(result(query, lines, host, 1.0))] != wanted:
            problems.append(f"no-standby.kql does not show {wanted} when {story}")
    return problems


def _canary_failed(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    """What a later run has mended is over; what no run has mended is not."""
    problems = []
    found = by_story(query, lambda lines: result(query, lines, host, 1.0))
    for story, lines in stories().items():
        told = [line.event for line in lines if line.event in {"canary_failed", "canary_done"}]
        wanted = ["canary"] if told[-1:] == ["canary_failed"] else []
        if [row["Group"] for row in found.get(story, ())] != wanted:
            problems.append(f"canary-failed.kql does not show {wanted} when {story}")
    return problems


def _no_token(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    """The app whose last word is that it can have none is shown, and none that can have one again."""
    shown = [row["App"] for row in result(query, stories()["no token can be had"], host, 1.0)]
    over = result(query, stories()["a token can be had again"], host, 1.0)
    return [f"no-token.kql shows {shown} and {over}"] if shown != ["app"] or over else []


def _host_ends(query: str, host: dict[str, Any], rows: list[Row]) -> list[str]:
    """Each app is counted by itself, and by its host's own lines only."""
    ends = Counter(
        line.app for lines in stories().values() for line in lines if line.category == HOST_CATEGORY
    )
    wanted = {app: times for app, times in ends.items() if times > 1}
    shown = {row["App"]: row["Ends"] for row in rows}
    return [f"host-ends.kql shows {shown} of {wanted}"] if shown != wanted else []


CHECKS: dict[str, Check] = {
    "timeline.kql": _timeline,
    "switches.kql": _switches,
    "rounds.kql": _rounds,
    "active-nva-down.kql": _newest(lambda each: "active_down" in each, Group="group", Nva="nva"),
    "all-nvas-down.kql": _newest(lambda each: "all_down" in each, Group="group"),
    "nva-down.kql": _newest(lambda each: "down" in each, Group="group", Nvas="down"),
    "switch-failed.kql": _newest(lambda each: "unfinished" in each, Group="group", Target="unfinished"),
    "switch-unclaimed.kql": _newest(lambda each: "unattended" in each or "held_up" in each, Group="group"),
    "group-unwatched.kql": _newest(lambda each: "unreadable" in each or "unwatched" in each, Group="group"),
    "nva-not-ready.kql": _newest(lambda each: "not_ready" in each, Group="group", Nvas="not_ready"),
    "nva-unsteady.kql": _newest(lambda each: "unsteady" in each, Group="group", Nvas="unsteady"),
    "rival.kql": _newest(lambda each: "rival" in each, Group="group"),
    "canary-failed.kql": _canary_failed,
    "drift.kql": _newest(lambda each: "drift" in each, Group="group"),
    "monitor-blind.kql": _newest(lambda each: each.get("blind", False), "heartbeat", Monitor="instance"),
    "no-standby.kql": _no_standby,
    "poison-message.kql": _lists(
        "message_poisoned", Group="group", Operation="operation", Monitor="instance"
    ),
    "host-ends.kql": _host_ends,
    "active-unknown.kql": _newest(
        lambda each: (
            each.get("phase") == "unknown"
            and bool({"unread", "blocked"} & each.keys())
            and "unfinished" not in each
        ),
        Group="group",
    ),
    "throttled.kql": _newest(lambda each: "throttled" in each, Group="group"),
    "failover-dropped.kql": _lists("failover_dropped", Group="group", Target="target"),
    "no-token.kql": _no_token,
    "no-leader.kql": lambda *_: [],
}
