"""Whatever comes in over HTTP is answered, bounded, and never becomes a command that was not meant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import azure.functions as func
from hypothesis import given
from hypothesis import strategies as st

from nvaha.app.holder import AppHolder
from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.ports import StoreUnavailable
from nvaha.web.api import Api


class _Recorder:
    """Stands in for Control and keeps the commands that got through."""

    def __init__(self) -> None:
        self.commands: list[FailoverCommanded | PauseCommanded] = []
        self.limits: list[int] = []

    async def failover(self, _name: str, command: FailoverCommanded) -> dict[str, Any]:
        self.commands.append(command)
        return {"id": "edge-1-1"}

    async def pause(self, _name: str, command: PauseCommanded) -> dict[str, Any]:
        self.commands.append(command)
        return {}

    async def history(self, _name: str, limit: int) -> dict[str, Any]:
        self.limits.append(limit)
        return {}

    async def groups(self) -> dict[str, Any]:
        raise StoreUnavailable("storage is away")


class _Holder:
    def __init__(self) -> None:
        self.control = _Recorder()

    @asynccontextmanager
    async def using(self) -> AsyncIterator[_Holder]:
        yield self


def _call(function: str, body: bytes = b"", **params: str) -> tuple[int, dict[str, Any], _Recorder]:
    holder = _Holder()
    request = func.HttpRequest(
        method="POST",
        url="http://127.0.0.1/api/groups/edge/failover",
        params=params,
        route_params={"group": "edge"},
        headers={"user-agent": "test\r\nInjected: yes"},
        body=body,
    )
    response = asyncio.run(getattr(Api(cast("AppHolder", holder)), function)(request))
    return response.status_code, json.loads(response.get_body()), holder.control


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
NEAR_MISS = st.dictionaries(
    st.sampled_from(["to", "force", "reason", "request_id", "To", "extra"]), JSON, max_size=5
)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\n\x1b\x00\u2028\u202e"), max_size=40))
def test_what_a_caller_says_acts_nowhere(said: str) -> None:
    """A reason and a name with control characters become what can be read, in the command and the answer."""
    body = json.dumps({"to": "b", "reason": said}).encode()
    status, _, control = _call("failover", body, limit=said)
    assert status == 202
    [command] = control.commands
    assert command.reason.isprintable()
    assert command.by.isprintable()
    _, answer, _ = _call("history", limit=said or "x")
    assert str(answer).isprintable()


@given(st.binary(max_size=400) | (JSON | NEAR_MISS).map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(body: bytes) -> None:
    """A body becomes a command only if it says where to; anything else is a 400 and moves nothing."""
    status, answer, control = _call("failover", body)
    if status == 202:
        [command] = control.commands
        assert isinstance(command, FailoverCommanded)
        assert json.loads(body)["to"] == command.to
        assert json.loads(body).get("force", False) is command.force
        assert command.by.isprintable()
    else:
        assert status == 400
        assert not control.commands
        assert answer["error"]["message"]


@given(st.binary(max_size=200))
def test_any_body_of_a_pause_is_answered(body: bytes) -> None:
    """Pause takes an empty body or a reason; anything else is a 400."""
    status, _, control = _call("pause", body)
    assert status == (200 if control.commands else 400)


@given(st.text(max_size=30))
def test_any_limit_is_answered(limit: str) -> None:
    """Only numbers in range reach the history."""
    status, _, control = _call("history", limit=limit)
    assert status == (200 if control.limits else 400)
    assert all(1 <= each <= 100 for each in control.limits)


def test_storage_away_is_a_503() -> None:
    """Storage that does not answer is a 503 with its own code, not an empty list."""
    status, answer, _ = _call("groups")
    assert (status, answer["error"]["code"]) == (503, "storage_unavailable")
