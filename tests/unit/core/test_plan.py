"""Plans from snapshots, applied to an Azure that refuses what the real one refuses."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.plan import Plan, plan, unsettled
from nvaha.core.survey import survey
from nvaha.model import Group, NvaState, PublicIp, Snapshot
from tests.builders import group_of, nic, nic_id, pip, pip_id, snapshot_of, table, table_id
from tests.unit.core.scenes import (
    FOREIGN,
    address,
    apply,
    failed,
    in_use,
    keys_of,
    moved,
    scene_of,
    scenes,
    unowned,
    write,
)


@given(scenes(), st.integers(0, 1000))
def test_a_plan_brings_everything_to_its_target(scene: tuple[Group, Snapshot, str], seed: int) -> None:
    """Its steps applied in any allowed order, nothing is left to do, and the survey says so."""
    group, snapshot, target = scene
    todo = plan(group, snapshot, target, {})
    assert todo.problems == ()
    assert bool(survey(group, snapshot, {}).off[target]) is bool(todo.steps)
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
        ready = [s for s in todo.steps if s.key not in ended and set(s.after) & keys_of(todo) <= ended]
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


def test_a_table_whose_last_write_failed_is_written_once_more() -> None:
    """What it shows is not what traffic follows; one without a route of ours is none of our business."""
    group, snapshot = scene_of({"one": address("b", "internal")}, {})
    spoilt = snapshot_of(
        *snapshot.resources.values(), failed(table("table", {"one": address("b", "internal")}))
    )
    (step,) = plan(group, spoilt, "b", {}).steps
    shown = spoilt.resources[table_id("table").casefold()]
    assert step.edit(shown).body == shown.body
    foreign = snapshot_of(*snapshot.resources.values(), failed(table("table", {"one": FOREIGN})))
    assert plan(group, foreign, "b", {}).steps == ()


def test_a_public_ip_that_azure_failed_to_attach_is_attached_once_more() -> None:
    """The NIC shows it although traffic may not come: it is written again as it is."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of({}, {"b": pip_id("p")}, pip("p"), public_ips=(wish,))
    nic_b = snapshot.resources[nic_id("b", "internal").casefold()]
    (step,) = plan(group, snapshot_of(*snapshot.resources.values(), failed(nic_b)), "b", {}).steps
    assert (step.kind, step.public_ips) == ("attach", {"first-b": pip_id("p")})
    assert step.edit(nic_b).body == nic_b.body


def test_a_nic_without_the_named_ip_configuration_is_a_problem() -> None:
    """A public IP whose place does not exist stays where it is, and the plan says why."""
    wish = PublicIp("internal", pip_id("p"), "third")
    group, snapshot = scene_of({}, {"a": pip_id("p")}, pip("p"), public_ips=(wish,))
    todo = plan(group, snapshot, "b", {})
    assert (todo.steps, len(todo.problems)) == ((), 1)
    assert "third" in todo.problems[0]


def test_a_public_ip_may_take_the_place_of_another_of_the_group() -> None:
    """The one that is in the way loses its place in the same write and gets its own."""
    wishes = (PublicIp("internal", pip_id("p")), PublicIp("internal", pip_id("q"), "second"))
    group, snapshot = scene_of({}, {"b": pip_id("q")}, pip("p"), pip("q"), public_ips=wishes)
    after = apply(snapshot, plan(group, snapshot, "b", {}), random.Random(0))
    carried = in_use(after)
    assert carried[pip_id("p").casefold()] == (nic_id("b", "internal").casefold(), "first-b")
    assert carried[pip_id("q").casefold()] == (nic_id("b", "internal").casefold(), "second")


def test_a_public_ip_that_cannot_be_read_is_asked_for() -> None:
    """No NIC of the group carries it: Azure refuses it if somebody else does; a gone one is a problem."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of({}, {}, public_ips=(wish,))
    todo = plan(group, snapshot, "b", {})
    assert ([step.kind for step in todo.steps], todo.problems) == (["attach"], ())
    gone = replace(snapshot, absent=frozenset({pip_id("p").casefold()}))
    todo = plan(group, gone, "b", {})
    assert (todo.steps, len(todo.problems)) == ((), 1)


def test_a_public_ip_on_a_nic_that_cannot_be_read_is_not_taken_for_free() -> None:
    """Its back reference names a NIC of the group; only that NIC's own word would show it is left over."""
    wish = PublicIp("internal", pip_id("p"))
    holder = pip("p", f"{nic_id('a', 'internal')}/ipConfigurations/first-a")
    group, snapshot = scene_of({}, {}, holder, public_ips=(wish,))
    left_over = plan(group, snapshot, "b", {})
    assert (len(left_over.steps), left_over.problems) == (1, ())
    resources = {key: each for key, each in snapshot.resources.items() if "a-internal" not in key}
    unread = Snapshot(resources, {nic_id("a", "internal").casefold(): "could not be read: 503"})
    todo = plan(group, unread, "b", {})
    assert todo.steps == ()
    assert "503" in todo.problems[0]


@pytest.mark.parametrize(
    ("changed", "late"), [("table", True), ("b-internal", True), ("a-internal", False), (None, False)]
)
def test_what_traffic_to_the_target_depends_on_is_waited_for(changed: str | None, late: bool) -> None:
    """A table or a NIC of the target that Azure still writes is not settled; the old NVA's NIC may be."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of({}, {"b": pip_id("p")}, pip("p"), public_ips=(wish,))
    for each in snapshot.resources.values():
        state = "Updating" if changed is not None and each.id.endswith(changed) else "Succeeded"
        each.body["properties"]["provisioningState"] = state
    assert bool(unsettled(group, snapshot, "b")) is late


def test_a_group_without_route_tables_needs_no_nvas_address() -> None:
    """Only routes are told by addresses: a NIC that cannot be read is no problem where there are none."""
    group = group_of(tables=(), roles=("internal",))
    assert plan(group, snapshot_of(nic("b", "internal", {"ip": "10.0.0.1"}, {})), "b", {}) == Plan("b")
