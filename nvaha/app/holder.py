"""The app of this process: built when it is first needed, kept from one invocation to the next."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nvaha.config import ConfigError, load
from nvaha.config.settings import Settings, SettingsError
from nvaha.switch.attempt import OtherConfiguration
from nvaha.text import fit_to_raise

if TYPE_CHECKING:
    from nvaha.app.wiring import App
    from nvaha.azure.tokens import Tokens
    from nvaha.operate.answers import DoctorAnswer

WIRING = "nvaha.app.wiring"
REFUSED_S = 5.0
"""So long settings that could not be used are not looked at again: whoever asks for health asks often."""


class AppHolder:
    """Builds the app once; settings that cannot be used are reported by every invocation until they can.

    Args:
        folder: where host.json lies.
        environ: the application settings.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._environ = environ
        self._app: App | None = None
        self._tokens: Tokens | None = None
        self._making = threading.Lock()
        self._building = asyncio.Lock()
        self._uses: Counter[App] = Counter()
        self._refused: tuple[float, Exception] | None = None

    def warm_up(self) -> None:
        """Import Azure's libraries and have tokens beside whatever the host does before the first tick.

        The libraries take a second or two, which a process that was started again would not watch. A token
        takes as long as its endpoint likes, and may be refused on the night that it is needed.
        """
        threading.Thread(target=self._warm_up, name="nvaha-warm-up").start()

    def _warm_up(self) -> None:
        importlib.import_module(WIRING)
        # Settings that cannot be used are reported by every invocation.
        with suppress(SettingsError):
            tokens = self._tokens_of(Settings.from_environ(self._environ))
            # On a loop of its own, from which no invocation is missing that has not come yet.
            keep = partial(asyncio.run, tokens.keep())
            threading.Thread(target=keep, name="nvaha-tokens", daemon=True).start()

    def _tokens_of(self, settings: Settings) -> Tokens:
        """Return the tokens of this process; there is one set of them, whatever app comes and goes."""
        from nvaha.azure.tokens import Tokens  # noqa: PLC0415

        with self._making:
            if self._tokens is None:
                self._tokens = Tokens(settings)
            return self._tokens

    async def get(self) -> App:
        """Return the app.

        Raises:
            SettingsError, ConfigError: the settings or the configuration cannot be used.
        """
        async with self._building:
            if self._refused is not None and time.monotonic() - self._refused[0] < REFUSED_S:
                raise self._refused[1]
            if self._app is None:
                self._app = await self._build()
            return self._app

    @asynccontextmanager
    async def using(self) -> AsyncIterator[App]:
        """Return the app for as long as it is needed; one that was replaced is closed after its last use.

        Every function of the app goes through here, so what it raises, which the host logs with all its
        causes, leaves without a secret.

        Raises:
            SettingsError, ConfigError: the settings or the configuration cannot be used.
        """
        try:
            async with self._used() as app:
                yield app
        except Exception as error:  # noqa: BLE001 - it is raised again, made fit for it
            raise fit_to_raise(error)  # noqa: B904 - with a cause of its own, or without on purpose

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[App]:
        app = await self.get()
        self._uses[app] += 1
        try:
            yield app
        finally:
            self._uses[app] -= 1
            if not self._uses[app]:
                del self._uses[app]
                if app is not self._app:
                    await app.close()

    async def examine(self, group: str | None) -> DoctorAnswer:
        """Return what is found of this process and, if it can be built, of its app; Refused as there."""
        from nvaha.app.doctor import examine  # noqa: PLC0415 - only who asks for it pays for it

        return await examine(self._folder, self._environ, self.using, group)

    async def switch(self, body: bytes) -> None:
        """Carry out the switch that a message points at; read the configuration again if it is of another."""
        async with self.using() as app:
            try:
                await app.switch(body)
            except OtherConfiguration:
                if self._app is app:
                    self._app = None
                raise

    async def _build(self) -> App:
        try:
            settings = Settings.from_environ(self._environ)
            # Azure's libraries take a second to import, which indexing the functions need not wait for.
            from nvaha.app.wiring import App  # noqa: PLC0415
            from nvaha.azure.storage.config_blob import read_text  # noqa: PLC0415

            def read_url(url: str) -> str:
                return read_text(url, settings)

            loaded = await asyncio.to_thread(load, settings.config, self._folder, read_url)
            return App(settings, loaded, self._tokens_of(settings), self._environ)
        except (SettingsError, ConfigError) as error:
            self._refused = time.monotonic(), error
            raise
