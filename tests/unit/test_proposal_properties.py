"""What holds of every first configuration, whatever the network that it is proposed for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from nvaha.config import parse
from nvaha.config.proposal.members import Wanted, members, named_in
from nvaha.config.proposal.propose import NothingFollowsError, Proposal, propose
from nvaha.config.proposal.seen import seen
from nvaha.config.proposal.text import text_of
from nvaha.model import Resource
from nvaha.text import last_part
from tests.hub import SUBSCRIPTION, config, nic, public_ip, subnet, table, vm

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SUBNETS = ("untrust", "trust", "mgmt", "true", "1.5", "GatewaySubnet")
VMS = ("fw1", "fw2", "FW-3", "null", "12", "vm_ä", "TRUE")
CONFIGS = ("ipconfig1", "web", "Web", "1", "yes")
TABLES = ("udr", "gateway", "pinned", "spoke")
PUBLIC_IPS = tuple(f"pip{number}" for number in range(6))
ELSEWHERE = "10.9.9.9"


@dataclass(frozen=True, slots=True)
class Hub:
    """A network with everything in it that may be, and much that should not; drawn from one number."""

    number: int

    def made(self) -> tuple[list[Resource], Wanted]:
        """Return its resources, and what somebody says of it."""
        dice = Random(self.number)
        vms = dice.sample(VMS, dice.choice([2, 2, 2, 3]))
        shared = dice.sample(SUBNETS, dice.choice([1, 2, 2, 3]))
        public_ips = [*PUBLIC_IPS, *[""] * 9]
        dice.shuffle(public_ips)
        nics: list[Resource] = []
        for machine in vms:
            extra = dice.sample(SUBNETS, dice.choice([0, 0, 1]))
            for where in (*shared, *extra):
                names = dice.sample(CONFIGS, dice.choice([1, 1, 2]))
                configs = [
                    config(
                        f"10.0.{len(nics)}.{4 + number}",
                        public_ips.pop() if public_ips else "",
                        name=name if number else "ipconfig1",
                        primary=number == 0,
                        version=dice.choice(["IPv4"] * 5 + ["IPv6"]),
                    )
                    for number, name in enumerate(["ipconfig1", *names][: len(names)])
                ]
                nics.append(nic(f"nic{len(nics)}x", machine, where, *configs, forwards=dice.random() < 0.8))
        addresses = [each["properties"]["privateIPAddress"] for one in nics for each in _configs(one)]
        first = [
            each
            for each in addresses
            if each in {_configs(one)[0]["properties"]["privateIPAddress"] for one in nics[: len(shared)]}
        ]
        tables = [
            table(
                name,
                [dice.choice([*first * 3, *addresses, ELSEWHERE]) for _ in range(dice.choice([1, 1, 2, 3]))],
                used_by=dice.choices([*SUBNETS, *["spoke"] * 9, subnet("trust")], k=dice.choice([0, 1, 2])),
                several=dice.sample(addresses, 2) if dice.random() < 0.2 else (),
            )
            for name in dice.sample(TABLES, dice.choice([0, 1, 2, 3]))
        ]
        read = [public_ip(each, version=dice.choice(["IPv4", "IPv4", "IPv6"])) for each in PUBLIC_IPS[:4]]
        resources = [*nics, *tables, *read]
        dice.shuffle(resources)
        some = [frozenset(dice.sample((*TABLES, *PUBLIC_IPS), dice.choice([0, 0, 2]))) for _ in range(2)]
        ids = tuple(vm(each) for each in vms)
        return resources, Wanted(vms=ids, take=some[0], leave=some[1], port=dice.choice([None, 1, 65535]))


HUBS = st.integers(0, 2**32).map(Hub)


def proposed(hub: Sequence[Resource], wanted: Wanted) -> Proposal | None:
    """Return the proposal for a network, or None if it is said that there is none."""
    network = seen(hub)
    try:
        return propose(network, members(network, wanted), wanted)
    except NothingFollowsError:
        return None


@given(HUBS)
@settings(max_examples=50)
def test_whatever_is_proposed_is_valid_safe_and_whole(hub: Hub) -> None:
    """The file reads back as the group; nothing in doubt is in it unasked, nothing is dropped in silence."""
    resources, wanted = hub.made()
    proposal = proposed(resources, wanted)
    if proposal is None:
        event("nothing follows")
        return
    text = text_of(proposal, [SUBSCRIPTION], NOW)
    loaded = parse(text)
    assert loaded.configuration.groups == (proposal.group,), text
    assert loaded.warnings == ()
    assert not proposal.group.policy.automatic
    assert_safe(proposal, wanted)
    assert_whole(text, resources)


def assert_safe(proposal: Proposal, wanted: Wanted) -> None:
    """Check that what is in doubt is in the group only if somebody said so, and what is barred never."""
    items = (*proposal.tables, *proposal.public_ips)
    for each in items:
        if each.taken:
            assert not each.bar
            assert not each.doubt or named_in(wanted.take, each.id)
            assert not named_in(wanted.leave, each.id)
        elif not each.bar:
            assert each.open or named_in(wanted.leave, each.id)
            assert each.doubt or not each.open
    group = proposal.group
    assert sorted(each.id for each in items if each.taken) == sorted(
        [*group.route_tables, *(each.id for each in group.public_ips)]
    )


def assert_whole(text: str, resources: Sequence[Resource]) -> None:
    """Check that each NIC, each public IP on one, and each table that leads to one is named, taken or not."""
    nics = [each for each in resources if "/networkInterfaces/" in each.id]
    configs = [each["properties"] for one in nics for each in _configs(one)]
    theirs = {each["privateIPAddress"] for each in configs}
    named = {each.body["name"] for each in nics}
    named |= {last_part(each["publicIPAddress"]["id"]) for each in configs if "publicIPAddress" in each}
    named |= {
        each.body["name"]
        for each in resources
        if "/routeTables/" in each.id and theirs & set(_hops(each.body))
    }
    assert [each for each in sorted(named) if not re.search(rf"\b{each}\b", text)] == []


@given(HUBS)
@settings(max_examples=30)
def test_neither_case_nor_order_counts(hub: Hub) -> None:
    """References in other letters, and lists in another order, lead to the same resources in the group."""
    resources, wanted = hub.made()
    shouted = [replace(each, body=_shout(each.body)) for each in resources]
    Random(hub.number + 1).shuffle(shouted)
    one, other = proposed(resources, wanted), proposed(shouted, wanted)
    assert _folded(one) == _folded(other)


def _folded(proposal: Proposal | None) -> set[str]:
    return set() if proposal is None else {each.casefold() for each in proposal.group.resource_ids}


def _configs(one: Resource) -> list[Any]:
    found: list[Any] = one.body["properties"]["ipConfigurations"]
    return found


def _hops(body: Any) -> list[str]:
    found = []
    for each in body["properties"]["routes"]:
        properties = each["properties"]
        found += properties.get("nextHop", {}).get("nextHopIpAddresses", [])
        found += [properties["nextHopIpAddress"]] if "nextHopIpAddress" in properties else []
    return found


def _shout(value: Any) -> Any:
    """Return a body with every id in it in capitals, but its own."""
    if isinstance(value, dict):
        return {key: each.upper() if key == "id" else _shout(each) for key, each in value.items()}
    return [_shout(each) for each in value] if isinstance(value, list) else value
