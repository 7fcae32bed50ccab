"""The oracle's account of tags and rivals: what may not be begun, how often a group may be brought back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nvaha.model import Group, GroupState, Resource, Status, SwitchRequest, Trigger
from tests.simulation.azure import Body, Writer
from tests.simulation.oracle_switches import Change
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

HOLD = "nvaha-hold"
HOUR_S, MOST_WHOLE = 3600.0, 2
BY_ITSELF = frozenset({Trigger.FAILOVER, Trigger.REPAIR, Trigger.FAILBACK})


def mark_name(group: Group) -> str:
    """Return the name of the tag by which a group's writers are told: own rule, apart from the code's."""
    nics = {nic.lower() for nva in group.nvas for nic in nva.interfaces.values()}
    return "nvaha-" + hashlib.sha256(" ".join(sorted(nics)).encode()).hexdigest()[:8]


class TagOracle:
    """Watches what a deployment's processes are shown of tags, and what it begins all the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown: dict[tuple[str, str], list[str]] = {}
        self._whole: set[str] = set()
        self._brought_back: dict[str, list[float]] = {}

    def read(self, process: Process, writer: Writer | None, found: Resource) -> None:
        """Remember what a process was shown of a resource, first and last."""
        versions = self._shown.setdefault((_who(process, writer), found.id.casefold()), [])
        versions[1:] = [found.etag]

    def unread(self, process: Process, resource_id: str) -> None:
        """Forget what a monitor was shown of a resource before: its next look cannot tell."""
        self._shown.pop((_who(process, None), resource_id.casefold()), None)

    def written(self, change: Change) -> Iterator[str]:
        """Yield what a change of a group's state has begun that it may not."""
        new, old, name = change.new, change.old, change.group.name
        request = new.request
        if change.began and request is not None and change.process.kind == "monitor":
            # Nobody looks at a canary's table in between: its next run is the look that finds the tag gone.
            forbidden = (old.rival or old.hold) if change.group.canary is None else None
            if forbidden:
                yield f"{request.operation} begins by itself, though {forbidden}"
            if request.trigger is Trigger.REPAIR and self._all_elsewhere(change, request):
                self._whole.add(request.operation)
                back = [at for at in self._back(name) if at > self._world.loop.now_s - HOUR_S]
                if len(back) >= MOST_WHOLE:
                    yield f"{request.operation} brings back what was put back {len(back)} times"
        for closing in new.closings:
            if closing.status is Status.DONE and closing.operation in self._whole:
                self._whole.discard(closing.operation)
                self._back(name).append(self._world.loop.now_s)
        if change.process.kind == "monitor" and new.drift.seen > old.drift.seen:
            yield from self._taken_in(change)

    def _back(self, group: str) -> list[float]:
        return self._brought_back.setdefault(group, [])

    def _taken_in(self, change: Change) -> Iterator[str]:
        """Yield tags that a leader was shown by the look that it has just written down, and passed over."""
        bodies = self._bodies(_who(change.process, None), change.group)
        if change.new.hold is None and any(HOLD in tags(each) for each in bodies):
            yield "a look passes a hold over"
        if change.new.rival is None and any(self._foreign(change.group, each) for each in bodies):
            yield "a look passes another's mark over"

    def sent(self, who: str, writer: Writer, group: Group, state: GroupState | None) -> None:
        """Check a worker's first write by the tags that it was shown at first and still saw last."""
        oracle, request = self._world.oracle, state.request if state else None
        if request is None or writer.operation in oracle.writes.wrote:
            return
        if oracle.operations.perhaps_moved(writer):
            return
        seen = [self._bodies(f"run {writer.run}", group, at) for at in (0, -1)]
        if not request.forced and all(any(self._foreign(group, each) for each in bodies) for bodies in seen):
            oracle.violated(f"{who} begins over another's mark")
        if request.trigger in BY_ITSELF and all(
            any(HOLD in tags(each) for each in bodies) for bodies in seen
        ):
            oracle.violated(f"{who} begins in spite of a hold")

    def may_change(self, group: Group, path: tuple[object, ...], before: object, after: object) -> bool:
        """Tell whether a write may change this, as a mark of its own."""
        if path != ("tags", mark_name(group)):
            return False
        mine = f"{self._world.account}/{group.name}"
        state = self._world.state(group.name)
        forced = state is not None and state.request is not None and state.request.forced
        return after in (mine, None) and (before in (mine, None) or forced)

    def _foreign(self, group: Group, body: Mapping[str, object]) -> bool:
        value = tags(body).get(mark_name(group))
        return value is not None and value.partition("/")[0] != self._world.account

    def _bodies(self, who: str, group: Group, at: int = -1) -> list[Body]:
        found = []
        for each in group.resource_ids:
            versions = self._shown.get((who, each.casefold()))
            if versions:
                found.append(self._world.arm.entry(each).versions[versions[at]])
        return found

    def _all_elsewhere(self, change: Change, request: SwitchRequest) -> bool:
        """Tell whether the leader was shown nothing of a group where it is to be, and something elsewhere."""
        world, group, names = self._world, change.group, set[str]()
        public_ips = {each.id.casefold() for each in group.public_ips}
        nics = {nic.casefold(): nva.name for nva in group.nvas for nic in nva.interfaces.values()}
        for body in self._bodies(_who(change.process, None), group):
            for route in body["properties"].get("routes", ()):
                place = world.places.get(route["properties"].get("nextHopIpAddress", ""))
                if place is not None and place.group == group.name:
                    names.add(place.nva)
            for each in body["properties"].get("ipConfigurations", ()):
                public_ip = each["properties"].get("publicIPAddress")
                if public_ip is not None and public_ip["id"].casefold() in public_ips:
                    names.add(nics[body["id"].casefold()])
        return bool(names) and request.target not in names


def tags(body: Mapping[str, object]) -> dict[str, str]:
    """Return a body's tags."""
    found = body.get("tags")
    return found if isinstance(found, dict) else {}


def _who(process: Process, writer: Writer | None) -> str:
    return process.name if writer is None else f"run {writer.run}"
