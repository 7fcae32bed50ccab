"""Writing to the simulator: whole resources, ETags, operations, and what Azure refuses."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nvaha.lab.arm import Concurrency, Switches
from nvaha.lab.stage.sample import environment

from .lab_arm import BUSY, FAST, PUBLIC_IP, Client, Hands, attached, detached, holder, run, without_etags

Json = dict[str, Any]
SAMPLE = environment()
TABLE = SAMPLE.route_tables[0]
NIC, OTHER_NIC = (each.interfaces["external"] for each in SAMPLE.nvas)
TEN = replace(FAST, route_table_operation_s=10.0, nic_operation_s=10.0, public_ip_operation_s=10.0)


def with_next_hop(table: Json, address: str) -> Json:
    """Return a copy of a route table whose first route leads to an address."""
    changed = copy.deepcopy(table)
    changed["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = address
    return changed


def test_a_write_of_a_route_table_runs_as_an_operation(tmp_path: Path) -> None:
    """A PUT answers 200 with an operation to poll and no Retry-After; the new body shows at once."""
    hands = Hands()

    async def test(client: Client) -> None:
        before = await client.get(TABLE)
        put = await client.put(with_next_hop(before.body, "10.0.0.101"), if_match=before.etag)
        assert (put.status, put.state) == (200, "Updating")
        assert put.headers["Azure-AsyncNotification"] == "Enabled"
        assert "Retry-After" not in put.headers
        assert "ETag" not in put.headers
        during = await client.get(TABLE)
        assert during.body == put.body
        assert (await client.poll(put)).body == {"status": "InProgress"}
        hands.now += 10
        assert (await client.poll(put)).body == {"status": "Succeeded"}
        after = await client.get(TABLE)
        assert after.state == "Succeeded"
        assert after.body["properties"]["routes"][0]["properties"]["nextHopIpAddress"] == "10.0.0.101"
        assert len({before.etag, put.etag, after.etag}) == 3

    run(tmp_path, test, profile=TEN, clock=hands)


def test_a_nic_of_a_vm_asks_to_wait_ten_seconds(tmp_path: Path) -> None:
    """The PUT and the polls of a NIC with a VM carry Retry-After 10 while the operation runs."""
    hands = Hands()

    async def test(client: Client) -> None:
        put = await client.put(detached((await client.get(NIC)).body))
        assert (put.status, put.headers["Retry-After"]) == (200, "10")
        assert (await client.poll(put)).headers["Retry-After"] == "10"
        hands.now += 10
        assert "Retry-After" not in (await client.poll(put)).headers

    run(tmp_path, test, profile=TEN, clock=hands)


def test_a_nic_without_a_vm_is_written_synchronously(tmp_path: Path) -> None:
    """A PUT of a NIC without a VM answers Succeeded, without an operation."""

    async def test(client: Client) -> None:
        nic = (await client.get(OTHER_NIC)).body
        del nic["properties"]["virtualMachine"]
        client.simulator.remove(OTHER_NIC)
        created = await client.put(nic)
        assert (created.status, created.state) == (201, "Succeeded")
        assert "Azure-AsyncOperation" not in created.headers
        again = await client.put(created.body, if_match=created.etag)
        assert (again.status, again.state) == (200, "Succeeded")
        assert (await client.get(OTHER_NIC)).etag == again.etag != created.etag

    run(tmp_path, test, profile=BUSY)


def test_a_write_that_changes_nothing_ends_at_once(tmp_path: Path) -> None:
    """A route table put back as it is answers Succeeded with an operation that has ended."""

    async def test(client: Client) -> None:
        put = await client.put((await client.get(TABLE)).body)
        assert (put.status, put.state) == (200, "Succeeded")
        assert (await client.poll(put)).body == {"status": "Succeeded"}

    run(tmp_path, test, profile=BUSY)


def test_a_new_resource_is_created(tmp_path: Path) -> None:
    """A PUT to a free name answers 201 and the resource is in the lists."""

    async def test(client: Client) -> None:
        put = await client.put({"id": f"{TABLE}-new", "location": "westeurope", "properties": {"routes": []}})
        assert (put.status, put.body["name"]) == (201, "ha-nva-udr-new")
        assert (await client.poll(put)).body == {"status": "Succeeded"}
        assert (await client.get(f"{TABLE}-new")).state == "Succeeded"

    run(tmp_path, test)


def test_what_a_put_leaves_out_is_lost(tmp_path: Path) -> None:
    """Tags, IP forwarding, the NSG, routes and unknown properties survive only if they are sent."""

    async def test(client: Client) -> None:
        nic = (await client.get(NIC)).body
        kept = nic["properties"]["ipConfigurations"][0]
        await client.put(
            {
                "id": NIC,
                "location": nic["location"],
                "properties": {
                    "ipConfigurations": [
                        {"name": kept["name"], "properties": {"subnet": kept["properties"]["subnet"]}}
                    ]
                },
            }
        )
        after = (await client.get(NIC)).body
        assert "tags" not in after
        assert "networkSecurityGroup" not in after["properties"]
        assert after["properties"]["enableIPForwarding"] is False
        assert [each["name"] for each in after["properties"]["ipConfigurations"]] == ["ipconfig1"]
        assert "sampleServiceHint" not in after["properties"]["ipConfigurations"][0]["properties"]
        assert holder(client) is None

    run(tmp_path, test)


def test_what_a_put_sends_back_is_kept(tmp_path: Path) -> None:
    """A NIC put back as read is the same afterwards, properties that no model knows included."""

    async def test(client: Client) -> None:
        for resource_id in (NIC, TABLE, PUBLIC_IP):
            before = (await client.get(resource_id)).body
            assert (await client.put(before)).status == 200
            after = (await client.get(resource_id)).body
            assert without_etags(after) == without_etags(before)

    run(tmp_path, test)


def test_what_the_service_owns_cannot_be_written(tmp_path: Path) -> None:
    """Read-only properties in a PUT are ignored, whatever they say, and kept if they are left out."""

    async def test(client: Client) -> None:
        for resource_id, names in (
            (NIC, ("macAddress", "virtualMachine", "resourceGuid", "primary")),
            (TABLE, ("subnets", "resourceGuid")),
            (PUBLIC_IP, ("ipConfiguration", "resourceGuid", "ipAddress")),
        ):
            before = (await client.get(resource_id)).body
            for value in ({"id": "/made/up"}, None):
                sent = copy.deepcopy(before)
                sent["etag"] = 'W/"made-up"'
                sent["properties"]["provisioningState"] = "Failed"
                for name in names:
                    sent["properties"].pop(name)
                    if value is not None:
                        sent["properties"][name] = value
                assert (await client.send("PUT", resource_id, sent, valid=False)).status == 200
                after = (await client.get(resource_id)).body
                assert without_etags(after) == without_etags(before)

    run(tmp_path, test)


def test_a_new_resource_has_nothing_that_only_the_service_gives(tmp_path: Path) -> None:
    """A PUT to a free name cannot claim a holder, a VM or a MAC address."""

    async def test(client: Client) -> None:
        made_up = {"id": "/made/up"}
        for resource_id, names in (
            (PUBLIC_IP, ("ipConfiguration",)),
            (NIC, ("virtualMachine", "macAddress")),
        ):
            body = detached(client.simulator.snapshot()[resource_id]) if resource_id == NIC else {}
            sent = {"location": "westeurope", "properties": {}, **body, "id": f"{resource_id}-new"}
            sent["properties"].update(dict.fromkeys(names, made_up))
            assert (await client.send("PUT", sent["id"], sent, valid=False)).status == 201
            after = (await client.get(sent["id"])).body["properties"]
            assert not set(names) & set(after)

    run(tmp_path, test)


def test_a_stale_etag_is_a_412(tmp_path: Path) -> None:
    """If-Match with an ETag from before, from while the operation ran, or made up is refused."""

    async def test(client: Client) -> None:
        before = await client.get(TABLE)
        put = await client.put(with_next_hop(before.body, "10.0.0.101"), if_match=before.etag)
        await client.get(TABLE)
        for stale in (before.etag, put.etag, 'W/"made-up"'):
            refused = await client.put(before.body, if_match=stale)
            assert (refused.status, refused.code) == (412, "PreconditionFailed")
            assert refused.detail == "PreconditionFailedEtagMismatch"
        for good in ((await client.get(TABLE)).etag, "*"):
            assert (await client.put(before.body, if_match=good)).status == 200

    run(tmp_path, test)


def test_if_match_on_a_missing_resource_is_a_412(tmp_path: Path) -> None:
    """If-Match demands that the resource is there, so a deleted one is not created again."""

    async def test(client: Client) -> None:
        before = await client.get(TABLE)
        client.simulator.remove(TABLE)
        assert (await client.put(before.body, if_match=before.etag)).status == 412
        assert (await client.put(before.body, if_match="*")).status == 412
        assert (await client.send("GET", TABLE)).status == 404

    run(tmp_path, test)


def test_nics_may_ignore_if_match(tmp_path: Path) -> None:
    """With the switch on, a NIC takes a stale write, while a route table still refuses it."""

    async def test(client: Client) -> None:
        stale = 'W/"made-up"'
        assert (await client.put((await client.get(NIC)).body, if_match=stale)).status == 200
        assert (await client.put((await client.get(TABLE)).body, if_match=stale)).status == 412
        client.simulator.switches.nic_ignores_if_match = False
        assert (await client.put((await client.get(NIC)).body, if_match=stale)).status == 412

    run(tmp_path, test, switches=Switches(nic_ignores_if_match=True))


def test_an_etag_header_is_ignored(tmp_path: Path) -> None:
    """Only If-Match guards a write; a request header called ETag does not."""

    async def test(client: Client) -> None:
        table = (await client.get(TABLE)).body
        put = await client.send("PUT", TABLE, table, headers={"ETag": 'W/"made-up"'})
        assert put.status == 200

    run(tmp_path, test)


def test_a_newer_write_supersedes_a_running_one(tmp_path: Path) -> None:
    """The older operation ends Canceled, the newer one succeeds, and the newer body stays."""
    hands = Hands()

    async def test(client: Client) -> None:
        table = (await client.get(TABLE)).body
        first = await client.put(with_next_hop(table, "10.0.0.101"))
        second = await client.put(with_next_hop(table, "10.0.0.102"), if_match=first.etag)
        poll = (await client.poll(first)).body
        assert poll["status"] == "Canceled"
        assert poll["error"]["details"][0]["code"] == "CanceledAndSupersededDueToAnotherOperation"
        hands.now += 10
        assert (await client.poll(second)).body == {"status": "Succeeded"}
        assert client.simulator.effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.102"
        assert [each.outcome for each in client.simulator.log if each.method == "PUT"] == [
            "Canceled",
            "Succeeded",
        ]

    run(tmp_path, test, profile=TEN, clock=hands)


@pytest.mark.parametrize(
    ("concurrency", "status", "code"),
    [
        (Concurrency.RETRYABLE, 429, "RetryableError"),
        (Concurrency.CONFLICT, 409, "AnotherOperationInProgress"),
    ],
)
def test_a_newer_write_may_be_refused(
    tmp_path: Path, concurrency: Concurrency, status: int, code: str
) -> None:
    """By the switch, a write while another one runs is refused and the running one goes on."""
    hands = Hands()

    async def test(client: Client) -> None:
        table = (await client.get(TABLE)).body
        first = await client.put(with_next_hop(table, "10.0.0.101"))
        refused = await client.put(table)
        assert (refused.status, refused.code) == (status, code)
        assert "Retry-After" not in refused.headers
        if concurrency is Concurrency.RETRYABLE:
            assert refused.detail == "RetryableErrorDueToAnotherOperation"
        hands.now += 10
        assert (await client.poll(first)).body == {"status": "Succeeded"}

    run(tmp_path, test, profile=TEN, clock=hands, switches=Switches(concurrency=concurrency))


def test_one_route_can_be_written(tmp_path: Path) -> None:
    """A PUT of a route changes that route alone: 200 if it was there, 201 if not."""

    async def test(client: Client) -> None:
        route = (await client.get(f"{TABLE}/routes/to-nva-1")).body
        route["properties"]["nextHopIpAddress"] = "10.0.0.101"
        changed = await client.send("PUT", f"{TABLE}/routes/to-nva-1", route)
        assert changed.status == 200
        assert (await client.poll(changed)).body == {"status": "Succeeded"}
        new = {"properties": {"addressPrefix": "10.9.0.0/16", "nextHopType": "None"}}
        assert (await client.send("PUT", f"{TABLE}/routes/new", new)).status == 201
        routes = (await client.get(TABLE)).body["properties"]["routes"]
        assert {each["name"] for each in routes} == {
            "to-nva-1",
            "to-nva-2",
            "management-internet",
            "within-vnet",
            "other-appliance",
            "new",
        }

    run(tmp_path, test)


def test_a_public_ip_follows_the_operations_of_the_nics(tmp_path: Path) -> None:
    """A public IP shows its holder until the detach has ended, and the next one once attached."""
    hands = Hands()

    async def test(client: Client) -> None:
        first, second = (await client.get(NIC)).body, (await client.get(OTHER_NIC)).body
        etag = (await client.get(PUBLIC_IP)).etag
        await client.put(detached(first))
        assert holder(client) == f"{NIC}/ipConfigurations/ipconfig1"
        hands.now += 10
        assert holder(client) is None
        assert (await client.get(PUBLIC_IP)).etag != etag
        await client.put(attached(second))
        assert holder(client) is None
        hands.now += 10
        assert holder(client) == f"{OTHER_NIC}/ipConfigurations/ipconfig1"

    run(tmp_path, test, profile=TEN, clock=hands)
