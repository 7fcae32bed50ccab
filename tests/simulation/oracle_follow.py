"""The oracle's account of what has to follow from a written state: its message, and what people are told.

Both are derived from the states themselves, as they were before and after a write, so that it does not matter
who tells, nor whether the writer lived to do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nvaha.model import Health, Notice, Phase, SwitchRequest
from tests.simulation.azure import WRITER
from tests.simulation.oracle_switches import Change
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

Due = tuple[str, str, str]
"""Event, group, and the operation or the NVA that it is about, if any."""
OF_AN_OPERATION = frozenset({"switch_requested", "switch_superseded", "switch_done", "switch_failed"})
OF_A_GROUP = frozenset(
    {"all_down", "paused", "resumed", "drift_found", "failover_scheduled", "failover_cancelled"}
    | {"failover_dropped"}
)
MESSAGE_S = 5.0
"""So soon after a switch was written its message is on the queue, if nothing hinders its writer."""


class FollowOracle:
    """Watches written states, messages and notices."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._untold: dict[Due, float] = {}
        self._happened: set[Due] = set()
        self._queued: set[str] = set()
        self._ended_by: dict[str, int] = {}

    def written(self, change: Change) -> None:
        """Note what a written state calls for."""
        # What is told of a canary has other names, and is nobody's to wait for.
        for due in _due(change) if change.group.canary is None else ():
            self._happened.add(due)
            self._untold.setdefault(due, self._world.loop.now_s)
        old, new = change.old, change.new
        if change.began and new.request is not None:
            self._await_message(change.process, new.request, change.sent.hindered)
        # Who finds that a switch had ended long before has done nothing for it, and ends it nevertheless.
        writer = None if change.forgets else change.sent.writer
        if old.phase is Phase.SWITCHING and new.phase is not Phase.SWITCHING and writer and old.request:
            self._ended_by[old.request.operation] = writer.run

    def put_back(self, group: str) -> None:
        """Forget what people were to be told of a group whose row went back to before that."""
        self._untold = {due: since_s for due, since_s in self._untold.items() if due[1] != group}
        self._ended_by.clear()

    def queued(self, operation: str) -> None:
        """Note that a message was put on the queue."""
        self._queued.add(operation)

    def told(self, process: Process, notice: Notice) -> None:
        """Note that people were told of something, and check that it had happened."""
        fields, writer = notice.fields, WRITER.get()
        group, operation = str(fields.get("group", "")), str(fields.get("operation", ""))
        if notice.event == "message_refused" and writer and self._ended_by.get(operation) == writer.run:
            text = f"{process.name} has ended {operation} and says that it has done nothing for it"
            self._world.oracle.violated(text, rule="stands by its own end")
        tokenless = notice.event == "switch_failed" and "no token" in notice.text
        if tokenless and "not done within" not in notice.text:
            self._world.oracle.violated(f"{process.name}: {notice.text}", rule="no token fails nothing")
        if notice.event in OF_AN_OPERATION:
            due = notice.event, group, operation
            if due not in self._happened:
                self._world.oracle.violated(f"{process.name} tells {due}, which has not happened")
        elif notice.event in OF_A_GROUP:
            due = notice.event, group, ""
        else:
            due = notice.event, group, str(fields.get("nva", ""))
        self._untold.pop(due, None)

    def untold(self) -> Iterator[str]:
        """Yield what nobody has been told of yet."""
        for (event, group, which), since_s in self._untold.items():
            yield f"nobody was told {event} {which} of {group}, written at {since_s:.1f}"

    def _await_message(self, process: Process, request: SwitchRequest, hindered: int) -> None:
        world = self._world

        def check() -> None:
            state = world.state(request.group)
            superseded = state is None or not state.under_way(request.operation, request.generation)
            if request.operation in self._queued or superseded:
                return
            if not process.dead and process.hindered == hindered:
                text = f"{process.name} wrote {request.operation}; no message for {MESSAGE_S:g} s"
                world.oracle.violated(text, rule="message follows")

        world.loop.call_later(MESSAGE_S, check)


def _due(change: Change) -> Iterator[Due]:
    """Yield what a change of a group's state has people told of."""
    old, new, group = change.old, change.new, change.group.name
    if change.began and new.request is not None:
        yield "switch_requested", group, new.request.operation
    for closing in new.closings:
        if closing not in old.closings:
            yield f"switch_{closing.status}", group, closing.operation
    if new.all_down and not old.all_down:
        yield "all_down", group, ""
    # A pause that a row has lost and its leader remembers was told when it began.
    if new.paused is not old.paused and not change.forgets:
        yield "paused" if new.paused else "resumed", group, ""
    if new.scheduled != old.scheduled and not change.forgets and not change.process.previous:
        yield from _of_the_scheduled(change)
    if old.phase is new.phase is Phase.STEADY and old.drift.seen < 2 <= new.drift.seen:
        yield "drift_found", group, ""
    for name, nva in new.nvas.items():
        if nva.unsteady and not (name in old.nvas and old.nvas[name].unsteady):
            yield "nva_unsteady", group, name
    active = new.active or ""
    if active in new.nvas and new.nvas[active].health is Health.DOWN:
        before = old.nvas.get(active)
        if before is None or before.health is not Health.DOWN:
            yield "nva_down", group, active


def _of_the_scheduled(change: Change) -> Iterator[Due]:
    """Yield what people are told of a failover that is scheduled, or is not any more."""
    old, new, group = change.old, change.new, change.group.name
    if new.scheduled is not None:
        yield "failover_scheduled", group, ""
    elif change.process.kind == "web":
        yield "failover_cancelled", group, ""
    elif old.scheduled is not None and not (
        change.began and new.request is not None and new.request.requested_by == old.scheduled.by
    ):
        yield "failover_dropped", group, ""
