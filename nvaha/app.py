"""The app of this process: built when it is first needed, kept from one invocation to the next."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nvaha.config import load
from nvaha.settings import Settings

if TYPE_CHECKING:
    from nvaha.wiring import App


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
        self._building = asyncio.Lock()

    async def get(self) -> App:
        """Return the app.

        Raises:
            SettingsError, ConfigError: the settings or the configuration cannot be used.
        """
        async with self._building:
            if self._app is None:
                settings = Settings.from_environ(self._environ)
                # Azure's libraries take a second to import, which indexing the functions need not wait for.
                from nvaha.azure.blob import read_text  # noqa: PLC0415
                from nvaha.wiring import App  # noqa: PLC0415

                def read_url(url: str) -> str:
                    return read_text(url, settings)

                loaded = await asyncio.to_thread(load, settings.config, self._folder, read_url)
                self._app = App(settings, loaded)
            return self._app
