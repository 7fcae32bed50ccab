"""A switch from `a` to `b` that was asked for and nobody has begun, and what came of it."""

from __future__ import annotations

from nvaha.model import Group, Operation, PublicIp
from nvaha.model.messages import SwitchMessage
from nvaha.state.commit import Committer
from nvaha.state.lease import HeldLease
from nvaha.switch.attempt import Attempt
from tests.builders import (
    address,
    azure_of,
    group_of,
    nic_id,
    pip_id,
    switching,
    table_id,
)
from tests.fakes import Outside

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))
TABLE, OLD_NIC, NEW_NIC, PIP = (
    table_id("table"),
    nic_id("a", "external"),
    nic_id("b", "external"),
    pip_id("p"),
)
MESSAGE = SwitchMessage(v=1, group="g", generation=1, operation="g-1-0")


async def attempt(out: Outside, group: Group = GROUP) -> str:
    """Make an attempt at the switch, with its lease held."""
    lease = HeldLease(out.ports, "switch-g", "worker")
    assert await lease.acquire()
    return await Attempt(
        group, MESSAGE, out.state(), lease, out.ports, Committer(out.ports), "worker"
    ).carry_out()


def moved(out: Outside) -> tuple[bool, bool]:
    """Tell whether the route points at `b`, and whether `b` carries the public IP."""
    routes = out.network.body(TABLE)["properties"]["routes"]
    hops = [each["properties"].get("nextHopIpAddress") for each in routes]
    held = out.network.body(PIP)["properties"].get("ipConfiguration", {}).get("id", "")
    return address("b", "internal") in hops, held.startswith(NEW_NIC)


def record(out: Outside) -> Operation:
    """Return the operation's record."""
    return out.store.operations["g-1-0"]


def outside() -> Outside:
    """Return an outside in which the switch was asked for."""
    found = Outside(switching())
    found.network.put_there(*azure_of(GROUP, "a"))
    return found
