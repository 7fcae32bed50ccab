"""The oracle's account of what people have named a time for: a pause that ends, a failover that is scheduled.

It goes by the time that everybody's clock is to follow, which no process sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nvaha.model import GroupState, Phase, Scheduled, SwitchRequest, Trigger
from tests.simulation.oracle_switches import Change
from tests.simulation.process import START_S
from tests.simulation.tolerances import CLOCK_S

if TYPE_CHECKING:
    from tests.simulation.world import World

MISSED_S = 300.0
LONGEST_S = 60.0
"""People name no later time, so that it comes while something goes wrong."""


class TimedOracle:
    """Judges who ends a pause, and who begins or drops what is scheduled."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pauses: dict[str, float] = {}
        self._resumed_s: dict[str, float] = {}
        self._over: set[tuple[str, Scheduled]] = set()

    def asked_to_pause(self, group: str, asked_s: float, for_s: float) -> None:
        """Note that somebody was told that a group is paused for so long from when he asked.

        Unless somebody else has resumed it meanwhile.
        """
        if self._resumed_s.get(group, 0.0) < asked_s:
            self._pauses[group] = max(self._pauses.get(group, 0.0), asked_s + for_s)

    def _resumed(self, group: str) -> None:
        self._pauses.pop(group, None)
        self._resumed_s[group] = self._world.loop.now_s

    def put_back(self, state: GroupState) -> None:
        """Note that a group's row says what it said before: what was asked for since may be lost."""
        self._resumed(state.group)
        self._over = {each for each in self._over if each[0] != state.group}

    def begun(self, change: Change, request: SwitchRequest) -> bool:
        """Tell whether a leader has begun what a person had scheduled."""
        theirs = request.trigger is Trigger.MANUAL and request.requested_by != "nvaha"
        return change.process.kind == "monitor" and theirs

    def written(self, change: Change) -> Iterator[str]:
        """Yield what a write does too early, too late, twice, or that is not its writer's to do."""
        old, new, now_s = change.old, change.new, self._world.loop.now_s
        kind, group = change.process.kind, change.group.name
        if change.forgets or change.history.remembered is not None:
            return
        if old.paused and not new.paused and kind == "web":
            self._resumed(group)
        if old.paused and not new.paused and kind == "monitor":
            if (until_s := self._pauses.get(group, 0.0)) > now_s:
                yield f"a pause that was to last until {until_s:.1f} is over"
            if old.paused_until is None or _s(old.paused_until.timestamp()) > now_s:
                yield f"a pause until {old.paused_until} is over"
        scheduled = old.scheduled
        if new.scheduled not in {None, scheduled} and kind != "web":
            yield f"{new.scheduled} is scheduled"
        if scheduled is None or new.scheduled is not None:
            return
        if (group, scheduled) in self._over and kind == "monitor":
            yield f"{scheduled} is over for the second time"
        self._over.add((group, scheduled))
        if kind == "monitor" and _s(scheduled.at.timestamp()) > now_s:
            yield f"{scheduled} is over before its time"
        if kind not in {"monitor", "web"}:
            yield f"{scheduled} is gone"

    def wrongly_begun(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        """Yield what should have kept a scheduled failover from being begun."""
        old = change.old
        scheduled = old.scheduled
        if scheduled is None or change.new.scheduled is not None:
            yield "nothing is scheduled, or still is"
            return
        if request.target != scheduled.target or request.forced:
            yield f"it is to {scheduled.target}, unforced"
        if scheduled.source not in {None, old.active}:
            yield f"it is from {scheduled.source}, and {old.active} is active"
        late_s = change.sent.sent_s - _s(scheduled.at.timestamp())
        if not 0.0 <= late_s <= MISSED_S + CLOCK_S:
            yield f"it is {late_s:.1f} s late"
        if old.paused and (old.paused_until is None or old.paused_until > scheduled.at):
            yield "the group is paused"
        if old.hold is not None:
            yield f"it is held: {old.hold}"
        if old.phase is Phase.SWITCHING:
            yield "another switch is under way"
        told = change.sent.told
        if told is None or not told.readings.get(request.target, False):
            yield "the leader has not been answered by the target"

    def left(self, state: GroupState) -> Iterator[str]:
        """Yield what a time was named for and has not come to pass."""
        now_s = self._world.loop.now_s
        if state.paused and state.paused_until is not None:
            until_s = _s(state.paused_until.timestamp())
            yield f"{state.group} is paused until {until_s:.1f}, now is {now_s:.1f}"
        if state.scheduled is not None:
            yield f"{state.group} has {state.scheduled} scheduled"


def _s(timestamp: float) -> float:
    return timestamp - START_S
