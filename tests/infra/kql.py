"""Queries, run on what the app logs and host.json stores.

The engine is duckdb-kql: it translates Kusto's language for DuckDB. Microsoft's own parser says beside it
(test_queries.py) that Azure takes each query as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import duckdb_kql

from .hosting import stores
from .stories import Line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When every query is run; how long ago a line was logged is what differs."""
SEVERITY = {"Information": 1, "Warning": 2, "Error": 3}

# The columns of AppTraces that a query may rely on (Azure Monitor's table reference), and DuckDB's types.
COLUMNS = {
    "TimeGenerated": ("datetime", "TIMESTAMP"),
    "Message": ("string", "VARCHAR"),
    "SeverityLevel": ("int", "INTEGER"),
    "Properties": ("dynamic", "JSON"),
    "OperationId": ("string", "VARCHAR"),
    "OperationName": ("string", "VARCHAR"),
    "AppRoleName": ("string", "VARCHAR"),
    "AppRoleInstance": ("string", "VARCHAR"),
    "ItemCount": ("int", "INTEGER"),
    "_ResourceId": ("string", "VARCHAR"),
    "_BilledSize": ("real", "DOUBLE"),
}

# Of AppExceptions a page has a query to read, and nothing here fills it.
EXCEPTIONS = {
    "TimeGenerated": "datetime",
    "ProblemId": "string",
    "ExceptionType": "string",
    "OuterMessage": "string",
    "InnermostMessage": "string",
    "SeverityLevel": "int",
    "Properties": "dynamic",
    "AppRoleName": "string",
    "AppRoleInstance": "string",
}

# Of these as well (their table references).
ACTIVITY = {
    "TimeGenerated": "datetime",
    "CorrelationId": "string",
    "Caller": "string",
    "CallerIpAddress": "string",
    "OperationNameValue": "string",
    "ActivityStatusValue": "string",
    "_ResourceId": "string",
}
DEPENDENCIES = {
    "TimeGenerated": "datetime",
    "OperationId": "string",
    "Name": "string",
    "DurationMs": "real",
    "Success": "bool",
    "Properties": "dynamic",
}
TABLE_LOGS = {
    "TimeGenerated": "datetime",
    "OperationName": "string",
    "StatusText": "string",
    "Uri": "string",
    "AuthenticationType": "string",
    "RequesterObjectId": "string",
    "CallerIpAddress": "string",
}

USAGE = {
    "TimeGenerated": "datetime",
    "DataType": "string",
    "Solution": "string",
    "Quantity": "real",
    "QuantityUnit": "string",
    "IsBillable": "bool",
    "ResourceUri": "string",
}

Row = dict[str, Any]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    kinds = ", ".join(f'"{name}" {kind}' for name, (_, kind) in COLUMNS.items())
    connection.execute(f"CREATE TABLE AppTraces ({kinds})")
    return connection


_ARRIVED = f"""
CREATE VIEW AppTraces AS
SELECT TIMESTAMP '{NOW.replace(tzinfo=None)}' + to_microseconds(CAST((Told_s - Until_s) * 1e6 AS BIGINT))
    AS TimeGenerated, Line AS Message, 1 AS SeverityLevel, json_object('Category', Category) AS Properties,
    '' AS OperationId, '' AS OperationName, App AS AppRoleName, '' AS AppRoleInstance, 1 AS ItemCount,
    '' AS _ResourceId, 0.0 AS _BilledSize
FROM Logged, Clock
WHERE Here_s <= Until_s AND Told_s > Since_s
"""  # noqa: S608 - nothing of anybody's is in it


def usage(query: str, counted: Iterable[tuple[str, float, bool]]) -> list[Row]:
    """Return the rows of a query on Azure's own table of what it counts.

    Args:
        query: the query's text.
        counted: an hour before now each: the table, how many MB, and whether they are billed.
    """
    connection = duckdb.connect()
    kinds = {"datetime": "TIMESTAMP", "string": "VARCHAR", "real": "DOUBLE", "bool": "BOOLEAN"}
    columns = ", ".join(f'"{name}" {kinds[kind]}' for name, kind in USAGE.items())
    connection.execute(f"CREATE TABLE Usage ({columns})")
    hour_ago = NOW.replace(tzinfo=None) - timedelta(hours=1)
    for name, quantity, billed in counted:
        values = [hour_ago, name, "LogManagement", quantity, "MBytes", billed, ""]
        connection.execute("INSERT INTO Usage VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    sql = duckdb_kql.to_sql(query, schema={"Usage": list(USAGE)}, query_now=NOW)
    answer = connection.execute(str(sql), dict(sql.parameters))
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


class Workspace:
    """Lines that arrive one after the other; a query sees those that are there when it is run.

    Args:
        lines: what is logged, each with the seconds until it is there.
        host: host.json, which decides what of it is stored.
    """

    def __init__(self, lines: Iterable[tuple[Line, float]], host: dict[str, Any]) -> None:
        self._connection = connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 1")
        connection.execute("CREATE TABLE Clock (Until_s DOUBLE, Since_s DOUBLE)")
        connection.execute("INSERT INTO Clock VALUES (0, 0)")
        columns = "(Told_s DOUBLE, Here_s DOUBLE, Line VARCHAR, Category VARCHAR, App VARCHAR)"
        connection.execute(f"CREATE TABLE Logged {columns}")
        rows: list[list[Any]] = [
            [line.at_s, line.at_s + late_s, line.text, line.category, line.app]
            for line, late_s in lines
            if stores(host, line.category, line.level)
        ]
        self._times = [(float(row[0]), float(row[1])) for row in rows]
        self._last: tuple[str, tuple[int, ...], list[Row]] = "", (), []
        if rows:
            connection.executemany("INSERT INTO Logged VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute(_ARRIVED)

    def result(self, query: str, at_s: float, window_s: float) -> list[Row]:
        """Return the rows of a query at a time, over the window that ends then.

        A query that does not ask what time it is, asked again about the same lines, is not run again.
        """
        seen = tuple(
            number
            for number, (told_s, here_s) in enumerate(self._times)
            if here_s <= at_s and told_s > at_s - window_s
        )
        if "now()" not in query and "ago(" not in query and self._last[:2] == (query, seen):
            return self._last[2]
        self._last = query, seen, self._run(query, at_s, window_s)
        return self._last[2]

    def _run(self, query: str, at_s: float, window_s: float) -> list[Row]:
        self._connection.execute("UPDATE Clock SET Until_s = ?, Since_s = ?", [at_s, at_s - window_s])
        answer = self._connection.execute(*_sql(query))
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@cache
def _sql(query: str) -> tuple[str, dict[str, Any]]:
    sql = duckdb_kql.to_sql(query, schema={"AppTraces": list(COLUMNS)}, query_now=NOW)
    return str(sql), dict(sql.parameters)


def result(
    query: str, lines: Iterable[Line], host: dict[str, Any], at_s: float, window_s: float | None = None
) -> list[Row]:
    """Return the rows of a query.

    Args:
        query: the query's text.
        lines: what is logged; each says when, in seconds after the end of its story.
        host: host.json, which decides what of it is stored.
        at_s: when the query is run, in seconds after the end of the stories.
        window_s: seconds before that to which an alert rule limits it; None: no limit but its own.

    Raises:
        duckdb_kql.KqlError, duckdb.Error: the query cannot be run.
    """
    connection = _connection()
    connection.execute("DELETE FROM AppTraces")
    values = [
        (
            NOW.replace(tzinfo=None) - timedelta(seconds=at_s - line.at_s),
            line.text,
            SEVERITY[line.level],
            line.category,
            line.app,
        )
        for line in lines
        if line.at_s <= at_s
        and (window_s is None or line.at_s > at_s - window_s)
        and stores(host, line.category, line.level)
    ]
    if values:
        connection.execute(
            "INSERT INTO AppTraces BY NAME SELECT TimeGenerated, Message, SeverityLevel, AppRoleName, "
            # Azure counts what it adds as well; here it is the text alone.
            "CAST(octet_length(encode(Message)) AS DOUBLE) AS _BilledSize, "
            "json_object('Category', Category) AS Properties, 1 AS ItemCount FROM (SELECT "
            "unnest(?) AS TimeGenerated, unnest(?) AS Message, unnest(?) AS SeverityLevel, "
            "unnest(?) AS Category, unnest(?) AS AppRoleName)",
            [list(column) for column in zip(*values, strict=True)],
        )
    answer = connection.execute(*_sql(query))
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
