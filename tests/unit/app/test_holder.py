"""An app that a message of another configuration replaces while others use it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from nvaha.app.holder import AppHolder
from nvaha.azure.tokens import Tokens
from nvaha.config.settings import Settings
from nvaha.switch.attempt import OtherConfiguration
from tests.fakes import run

if TYPE_CHECKING:
    from nvaha.app.wiring import App


class FakeApp:
    """An app whose configuration is never the leader's."""

    closed = False

    async def switch(self, body: bytes) -> None:
        """Refuse a message, one that is slow after a second."""
        await asyncio.sleep(float(body == b"slow"))
        raise OtherConfiguration(repr(body))

    async def close(self) -> None:
        """Close the connections, once."""
        assert not self.closed
        self.closed = True


class Holder(AppHolder):
    """A holder of such apps."""

    def __init__(self) -> None:
        super().__init__(Path(), {})
        self.built: list[FakeApp] = []

    async def _build(self) -> App:
        self.built.append(FakeApp())
        return cast("App", self.built[-1])


async def _replaced(holder: Holder, body: bytes = b"of another configuration") -> None:
    with pytest.raises(OtherConfiguration):
        await holder.switch(body)


def test_an_app_that_was_replaced_is_closed_after_its_last_use() -> None:
    """Whoever uses it goes on with it; the next one gets the new app; nobody's connections are left open."""
    holder = Holder()

    async def used() -> None:
        async with holder.using() as old:
            await _replaced(holder)
            assert await holder.get() is not old
            assert not holder.built[0].closed
        assert holder.built[0].closed

    run(used())


def test_an_app_that_is_still_the_app_stays_open() -> None:
    """The end of a use closes nothing that the next one needs."""
    holder = Holder()

    async def used() -> None:
        async with holder.using():
            pass
        async with holder.using():
            pass

    run(used())
    assert [each.closed for each in holder.built] == [False]


def test_a_message_that_the_old_app_refuses_late_replaces_no_newer_one() -> None:
    """The new app stays the one that all use, and open."""
    holder = Holder()

    async def used() -> None:
        late = asyncio.ensure_future(_replaced(holder, b"slow"))
        await asyncio.sleep(0.5)
        await _replaced(holder)
        newer = await holder.get()
        await late
        assert await holder.get() is newer

    run(used())
    assert [each.closed for each in holder.built] == [True, False]


def test_tokens_are_had_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any function runs, and without being waited for; the app that is built later has the same."""
    began, may_end = threading.Event(), threading.Event()

    async def keep(_: Tokens) -> None:
        began.set()
        await asyncio.to_thread(may_end.wait, 10.0)

    monkeypatch.setattr(Tokens, "keep", keep)
    holder = AppHolder(Path(), {"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    started = time.monotonic()
    holder.warm_up()
    assert time.monotonic() - started < 1.0
    assert began.wait(10.0)
    settings = Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert holder._tokens is not None
    assert holder._tokens_of(settings) is holder._tokens
    may_end.set()


def test_settings_that_cannot_be_used_end_no_start() -> None:
    """Every invocation reports them; the start goes on without tokens."""
    holder = AppHolder(Path(), {})
    holder._warm_up()
    assert holder._tokens is None
