"""What the portal shows: the queries as the compiled templates have them, on rows that the app emits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from nvaha.core.advice import TODO
from nvaha.model.events import TROUBLE

from .kql import Row, result, usage
from .reports import fields
from .rules.portal import dashboard_tiles, files, workbook_queries
from .rules.sent import World
from .rules.ways import COMMON, Way
from .stories import Line, stories
from .template.source import Files
from .test_queries import HOST


@cache
def deployed() -> World:
    """Return a monitor as it is deployed with defaults."""
    return Way(COMMON).world(Files())


def shown(part: str, lines: tuple[Line, ...]) -> list[Row]:
    """Return what a part of the workbook shows of what was logged."""
    return result(workbook_queries(deployed())[part]["query"], lines, HOST, 1.0)


def told(story: str, *events: str) -> list[dict[str, Any]]:
    """Return the JSON of what was told in a story, of some events."""
    return [each for line in stories()[story] if (each := fields(line))["event"] in events]


STANDING = {
    "nothing happens": ("g0n0", "steady", "well"),
    "the standby NVA dies": ("g0n0", "steady", "nva_down"),
    "the active NVA dies": ("g0n1", "steady", "nva_down"),
    "the active NVA dies and nothing is switched by itself": ("g0n0", "steady", "active_down"),
    "every NVA dies": ("g0n0", "steady", "all_down"),
    "every NVA dies and returns": ("g0n0", "steady", "well"),
    "nobody takes the switch up": ("g0n0", "switching", "active_down"),
    "Azure fails every attempt": ("g0n0", "unknown", "active_down"),
    "Azure refuses a write": ("g0n0", "unknown", "active_down"),
    "the monitor sees nothing": ("g0n0", "steady", "blind_all_down"),
    "an operator pauses, moves and resumes": ("g0n1", "steady", "paused"),
    "a standby is not ready": ("g0n0", "steady", "nva_not_ready"),
    "a standby is not ready for a while": ("g0n0", "steady", "well"),
    "a standby answers now and then": ("g0n0", "steady", "nva_unsteady"),
    "a row cannot be read": ("g0n0", "steady", "state_unreadable"),
    "every round raises": ("g0n0", "steady", "unwatched"),
    "Azure refuses to be looked at": ("g0n0", "steady", "throttled"),
    "Azure could never be read": ("", "unknown", "active_unknown"),
    "routes are bent and left so": ("g0n0", "steady", "drift_found"),
    "another deployment's mark is seen": ("g0n0", "steady", "rival"),
}
"""Story -> what its group's row says at the end: active NVA, phase, advice."""


@pytest.mark.parametrize("story", STANDING)
def test_groups_now(story: str) -> None:
    """A group has one row: who is active, in which phase, and the worst that is wrong with it."""
    [row] = shown("groups-now", stories()[story])
    assert (row["Active"], row["Phase"], row["Advice"]) == STANDING[story]
    last = told(story, "group_state")[-1]
    assert (row["Down"], row["Not_ready"]) == (last.get("down", ""), last.get("not_ready", ""))
    assert row["Why"] == last.get("blocked", "")
    assert row["Sentence"].startswith("g0 is ")
    assert "{" not in row["Sentence"]


def test_each_advice_is_a_section_of_the_runbook() -> None:
    """Whatever stands under Advice can be looked up, but that all is well, or told by another monitor."""
    query = workbook_queries(deployed())["groups-now"]["query"]
    words = re.findall(r'"(\w+)"(?:,$|\)$)', query.split("case(", 1)[1].split("| project", 1)[0], re.M)
    assert set(words) - set(TODO) - TROUBLE == {"elsewhere", "well"}
    assert set(words) >= {advice for _, _, advice in STANDING.values()}


def test_health_over_time() -> None:
    """Each group has as many NVAs down, in each ten minutes, as were ever told to be down at once."""
    for story in ("nothing happens", "the active NVA dies", "every NVA dies and returns"):
        lines = stories()[story]
        downs = [each.get("down", "") for each in told(story, "group_state")]
        most = max(len(each.split(", ")) if each else 0 for each in downs)
        rows = shown("health", lines)
        assert {row["Group"] for row in rows} == {"g0"}
        assert max(row["Down"] for row in rows) == most, story
    assert max(row["Down"] for row in shown("health", stories()["every NVA dies and returns"])) == 2


def test_latency_over_time() -> None:
    """Each NVA that answered has how long that took, on average and at most."""
    probes = [
        (f"g0/{each['nva']}", each["ms"], each["most_ms"])
        for line in told("every NVA dies and returns", "group_state")
        for each in line.get("probes", ())
    ]
    rows = shown("latency", stories()["every NVA dies and returns"])
    assert {row["Nva"] for row in rows} == {name for name, *_ in probes} == {"g0/g0n0", "g0/g0n1"}
    for row in rows:
        mine = [(ms, most) for name, ms, most in probes if name == row["Nva"]]
        assert min(ms for ms, _ in mine) <= row["Average_ms"] <= max(ms for ms, _ in mine)
        assert row["Worst_ms"] == max(most for _, most in mine) > 0.0


def test_switches_have_their_phases() -> None:
    """A switch that ended well says when it was claimed, when it first wrote, and when it was done."""
    [row] = shown("switches", stories()["the active NVA dies"])
    [done] = told("the active NVA dies", "switch_done")
    assert (row["Source"], row["Target"], row["Trigger"]) == ("g0n0", "g0n1", "failover")
    assert (row["Result"], row["Written"], row["Not_written"]) == ("switch_done", 1, 0)
    assert row["First_write_s"] == done["first_write_s"]
    assert 0.0 <= row["Claimed_s"] < row["Done_s"] < 10.0
    *_, refused = shown("switches", stories()["Azure refuses a write"])
    assert (refused["Result"], refused["Written"], refused["Not_written"]) == ("switch_failed", 0, 1)
    [waiting] = shown("switches", stories()["nobody takes the switch up"])
    assert (waiting["Result"], waiting["Claimed_s"], waiting["Done_s"]) == ("under way", None, None)


def test_errors_of_azure_are_counted_by_what_they_are() -> None:
    """What Azure refused has what that means and Azure's code; what it did not answer is told as well."""
    [row] = shown("arm-errors", stories()["Azure refuses a write"])
    times = len(told("Azure refuses a write", "step_failed"))
    wanted = ("step_failed", "refused", "ScopeLocked", times)
    assert (row["Event"], row["Fault"], row["Code"], row["Times"]) == wanted
    [unread] = shown("arm-errors", stories()["Azure fails every attempt"])
    assert (unread["Event"], unread["Group"]) == ("discovery_failed", "g0")
    assert "could not be read" in unread["Sentence"]
    assert shown("arm-errors", stories()["nothing happens"]) == []


def test_who_led_and_who_followed() -> None:
    """A leader and a follower each have the number of times that they were heard of."""
    rows = shown("monitors", stories()["nothing happens"])
    assert {(row["Monitor"], row["Epoch"]) for row in rows} == {("monitor0.1 leads", 1)}
    assert 1 <= sum(row["Signs"] for row in rows) <= 8
    rows = shown("monitors", stories()["the lonely leader has come to follow"])
    assert {row["Monitor"] for row in rows} == {"one leads", "one follows"}


def test_cost_of_events() -> None:
    """Each event is counted, and what its rows are billed for is theirs."""
    lines = stories()["the active NVA dies"]
    rows = shown("cost-of-events", lines)
    assert Counter({row["Event"]: row["Lines"] for row in rows}) == Counter(line.event for line in lines)
    billed = sum(len(line.text.encode()) for line in lines) / 1e6
    assert sum(row["Billed_MB"] for row in rows) == pytest.approx(billed)


def test_what_the_workspace_is_billed_for() -> None:
    """Azure's own counting is shown by table and day, without what is free."""
    counted = [("AppTraces", 2.5, True), ("AppTraces", 1.5, True), ("AzureActivity", 9.0, False)]
    rows = usage(workbook_queries(deployed())["ingestion"]["query"], counted)
    assert [(row["DataType"], row["Billed_MB"]) for row in rows] == [("AppTraces", 4.0)]


def test_charts_draw_columns_that_are_there() -> None:
    """Each axis and split of a chart, in the workbook and on the dashboard, is a column of its query."""
    some = (*stories()["the active NVA dies"], *stories()["Azure refuses a write"])

    def columns(query: str) -> set[str]:
        rows = usage(query, [("AppTraces", 1.0, True)]) if "\nUsage" in query else None
        return set((rows or result(query, some, HOST, 1.0))[0])

    for name, part in workbook_queries(deployed()).items():
        chart: Mapping[str, Any] = part.get("chartSettings", {})
        named = {*chart.get("yAxis", ()), *(chart[each] for each in ("xAxis", "group") if each in chart)}
        assert bool(named) is (part["visualization"] != "table"), name
        assert named <= columns(part["query"]), name
    drawn = [tile for tile in dashboard_tiles(deployed()) if tile["Dimensions"]]
    assert drawn
    for tile in drawn:
        axes = tile["Dimensions"]
        named = {each["name"] for each in (axes["xAxis"], *axes["yAxis"], *axes["splitBy"])}
        assert named <= columns(tile["Query"])


def test_the_workbook_and_the_dashboard_ask_for_nothing_else() -> None:
    """Every query that anything in the portal asks is run by a test here, or beside the other queries."""
    asked = {part["query"] for part in workbook_queries(deployed()).values()}
    asked |= {tile["Query"] for tile in dashboard_tiles(deployed())}
    assert asked <= set(files(deployed()).values())
    assert len(workbook_queries(deployed())) >= 8
