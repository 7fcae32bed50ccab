"""Whatever comes in over HTTP is answered, bounded, and never becomes a command that was not meant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha import __version__
from nvaha.app.holder import AppHolder
from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.operate.control import Refused
from nvaha.ports import StateUnreadable, StoreUnavailable
from nvaha.web.api import PLAN_KEPT_S, Api
from nvaha.web.lanes import RETRY_AFTER_S


class _Recorder:
    """Stands in for Control and keeps the commands that got through."""

    def __init__(self) -> None:
        self.commands: list[FailoverCommanded | PauseCommanded | CancelCommanded] = []
        self.limits: list[int] = []

    async def failover(self, _name: str, command: FailoverCommanded) -> dict[str, Any]:
        self.commands.append(command)
        return {"id": "edge-1-1"} if command.at is None else {"name": "edge"}

    async def cancel(self, _name: str, command: CancelCommanded) -> dict[str, Any]:
        self.commands.append(command)
        return {}

    async def pause(self, _name: str, command: PauseCommanded) -> dict[str, Any]:
        self.commands.append(command)
        return {}

    async def history(self, _name: str | None, limit: int) -> dict[str, Any]:
        self.limits.append(limit)
        return {}

    async def groups(self) -> dict[str, Any]:
        raise StoreUnavailable("storage is away")

    async def group(self, _name: str) -> dict[str, Any]:
        raise StateUnreadable("row group/edge cannot be read")

    async def healthy(self) -> bool:
        return True

    async def campaigns(self, version: str) -> bool:
        return version in {__version__, "1.2.3"}


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


def _by(headers: dict[str, str], *, signed_in: bool) -> str:
    """Return who a failover was asked for by."""
    holder = _Holder()
    request = func.HttpRequest(
        method="POST",
        url="http://127.0.0.1/api/groups/edge/failover",
        route_params={"group": "edge"},
        headers=headers,
        body=b'{"to": "b"}',
    )
    response = asyncio.run(Api(cast("AppHolder", holder), signed_in=signed_in).failover(request))
    assert response.status_code == 202
    [command] = holder.control.commands
    return str(command.by)


PRINCIPAL = {
    "x-ms-client-principal-name": "jane@contoso.com",
    "x-ms-client-principal-id": "8d2f3c51-0000-4000-8000-000000000001",
    "x-ms-client-principal-idp": "aad",
    "user-agent": "nvaha/0.1.0 (jane on jump)",
}


def test_who_has_signed_in_is_known_by_the_platforms_word() -> None:
    """By name and by the object id, which no rename changes."""
    assert _by(PRINCIPAL, signed_in=True) == "jane@contoso.com (Entra 8d2f3c51-0000-4000-8000-000000000001)"


def test_without_a_sign_in_before_the_app_nobody_can_pass_for_one_who_has() -> None:
    """The same headers are then the caller's own words, of which only the claim is kept, as a claim."""
    assert _by(PRINCIPAL, signed_in=False) == "nvaha/0.1.0 (jane on jump) (claimed)"


def test_who_has_not_signed_in_where_others_do_only_claims() -> None:
    """A sign-in that lets strangers pass gives them no principal; a long claim is cut, the word stays."""
    claim = "jane@contoso.com (Entra 8d2f3c51-0000-4000-8000-000000000001)"
    assert _by({"user-agent": claim}, signed_in=True) == f"{claim} (claimed)"
    assert _by({"user-agent": 500 * "x"}, signed_in=True).endswith("x (claimed)")
    assert _by({}, signed_in=True) == "HTTP (claimed)"


def test_a_caller_may_call_himself_something_and_it_stays_a_claim() -> None:
    """In any script, as the status page writes it; a sign-in knows better."""
    named = {**PRINCIPAL, "x-nvaha-caller": "Zo%C3%AB%2C%20status%20page%0A"}
    assert _by(named, signed_in=False) == "Zoë, status page\\n (claimed)"
    assert _by(named, signed_in=True).startswith("jane@contoso.com (Entra ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
NEAR_MISS = st.dictionaries(
    st.sampled_from(["to", "force", "reason", "request_id", "from", "at", "To", "extra"]), JSON, max_size=5
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
        assert json.loads(body).get("from") == command.source
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


@pytest.mark.parametrize(
    ("said", "asked_for"),
    [
        ("2026-12-01T02:00:00Z", "2026-12-01T02:00:00+00:00"),
        ("2026-12-01T02:00:00+02:00", "2026-12-01T00:00:00+00:00"),
        ("2026-12-01T02:00-05:30", "2026-12-01T07:30:00+00:00"),
    ],
)
def test_a_time_to_come_is_taken_in_whatever_zone_it_says(said: str, asked_for: str) -> None:
    """It is kept in UTC; what is only scheduled has no operation to follow yet."""
    status, answer, control = _call("failover", json.dumps({"to": "b", "at": said}).encode())
    [command] = control.commands
    assert isinstance(command, FailoverCommanded)
    assert command.at is not None
    assert (status, answer, command.at.isoformat()) == (202, {"name": "edge"}, asked_for)


@pytest.mark.parametrize(
    "said",
    [
        *("2026-12-01T02:00:00", "2026-12-01", "02:00", "tonight", 1764554400, "1764554400", "", True),
        *("0001-01-01T00:00:00+14:00", "2026-13-01T02:00:00Z"),
    ],
)
def test_a_time_that_nobody_can_be_sure_of_is_refused_with_a_remedy(said: object) -> None:
    """Two people would read it two ways."""
    status, answer, control = _call("failover", json.dumps({"to": "b", "at": said}).encode())
    assert (status, control.commands) == (400, [])
    [detail] = answer["error"]["details"]
    assert detail["path"] == "at"
    assert "+02:00" in detail["message"]


def test_what_is_scheduled_is_never_forced() -> None:
    """Nobody knows what force would override by then."""
    body = {"to": "b", "at": "2026-12-01T02:00:00Z", "force": True}
    assert _call("failover", json.dumps(body).encode())[0] == 400


@pytest.mark.parametrize(("said", "seconds"), [("1m", 60.0), ("1h30m", 5400.0), ("7d", 604800.0)])
def test_a_pause_may_be_for_a_while(said: str, seconds: float) -> None:
    """In the words of the configuration file."""
    _, _, control = _call("pause", json.dumps({"for": said}).encode())
    [command] = control.commands
    assert isinstance(command, PauseCommanded)
    assert (command.paused, command.for_s) == (True, seconds)


@pytest.mark.parametrize("said", ["59s", "8d", "2", 120, "", "-1h", "two hours", None])
def test_a_pause_for_no_time_is_none_without_end(said: object) -> None:
    """What cannot be understood is refused; null is as if it were left out."""
    status, _, control = _call("pause", json.dumps({"for": said}).encode())
    assert (status, len(control.commands)) == ((200, 1) if said is None else (400, 0))
    assert _call("resume", b'{"for": "1h"}')[0] == 400


@given(st.binary(max_size=200))
def test_any_body_of_a_cancellation_is_answered(body: bytes) -> None:
    """As that of a pause."""
    status, _, control = _call("cancel", body)
    assert status == (200 if control.commands else 400)


@given(st.text(max_size=30))
def test_any_limit_is_answered(limit: str) -> None:
    """Only numbers in range reach the history."""
    status, _, control = _call("history", limit=limit)
    assert status == (200 if control.limits else 400)
    assert all(1 <= each <= 100 for each in control.limits)


def test_a_row_that_cannot_be_read_is_a_503_that_names_it() -> None:
    """Storage has answered; asking again does not help, mending the row does."""
    status, answer, _ = _call("group")
    assert (status, answer["error"]["code"]) == (503, "state_unreadable")
    assert answer["error"]["message"] == "row group/edge cannot be read"


def test_storage_away_is_a_503() -> None:
    """Storage that does not answer is a 503 with its own code, not an empty list."""
    status, answer, _ = _call("groups")
    assert (status, answer["error"]["code"]) == (503, "storage_unavailable")


class _Slow:
    """Stands in for Control: everything takes a second of virtual time; `asked` is what began."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refusal: Refused | None = None

    def __getattr__(self, name: str) -> Any:
        async def call(*args: object) -> dict[str, Any]:
            self.asked.append((name, *args))
            number = len(self.asked)
            await asyncio.sleep(1.0)
            if self.refusal:
                raise self.refusal
            return {"id": "edge-1-1", "number": number}

        return call


class _SlowHolder:
    def __init__(self) -> None:
        self.control = self.recovery = _Slow()

    @asynccontextmanager
    async def using(self) -> AsyncIterator[_SlowHolder]:
        yield self


def _slow() -> tuple[Api, _Slow]:
    holder = _SlowHolder()

    async def aside(work: Callable[..., Any], *args: object) -> Any:
        return work(*args)

    return Api(cast("AppHolder", holder), aside=aside), holder.control


def _asked(body: bytes = b"", group: str = "edge", **params: str) -> func.HttpRequest:
    return func.HttpRequest(
        method="GET",
        url="http://127.0.0.1/api/groups/edge/x",
        params=params,
        route_params={"group": group, "id": "edge-1-1"},
        body=body,
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?self", 200),
        ("?self=", 200),
        ("?other=1&self#x", 200),
        ("?self=1.2.3", 200),
        ("?self=1.2.4", 503),
        ("?self=1.2.4&self=1.2.3", 503),
    ],
)
def test_health_of_this_app_alone_is_asked_for_in_the_address(query: str, status: int) -> None:
    """The host leaves out of the parameters what has no value, so it is read from the address itself."""
    asked = func.HttpRequest(method="GET", url=f"http://127.0.0.1/api/health{query}", params={}, body=b"")
    response = asyncio.run(Api(cast("AppHolder", _Holder())).health(asked))
    assert response.status_code == status
    assert json.loads(response.get_body()) == {"status": "healthy" if status == 200 else "unhealthy"}


BODIES = {
    "failover": b'{"to": "b"}',
    "pause": b"",
    "resume": b"",
    "cancel": b"",
    "adopt": b'{"epoch": 1, "state": {}}',
}


@pytest.mark.parametrize(
    ("function", "answered", "begun"),
    [
        ("groups", 16, 1),
        ("group", 16, 1),
        ("history", 16, 1),
        ("operation", 16, 1),
        ("plan", 8, 1),
        ("break_glass", 8, 1),
        ("check", 8, 1),
        ("cancel", 8, 8),
        ("failover", 8, 8),
        ("pause", 8, 8),
        ("resume", 8, 8),
        ("export", 8, 8),
        ("adopt", 8, 8),
    ],
)
async def test_too_much_at_once_is_told_to_come_again(function: str, answered: int, begun: int) -> None:
    """A few are answered, of what is only read all from one reading; the rest at once with 503."""
    api, control = _slow()
    asking = [getattr(api, function)(_asked(BODIES.get(function, b""), to="b")) for _ in range(500)]
    responses = await asyncio.gather(*asking)
    crowded = [each for each in responses if each.status_code == 503]
    assert len(responses) - len(crowded) == answered
    assert len(control.asked) == begun
    assert asyncio.get_running_loop().time() <= 2.0
    for each in crowded:
        assert each.headers["Retry-After"] == str(int(RETRY_AFTER_S))
        assert json.loads(each.get_body())["error"]["code"] == "busy"


async def test_what_is_looked_at_leaves_room_for_what_is_commanded() -> None:
    """However much is asked, a failover begins at once; and plans do not keep status from being shown."""
    api, _ = _slow()
    flood = [
        asyncio.create_task(getattr(api, function)(_asked(to="b", group=f"g{number}")))
        for function in ("plan", "group", "history")
        for number in range(200)
    ]
    await asyncio.sleep(0.1)
    assert (await api.failover(_asked(b'{"to": "b"}'))).status_code == 202
    assert asyncio.get_running_loop().time() == pytest.approx(1.1)
    await asyncio.gather(*flood)


async def test_what_is_looked_at_never_fills_the_host() -> None:
    """All who may ask at once are fewer than the host carries out, so that a command finds a place there."""
    api, _ = _slow()
    host = json.loads((Path(__file__).parents[2] / "host.json").read_text())["extensions"]["http"]
    flood = [
        asyncio.create_task(getattr(api, function)(_asked(to="b", group=f"g{number}")))
        for function in ("plan", "group")
        for number in range(200)
    ]
    await asyncio.sleep(0.1)
    held = sum(not each.done() for each in flood)
    assert held + 8 <= host["maxConcurrentRequests"]
    await asyncio.gather(*flood)


async def test_a_history_of_another_length_is_another_question() -> None:
    """Who asks for a hundred operations while somebody asks for one gets a hundred."""
    api, control = _slow()
    await asyncio.gather(*(api.history(_asked(limit=limit)) for limit in ("1", "100", "1")))
    assert control.asked == [("history", "edge", 1), ("history", "edge", 100)]


async def test_a_plan_is_shown_for_a_while_and_says_how_old_it_is() -> None:
    """The header is HTTP's own; a plan to another NVA, or of another group, is another plan."""
    api, _ = _slow()

    async def shown(to: str, group: str = "edge") -> tuple[int, str]:
        response = await api.plan(_asked(group=group, to=to))
        assert response.headers["Cache-Control"] == "no-store"
        assert response.mimetype == "application/json"
        return json.loads(response.get_body())["number"], response.headers["Age"]

    assert await shown("b") == (1, "1")
    assert await shown("b") == (1, "1")
    assert await shown("c") == (2, "1")
    assert await shown("b", "other") == (3, "1")
    await asyncio.sleep(PLAN_KEPT_S)
    assert await shown("b") == (4, "1")
    assert (await api.plan(_asked())).status_code == 400


async def test_a_check_a_plan_and_a_sheet_of_one_group_are_three_questions() -> None:
    """Whatever the group, and the NVA, are called."""
    api, control = _slow()
    await asyncio.gather(
        *(api.check(_asked(group=group)) for group in ("check", "edge")),
        *(api.break_glass(_asked(group=group)) for group in ("check", "edge")),
        *(api.plan(_asked(group="check", to=to)) for to in ("edge", "check", "None")),
    )
    assert len(control.asked) == 7


@pytest.mark.parametrize(("told_s", "header"), [(7.2, "8"), (0.0, "1"), (None, None)])
async def test_a_refusal_says_when_to_come_again_if_that_is_known(
    told_s: float | None, header: str | None
) -> None:
    """In whole seconds, at least one."""
    api, control = _slow()
    control.refusal = Refused(Refusal(RefusalCode.BUSY, "throttled"), told_s)
    response = await api.plan(_asked(to="b"))
    assert (response.status_code, response.headers.get("Retry-After")) == (503, header)
