"""Writes of the simulator that are hard to follow, as Azure's have been seen to be, and API versions."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from nvaha.lab.arm import Fault, FaultKind, Switches, unserved
from nvaha.lab.stage.sample import environment

from .lab_arm import API_VERSION, FAST, Client, Hands, run

Json = dict[str, Any]
SAMPLE = environment()
TABLE = SAMPLE.route_tables[0]
NIC = SAMPLE.nvas[0].interfaces["external"]
TEN = replace(FAST, route_table_operation_s=10.0)


def moved(table: Json) -> Json:
    """Return a copy of a route table whose first route leads to the second NVA."""
    changed = copy.deepcopy(table)
    changed["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = "10.0.0.101"
    return changed


async def struck(client: Client, fault: Fault) -> None:
    """Let something go wrong, asked for as another process would."""
    assert await client.lab("POST", "faults", asdict(fault)) == (200, {})


async def raw_put(client: Client, body: Json) -> tuple[int, str, dict[str, str]]:
    """PUT a resource and return status, text and headers of an answer that need not be JSON."""
    headers = {"Authorization": f"Bearer {await client.token()}"}
    url = f"{client.simulator.endpoint}{body['id']}?api-version={API_VERSION}"
    async with client.session.put(url, json=body, headers=headers) as response:
        return response.status, await response.text(), dict(response.headers)


async def takes_effect(client: Client, hands: Hands) -> None:
    """See the write run, and then end in success."""
    assert (await client.get(TABLE)).state == "Updating"
    hands.now += 10
    after = await client.get(TABLE)
    assert after.state == "Succeeded"
    assert after.body["properties"]["routes"][0]["properties"]["nextHopIpAddress"] == "10.0.0.101"


def test_an_operation_may_be_lost(tmp_path: Path) -> None:
    """Every poll of a lost operation is a 404, and the write runs and ends as usual."""
    hands = Hands()

    async def test(client: Client) -> None:
        await struck(client, Fault(FaultKind.OPERATION_LOST))
        put = await client.put(moved((await client.get(TABLE)).body))
        assert (put.status, put.state) == (200, "Updating")
        lost = await client.poll(put)
        assert (lost.status, lost.code) == (404, "OperationNotFound")
        await takes_effect(client, hands)
        assert (await client.poll(put)).status == 404

    run(tmp_path, test, profile=TEN, clock=hands)


def test_an_operation_may_expire(tmp_path: Path) -> None:
    """A fault on polls lets an operation be there at first and gone later."""
    hands = Hands()

    async def test(client: Client) -> None:
        gone = Fault(FaultKind.ERROR, "POLL", count=None, skip=1, status=404, code="OperationNotFound")
        await struck(client, gone)
        put = await client.put(moved((await client.get(TABLE)).body))
        assert (await client.poll(put)).body == {"status": "InProgress"}
        assert [(await client.poll(put)).status for _ in range(2)] == [404, 404]
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


def test_an_operation_may_be_on_another_host(tmp_path: Path) -> None:
    """The link names another host, which would answer; who follows it is seen in the log."""
    hands = Hands()

    async def test(client: Client) -> None:
        await struck(client, Fault(FaultKind.OPERATION_ELSEWHERE))
        put = await client.put(moved((await client.get(TABLE)).body))
        link = put.headers["Azure-AsyncOperation"]
        assert link.startswith("https://localhost:")
        assert not client.simulator.endpoint.startswith("https://localhost:")
        assert (await client.poll(put)).body == {"status": "InProgress"}
        assert client.simulator.log[-1].method == "POLL"
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


def test_a_write_may_be_answered_without_a_link(tmp_path: Path) -> None:
    """A write answers with its body and no operation, and runs all the same."""
    hands = Hands()

    async def test(client: Client) -> None:
        await struck(client, Fault(FaultKind.OPERATION_UNLINKED))
        put = await client.put(moved((await client.get(TABLE)).body))
        assert (put.status, put.state) == (200, "Updating")
        assert "Azure-AsyncOperation" not in put.headers
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_write_may_be_answered_with_nothing(tmp_path: Path, status: int) -> None:
    """A write answers with a status alone, and runs all the same."""
    hands = Hands()

    async def test(client: Client) -> None:
        await struck(client, Fault(FaultKind.OPERATION_BARE, status=status))
        told, text, headers = await raw_put(client, moved((await client.get(TABLE)).body))
        assert (told, text) == (status, "")
        assert "Azure-AsyncOperation" not in headers
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


def test_a_write_may_be_answered_with_garbage(tmp_path: Path) -> None:
    """A write answers 200 with what is no JSON, and took effect."""
    hands = Hands()

    async def test(client: Client) -> None:
        await struck(client, Fault(FaultKind.GARBLED_AFTER, method="PUT"))
        status, text, headers = await raw_put(client, moved((await client.get(TABLE)).body))
        assert (status, text[:6]) == (200, "<html>")
        assert "Azure-AsyncOperation" not in headers
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


def test_a_read_may_show_the_state_before_the_write(tmp_path: Path) -> None:
    """A stale read shows Succeeded, the old body and the old ETag while the write runs."""
    hands = Hands()

    async def test(client: Client) -> None:
        before = await client.get(TABLE)
        put = await client.put(moved(before.body))
        await struck(client, Fault(FaultKind.STALE, method="GET"))
        stale = await client.get(TABLE)
        assert stale.body == before.body
        assert stale.headers["ETag"] == before.etag != put.etag
        await takes_effect(client, hands)

    run(tmp_path, test, profile=TEN, clock=hands)


def test_an_unserved_version_says_which_are_served(tmp_path: Path) -> None:
    """A resource answers 400, a list and what is not there 404, each with the versions that are served."""
    switches = Switches(api_versions=("2023-09-01", "2024-01-01"))

    async def test(client: Client) -> None:
        table = client.simulator.snapshot()[TABLE]
        for method, body in (("GET", None), ("PUT", table)):
            refused = await client.send(method, TABLE, body)
            assert (refused.status, refused.code) == (400, "NoRegisteredProviderFound")
            assert "'2023-09-01, 2024-01-01'" in refused.body["error"]["message"]
        for path in (TABLE.rpartition("/")[0], f"{TABLE}-none"):
            refused = await client.send("GET", path)
            assert (refused.status, refused.code) == (404, "InvalidResourceType")
            assert "'2023-09-01,2024-01-01'" in refused.body["error"]["message"]
        assert client.simulator.snapshot()[TABLE] == table
        assert (await client.send("GET", TABLE, query="api-version=2024-01-01", valid=False)).status == 200
        assert (await client.lab("PUT", "switches", {"api_versions": []}))[0] == 200
        assert (await client.send("GET", TABLE)).status == 200

    run(tmp_path, test, switches=switches)


def test_a_version_may_be_unknown_to_one_server_of_many(tmp_path: Path) -> None:
    """One request is refused as if the version were not served, and the next one is served."""

    async def test(client: Client) -> None:
        await struck(client, unserved(resource=NIC))
        odd = await client.send("GET", NIC)
        assert (odd.status, odd.code) == (400, "NoRegisteredProviderFound")
        assert (await client.send("GET", NIC)).status == 200

    run(tmp_path, test)
