"""Scenes of Azure to plan in, and an Azure that refuses what the real one refuses."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from nvaha.core.bodies import ip_configurations, next_hops
from nvaha.core.plan import Plan, Step, plan
from nvaha.model import Group, PublicIp, Resource, Snapshot
from tests.builders import group_of, nic, nic_id, pip, pip_id, snapshot_of, table, table_id

FOREIGN = "10.99.0.1"
NAMES = ("a", "b", "c")
ROLES = ("external", "internal")


def address(nva: str, role: str, *, second: bool = False, v6: bool = False) -> str:
    """Return the private address of an IP configuration."""
    host = NAMES.index(nva) + (100 if second else 4)
    number = ROLES.index(role)
    return f"fd00:{number}::{host:x}" if v6 else f"10.0.{number}.{host}"


def in_use(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Return {public IP: (NIC, IP configuration)} as the NICs have it."""
    return {
        each.public_ip.casefold(): (key, each.name)
        for key, resource in snapshot.resources.items()
        if "/networkinterfaces/" in key
        for each in ip_configurations(resource)
        if each.public_ip is not None
    }


def write(snapshot: Snapshot, step: Step) -> Snapshot:
    """Apply one step as Azure would; AssertionError where it would answer PublicIPAddressInUse."""
    before = in_use(snapshot)
    resource = snapshot.resources[step.resource_id.casefold()]
    written = step.edit(resource)
    if step.kind != "routes":
        for each in ip_configurations(written):
            held = before.get((each.public_ip or "").casefold())
            assert held in (None, (step.resource_id.casefold(), each.name)), "public IP in use"
    resources = dict(snapshot.resources) | {step.resource_id.casefold(): written}
    after = Snapshot(resources, snapshot.missing)
    holders = {
        key: f"{resources[at].id}/ipConfigurations/{name}" for key, (at, name) in in_use(after).items()
    }
    for key in [key for key in resources if "/publicipaddresses/" in key]:
        name = key.rpartition("/")[2]
        if key in before or key in holders:
            resources[key] = pip(name, holders.get(key))
    return after


def apply(snapshot: Snapshot, todo: Plan, rng: random.Random) -> Snapshot:
    """Apply a plan's steps in any order that it allows."""
    left, ended = list(todo.steps), set[str]()
    while left:
        ready = [step for step in left if all(key in ended for key in step.after if key in keys_of(todo))]
        assert ready, "the steps wait for each other"
        step = rng.choice(ready)
        snapshot = write(snapshot, step)
        left.remove(step)
        ended.add(step.key)
    return snapshot


def keys_of(todo: Plan) -> set[str]:
    """Return the keys of a plan's steps."""
    return {step.key for step in todo.steps}


def unowned(snapshot: Snapshot) -> dict[str, Any]:
    """Return everything of a snapshot that no switch may change."""
    bodies = {key: copy.deepcopy(dict(each.body)) for key, each in snapshot.resources.items()}
    for key in [key for key in bodies if "/publicipaddresses/" in key]:
        del bodies[key]
    for body in bodies.values():
        for each in body["properties"].get("ipConfigurations", ()):
            each["properties"].pop("publicIPAddress", None)
        for route in body["properties"].get("routes", ()):
            if route["properties"].get("nextHopIpAddress") != FOREIGN:
                route["properties"].pop("nextHopIpAddress", None)
    return bodies


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Group, Snapshot, str]:
    """Draw a group, what Azure says of it, and a target: anything may be anywhere."""
    names = NAMES[: draw(st.integers(2, 3))]
    roles = ROLES[: draw(st.integers(1, 2))]
    wishes = [PublicIp(roles[0], pip_id("p0")), PublicIp(roles[-1], pip_id("p1"), "second")]
    public_ips = tuple(wishes[: draw(st.integers(0, 2))])
    group = group_of(*names, roles=roles, tables=("t0", "t1"), public_ips=public_ips)
    slots = [(nva, role, name) for nva in names for role in roles for name in (f"first-{nva}", "second")]
    places = draw(st.permutations(slots))
    carried: dict[tuple[str, str], dict[str, str]] = {}
    resources: list[Resource] = []
    for public_ip, (nva, role, name) in zip(public_ips, places, strict=False):
        where = draw(st.sampled_from(["in the group", "in the group", "free", "left over"]))
        holder = f"{nic_id(nva, role)}/ipConfigurations/{name}" if where != "free" else None
        if where == "in the group":
            carried.setdefault((nva, role), {})[name] = public_ip.id
        resources.append(pip(public_ip.id.rpartition("/")[2], holder))
    for nva in names:
        for role in roles:
            addresses = {f"first-{nva}": address(nva, role), "second": address(nva, role, second=True)}
            resources.append(nic(nva, role, addresses, carried.get((nva, role), {})))
    hops = [address(nva, role, second=second) for nva in names for role in roles for second in (False, True)]
    for name in ("t0", "t1"):
        chosen = draw(st.lists(st.sampled_from([*hops, FOREIGN]), max_size=4))
        resources.append(table(name, {f"r{number}": hop for number, hop in enumerate(chosen)}))
    return group, snapshot_of(*resources), draw(st.sampled_from(names))


@st.composite
def crowded_scenes(draw: st.DrawFn) -> tuple[Group, Snapshot, str]:
    """Draw a group whose public IPs may be meant for the same place, by role, by name, or in another case.

    Whatever carries one now; nothing of it is free to begin with, unless nobody has it.
    """
    roles = ROLES[: draw(st.integers(1, 2))]
    named = st.sampled_from([None, "second", "SECOND", "first", "First", "third"])
    wishes = [
        PublicIp(draw(st.sampled_from(roles)), pip_id(f"p{number}"), draw(named))
        for number in range(draw(st.integers(2, 4)))
    ]
    group = group_of("a", "b", roles=roles, public_ips=tuple(wishes))
    slots = [(nva, role, name) for nva in group.names for role in roles for name in ("first", "second")]
    carried: dict[tuple[str, str], dict[str, str]] = {}
    resources: list[Resource] = [table("table", {"r": address("a", roles[0])})]
    for public_ip, (nva, role, name) in zip(wishes, draw(st.permutations(slots)), strict=False):
        holder = f"{nic_id(nva, role)}/ipConfigurations/{name}" if draw(st.booleans()) else None
        if holder is not None:
            carried.setdefault((nva, role), {})[name] = public_ip.id
        resources.append(pip(public_ip.id.rpartition("/")[2], holder))
    for nva in group.names:
        for role in roles:
            # Which one is primary may differ from NVA to NVA.
            order = draw(st.permutations([("first", False), ("second", True)]))
            addresses = {name: address(nva, role, second=second) for name, second in order}
            resources.append(nic(nva, role, addresses, carried.get((nva, role), {})))
    return group, snapshot_of(*resources), draw(st.sampled_from(group.names))


def scene_of(
    hops: Mapping[str, str],
    carried: Mapping[str, str],
    *more: Resource,
    public_ips: tuple[PublicIp, ...] = (),
) -> tuple[Group, Snapshot]:
    """Return NVAs a and b with one role, one table, and public IPs as {NVA: public IP}."""
    group = group_of(roles=("internal",), public_ips=public_ips)
    nics = []
    for nva in ("a", "b"):
        addresses = {
            f"first-{nva}": address(nva, "internal"),
            "second": address(nva, "internal", second=True),
            "six": address(nva, "internal", v6=True),
        }
        mine = {f"first-{nva}": carried[nva]} if nva in carried else {}
        nics.append(nic(nva, "internal", addresses, mine))
    return group, snapshot_of(table("table", hops), *nics, *more)


def moved(group: Group, snapshot: Snapshot, target: str) -> dict[str, str]:
    """Return the table's next hops after a plan."""
    after = apply(snapshot, plan(group, snapshot, target, {}), random.Random(0))
    return {hop.route: hop.address for hop in next_hops(after.resources[table_id("table").casefold()])}


def failed(resource: Resource) -> Resource:
    """Return a resource whose last write Azure did not carry out, although it shows it."""
    body = copy.deepcopy(dict(resource.body))
    body["properties"]["provisioningState"] = "Failed"
    return Resource(resource.id, resource.etag, body)
