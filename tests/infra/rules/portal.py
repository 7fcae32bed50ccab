"""What is in the portal: a workbook, a dashboard and saved queries, each with a query as its file has it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from .app import differences
from .sent import Sent, World

WORKBOOK = "Microsoft.Insights/workbooks"
DASHBOARD = "Microsoft.Portal/dashboards"
PACK = "Microsoft.OperationalInsights/queryPacks"
SAVED = f"{PACK}/queries"
QUERY, TEXT, PARAMETERS, GROUP = 3, 1, 9, 12
"""Kinds of a workbook's items (microsoft/Application-Insights-Workbooks)."""
LOGS_TILE = "Extension/Microsoft_OperationsManagementSuite_Workspace/PartType/LogsDashboardPart"
PARAMETER = re.compile(r"\{[A-Za-z_]\w*(:\w+)?\}")
"""What a workbook replaces in a query, and waits for if it has no such parameter."""
LONGEST_QUERY = 10_000
"""Far below what a workbook, a tile or a saved query may be; a query of ours is a page at most."""


def workbook(world: World) -> dict[str, Any]:
    """Return the content of the workbook."""
    found: dict[str, Any] = json.loads(world.one(WORKBOOK).properties["serializedData"])
    return found


def workbook_queries(world: World) -> dict[str, dict[str, Any]]:
    """Return the content of each part of the workbook that asks something, by its name."""
    items = workbook(world)["items"]
    return {each["name"]: each["content"] for each in items if each["type"] == QUERY}


def dashboard_tiles(world: World) -> list[dict[str, Any]]:
    """Return what each tile of the dashboard that asks something is given."""
    parts = world.one(DASHBOARD).properties["lenses"][0]["parts"]
    tiles = [each["metadata"] for each in parts if each["metadata"]["type"] == LOGS_TILE]
    return [{each["name"]: each["value"] for each in tile["inputs"]} for tile in tiles]


def files(world: World) -> dict[str, str]:
    """Return the queries by the name of their file."""
    folder = world.files.root / "queries"
    return {path.stem: world.files.text(path) for path in sorted(folder.glob("*.kql"))}


def portal_problems(world: World) -> Iterator[str]:
    """Report what is missing in the portal, asks another workspace, or something else than its file."""
    wanted = int(bool(world.parameter("portal")))
    for kind in (WORKBOOK, DASHBOARD, PACK):
        if len(world.of(kind)) != wanted:
            yield f"{len(world.of(kind))} of {kind} are made, not {wanted}"
            return
    if not wanted:
        yield from (f"{each.place} is saved, and nothing else" for each in world.of(SAVED))
        return
    queries, workspace = files(world), world.outputs["NVAHA_WORKSPACE_ID"]
    yield from _saved_problems(world, queries)
    yield from _workbook_problems(world, queries, workspace)
    yield from _dashboard_problems(world, queries, workspace)


def _saved_problems(world: World, queries: Mapping[str, str]) -> Iterator[str]:
    saved = world.of(SAVED)
    bodies = sorted(each.properties["body"] for each in saved)
    yield from differences(bodies, sorted(queries.values()), "saved queries")
    titles = [each.properties["displayName"] for each in saved]
    if len(set(titles)) != len(titles) or not all(each.startswith("nvaha: ") for each in titles):
        yield f"saved queries are not told apart by their titles: {titles}"
    for each in saved:
        uuid.UUID(each.name)
        first = each.properties["body"].splitlines()[0]
        if f"// {each.properties['description']}" != first or not first.endswith("."):
            yield f"{each.place} is not described by a sentence, the first line of its file: {first}"


def _workbook_problems(world: World, queries: Mapping[str, str], workspace: str) -> Iterator[str]:
    sent: Sent = world.one(WORKBOOK)
    uuid.UUID(sent.name)
    yield from differences(sent.properties["sourceId"], workspace, f"{sent.place}.sourceId")
    content = workbook(world)
    known = {each["name"] for item in content["items"] for each in item["content"].get("parameters", ())}
    kinds = {each["type"] for each in content["items"]}
    if content["version"] != "Notebook/1.0" or kinds != {QUERY, TEXT, PARAMETERS, GROUP}:
        yield f"{sent.place} is no workbook: {content['version']}, items {kinds}"
    for name, part in workbook_queries(world).items():
        place = f"{sent.place} {name}"
        yield from differences(part["query"], queries.get(name), f"{place}.query")
        yield from differences(part["crossComponentResources"], [workspace], f"{place}.workspace")
        if PARAMETER.search(part["query"]) or len(part["query"]) > LONGEST_QUERY:
            yield f"{place} would not be shown as its file has it"
        asked = part.get("timeContextFromParameter")
        if (asked in known) is ("timeContext" in part):
            yield f"{place} is of no time, or of two: {asked}, {part.get('timeContext')}"
    shown = [each["content"]["json"] for each in _texts(content["items"])]
    if world.files.text(world.files.root / "../docs/runbook.md") not in shown:
        yield f"{sent.place} has no runbook"


def _texts(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in items:
        if each["type"] == TEXT:
            yield each
        elif each["type"] == GROUP:
            yield from _texts(each["content"]["items"])


def _dashboard_problems(world: World, queries: Mapping[str, str], workspace: str) -> Iterator[str]:
    sent = world.one(DASHBOARD)
    tiles = dashboard_tiles(world)
    if not tiles:
        yield f"{sent.place} shows nothing"
    for tile in tiles:
        place = f"{sent.place} {tile['PartTitle']}"
        if tile["Query"] not in queries.values():
            yield f"{place} asks what is in no file"
        yield from differences(tile["Scope"], {"resourceIds": [workspace]}, f"{place}.Scope")
        # What names a time itself must not be given another.
        yield from differences(tile["IsQueryContainTimeRange"], "ago(" in tile["Query"], f"{place} time")
        chart = bool(tile["SpecificChart"])
        kind = ["AnalyticsGrid", "FrameControlChart"][chart]
        yield from differences(tile["ControlType"], kind, f"{place}.ControlType")
        if chart is not bool(tile["Dimensions"]):
            yield f"{place} is drawn by nothing: {tile['Dimensions']}"
    places = [
        (each["position"]["x"] + across, each["position"]["y"] + down)
        for each in sent.properties["lenses"][0]["parts"]
        for across in range(each["position"]["colSpan"])
        for down in range(each["position"]["rowSpan"])
    ]
    if len(set(places)) != len(places):
        yield f"{sent.place} has one tile over another"
    if world.one(WORKBOOK).id not in json.dumps(sent.properties):
        yield f"{sent.place} does not lead to the workbook"
