"""What goes wrong on request: errors, lost connections, hanging, and operations that fail."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from nvaha.lab.arm import Fault, FaultKind, Faults, Keeps, LogEntry, Pause, retryable, throttled
from nvaha.lab.arm.faults import TOKEN
from nvaha.lab.stage.sample import environment

from .lab_arm import FAST, Client, Hands, run

Json = dict[str, Any]
SAMPLE = environment()
TABLE, OTHER_TABLE = SAMPLE.route_tables
NIC = SAMPLE.nvas[0].interfaces["external"]
DISCONNECTED = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)


def moved(table: Json) -> Json:
    """Return a copy of a route table whose first route leads to the second NVA."""
    changed = copy.deepcopy(table)
    changed["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = "10.0.0.101"
    return changed


def has_moved(client: Client) -> bool:
    """Tell whether the route table shows the second NVA."""
    table = client.simulator.snapshot()[TABLE]
    return bool(table["properties"]["routes"][0]["properties"]["nextHopIpAddress"] == "10.0.0.101")


def writes(client: Client) -> list[LogEntry]:
    """Return the log's PUTs."""
    return [each for each in client.simulator.log if each.method == "PUT"]


async def left(client: Client) -> None:
    """Wait until the simulator has seen every client of ARM go away."""
    assert client.simulator._arm is not None
    assert client.simulator._arm.server is not None
    for _ in range(2000):
        if not any(each.transport for each in client.simulator._arm.server.connections):
            return
        await asyncio.sleep(0.005)
    pytest.fail("a client is still there")


async def unanswered(request: Awaitable[object], seconds: float = 0.2) -> bool:
    """Tell whether a request gets no answer for a while."""
    try:
        async with asyncio.timeout(seconds):
            await request
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.ERROR_AFTER])
def test_a_server_error_may_or_may_not_have_taken_effect(tmp_path: Path, kind: FaultKind) -> None:
    """A 5xx looks the same whether the write took effect or not; the log knows."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(kind, method="PUT", status=503, code="ServiceUnavailable"))
        answer = await client.put(moved((await client.get(TABLE)).body))
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        assert has_moved(client) is (kind is FaultKind.ERROR_AFTER)
        assert writes(client)[0].took_effect is (kind is FaultKind.ERROR_AFTER)

    run(tmp_path, test)


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER])
def test_a_reset_may_or_may_not_have_taken_effect(tmp_path: Path, kind: FaultKind) -> None:
    """A reset connection looks the same whether the write took effect or not; the log knows."""

    async def test(client: Client) -> None:
        table = moved((await client.get(TABLE)).body)
        # The HTTP client sends a PUT again by itself when a kept-alive connection breaks.
        client.simulator.faults.add(Fault(kind, method="PUT", count=None))
        with pytest.raises(DISCONNECTED):
            await client.put(table)
        assert has_moved(client) is (kind is FaultKind.RESET_AFTER)
        assert {each.status for each in writes(client)} == {None}
        assert any(each.took_effect for each in writes(client)) is (kind is FaultKind.RESET_AFTER)

    run(tmp_path, test)


@pytest.mark.parametrize("kind", [FaultKind.HANG_BEFORE, FaultKind.HANG_AFTER])
def test_a_request_may_hang(tmp_path: Path, kind: FaultKind) -> None:
    """A hanging request gets no answer, whether its write took effect or not, and holds up no other."""

    async def test(client: Client) -> None:
        table = moved((await client.get(TABLE)).body)
        client.simulator.faults.add(Fault(kind, method="PUT"))
        assert await unanswered(client.put(table))
        assert has_moved(client) is (kind is FaultKind.HANG_AFTER)
        await client.get(TABLE)
        assert writes(client)[0].status is None

    run(tmp_path, test)


def test_a_write_goes_on_when_its_client_gives_up(tmp_path: Path) -> None:
    """A client that does not wait for the answer cannot take its write back."""

    async def test(client: Client) -> None:
        table = moved((await client.get(TABLE)).body)
        assert await unanswered(client.put(table), 0.1)
        async with asyncio.timeout(10):
            await client.put((await client.get(OTHER_TABLE)).body)
        assert has_moved(client)

    run(tmp_path, test, profile=replace(FAST, put_s=0.3))


def test_a_request_may_be_slow(tmp_path: Path) -> None:
    """A slow request is answered after its delay, as usual."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(FaultKind.SLOW, delay_s=0.1))
        await client.get(TABLE)
        await client.get(TABLE)
        slow, usual = (each.answered - each.time for each in client.simulator.log if each.answered)
        assert slow >= 0.1
        assert usual < 0.1

    run(tmp_path, test)


def test_an_answer_may_be_garbled(tmp_path: Path) -> None:
    """A 200 may carry something that is no JSON."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(FaultKind.GARBLED))
        with pytest.raises(aiohttp.ContentTypeError):
            await client.get(TABLE)

    run(tmp_path, test)


def test_throttling_and_busy_resources_can_be_told_apart(tmp_path: Path) -> None:
    """Both are 429; throttling says how long to wait, a busy resource says so in its details."""

    async def test(client: Client) -> None:
        table = (await client.get(TABLE)).body
        client.simulator.faults.add(throttled(7, method="PUT"))
        client.simulator.faults.add(retryable(method="PUT"))
        throttling, busy = await client.put(table), await client.put(table)
        assert (throttling.status, throttling.headers["Retry-After"]) == (429, "7")
        assert "details" not in throttling.body["error"]
        assert (busy.status, busy.detail) == (429, "ReferencedResourceNotProvisioned")
        assert "Retry-After" not in busy.headers
        assert (await client.put(table)).status == 200

    run(tmp_path, test)


def test_a_fault_strikes_what_it_matches(tmp_path: Path) -> None:
    """A fault strikes by method, resource and principal, after `skip` requests, `count` times."""

    async def test(client: Client) -> None:
        other = Client(client.simulator, client.session, "other")
        client.simulator.faults.add(
            Fault(FaultKind.ERROR, method="GET", resource="*HA-NVA-UDR", principal="tester", count=2, skip=1)
        )
        assert (await other.send("GET", TABLE)).status == 200
        assert (await client.send("GET", OTHER_TABLE)).status == 200
        statuses = [(await client.send("GET", TABLE)).status for _ in range(4)]
        assert statuses == [200, 500, 500, 200]
        assert client.simulator.faults.waiting == ()

    run(tmp_path, test)


def test_a_poll_has_faults_of_its_own(tmp_path: Path) -> None:
    """A fault on POLL strikes the polls of the resource's operations, not its reads."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(FaultKind.ERROR, method="POLL", resource=TABLE))
        put = await client.put(moved((await client.get(TABLE)).body))
        await client.get(TABLE)
        assert (await client.poll(put)).status == 500
        assert (await client.poll(put)).body == {"status": "Succeeded"}

    run(tmp_path, test)


def test_probabilities_follow_the_seed() -> None:
    """The same seed draws the same faults, another one others, about as often as asked for."""

    def drawn(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(FaultKind.ERROR, probability=0.3, count=None))
        return [faults.strike("GET", TABLE, "tester") is not None for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 80 < sum(drawn(1)) < 160


@pytest.mark.parametrize("keeps", list(Keeps))
def test_an_operation_may_fail(tmp_path: Path, keeps: Keeps) -> None:
    """A failed operation leaves Failed with the new or the old body, and the data path as it was."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(
            Fault(FaultKind.OPERATION_FAILED, resource=TABLE, code="InternalServerError", keeps=keeps)
        )
        put = await client.put(moved((await client.get(TABLE)).body))
        assert put.status == 200
        assert (await client.poll(put)).body["status"] == "Failed"
        assert (await client.get(TABLE)).state == "Failed"
        assert has_moved(client) is (keeps is Keeps.NEW)
        assert client.simulator.effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.100"
        repaired = await client.put(moved((await client.get(TABLE)).body))
        assert (await client.poll(repaired)).body == {"status": "Succeeded"}
        assert client.simulator.effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.101"

    run(tmp_path, test)


def test_an_operation_may_be_superseded_from_outside(tmp_path: Path) -> None:
    """A canceled operation leaves the old body in place, under an ETag that nobody has seen."""

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(FaultKind.OPERATION_CANCELED))
        before = await client.get(TABLE)
        put = await client.put(moved(before.body))
        poll = (await client.poll(put)).body
        assert poll["status"] == "Canceled"
        assert poll["error"]["details"][0]["code"] == "CanceledAndSupersededDueToAnotherOperation"
        after = await client.get(TABLE)
        assert after.state == "Succeeded"
        assert not has_moved(client)
        assert after.etag not in {before.etag, put.etag}

    run(tmp_path, test)


def test_an_operation_may_take_long_or_for_ever(tmp_path: Path) -> None:
    """A slow operation ends after its delay, a stuck one never."""
    hands = Hands()

    async def test(client: Client) -> None:
        client.simulator.faults.add(Fault(FaultKind.OPERATION_SLOW, resource=TABLE, delay_s=100))
        client.simulator.faults.add(Fault(FaultKind.OPERATION_STUCK, resource=OTHER_TABLE))
        slow = await client.put(moved((await client.get(TABLE)).body))
        stuck = await client.put(moved((await client.get(OTHER_TABLE)).body))
        hands.now += 99
        assert (await client.poll(slow)).body == {"status": "InProgress"}
        hands.now += 10_000
        assert (await client.poll(slow)).body == {"status": "Succeeded"}
        assert (await client.poll(stuck)).body == {"status": "InProgress"}

    run(tmp_path, test, clock=hands)


def test_arm_may_refuse_connections(tmp_path: Path) -> None:
    """A paused ARM resets what is open and refuses what is new, at the same port comes back."""

    async def test(client: Client) -> None:
        await client.get(TABLE)
        endpoint = client.simulator.endpoint
        await client.simulator.pause()
        with pytest.raises((*DISCONNECTED, aiohttp.ClientConnectorError)):
            await client.get(TABLE)
        assert await client.token()
        await client.simulator.resume()
        assert client.simulator.endpoint == endpoint
        await client.get(TABLE)

    run(tmp_path, test)


def test_arm_may_hang(tmp_path: Path) -> None:
    """A hanging ARM answers nobody, carries out nothing of clients that left, and then goes on."""

    async def test(client: Client) -> None:
        table = moved((await client.get(TABLE)).body)
        await client.simulator.pause(Pause.HANG)
        assert await unanswered(client.put(table))
        await left(client)
        patient = asyncio.create_task(client.get(OTHER_TABLE))
        await client.simulator.resume()
        assert (await patient).status == 200
        assert not has_moved(client)
        await client.get(TABLE)

    run(tmp_path, test)


def test_reads_and_writes_take_the_profiles_time(tmp_path: Path) -> None:
    """A read is answered after get_s, a write after put_s."""

    async def test(client: Client) -> None:
        await client.put((await client.get(NIC)).body)
        read, write = (each.answered - each.time for each in client.simulator.log if each.answered)
        assert 0.03 <= read < 0.12 <= write

    run(tmp_path, test, profile=replace(FAST, get_s=0.03, put_s=0.12))


def test_tokens_meet_only_faults_of_their_own() -> None:
    """A fault of any request to ARM leaves the identity's endpoint alone, and the other way round."""
    faults = Faults()
    faults.add(Fault(FaultKind.ERROR, count=None))
    assert faults.strike(TOKEN, "https://management.azure.com", "monitor") is None
    faults.clear()
    faults.add(Fault(FaultKind.ERROR, method=TOKEN, principal="monitor", count=None))
    assert faults.strike("GET", "/subscriptions/s", "monitor") is None
    assert faults.strike(TOKEN, "https://management.azure.com", "other") is None
    assert faults.strike(TOKEN, "https://management.azure.com", "monitor") is not None
