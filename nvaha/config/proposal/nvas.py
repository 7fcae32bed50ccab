"""The NVAs of a group as VMs, what they have in common, and what may follow the active one: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from nvaha.config.proposal.members import Wanted, named_in
from nvaha.config.proposal.seen import Machine, Place, Seen
from nvaha.core.bodies import canonical
from nvaha.text import last_part

_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Item:
    """A route table or public IP that may follow the active NVA.

    Args:
        id: its id.
        why: what it was seen to do.
        doubt: why it may not be meant; empty if that is plain.
        bar: why it cannot follow; empty if it can.
        subnets: folded ids of the subnets whose roles it needs.
        configuration: of a public IP, the IP configuration that carries it; None for the primary one.
        on: names of the NVAs that it is on, with how many routes or public IPs.
        taken: whether it is in the group.
        open: whether somebody should say whether it belongs there.
    """

    id: str
    why: str
    doubt: str = ""
    bar: str = ""
    subnets: tuple[str, ...] = ()
    configuration: str | None = None
    on: tuple[tuple[str, int], ...] = ()
    taken: bool = False
    open: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return last_part(self.id)

    def judged(self, wanted: Wanted) -> Item:
        """Return it with what becomes of it, by what is plain and what somebody has said."""
        if self.bar:
            return self
        take, leave = named_in(wanted.take, self.id), named_in(wanted.leave, self.id)
        if take or leave:
            return replace(self, taken=not leave)
        return replace(self, taken=not self.doubt, open=bool(self.doubt))


@dataclass(frozen=True, slots=True)
class Nvas:
    """The VMs of a group.

    Args:
        machines: in order of preference.
        names: their names in the group, by folded id.
        shared: {folded id: name} of the subnets in which each of them has exactly one NIC.
        places: who has each private address of the network.
    """

    machines: tuple[Machine, ...]
    names: Mapping[str, str]
    shared: Mapping[str, str]
    places: Mapping[str, tuple[Place, ...]]

    @classmethod
    def of(cls, machines: Iterable[Machine], network: Seen) -> Self:
        """Return the NVAs that these VMs are."""
        found = tuple(machines)
        names: dict[str, str] = {}
        for machine in found:
            names[machine.id.casefold()] = unique(word(machine.name, "nva"), names.values())
        shared = {
            each.subnet.casefold(): last_part(each.subnet)
            for each in found[0].interfaces
            if all(len(machine.on(each.subnet)) == 1 for machine in found)
        }
        return cls(found, names, shared, network.places())

    def name(self, machine: Machine) -> str:
        """Return a VM's name in the group."""
        return self.names[machine.id.casefold()]

    def ours(self, address: str) -> Place | None:
        """Return which of the NVAs has an address, or None."""
        found = self.places.get(canonical(address), ())
        return next((each for each in found if each.machine.id.casefold() in self.names), None)

    def has_counterparts(self, place: Place) -> bool:
        """Tell whether each of the NVAs has what could stand in for a place."""
        subnet = place.interface.subnet.casefold()
        slot = place.interface.slot(place.configuration)
        return subnet in self.shared and not self.lacking(subnet, slot)

    def lacking(self, subnet: str, slot: str) -> tuple[str, ...]:
        """Return the names of the NICs in a shared subnet that have no such IP configuration."""
        nics = [machine.on(subnet)[0] for machine in self.machines]
        return tuple(nic.name for nic in nics if nic.at_slot(slot) is None)


def word(name: str, instead: str) -> str:
    """Return a name in the letters that the file takes for names."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:_LONGEST_NAME] or instead


def unique(name: str, taken: Iterable[str]) -> str:
    """Return a name, with a number behind it if it is taken, in whatever case."""
    known = {each.casefold() for each in taken}
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, len(known) + 2))
    return next(each for each in numbered if each.casefold() not in known)
