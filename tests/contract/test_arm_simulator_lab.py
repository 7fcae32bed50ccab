"""What only the lab has: the data path, edits from outside, the backdoor, the sample, the command."""

from __future__ import annotations

import asyncio
import copy
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nvaha import config
from nvaha.lab.arm import ArmSimulator
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import RESOURCE_GROUP, configuration, environment

from .lab_arm import FAST, Client, Hands, run
from .openapi import DESCRIPTION, description

Json = dict[str, Any]
SAMPLE = environment()
TABLE = SAMPLE.route_tables[0]
PUBLIC_IP = SAMPLE.public_ips[0]
NIC, OTHER_NIC = (each.interfaces["external"] for each in SAMPLE.nvas)


def moved(table: Json) -> Json:
    """Return a copy of a route table whose routes to the first NVA lead to the second."""
    changed = copy.deepcopy(table)
    for route in changed["properties"]["routes"]:
        if route["properties"].get("nextHopIpAddress") == "10.0.0.100":
            route["properties"]["nextHopIpAddress"] = "10.0.0.101"
    return changed


def test_the_data_path_takes_the_longest_prefix(tmp_path: Path) -> None:
    """A packet goes along the most specific route, and to no appliance where that leads elsewhere."""
    simulator = ArmSimulator(SAMPLE.resources, FAST, folder=tmp_path)
    hops = {
        "8.8.8.8": "10.0.0.100",
        "10.1.2.3": "10.0.0.100",
        "192.168.7.7": "10.0.2.4",
        "198.51.100.9": None,
        "10.0.1.4": None,
    }
    for destination, hop in hops.items():
        assert simulator.effective.next_hop(TABLE.upper(), destination) == hop
    assert simulator.effective.next_hop(f"{TABLE}-none", "8.8.8.8") is None
    assert simulator.effective.public_ip_target(PUBLIC_IP) == "10.0.0.68"


def test_the_data_path_lags_behind_success(tmp_path: Path) -> None:
    """Packets take the old way until the operation has ended and the lag is over."""
    hands = Hands()

    async def test(client: Client) -> None:
        effective = client.simulator.effective
        put = await client.put(moved((await client.get(TABLE)).body))
        hands.now += 10
        assert (await client.poll(put)).body == {"status": "Succeeded"}
        assert effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.100"
        hands.now += 4.9
        assert effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.100"
        hands.now += 0.2
        assert effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.101"

    run(tmp_path, test, profile=replace(FAST, route_table_operation_s=10, effective_lag_s=5), clock=hands)


def test_the_data_path_of_a_public_ip_follows_its_nics(tmp_path: Path) -> None:
    """Packets to a public IP arrive at the old NIC, then nowhere, then at the new one."""
    hands = Hands()

    async def test(client: Client) -> None:
        effective = client.simulator.effective
        first, second = (await client.get(NIC)).body, (await client.get(OTHER_NIC)).body
        reference = first["properties"]["ipConfigurations"][0]["properties"].pop("publicIPAddress")
        await client.put(first)
        assert effective.public_ip_target(PUBLIC_IP) == "10.0.0.68"
        hands.now += 1
        assert effective.public_ip_target(PUBLIC_IP) is None
        second["properties"]["ipConfigurations"][1]["properties"]["publicIPAddress"] = reference
        await client.put(second)
        hands.now += 1
        assert effective.public_ip_target(PUBLIC_IP) == "10.0.0.71"

    run(tmp_path, test, profile=replace(FAST, effective_lag_s=1), clock=hands)


def test_an_edit_from_outside_shows_and_changes_the_etag(tmp_path: Path) -> None:
    """An outside edit takes effect at once, so that a write with the ETag from before is refused."""

    async def test(client: Client) -> None:
        before = await client.get(TABLE)
        shown = client.simulator.edit(moved(before.body))
        assert (await client.get(TABLE)).body == shown
        assert client.simulator.effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.101"
        assert (await client.put(before.body, if_match=before.etag)).status == 412

    run(tmp_path, test)


def test_a_removed_nic_frees_its_public_ip(tmp_path: Path) -> None:
    """A NIC deleted from outside is a 404, holds no public IP and gets no packets, late ones included."""
    hands = Hands()

    async def test(client: Client) -> None:
        await client.put((await client.get(NIC)).body)
        client.simulator.remove(NIC)
        hands.now += 1
        assert (await client.send("GET", NIC)).status == 404
        assert "ipConfiguration" not in (await client.get(PUBLIC_IP)).body["properties"]
        assert client.simulator.effective.public_ip_target(PUBLIC_IP) is None

    run(tmp_path, test, profile=replace(FAST, effective_lag_s=1), clock=hands)


def test_a_snapshot_is_a_copy(tmp_path: Path) -> None:
    """What is done to a snapshot does not reach the simulator."""
    simulator = ArmSimulator(SAMPLE.resources, FAST, folder=tmp_path)
    simulator.snapshot()[TABLE]["properties"]["routes"].clear()
    assert len(simulator.snapshot()[TABLE]["properties"]["routes"]) == 5


def test_the_same_seed_gives_the_same_etags(tmp_path: Path) -> None:
    """ETags are drawn from the seed and from nothing else."""

    def etags(seed: int) -> set[str]:
        simulator = ArmSimulator(SAMPLE.resources, FAST, folder=tmp_path, seed=seed)
        return {body["etag"] for body in simulator.snapshot().values()}

    assert etags(1) == etags(1)
    assert etags(1).isdisjoint(etags(2))


def test_other_processes_can_do_the_same(tmp_path: Path) -> None:
    """Faults, log, resources, effective data path, denials and switches are there over HTTP."""

    async def test(client: Client) -> None:
        fault = {"kind": "error", "method": "GET", "status": 503, "count": 2}
        assert await client.lab("POST", "faults", fault) == (200, {})
        assert (await client.send("GET", TABLE)).status == 503
        assert (await client.lab("GET", "faults"))[1][0]["resource"] == "*"
        assert await client.lab("DELETE", "faults") == (200, {})
        table = (await client.get(TABLE)).body
        _, edited = await client.lab("PUT", "resources", moved(table))
        assert edited["etag"] != table["etag"]
        assert (await client.lab("GET", "resources", id=TABLE.upper()))[1] == edited
        hop = await client.lab("GET", "effective", route_table=TABLE, destination="8.8.8.8")
        assert hop == (200, {"next_hop": "10.0.0.101"})
        target = await client.lab("GET", "effective", public_ip=PUBLIC_IP)
        assert target == (200, {"target": "10.0.0.68"})
        log = (await client.lab("GET", "log"))[1]
        assert [each["status"] for each in log] == [503, 200]
        assert (await client.lab("GET", "log", **{"from": "1"}))[1] == log[1:]
        assert ["Microsoft.Network/routeTables/read", TABLE] in (await client.lab("GET", "permissions"))[1]
        await client.lab("POST", "denials", {"principal": "*", "action": "*", "scope": TABLE})
        assert (await client.send("GET", TABLE)).status == 403
        await client.lab("DELETE", "denials")
        await client.lab("PUT", "switches", {"broken": [NIC], "concurrency": "conflict"})
        assert client.simulator.switches.is_broken(NIC)
        assert (await client.lab("GET", "settings", principal="x"))[1]["IDENTITY_HEADER"] == "lab-x"
        assert (await client.lab("DELETE", "resources", id=NIC))[0] == 200
        assert (await client.lab("GET", "resources", id=NIC))[0] == 404

    run(tmp_path, test)


def test_arm_can_be_paused_from_other_processes(tmp_path: Path) -> None:
    """The backdoor stays open while ARM is gone."""

    async def test(client: Client) -> None:
        await client.lab("POST", "pause", mode="hang")
        waiting = asyncio.create_task(client.get(TABLE))
        assert (await client.lab("GET", "effective"))[0] == 200
        assert not waiting.done()
        await client.lab("POST", "resume")
        assert (await waiting).status == 200

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("method", "call", "body"),
    [
        ("POST", "faults", {"kind": "earthquake"}),
        ("POST", "faults", {"kind": "error", "staus": 500}),
        ("PUT", "switches", {"concurrency": "maybe"}),
        ("PUT", "resources", {"id": "/subscriptions/x", "properties": {}}),
        ("POST", "pause?mode=sleep", None),
    ],
)
def test_the_backdoor_refuses_what_it_does_not_know(
    tmp_path: Path, method: str, call: str, body: Mapping[str, object] | None
) -> None:
    """A mistyped fault, switch, resource or mode is a 400, so that no test runs without it."""

    async def test(client: Client) -> None:
        url = f"{client.simulator.lab_endpoint}/{call}"
        async with client.session.request(method, url, json=body) as response:
            assert response.status == 400

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("nvas", "public_ips", "route_tables"), [(2, 1, 2), (2, 0, 50), (3, 4, 0), (12, 1, 1)]
)
def test_a_sample_belongs_to_its_configuration(nvas: int, public_ips: int, route_tables: int) -> None:
    """A sample of any size is as described, and its configuration is one that users may write."""
    sample = environment(nvas=nvas, public_ips=public_ips, route_tables=route_tables)
    addresses = {sample.nvas[0].name: ("127.0.0.1", 4711)}
    loaded = config.parse(json.dumps(configuration(sample, addresses, probe={"interval": "1s"})))
    group = loaded.configuration.groups[0]
    assert group.names == tuple(each.name for each in sample.nvas)
    assert (group.nvas[0].probe.address, group.nvas[0].probe.port) == ("127.0.0.1", 4711)
    assert group.nvas[1].probe.interface == "internal"
    assert group.route_tables == sample.route_tables
    assert tuple(each.id for each in group.public_ips) == sample.public_ips
    used = [
        each["properties"]["privateIPAddress"]
        for body in sample.resources
        for each in body["properties"].get("ipConfigurations", [])
    ]
    assert len(used) == len(set(used))
    names = {"routeTables": "RouteTable", "networkInterfaces": "NetworkInterface"}
    for body in sample.resources if DESCRIPTION.is_file() else ():
        description().check(names.get(body["type"].rpartition("/")[2], "PublicIPAddress"), body)


def test_the_sample_has_the_known_names() -> None:
    """The sample of two NVAs has the names and addresses that the documentation shows."""
    assert RESOURCE_GROUP == "ha-nva-rg"
    assert [each.rpartition("/")[2] for each in SAMPLE.route_tables] == ["ha-nva-udr", "ha-nva-mgmt-udr"]
    assert [each.rpartition("/")[2] for each in SAMPLE.public_ips] == ["ha-nva-pip"]
    assert [(each.name, dict(each.addresses)) for each in SAMPLE.nvas] == [
        ("ha-nva-vm1", {"external": "10.0.0.68", "internal": "10.0.0.100"}),
        ("ha-nva-vm2", {"external": "10.0.0.69", "internal": "10.0.0.101"}),
    ]


def test_a_sample_that_does_not_fit_is_refused() -> None:
    """More addresses than the external subnet has, or a single NVA, is an error."""
    for nvas, public_ips in ((1, 1), (30, 1), (2, 20)):
        with pytest.raises(ValueError, match="NVAs"):
            environment(nvas=nvas, public_ips=public_ips)


def test_the_profiles_are_the_documented_ones() -> None:
    """The three profiles have the times that every benchmark is quoted with."""
    typical = PROFILES["typical"]
    assert (typical.get_s, typical.put_s) == (0.06, 0.2)
    assert (typical.route_table_operation_s, typical.nic_operation_s) == (2.0, 4.0)
    assert typical.nic_retry_after_s == 10
    assert PROFILES["slow"].nic_operation_s == PROFILES["slow"].route_table_operation_s == 30.0
    fast = PROFILES["fast"]
    assert fast.get_s == fast.put_s == fast.route_table_operation_s == fast.effective_lag_s == 0


def test_the_simulator_runs_alone(tmp_path: Path) -> None:
    """The command prints one JSON line with its endpoints, serves, and ends on a signal."""

    async def test() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "nvaha.lab.arm", "--profile", "fast", "--folder", str(tmp_path), "--route-tables", "3"),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(15):
                where = json.loads(await process.stdout.readline())
            assert where["endpoint"].startswith("https://127.0.0.1:")
            assert Path(where["ca_file"]) == tmp_path / "ca.pem"
            assert where["settings"]["IDENTITY_HEADER"] == "lab-nvaha"
        finally:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                assert await process.wait() == 0

    asyncio.run(test())
