"""Which VMs are the NVAs of a group: those that are named, or that routes lead to, and their like: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nvaha.config.proposal.seen import Interface, Machine, Seen, Table, counted
from nvaha.core.bodies import canonical
from nvaha.core.notices import listed
from nvaha.model import same_id
from nvaha.text import last_part

SCALE_SET = "The NICs of a uniform scale set are no resources of their own, and are not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody says of the group that is to be; resources by name, GROUP/NAME or id, in any case.

    Args:
        group: the group's name.
        vms: the NVAs, in order of preference.
        nics: their NICs; no other NICs of those VMs are looked at then.
        route_tables: tables that lead to the NVAs.
        port: the port that tells whether an NVA lives, if that is known.
        take: resources that are to move with the group.
        leave: resources that are not.
    """

    group: str = "edge"
    vms: tuple[str, ...] = ()
    nics: tuple[str, ...] = ()
    route_tables: tuple[str, ...] = ()
    port: int | None = None
    take: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()


class UnclearError(ValueError):
    """Which VMs are meant cannot be told.

    Args:
        message: why not, and what to do about it.
        choices: groups of VMs that it may be; none if nothing was found.
    """

    def __init__(self, message: str, choices: Sequence[tuple[Machine, ...]] = ()) -> None:
        super().__init__(message)
        self.choices = tuple(choices)


def members(network: Seen, wanted: Wanted) -> tuple[Machine, ...]:
    """Return the NVAs, in order of preference: as they were named, else by name.

    Raises:
        UnclearError: it may be several, or none.
    """
    named = _named(network, wanted)
    if len(named) > 1:
        return named
    choices = _alike(network)
    led_to = named or _led_to(network, _tables(network, wanted))
    if led_to:
        choices = [each for each in choices if _has(each, led_to)]
    elif wanted.route_tables:
        raise UnclearError("no route of these tables leads to a VM whose NIC was read")
    else:
        routed = _led_to(network, network.tables)
        choices = [each for each in choices if _has(each, routed)] or choices
    if len(choices) == 1:
        return tuple(next((own for own in named if same_id(own.id, each.id)), each) for each in choices[0])
    raise UnclearError(_why(choices, led_to, network), choices)


def _why(choices: Sequence[tuple[Machine, ...]], led_to: Sequence[Machine], network: Seen) -> str:
    if choices:
        return "which VMs stand in for each other cannot be told: name them with --vm, once for each"
    forward = [each for each in network.machines if any(nic.forwards for nic in each.interfaces)]
    name_them = f"name them with --vm, once for each. {SCALE_SET}"
    if not forward:
        nics = sum(len(each.interfaces) for each in network.machines)
        read = f"{counted(nics, 'NIC')} of {counted(len(network.machines), 'VM')}"
        return f"IP forwarding is off on all that was read, {read}: switch it on, or {name_them}"
    others = f" beside {led_to[0].name}" if led_to else ""
    text = f"no VMs{others} were found that stand in for each other: two or more with IP forwarding on NICs"
    there = {nic.subnet.casefold() for each in led_to or forward for nic in each.interfaces}
    off = [
        each.name
        for each in network.machines
        if each not in forward and any(nic.subnet.casefold() in there for nic in each.interfaces)
    ]
    if off:
        return f"{text} in the same subnets. It is off on {listed(off)} there: switch it on, or {name_them}"
    return f"{text} in the same subnets; {name_them}"


def _named(network: Seen, wanted: Wanted) -> tuple[Machine, ...]:
    found = {machine.id.casefold(): machine for machine in (_by_name(network, vm) for vm in wanted.vms)}
    chosen: dict[str, dict[str, Interface]] = {}
    for nic in wanted.nics:
        owners = {each.id: machine for machine in network.machines for each in machine.interfaces}
        missing = f"no NIC {nic} of a VM was read: is its name right, and is it attached? {SCALE_SET}"
        nic_id = _one(nic, owners, "NICs", missing)
        machine = owners[nic_id]
        interface = next(each for each in machine.interfaces if each.id == nic_id)
        chosen.setdefault(machine.id.casefold(), {})[interface.id.casefold()] = interface
        found[machine.id.casefold()] = replace(
            machine, interfaces=tuple(chosen[machine.id.casefold()].values())
        )
    return tuple(found.values())


def _by_name(network: Seen, vm: str) -> Machine:
    machines = {each.id: each for each in network.machines}
    text = f"no NIC was read that belongs to a VM {vm}: is its name right, and may you read its NICs?"
    return machines[_one(vm, machines, "VMs", f"{text} {SCALE_SET}")]


def _one(typed: str, ids: Iterable[str], kind: str, missing: str) -> str:
    """Return the one id that was typed; UnclearError if there is none, as `missing`, or more than one."""
    found = [each for each in ids if _is(typed, each)]
    if not found:
        raise UnclearError(missing)
    if len(found) > 1:
        raise UnclearError(
            f"several {kind} are named {typed}: give GROUP/NAME or the id of one: {', '.join(found)}"
        )
    return found[0]


def _is(typed: str, resource_id: str) -> bool:
    typed, name = typed.rstrip("/"), last_part(resource_id)
    there = {0: name, 1: f"{_group_of(resource_id)}/{name}"}.get(typed.count("/"), resource_id)
    return same_id(typed, there)


def _group_of(resource_id: str) -> str:
    """Return the name of the resource group that an id is in."""
    return re.split("/resourceGroups/", resource_id, flags=re.IGNORECASE)[-1].partition("/")[0]


def to_type(resource_id: str, among: Iterable[str]) -> str:
    """Return what to type for a resource: its name, or its id if another of these has the same name."""
    name = last_part(resource_id)
    return resource_id if sum(_is(name, each) for each in among) > 1 else name


def named_in(names: Iterable[str], resource_id: str) -> bool:
    """Tell whether one of what was typed, names or ids, is a resource."""
    return any(_is(each, resource_id) for each in names)


def _tables(network: Seen, wanted: Wanted) -> list[Table]:
    tables = {each.id: each for each in network.tables}
    return [
        tables[_one(typed, tables, "route tables", f"there is no route table {typed} among what was read")]
        for typed in wanted.route_tables
    ]


def _led_to(network: Seen, tables: Iterable[Table]) -> tuple[Machine, ...]:
    """Return the VMs that routes of these tables lead to."""
    places = network.places()
    hops = (hop for table in tables for hop in table.hops)
    found = (place.machine for hop in hops for place in places.get(canonical(hop.address), ()))
    return tuple({each.id.casefold(): each for each in found}.values())


def _has(choice: Iterable[Machine], wanted: Iterable[Machine]) -> bool:
    """Tell whether a choice has one of the wanted VMs."""
    ids = {each.id.casefold() for each in wanted}
    return any(each.id.casefold() in ids for each in choice)


def _alike(network: Seen) -> list[tuple[Machine, ...]]:
    """Return the VMs that forward in the same subnets; of more than two, also those of like names."""
    together: list[tuple[set[str], list[Machine]]] = []
    for machine in network.machines:
        subnets = {each.subnet.casefold() for each in machine.interfaces if each.forwards}
        if not subnets:
            continue
        joined = [each for each in together if each[0] & subnets]
        together = [each for each in together if each not in joined]
        found = [other for _, some in joined for other in some]
        together.append((subnets.union(*(each for each, _ in joined)), [*found, machine]))
    choices: dict[tuple[str, ...], tuple[Machine, ...]] = {}
    for _, alike in together:
        by_stem: dict[str, list[Machine]] = {}
        for each in alike:
            by_stem.setdefault(_stem(each.name), []).append(each)
        for some in (*by_stem.values(), alike):
            chosen = tuple(sorted(some, key=lambda each: _natural(each.name)))
            if len(chosen) > 1:
                choices[tuple(each.id for each in chosen)] = chosen
    return list(choices.values())


def _stem(name: str) -> str:
    """Return what the names of VMs that are alike share: no numbers, and no single letter at the end."""
    return re.sub(r"\d+|(?<=[-_.])[a-z]$", "", name.casefold())


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
