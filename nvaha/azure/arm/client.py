"""HTTP to Azure Resource Manager: one request, one bounded answer, or a NetworkError.

Raw JSON on the SDK's pipeline instead of azure-mgmt-network: that library takes half a second and 67 MB to
import, and no model can lose a property that it never had to know.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from opentelemetry.trace import SpanKind

from nvaha import __version__
from nvaha.azure.arm.budget import CONNECTIONS, Budget, Purpose
from nvaha.azure.arm.errors import answer_error, bounded, described
from nvaha.azure.clock import ServiceClock
from nvaha.azure.clouds import ENDPOINTS
from nvaha.config.settings import Settings
from nvaha.ports import ON_BEHALF_OF, Clock, Meter, NetworkError, NetworkFault, correlation_id
from nvaha.tracing import span

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

_LARGEST_ANSWER = 4 * 1024 * 1024
_TOKEN_TIMEOUT_S = 3.0
_CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole; its headers are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is a JSON object, else None."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None


class ArmClient:
    """Sends requests with a token, without retries and without following redirects.

    Args:
        settings: the cloud, or another endpoint and the CA file to trust for it.
        credential: who we are; closed by whoever made it.
        clock: by which reads are counted.
        meter: where requests are counted.
    """

    def __init__(
        self, settings: Settings, credential: AsyncTokenCredential, clock: Clock, meter: Meter
    ) -> None:
        cloud = ENDPOINTS[settings.cloud]
        self.endpoint = settings.arm_endpoint or cloud.arm
        self._ca = settings.arm_ca
        self._credential, self._scope = credential, cloud.arm_scope
        self._policies = [
            UserAgentPolicy(base_user_agent=f"nvaha/{__version__}"),
            RequestIdPolicy(),
            AsyncARMChallengeAuthenticationPolicy(credential, cloud.arm_scope),
        ]
        self._budget = Budget(clock)
        self.service_clock = ServiceClock()
        """ARM's own time, as its answers have it."""
        self._clock, self._meter = clock, meter
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    def resolve(self, url: str) -> str | None:
        """Return the absolute URL of an operation, or None if it leads to another host than ARM's.

        A token goes with every request, so it must not follow a link elsewhere.
        """
        try:
            absolute = urljoin(f"{self.endpoint}/", url)
            there, here = urlsplit(absolute), urlsplit(self.endpoint)
            same = _origin(there) == _origin(here)
        except ValueError:
            return None
        return absolute if same and there.username is None else None

    async def read(
        self,
        url: str,
        resource_id: str,
        *,
        timeout_s: float,
        purpose: Purpose = Purpose.SWITCH,
        largest: int = _LARGEST_ANSWER,
    ) -> Answer:
        """Read, when it is the purpose's turn; else as `write`.

        Args:
            url: absolute.
            resource_id: the resource that it is about, for errors and for its subscription.
            timeout_s: for the answer.
            purpose: what for; a poll of a write is its switch's.
            largest: how many bytes the answer may have.

        Raises:
            NetworkError: as `write`; or THROTTLED, without ARM having been asked.
        """
        asked = False
        try:
            async with self._budget.read(purpose, resource_id):
                asked = True
                answer = await self._send(HttpRequest("GET", url), resource_id, timeout_s, largest)
        finally:
            if not asked:
                self._meter.count("nvaha_arm_throttled_total", by="nvaha")
        throttled_s = None
        if answer.status == 429:
            error = answer_error(resource_id, answer.status, answer.headers, answer.body)
            if error.fault is NetworkFault.THROTTLED:
                throttled_s = error.retry_after_s or 0.0
                self._meter.count("nvaha_arm_throttled_total", by="azure")
        self._budget.learn(resource_id, answer.headers, throttled_s)
        return answer

    async def write(
        self,
        url: str,
        resource_id: str,
        *,
        timeout_s: float,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> Answer:
        """Send one PUT and read the whole answer, whatever its status.

        Args:
            url: absolute.
            resource_id: the resource that it is about, for errors.
            timeout_s: for the answer.
            content: a JSON body.
            headers: more headers.

        Raises:
            NetworkError: no answer, no token, or an answer without end.
        """
        request = HttpRequest("PUT", url, headers=dict(headers), json=content)
        return await self._send(request, resource_id, timeout_s)

    async def _send(
        self, request: HttpRequest, resource_id: str, timeout_s: float, largest: int = _LARGEST_ANSWER
    ) -> Answer:
        await self.have_token(resource_id)
        if (operation := ON_BEHALF_OF.get()) is None:
            return await self._measured(request, resource_id, timeout_s, largest)
        request.headers["x-ms-correlation-request-id"] = correlation_id(operation)
        with span("nvaha.arm", kind=SpanKind.CLIENT, resource_id=resource_id, operation=operation) as made:
            made.set_attribute("http.request.method", request.method)
            answer = await self._measured(request, resource_id, timeout_s, largest)
            made.set_attribute("http.response.status_code", answer.status)
            return answer

    async def _measured(
        self, request: HttpRequest, resource_id: str, timeout_s: float, largest: int
    ) -> Answer:
        began_at, status = self._clock.monotonic(), "none"
        try:
            answer = await self._answer(request, resource_id, timeout_s, largest)
            status = str(answer.status)
            return answer
        finally:
            self._meter.count("nvaha_arm_requests_total", method=request.method, status=status)
            took_s = self._clock.monotonic() - began_at
            self._meter.observe("nvaha_arm_request_duration_seconds", took_s, method=request.method)

    async def _answer(self, request: HttpRequest, resource_id: str, timeout_s: float, largest: int) -> Answer:
        sent_at = self.service_clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._pipeline().send_request(request, stream=True)
                self.service_clock.read(response.headers.get("Date"), sent_at, self.service_clock.monotonic())
                try:
                    body = await _read(response, resource_id, largest)
                    return Answer(response.status_code, response.headers, body)
                finally:
                    await response.close()
        except TimeoutError as error:
            raise NetworkError(
                NetworkFault.UNAVAILABLE, resource_id, f"no answer from ARM within {timeout_s:g} s"
            ) from error
        except ClientAuthenticationError as error:
            # ARM's own 401 is an answer; this is raised where a token is had.
            raise _no_token(error, resource_id) from error
        except (AzureError, aiohttp.ClientError, OSError) as error:
            message = bounded(f"no answer from ARM: {described(error)}")
            raise NetworkError(NetworkFault.UNAVAILABLE, resource_id, message) from error

    async def have_token(self, resource_id: str) -> None:
        """Get a token into the credential's cache, so that an identity that fails is not taken for ARM.

        Raises:
            NetworkError: NO_TOKEN, whatever the reason, and however deep.
        """
        try:
            async with asyncio.timeout(_TOKEN_TIMEOUT_S):
                await self._credential.get_token(self._scope)
        except TimeoutError as error:
            text = f"no token for ARM: the identity did not answer within {_TOKEN_TIMEOUT_S:g} s"
            raise NetworkError(NetworkFault.NO_TOKEN, resource_id, text) from error
        except Exception as error:
            raise _no_token(error, resource_id) from error

    def _pipeline(self) -> AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse]:
        # Made late: a session belongs to the event loop that is running then.
        if self._client is None:
            trust = ssl.create_default_context(cafile=self._ca)
            # Our own session: given a CA file, the SDK's transport makes a TLS context for each request, and
            # with it a new connection.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trust, limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=True,
            )
            transport = AioHttpTransport(
                session=self._session, session_owner=False, connection_timeout=_CONNECT_S
            )
            self._client = AsyncARMPipelineClient(self.endpoint, policies=self._policies, transport=transport)
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        self._session = self._client = None


async def _read(response: AsyncHttpResponse, resource_id: str, largest: int) -> bytes:
    body = bytearray()
    async for part in response.iter_bytes():
        body += part
        if len(body) > largest:
            raise NetworkError(
                NetworkFault.UNREADABLE, resource_id, f"an answer of more than {largest} bytes"
            )
    return bytes(body)


def _no_token(error: Exception, resource_id: str) -> NetworkError:
    """Return that no token was had, which passes: only ARM itself says that somebody may not."""
    text = str(error)
    if not text.startswith("no token"):
        text = f"no token for ARM: {type(error).__name__}: {text}"
    return NetworkError(NetworkFault.NO_TOKEN, resource_id, bounded(text))


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Return what has to be the same of two URLs on one host; a default port may be written or not."""
    return url.scheme, url.hostname, url.port or {"https": 443, "http": 80}.get(url.scheme)
