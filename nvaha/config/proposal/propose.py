"""What would follow the active one of some NVAs, and what is not plain about it: pure.

Nothing is guessed silently. What is plain is taken; what may be meant otherwise is left out until somebody
says so; each is told with what it rests on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nvaha.config.proposal.members import Wanted
from nvaha.config.proposal.nvas import Item, Nvas, unique, word
from nvaha.config.proposal.public_ips import public_ips
from nvaha.config.proposal.seen import Machine, Seen
from nvaha.config.proposal.tables import stays, tables
from nvaha.core.marks import HOLD
from nvaha.core.notices import listed
from nvaha.model import Group, Nva, Policy, ProbeSpec, PublicIp
from nvaha.text import last_part

EXTERNAL, INTERNAL = "external", "internal"
USUAL_PORT = 22
_TAGS = "nvaha-"


class NothingFollowsError(ValueError):
    """No group can be proposed: these NVAs share nothing, or nothing would follow the active one.

    Args:
        message: why not, and what to do about it.
        open: what somebody may still take in.
    """

    def __init__(self, message: str, open_: Sequence[Item] = ()) -> None:
        super().__init__(message)
        self.open = tuple(open_)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A group, and what it was made of.

    Args:
        group: what the file would say.
        active: the NVA that most of the group's routes, else of all that follows, are on, if there is one.
        nvas: the NVAs as VMs, in the order of the group's NVAs.
        roles: {folded id of a subnet: role}.
        tables: what leads to the NVAs.
        public_ips: what their NICs carry.
        aside: NICs that are in no role, a sentence each.
        notes: what stays as it is, and is worth knowing.
        port_known: whether somebody said which port is probed.
    """

    group: Group
    active: str | None
    nvas: Nvas
    roles: Mapping[str, str]
    tables: tuple[Item, ...]
    public_ips: tuple[Item, ...]
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    port_known: bool = False

    @property
    def open(self) -> tuple[Item, ...]:
        """What somebody should say of whether it belongs to the group."""
        return tuple(each for each in (*self.tables, *self.public_ips) if each.open)


def propose(network: Seen, machines: Sequence[Machine], wanted: Wanted) -> Proposal:
    """Return the group that these NVAs would be.

    Args:
        network: what was read.
        machines: the NVAs, in order of preference.
        wanted: what somebody has said of it.

    Raises:
        NothingFollowsError: they share no subnet, or no table and no public IP would follow.
    """
    nvas = Nvas.of(machines, network)
    if not nvas.shared:
        raise NothingFollowsError(
            "these VMs share no subnet in which each of them has exactly one NIC, so which NICs stand in for "
            "each other cannot be told: say with --nic which are meant, or write the file by hand"
        )
    leading = tuple(each.judged(wanted) for each in tables(network, nvas))
    routed = _subnets(each for each in leading if each.taken or each.open)
    active = _most(each for each in leading if each.taken)
    found = public_ips(network, nvas, active=active, routed=frozenset(routed))
    held = tuple(_one_for_each_place(each.judged(wanted) for each in found))
    taken = [each for each in (*leading, *held) if each.taken]
    if not taken:
        raise _nothing(leading, held)
    roles = _roles(nvas, routed, held)
    used = _subnets(taken)
    kept = {subnet: roles[subnet] for subnet in nvas.shared if subnet in used}
    probed = next((subnet for subnet in kept if subnet in routed), next(iter(kept)))
    group = Group(
        wanted.group,
        tuple(_nva(nvas, machine, kept, roles[probed], wanted.port) for machine in nvas.machines),
        tuple(each.id for each in leading if each.taken),
        tuple(PublicIp(roles[each.subnets[0]], each.id, each.configuration) for each in held if each.taken),
        policy=Policy(automatic=False),
    )
    return Proposal(
        group,
        active or _most(taken),
        nvas,
        kept,
        leading,
        held,
        tuple(_aside(nvas, kept)),
        (
            *_tagged(network, group),
            *stays(network, nvas, group.route_tables),
            *network.strange,
        ),
        port_known=wanted.port is not None,
    )


def _nothing(leading: Sequence[Item], held: Sequence[Item]) -> NothingFollowsError:
    items = (*leading, *held)
    if not items:
        return NothingFollowsError(
            "nothing would follow the active NVA: no route in the tables that were read leads to these NVAs, "
            "and they have no public IP. Tables of another subscription are read with one more --subscription"
        )
    why = "; ".join(f"{each.name}: {each.bar or each.doubt or 'left out as was said'}" for each in items)
    return NothingFollowsError(
        f"nothing plainly follows the active NVA: {why}", [each for each in items if each.open]
    )


def _nva(nvas: Nvas, machine: Machine, roles: Mapping[str, str], probed: str, port: int | None) -> Nva:
    interfaces = {role: machine.on(subnet)[0].id for subnet, role in roles.items()}
    probe = ProbeSpec(interface=probed, port=USUAL_PORT if port is None else port)
    return Nva(nvas.name(machine), interfaces, probe)


def _subnets(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subnet for each in items for subnet in each.subnets))


def _one_for_each_place(public_ips: Iterable[Item]) -> Iterator[Item]:
    """Yield the public IPs, of which the first that is taken keeps others from its IP configuration."""
    taken: dict[tuple[str, str], Item] = {}
    for each in public_ips:
        place = each.subnets[0], (each.configuration or "").casefold()
        if each.taken and place in taken:
            bar = f"{taken[place].name} is taken for the same IP configuration"
            yield replace(each, bar=bar, taken=False)
            continue
        if each.taken:
            taken[place] = each
        yield each


def _most(items: Iterable[Item]) -> str | None:
    """Return the NVA that most of these are on; None if as much is on another one."""
    on: Counter[str] = Counter()
    for each in items:
        on.update(dict(each.on))
    most = [nva for nva, number in on.items() if number == max(on.values())]
    return most[0] if len(most) == 1 else None


def _roles(nvas: Nvas, routed: Sequence[str], held: Sequence[Item]) -> dict[str, str]:
    """Return a role for each shared subnet: external and internal where that is plain, else its name."""
    outside = _subnets(each for each in held if each.taken) or _subnets(each for each in held if each.open)
    inside = [each for each in routed if each not in outside]
    roles: dict[str, str] = {}
    if len(inside) == 1:
        roles[inside[0]] = INTERNAL
    if len(outside) == 1 and (len(inside) == 1 or not routed):
        roles[outside[0]] = EXTERNAL
    for subnet, name in nvas.shared.items():
        if subnet not in roles:
            roles[subnet] = unique(word(name, "role"), roles.values())
    return roles


def _aside(nvas: Nvas, kept: Mapping[str, str]) -> Iterator[str]:
    for machine in nvas.machines:
        for nic in machine.interfaces:
            if nic.subnet.casefold() in kept:
                continue
            if len(machine.on(nic.subnet)) > 1:
                why = f"{nvas.name(machine)} has several NICs there; --nic says which are meant"
            elif nic.subnet.casefold() in nvas.shared:
                why = "nothing there follows the active NVA"
            else:
                why = "not every NVA has one NIC there"
            held = [last_part(each.public_ip) for each in nic.configurations if each.public_ip]
            carries = f" with {', '.join(held)}" if held else ""
            yield f"{nic.name} in {last_part(nic.subnet)}{carries}: {why}"


def _tagged(network: Seen, group: Group) -> Iterator[str]:
    """Yield what tags of nvaha's say: somebody moves these already, or wants them left alone."""
    bearers: dict[tuple[str, str], list[str]] = {}
    for each in group.resource_ids:
        resource = network.get(each)
        tags = resource.body.get("tags") if resource else None
        for name, value in (tags if isinstance(tags, Mapping) else {}).items():
            if str(name).casefold().startswith(_TAGS):
                bearers.setdefault((str(name), str(value)), []).append(last_part(each))
    for (name, value), names in bearers.items():
        text = f"{listed(names)}: tag {name} = '{value}'"
        if name.casefold() == HOLD:
            yield f"{text}: nothing is moved by itself until it is removed"
        else:
            yield f"{text}: a deployment moves this already, and two would undo each other's work"
