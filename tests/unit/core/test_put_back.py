"""What of the public IPs that were taken off an NVA goes back to it."""

from __future__ import annotations

from nvaha.core.plan import plan_back
from nvaha.model import PublicIp
from tests.builders import address, group_of, nic, nic_id, pip, pip_id, snapshot_of


def test_only_a_public_ip_that_hangs_on_nothing_goes_back() -> None:
    """The one that has arrived at the other NVA stays there."""
    arrived, lost = PublicIp("external", pip_id("p")), PublicIp("internal", pip_id("q"))
    group = group_of("a", "b", tables=(), public_ips=(arrived, lost))
    nics = [
        nic(
            nva,
            role,
            {"ip": address(nva, role)},
            {"ip": arrived.id} if (nva, role) == ("b", "external") else {},
        )
        for nva in group.names
        for role in ("external", "internal")
    ]
    snapshot = snapshot_of(*nics, pip("p", f"{nic_id('b', 'external')}/ipConfigurations/ip"), pip("q"))
    back = plan_back(group, snapshot, group.nva("a"), [arrived, lost])
    assert [(step.resource_id, step.public_ips) for step in back.steps] == [
        (nic_id("a", "internal"), {"ip": lost.id})
    ]
