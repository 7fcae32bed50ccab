"""The managed-identity endpoint of App Service: who has its secret header gets an opaque, expiring token.

Protocol: Learn, "How to use managed identities for App Service and Azure Functions", REST endpoint reference.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from nvaha.lab.arm.errors import unauthorized
from nvaha.lab.arm.faults import TOKEN, FaultKind, Faults
from nvaha.lab.arm.gate import Gate
from nvaha.lab.arm.switches import Switches

PATH = "/msi/token"
_API_VERSION = "2019-08-01"
_HEADER_PREFIX = "lab-"
_ARM_AUDIENCES = {
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
    "https://management.core.chinacloudapi.cn",
}


def header_of(principal: str) -> str:
    """Return the IDENTITY_HEADER by which the endpoint knows a principal."""
    return _HEADER_PREFIX + principal


@dataclass(frozen=True, slots=True)
class _Token:
    principal: str
    audience: str
    expires: float


class Identity:
    """Hands out tokens and checks them."""

    def __init__(
        self,
        switches: Switches,
        faults: Faults,
        gate: Gate,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._switches = switches
        self._faults = faults
        self._gate = gate
        self._clock = clock
        self._wall = wall
        self._tokens: dict[str, _Token] = {}

    def expire(self) -> None:
        """Let every token handed out so far be expired."""
        now = self._clock()
        self._tokens = {
            text: _Token(each.principal, each.audience, min(each.expires, now))
            for text, each in self._tokens.items()
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request for a token."""
        header = request.headers.get("X-IDENTITY-HEADER", "")
        if not header.startswith(_HEADER_PREFIX) or header == _HEADER_PREFIX:
            return web.json_response({"statusCode": 401, "message": "Invalid identity header."}, status=401)
        resource = request.query.get("resource", "")
        if request.query.get("api-version") != _API_VERSION or not resource:
            message = f"The api-version {_API_VERSION} and a resource are required."
            return web.json_response({"statusCode": 400, "message": message}, status=400)
        lifetime = self._switches.token_lifetime_s
        fault = self._faults.strike(TOKEN, resource, header.removeprefix(_HEADER_PREFIX))
        match fault.kind if fault else None:
            case FaultKind.ERROR if fault:
                refusal = {"statusCode": fault.status, "message": fault.message}
                return web.json_response(refusal, status=fault.status)
            case FaultKind.HANG_BEFORE:
                await self._gate.hang(request)
                return web.Response()
            case FaultKind.SLOW if fault:
                await asyncio.sleep(fault.delay_s)
            case FaultKind.SHORT_LIVED if fault:
                lifetime = fault.delay_s
        text = secrets.token_urlsafe(48)
        audience = resource.removesuffix("/.default").rstrip("/").casefold()
        self._tokens[text] = _Token(header.removeprefix(_HEADER_PREFIX), audience, self._clock() + lifetime)
        return web.json_response(
            {
                "access_token": text,
                "expires_on": str(int(self._wall() + lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": header,
            }
        )

    def principal(self, authorization: str | None) -> str:
        """Return who an Authorization header stands for; 401 unless it is a valid token for ARM."""
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.casefold() != "bearer" or not text:
            raise unauthorized(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        token = self._tokens.get(text.strip())
        if token is None:
            raise unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
        if token.audience not in _ARM_AUDIENCES:
            raise unauthorized(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{token.audience}'.",
            )
        if self._clock() >= token.expires:
            raise unauthorized("ExpiredAuthenticationToken", "The access token expired.")
        return token.principal
