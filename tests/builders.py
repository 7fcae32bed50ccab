"""Groups, states and ARM bodies for the tests of the pure core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nvaha.model import (
    Drift,
    Group,
    GroupState,
    Guards,
    Health,
    Nva,
    NvaState,
    Phase,
    Policy,
    ProbeSpec,
    PublicIp,
    Reading,
    Resource,
    Snapshot,
    Switch,
    SwitchRequest,
    Trigger,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = "stnvaha"
NETWORK = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network"
OK = Reading(ok=True, latency_ms=1.0)
BAD = Reading(ok=False, latency_ms=0.0, error="timed out")
SPEC = ProbeSpec(address="127.0.0.1", fall=3, rise=2)


def later(seconds: float) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(seconds=seconds)


def nic_id(nva: str, role: str) -> str:
    """Return the id of an NVA's NIC."""
    return f"{NETWORK}/networkInterfaces/{nva}-{role}"


def table_id(name: str) -> str:
    """Return the id of a route table."""
    return f"{NETWORK}/routeTables/{name}"


def pip_id(name: str) -> str:
    """Return the id of a public IP."""
    return f"{NETWORK}/publicIPAddresses/{name}"


def group_of(
    *names: str,
    roles: tuple[str, ...] = ("external", "internal"),
    tables: tuple[str, ...] = ("table",),
    public_ips: tuple[PublicIp, ...] = (),
    spec: ProbeSpec = SPEC,
    **policy: Any,
) -> Group:
    """Return a group of NVAs with these names."""
    nvas = tuple(
        Nva(name, {role: nic_id(name, role) for role in roles}, spec) for name in names or ("a", "b")
    )
    return Group("g", nvas, tuple(table_id(each) for each in tables), public_ips, Policy(**policy))


def address(nva: str, role: str) -> str:
    """Return the private address of an NVA with a name of one letter."""
    return f"10.0.{('external', 'internal').index(role)}.{ord(nva)}"


def probed_apart(group: Group) -> Group:
    """Return the group with each NVA probed at its own internal address."""
    nvas = [
        replace(nva, probe=replace(nva.probe, address=address(nva.name, "internal"))) for nva in group.nvas
    ]
    return replace(group, nvas=tuple(nvas))


def azure_of(group: Group, active: str) -> tuple[Resource, ...]:
    """Return a group's resources with every route and public IP on one NVA."""
    tables = [
        table(each.rpartition("/")[2], {"r": address(active, "internal")}) for each in group.route_tables
    ]
    carried = {(active, each.role): each.id for each in group.public_ips}
    nics = [
        nic(
            nva.name,
            role,
            {"ip": address(nva.name, role)},
            {"ip": carried[nva.name, role]} if (nva.name, role) in carried else {},
        )
        for nva in group.nvas
        for role in nva.interfaces
    ]
    return (*tables, *nics, *(pip(each.id.rpartition("/")[2]) for each in group.public_ips))


def up(**more: Any) -> NvaState:
    """Return an NVA that is up."""
    return NvaState(**{"health": Health.UP, "successes": 2, "since": NOON, **more})


def down(**more: Any) -> NvaState:
    """Return an NVA that is down on confirmed failures."""
    found = {"health": Health.DOWN, "failures": 3, "confirmed": 3, "since": NOON, "last_error": "timed out"}
    return NvaState(**{**found, **more})


def steady(active: str | None = "a", **more: Any) -> GroupState:
    """Return a group at rest whose NVAs are up unless said otherwise; guards and drift by their fields."""
    nvas = {"a": up(), "b": up(), **more.pop("nvas", {})}
    found: dict[str, Any] = {"phase": Phase.STEADY, "active": active, "epoch": 1, "probed_at": NOON}
    parts = {"guards": Guards(**_taken(Guards, more)), "drift": Drift(**_taken(Drift, more))}
    return GroupState("g", nvas=nvas, **{**found, **parts, **more})


def _taken(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Take what belongs to a part of the state out of a test's keywords."""
    names = [each.name for each in fields(kind)]
    return {name: values.pop(name) for name in names if name in values}


def request_to(target: str, trigger: Trigger = Trigger.FAILOVER, **more: Any) -> SwitchRequest:
    """Return the first switch of a group."""
    found: dict[str, Any] = {"generation": 1, "epoch": 1, "requested_at": NOON, "requested_by": "nvaha"}
    values: dict[str, Any] = {**found, **more}
    return SwitchRequest(
        operation="g-1-0", group="g", trigger=trigger, target=target, reason="why", source="a", **values
    )


def switching(target: str = "b", trigger: Trigger = Trigger.FAILOVER, **more: Any) -> GroupState:
    """Return a group that is being switched, by a worker that has shown itself unless said otherwise."""
    request = more.pop("request", request_to(target, trigger))
    waits: dict[str, Any] = {"progress_at": NOON, **_taken(Switch, more)}
    switch = Switch(**{"request": request, **waits})
    return steady(**{"generation": 1, "phase": Phase.SWITCHING, "switch": switch, **more})


def switch_of(state: GroupState) -> Switch:
    """Return the switch that a state must have."""
    assert state.switch is not None
    return state.switch


def nic(nva: str, role: str, addresses: Mapping[str, str], carried: Mapping[str, str]) -> Resource:
    """Return a NIC; the first of its IP configurations is the primary one."""
    configurations = []
    for index, (name, address) in enumerate(addresses.items()):
        properties: dict[str, Any] = {
            "privateIPAddress": address,
            "primary": index == 0,
            "unheardOf": {"kept": index},
        }
        if name in carried:
            properties["publicIPAddress"] = {"id": carried[name]}
        configurations.append({"name": name, "properties": properties})
    body = {
        "id": nic_id(nva, role),
        "name": f"{nva}-{role}",
        "tags": {"owner": "somebody"},
        "properties": {"enableIPForwarding": True, "ipConfigurations": configurations, "future": [1]},
    }
    return Resource(nic_id(nva, role), 'W/"1"', body)


def table(name: str, hops: Mapping[str, str]) -> Resource:
    """Return a route table with these next hops and a route of another kind."""
    routes = [
        {
            "name": route,
            "properties": {
                "addressPrefix": "10.0.0.0/8",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": hop,
                "unheardOf": True,
            },
        }
        for route, hop in hops.items()
    ]
    internet = {"name": "internet", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}}
    body = {
        "id": table_id(name),
        "name": name,
        "tags": {"owner": "somebody"},
        "properties": {"routes": [internet, *routes], "disableBgpRoutePropagation": True},
    }
    return Resource(table_id(name), 'W/"1"', body)


def pip(name: str, holder: str | None = None, *, gateway: bool = False) -> Resource:
    """Return a public IP and whatever holds it."""
    properties: dict[str, Any] = {"ipAddress": "198.51.100.1"}
    if holder is not None:
        properties["natGateway" if gateway else "ipConfiguration"] = {"id": holder}
    return Resource(pip_id(name), 'W/"1"', {"id": pip_id(name), "name": name, "properties": properties})


def snapshot_of(*resources: Resource, missing: Mapping[str, str] | None = None) -> Snapshot:
    """Return a snapshot of these resources."""
    gone = {key.casefold(): why for key, why in (missing or {}).items()}
    return Snapshot({each.id.casefold(): each for each in resources}, gone)
