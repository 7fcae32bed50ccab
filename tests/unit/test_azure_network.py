"""Reading and writing whole resources, against a scripted ARM on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from nvaha import __version__
from nvaha.azure.arm.network import ArmNetwork
from nvaha.config.settings import Settings
from nvaha.lab.stage.certificates import Certificates, make_certificates
from nvaha.model import Resource
from nvaha.ports import Network, NetworkError, NetworkFault

TABLE = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/routeTables/table 1"
OPERATION = "/subscriptions/s/providers/Microsoft.Network/locations/west/operations/1?api-version=2025-03-01"
BODY: dict[str, Any] = {
    "id": TABLE,
    "name": "table 1",
    "etag": 'W/"1"',
    "tags": {"unknown": "kept"},
    "properties": {"provisioningState": "Succeeded", "routes": [], "somethingNew": {"deep": [1]}},
}
RESOURCE = Resource(TABLE, 'W/"1"', BODY)


class HandClock:
    """A clock that only waiting turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Return the time of day."""
        return datetime.fromtimestamp(self.now_s, UTC)

    def monotonic(self) -> float:
        """Return the seconds that were waited for."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Turn the clock."""
        self.waits.append(seconds)
        self.now_s += seconds


class Credential:
    """Gives a token, or fails with what it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token that lasts for an hour."""
        if self.failure is not None:
            raise self.failure
        return AccessToken("token-of-the-test", int(time.time()) + 3600)

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Arm:
    """What the scripted ARM answers next, and what it was asked; the last answer repeats."""

    answers: list[web.Response | Callable[[web.Request], Awaitable[web.Response]]] = field(
        default_factory=list
    )
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    peers: set[object] = field(default_factory=set)
    clock: HandClock = field(default_factory=HandClock)
    credential: Credential = field(default_factory=Credential)
    alive_at: list[float] = field(default_factory=list)
    endpoint: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note a request and give the next answer."""
        self.asked.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            # A response object can be sent once.
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await answer(request)

    async def alive(self) -> None:
        """Note when the caller was asked whether it still wants to wait."""
        self.alive_at.append(self.clock.now_s)


def answer(status: int, content: object = None, **headers: str) -> web.Response:
    """Return an answer with a JSON body and headers whose names are spelt with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return web.Response(status=status, body=body, headers=named)


def status(value: str, **error: str) -> web.Response:
    """Return the poll's answer of an operation."""
    return answer(200, {"status": value, **({"error": error} if error else {})})


async def reset(request: web.Request) -> web.Response:
    """Cut the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make a server certificate."""
    return make_certificates(tmp_path_factory.mktemp("tls"), datetime.fromtimestamp(time.time(), UTC))


@pytest.fixture
def run(certificates: Certificates) -> Callable[[Callable[[Network, Arm], Awaitable[None]], Arm], None]:
    """Return what runs a test against a scripted ARM."""

    def run_test(test: Callable[[Network, Arm], Awaitable[None]], arm: Arm) -> None:
        async def whole() -> None:
            async with asyncio.timeout(20), serving(arm, certificates) as network:
                await test(network, arm)

        asyncio.run(whole())

    return run_test


@asynccontextmanager
async def serving(arm: Arm, certificates: Certificates) -> AsyncIterator[Network]:
    """Serve the script over TLS."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", arm.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context())
    await site.start()
    arm.endpoint = f"https://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings.from_environ(
        {"NVAHA_ARM_ENDPOINT": arm.endpoint, "NVAHA_ARM_CA": str(certificates.ca_file)},
        storage_required=False,
    )
    try:
        async with ArmNetwork(settings, arm.credential, arm.clock) as network:
            yield network
    finally:
        await runner.cleanup()


Run = Callable[[Callable[[Network, Arm], Awaitable[None]], Arm], None]


async def fault_of(work: Awaitable[object]) -> NetworkError:
    """Return the NetworkError that this ends in."""
    with pytest.raises(NetworkError) as caught:
        await work
    assert len(caught.value.message) <= 500
    assert "token-of-the-test" not in str(caught.value)
    return caught.value


def test_a_resource_is_read_whole(run: Run) -> None:
    """The body comes back with every property, the ETag, and one connection serves several reads."""

    async def test(network: Network, arm: Arm) -> None:
        assert await network.get(TABLE) == RESOURCE
        assert await network.get(TABLE.upper()) == Resource(TABLE.upper(), 'W/"1"', BODY)
        method, path, headers, _ = arm.asked[0]
        assert (method, path) == ("GET", f"{TABLE.replace(' ', '%20')}?api-version=2025-03-01")
        assert headers["Authorization"] == "Bearer token-of-the-test"
        assert headers["User-Agent"] == f"nvaha/{__version__}"
        assert len(arm.peers) == 1

    run(test, Arm([answer(200, BODY)]))


@pytest.mark.parametrize("spelt", ["ETag", "etag", "ETAG"])
def test_an_etag_may_come_in_the_header_only(run: Run, spelt: str) -> None:
    """Where the body has no ETag, the header's counts, however it is spelt."""
    body = {key: value for key, value in BODY.items() if key != "etag"}

    async def test(network: Network, arm: Arm) -> None:
        assert (await network.get(TABLE)).etag == 'W/"7"'

    run(test, Arm([answer(200, body, **{spelt: 'W/"7"'})]))


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"",
        b"\xff",
        [],
        None,
        BODY | {"id": None},
        BODY | {"id": "/subscriptions/other"},
        BODY | {"properties": None},
        BODY | {"etag": None},
        BODY | {"etag": "a\nb"},
        b" " * (4 * 1024 * 1024 + 1),
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_resource_is_unreadable(run: Run, content: object) -> None:
    """A body that is not this resource, whole and with an ETag, is not taken for one."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.get(TABLE))).fault is NetworkFault.UNREADABLE

    run(test, Arm([answer(200, content)]))


@pytest.mark.parametrize("trouble", [reset, answer(500), answer(503, Retry_After="60")])
def test_a_read_is_tried_again_soon(run: Run, trouble: Any) -> None:
    """Two failures of ARM itself are got over within half a second, whatever Retry-After says."""

    async def test(network: Network, arm: Arm) -> None:
        assert await network.get(TABLE) == RESOURCE
        assert sum(arm.clock.waits) <= 0.5

    # The HTTP library itself sends a read again once when its connection is reset.
    tries = 4 if trouble is reset else 2
    run(test, Arm([*[trouble] * tries, answer(200, BODY)]))


@pytest.mark.parametrize(
    ("given", "fault", "tries"),
    [
        (answer(404), NetworkFault.MISSING, 1),
        (answer(403), NetworkFault.DENIED, 1),
        (answer(401), NetworkFault.DENIED, 1),
        (answer(429, Retry_After="7"), NetworkFault.BUSY, 1),
        (answer(302, Location="https://127.0.0.1/elsewhere"), NetworkFault.REFUSED, 1),
        (answer(500), NetworkFault.UNAVAILABLE, 3),
    ],
)
def test_a_failed_read_says_why(run: Run, given: web.Response, fault: NetworkFault, tries: int) -> None:
    """Only ARM's own trouble is tried again, and that three times at most."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.get(TABLE))).fault is fault
        assert len(arm.asked) == tries

    run(test, Arm([given]))


def test_nobody_listening_is_unavailable(run: Run) -> None:
    """A refused connection says nothing about the resource."""

    async def test(network: Network, arm: Arm) -> None:
        settings = Settings.from_environ(
            {"NVAHA_ARM_ENDPOINT": "https://127.0.0.1:1"}, storage_required=False
        )
        async with ArmNetwork(settings, Credential(), HandClock()) as nowhere:
            assert (await fault_of(nowhere.get(TABLE))).fault is NetworkFault.UNAVAILABLE
        # A server whose certificate nobody vouches for is no ARM either.
        settings = Settings.from_environ({"NVAHA_ARM_ENDPOINT": arm.endpoint}, storage_required=False)
        async with ArmNetwork(settings, Credential(), HandClock()) as stranger:
            assert (await fault_of(stranger.get(TABLE))).fault is NetworkFault.UNAVAILABLE
        assert arm.asked == []

    run(test, Arm([answer(200, BODY)]))


def test_no_token_is_denied(run: Run) -> None:
    """Without a credential nothing is sent, and the reason is told."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.get(TABLE))).fault is NetworkFault.DENIED
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.DENIED
        assert arm.asked == []

    run(test, Arm([answer(200, BODY)], credential=Credential(ClientAuthenticationError("no identity here"))))


def test_a_write_sends_everything_back_under_its_etag(run: Run) -> None:
    """The body goes back as it was read, unknown properties too; the ETag travels as If-Match."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        method, _, headers, body = arm.asked[0]
        assert (method, headers["If-Match"]) == ("PUT", 'W/"1"')
        assert json.loads(body) == {key: value for key, value in BODY.items() if key != "etag"}
        assert len(arm.asked) == 1

    run(test, Arm([answer(200, BODY)]))


def test_an_operation_is_followed_at_its_own_pace(run: Run) -> None:
    """Polls are frequent at first and rarer later, whatever Retry-After says."""

    async def test(network: Network, arm: Arm) -> None:
        polls: list[float] = []

        async def poll(_: web.Request) -> web.Response:
            polls.append(arm.clock.now_s)
            done = len(polls) == 90
            body = {"status": "Succeeded" if done else "InProgress"}
            return answer(200, body, Retry_After="10")

        accepted = answer(201, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, poll]
        await network.put(RESOURCE, alive=arm.alive)
        gaps = [later - earlier for earlier, later in pairwise([0.0, *polls])]
        assert all(gap == pytest.approx(0.3) for at, gap in zip(polls, gaps, strict=True) if at < 10.0)
        assert all(gap == pytest.approx(1.0) for at, gap in zip(polls, gaps, strict=True) if 12.0 < at < 60.0)
        assert gaps[-1] == pytest.approx(2.0)
        assert arm.asked[1][1] == OPERATION
        seen = [0.0, *arm.alive_at]
        assert max(later - earlier for earlier, later in pairwise(seen)) <= 1.0

    run(test, Arm([answer(200)]))


def test_a_write_without_an_operation_is_watched_on_the_resource(run: Run) -> None:
    """Where no operation is named, the resource's provisioning state says when the write has ended."""
    updating = BODY | {"properties": {"provisioningState": "Updating"}}

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert [asked[0] for asked in arm.asked] == ["PUT", "GET", "GET"]

    run(test, Arm([answer(200, updating), answer(200, updating), answer(200, BODY)]))


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (status("Failed", code="OperationNotAllowed", message="startTenantUpdate"), NetworkFault.REFUSED),
        (status("Failed", code="InternalServerError", message="x"), NetworkFault.UNAVAILABLE),
        (
            status("Canceled", code="CanceledAndSupersededDueToAnotherOperation", message="x"),
            NetworkFault.BUSY,
        ),
        (status("Failed"), NetworkFault.REFUSED),
    ],
)
def test_an_operation_that_ends_badly_is_told(run: Run, ended: web.Response, fault: NetworkFault) -> None:
    """A write that was accepted and then failed is a failure with the operation's reason."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, status("InProgress"), ended]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is fault

    run(test, Arm())


@pytest.mark.parametrize("trouble", [answer(500), answer(404), answer(200, b"<x>"), answer(200, {}), reset])
def test_failed_polls_are_got_over(run: Run, trouble: Any) -> None:
    """A few polls without a usable answer do not end the wait; half a minute of them does."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, *[trouble] * 8, status("Succeeded")]
        await network.put(RESOURCE, alive=arm.alive)
        arm.answers = [accepted, trouble]
        arm.clock.now_s = 0.0
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNAVAILABLE
        assert 29 <= arm.clock.now_s <= 35

    run(test, Arm())


def test_a_throttled_poll_waits_as_it_is_told(run: Run) -> None:
    """On 429 the wait is the one that ARM asks for, with `alive` asked meanwhile."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, answer(429, Retry_After="40"), status("Succeeded")]
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s == pytest.approx(40.3)
        assert len(arm.alive_at) >= 40

    run(test, Arm())


def test_an_operation_that_may_not_be_read_is_watched_on_the_resource(run: Run) -> None:
    """Without the permission to read operations the resource itself says when the write has ended."""
    updating = BODY | {"properties": {"provisioningState": "Updating"}}

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, updating, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, answer(403), answer(200, updating), answer(200, BODY)]
        await network.put(RESOURCE, alive=arm.alive)
        assert len(arm.asked) == 4
        arm.answers = [accepted, answer(403)]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.DENIED

    run(test, Arm())


def test_an_operation_without_end_is_given_up(run: Run) -> None:
    """After a quarter of an hour nobody can say how the write ended."""

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION), status("InProgress")]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNAVAILABLE
        assert arm.clock.now_s == pytest.approx(900, abs=3)

    run(test, Arm())


@pytest.mark.parametrize(
    "link", ["https://127.0.0.2/operations/1", "http://127.0.0.1/x", "https://[::1", "//elsewhere.example/x"]
)
def test_an_operation_elsewhere_is_not_followed(run: Run, link: str) -> None:
    """A token does not go to another host than ARM's."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNREADABLE
        assert len(arm.asked) == 1

    run(test, Arm([answer(200, BODY, Azure_AsyncOperation=link)]))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(412), NetworkFault.CHANGED),
        (answer(429, {"error": {"code": "RetryableError", "message": "x"}}), NetworkFault.BUSY),
        (answer(400, {"error": {"code": "PublicIPAddressInUse", "message": "x"}}), NetworkFault.IN_USE),
        (answer(500), NetworkFault.UNAVAILABLE),
    ],
)
def test_a_refused_write_is_sent_once(run: Run, given: web.Response, fault: NetworkFault) -> None:
    """A write is never repeated here: whoever asked has to look first."""

    async def test(network: Network, arm: Arm) -> None:
        error = await fault_of(network.put(RESOURCE, alive=arm.alive))
        assert error.fault is fault
        assert len(arm.asked) == 1

    run(test, Arm([given]))


def test_what_alive_raises_ends_the_wait(run: Run) -> None:
    """Whoever is deposed stops waiting at once, during the request and between polls alike."""

    class DeposedError(Exception):
        pass

    async def deposed() -> None:
        raise DeposedError

    async def test(network: Network, arm: Arm) -> None:
        release = asyncio.Event()

        async def never(_: web.Request) -> web.Response:
            await release.wait()
            return web.Response()

        arm.answers = [never]
        with pytest.raises(DeposedError):
            await network.put(RESOURCE, alive=deposed)
        release.set()
        arm.answers = [answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION), status("InProgress")]
        with pytest.raises(DeposedError):
            await network.put(RESOURCE, alive=deposed)

    run(test, Arm())


def test_paths_stay_paths(run: Run) -> None:
    """Nothing in a resource id becomes a query or another path."""

    async def test(network: Network, arm: Arm) -> None:
        await fault_of(network.get(f"{TABLE}?x#y"))
        assert arm.asked[0][1].startswith(f"{TABLE.replace(' ', '%20')}%3Fx%23y?api-version=")

    run(test, Arm([answer(404)]))
