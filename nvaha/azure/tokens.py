"""Tokens had before they are needed: fetched at the start of a process, renewed long before they end.

The identity library asks for a token when a request needs one, and again when half of its life is over (a
managed identity's) or five minutes before its end (a service principal's). Where that fails it fails the
request, of a managed identity even while the token it has is good for twelve hours more (azure-facts A11). So
tokens are held here, and each is fetched by a new credential, which has none of its own to hand out instead.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.identity import CredentialUnavailableError

from nvaha.azure.clouds import ENDPOINTS, STORAGE_SCOPE
from nvaha.azure.credentials import arm_credential, storage_credential
from nvaha.config.settings import Settings
from nvaha.model import Notice, TokenSeen
from nvaha.ports import Notifier
from nvaha.text import one_line, safe, shortened

if TYPE_CHECKING:
    from azure.core.credentials import TokenRequestOptions
    from azure.core.credentials_async import AsyncTokenCredential

EVERY_S = 600.0
"""So often a new token is asked for: even an hour's has then fifty minutes left when asking fails."""
AGAIN_S = (5.0, 10.0, 20.0, 40.0, 60.0)
"""The waits after asking in vain; the last one repeats."""
FETCH_S = 30.0
SPARE_S = 60.0
"""A token that ends sooner is as good as none: it has to last for the request that it goes with."""
HOLD_S = 5.0
"""So long nobody asks again on a request's account: a look would ask for each of its resources, and a worker
would keep others waiting who may have one."""
WANTED_S = 1.0
"""So often is it looked whether somebody wants a token for Event Grid."""
TOLD_AFTER_S = 1800.0
"""With a token in hand, this long without a new one is worth an error."""
_LONGEST = 1000
_WAYS = re.compile(r"\n\t(?=\w+Credential: )")
_TWICE = re.compile(r"\(None\) |\nCode: [^\n]*\nMessage: [^\n]*")
"""What an SDK says a second time, and the code of an answer that has none."""
_OBJECT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_ADVICE = "\nTo mitigate this issue"
_REMEDY = (
    "see that the app has its identity (az webapp identity show) and that its endpoint answers, or, with a "
    "service principal, that AZURE_TENANT_ID, AZURE_CLIENT_ID and its secret or certificate are good"
)


class TokenKeeper:
    """A credential for one service that hands out what it holds; `keep` it fresh from any event loop.

    Args:
        service: what the tokens are for, in words.
        scope: of the tokens.
        make: makes a credential, which is used once.
        now: the time in seconds since 1970.
    """

    def __init__(
        self,
        service: str,
        scope: str,
        make: Callable[[], AsyncTokenCredential],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.service, self._scope, self._make, self._now = service, scope, make, now
        self._held: AccessTokenInfo | None = None
        self._had_at = now()
        self._failed_at = float("-inf")
        self._fetching: asyncio.Task[AccessTokenInfo] | None = None
        self._told = False
        self.token_at: datetime | None = None
        """When a token was last had."""
        self.trouble: str | None = None
        """Why asking for a token last failed; None if it did not."""

    @property
    def held(self) -> AccessTokenInfo | None:
        """The token that is held, if it lasts for another request."""
        held = self._held
        return held if held is not None and held.expires_on - self._now() > SPARE_S else None

    def seen(self) -> TokenSeen:
        """Return how it stands with the tokens."""
        held = self.held
        if held is None:
            return TokenSeen(self.service, None, self.trouble)
        until = datetime.fromtimestamp(held.expires_on, UTC)
        return TokenSeen(self.service, until, self.trouble, _identity(held.token))

    async def keep(self) -> None:
        """Ask for a token, and for the next one, until cancelled."""
        failed = 0
        while True:
            try:
                await self._fetch({})
                failed = 0
            except CredentialUnavailableError:
                failed += 1
            await asyncio.sleep(EVERY_S if not failed else AGAIN_S[min(failed, len(AGAIN_S)) - 1])

    async def get_token_info(
        self, *_scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Return the token that is held, or else a new one; also where the service has refused that one.

        Args:
            options: the service's own wishes for a token, from its refusal.

        Raises:
            CredentialUnavailableError: none is held, and none can be had now.
        """
        wishes = {name: value for name, value in (options or {}).items() if name != "enable_cae" and value}
        if wishes:
            return await self._fetch(wishes)
        held = self.held
        if held is not None:
            return held
        if self.trouble is not None and _monotonic() - self._failed_at < HOLD_S:
            raise CredentialUnavailableError(self.trouble)
        task = self._fetching
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._fetching = asyncio.ensure_future(self._fetch({}))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever waits no longer leaves the others waiting.
        return await asyncio.shield(task)

    async def get_token(self, *scopes: str, **wishes: Any) -> AccessToken:
        """As `get_token_info`, for who knows no better."""
        known = {name: wishes[name] for name in ("claims", "tenant_id") if wishes.get(name)}
        found = await self.get_token_info(*scopes, options=known)  # type: ignore[arg-type]
        return AccessToken(found.token, found.expires_on)

    async def _fetch(self, wishes: dict[str, Any]) -> AccessTokenInfo:
        try:
            async with asyncio.timeout(FETCH_S), self._make() as credential:
                token = await credential.get_token(self._scope, **wishes)
        except Exception as error:
            # However deep it failed, no token was had, which says nothing about what it was wanted for.
            why = f"no answer within {FETCH_S:g} s" if isinstance(error, TimeoutError) else _why(error)
            self.trouble, self._failed_at = f"no token for {self.service}: {why}", _monotonic()
            raise CredentialUnavailableError(self.trouble) from error
        self._held = AccessTokenInfo(token.token, token.expires_on)
        self._had_at, self.trouble = self._now(), None
        self.token_at = datetime.fromtimestamp(self._had_at, UTC)
        return self._held

    def tell(self, notifier: Notifier) -> None:
        """Say once that no token can be had, and once that one is there again.

        From within a run of a function: what is logged outside of one is dropped by the host.
        """
        trouble, held = self.trouble, self.held
        if trouble is not None and not self._told:
            if held is not None and self._now() - self._had_at < TOLD_AFTER_S:
                return
            left = "nothing can be asked or moved from here; switches wait for an instance that has one"
            if held is not None:
                until = datetime.fromtimestamp(held.expires_on, UTC)
                left = f"the one that is held is good until {until:%Y-%m-%d %H:%M:%S} UTC"
            self._told = True
            notifier.notify(Notice("no_token", "error", f"{trouble}. {left}. {_REMEDY}"))
        elif trouble is None and self._told and held is not None:
            self._told = False
            notifier.notify(Notice("token_back", "info", f"a token for {self.service} can be had again"))

    async def close(self) -> None:
        """Ask no more."""
        task, self._fetching = self._fetching, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Tokens:
    """The tokens of one process: for ARM, and for storage where that is reached by identity.

    Those for Event Grid are for whoever asks for them: nothing that is watched or moved waits for them, and
    what goes wrong with them is told by whoever wanted to send.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._event_grid: TokenKeeper | None = None
        scope = ENDPOINTS[settings.cloud].arm_scope
        self.arm = TokenKeeper("ARM", scope, lambda: arm_credential(settings))
        self.storage: TokenKeeper | None = None
        if not settings.storage.connection_string:
            self.storage = TokenKeeper("storage", STORAGE_SCOPE, lambda: storage_credential(settings))

    @property
    def keepers(self) -> tuple[TokenKeeper, ...]:
        """All of them."""
        return (self.arm,) if self.storage is None else (self.arm, self.storage)

    @property
    def event_grid(self) -> TokenKeeper:
        """The one for Event Grid, kept from the first time that it is asked for."""
        if self._event_grid is None:
            scope = ENDPOINTS[self._settings.cloud].event_grid_scope
            self._event_grid = TokenKeeper("Event Grid", scope, lambda: arm_credential(self._settings))
        return self._event_grid

    async def keep(self) -> None:
        """Keep all of them fresh until cancelled."""
        await asyncio.gather(*(each.keep() for each in self.keepers), self._keep_event_grid())

    async def _keep_event_grid(self) -> None:
        # The configuration, which may want it, is read after the first tokens are had, and in another thread.
        while True:
            if self._event_grid is not None:
                await self._event_grid.keep()
            await asyncio.sleep(WANTED_S)

    async def close(self) -> None:
        """Ask no more for what is asked for on a request's account; storage's is closed with storage."""
        for each in (self.arm, self._event_grid):
            if each is not None:
                await each.close()

    def tell(self, notifier: Notifier) -> None:
        """Say what changed for each of them."""
        for each in self.keepers:
            each.tell(notifier)


def _identity(token: str) -> str | None:
    """Return the object id that stands in a token; it is Entra's to change how it looks, so perhaps none."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        found = claims.get("oid")
    except (IndexError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) and _OBJECT_ID.fullmatch(found) else None


def _monotonic() -> float:
    # One clock for every event loop of a process, and virtual where the loop's time is.
    return asyncio.get_running_loop().time()


def _why(error: Exception) -> str:
    # An identity library's text has a part for each way that it has tried, and advice on where to read. Ways
    # that are not set up say nothing about the one that is.
    head, *ways = _WAYS.split(str(error)[:16_000].partition(_ADVICE)[0])
    tried = [each for each in ways if "unavailable" not in each] or ways
    said = "; ".join(tried) or f"{type(error).__name__}: {head}"
    text = safe(one_line(_TWICE.sub("", said))).rstrip(". ")
    return shortened(text, _LONGEST, tail=_LONGEST // 3)
