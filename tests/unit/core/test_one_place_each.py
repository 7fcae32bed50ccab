"""An IP configuration carries one public IP: two that are meant for the same one move neither."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.bodies import ip_configurations
from nvaha.core.plan import Plan, Step, plan, plan_back
from nvaha.core.survey import survey
from nvaha.model import Group, PublicIp, Resource, Snapshot
from tests.builders import address, group_of, nic, nic_id, pip, pip_id, snapshot_of
from tests.unit.core.scenes import apply, crowded_scenes, in_use, write

PRIMARY, NAMED = PublicIp("internal", pip_id("p")), PublicIp("internal", pip_id("q"), "IP")


def puts(todo: Plan) -> Counter[tuple[str, str]]:
    """Return how many public IPs a plan puts on each IP configuration."""
    return Counter(
        (step.resource_id.casefold(), name.casefold())
        for step in todo.steps
        for name, public_ip in step.public_ips.items()
        if public_ip is not None
    )


def lost(snapshot: Snapshot, todo: Plan, seed: int) -> set[str]:
    """Return the public IPs that hang on nothing once a plan was carried out, and did not before."""
    return set(in_use(snapshot)) - set(in_use(apply(snapshot, todo, random.Random(seed))))


@given(crowded_scenes(), st.integers(0, 1000))
def test_no_plan_puts_two_public_ips_on_one_ip_configuration(
    scene: tuple[Group, Snapshot, str], seed: int
) -> None:
    """Nor does it push one off that it does not move; once carried out, nothing is left to write."""
    group, snapshot, target = scene
    todo = plan(group, snapshot, target, {})
    assert max(puts(todo).values(), default=0) <= 1
    assert lost(snapshot, todo, seed) == set()
    after = apply(snapshot, todo, random.Random(seed))
    assert plan(group, after, target, {}).steps == ()


@given(crowded_scenes())
def test_every_public_ip_is_moved_or_named_in_a_problem(scene: tuple[Group, Snapshot, str]) -> None:
    """Whoever reads the problems knows what a switch would leave behind, and readiness says the same."""
    group, snapshot, target = scene
    todo = plan(group, snapshot, target, {})
    after = in_use(apply(snapshot, todo, random.Random(0)))
    here = {nic.casefold() for nic in group.nva(target).interfaces.values()}
    said = " ".join(todo.problems)
    for each in group.public_ips:
        there = after.get(each.id.casefold(), ("", ""))[0] in here
        assert there or each.id.rpartition("/")[2] in said
    assert set(todo.problems) <= set(survey(group, snapshot, {}).unready[target])


@given(crowded_scenes(), st.data())
def test_what_goes_back_pushes_nothing_off(scene: tuple[Group, Snapshot, str], data: st.DataObject) -> None:
    """Neither what is there nor what goes back with it."""
    group, snapshot, source = scene
    taken = data.draw(st.lists(st.sampled_from(group.public_ips), unique=True))
    todo = plan_back(group, snapshot, group.nva(source), taken)
    assert max(puts(todo).values(), default=0) <= 1
    assert lost(snapshot, todo, 0) == set()


def crowded(active: str = "a") -> tuple[Group, Snapshot]:
    """Return two public IPs, one for the primary IP configuration and one for the same by its name."""
    group = group_of(roles=("internal",), tables=(), public_ips=(PRIMARY, NAMED))
    nics: list[Resource] = [
        nic(nva, "internal", {"ip": address(nva, "internal")}, {"ip": PRIMARY.id} if nva == active else {})
        for nva in group.names
    ]
    return group, snapshot_of(*nics, pip("p", f"{nic_id(active, 'internal')}/ipConfigurations/ip"), pip("q"))


@pytest.mark.parametrize("target", ["a", "b"])
def test_a_role_and_the_name_of_its_primary_configuration_are_one_place(target: str) -> None:
    """Both stay where they are, whichever NVA is the target, and every look says so ahead."""
    group, snapshot = crowded()
    todo = plan(group, snapshot, target, {})
    assert (todo.steps, len(todo.problems)) == ((), 1)
    assert all(word in todo.problems[0] for word in ("p and q", f"ip of NIC {target}-internal"))
    assert todo.problems[0] in survey(group, snapshot, {}).unready[target]


def test_the_place_of_one_that_stays_is_not_taken() -> None:
    """The one that has no place to go to stays, and so does the one that was to take its place."""
    stays = PublicIp("internal", pip_id("q"), "third")
    group = group_of(roles=("internal",), tables=(), public_ips=(PRIMARY, stays))
    nics = [
        nic("a", "internal", {"ip": address("a", "internal")}, {"ip": PRIMARY.id}),
        nic("b", "internal", {"ip": address("b", "internal")}, {"ip": stays.id}),
    ]
    todo = plan(group, snapshot_of(*nics, pip("p"), pip("q")), "b", {})
    assert todo.steps == ()
    assert [each.split(":")[0] for each in todo.problems] == ["public IP q", "public IP p"]


def test_a_chain_of_places_moves_as_one_or_stays_as_one() -> None:
    """Of three in a row, each in the next one's place, none moves if the first cannot."""
    names = ("one", "two", "three")
    wishes = tuple(
        PublicIp("internal", pip_id(f"p{number}"), name)
        for number, name in enumerate(("two", "three", "four"))
    )
    addresses = {name: f"10.0.1.{number}" for number, name in enumerate(names)}
    carried = {name: each.id for name, each in zip(names, wishes, strict=True)}
    group = group_of(roles=("internal",), tables=(), public_ips=wishes)
    pips = [pip(each.id.rpartition("/")[2]) for each in wishes]
    stuck = snapshot_of(nic("a", "internal", addresses, carried), *pips, nic("b", "internal", {}, {}))
    todo = plan(group, stuck, "a", {})
    assert (todo.steps, len(todo.problems)) == ((), 3)
    free = snapshot_of(
        nic("a", "internal", {**addresses, "four": "10.0.1.9"}, carried), *pips, nic("b", "internal", {}, {})
    )
    after = free
    for step in steps_in_order(plan(group, free, "a", {})):
        after = write(after, step)
    (there,) = [each for each in after.resources.values() if each.id == nic_id("a", "internal")]
    carries = {each.name: each.public_ip for each in ip_configurations(there)}
    assert carries == {"one": None, **{str(each.ip_configuration): each.id for each in wishes}}


def steps_in_order(todo: Plan) -> list[Step]:
    """Return a plan's steps, detaches first."""
    return sorted(todo.steps, key=lambda step: step.kind, reverse=True)
