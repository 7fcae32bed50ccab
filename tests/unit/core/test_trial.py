"""The writes that Azure is offered to learn what it would let us do: none of them can be taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nvaha.core.trial import NEVER, offers
from nvaha.model import PublicIp, Resource
from tests.builders import azure_of, group_of, nic_id, pip_id, snapshot_of, table_id

GROUP = group_of(tables=("t1", "t2"), public_ips=(PublicIp("external", pip_id("p")),))


def offered(group: Any = GROUP, *, without: str = "") -> dict[str, Resource]:
    """Return what is offered of a group on `a`, by id."""
    there = [each for each in azure_of(group, "a") if each.id != without]
    return {each.id: each for each in offers(group, snapshot_of(*there))}


def test_each_resource_that_a_failover_may_write_is_offered() -> None:
    """Tables, and NICs that a public IP may move to; of others reading is all that is needed."""
    assert set(offered()) == {
        table_id("t1"),
        table_id("t2"),
        nic_id("a", "external"),
        nic_id("b", "external"),
    }
    assert set(offered(group_of())) == {table_id("table")}


def test_what_was_not_read_is_not_offered() -> None:
    """Nothing is known to be written back."""
    assert table_id("t1") not in offered(without=table_id("t1"))
    assert nic_id("b", "external") not in offered(without=nic_id("b", "external"))


def test_each_is_stopped_twice() -> None:
    """By an ETag that nothing has, and by a child that no service can read: a reference without an id."""
    for each in offered().values():
        assert each.etag == NEVER
        children = each.body["properties"].get("routes") or each.body["properties"]["ipConfigurations"]
        properties = children[-1]["properties"]
        assert isinstance(properties, str) or properties == {"publicIPAddress": {}}


def test_a_nic_would_carry_the_public_ips_that_a_failover_would_bring() -> None:
    """So that the right to join them is asked for; all else is as it was read."""
    nic = offered()[nic_id("b", "external")].body
    assert nic["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] == {"id": pip_id("p")}
    before = next(each for each in azure_of(GROUP, "a") if each.id == nic_id("b", "external"))
    assert "publicIPAddress" not in before.body["properties"]["ipConfigurations"][0]["properties"]
    assert nic["tags"] == before.body["tags"]
    assert nic["properties"]["future"] == before.body["properties"]["future"]


def test_no_public_ip_hides_another_of_another_role() -> None:
    """Each NIC would carry those of its own role alone, so the right to join each is asked for."""
    public_ips = (PublicIp("external", pip_id("p")), PublicIp("internal", pip_id("q")))
    there = offered(replace(GROUP, public_ips=public_ips))
    for public_ip in public_ips:
        configurations = there[nic_id("b", public_ip.role)].body["properties"]["ipConfigurations"][:-1]
        joined = [each["properties"].get("publicIPAddress") for each in configurations]
        assert joined == [{"id": public_ip.id}]


def test_a_table_is_offered_as_it_was_read() -> None:
    """With all of its routes, so that the service is asked for nothing new but what it cannot read."""
    before = next(each for each in azure_of(GROUP, "a") if each.id == table_id("t1"))
    after = offered()[table_id("t1")]
    assert after.body["properties"]["routes"][:-1] == before.body["properties"]["routes"]
    assert replace(after, body={}, etag="") == replace(before, body={}, etag="")


def test_a_public_ip_that_no_ip_configuration_can_carry_is_left_out() -> None:
    """The NIC is offered all the same: it may have to be detached from."""
    group = replace(GROUP, public_ips=(PublicIp("external", pip_id("p"), "other"),))
    properties = offered(group)[nic_id("b", "external")].body["properties"]
    assert "publicIPAddress" not in properties["ipConfigurations"][0]["properties"]
