"""A first configuration as it is proposed for networks that people have."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nvaha.config import parse
from nvaha.config.proposal.members import UnclearError, Wanted, members
from nvaha.config.proposal.nvas import Item
from nvaha.config.proposal.propose import NothingFollowsError, Proposal, propose
from nvaha.config.proposal.seen import seen
from nvaha.config.proposal.text import text_of
from nvaha.model import Resource
from nvaha.text import last_part
from tests.hub import GROUP, SUBSCRIPTION, balancer, config, nic, pair, public_ip, subnet, table, vm

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
WANTED = Wanted()


def proposed(hub: Sequence[Resource], wanted: Wanted = WANTED) -> Proposal:
    """Return the proposal for a network, of which the file says the same."""
    network = seen(hub)
    proposal = propose(network, members(network, wanted), wanted)
    text = text_of(proposal, [SUBSCRIPTION], NOW)
    assert parse(text).configuration.groups == (proposal.group,), text
    return proposal


def names(ids: Sequence[str]) -> list[str]:
    """Return the names at the end of ids."""
    return [last_part(each) for each in ids]


def item(items: Sequence[Item], name: str) -> Item:
    """Return the item of that name."""
    return next(each for each in items if each.name == name)


def unclear(hub: Sequence[Resource], wanted: Wanted = WANTED) -> list[list[str]]:
    """Return the names of the VMs between which it is not clear."""
    with pytest.raises(UnclearError) as caught:
        members(seen(hub), wanted)
    return [[each.name for each in choice] for choice in caught.value.choices]


def test_a_plain_pair_is_proposed_whole() -> None:
    """Two NVAs between two subnets are external and internal, and what is on the first follows."""
    proposal = proposed(pair())
    assert proposal.group.names == ("fw1", "fw2")
    assert {role: last_part(each) for role, each in proposal.group.nvas[0].interfaces.items()} == {
        "external": "fw1-ext",
        "internal": "fw1-int",
    }
    assert names(proposal.group.route_tables) == ["udr"]
    assert [(each.role, last_part(each.id)) for each in proposal.group.public_ips] == [("external", "pip")]
    assert (proposal.active, proposal.open) == ("fw1", ())
    assert not proposal.group.policy.automatic


def test_the_second_may_be_the_active_one() -> None:
    """The NVA that routes lead to is active, wherever it stands in the order."""
    hub = [each for each in pair() if last_part(each.id) not in {"udr", "fw1-ext", "fw2-ext"}]
    hub += [
        table("udr", ["10.0.2.5"]),
        nic("fw1-ext", "fw1", "untrust", config("10.0.1.4")),
        nic("fw2-ext", "fw2", "untrust", config("10.0.1.5", "pip")),
    ]
    proposal = proposed(hub)
    assert proposal.active == "fw2"
    assert names([each.id for each in proposal.group.public_ips]) == ["pip"]


def test_as_many_routes_to_each_make_neither_active() -> None:
    """Where tables are split evenly nobody is said to be active."""
    assert proposed([*pair(), table("other", ["10.0.2.5"])]).active == "fw1"
    hub = [each for each in pair() if last_part(each.id) != "pip" and last_part(each.id) != "fw1-ext"]
    hub += [nic("fw1-ext", "fw1", "untrust", config("10.0.1.4")), table("other", ["10.0.2.5"])]
    assert proposed(hub).active is None


def test_the_probe_is_on_the_routed_nic_and_its_port_is_told_as_unknown() -> None:
    """Nobody is led to believe that Azure knows the port; one that was said stands there."""
    assert proposed(pair()).port_known is False
    known = proposed(pair(), Wanted(port=443))
    assert known.port_known
    assert {(each.probe.interface, each.probe.port) for each in known.group.nvas} == {("internal", 443)}


def test_public_ips_on_both_are_their_own_until_somebody_says_otherwise() -> None:
    """A management public IP of each NVA stays where it is."""
    hub = [
        *pair(),
        nic("fw1-mgmt", "fw1", "mgmt", config("10.0.3.4", "pip-mgmt1"), forwards=False),
        nic("fw2-mgmt", "fw2", "mgmt", config("10.0.3.5", "pip-mgmt2"), forwards=False),
        public_ip("pip-mgmt1"),
        public_ip("pip-mgmt2"),
    ]
    proposal = proposed(hub)
    assert [each.name for each in proposal.open] == ["pip-mgmt1", "pip-mgmt2"]
    assert names([each.id for each in proposal.group.public_ips]) == ["pip"]
    taken = proposed(hub, Wanted(take=frozenset({"pip-mgmt1", "PIP-MGMT2"})))
    assert names([each.id for each in taken.group.public_ips]) == ["pip", "pip-mgmt1"]
    assert item(taken.public_ips, "pip-mgmt2").bar
    left = proposed(hub, Wanted(leave=frozenset({"pip-mgmt1", "pip-mgmt2"})))
    assert left.open == ()
    assert set(left.group.nvas[0].interfaces) == {"external", "internal"}


def test_public_ips_on_both_external_nics_are_their_own_too() -> None:
    """Whatever the subnet is called: where each NVA has one, none is moved unasked."""
    hub = [each for each in pair() if last_part(each.id) != "fw2-ext"]
    hub += [nic("fw2-ext", "fw2", "untrust", config("10.0.1.5", "pip2")), public_ip("pip2")]
    proposal = proposed(hub)
    assert [each.name for each in proposal.open] == ["pip", "pip2"]
    assert proposal.group.public_ips == ()


def test_a_management_public_ip_of_the_active_one_alone_is_asked_about() -> None:
    """Its being on the active NVA only is no proof that it moves, if its name says management."""
    hub = [
        *pair(),
        nic("fw1-mgmt", "fw1", "mgmt", config("10.0.3.4", "pip2")),
        nic("fw2-mgmt", "fw2", "mgmt", config("10.0.3.5")),
        public_ip("pip2"),
    ]
    assert [each.name for each in proposed(hub).open] == ["pip2"]


def test_a_public_ip_on_the_standby_is_asked_about() -> None:
    """Where routes and a public IP are on different NVAs, nobody can tell what is meant."""
    hub = [each for each in pair() if last_part(each.id) != "udr"] + [table("udr", ["10.0.2.5"])]
    proposal = proposed(hub)
    assert [each.name for each in proposal.open] == ["pip"]
    assert proposal.group.public_ips == ()


def test_a_public_ip_on_a_secondary_configuration_needs_its_namesake() -> None:
    """One moves to the IP configuration of the same name, and cannot where there is none."""
    second = config("10.0.1.20", "vip", name="web", primary=False)
    hub = [each for each in pair() if last_part(each.id) != "fw1-ext"]
    hub += [nic("fw1-ext", "fw1", "untrust", config("10.0.1.4", "pip"), second), public_ip("vip")]
    assert item(proposed(hub).public_ips, "vip").bar
    hub = [each for each in hub if last_part(each.id) != "fw2-ext"]
    other = config("10.0.1.21", name="Web", primary=False)
    proposal = proposed([*hub, nic("fw2-ext", "fw2", "untrust", config("10.0.1.5"), other)])
    found = {last_part(each.id): each.ip_configuration for each in proposal.group.public_ips}
    assert found == {"pip": None, "vip": "web"}


@pytest.mark.parametrize("where", ["configuration", "public IP"])
def test_ipv6_is_said_not_to_be_supported(where: str) -> None:
    """An IPv6 public IP is left out with the reason, however one learns that it is one."""
    hub = [each for each in pair() if last_part(each.id) not in {"pip", "fw1-ext"}]
    version = "IPv6" if where == "configuration" else "IPv4"
    hub.append(nic("fw1-ext", "fw1", "untrust", config("10.0.1.4", "pip", version=version)))
    if where == "public IP":
        hub.append(public_ip("pip", version="IPv6"))
    proposal = proposed(hub)
    assert "IPv6" in item(proposal.public_ips, "pip").bar
    assert proposal.group.public_ips == ()


def test_a_public_ip_that_was_not_read_is_proposed_all_the_same() -> None:
    """Its NIC says that it is there; its own body may be out of sight."""
    hub = [each for each in pair() if last_part(each.id) != "pip"]
    proposal = proposed(hub)
    assert names([each.id for each in proposal.group.public_ips]) == ["pip"]
    assert "not read" in proposal.public_ips[0].why


def test_a_table_that_leads_to_both_is_asked_about() -> None:
    """Routes that are meant to stay on one NVA each would all be moved."""
    hub = [*pair(), table("pinned", ["10.0.2.4", "10.0.2.5"])]
    proposal = proposed(hub)
    assert [each.name for each in proposal.open] == ["pinned"]
    assert names(proposed(hub, Wanted(take=frozenset({"pinned"}))).group.route_tables) == ["udr", "pinned"]


def test_a_table_of_the_nvas_own_subnet_is_asked_about() -> None:
    """What the NVAs themselves route by is not to follow them without being asked for."""
    hub = [*pair(), table("own", ["10.0.2.4"], used_by=[subnet("untrust")])]
    assert [each.name for each in proposed(hub).open] == ["own"]


def test_an_address_that_two_networks_have_is_asked_about() -> None:
    """Next hops are addresses, and networks that are not joined may have the same ones."""
    twin = nic("other", "app", subnet("trust", "elsewhere"), config("10.0.2.4"), forwards=False)
    assert [each.name for each in proposed([*pair(), twin, table("b", ["10.0.1.4"])]).open] == ["udr"]
    near = table("udr", ["10.0.2.4"], used_by=[subnet("web", "hub")])
    hub = [each for each in pair() if last_part(each.id) != "udr"]
    assert proposed([*hub, twin, near]).open == ()


def test_several_next_hops_at_once_are_said_not_to_be_supported() -> None:
    """A table with nothing but such routes cannot follow; in another one they stay, and that is told."""
    hub = [*pair(), table("ecmp", [], several=["10.0.2.4", "10.0.2.5"])]
    proposal = proposed(hub)
    assert "ECMP" in item(proposal.tables, "ecmp").bar
    mixed = [each for each in pair() if last_part(each.id) != "udr"]
    mixed.append(table("udr", ["10.0.2.4"], several=["10.0.2.4", "10.9.9.9"]))
    proposal = proposed(mixed)
    assert names(proposal.group.route_tables) == ["udr"]
    assert any("ECMP" in each for each in proposal.notes)


def test_a_floating_secondary_address_cannot_be_followed() -> None:
    """A next hop that the appliances move themselves has no counterpart, and is named."""
    floating = config("10.0.2.100", name="float", primary=False)
    hub = [each for each in pair() if last_part(each.id) not in {"fw1-int", "udr"}]
    hub += [nic("fw1-int", "fw1", "trust", config("10.0.2.4"), floating), table("udr", ["10.0.2.100"])]
    proposal = proposed(hub, Wanted(vms=("fw1", "fw2")))
    assert item(proposal.tables, "udr").bar
    assert any("10.0.2.100" in each and "float" in each for each in proposal.notes)


def test_routes_of_others_stay_and_are_told_whose_they_are() -> None:
    """In a table that follows, next hops of others are named: a VM, a load balancer, nobody known."""
    hub = [each for each in pair() if last_part(each.id) != "udr"]
    hub += [
        table("udr", ["10.0.2.4", "10.0.9.9", "10.0.9.8", "10.0.9.7"]),
        nic("proxy-nic", "proxy", "apps", config("10.0.9.9")),
        balancer("lb", "10.0.9.8"),
    ]
    notes = " ".join(proposed(hub).notes)
    assert all(each in notes for each in ("10.0.9.9", "proxy", "10.0.9.8", "lb", "10.0.9.7"))


def test_a_load_balancer_before_the_nvas_needs_nobody() -> None:
    """Routes to the frontend before these NVAs are said to need no move."""
    hub = [each for each in pair() if last_part(each.id) != "fw1-int"]
    hub += [
        nic("fw1-int", "fw1", "trust", config("10.0.2.4"), pool="LB"),
        balancer("lb", "10.0.2.50"),
        table("balanced", ["10.0.2.50"]),
    ]
    proposal = proposed(hub)
    assert names(proposal.group.route_tables) == ["udr"]
    assert any("balanced" in each and "behind it" in each for each in proposal.notes)


def test_single_nic_nvas_have_one_role_by_the_name_of_their_subnet() -> None:
    """One NIC that carries routes and the public IP is neither external nor internal."""
    hub = [
        nic("a", "vpn1", "Edge Net", config("10.0.1.4", "pip")),
        nic("b", "vpn2", "Edge Net", config("10.0.1.5")),
        table("udr", ["10.0.1.4"]),
    ]
    proposal = proposed(hub)
    assert list(proposal.group.nvas[0].interfaces) == ["Edge-Net"]
    assert proposal.group.public_ips[0].role == "Edge-Net"


def test_roles_of_several_routed_subnets_are_named_by_them() -> None:
    """With traffic routed to both sides, the names of the subnets say more than external and internal."""
    hub = [each for each in pair() if last_part(each.id) not in {"pip", "fw1-ext"}]
    hub += [nic("fw1-ext", "fw1", "untrust", config("10.0.1.4")), table("gateway", ["10.0.1.4"])]
    assert set(proposed(hub).group.nvas[0].interfaces) == {"trust", "untrust"}


def test_nics_without_a_role_are_named() -> None:
    """What is not needed, or has no counterpart, is said with what it carries."""
    hub = [
        *pair(),
        nic("fw1-ha", "fw1", "sync", config("10.0.4.4")),
        nic("fw2-ha", "fw2", "sync", config("10.0.4.5")),
        nic("fw1-out", "fw1", "oob", config("10.0.5.4", "pip-oob")),
    ]
    proposal = proposed(hub, Wanted(vms=("fw1", "fw2")))
    assert {each.partition(" ")[0] for each in proposal.aside} == {"fw1-ha", "fw2-ha", "fw1-out"}
    assert any("pip-oob" in each for each in proposal.aside)


def test_two_nics_in_one_subnet_are_told_apart_by_naming_them() -> None:
    """Which of two stands in for the other NVA's is said with --nic."""
    hub = [*pair(), nic("fw1-int2", "fw1", "trust", config("10.0.2.6"))]
    with pytest.raises(NothingFollowsError):
        proposed(
            [each for each in hub if last_part(each.id) not in {"fw1-ext", "fw2-ext"}],
            Wanted(vms=("fw1", "fw2")),
        )
    nics = ("fw1-int", "fw1-ext", "fw2-int", "fw2-ext")
    proposal = proposed(hub, Wanted(nics=(*nics, "fw1-int")))
    assert set(proposal.group.nvas[0].interfaces) == {"external", "internal"}


def test_nothing_to_follow_says_what_could_be_taken() -> None:
    """Without any plain table or public IP there is no group, and what is open is named."""
    hub = [each for each in pair() if last_part(each.id) not in {"udr", "pip", "fw1-ext"}]
    hub.append(nic("fw1-ext", "fw1", "untrust", config("10.0.1.4")))
    with pytest.raises(NothingFollowsError) as caught:
        proposed(hub)
    assert caught.value.open == ()
    with pytest.raises(NothingFollowsError) as caught:
        proposed([*hub, table("pinned", ["10.0.2.4", "10.0.2.5"])])
    assert [each.name for each in caught.value.open] == ["pinned"]


def test_marks_and_holds_are_told() -> None:
    """Tags by which another deployment moves these, or somebody holds them, are no surprise later."""
    hub = [each for each in pair() if last_part(each.id) != "udr"]
    hub.append(
        table("udr", ["10.0.2.4"], tags={"nvaha-1a2b3c4d": "acct/edge", "NVAHA-hold": "audit", "x": "y"})
    )
    notes = proposed(hub).notes
    assert len([each for each in notes if "acct/edge" in each]) == 1
    assert len([each for each in notes if "audit" in each]) == 1
    assert not any("tag x" in each for each in notes)


def test_the_partner_of_one_is_found() -> None:
    """One NVA, its NIC or a table that leads to it is enough where only one other VM is like it."""
    assert [each.name for each in members(seen(pair()), Wanted(vms=("fw2",)))] == ["fw1", "fw2"]
    assert [each.name for each in members(seen(pair()), Wanted(route_tables=("udr",)))] == ["fw1", "fw2"]
    found = members(seen(pair()), Wanted(nics=("fw1-int",)))
    assert [[each.name for each in machine.interfaces] for machine in found] == [
        ["fw1-int"],
        ["fw2-ext", "fw2-int"],
    ]


def test_those_that_are_named_keep_their_order() -> None:
    """The order on the command line is the order of preference; in ids no case counts."""
    hub = seen(pair())
    named = members(hub, Wanted(vms=(vm("FW2"), "fw1")))
    assert [each.name for each in named] == ["fw2", "fw1"]


def test_numbers_in_names_count_as_numbers() -> None:
    """fw10 comes after fw2."""
    hub = [nic(f"n{number}", f"fw{number}", "trust", config(f"10.0.2.{number}")) for number in (10, 2, 1)]
    assert [each.name for each in members(seen(hub), WANTED)] == ["fw1", "fw2", "fw10"]


def test_which_vms_is_asked_where_several_are_alike() -> None:
    """Pairs of like names in the same subnets are choices, so are all of them; tables narrow them down."""
    hub = [
        nic(f"{name}-n", name, "trust", config(f"10.0.2.{n}"))
        for n, name in enumerate(["fw1", "fw2", "vpn1", "vpn2"], 4)
    ]
    assert unclear(hub) == [["fw1", "fw2"], ["vpn1", "vpn2"], ["fw1", "fw2", "vpn1", "vpn2"]]
    assert unclear([*hub, table("udr", ["10.0.2.4"])], Wanted(route_tables=("udr",))) == [
        ["fw1", "fw2"],
        ["fw1", "fw2", "vpn1", "vpn2"],
    ]
    other = [nic(f"{name}-n", name, "dmz", config(f"10.0.7.{n}")) for n, name in enumerate(["a1", "a2"], 4)]
    assert [each.name for each in members(seen([*pair(), *other]), WANTED)] == ["fw1", "fw2"]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(vms=("fw9",)),
        Wanted(nics=("none",)),
        Wanted(route_tables=("none",)),
        Wanted(route_tables=("elsewhere",)),
        Wanted(vms=("alone",)),
    ],
    ids=str,
)
def test_what_is_not_there_is_named(wanted: Wanted) -> None:
    """A VM, NIC or table that was not read, and a VM without a partner, lead to no guess."""
    hub = [*pair(), table("elsewhere", ["10.9.9.9"]), nic("x", "alone", "alone", config("10.0.8.4"))]
    assert unclear(hub, wanted) == []


def test_a_partner_that_forwards_less_is_still_one() -> None:
    """IP forwarding that is off on one NIC of the standby is a fault to be told, not another kind of VM."""
    hub = [each for each in pair() if last_part(each.id) != "fw2-int"]
    hub += [
        nic("fw2-int", "fw2", "trust", config("10.0.2.5"), forwards=False),
        nic("vpn1", "vpn1", "vpn", config("10.0.6.4")),
        nic("vpn2", "vpn2", "vpn", config("10.0.6.5")),
        table("vpn-udr", ["10.0.6.4"]),
    ]
    assert unclear(hub) == [["fw1", "fw2"], ["vpn1", "vpn2"]]


def test_forwarding_that_is_off_is_said_to_be_what_keeps_vms_apart() -> None:
    """With IP forwarding off everywhere that is said; off on one of two, that one is named."""
    off = [nic(f"n{n}", f"fw{n}", "trust", config(f"10.0.2.{n}"), forwards=False) for n in (4, 5)]
    hub = [*off, nic("far", "app", "apps", config("10.0.9.4"), forwards=False)]
    with pytest.raises(UnclearError, match="off on all that was read, 3 NICs of 3 VMs"):
        members(seen(hub), WANTED)
    hub[0] = nic("n4", "fw4", "trust", config("10.0.2.4"))
    for wanted in (WANTED, Wanted(vms=("fw4",))):
        with pytest.raises(UnclearError, match="It is off on fw5 there"):
            members(seen(hub), wanted)


def test_public_ips_alone_are_on_the_external_side() -> None:
    """Where no routes lead to the NVAs, the role of the subnet with the public IP is still external."""
    proposal = proposed([each for each in pair() if last_part(each.id) != "udr"])
    assert set(proposal.group.nvas[0].interfaces) == {"external"}


def test_letters_at_the_end_of_names_count_as_numbers() -> None:
    """fgt-a and fgt-b are a pair beside vpn-a and vpn-b."""
    machines = enumerate(["fgt-a", "fgt-b", "vpn-a", "vpn-b"], 4)
    hub = [nic(f"{name}-n", name, "trust", config(f"10.0.2.{n}")) for n, name in machines]
    assert unclear(hub)[:2] == [["fgt-a", "fgt-b"], ["vpn-a", "vpn-b"]]


def test_a_vm_s_name_that_two_resource_groups_have_is_asked_about() -> None:
    """Two VMs of one name are told apart by their ids, and get different names in the group."""
    other = vm("fw1", GROUP.replace("hub-rg", "other-rg").replace("10.0.", "10.9."))
    hub = [
        nic("a", "fw1", "trust", config("10.0.2.4")),
        nic("b", other, "trust", config("10.0.2.5")),
        table("udr", ["10.0.2.4"]),
    ]
    assert unclear(hub, Wanted(vms=("fw1",))) == []
    assert proposed(hub, Wanted(vms=(vm("fw1"), other))).group.names == ("fw1", "fw1-2")
    assert proposed(hub, Wanted(vms=("hub-rg/fw1", "OTHER-RG/FW1"))).group.names == ("fw1", "fw1-2")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("fw1", lambda typed: Wanted(vms=(typed,))),
        ("fw1-int", lambda typed: Wanted(nics=(typed,))),
        ("udr", lambda typed: Wanted(route_tables=(typed,))),
    ],
)
def test_a_name_of_several_lists_their_ids(name: str, wanted: Callable[[str], Wanted]) -> None:
    """Whatever is named, all ids that it may mean are told, and GROUP/NAME is one of them."""
    other = GROUP.replace("hub-rg", "other-rg")
    hub = [*pair()]
    for each in pair():
        twin = json.loads(json.dumps(dict(each.body)).replace("hub-rg", "other-rg").replace("10.0.", "10.9."))
        hub.append(Resource(each.id.replace(GROUP, other), each.etag, twin))
    with pytest.raises(UnclearError) as caught:
        members(seen(hub), wanted(name))
    for group in (GROUP, other):
        assert f"{group}/providers/Microsoft." in str(caught.value)
        found = members(seen(hub), wanted(f"{last_part(group)}/{name}"))
        assert [machine.id for machine in found] == [vm("fw1", group), vm("fw2", group)]


def test_what_cannot_be_understood_is_told_and_left_out() -> None:
    """A body of another shape keeps nobody from the rest, and is not dropped in silence."""
    odd = public_ip("odd")
    broken = table("broken", [])
    hub = [
        *pair(),
        replace(odd, body={"id": odd.id}),
        replace(broken, body={**broken.body, "properties": {"routes": {}}}),
        nic("loose", "fw1", "", config("10.0.2.77")),
    ]
    hub[-1].body["properties"].pop("virtualMachine")
    notes = proposed(hub).notes
    assert {each.partition(" ")[0] for each in notes} == {"odd", "broken"}


def test_the_file_marks_what_azure_cannot_say() -> None:
    """The port that nobody knows is marked for a check, and what is left out stands there with its reason."""
    hub = [*pair(), table("pinned", ["10.0.2.4", "10.0.2.5"])]
    text = text_of(proposed(hub), [SUBSCRIPTION], NOW)
    lines = text.splitlines()
    marked = [number for number, line in enumerate(lines) if "CHECK" in line]
    assert any("port" in lines[number] for number in marked)
    (pinned,) = [number for number, line in enumerate(lines) if line.endswith("routeTables/pinned")]
    assert lines[pinned].lstrip().startswith("#")
    assert "several NVAs" in lines[pinned - 1]
    assert "2026-12-01 12:00 UTC" in text
