"""Reading and editing ARM bodies."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.bodies import (
    UnreadableBodyError,
    canonical,
    carries,
    holder_of,
    ip_configurations,
    is_part_of,
    next_hops,
    with_next_hops,
    with_public_ips,
)
from nvaha.model import Resource
from tests.builders import nic, nic_id, pip, pip_id, table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NIC = nic("a", "external", {"one": "10.0.0.4", "two": "10.0.0.5"}, {"one": pip_id("p")})


def edited(resource: Resource, **properties: Any) -> Resource:
    """Return a resource with other properties."""
    body = copy.deepcopy(dict(resource.body))
    body["properties"].update(properties)
    return Resource(resource.id, resource.etag, body)


@given(
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)
def test_moving_routes_changes_nothing_else(top: dict[str, Any], inside: dict[str, Any]) -> None:
    """Of a route table only the named next hops change, whatever else is in it."""
    before = table("t", {"one": "10.0.0.4", "two": "10.0.0.5", "three": "10.0.0.6"})
    body = {**top, **copy.deepcopy(dict(before.body))}
    body["properties"] = {**inside, **body["properties"]}
    body["properties"]["routes"][1]["properties"] = {
        **inside,
        **body["properties"]["routes"][1]["properties"],
    }
    expected = copy.deepcopy(body)
    expected["properties"]["routes"][1]["properties"]["nextHopIpAddress"] = "10.0.0.9"
    untouched = copy.deepcopy(body)
    after = with_next_hops(Resource(before.id, before.etag, body), {"one": "10.0.0.9"})
    assert after == Resource(before.id, before.etag, expected)
    assert body == untouched


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_moving_a_public_ip_changes_nothing_else(inside: dict[str, Any]) -> None:
    """Of a NIC only the named references change; one that is taken away leaves no key behind."""
    body = copy.deepcopy(dict(NIC.body))
    for each in body["properties"]["ipConfigurations"]:
        each["properties"] = {**inside, **each["properties"]}
    expected = copy.deepcopy(body)
    one, two = (each["properties"] for each in expected["properties"]["ipConfigurations"])
    one.pop("publicIPAddress")
    two["publicIPAddress"] = {"id": pip_id("q")}
    after = with_public_ips(Resource(NIC.id, NIC.etag, body), {"one": None, "two": pip_id("q")})
    assert after == Resource(NIC.id, NIC.etag, expected)


def test_only_routes_to_appliances_have_next_hops() -> None:
    """Routes of other types are not looked at, in whatever case their type is written."""
    found = next_hops(edited(table("t", {"one": "10.0.0.4"})))
    assert [(hop.route, hop.address) for hop in found] == [("one", "10.0.0.4")]
    routes = copy.deepcopy(table("t", {"one": "10.0.0.4"}).body["properties"]["routes"])
    routes[1]["properties"]["nextHopType"] = "virtualAppliance"
    assert len(next_hops(edited(table("t", {}), routes=routes))) == 1


def test_an_empty_table_has_no_next_hops() -> None:
    """A table without the property is a table without routes."""
    body = {"id": "x", "properties": {}}
    assert next_hops(Resource("x", "e", body)) == ()


SPELLINGS: dict[str, Callable[[ipaddress.IPv4Address], str]] = {
    "as it is": str,
    "white space around it": lambda address: f" \t{address}\u00a0\n",
    "mapped into IPv6": lambda address: f"::ffff:{address}",
    "mapped, in hexadecimal": lambda address: f"::FFFF:{int(address) >> 16:X}:{int(address) & 0xFFFF:x}",
    "mapped, written out": lambda address: f" 0:0:0:0:0:ffff:{address} ",
    "zeros before small numbers": lambda address: ".".join(
        f"00{each}" if each < 8 else str(each) for each in address.packed
    ),
}


@given(st.ip_addresses(v=4), st.sampled_from(sorted(SPELLINGS)))
def test_an_ipv4_address_is_itself_however_it_is_spelt(address: ipaddress.IPv4Address, spelling: str) -> None:
    """Azure keeps a next hop as it was written; whose it is does not hang on that."""
    assert canonical(SPELLINGS[spelling](address)) == str(address)


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_is_itself_however_it_is_spelt(address: ipaddress.IPv6Address) -> None:
    """Upper or lower case, short or written out."""
    assert canonical(f" {address.exploded.upper()}") == canonical(str(address))


@given(st.text(max_size=20) | st.from_regex(r"\A[0-9:. ]{1,20}\Z"))
def test_the_canonical_form_of_anything_is_its_own(text: str) -> None:
    """And what is no address stays as it is, white space and all."""
    found = canonical(text)
    assert canonical(found) == found
    try:
        ipaddress.ip_address(found)
    except ValueError:
        assert found == text


@pytest.mark.parametrize("text", ["not an address", " ", "", "010.0.0.4", "10.0.0.08", "10.0.0.4 10.0.0.5"])
def test_what_is_no_address_or_may_be_two_stays_as_it_is(text: str) -> None:
    """010.0.0.4 is 8.0.0.4 to some and 10.0.0.4 to others: whose it is nobody can tell."""
    assert canonical(text) == text


def test_ip_configurations_tell_who_is_primary() -> None:
    """The flagged one is primary; where ARM leaves the flag out, the first one is."""
    assert [each.primary for each in ip_configurations(NIC)] == [True, False]
    children = copy.deepcopy(NIC.body["properties"]["ipConfigurations"])
    for child in children:
        del child["properties"]["primary"]
    assert [each.primary for each in ip_configurations(edited(NIC, ipConfigurations=children))] == [
        True,
        False,
    ]
    children[1]["properties"]["primary"] = True
    assert [each.primary for each in ip_configurations(edited(NIC, ipConfigurations=children))] == [
        False,
        True,
    ]


def test_a_private_address_may_carry_its_prefix_length() -> None:
    """A prefix length behind a private address is not part of it."""
    children = copy.deepcopy(NIC.body["properties"]["ipConfigurations"])
    children[0]["properties"]["privateIPAddress"] = "FD00::4/128"
    assert ip_configurations(edited(NIC, ipConfigurations=children))[0].private_ip == "fd00::4"


@pytest.mark.parametrize(
    "properties",
    [
        {"ipConfigurations": "none"},
        {"ipConfigurations": ["one"]},
        {"ipConfigurations": [{"name": "one"}]},
        {"ipConfigurations": [{"name": "", "properties": {}}]},
        {"ipConfigurations": [{"name": "one", "properties": {"publicIPAddress": "p"}}]},
        {"ipConfigurations": [{"name": "one", "properties": {"publicIPAddress": {"id": 1}}}]},
    ],
)
def test_an_undocumented_shape_is_refused(properties: dict[str, Any]) -> None:
    """A body that is not what Azure documents is never planned with."""
    with pytest.raises(UnreadableBodyError, match="networkInterfaces"):
        ip_configurations(edited(NIC, **properties))


def test_a_public_ip_says_who_holds_it() -> None:
    """An IP configuration or a NAT gateway holds a public IP, or nobody does."""
    holder = f"{nic_id('a', 'external')}/ipConfigurations/one"
    assert holder_of(pip("p", holder)) == holder
    assert holder_of(pip("p", "/gateway", gateway=True)) == "/gateway"
    assert holder_of(pip("p")) is None


def test_what_is_inside_a_resource_is_told_by_its_id() -> None:
    """A longer name is not inside, and case does not matter."""
    assert is_part_of("/A/nic/ipConfigurations/one", "/a/NIC")
    assert not is_part_of("/a/nic2/ipConfigurations/one", "/a/nic")
    assert not is_part_of("/a/nic", "/a/nic")


def test_a_nic_says_which_configuration_carries_a_public_ip() -> None:
    """The id is compared without regard to case."""
    assert carries(NIC, pip_id("p").upper()) == "one"
    assert carries(NIC, pip_id("q")) is None
