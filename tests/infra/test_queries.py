"""The queries are valid, show what the app logged, and fit the rules of alerts that run each minute."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nvaha.model.events import EVENTS, FIELDS
from nvaha.text import safe

from .kql import ACTIVITY, DEPENDENCIES, EXCEPTIONS, TABLE_LOGS, USAGE
from .kql import COLUMNS as TYPES
from .reports import CHECKS, report_problems
from .stories import EXTRACTED, FORGED, NASTY, stories
from .tools import INFRA, ROOT, node, node_modules, run

KUSTO = Path(__file__).with_name("kusto")
QUERIES = {path.name: path.read_text(encoding="utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
ALERTS = re.findall(r"queries/([\w-]+\.kql)", (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8"))
HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))


def schema(columns: Mapping[str, str]) -> str:
    """Return a table's columns as the parser takes them."""
    return f"({', '.join(f'{name}: {kind}' for name, kind in columns.items())})"


COLUMNS = schema({name: kind for name, (kind, _) in TYPES.items()})
TABLES = {
    "AppTraces": COLUMNS,
    "AppDependencies": schema(DEPENDENCIES),
    "AppExceptions": schema(EXCEPTIONS),
    "AzureActivity": schema(ACTIVITY),
    "StorageTableLogs": schema(TABLE_LOGS),
    "Usage": schema(USAGE),
}
# Rules that run each minute may not use these (Azure Monitor, alerts-create-log-alert-rule.md).
NOT_EACH_MINUTE = re.compile(
    r"\b(search|union|take|limit|ingestion_time|adx|bag_unpack|pivot|narrow|AggregatedValue)\b"
)


WRONG = {
    "Mesage": "AppTraces | where Mesage has 'x'",
    "AppTrace": "AppTrace | where Message has 'x'",
    "OuterMesage": "AppExceptions | where OuterMesage has 'x'",
    "grp": 'AppTraces | extend Fields = parse_json(Message) | where Fields.grp == "edge"',
}
"""What the parser must not take, by what it must name."""


@dataclass(frozen=True)
class Answer:
    """What the parser says of a query: its problems, and the fields it reads from an event's JSON."""

    problems: list[str]
    fields: list[str]


def answers(queries: Mapping[str, str]) -> dict[str, Answer]:
    """Let Microsoft's own parser read the queries."""
    asked = json.dumps({"tables": TABLES, "queries": queries})
    modules = node_modules(KUSTO)
    done = run([node(), KUSTO / "check.js"], env={"NODE_PATH": str(modules)}, stdin=asked)
    assert done.returncode == 0, done.stderr
    return {name: Answer(**answer) for name, answer in json.loads(done.stdout).items()}


def field_problems(fields: Iterable[str]) -> list[str]:
    """Report fields that no event carries."""
    return [f"{name} is no field of any event" for name in fields if name not in FIELDS]


def event_problems(query: str) -> list[str]:
    """Report what a query looks for that is no event, and words that it finds and does not compare."""
    looked_for = set(re.findall(r"has \"(\w+)\"", query)) - {"event"}
    compared = set(re.findall(r"(?:Fields\.event\)|Event) (?:==|!=) \"(\w+)\"", query))
    listed = set(re.findall(r"\"(\w+)\"", "".join(re.findall(r"Event in \(([^)]*)\)", query))))
    problems = [
        f"{name} is no event" for name in sorted(looked_for | compared | listed) if name not in EVENTS
    ]
    if not looked_for <= compared | listed:
        problems.append("a line that has a word in it is not yet that event")
    return problems


def minute_problems(query: str) -> list[str]:
    """Report what a rule that runs each minute may not use."""
    code = "\n".join(line for line in query.splitlines() if not line.startswith("//"))
    return [*NOT_EACH_MINUTE.findall(code), *re.findall(r"ago\((?!\d+[smhd]\))", code)]


def printed() -> dict[str, str]:
    """Return the queries that stand on pages."""
    return {
        f"{path.name} {number}": block
        for path in sorted((ROOT / "docs").glob("*.md"))
        for number, block in enumerate(
            re.findall(r"^```kusto\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)
        )
    }


@pytest.fixture(scope="module")
def parsed() -> dict[str, Answer]:
    """All queries, and some wrong ones, parsed in one run: the parser takes seconds to start."""
    return answers({**QUERIES, **printed(), **WRONG})


def test_queries_are_valid(parsed: dict[str, Answer]) -> None:
    """Each query parses, and each name in it is known."""
    assert {name: parsed[name].problems for name in (*QUERIES, *printed()) if parsed[name].problems} == {}
    assert len(printed()) >= 3


def test_queries_read_known_fields(parsed: dict[str, Answer]) -> None:
    """Each field that a query reads is one that events carry."""
    read = {name: field_problems(parsed[name].fields) for name in (*QUERIES, *printed())}
    assert {name: problems for name, problems in read.items() if problems} == {}
    assert [name for name in QUERIES if not parsed[name].fields] == ["host-ends.kql", "ingestion.kql"]


def test_wrong_queries_are_found(parsed: dict[str, Answer]) -> None:
    """A column or table that is none, and a field that no event carries, are reported."""
    for name in ("Mesage", "AppTrace", "OuterMesage"):
        assert name in str(parsed[name].problems)
    assert field_problems(parsed["grp"].fields) == ["grp is no field of any event"]


@pytest.mark.parametrize("name", QUERIES)
def test_query_names_known_events(name: str) -> None:
    """Each event that a query looks for is one that is logged."""
    assert event_problems(QUERIES[name]) == []


@pytest.mark.parametrize("name", CHECKS)
def test_query_shows_what_was_logged(name: str) -> None:
    """A query returns exactly what the app logged, with something in each column."""
    assert report_problems(name, QUERIES[name], HOST) == []


def test_every_query_finds_events_alike() -> None:
    """What cannot be taken for an event by one query, as tests of the notifier hold, cannot be by any."""
    texts = [*QUERIES.values(), *printed().values()]
    found = [each for query in texts for each in re.findall(r"extract\(@'(.*?)', 1, Message\)", query)]
    assert set(found) == {EXTRACTED}
    assert len(found) >= len(QUERIES) - 2


def test_stories_hold_what_queries_could_trip_over() -> None:
    """Among the lines are an operator's words that look like events, and every event that a query names."""
    logged = "\n".join(line.text for lines in stories().values() for line in lines)
    assert safe(NASTY).replace('{"event":', '{ "event":') in logged
    assert FORGED.replace('{"event":', '{ "event":') in logged
    named = {name for query in QUERIES.values() for name in re.findall(r'has "(\w+)"', query)} & EVENTS.keys()
    assert {name for name in named if f'{{"event": "{name}"' not in logged} <= {"switch_superseded"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_query_can_run_each_minute(name: str) -> None:
    """A query of an alert rule uses nothing that a rule run each minute forbids."""
    assert minute_problems(QUERIES[name]) == []
