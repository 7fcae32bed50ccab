"""Telling somebody outside Azure that the watch goes on: the silence that follows is the alarm."""

from __future__ import annotations

import aiohttp

from nvaha.ports import PingFailed

TIMEOUT_S = 5.0
UNRESOLVED = "@Microsoft.KeyVault("
"""What stands in a setting whose Key Vault reference the platform could not resolve."""
_FIRST_REFUSAL = 300


class UrlPinger:
    """Asks a URL, which may be a secret: nothing that is raised or logged has it.

    Args:
        url: https, or http on loopback; as `Settings.ping_url` has checked it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def ping(self) -> None:
        """Ask the URL once, on a connection of its own; no redirect is followed.

        Raises:
            PingFailed: nobody answered within TIMEOUT_S, or with another status than 2xx.
        """
        if self._url.startswith(UNRESOLVED):
            raise PingFailed(
                "the Key Vault reference was not resolved: see the app's configuration in the portal"
            )
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.get(self._url, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Its words may have the URL in them.
            raise PingFailed(f"no answer ({type(error).__name__})") from None
        if status >= _FIRST_REFUSAL:
            raise PingFailed(f"status {status}")
