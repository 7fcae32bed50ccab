"""The canary: a group that carries nothing, and when its route table is one: pure.

Its route table is associated with no subnet, and its only route leads from a documentation prefix to one of
two documentation addresses (RFC 5737). Whatever its switch writes, no packet goes another way.
"""

from __future__ import annotations

from typing import Final

from nvaha.core.bodies import UnreadableBodyError, canonical, next_hops, routes, subnets
from nvaha.model import CanarySpec, Group, Nva, Policy, ProbeSpec, Resource
from nvaha.text import last_part

NAME: Final = "canary"
PREFIX: Final = "203.0.113.0/24"
ADDRESSES: Final = {"first": "192.0.2.1", "second": "192.0.2.2"}
"""NVA -> its address; nobody has such addresses."""


def canary_group(route_table: str, spec: CanarySpec) -> Group:
    """Return the canary as a group: two NVAs without NICs, never probed, never switched by health.

    Args:
        route_table: id of its table.
        spec: how often it is switched, and how slow it may be.
    """
    nvas = tuple(Nva(name, {}, ProbeSpec(), address) for name, address in ADDRESSES.items())
    policy = Policy(automatic=False, drift="report")
    return Group(NAME, nvas, (route_table,), policy=policy, canary=spec)


def harm(table: Resource) -> str | None:
    """Return why a route table must not be a canary's, or None: writing it could move traffic."""
    try:
        return _harm(table)
    except UnreadableBodyError as error:
        return str(error)


def _harm(table: Resource) -> str | None:
    name, only = last_part(table.id), f"one route, {PREFIX} to {' or '.join(ADDRESSES.values())}"
    if used := subnets(table):
        return f"route table {name} is associated with {used} subnets, a canary's with none: dissociate them"
    hops = {hop.route: hop for hop in next_hops(table)}
    for route in routes(table):
        hop = hops.get(route)
        if hop is None or canonical(hop.address) not in ADDRESSES.values() or hop.prefix != PREFIX:
            return f"route table {name} has the route {route}, a canary's only {only}: correct or delete it"
    return None if len(hops) == 1 else f"route table {name} has {len(hops)} routes, a canary's {only}"
