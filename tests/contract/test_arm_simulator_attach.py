"""Which public IPs the simulator lets a NIC have, and that rights are looked at first."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nvaha.lab.arm import Switches
from nvaha.lab.stage.sample import environment

from .lab_arm import PUBLIC_IP, Client, attached, detached, holder, run

Json = dict[str, Any]
SAMPLE = environment()
NIC, OTHER_NIC = (each.interfaces["external"] for each in SAMPLE.nvas)


async def free(client: Client) -> Json:
    """Take the public IP from its NIC and return it."""
    assert (await client.put(detached((await client.get(NIC)).body))).status == 200
    assert holder(client) is None
    return (await client.get(PUBLIC_IP)).body


async def refused(client: Client, nic: Json, *, if_match: str | None = None) -> tuple[int, str]:
    """Return status and code with which a write is refused, and see that it changed nothing."""
    before = client.simulator.snapshot()
    answer = await client.put(nic, if_match=if_match)
    assert client.simulator.snapshot() == before
    assert not client.simulator.log[-1].took_effect
    return answer.status, answer.code


def test_a_held_public_ip_stays_where_it_is(tmp_path: Path) -> None:
    """An attach of a public IP that another NIC holds is refused and changes neither NIC nor public IP."""

    async def test(client: Client) -> None:
        nic = attached((await client.get(OTHER_NIC)).body)
        assert await refused(client, nic) == (400, "PublicIPAddressInUse")
        assert holder(client) == f"{NIC}/ipConfigurations/ipconfig1"
        assert client.simulator.effective.public_ip_target(PUBLIC_IP) == "10.0.0.68"

    run(tmp_path, test)


def test_rights_on_what_a_nic_refers_to_are_looked_at_first(tmp_path: Path) -> None:
    """Without the right to join, a write is a 403 whatever else is wrong with it: held, stale, misfit."""

    async def test(client: Client) -> None:
        client.simulator.deny("*", "Microsoft.Network/publicIPAddresses/join/action", PUBLIC_IP)
        held = attached((await client.get(OTHER_NIC)).body)
        assert await refused(client, held) == (403, "LinkedAuthorizationFailed")
        assert await refused(client, held, if_match='W/"stale"') == (403, "LinkedAuthorizationFailed")
        public_ip = client.simulator.snapshot()[PUBLIC_IP]
        public_ip["properties"]["publicIPAddressVersion"] = "IPv6"
        client.simulator.edit(public_ip)
        assert await refused(client, held) == (403, "LinkedAuthorizationFailed")
        client.simulator.remove(PUBLIC_IP)
        assert await refused(client, held) == (403, "LinkedAuthorizationFailed")
        client.simulator.allow_all()
        assert await refused(client, held) == (400, "InvalidResourceReference")

    run(tmp_path, test)


def _ipv6(public_ip: Json) -> None:
    public_ip["properties"]["publicIPAddressVersion"] = "IPv6"


def _elsewhere(public_ip: Json) -> None:
    public_ip["location"] = "northeurope"


def _in_zone_2(public_ip: Json) -> None:
    public_ip["zones"] = ["2"]


def _regional(public_ip: Json) -> None:
    public_ip.pop("zones", None)


ZONES = "ComputeResourceZoneConstraintDoesNotMatchPublicIPAddressZoneConstraint"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_ipv6, "IPVersionForPublicIpAndNicIpConfigurationMustMatch"),
        (_elsewhere, "InvalidResourceReference"),
        (_in_zone_2, ZONES),
        (_regional, ZONES),
    ],
)
def test_a_public_ip_that_does_not_fit_is_refused(
    tmp_path: Path, spoil: Callable[[Json], None], code: str
) -> None:
    """A public IP of another version, region or zone than the NIC's cannot be attached, by Azure's code."""

    async def test(client: Client) -> None:
        public_ip = await free(client)
        nic = attached((await client.get(OTHER_NIC)).body)
        client.simulator.switches.zones[nic["properties"]["virtualMachine"]["id"].upper()] = "1"
        fitting = copy.deepcopy(public_ip) | {"zones": ["1", "2", "3"], "location": "West Europe"}
        spoiled = copy.deepcopy(fitting)
        spoil(spoiled)
        client.simulator.edit(spoiled)
        assert await refused(client, nic) == (400, code)
        client.simulator.edit(fitting)
        assert (await client.put(nic)).status == 200
        assert holder(client) == f"{OTHER_NIC}/ipConfigurations/ipconfig1"

    run(tmp_path, test)


def test_zones_do_not_matter_to_a_vm_in_none(tmp_path: Path) -> None:
    """Without a zone of its own a VM may have a public IP of any zone."""

    async def test(client: Client) -> None:
        client.simulator.edit(await free(client) | {"zones": ["2"]})
        assert (await client.put(attached((await client.get(OTHER_NIC)).body))).status == 200

    run(tmp_path, test, switches=Switches(zones={"/another/vm": "1"}))


def test_an_ipv6_address_goes_onto_an_ipv6_configuration(tmp_path: Path) -> None:
    """Versions are those of the IP configuration, not of the NIC."""

    async def test(client: Client) -> None:
        public_ip = await free(client)
        _ipv6(public_ip)
        client.simulator.edit(public_ip)
        nic = attached((await client.get(OTHER_NIC)).body, index=1)
        nic["properties"]["ipConfigurations"][1]["properties"] |= {
            "privateIPAddressVersion": "IPv6",
            "privateIPAddress": "fd00::69",
        }
        assert (await client.put(nic)).status == 200

    run(tmp_path, test)


def test_a_public_ip_that_failed_cannot_be_attached(tmp_path: Path) -> None:
    """A public IP in state Failed is refused until it has been written once more."""

    async def test(client: Client) -> None:
        public_ip = await free(client)
        await client.lab(
            "POST",
            "faults",
            {"kind": "operation_failed", "resource": PUBLIC_IP, "code": "InternalServerError"},
        )
        await client.put(public_ip)
        assert (await client.get(PUBLIC_IP)).state == "Failed"
        nic = attached((await client.get(OTHER_NIC)).body)
        assert await refused(client, nic) == (400, "ReferencedResourceNotProvisioned")
        await client.put(public_ip)
        assert (await client.put(nic)).status == 200

    run(tmp_path, test)
