"""What a look at Azure says of a group: who is pointed at, and what a switch would run into."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.core.survey import survey
from nvaha.model import PublicIp, Snapshot
from tests.builders import nic_id, pip, pip_id, table, table_id
from tests.unit.core.scenes import FOREIGN, address, failed, scene_of

WISH = PublicIp("internal", pip_id("p"))


def test_a_survey_counts_what_points_at_each_nva() -> None:
    """Routes by whose address they name, public IPs by who carries them; strangers' routes count for none."""
    wish = PublicIp("internal", pip_id("p"))
    hops = {"one": address("a", "internal"), "two": address("b", "internal", second=True), "x": FOREIGN}
    group, snapshot = scene_of(hops, {"b": pip_id("p")}, pip("p"), public_ips=(wish,))
    found = survey(group, snapshot, {})
    assert (found.routes, found.public_ips) == ({"a": 1, "b": 1}, {"a": 0, "b": 1})
    assert found.owner() == "b"
    assert (len(found.off["a"]), len(found.off["b"])) == (2, 1)
    assert found.addresses["a"]["internal"]["second"] == address("a", "internal", second=True)
    assert found.primary["a"] == {"internal": "first-a"}


def test_a_survey_without_its_table_counts_what_is_left() -> None:
    """What was not read points at nobody, and is a problem from everybody's point of view."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of({}, {"a": pip_id("p")}, pip("p"), public_ips=(wish,))
    resources = {key: each for key, each in snapshot.resources.items() if "/routetables/" not in key}
    found = survey(group, Snapshot(resources), {})
    assert (found.routes, found.owner()) == ({"a": 0, "b": 0}, "a")
    assert len(found.problems["a"]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body["properties"].update(enableIPForwarding=False), "IP forwarding is off"),
        (lambda body: body["properties"].update(provisioningState="Failed"), "is in state Failed"),
        (
            lambda body: body["properties"]["ipConfigurations"][0]["properties"].update(
                privateIPAllocationMethod="Dynamic"
            ),
            "dynamic private address",
        ),
    ],
    ids=["forwarding", "failed", "dynamic"],
)
def test_what_would_keep_traffic_from_a_standby_is_said_ahead(change: Any, said: str) -> None:
    """A NIC of `b` that would not work is found while `a` still carries everything."""
    group, snapshot = scene_of({"one": address("a", "internal")}, {}, public_ips=())
    change(snapshot.resources[nic_id("b", "internal").casefold()].body)
    found = survey(group, snapshot, {})
    assert found.unready["a"] == ()
    (sentence,) = found.unready["b"]
    assert said in sentence


def test_what_no_route_leads_to_need_not_forward() -> None:
    """An interface that only carries a public IP gets nothing that is not for it."""
    group, snapshot = scene_of({"one": FOREIGN}, {"a": pip_id("p")}, pip("p"), public_ips=(WISH,))
    snapshot.resources[nic_id("b", "internal").casefold()].body["properties"]["enableIPForwarding"] = False
    assert not any("forwarding" in each for each in survey(group, snapshot, {}).unready["b"])


def test_what_is_wrong_whoever_is_active_is_said_of_every_nva() -> None:
    """A table without any route of the group's, and a public IP that changes its address when it moves."""
    loose = pip("p")
    loose.body["properties"]["publicIPAllocationMethod"] = "Dynamic"
    group, snapshot = scene_of({"one": FOREIGN}, {"a": pip_id("p")}, loose, public_ips=(WISH,))
    for sentences in survey(group, snapshot, {}).unready.values():
        assert any("no route that leads" in each for each in sentences)
        assert any("is dynamic" in each for each in sentences)


def test_a_nic_that_cannot_be_read_makes_its_nva_unready() -> None:
    """Nothing could be moved there."""
    group, snapshot = scene_of({"one": address("a", "internal")}, {}, public_ips=())
    key = nic_id("b", "internal").casefold()
    resources = {name: each for name, each in snapshot.resources.items() if name != key}
    for unanswered, absent in ((frozenset({key}), frozenset[str]()), (frozenset[str](), frozenset({key}))):
        found = survey(group, Snapshot(resources, {key: "could not be read: 503"}, unanswered, absent), {})
        assert any("503" in each for each in found.unready["b"])
        assert (bool(found.unanswered), found.hidden) == (bool(unanswered), ())
    hidden = survey(group, Snapshot(resources, {key: "could not be read: 403"}), {}).hidden
    assert len(hidden) == 1


def test_a_table_that_azure_failed_to_write_still_points_where_it_says() -> None:
    """What it shows counts, and to write it once more is what is off."""
    ours = failed(table("table", {"one": address("b", "internal")}))
    group, snapshot = scene_of({}, {}, ours)
    found = survey(group, snapshot, {})
    assert (found.routes["b"], len(found.off["b"])) == (1, 1)
    assert ours.id == table_id("table")


def test_what_is_off_says_where_it_is_and_where_it_should_be() -> None:
    """Who reads of drift wants to know how Azure stands, not what a switch would write."""
    wish = PublicIp("internal", pip_id("p"))
    group, snapshot = scene_of(
        {"one": address("b", "internal")}, {"b": pip_id("p")}, pip("p"), public_ips=(wish,)
    )
    found = survey(group, snapshot, {})
    route, public_ip = found.off["a"]
    here, there = f"leads to b ({address('b', 'internal')})", f"should lead to a ({address('a', 'internal')})"
    assert route.index(here) < route.index(there)
    assert public_ip.index("b-internal") < public_ip.index("should be on") < public_ip.index("a-internal")
    assert found.off["b"] == ()


def test_what_hangs_on_nothing_and_what_was_not_written_is_off_in_words() -> None:
    """A public IP on no NIC; a table, and a NIC, whose last write failed."""
    wish = PublicIp("internal", pip_id("p"))
    hops = {"one": address("a", "internal")}
    group, snapshot = scene_of(hops, {}, pip("p"), public_ips=(wish,))
    assert "is on no NIC" in survey(group, snapshot, {}).off["a"][0]
    group, snapshot = scene_of(hops, {"a": pip_id("p")}, pip("p"), public_ips=(wish,))
    for each in (table_id("table"), nic_id("a", "internal")):
        snapshot.resources[each.casefold()].body["properties"]["provisioningState"] = "Failed"
    assert [each.endswith("its last write failed") for each in survey(group, snapshot, {}).off["a"]] == [
        True
    ] * 2
