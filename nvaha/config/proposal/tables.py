"""Which route tables lead to the NVAs of a group, and which of their routes stay as they are: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from nvaha.config.proposal.nvas import Item, Nvas
from nvaha.config.proposal.seen import Place, Seen, Table, balancer_of, counted, inside_one, network_of
from nvaha.core.bodies import canonical
from nvaha.core.notices import listed
from nvaha.text import last_part

_MOST_SUBNETS = 5


def tables(network: Seen, nvas: Nvas) -> tuple[Item, ...]:
    """Return the route tables with routes to the NVAs."""
    return tuple(item for table in network.tables if (item := _item(table, nvas)))


def _item(table: Table, nvas: Nvas) -> Item | None:
    led = [place for hop in table.hops if (place := nvas.ours(hop.address))]
    if not led and not _several(table, nvas):
        return None
    movable = [place for place in led if nvas.has_counterparts(place)]
    on = Counter(nvas.name(each.machine) for each in movable)
    return Item(
        table.id,
        _seen_in(table, led, nvas),
        doubt=_doubt(table, on, movable, nvas),
        bar="" if movable else _bar(led),
        subnets=tuple(dict.fromkeys(each.interface.subnet.casefold() for each in movable)),
        on=tuple(on.items()),
    )


def _bar(led: Sequence[Place]) -> str:
    if led:
        return "none of its routes to them could be moved"
    return "its routes lead to several addresses at once (ECMP), which is not supported"


def _several(table: Table, nvas: Nvas) -> list[str]:
    """Return the names of the routes that lead to an NVA among several addresses."""
    return [route for route, each in table.several.items() if any(map(nvas.ours, each))]


def _seen_in(table: Table, led: Iterable[Place], nvas: Nvas) -> str:
    on = Counter((nvas.name(each.machine), last_part(each.interface.subnet)) for each in led)
    leads = [f"{counted(number, 'route')} to {nva} in {subnet}" for (nva, subnet), number in on.items()]
    used = ", ".join(map(last_part, table.subnets[:_MOST_SUBNETS])) or "no subnet"
    more = len(table.subnets) - _MOST_SUBNETS
    return (
        f"{', '.join(leads) or 'routes to several'}; used by {used}{f' and {more} more' if more > 0 else ''}"
    )


def _doubt(table: Table, on: Counter[str], movable: Sequence[Place], nvas: Nvas) -> str:
    if len(on) > 1:
        where = ", ".join(f"{number} to {nva}" for nva, number in on.items())
        return f"its routes lead to several NVAs ({where}), and all would be moved to the active one"
    used = {each.casefold() for each in table.subnets}
    for machine in nvas.machines:
        for nic in machine.interfaces:
            if nic.subnet.casefold() in used:
                return f"{last_part(nic.subnet)} uses it, in which {nvas.name(machine)} itself has a NIC"
    for each in movable:
        others = [other for other in nvas.places[str(each.configuration.private_ip)] if other != each]
        here = network_of(each.interface.subnet)
        if others and {network_of(subnet) for subnet in used} != {here}:
            other = others[0].interface
            there = last_part(network_of(other.subnet))
            return f"{each.configuration.private_ip} is an address of {other.name} in {there}, too"
    return ""


def stays(network: Seen, nvas: Nvas, taken: Iterable[str]) -> Iterator[str]:
    """Yield, a sentence each, what no switch would move though somebody may expect it.

    Args:
        network: what was read.
        nvas: the NVAs.
        taken: ids of the route tables in the group.
    """
    parts = [part for machine in nvas.machines for nic in machine.interfaces for part in nic.balancers]
    within = set(taken)
    where: dict[str, list[str]] = {}
    for table in network.tables:
        if table.hops and (several := _several(table, nvas)):
            text = f"{table.name}: {listed(several)} stays as it is: it leads to several addresses at once"
            yield f"{text} (ECMP), which is not supported"
        for address in dict.fromkeys(canonical(hop.address) for hop in table.hops):
            if why := _why_it_stays(address, network, nvas, parts, within=table.id in within):
                where.setdefault(f"routes to {address} {why}", []).append(table.name)
    for text, names in where.items():
        yield f"{listed(names)}: {text}"


def _why_it_stays(
    address: str, network: Seen, nvas: Nvas, parts: Sequence[str], *, within: bool
) -> str | None:
    place, frontend = nvas.ours(address), network.frontends.get(address)
    if place is not None:
        return None if nvas.has_counterparts(place) else f"stay as they are: it is {_alone(place, nvas)}"
    if frontend is not None and inside_one(parts, frontend):
        return f"need nobody to move them: it is {_named(frontend)}, with these NVAs behind it"
    return f"stay as they are: {_other(address, frontend, nvas)}" if within else None


def _other(address: str, frontend: str | None, nvas: Nvas) -> str:
    if frontend is not None:
        return f"it is {_named(frontend)}"
    places = nvas.places.get(address, ())
    return f"it is {places[0].machine.name}'s" if places else "no VM or load balancer that was read has it"


def _alone(place: Place, nvas: Nvas) -> str:
    """Return why no other NVA has what could stand in for a place."""
    if place.interface.subnet.casefold() not in nvas.shared:
        return (
            f"{place.interface.name}'s, and not every NVA has one NIC in {last_part(place.interface.subnet)}"
        )
    text = f"{place.configuration.name} of {place.interface.name}, a secondary address"
    return f"{text} that the others have no namesake of, and such are not moved themselves"


def _named(frontend: str) -> str:
    return f"the frontend {last_part(frontend)} of the load balancer {balancer_of(frontend)}"
