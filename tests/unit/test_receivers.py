"""What is sent reaches a receiver; and whatever that does with it ends soon, without a secret in any word."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nvaha.model import LEVELS, Notice, Receiver, ReceiverKind, Unsent
from nvaha.ports import NotTaken
from nvaha.receivers import https
from nvaha.receivers.bodies import cloud_event, pagerduty, signature, teams
from nvaha.receivers.https import HttpReceivers

ROOT = Path(__file__).parents[2]
SECRET = "c0ffee-5eca"
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
FELL = Unsent(
    Notice("nva_down", "error", "edge: nva1 is down: refused", {"group": "edge", "nva": "nva1", "id": "w.0"}),
    NOON,
    ("it",),
)
SOURCE = "/nvaha/stnvaha"
HOOK = Receiver("it", ReceiverKind.WEBHOOK, "IT_URL", "IT_KEY")


@dataclass(slots=True)
class Log:
    """A notifier in memory, on a clock of its own."""

    notices: list[Notice] = field(default_factory=list)

    def notify(self, notice: Notice) -> None:
        """Remember a notice."""
        self.notices.append(notice)

    def now(self) -> datetime:
        """Return noon."""
        return NOON

    def monotonic(self) -> float:
        """Return nothing."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def receivers(*known: Receiver, **environ: str) -> HttpReceivers:
    """Return receivers with these application settings."""
    log = Log()
    return HttpReceivers(known, environ, source=SOURCE, clock=log, log=log, new_id=lambda: "new")


@asynccontextmanager
async def listening(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Listen on a loopback address; yields where."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def sent(answer: Callable[[web.Request], Awaitable[web.StreamResponse]], receiver: Receiver = HOOK) -> int:
    """Send to a receiver that answers so."""

    async def run() -> int:
        async with listening(answer) as where:
            return await receivers(receiver, IT_URL=f"{where}/{SECRET}", IT_KEY=KEY).send(receiver, FELL)

    return asyncio.run(run())


def test_the_page_s_lines_check_what_a_webhook_is_sent() -> None:
    """The signature is good for this body and no other, and a body that is old is refused."""
    page = (ROOT / "docs" / "notifications.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 14
    there: dict[str, Any] = {}
    exec(code, there)  # noqa: S102 - what the page says is what is tried
    found: list[tuple[dict[str, str], bytes]] = []

    async def takes(request: web.Request) -> web.Response:
        found.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=202)

    assert sent(takes) == 202
    [(headers, body)] = found
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert json.loads(body) == cloud_event(FELL, SOURCE)
    assert there["is_from_nvaha"](headers, body, KEY)
    assert not there["is_from_nvaha"](headers, body + b" ", KEY)
    assert not there["is_from_nvaha"](headers, body, "whsec_" + base64.b64encode(b"another").decode())
    old = {**headers, "webhook-timestamp": str(int(time.time()) - 400)}
    old["webhook-signature"] = signature(KEY, "w.0", int(old["webhook-timestamp"]), body)
    assert not there["is_from_nvaha"](old, body, KEY)


def test_a_key_that_is_no_base64_is_taken_as_it_is() -> None:
    """A password is a key as well."""
    expected = base64.b64encode(hmac.new(b"pass word", b"i.1.b", hashlib.sha256).digest()).decode()
    assert signature("pass word", "i", 1, b"b") == f"v1,{expected}"
    assert signature("whsec_***", "i", 1, b"b") != f"v1,{expected}"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
def test_another_status_is_not_taken_and_no_redirect_is_followed(status: int) -> None:
    """Who answers so is asked once, at the address that is configured."""
    asked: list[str] = []

    async def answers(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    with pytest.raises(NotTaken) as refused:
        sent(answers)
    assert refused.value.status == status
    assert asked == [f"/{SECRET}"]
    assert SECRET not in str(refused.value)


async def _closes(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30.0)
    return web.Response()


async def _goes_on_for_ever(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


@pytest.mark.parametrize("answer", [_closes, _hangs])
def test_one_that_hangs_or_closes_has_not_taken_it(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its timeout it has failed, without the URL in any word."""
    monkeypatch.setattr(https, "TIMEOUT_S", 0.2)
    with pytest.raises(NotTaken, match="no answer") as failed:
        sent(answer)
    assert failed.value.status is None
    assert SECRET not in str(failed.value)
    assert failed.value.__suppress_context__


def test_an_answer_without_an_end_is_not_read() -> None:
    """Its status is all that counts."""
    assert sent(_goes_on_for_ever) == 200


def test_nobody_there_has_not_taken_it() -> None:
    """A refused connection, and a name that nobody resolves."""
    for url in (f"http://127.0.0.1:9/{SECRET}", f"https://{SECRET}.invalid/"):
        with pytest.raises(NotTaken, match="no answer") as failed:
            asyncio.run(receivers(HOOK, IT_URL=url, IT_KEY=KEY).send(HOOK, FELL))
        assert SECRET not in str(failed.value)


def test_names_are_looked_up_apart_from_everybody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that hangs holds no thread that the lease's renewal may need."""
    monkeypatch.setattr(https, "TIMEOUT_S", 0.2)
    threads: list[str] = []

    def look(*_: object, **__: object) -> Any:
        import threading  # noqa: PLC0415

        threads.append(threading.current_thread().name)
        time.sleep(0.4)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look)
    with pytest.raises(NotTaken):
        asyncio.run(receivers(HOOK, IT_URL="https://example.invalid/", IT_KEY=KEY).send(HOOK, FELL))
    assert threads
    assert all(each.startswith("nvaha-receivers") for each in threads)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "IT_URL is not set"),
        ({"IT_URL": "https://example.net"}, "IT_KEY is not set"),
        ({"IT_URL": f"@Microsoft.KeyVault({SECRET})", "IT_KEY": KEY}, "IT_URL was not resolved"),
        ({"IT_URL": f"http://example.net/{SECRET}", "IT_KEY": KEY}, "no https:// URL"),
        ({"IT_URL": f"https://ann:{SECRET}@example.net/", "IT_KEY": KEY}, "no https:// URL"),
        ({"IT_URL": f"file:///{SECRET}", "IT_KEY": KEY}, "no https:// URL"),
    ],
)
def test_where_nothing_may_be_sent_nothing_is_and_it_is_said(environ: dict[str, str], told: str) -> None:
    """A setting that cannot be used is no reason not to watch, and its value is in no word."""
    with pytest.raises(NotTaken, match=re.escape(told)) as refused:
        asyncio.run(receivers(HOOK, **environ).send(HOOK, FELL))
    assert SECRET not in str(refused.value)
    assert KEY not in str(refused.value)


def test_what_no_state_holds_is_heard_with_an_id_of_its_own() -> None:
    """What a state holds is not heard a second time, nor what is said of sending itself."""
    mine = receivers(HOOK)
    mine.notify(Notice("no_token", "error", "no token: key=abcdefgh", {"instance": "one"}))
    mine.notify(FELL.notice)
    mine.notify(Notice("notify_failed", "error", "it", {}))
    mine.notify(Notice("heartbeat", "info", "round", {}))
    [heard] = mine.heard()
    assert (heard.notice.event, heard.id, heard.at, heard.to) == ("no_token", "new", NOON, ("it",))
    assert "abcdefgh" not in heard.notice.text
    assert mine.heard() == ()
    log: Any = mine._log
    assert [each.event for each in log.notices] == ["no_token", "nva_down", "notify_failed", "heartbeat"]


def test_every_level_has_its_severity_and_colour() -> None:
    """A level that is new would break a message."""
    for level in LEVELS:
        each = replace(FELL, notice=replace(FELL.notice, level=level))
        assert pagerduty(each, SOURCE, "k")["payload"]["severity"]
        assert teams(each, SOURCE)
