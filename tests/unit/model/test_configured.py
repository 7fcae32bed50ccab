"""Groups as configured: names, resources, and by what two instances tell whether they agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Configuration, ControlTarget, Group, PublicIp, same_id
from tests.builders import group_of, nic_id, pip_id, table_id

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))


def test_an_nva_is_found_by_its_name() -> None:
    """One that the group does not have is an error of the caller's."""
    assert GROUP.nva("b").name == "b"
    with pytest.raises(KeyError):
        GROUP.nva("c")


def test_every_resource_is_listed_once_however_it_is_written() -> None:
    """Azure's ids are the same in any case, and a NIC may serve two roles."""
    shared = replace(GROUP.nvas[0], interfaces={"external": nic_id("a", "x"), "internal": nic_id("A", "X")})
    group = replace(GROUP, nvas=(shared, GROUP.nvas[1]))
    nics = [nic_id("a", "x"), nic_id("b", "external"), nic_id("b", "internal")]
    expected = [table_id("table"), *nics, pip_id("p")]
    assert [each.casefold() for each in group.resource_ids] == [each.casefold() for each in expected]


@pytest.mark.parametrize(
    "other",
    [
        group_of("a", "b", "c", public_ips=GROUP.public_ips),
        replace(GROUP, route_tables=(table_id("other"),)),
        replace(GROUP, public_ips=()),
        replace(GROUP, public_ips=(PublicIp("external", pip_id("p"), "second"),)),
        replace(GROUP, nvas=(GROUP.nvas[1], GROUP.nvas[0])),
    ],
    ids=["nvas", "route_tables", "public_ips", "ip_configuration", "order"],
)
def test_whatever_a_switch_may_touch_makes_another_fingerprint(other: Group) -> None:
    """Instances with different ones must not carry each other's switches out."""
    assert other.fingerprint != GROUP.fingerprint


def test_what_a_switch_does_not_touch_makes_none() -> None:
    """Policy, probes and the case of an id may differ during an update of the configuration."""
    policy = group_of(public_ips=GROUP.public_ips, hold_down_s=1.0)
    upper = replace(GROUP, route_tables=(table_id("table").upper(),))
    probes = [replace(nva, probe=replace(nva.probe, port=1)) for nva in GROUP.nvas]
    for other in (policy, upper, replace(GROUP, nvas=tuple(probes))):
        assert other.fingerprint == GROUP.fingerprint


WHOLE = Configuration((GROUP, replace(GROUP, name="other")))
TARGET, CONTROL = ControlTarget("192.0.2.1", 443), ControlTarget("192.0.2.2", 53)


@pytest.mark.parametrize(
    ("other", "half"),
    [
        (Configuration((GROUP,)), 0),
        (Configuration((GROUP, replace(GROUP, name="third"))), 0),
        (Configuration((GROUP, replace(GROUP, name="other", public_ips=()))), 0),
        (Configuration(WHOLE.groups, (TARGET,)), 1),
        (Configuration((GROUP, replace(GROUP, name="other", policy=replace(GROUP.policy, drift="off")))), 1),
        (
            Configuration(
                (
                    replace(
                        GROUP,
                        nvas=tuple(replace(nva, probe=replace(nva.probe, fall=5)) for nva in GROUP.nvas),
                    ),
                    WHOLE.groups[1],
                )
            ),
            1,
        ),
    ],
    ids=["fewer", "renamed", "public_ips", "control_targets", "policy", "probe"],
)
def test_whatever_would_be_decided_otherwise_makes_another_fingerprint_of_the_whole(
    other: Configuration, half: int
) -> None:
    """Of its two halves, what a switch may touch and what is decided by, that one differs."""
    mine, theirs = WHOLE.fingerprint.split("-"), other.fingerprint.split("-")
    assert mine[half] != theirs[half]
    if half == 1:
        assert mine[0] == theirs[0]


def test_neither_order_of_groups_nor_a_default_written_out_makes_another() -> None:
    """A release that knows a setting more agrees with one that does not, as long as nobody sets it."""
    again = Configuration((replace(GROUP, name="other", policy=replace(GROUP.policy, drift="repair")), GROUP))
    assert again.fingerprint == WHOLE.fingerprint
    assert Configuration(WHOLE.groups, (TARGET, CONTROL)).fingerprint == (
        Configuration(WHOLE.groups, (CONTROL, TARGET)).fingerprint
    )


def test_ids_are_the_same_in_any_case() -> None:
    """Azure gives the same resource in different spellings."""
    assert same_id("/a/B", "/A/b")
    assert not same_id("/a/b", "/a/c")
