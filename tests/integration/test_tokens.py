"""Tokens by the real identity library from the simulator's managed-identity endpoint, in trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.clock import ServiceClock
from nvaha.azure.credentials import arm_credential
from nvaha.azure.tokens import Tokens
from nvaha.config.settings import Settings
from nvaha.lab.arm import ArmSimulator, Fault, FaultKind
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import environment
from nvaha.ports import NetworkError, NetworkFault

HOUR_S = 3600.0
TABLE = environment().route_tables[0]


class Scene:
    """An ARM, and one process's tokens and network."""

    def __init__(self, arm: ArmSimulator, settings: Settings) -> None:
        self.arm, self.settings = arm, settings
        self.tokens = Tokens(settings)
        self.network = ArmNetwork(settings, self.tokens.arm, ServiceClock())

    def endpoint(self, kind: FaultKind, *, status: int = 400, delay_s: float = 0.0) -> None:
        """Let every request for a token meet this from now on."""
        self.arm.faults.add(Fault(kind, method="TOKEN", status=status, delay_s=delay_s, count=None))

    async def fault(self) -> NetworkFault | None:
        """Return how a read ends, None if well."""
        try:
            await self.network.get(TABLE)
        except NetworkError as error:
            return error.fault
        return None

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(15):
            while not await holds():  # noqa: ASYNC110 - what it waits for is beyond a socket
                await asyncio.sleep(0.1)


Test = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Test], None]:
    """Return what runs a test against a simulator of its own."""

    def run(test: Test) -> None:
        async def whole() -> None:
            arm = ArmSimulator(environment().resources, PROFILES["fast"], folder=tmp_path)
            await arm.start()
            environ = dict(arm.client_settings("monitor"))
            for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
                monkeypatch.setenv(name, environ[name])
            monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
            scene = Scene(arm, Settings.from_environ(environ, storage_required=False))
            try:
                async with asyncio.timeout(40):
                    await test(scene)
            finally:
                await scene.network.close()
                await scene.tokens.arm.close()
                await arm.stop()

        asyncio.run(whole())

    return run


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_an_identity_that_is_refused_a_token_is_not_denied_by_arm(
    play: Callable[[Test], None], status: int
) -> None:
    """However the endpoint says no, nothing reaches ARM, and the next token is as good as any."""

    async def test(scene: Scene) -> None:
        scene.endpoint(FaultKind.ERROR, status=status)
        assert await scene.fault() is NetworkFault.NO_TOKEN
        assert scene.arm.log == []
        scene.arm.faults.clear()

        async def answered() -> bool:
            return await scene.fault() is None

        await scene.until(answered)

    play(test)


def test_arms_own_word_is_final(play: Callable[[Test], None]) -> None:
    """A token that ARM will not have, or that may not do this, is no lack of one."""

    async def test(scene: Scene) -> None:
        scene.arm.deny("monitor", "*", TABLE)
        assert await scene.fault() is NetworkFault.DENIED
        scene.arm.allow_all()
        scene.arm.expire_tokens()
        assert await scene.fault() is NetworkFault.DENIED

    play(test)


def test_a_silent_endpoint_is_no_silence_of_arm(play: Callable[[Test], None]) -> None:
    """A request waits a few seconds for a token and is not tried again; nothing reaches ARM."""

    async def test(scene: Scene) -> None:
        scene.endpoint(FaultKind.HANG_BEFORE)
        started = time.monotonic()
        assert await scene.fault() is NetworkFault.NO_TOKEN
        assert time.monotonic() - started < 5.0
        assert scene.arm.log == []

    play(test)


def test_a_slow_endpoint_is_waited_for(play: Callable[[Test], None]) -> None:
    """A first token that takes a second is a first token."""

    async def test(scene: Scene) -> None:
        scene.endpoint(FaultKind.SLOW, delay_s=1.0)
        assert await scene.fault() is None

    play(test)


def test_a_token_that_ends_soon_is_not_relied_on(play: Callable[[Test], None]) -> None:
    """It is there for what is asked now; the next request has another one."""

    async def test(scene: Scene) -> None:
        scene.endpoint(FaultKind.SHORT_LIVED, delay_s=30.0)
        assert await scene.fault() is None
        assert scene.tokens.arm.held is None
        scene.arm.faults.clear()
        assert await scene.fault() is None
        assert scene.tokens.arm.held is not None

    play(test)


def test_what_is_had_at_the_start_outlives_its_endpoint(
    play: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a day later the library has a good token and fails all the same; the keeper hands it out."""

    async def test(scene: Scene) -> None:
        async def had() -> bool:
            return scene.tokens.arm.token_at is not None

        keeping = asyncio.ensure_future(scene.tokens.keep())
        async with arm_credential(scene.settings) as library:
            await library.get_token("https://management.azure.com/.default")
            await scene.until(had)
            scene.endpoint(FaultKind.ERROR)
            wall = time.time
            monkeypatch.setattr(time, "time", lambda: wall() + 13 * HOUR_S)
            with pytest.raises(ClientAuthenticationError):
                await library.get_token("https://management.azure.com/.default")
            assert await scene.fault() is None
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    play(test)
