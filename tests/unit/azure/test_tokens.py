"""Tokens are had at the start, renewed long before they end, and their lack passes and is told once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError
from azure.identity.aio import ChainedTokenCredential

from nvaha.azure.tokens import AGAIN_S, EVERY_S, FETCH_S, SPARE_S, TOLD_AFTER_S, TokenKeeper
from tests.fakes import Told

HOUR_S = 3600.0


@dataclass
class Identity:
    """An endpoint that hands out tokens; each credential made for it asks anew.

    Args:
        lifetime_s: of a token.
        failure: what asking fails with.
        slow_s: how long an answer takes.
        asked_s: when it was asked, on the loop's clock.
        wishes: what was asked for beside the scope.
    """

    lifetime_s: float = 24 * HOUR_S
    failure: Exception | None = None
    slow_s: float = 0.01
    asked_s: list[float] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)
    open: int = 0

    async def get_token(self, *_: str, **wishes: Any) -> AccessToken:
        """Hand out a token."""
        self.asked_s.append(now())
        self.wishes.append(wishes)
        await asyncio.sleep(self.slow_s)
        if self.failure is not None:
            raise self.failure
        return AccessToken(f"token {len(self.asked_s)}", int(now() + self.lifetime_s))

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Identity:
        self.open += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open -= 1


def now() -> float:
    """Return the time, which is the loop's."""
    return asyncio.get_running_loop().time()


def keeper(identity: Identity) -> TokenKeeper:
    """Return what keeps this identity's tokens."""
    return TokenKeeper("ARM", "scope", lambda: identity, now=now)


async def lacks(tokens: TokenKeeper) -> bool:
    """Tell whether no token can be had now."""
    try:
        await tokens.get_token_info("scope")
    except CredentialUnavailableError:
        return True
    return False


class Kept:
    """A keeper at work in the background."""

    def __init__(self, tokens: TokenKeeper) -> None:
        self._tokens = tokens

    async def __aenter__(self) -> None:
        self._task = asyncio.ensure_future(self._tokens.keep())
        await asyncio.sleep(0.1)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_a_token_is_there_before_it_is_asked_for() -> None:
    """A request finds it, and waits for nobody; when it was had can be told."""
    identity = Identity()
    tokens = keeper(identity)
    assert tokens.token_at is None
    async with Kept(tokens):
        had_at = now()
        assert (await tokens.get_token("scope")).token == "token 1"
        assert (now(), len(identity.asked_s)) == (had_at, 1)
        assert tokens.token_at == datetime.fromtimestamp(0.01, UTC)


@pytest.mark.parametrize(("lifetime_s", "out_s"), [(24 * HOUR_S, 23 * HOUR_S), (HOUR_S, 45 * 60.0)])
@pytest.mark.parametrize("began_s", [1.0, EVERY_S - 1.0, EVERY_S + 1.0, 5 * HOUR_S])
async def test_an_endpoint_that_is_out_costs_nothing(lifetime_s: float, out_s: float, began_s: float) -> None:
    """Whenever it begins: of a managed identity's tokens for most of a day, of an hour's for most of that."""
    identity = Identity(lifetime_s)
    tokens = keeper(identity)
    async with Kept(tokens):
        await asyncio.sleep(began_s)
        identity.failure = ClientAuthenticationError("out")
        for _ in range(20):
            await asyncio.sleep(out_s / 20)
            started = now()
            assert not await lacks(tokens)
            assert now() == started
        identity.failure = None
        await asyncio.sleep(AGAIN_S[-1] + 1.0)
        assert tokens.trouble is None


async def test_a_start_without_the_endpoint_is_made_good() -> None:
    """Asked again soon, then less and less often, and had as soon as it answers."""
    identity = Identity(failure=OSError("refused"))
    tokens = keeper(identity)
    async with Kept(tokens):
        await asyncio.sleep(HOUR_S)
        gaps = [
            later - earlier for earlier, later in zip(identity.asked_s, identity.asked_s[1:], strict=False)
        ]
        assert gaps[0] < AGAIN_S[0] + 1.0
        assert max(gaps) < AGAIN_S[-1] + 1.0
        assert len(gaps) < 1.2 * HOUR_S / AGAIN_S[-1]
        identity.failure = None
        await asyncio.sleep(AGAIN_S[-1] + 1.0)
        assert not await lacks(tokens)


@pytest.mark.parametrize(
    "failure",
    [
        ClientAuthenticationError("refused"),
        CredentialUnavailableError("refused"),
        OSError("refused"),
        ValueError("refused"),
        AttributeError("refused"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_whatever_fails_no_token_was_had(failure: Exception) -> None:
    """One kind of error for whoever wanted one, with the reason in it; the credential is closed."""
    identity = Identity(failure=failure)
    with pytest.raises(CredentialUnavailableError, match=r"no token for ARM: .*refused"):
        await keeper(identity).get_token_info("scope")
    assert identity.open == 0


async def test_a_silent_endpoint_is_not_waited_for_for_ever() -> None:
    """It ends as a failure that says so."""
    tokens = keeper(Identity(slow_s=10 * HOUR_S))
    with pytest.raises(CredentialUnavailableError, match="no answer within 30 s"):
        await tokens.get_token_info("scope")
    assert now() == FETCH_S


async def test_many_who_want_one_ask_once() -> None:
    """And whoever waits no longer leaves the others waiting."""
    identity = Identity(slow_s=2.0)
    tokens = keeper(identity)
    waiting = [asyncio.ensure_future(tokens.get_token_info("scope")) for _ in range(20)]
    await asyncio.sleep(1.0)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting[1:])
    assert ({each.token for each in found}, len(identity.asked_s)) == ({"token 1"}, 1)


async def test_many_who_ask_in_vain_ask_seldom() -> None:
    """A look reads hundreds of resources one after another, and none of them has a token."""
    identity = Identity(failure=OSError("refused"), slow_s=0.0)
    tokens = keeper(identity)
    for _ in range(100):
        assert await lacks(tokens)
        await asyncio.sleep(0.05)
    assert len(identity.asked_s) <= 2


async def test_a_token_at_its_end_is_none() -> None:
    """One that ends before its request does is not handed out."""
    identity = Identity(lifetime_s=2 * SPARE_S)
    tokens = keeper(identity)
    await tokens.get_token_info("scope")
    identity.failure = OSError("refused")
    await asyncio.sleep(0.9 * SPARE_S)
    assert not await lacks(tokens)
    await asyncio.sleep(0.2 * SPARE_S)
    assert await lacks(tokens)


async def test_what_a_service_has_refused_is_not_handed_out_again() -> None:
    """Its wishes go to the identity, and what that gives is what is held from then on."""
    identity = Identity()
    tokens = keeper(identity)
    await tokens.get_token("scope", enable_cae=True)
    assert (await tokens.get_token("scope", claims="more")).token == "token 2"
    assert (await tokens.get_token("scope")).token == "token 2"
    assert identity.wishes == [{}, {"claims": "more"}]


async def test_the_lack_of_a_token_is_told_once_and_so_is_its_end() -> None:
    """With what to do about it; and without a secret that an error may quote."""
    identity = Identity(failure=OSError("refused: client_secret=abcdefghijklmnop"))
    tokens, told = keeper(identity), Told()
    for _ in range(3):
        assert await lacks(tokens)
        tokens.tell(told)
        await asyncio.sleep(60.0)
    identity.failure = None
    for _ in range(3):
        assert not await lacks(tokens)
        tokens.tell(told)
    assert told.events == ["no_token", "token_back"]
    assert "az webapp identity show" in told.notices[0].text
    assert "abcdefghijklmnop" not in told.notices[0].text


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (ClientAuthenticationError("the endpoint is out"), "ManagedIdentityCredential: the endpoint is out"),
        (
            ClientAuthenticationError("(None) it is out\nCode: None\nMessage: it is out"),
            "no token for ARM: ManagedIdentityCredential: it is out",
        ),
        (CredentialUnavailableError("unavailable here"), "EnvironmentCredential: unavailable, not set up"),
    ],
)
async def test_of_many_ways_to_a_token_the_one_that_was_tried_is_told(says: Exception, told: str) -> None:
    """What is not set up says nothing about what is, unless nothing is; where to read more is left out."""
    ways = ChainedTokenCredential(
        EnvironmentCredential(CredentialUnavailableError("unavailable, not set up")),
        ManagedIdentityCredential(says),
    )
    tokens = TokenKeeper("ARM", "scope", lambda: ways, now=now)
    assert await lacks(tokens)
    assert told in (tokens.trouble or "")
    assert ("EnvironmentCredential" in (tokens.trouble or "")) is isinstance(says, CredentialUnavailableError)
    assert not [each for each in ("aka.ms", "None", "Message:") if each in (tokens.trouble or "")]


class EnvironmentCredential(Identity):
    """A way to a token, by the name of one of the library's."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(failure=failure)


class ManagedIdentityCredential(EnvironmentCredential):
    """Another one."""


async def test_a_token_that_grows_old_is_told_while_it_is_still_good() -> None:
    """Not at a blink of the endpoint, but hours before anything would fail."""
    identity = Identity()
    tokens, told = keeper(identity), Told()
    async with Kept(tokens):
        identity.failure = OSError("refused")
        await asyncio.sleep(EVERY_S + 60.0)
        tokens.tell(told)
        assert (tokens.trouble is None, told.events) == (False, [])
        await asyncio.sleep(TOLD_AFTER_S)
        tokens.tell(told)
        tokens.tell(told)
        assert told.events == ["no_token"]
        assert "good until 1970-01-02 00:00:00 UTC" in told.notices[0].text
        assert not await lacks(tokens)


@pytest.mark.parametrize("close", [True, False])
async def test_nothing_is_left_running(close: bool) -> None:
    """Closing ends what is being asked for; a keeper that asks for nothing is closed as well."""
    identity = Identity(slow_s=20.0)
    async with keeper(identity) as tokens:
        if close:
            waiting = asyncio.ensure_future(tokens.get_token_info("scope"))
            await asyncio.sleep(1.0)
    assert identity.open == 0
    if close:
        with pytest.raises(asyncio.CancelledError):
            await waiting
