"""What the oracle knows of writes to Azure: who may send one, what it may change, what it must not lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nvaha.model import Group, GroupState, Health, Phase, PublicIp, Resource, Trigger
from tests.simulation.azure import Body, Entry, Writer, carried_by
from tests.simulation.process import Process
from tests.simulation.scenery import CANARY_TABLE, first_name
from tests.simulation.tolerances import BROKEN_S, LOST_EDIT_S

if TYPE_CHECKING:
    from tests.simulation.world import World

Key = tuple[str, str]
QUESTIONS, PASSES = 6, 5
"""So often may one worker ask Azure whether it would take a public IP that is still elsewhere; and in so many
passes where it cannot see that it is: Azure, which refuses it, knows better."""


@dataclass(slots=True)
class _Attempt:
    """What one worker knows of one resource in one operation."""

    version: str = ""
    read_s: float = float("-inf")
    failed_s: float = float("-inf")
    done_s: float = float("-inf")
    unread_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class _Held:
    """A public IP that a write attaches and that is on another NIC, as its writer has `seen` or not."""

    public_ip: str
    nic: str
    seen: bool


@dataclass(slots=True)
class _Sent:
    generation: int = 0
    arrived: int = 0
    broken_s: float = float("-inf")
    attempts: dict[tuple[int, str], _Attempt] = field(default_factory=dict)
    took_off: set[tuple[int, str]] = field(default_factory=set)
    asked: Counter[tuple[int, str]] = field(default_factory=Counter)

    def may_ask(self, writer: Writer, nic: str, held: _Held) -> bool:
        """Tell whether an attach may be just a question: nothing was taken off, and it was seldom asked."""
        often = QUESTIONS if held.seen else QUESTIONS * PASSES
        return (writer.run, held.public_ip) not in self.took_off and self.asked[writer.run, nic] <= often


class WriteOracle:
    """Watches every read and write of ARM."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._groups: dict[str, _Sent] = {}
        self.edits: dict[str, dict[tuple[str, str], str]] = {}
        self.late: list[str] = []
        self.wrote: set[str] = set()
        self._started: set[str] = set()

    def lease_broken(self, group: str) -> None:
        """Note that somebody took a group's switch lease from its holder."""
        self._groups.setdefault(group, _Sent()).broken_s = self._world.loop.now_s

    def put_back(self, group: str, generation: int) -> None:
        """Note that a group's row went back to a generation: two workers may be at it for a while."""
        sent = self._groups.setdefault(group, _Sent())
        sent.generation = sent.arrived = generation
        sent.broken_s = self._world.loop.now_s

    def read(self, process: Process, writer: Writer | None, found: Resource, served_s: float) -> None:
        """Remember what a worker was shown of a resource."""
        if writer is not None:
            attempt = self._attempt(writer, found.id)
            attempt.version, attempt.read_s = found.etag, served_s

    def unread(self, writer: Writer | None, resource_id: str) -> None:
        """Remember that a worker was not shown a resource."""
        if writer is not None:
            self._attempt(writer, resource_id).unread_s = self._world.loop.now_s

    def _check_whole(self, who: str, writer: Writer, state: GroupState | None, group: Group) -> None:
        """Check that a move nobody is in need of starts only when all of it can be done."""
        request = state.request if state else None
        if writer.operation in self._started or state is None or request is None:
            return
        self._started.add(writer.operation)
        planned = request.trigger in {Trigger.MANUAL, Trigger.FAILBACK} and not request.forced
        source = state.nvas.get(request.source or "")
        if not planned or source is None or source.health is not Health.UP:
            return
        if self._world.oracle.finishing(writer.group, request.target):
            return
        if self._world.oracle.operations.perhaps_moved(writer):
            return
        nics = [group.nva(request.target).interfaces[each.role] for each in group.public_ips]
        for resource_id in (*group.route_tables, *nics):
            attempt = self._attempt(writer, resource_id)
            if attempt.read_s <= attempt.unread_s:
                text = f"{who} starts a planned move, though {resource_id} could not be read"
                self._world.oracle.violated(text, rule="planned whole")

    def sent(self, process: Process, resource: Resource, writer: Writer | None, read_s: float) -> None:
        """Check a write at the moment it is sent."""
        world, now = self._world, self._world.loop.now_s
        if writer is None:
            return world.oracle.violated(f"{process.name} writes {resource.id} outside any switch")
        world.count("writes")
        world.note(process.name, f"{writer.operation} writes {resource.id} over {resource.etag}")
        who = f"{process.name} ({writer.operation})"
        if world.oracle.leases.epoch(process, f"switch-{writer.group}") is None:
            world.oracle.violated(f"{who} writes {resource.id} without the switch lease")
        shown = world.oracle.leases.shown(process, writer.group)
        if not _under_way(shown, writer):
            world.oracle.violated(f"{who} writes {resource.id} without having looked whether it still may")
        sent = self._groups.setdefault(writer.group, _Sent())
        if writer.generation < sent.generation and now > sent.broken_s + BROKEN_S:
            world.oracle.violated(f"{who} writes after generation {sent.generation} did")
        sent.generation = max(sent.generation, writer.generation)
        for rule, wrong in world.oracle.operations.disagreements(writer, resource.id):
            world.oracle.violated(f"{who} writes {resource.id}{wrong}", rule=rule)
        attempt = self._attempt(writer, resource.id)
        if resource.etag != attempt.version or attempt.read_s <= attempt.failed_s:
            world.oracle.violated(f"{who} writes {resource.id} from an old copy")
        if now - read_s > LOST_EDIT_S and world.arm.entry(resource.id).kind == "nic":
            world.oracle.violated(f"{who} writes {resource.id}, read {now - read_s:.1f} s ago")
        group = process.group(writer.group)
        if shown and world.oracle.led_with(shown) not in (None, group):
            world.oracle.violated(f"{who} writes {resource.id} with another configuration than the leader's")
        self._check_owned(who, group, resource)
        world.oracle.tags.sent(who, writer, group, shown)
        held_elsewhere = list(self._held_elsewhere(writer, group, resource))
        if held_elsewhere:
            # Only a question: Azure says whether it would, and does nothing.
            sent.asked[writer.run, resource.id] += 1
        else:
            self._check_whole(who, writer, shown, group)
            self.wrote.add(writer.operation)
        for held in held_elsewhere:
            if not sent.may_ask(writer, resource.id, held):
                text = f"{who} attaches {held.public_ip} before it is detached from {held.nic}"
                world.oracle.violated(text)
        sent.took_off |= {(writer.run, each) for each in self._taken_off(resource)}
        return None

    def _taken_off(self, resource: Resource) -> set[str]:
        """Return the public IPs that a write takes off a NIC."""
        before = self._world.arm.entry(resource.id).versions.get(resource.etag)
        gone = set(carried_by(before).values()) if before else set()
        return gone - set(carried_by(resource.body).values())

    def _held_elsewhere(self, writer: Writer, group: Group, resource: Resource) -> Iterator[_Held]:
        """Yield what a write attaches that its writer has seen elsewhere and not taken off since."""
        gained = set(carried_by(resource.body).values())
        for nva in group.nvas if gained else ():
            for nic in nva.interfaces.values():
                attempt = self._attempt(writer, nic)
                if nic.casefold() == resource.id.casefold() or attempt.done_s > attempt.read_s:
                    continue
                entry = self._world.arm.entry(nic)
                # What could not be read the last time may have changed since: then what is there counts.
                seen = attempt.read_s > attempt.unread_s
                body = entry.versions.get(attempt.version) if seen else entry.body
                for public_ip in gained & set(carried_by(body).values() if body else ()):
                    yield _Held(public_ip, nic, seen)

    def arrived(
        self, process: Process, resource: Resource, entry: Entry, writer: Writer | None, read_s: float
    ) -> None:
        """Check a write at the moment it takes effect; `entry` is still as before."""
        if writer is None:
            return
        sent = self._groups[writer.group]
        if writer.generation < sent.arrived:
            self._world.count("late effects")
            self._world.note(process.name, f"{writer.operation} arrives late at {resource.id}")
            self.late.append(f"generation {writer.generation} after {sent.arrived} on {resource.id}")
        sent.arrived = max(sent.arrived, writer.generation)
        edits = self.edits.get(resource.id.casefold(), {})
        kept = _tokens(resource.body)
        for key in [key for key, token in edits.items() if kept.get(key) != token]:
            # Where If-Match is ignored, a write sent at once after its read is beyond anybody's power.
            if resource.etag == entry.etag:
                text = f"{process.name} lost {key}={edits[key]} of {resource.id}, read {read_s:.1f}"
                self._world.oracle.violated(text)
            self._world.count("edits lost where If-Match is ignored")
            del edits[key]

    def ended(self, process: Process, resource: Resource, writer: Writer | None, *, done: bool) -> None:
        """Remember how a write ended for its worker."""
        if writer is not None:
            attempt = self._attempt(writer, resource.id)
            now = self._world.loop.now_s
            attempt.done_s = now if done else attempt.done_s
            attempt.failed_s = float("-inf") if done else now

    def well_ended(self, writer: Writer, resource_id: str) -> bool:
        """Tell whether a step may be called done: its last write ended well, or was looked at since."""
        attempt = self._attempt(writer, resource_id)
        return attempt.read_s > attempt.failed_s

    def verified(self, writer: Writer, group: Group, target: str) -> list[str]:
        """Return what, in the worker's last copies, is not on the target yet."""
        # Of the NVA that was left nothing is asked: a public IP is where the target's NIC says that it is.
        nics = [group.nva(target).interfaces[public_ip.role] for public_ip in group.public_ips]
        bodies = {}
        for resource_id in (*group.route_tables, *nics):
            attempt = self._attempt(writer, resource_id)
            if not attempt.version:
                return [f"{resource_id} was not read"]
            if attempt.read_s <= attempt.failed_s:
                return [f"{resource_id} was not read again after a failed write"]
            bodies[resource_id.casefold()] = self._world.arm.entry(resource_id).versions[attempt.version]
        return list(off_target(self._world, group, target, bodies))

    def _attempt(self, writer: Writer, resource_id: str) -> _Attempt:
        attempts = self._groups.setdefault(writer.group, _Sent()).attempts
        return attempts.setdefault((writer.run, resource_id.casefold()), _Attempt())

    def _check_owned(self, who: str, group: Group, resource: Resource) -> None:
        entry = self._world.arm.entry(resource.id)
        before = entry.versions.get(resource.etag, entry.body)
        if resource.id.casefold() not in {each.casefold() for each in group.resource_ids}:
            self._world.oracle.violated(f"{who} writes {resource.id}, which is not configured there")
        mine = {each: place for each, place in self._world.places.items() if place.nva in group.names}
        public_ips = {each.id.casefold() for each in group.public_ips}
        if group.canary is not None:
            self._check_canary(who, resource.id, before)
        for path in _differences(before, resource.body):
            one, other = _at(before, path), _at(resource.body, path)
            if path[-1] == "nextHopIpAddress":
                if one in mine and other in mine and mine[one].role == mine[other].role:
                    continue
            elif "publicIPAddress" in path:
                ids = {each.casefold() for each in (_id_of(one), _id_of(other)) if each}
                if ids and ids <= public_ips:
                    continue
            elif self._world.oracle.tags.may_change(group, path, one, other):
                continue
            self._world.oracle.violated(f"{who} changes {'/'.join(map(str, path))} of {resource.id}")

    def _check_canary(self, who: str, resource_id: str, before: Body) -> None:
        """Check that a canary's write is to its own table, while nothing but its route is there."""
        own = resource_id.casefold() == CANARY_TABLE.casefold()
        alone = len(before["properties"]["routes"]) == 1 and not before["properties"].get("subnets")
        if not (own and alone):
            self._world.oracle.violated(f"{who} writes {resource_id} for the canary: {before}")


def _under_way(state: GroupState | None, writer: Writer) -> bool:
    return (
        state is not None
        and state.phase is Phase.SWITCHING
        and state.generation == writer.generation
        and state.request is not None
        and state.request.operation == writer.operation
    )


def off_target(world: World, group: Group, target: str, bodies: Mapping[str, Body]) -> Iterator[str]:
    """Yield what of a group does not point at an NVA: own rules, apart from the code's planner."""
    for table in group.route_tables:
        for route in bodies[table.casefold()]["properties"]["routes"]:
            place = world.places.get(route["properties"].get("nextHopIpAddress", ""))
            if place is not None and place.nva in group.names and place.nva != target:
                yield f"{table}: route {route['name']} points at {place.nva}"
    for public_ip in group.public_ips:
        nic = group.nva(target).interfaces[public_ip.role]
        name = wanted_name(public_ip, target)
        if carried_by(bodies[nic.casefold()]).get(name) != public_ip.id.casefold():
            yield f"{public_ip.id} is not on {nic} ({name})"


def wanted_name(public_ip: PublicIp, nva: str) -> str:
    """Return the IP configuration that has to carry a public IP."""
    return public_ip.ip_configuration or first_name(int(nva.rpartition("n")[2]))


def _tokens(body: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return what other people wrote into a body: tags, and routes that are theirs."""
    tokens = {("tag", name): value for name, value in body.get("tags", {}).items()}
    for route in body["properties"].get("routes", ()):
        tokens["route", route["name"]] = route["properties"].get("addressPrefix", "")
    return tokens


def _differences(one: Any, other: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if path == ("properties",) and key in {"provisioningState"}:
                continue
            if (key in one) != (key in other):
                yield (*path, key)
            else:
                yield from _differences(one[key], other[key], (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, (*path, index))
    elif one != other:
        yield path


def _at(body: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else body[key]
        if body is None:
            return None
    return body


def _id_of(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("id", ""))
    return value if isinstance(value, str) else ""
