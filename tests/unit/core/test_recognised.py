"""Routes that are recognised and moved although a name is spelt, or an address was, otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.bodies import next_hops, with_next_hops
from nvaha.core.plan import plan
from nvaha.core.survey import survey
from nvaha.model import NvaState, Snapshot
from tests.builders import group_of, nic, nic_id, snapshot_of, table

GROUP = group_of("a", "b", roles=("internal",))
OF_A, OF_B = {"ip": "10.0.1.4", "Second": "10.0.1.104"}, {"ip": "10.0.1.5", "second": "10.0.1.105"}
NICS = (nic("a", "internal", OF_A, {}), nic("b", "internal", OF_B, {}))
FORMERLY_A = {"a": NvaState(former={"10.0.1.99": ("internal", "ip")})}


def test_a_route_is_moved_however_its_name_is_spelt() -> None:
    """Azure's names are equal in any case, and may come back in another than they went."""
    moved = with_next_hops(table("table", {"ToSpokes": "10.0.1.4"}), {"tospokes": "10.0.1.5"})
    assert [each.address for each in next_hops(moved)] == ["10.0.1.5"]


@pytest.mark.parametrize(("target", "hops"), [("b", {"r": "10.0.1.105"}), ("a", {"r": "10.0.1.104"})])
def test_a_second_ip_configuration_has_its_counterpart_in_any_case(target: str, hops: dict[str, str]) -> None:
    """The second address of one NVA is replaced by the second of the other, not by its first."""
    others = OF_A if target == "b" else OF_B
    snapshot = snapshot_of(table("table", {"r": list(others.values())[1]}), *NICS)
    todo = plan(GROUP, snapshot, target, {})
    assert ([step.next_hops for step in todo.steps], todo.problems) == ([hops], ())


@pytest.mark.parametrize(("target", "hops"), [("b", {"r": "10.0.1.5"}), ("a", {"r": "10.0.1.4"})])
def test_a_route_to_an_address_that_an_nva_had_is_moved(target: str, hops: dict[str, str]) -> None:
    """It is the group's own, and wherever the group is to be, it leads nowhere."""
    snapshot = snapshot_of(table("table", {"r": "10.0.1.99"}), *NICS)
    assert [step.next_hops for step in plan(GROUP, snapshot, target, FORMERLY_A).steps] == [hops]
    assert plan(GROUP, snapshot, target, {}).steps == ()


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize(
    "past",
    [
        NvaState(former={"10.0.1.4": ("internal", "ip")}),
        NvaState(addresses={"internal": {"ip": "10.0.1.4"}}, primary={"internal": "ip"}),
    ],
)
def test_an_address_belongs_to_who_has_it_now_whoever_had_it_before(order: str, past: NvaState) -> None:
    """NVAs that were built again may have each other's addresses: what is read counts, in any order."""
    group = group_of(*order, roles=("internal",))
    snapshot = snapshot_of(table("table", {"r": "10.0.1.4"}), *NICS)
    found = survey(group, snapshot, {"b": past})
    assert found.routes == {"a": 1, "b": 0}
    assert plan(group, snapshot, "a", {"b": past}).steps == ()


def test_a_nic_that_azure_does_not_have_leaves_nothing_unknown() -> None:
    """No route leads to what is not there; of one that could not be read that cannot be told."""
    gone = nic_id("b", "internal")
    there = {each.id.casefold(): each for each in (table("table", {"r": "10.0.1.4"}), NICS[0])}
    for absent, whole in ((frozenset({gone.casefold()}), True), (frozenset[str](), False)):
        snapshot = Snapshot(there, {gone.casefold(): "could not be read"}, absent=absent)
        assert (plan(GROUP, snapshot, "a", {}).problems == ()) is whole


SPELT = st.sampled_from([" {} ", "::ffff:{}", "\t::FFFF:{}\n", "{}"])


@given(spelt=SPELT, active=st.sampled_from("ab"), target=st.sampled_from("ab"))
def test_a_next_hop_is_ours_however_its_address_is_spelt(spelt: str, active: str, target: str) -> None:
    """It is moved when it has to be; where it is right already, it stays as somebody has written it."""
    there = {"a": OF_A, "b": OF_B}
    before = table("table", {"r": spelt.format(there[active]["ip"])})
    snapshot = snapshot_of(before, *NICS)
    assert survey(GROUP, snapshot, {}).routes == {"a": 0, "b": 0, active: 1}
    todo = plan(GROUP, snapshot, target, {})
    expected = [] if target == active else [{"r": there[target]["ip"]}]
    assert ([step.next_hops for step in todo.steps], todo.problems) == (expected, ())


@pytest.mark.parametrize("hop", ["10.0.1.4x", "10.0.1", "", "010.0.1.4", "::ffff:10.0.1.99"])
def test_a_next_hop_that_is_no_address_of_ours_is_left_alone(hop: str) -> None:
    """What cannot be read as an address of an NVA is somebody else's."""
    snapshot = snapshot_of(table("table", {"r": hop}), *NICS)
    assert plan(GROUP, snapshot, "b", {}).steps == ()


def test_what_stands_beside_a_misspelt_next_hop_stays_as_it_is() -> None:
    """Only the address of the route that moves is written anew."""
    before = table("table", {"r": " 10.0.1.4 ", "theirs": " 10.9.9.9 "})
    (step,) = plan(GROUP, snapshot_of(before, *NICS), "b", {}).steps
    expected = table("table", {"r": "10.0.1.5", "theirs": " 10.9.9.9 "})
    assert step.edit(before).body == expected.body
