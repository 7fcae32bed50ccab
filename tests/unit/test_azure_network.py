"""Reading and writing whole resources, against a scripted ARM on loopback."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from nvaha import __version__
from nvaha.azure.arm.budget import Purpose
from nvaha.azure.arm.network import API_VERSIONS, ArmNetwork
from nvaha.config.settings import Cloud, Settings
from nvaha.model import Resource
from nvaha.ports import ON_BEHALF_OF, Network, NetworkFault

from .scripted_arm import (
    BODY,
    OPERATION,
    RESOURCE,
    TABLE,
    UPDATING,
    Arm,
    Credential,
    HandClock,
    Run,
    answer,
    arm_with,
    fault_of,
    polls,
    reset,
    runner,
    status,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what runs a test against a scripted ARM."""
    return runner(tmp_path_factory.mktemp("tls"))


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


def test_what_is_done_for_an_operation_says_so_to_azure(run: Run) -> None:
    """Each read, write and poll of it bears one id, always the same for it; nothing else bears any."""
    link = answer(200, UPDATING, Azure_AsyncOperation=f"ARM{OPERATION}")
    arm = arm_with(link, operation=[status("Succeeded")], resource=[answer(200, BODY)])

    async def test(network: Network, arm: Arm) -> None:
        await network.get(TABLE)
        ON_BEHALF_OF.set("edge-1-1700000000000")
        await asyncio.ensure_future(network.get(TABLE))
        await network.put(RESOURCE, alive=arm.alive)
        first, *others = [headers.get("x-ms-correlation-request-id") for _, _, headers, _ in arm.asked]
        assert (first, set(others)) == (None, {"f1452428-d4b5-5cb3-a31f-e5a11851da22"})
        assert {method for method, *_ in arm.asked[1:]} == {"GET", "PUT"}
        assert polls(arm) == 1

    run(test, arm)


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
        (answer(429, Retry_After="7"), NetworkFault.THROTTLED, 1),
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


@pytest.mark.parametrize(
    "failure",
    [
        ClientAuthenticationError("no identity here"),
        CredentialUnavailableError("no identity here"),
        ServiceRequestError("no identity here"),
        OSError("no identity here"),
        ValueError("no identity here"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_no_token_is_no_answer_of_arm(run: Run, failure: Exception) -> None:
    """Whatever failed, nothing was sent, it may pass, and the reason is told; only ARM says denied."""

    async def test(network: Network, arm: Arm) -> None:
        for work in (network.get(TABLE), network.put(RESOURCE, alive=arm.alive)):
            error = await fault_of(work)
            assert (error.fault, error.fault.lasting) == (NetworkFault.NO_TOKEN, False)
            assert "no identity here" in error.message
        assert arm.asked == []

    run(test, Arm([answer(200, BODY)], credential=Credential(failure)))


@pytest.mark.parametrize("given", [401, 403])
def test_arm_itself_denies(run: Run, given: int) -> None:
    """A token was had, and ARM will not have it: that lasts."""

    async def test(network: Network, _: Arm) -> None:
        error = await fault_of(network.get(TABLE))
        assert (error.fault, error.fault.lasting) == (NetworkFault.DENIED, True)

    run(test, Arm([answer(given, {"error": {"code": "x", "message": "y"}})]))


def test_a_write_sends_everything_back_under_its_etag(run: Run) -> None:
    """The body goes back as it was read, unknown properties too; the ETag travels as If-Match."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        method, _, headers, body = arm.asked[0]
        assert (method, headers["If-Match"]) == ("PUT", 'W/"1"')
        assert json.loads(body) == {key: value for key, value in BODY.items() if key != "etag"}
        assert len(arm.asked) == 1

    run(test, Arm([answer(200, BODY)]))


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


NOT_SERVED = answer(400, {"error": {"code": "NoRegisteredProviderFound", "message": "x"}})
NO_SUCH_TYPE = answer(404, {"error": {"code": "InvalidResourceType", "message": "x"}})


@pytest.mark.parametrize("odd", [NOT_SERVED, NO_SUCH_TYPE, answer(400, b"<html>")])
def test_an_odd_refusal_is_tried_again(run: Run, odd: web.Response) -> None:
    """One server of many that says no does not stop a read or a write; nor do two in a row."""

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [odd, odd, answer(200, BODY)]
        assert await network.get(TABLE) == RESOURCE
        arm.answers = [odd, answer(200, BODY), odd, answer(200, BODY)]
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s <= 1.0

    run(test, Arm())


@pytest.mark.parametrize("odd", [NOT_SERVED, NO_SUCH_TYPE, answer(400, b"<html>")])
def test_a_refusal_that_lasts_is_one(run: Run, odd: web.Response) -> None:
    """After three tries within half a second the refusal stands, for reads and writes alike."""

    async def refused(request: web.Request) -> web.Response:
        given = odd if request.method == "PUT" else answer(200, BODY)
        return web.Response(status=given.status, body=given.body)

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [odd]
        assert (await fault_of(network.get(TABLE))).fault is NetworkFault.REFUSED
        assert len(arm.asked) == 3
        arm.answers = [refused]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.REFUSED
        assert sum(method == "PUT" for method, *_ in arm.asked) == 3
        assert arm.clock.now_s <= 1.0

    run(test, Arm())


def test_a_write_goes_again_only_onto_what_it_was_made_for(run: Run) -> None:
    """A resource that changed between two tries is not written, If-Match or not."""

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [NOT_SERVED, answer(200, BODY | {"etag": 'W/"2"'})]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.CHANGED
        assert [asked[0] for asked in arm.asked] == ["PUT", "GET"]

    run(test, Arm())


def test_a_write_goes_again_only_while_it_may(run: Run) -> None:
    """Whoever is deposed between two tries does not write again."""

    class DeposedError(Exception):
        pass

    async def deposed() -> None:
        raise DeposedError

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [NOT_SERVED, answer(200, BODY)]
        with pytest.raises(DeposedError):
            await network.put(RESOURCE, alive=deposed)
        assert [asked[0] for asked in arm.asked] == ["PUT", "GET"]

    run(test, Arm())


@pytest.mark.parametrize("cloud", list(Cloud))
@pytest.mark.parametrize("setting", ["", "2022-07-01", "2026-01-01-preview"])
def test_each_cloud_has_its_api_version(run: Run, cloud: Cloud, setting: str) -> None:
    """Requests carry the cloud's API version, or the one that is set."""

    async def test(network: Network, arm: Arm) -> None:
        environ = {"NVAHA_ARM_ENDPOINT": arm.endpoint, "NVAHA_CLOUD": cloud, "NVAHA_ARM_API_VERSION": setting}
        environ["NVAHA_ARM_CA"] = arm.ca_file
        settings = Settings.from_environ(environ, storage_required=False)
        async with ArmNetwork(settings, Credential(), HandClock()) as other:
            await other.get(TABLE)
            await other.put(RESOURCE, alive=arm.alive)
        expected = setting or API_VERSIONS[cloud]
        assert [path.rpartition("?")[2] for _, path, _, _ in arm.asked] == [f"api-version={expected}"] * 2

    run(test, Arm([answer(200, BODY)]))


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


def test_a_throttled_read_keeps_looks_and_plans_away_and_no_switch(run: Run) -> None:
    """Over the same connections, within one budget; whoever would wait too long is told so at once."""

    async def test(network: Network, arm: Arm) -> None:
        assert isinstance(network, ArmNetwork)
        looking, planning = network.of(Purpose.LOOK), network.of(Purpose.PLAN)
        assert await looking.get(TABLE) == await planning.get(TABLE) == RESOURCE
        assert (await fault_of(network.get(TABLE))).fault is NetworkFault.THROTTLED
        for of_others in (looking, planning):
            error = await fault_of(of_others.get(TABLE))
            assert error.fault is NetworkFault.THROTTLED
            assert (error.retry_after_s or 0.0) >= 7.0
        assert len(arm.asked) == 3
        assert await network.get(TABLE) == RESOURCE
        await arm.clock.sleep(30.0)
        assert await planning.get(TABLE) == RESOURCE
        assert len(arm.peers) == 1

    fine = answer(200, BODY)
    run(test, Arm([fine, fine, answer(429, Retry_After="7"), fine]))


def test_a_busy_resource_is_no_throttling(run: Run) -> None:
    """A 429 for another operation on the same resource keeps nobody away."""

    async def test(network: Network, arm: Arm) -> None:
        assert isinstance(network, ArmNetwork)
        assert (await fault_of(network.get(TABLE))).fault is NetworkFault.BUSY
        assert await network.of(Purpose.PLAN).get(TABLE) == RESOURCE

    busy = answer(429, {"error": {"code": "RetryableErrorDueToAnotherOperation"}}, Retry_After="7")
    run(test, Arm([busy, answer(200, BODY)]))


def test_what_arm_says_is_left_is_left_to_switches(run: Run) -> None:
    """The polls of a write count as well as reads; what another process has used, only ARM knows."""

    async def test(network: Network, arm: Arm) -> None:
        assert isinstance(network, ArmNetwork)
        await network.get(TABLE)
        assert (await fault_of(network.of(Purpose.PLAN).get(TABLE))).fault is NetworkFault.THROTTLED
        await network.get(TABLE)
        assert len(arm.asked) == 2

    run(test, Arm([answer(200, BODY, x_ms_ratelimit_remaining_subscription_reads="12")]))


@pytest.mark.parametrize(
    ("status_code", "code", "fault"),
    [
        (412, "PreconditionFailed", None),
        (400, "InvalidRequestFormat", None),
        (403, "AuthorizationFailed", NetworkFault.DENIED),
        (403, "LinkedAuthorizationFailed", NetworkFault.DENIED),
        (409, "ScopeLocked", NetworkFault.REFUSED),
        (400, "InvalidRequestContent", NetworkFault.REFUSED),
        (429, "SubscriptionRequestsThrottled", NetworkFault.THROTTLED),
        (503, "ServerBusy", NetworkFault.UNAVAILABLE),
        (200, "", NetworkFault.UNREADABLE),
    ],
)
def test_only_what_comes_from_behind_all_checks_proves_a_right(
    run: Run, status_code: int, code: str, fault: NetworkFault | None
) -> None:
    """A write that cannot be taken is sent once, as it is, and its answer is believed for no more."""
    error = {"error": {"code": code, "message": "why"}}

    async def test(network: Network, arm: Arm) -> None:
        assert isinstance(network, ArmNetwork)
        if fault is None:
            await network.offer(RESOURCE)
        else:
            assert (await fault_of(network.offer(RESOURCE))).fault is fault
        [(method, _, headers, _)] = arm.asked
        assert (method, headers["If-Match"]) == ("PUT", RESOURCE.etag)

    run(test, Arm([answer(status_code, BODY if status_code == 200 else error)]))
