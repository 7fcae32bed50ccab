"""The HTTP probe: alive is who answers with an expected status."""

from __future__ import annotations

import aiohttp
from yarl import URL

from nvaha.model import ProbeKind, ProbeSpec
from nvaha.probes import words


class HttpProbe:
    """Asks over HTTP or HTTPS, each time on a new connection: a pooled one would say less."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, address: str, spec: ProbeSpec) -> str | None:
        """Send one GET and read the head of the answer.

        Returns:
            None if the status is an expected one, else what is wrong in few words.

        Raises:
            OSError, aiohttp.ClientError: there was no answer.
        """
        async with self._opened().get(
            probe_url(address, spec),
            headers={"Host": spec.host} if spec.host else None,
            server_hostname=_server_name(spec),
            ssl=spec.verify_tls,
            allow_redirects=False,
        ) as response:
            # The body may be long or never end; the status has said it all.
            response.close()
            return None if response.status in spec.expect else f"status {response.status}"

    def _opened(self) -> aiohttp.ClientSession:
        # Made late: a session belongs to the event loop that is running then.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "nvaha-probe"},
            )
        return self._session

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
        self._session = None


def probe_url(address: str, spec: ProbeSpec) -> URL:
    """Return the URL that a probe asks for; the path goes out exactly as written."""
    host = f"[{address}]" if ":" in address else address
    path = spec.path if spec.path.startswith("/") else f"/{spec.path}"
    return URL(f"{spec.kind.value}://{host}:{spec.port}{path}", encoded=True)


def in_words(error: Exception) -> str:
    """Return what went wrong below HTTP, or in it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return words.of_error(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name not found"
    if isinstance(error, aiohttp.ClientConnectorError):
        return words.of_error(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return "not an HTTP answer"
    return words.of_error(error)


def _server_name(spec: ProbeSpec) -> str | None:
    """Return the name to ask for in TLS: the configured host without its port."""
    if not spec.host or spec.kind is not ProbeKind.HTTPS:
        return None
    return URL.build(scheme="https", authority=spec.host).host
