"""What the simulator refuses to write, as Azure does, and NICs that cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nvaha.lab.arm import Keeps, Switches
from nvaha.lab.stage.sample import environment

from .lab_arm import BUSY, FAST, PUBLIC_IP, Client, Hands, attached, detached, holder, run

Json = dict[str, Any]
SAMPLE = environment()
TABLE = SAMPLE.route_tables[0]
NIC, OTHER_NIC = (each.interfaces["external"] for each in SAMPLE.nvas)
TEN = replace(FAST, nic_operation_s=10.0)


def test_a_held_public_ip_cannot_be_attached(tmp_path: Path) -> None:
    """An attach is refused while another IP configuration holds the address, or is getting or losing it."""
    hands = Hands()

    async def test(client: Client) -> None:
        first, second = (await client.get(NIC)).body, (await client.get(OTHER_NIC)).body

        async def refused(body: Json) -> bool:
            answer = await client.put(body)
            if answer.status == 200:
                return False
            assert (answer.status, answer.code) == (400, "PublicIPAddressInUse")
            return True

        assert await refused(attached(second))
        await client.put(detached(first))
        assert await refused(attached(second))
        assert await refused(attached(detached(first), index=1))
        hands.now += 10
        assert not await refused(attached(second))
        assert await refused(attached(detached(first)))
        assert await refused(attached(attached(second), index=1))
        hands.now += 10
        assert await refused(attached(detached(first)))

    run(tmp_path, test, profile=TEN, clock=hands)


def test_an_attach_may_overlap_the_detach_by_a_switch(tmp_path: Path) -> None:
    """With the switch on, the attach is accepted as soon as the detach is."""
    hands = Hands()

    async def test(client: Client) -> None:
        first, second = (await client.get(NIC)).body, (await client.get(OTHER_NIC)).body
        assert (await client.put(attached(second))).code == "PublicIPAddressInUse"
        await client.put(detached(first))
        assert (await client.put(attached(second))).status == 200
        hands.now += 10
        assert holder(client) == f"{OTHER_NIC}/ipConfigurations/ipconfig1"
        assert client.simulator.effective.public_ip_target(PUBLIC_IP) == "10.0.0.69"

    run(tmp_path, test, profile=TEN, clock=hands, switches=Switches(attach_may_overlap_detach=True))


def test_a_public_ip_must_be_provisioned(tmp_path: Path) -> None:
    """A NIC that refers to a missing public IP gets 400, to one that is being written 429."""

    async def test(client: Client) -> None:
        nic = (await client.get(NIC)).body
        missing = await client.put(attached(nic, f"{PUBLIC_IP}-none"))
        assert (missing.status, missing.code) == (400, "InvalidResourceReference")
        public_ip = (await client.get(PUBLIC_IP)).body
        public_ip["tags"] = {}
        assert (await client.put(public_ip)).status == 200
        busy = await client.put(nic)
        assert (busy.status, busy.code) == (429, "RetryableError")
        assert busy.detail == "ReferencedResourceNotProvisioned"

    run(tmp_path, test, profile=BUSY)


def _no_ip_configurations(body: Json) -> None:
    body["properties"]["ipConfigurations"] = []


def _null_public_ip(body: Json) -> None:
    body["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] = None


def _no_location(body: Json) -> None:
    del body["location"]


def _no_next_hop(body: Json) -> None:
    del body["properties"]["routes"][0]["properties"]["nextHopIpAddress"]


def _bad_next_hop(body: Json) -> None:
    body["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = "10.0.0.300"


def _bad_next_hop_type(body: Json) -> None:
    body["properties"]["routes"][0]["properties"]["nextHopType"] = "Teleport"


def _bad_prefix(body: Json) -> None:
    body["properties"]["routes"][0]["properties"]["addressPrefix"] = "10.0.0.1/8"


def _routes_no_list(body: Json) -> None:
    body["properties"]["routes"] = {}


def _nameless_route(body: Json) -> None:
    del body["properties"]["routes"][0]["name"]


@pytest.mark.parametrize(
    ("resource_id", "spoil", "code"),
    [
        (NIC, _no_ip_configurations, "InvalidIPConfigCount"),
        (NIC, _null_public_ip, "InvalidRequestFormat"),
        (NIC, _no_location, "LocationRequired"),
        (TABLE, _no_next_hop, "MissingNextHopIpAddress"),
        (TABLE, _bad_next_hop, "InvalidNextHopIpAddress"),
        (TABLE, _bad_next_hop_type, "InvalidRequestFormat"),
        (TABLE, _bad_prefix, "InvalidAddressPrefixFormat"),
        (TABLE, _routes_no_list, "InvalidRequestFormat"),
        (TABLE, _nameless_route, "InvalidRequestFormat"),
    ],
)
def test_a_bad_body_is_refused(
    tmp_path: Path, resource_id: str, spoil: Callable[[Json], None], code: str
) -> None:
    """A body that breaks a rule gets the 400 that Azure has for it and changes nothing."""

    async def test(client: Client) -> None:
        before = client.simulator.snapshot()
        body = (await client.get(resource_id)).body
        spoil(body)
        answer = await client.send("PUT", resource_id, body, valid=False)
        assert (answer.status, answer.code) == (400, code)
        assert client.simulator.snapshot() == before
        assert not client.simulator.log[-1].took_effect

    run(tmp_path, test)


def test_malformed_json_is_refused(tmp_path: Path) -> None:
    """A body that is no JSON, or no object, gets InvalidRequestFormat."""

    async def test(client: Client) -> None:
        for sent in (b'{"location": ', b"[]", b"", b"\xff\xfe"):
            answer = await client.send("PUT", TABLE, sent, valid=False)
            assert (answer.status, answer.code) == (400, "InvalidRequestFormat")

    run(tmp_path, test)


@pytest.mark.parametrize("keeps", list(Keeps))
def test_a_nic_whose_vm_is_broken_fails(tmp_path: Path, keeps: Keeps) -> None:
    """The operation fails with OperationNotAllowed and leaves Failed, with the new or the old body."""

    async def test(client: Client) -> None:
        nic = (await client.get(NIC)).body
        put = await client.put(detached(nic))
        assert put.status == 200
        poll = (await client.poll(put)).body
        assert (poll["status"], poll["error"]["code"]) == ("Failed", "OperationNotAllowed")
        after = await client.get(NIC)
        assert after.state == "Failed"
        has_public_ip = "publicIPAddress" in after.body["properties"]["ipConfigurations"][0]["properties"]
        assert has_public_ip is (keeps is Keeps.OLD)
        assert (holder(client) is not None) is (keeps is Keeps.OLD)
        assert client.simulator.effective.public_ip_target(PUBLIC_IP) == "10.0.0.68"
        write = next(each for each in client.simulator.log if each.method == "PUT")
        assert (write.outcome, write.took_effect) == ("Failed", keeps is Keeps.NEW)
        client.simulator.switches.broken.clear()
        await client.put(after.body)
        assert (await client.get(NIC)).state == "Succeeded"

    run(tmp_path, test, switches=Switches(broken={NIC.upper()}, failed_keeps=keeps))


def test_a_policy_denies_whatever_bears_a_tag_and_nothing_else(tmp_path: Path) -> None:
    """The whole body is judged, also where the tag was there before; without it the write is accepted."""

    async def test(client: Client) -> None:
        for resource_id in (NIC, TABLE):
            before = (await client.get(resource_id)).body
            denied = await client.put(
                {**before, "tags": {**before["tags"], "NVAHA-1a2b3c4d": "stnvaha/edge"}}
            )
            assert (denied.status, denied.code) == (403, "RequestDisallowedByPolicy")
            assert (await client.get(resource_id)).body == before
            assert (await client.put(before)).status == 200

    run(tmp_path, test, switches=Switches(denied_tags="nvaha-*"))


def test_tags_that_are_added_stay(tmp_path: Path) -> None:
    """What a PUT adds is read back, whoever reads it, and put back with what was read."""

    async def test(client: Client) -> None:
        for resource_id in (NIC, TABLE):
            before = (await client.get(resource_id)).body
            marked = {**before["tags"], "nvaha-1a2b3c4d": "stnvaha/edge"}
            assert (await client.put({**before, "tags": marked})).status == 200
            assert (await client.get(resource_id)).body["tags"] == marked

    run(tmp_path, test)
