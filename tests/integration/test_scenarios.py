"""What users came for: whole failovers, each with another shape of group or trouble."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from nvaha.lab.arm import ArmSimulator, Fault, FaultKind, Keeps, Switches
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import Environment, environment

from .in_process import Json, Running, running

OWNED = {"nextHopIpAddress", "publicIPAddress"}
MARK = re.compile("nvaha-[0-9a-f]{8}")
SERVICE = {"etag", "provisioningState", "ipConfiguration", "resourceGuid"}


def _play(
    story: Callable[[Running], Awaitable[None]],
    azurite: Azurite,
    folder: Path,
    sample: Environment,
    **options: Any,
) -> None:
    async def play() -> None:
        async with running(azurite, folder, sample, **options) as app:
            await app.all_up()
            await story(app)

    asyncio.run(play())


def _not_owned(body: Any) -> Any:
    """Return a body without what a switch may change and what the service sets."""
    if isinstance(body, dict):
        kept = {key: value for key, value in body.items() if not MARK.fullmatch(key)}
        return {key: _not_owned(value) for key, value in kept.items() if key not in OWNED | SERVICE}
    return [_not_owned(each) for each in body] if isinstance(body, list) else body


def _routes_of(arm: ArmSimulator, sample: Environment, nva: int) -> list[str]:
    """Return the names of the routes that point at an NVA's internal address."""
    address = sample.nvas[nva].addresses["internal"]
    return [
        route["name"]
        for table in sample.route_tables
        for route in _body(arm, table)["properties"]["routes"]
        if route["properties"].get("nextHopIpAddress") == address
    ]


def _body(arm: ArmSimulator, resource_id: str) -> Json:
    return next(body for key, body in arm.snapshot().items() if key.casefold() == resource_id.casefold())


def _holder(arm: ArmSimulator, public_ip: str) -> str:
    return str(_body(arm, public_ip)["properties"].get("ipConfiguration", {}).get("id", ""))


def test_the_active_nva_dies_and_later_the_other(azurite: Azurite, tmp_path: Path) -> None:
    """Routes and the public IP move to the standby and, after it dies in turn, back; nothing else changes."""
    sample = environment()
    first, second = (nva.name for nva in sample.nvas)

    async def story(app: Running) -> None:
        before = _not_owned(app.arm.snapshot())
        await app.nvas[first].stop()
        await app.active(second)
        assert not _routes_of(app.arm, sample, 0)
        assert sample.nvas[1].interfaces["external"] in _holder(app.arm, sample.public_ips[0])
        await app.nvas[first].start()
        await app.all_up()
        await app.nvas[second].stop()
        await app.active(first)
        assert not _routes_of(app.arm, sample, 1)
        assert sample.nvas[0].interfaces["external"] in _holder(app.arm, sample.public_ips[0])
        assert _not_owned(app.arm.snapshot()) == before

    _play(story, azurite, tmp_path, sample)


def test_what_is_written_says_by_whom_unless_a_policy_denies_it(azurite: Azurite, tmp_path: Path) -> None:
    """The mark names the account that the states are in; denied by a policy, it costs no failover."""
    sample = environment()
    first, second = (nva.name for nva in sample.nvas)

    def marks(app: Running) -> set[str]:
        found = [_body(app.arm, each).get("tags", {}) for each in sample.route_tables]
        return {value for tags in found for name, value in tags.items() if MARK.fullmatch(name)}

    async def story(app: Running) -> None:
        await app.nvas[first].stop()
        await app.active(second)
        assert {value.partition("/")[0] for value in marks(app)} == {"devstoreaccount1"}
        await app.nvas[first].start()
        await app.all_up()
        app.arm.switches.denied_tags = "nvaha-*"
        await app.nvas[second].stop()
        await app.active(first)
        assert not _routes_of(app.arm, sample, 1)
        assert marks(app) == set()

    _play(story, azurite, tmp_path, sample)


def test_the_next_nva_is_down_too(azurite: Azurite, tmp_path: Path) -> None:
    """Of three NVAs with the second down, the third takes over."""
    sample = environment(nvas=3)
    names = [nva.name for nva in sample.nvas]

    async def story(app: Running) -> None:
        await app.nvas[names[1]].stop()
        await app.until(lambda group: group["nvas"][1]["health"] == "down")
        await app.nvas[names[0]].stop()
        await app.active(names[2])
        assert _routes_of(app.arm, sample, 2)
        assert sample.nvas[2].interfaces["external"] in _holder(app.arm, sample.public_ips[0])

    _play(story, azurite, tmp_path, sample)


def test_a_group_of_routes_only(azurite: Azurite, tmp_path: Path) -> None:
    """A group without public IPs moves its routes and writes no NIC."""
    sample = environment(public_ips=0)
    second = sample.nvas[1].name

    async def story(app: Running) -> None:
        await app.nvas[sample.nvas[0].name].stop()
        await app.active(second)
        assert not _routes_of(app.arm, sample, 0)
        assert all("routeTables" in entry.resource_id for entry in app.arm.log if entry.method == "PUT")

    _play(story, azurite, tmp_path, sample)


def test_a_group_of_public_ips_only(azurite: Azurite, tmp_path: Path) -> None:
    """A group without route tables moves all of a NIC's public IPs with one write to each NIC."""
    sample = environment(route_tables=0, public_ips=2)

    async def story(app: Running) -> None:
        await app.nvas[sample.nvas[0].name].stop()
        await app.active(sample.nvas[1].name)
        for public_ip in sample.public_ips:
            assert sample.nvas[1].interfaces["external"] in _holder(app.arm, public_ip)
        writes = [entry.resource_id for entry in app.arm.log if entry.method == "PUT"]
        assert len(writes) == 2

    _play(story, azurite, tmp_path, sample)


def test_what_no_library_knows_survives(azurite: Azurite, tmp_path: Path) -> None:
    """Properties that nobody has heard of stay on NICs with several IP configurations, and on routes."""
    sample = environment()
    resources = copy.deepcopy(list(sample.resources))
    for body in resources:
        body["properties"]["fromTheFuture"] = {"deep": [1, {"er": None}]}
        for child in body["properties"].get("ipConfigurations", []) + body["properties"].get("routes", []):
            child["properties"]["alsoNew"] = "kept"
    future = Environment(
        tuple(resources), sample.nvas, sample.route_tables, sample.public_ips, sample.prefixes
    )

    async def story(app: Running) -> None:
        before = _not_owned(app.arm.snapshot())
        await app.nvas[sample.nvas[0].name].stop()
        await app.active(sample.nvas[1].name)
        assert _not_owned(app.arm.snapshot()) == before

    _play(story, azurite, tmp_path, future)


def test_nobody_to_switch_to(azurite: Azurite, tmp_path: Path) -> None:
    """With the standby down nothing is switched and the group says so; it switches once the standby is up."""
    sample = environment()
    first, second = (nva.name for nva in sample.nvas)

    async def story(app: Running) -> None:
        await app.nvas[second].stop()
        await app.until(lambda group: group["nvas"][1]["health"] == "down")
        await app.nvas[first].stop()
        group = await app.until(lambda group: group["all_down"] and group["blocked"])
        assert group["active"] == first
        assert not [entry for entry in app.arm.log if entry.method == "PUT"]
        await app.nvas[second].start()
        await app.active(second)

    _play(story, azurite, tmp_path, sample)


def test_a_nic_that_cannot_be_detached(azurite: Azurite, tmp_path: Path) -> None:
    """The routes move although the dead NVA's NIC keeps the public IP, and what is left is said."""
    sample = environment()
    stuck = sample.nvas[0].interfaces["external"]

    async def story(app: Running) -> None:
        await app.nvas[sample.nvas[0].name].stop()
        group = await app.until(
            lambda group: (group["operation"] or {}).get("status") == "failed" and group["blocked"]
        )
        assert not _routes_of(app.arm, sample, 0)
        assert group["wanted"] == sample.nvas[1].name
        unfinished = " ".join(group["operation"]["unfinished"])
        assert "ha-nva-pip" in unfinished
        assert "OperationNotAllowed" in unfinished

    _play(story, azurite, tmp_path, sample, switches=Switches(broken={stuck}, failed_keeps=Keeps.OLD))


def test_a_write_that_azure_fails_to_carry_out(azurite: Azurite, tmp_path: Path) -> None:
    """A table whose operation failed, though its body looks right, is written again before all is well."""
    sample = environment()
    table = sample.route_tables[0]

    async def story(app: Running) -> None:
        app.arm.faults.add(Fault(FaultKind.OPERATION_FAILED, method="PUT", resource=table, keeps=Keeps.NEW))
        await app.nvas[sample.nvas[0].name].stop()
        await app.active(sample.nvas[1].name)
        assert _body(app.arm, table)["properties"]["provisioningState"] == "Succeeded"
        assert app.arm.effective.next_hop(table, "8.8.8.8") == sample.nvas[1].addresses["internal"]

    _play(story, azurite, tmp_path, sample)


def test_somebody_else_edits_the_same_table(azurite: Azurite, tmp_path: Path) -> None:
    """A route that somebody adds between our read and our write survives the 412 and the second try."""
    sample = environment()
    table = sample.route_tables[0]

    async def story(app: Running) -> None:
        body = copy.deepcopy(_body(app.arm, table))
        added = copy.deepcopy(body["properties"]["routes"][0])
        added["name"] = "theirs"
        added["properties"]["addressPrefix"] = "192.0.2.0/24"
        app.arm.faults.add(Fault(FaultKind.SLOW, method="PUT", resource=table, delay_s=0.5))
        await app.nvas[sample.nvas[0].name].stop()
        await app.until(lambda group: group["phase"] == "switching")
        body["properties"]["routes"].append(added)
        app.arm.edit(body)
        await app.active(sample.nvas[1].name)
        names = [route["name"] for route in _body(app.arm, table)["properties"]["routes"]]
        assert "theirs" in names
        assert not _routes_of(app.arm, sample, 0)

    _play(story, azurite, tmp_path, sample)


def test_a_half_moved_group_is_repaired_at_start(azurite: Azurite, tmp_path: Path) -> None:
    """A route table that points at the standby when the monitor starts is brought to where most points."""
    sample = environment()
    resources = copy.deepcopy(list(sample.resources))
    odd = next(body for body in resources if body["id"] == sample.route_tables[1])
    for route in odd["properties"]["routes"]:
        if route["properties"].get("nextHopIpAddress") == sample.nvas[0].addresses["internal"]:
            route["properties"]["nextHopIpAddress"] = sample.nvas[1].addresses["internal"]
    half = Environment(tuple(resources), sample.nvas, sample.route_tables, sample.public_ips, sample.prefixes)

    async def story(app: Running) -> None:
        group = await app.until(
            lambda group: (group["operation"] or {}).get("status") == "done" and group["phase"] == "steady"
        )
        assert group["operation"]["trigger"] == "repair"
        assert group["active"] == sample.nvas[0].name
        assert not _routes_of(app.arm, sample, 1)

    _play(story, azurite, tmp_path, half, policy={"adopt": "repair"})


def test_a_paused_group_is_left_alone(azurite: Azurite, tmp_path: Path) -> None:
    """A paused group is probed and reported but not switched, until it is resumed."""
    sample = environment()

    async def story(app: Running) -> None:
        status, group = await app.call("pause", {"reason": "maintenance"})
        assert (status, group["paused"]) == (200, True)
        await app.nvas[sample.nvas[0].name].stop()
        group = await app.until(lambda group: group["blocked"])
        assert group["phase"] == "steady"
        assert group["nvas"][0]["health"] == "down"
        await app.call("resume", {})
        await app.active(sample.nvas[1].name)

    _play(story, azurite, tmp_path, sample)
