"""The queries are valid, read fields that events carry, and fit the rules of alerts that run each minute."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nvaha.model import Notice
from nvaha.model.events import EVENTS, FIELDS
from nvaha.notify import LogNotifier

from .tools import INFRA, node, node_modules, run

KUSTO = Path(__file__).with_name("kusto")
QUERIES = {path.name: path.read_text(encoding="utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
ALERTS = re.findall(r"queries/([\w-]+\.kql)", (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8"))

# The columns of AppTraces that a query here may rely on (Azure Monitor's table reference).
COLUMNS = (
    "(TimeGenerated: datetime, Message: string, SeverityLevel: int, Properties: dynamic, "
    "OperationId: string, OperationName: string, AppRoleName: string, AppRoleInstance: string, "
    "ItemCount: int, _ResourceId: string)"
)
# Rules that run each minute may not use these (Azure Monitor, alerts-create-log-alert-rule.md).
NOT_EACH_MINUTE = re.compile(
    r"\b(search|union|take|limit|ingestion_time|adx|bag_unpack|pivot|narrow|AggregatedValue)\b"
)


@dataclass(frozen=True)
class Answer:
    """What the parser says of a query: its problems, and the fields it reads from an event's JSON."""

    problems: list[str]
    fields: list[str]


def answers(queries: Mapping[str, str]) -> dict[str, Answer]:
    """Let Microsoft's own parser read the queries."""
    asked = json.dumps({"tables": {"AppTraces": COLUMNS}, "queries": queries})
    modules = node_modules(KUSTO)
    done = run([node(), KUSTO / "check.js"], env={"NODE_PATH": str(modules)}, stdin=asked)
    assert done.returncode == 0, done.stderr
    return {name: Answer(**answer) for name, answer in json.loads(done.stdout).items()}


def field_problems(fields: Iterable[str]) -> list[str]:
    """Report fields that no event carries."""
    return [f"{name} is no field of any event" for name in fields if name not in FIELDS]


@pytest.fixture(scope="module")
def parsed() -> dict[str, Answer]:
    """All queries, parsed in one run."""
    return answers(QUERIES)


def test_queries_are_valid(parsed: dict[str, Answer]) -> None:
    """Each query parses, and each name in it is known."""
    assert {name: answer.problems for name, answer in parsed.items() if answer.problems} == {}
    assert len(parsed) >= 5


def test_queries_read_known_fields(parsed: dict[str, Answer]) -> None:
    """Each field that a query reads is one that events carry."""
    assert {name: field_problems(answer.fields) for name, answer in parsed.items()} == {
        name: [] for name in parsed
    }
    assert all(answer.fields for answer in parsed.values())


@pytest.mark.parametrize("name", QUERIES)
def test_query_names_known_events(name: str) -> None:
    """Each event that a query looks for is one that is logged."""
    looked_for = set(re.findall(r"has \"(\w+)\"", QUERIES[name])) - {"event"}
    compared = re.findall(r"(?:Fields\.event\)|Event) (?:==|!=) \"(\w+)\"", QUERIES[name])
    listed = re.findall(r"\"(\w+)\"", "".join(re.findall(r"Event in \(([^)]*)\)", QUERIES[name])))
    assert (looked_for | set(compared) | set(listed)) <= set(EVENTS)
    assert compared


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_the_json_that_is_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The expression by which a query finds an event's JSON finds it in a line that the app logs."""
    sentence = 'edge: Azure said {"error": {"code": "Conflict"}}'
    with caplog.at_level("INFO", logger="nvaha"):
        LogNotifier().notify(Notice("nva_down", "error", sentence, {"group": "edge", "text": "{x}"}))
    (expression,) = re.findall(r"extract\(@'(.*)', 1, Message\)", QUERIES[name])
    found = re.search(expression, caplog.messages[-1])
    assert found is not None
    assert json.loads(found.group(1)) == {"event": "nva_down", "group": "edge", "text": "{x}"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_query_can_run_each_minute(name: str) -> None:
    """A query of an alert rule uses nothing that a rule run each minute forbids."""
    code = "\n".join(line for line in QUERIES[name].splitlines() if not line.startswith("//"))
    assert NOT_EACH_MINUTE.findall(code) == []
    assert re.findall(r"ago\((?!\d+[smhd]\))", code) == []


def test_every_required_alert_is_there() -> None:
    """There is a rule for each thing that an operator must hear of."""
    assert {
        "active-nva-down.kql",
        "all-nvas-down.kql",
        "switch-failed.kql",
        "no-leader.kql",
        "poison-message.kql",
    } == set(ALERTS)
