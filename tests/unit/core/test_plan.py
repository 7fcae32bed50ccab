"""Plans from snapshots, applied to an Azure that refuses what the real one refuses."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.bodies import ip_configurations, next_hops
from nvaha.core.plan import Plan, Step, plan
from nvaha.core.survey import survey
from nvaha.model import Group, NvaState, PublicIp, Resource, Snapshot
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
        ready = [step for step in left if all(key in ended for key in step.after if key in _keys(todo))]
        assert ready, "the steps wait for each other"
        step = rng.choice(ready)
        snapshot = write(snapshot, step)
        left.remove(step)
        ended.add(step.key)
    return snapshot


def _keys(todo: Plan) -> set[str]:
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


@given(scenes(), st.integers(0, 1000))
def test_a_plan_brings_everything_to_its_target(scene: tuple[Group, Snapshot, str], seed: int) -> None:
    """Its steps applied in any allowed order, nothing is left to do, and the survey says so."""
    group, snapshot, target = scene
    todo = plan(group, snapshot, target, {})
    assert todo.problems == ()
    after = apply(snapshot, todo, random.Random(seed))
    assert plan(group, after, target, {}) == Plan(target)
    found = survey(group, after, {})
    assert found.off[target] == ()
    assert found.public_ips[target] == len(group.public_ips)
    assert sum(found.routes.values()) == found.routes[target]


@given(scenes(), st.integers(0, 1000))
def test_a_plan_changes_only_what_it_owns(scene: tuple[Group, Snapshot, str], seed: int) -> None:
    """Foreign next hops and every other property are the same before and after."""
    group, snapshot, target = scene
    after = apply(snapshot, plan(group, snapshot, target, {}), random.Random(seed))
    assert unowned(after) == unowned(snapshot)


@given(scenes(), st.integers(0, 1000))
def test_a_plan_that_died_anywhere_is_resumed(scene: tuple[Group, Snapshot, str], seed: int) -> None:
    """After any number of its steps a new plan, for any target, still brings everything there."""
    group, snapshot, target = scene
    rng = random.Random(seed)
    todo, ended = plan(group, snapshot, target, {}), set[str]()
    for _ in range(rng.randint(0, len(todo.steps))):
        ready = [s for s in todo.steps if s.key not in ended and set(s.after) & _keys(todo) <= ended]
        step = rng.choice(ready)
        snapshot = write(snapshot, step)
        ended.add(step.key)
    other = rng.choice(group.names)
    after = apply(snapshot, plan(group, snapshot, other, {}), rng)
    assert plan(group, after, other, {}) == Plan(other)


@given(scenes())
def test_a_plan_writes_no_nic_more_often_than_it_must(scene: tuple[Group, Snapshot, str]) -> None:
    """A NIC is written once, and twice only if it has to lose something before it can gain something else."""
    group, snapshot, target = scene
    steps = [step for step in plan(group, snapshot, target, {}).steps if step.kind != "routes"]
    for nic_key in {step.resource_id.casefold() for step in steps}:
        mine = [step for step in steps if step.resource_id.casefold() == nic_key]
        assert len(mine) <= 2
        if len(mine) == 2:
            assert [step.kind for step in mine] == ["detach", "attach"]
            assert mine[1].after


@given(scenes())
def test_whoever_is_active_needs_no_plan_once_everything_is_there(scene: tuple[Group, Snapshot, str]) -> None:
    """The owner that a survey names is one that something points at."""
    group, snapshot, _ = scene
    found = survey(group, snapshot, {})
    owner = found.owner()
    if owner is None:
        assert not any(found.routes.values())
        assert not any(found.public_ips.values())
    else:
        most = (found.routes[owner], found.public_ips[owner])
        assert most == max((found.routes[name], found.public_ips[name]) for name in group.names)


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


def test_next_hops_move_to_their_counterparts() -> None:
    """Primary goes to primary whatever it is called, a secondary to the one of the same name, IPv6 too."""
    hops = {
        "first": address("a", "internal"),
        "second": address("a", "internal", second=True),
        "six": "FD00:1:0:0::4",
        "foreign": FOREIGN,
    }
    group, snapshot = scene_of(hops, {})
    assert moved(group, snapshot, "b") == {
        "first": address("b", "internal"),
        "second": address("b", "internal", second=True),
        "six": address("b", "internal", v6=True),
        "foreign": FOREIGN,
    }


def test_routes_to_an_nva_whose_nic_is_gone_are_recognised_by_memory() -> None:
    """The remembered addresses stand in for a NIC that could not be read."""
    group, snapshot = scene_of({"one": address("a", "internal")}, {})
    resources = {key: each for key, each in snapshot.resources.items() if "a-internal" not in key}
    gone = Snapshot(resources, {nic_id("a", "internal").casefold(): "could not be read: 404"})
    assert plan(group, gone, "b", {}).steps == ()
    memory = NvaState(addresses={"internal": {"x": address("a", "internal")}}, primary={"internal": "x"})
    steps = plan(group, gone, "b", {"a": memory}).steps
    assert [step.next_hops for step in steps] == [{"one": address("b", "internal")}]


def test_a_target_without_a_counterpart_is_a_problem() -> None:
    """A route whose next hop has no match on the target stays, and the plan says so."""
    group, snapshot = scene_of({"one": address("a", "internal")}, {})
    resources = {key: each for key, each in snapshot.resources.items() if "b-internal" not in key}
    todo = plan(group, Snapshot(resources, {}), "b", {})
    assert todo.steps == ()
    assert any("one (10.0.0.0/8) stays" in each for each in todo.problems)


@pytest.mark.parametrize("gateway", [False, True])
def test_a_public_ip_that_somebody_else_holds_is_left_alone(gateway: bool) -> None:
    """A NIC outside the group or a NAT gateway keeps it, and the plan says so."""
    wish = PublicIp("internal", pip_id("p"))
    holder = pip("p", f"{NETWORK_OF_OTHERS}/ipConfigurations/x", gateway=gateway)
    group, snapshot = scene_of({}, {}, holder, public_ips=(wish,))
    todo = plan(group, snapshot, "b", {})
    assert todo.steps == ()
    assert len(todo.problems) == 1


NETWORK_OF_OTHERS = nic_id("somebody", "else")


def test_a_configuration_that_carries_a_strange_public_ip_is_left_alone() -> None:
    """What is not this group's is never taken off to make room."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of({}, {"b": pip_id("strange"), "a": pip_id("p")}, pip("p"), public_ips=(wish,))
    todo = plan(group, snapshot, "b", {})
    assert todo.steps == ()
    assert len(todo.problems) == 1


def test_two_nics_that_swap_their_public_ips_lose_both_first() -> None:
    """Attaching waits for the detach of the NIC that still carries the public IP."""
    wishes = (PublicIp("external", pip_id("p0")), PublicIp("internal", pip_id("p1")))
    group = group_of(public_ips=wishes)
    nics = [
        nic(nva, role, {"x": address(nva, role)}, {"x": carried} if nva == "a" else {})
        for nva in ("a", "b")
        for role, carried in (("external", pip_id("p1")), ("internal", pip_id("p0")))
    ]
    snapshot = snapshot_of(table("table", {}), *nics, pip("p0"), pip("p1"))
    todo = plan(group, snapshot, "a", {})
    assert sorted(step.kind for step in todo.steps) == ["attach", "attach", "detach", "detach"]
    for seed in range(20):
        after = apply(snapshot, todo, random.Random(seed))
        assert plan(group, after, "a", {}) == Plan("a")


def test_many_routes_of_one_table_are_one_write() -> None:
    """However many routes change, a table is written once."""
    group, snapshot = scene_of({f"r{number}": address("a", "internal") for number in range(30)}, {})
    assert len(plan(group, snapshot, "b", {}).steps) == 1
