"""Routes that are recognised and moved although a name is spelt, or an address was, otherwise."""

from __future__ import annotations

import pytest

from nvaha.core.bodies import next_hops, with_next_hops
from nvaha.core.plan import plan
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


def test_a_nic_that_azure_does_not_have_leaves_nothing_unknown() -> None:
    """No route leads to what is not there; of one that could not be read that cannot be told."""
    gone = nic_id("b", "internal")
    there = {each.id.casefold(): each for each in (table("table", {"r": "10.0.1.4"}), NICS[0])}
    for absent, whole in ((frozenset({gone.casefold()}), True), (frozenset[str](), False)):
        snapshot = Snapshot(there, {gone.casefold(): "could not be read"}, absent=absent)
        assert (plan(GROUP, snapshot, "a", {}).problems == ()) is whole
