"""The ping reaches a real listener, and neither its failure nor its URL gets in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from nvaha import ping
from nvaha.ping import UrlPinger
from nvaha.ports import PingFailed

SECRET = "c0ffee-5eca"


@asynccontextmanager
async def listener(status: int = 200, after_s: float = 0.0) -> AsyncIterator[tuple[str, list[str]]]:
    """Listen on a loopback address; yields the URL to ask and the paths that were asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(after_s)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name, asked
    finally:
        await runner.cleanup()


def pinged(status: int = 200, after_s: float = 0.0) -> tuple[str, list[str]]:
    """Ping a listener that answers so; returns what failed, if anything, and the paths it was asked for."""

    async def run() -> tuple[str, list[str]]:
        async with listener(status, after_s) as (where, asked):
            try:
                await UrlPinger(f"{where}/{SECRET}").ping()
            except PingFailed as error:
                return str(error), asked
            return "", asked

    return asyncio.run(run())


def test_it_asks_the_url_once() -> None:
    """One request, to the path that is given."""
    assert pinged() == ("", [f"/{SECRET}"])


@pytest.mark.parametrize("status", [301, 404, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(status: int) -> None:
    """A URL that has moved or gone is told by its status, without the URL."""
    failed, asked = pinged(status)
    assert str(status) in failed
    assert SECRET not in failed
    assert asked == [f"/{SECRET}"]


def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its timeout the ping has failed."""
    monkeypatch.setattr(ping, "TIMEOUT_S", 0.2)
    failed, _ = pinged(after_s=2.0)
    assert "no answer" in failed


def test_nobody_there_is_a_failure_without_the_url() -> None:
    """A refused connection is told, and the URL is neither in it nor in what caused it."""

    async def run() -> None:
        await UrlPinger(f"http://127.0.0.1:9/{SECRET}").ping()

    with pytest.raises(PingFailed) as failed:
        asyncio.run(run())
    assert SECRET not in str(failed.value)
    assert failed.value.__suppress_context__


def test_an_unresolved_reference_is_told_and_nobody_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    """What the platform could not resolve is no URL, and no reason not to watch."""
    with caplog.at_level(logging.DEBUG), pytest.raises(PingFailed, match="Key Vault"):
        asyncio.run(UrlPinger("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/x)").ping())
