"""Whatever a server answers, the `nvaha` command ends with a sentence or a document, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from nvaha.cli import act, client
from nvaha.cli.main import app
from nvaha.cli.replies import OperationReply
from nvaha.model import Drift, Status

from .cli_fake_app import KEY, FakeApp, Reply, error, group, groups, operation, plan, running

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["\x1b[2J", "\u202e", "[red]x[/red]", "[/]", ":smile:", "\ud800", "0001-01-01T00:00:00Z"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
DOCUMENTS = [
    groups(),
    group(operation(Status.FAILED, 1, error="no", unfinished=("x",)), paused=True, drift=Drift(("off",))),
    plan("not up"),
    {"group": "edge", "operations": [operation(Status.DONE, 2), operation()]},
    operation(Status.DONE, 2),
    operation(Status.SUPERSEDED, 1, error="no"),
    error("switching", "is being switched", [{"path": "a", "message": "b"}]),
]
COMMANDS = [
    ("status",),
    ("status", "edge"),
    ("plan", "edge", "--to", "nva2"),
    ("plan", "edge"),
    ("history", "edge"),
    ("pause", "edge"),
    ("failover", "edge", "--to", "nva2", "--yes", "--wait", "--timeout", "1"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def nearly_right(draw: st.DrawFn) -> Any:
    """Return an answer as the app gives it, with one part replaced by something else."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    path = draw(st.sampled_from(list(places(document))))
    other = draw(JSON)
    if not path:
        return other
    holder: Any = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = other
    return document


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeApp]:
    """Serve one fake app for all examples."""
    with pytest.MonkeyPatch.context() as patch, running() as served:
        patch.setattr(client, "TRIES_AFTER_S", (0.0, 0.0))
        patch.setattr(act, "_follow", _look_once)
        yield served


def _look_once(there: client.App, accepted: Any, limit_s: float, *, quiet: bool) -> Any:
    return there.get(OperationReply, "operations", accepted.view.id)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=nearly_right() | JSON | st.binary(max_size=40),
    status=st.sampled_from([200, 200, 200, 202, 302, 400, 404, 409, 412, 500, 503]),
    command=st.sampled_from(COMMANDS),
    as_json=st.booleans(),
)
def test_no_answer_makes_a_traceback(
    fake: FakeApp, content: Any, status: int, command: tuple[str, ...], as_json: bool
) -> None:
    """Every answer ends in a documented exit code, one document with --json, and a calm terminal without."""
    fake.seen.clear()
    fake.says("*", Reply(content, status))
    args = [*command, *(["--json"] if as_json else [])]
    environ = {"NVAHA_URL": fake.url, "NVAHA_KEY": KEY, "COLUMNS": "100"}
    result = CliRunner().invoke(app, args, env=environ)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in {0, 1, 2, 3, 4}
    if as_json:
        json.loads(result.stdout)
    assert not {"\x1b", "\u202e"} & set(result.output)
    assert KEY not in result.output
