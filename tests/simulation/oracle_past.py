"""The oracle's account of the past: what nobody has watched rules nothing, and neither does what went back.

A group was watched when a leader's round was written, or a worker or a person did something about its switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nvaha.model import GroupState, Phase
from tests.simulation.oracle_switches import NEVER, Change, History
from tests.simulation.process import START_S, Process
from tests.simulation.tolerances import CLOCK_S

if TYPE_CHECKING:
    from tests.simulation.world import World

UNWATCHED_S, STALE_S = 300.0, 30.0


@dataclass(frozen=True, slots=True)
class Gap:
    """How long nobody had probed a group before a write, and whether what is known of it may, or has to, go.

    `counts` and `health` tell, each, whether these may have been dropped and whether they must.
    """

    counts: tuple[bool, bool] = (False, False)
    health: tuple[bool, bool] = (False, False)


class PastOracle:
    """Judges who relies on what nobody has watched."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watched_s: dict[str, float] = {}
        self._probed_s: dict[str, float] = {}
        self._memory: dict[tuple[str, str], GroupState] = {}

    def remembered(self, process: Process, state: GroupState) -> None:
        """Note what a monitor knows that it has written."""
        if process.kind == "monitor":
            self._memory[process.name, state.group] = state

    def put_back(self, state: GroupState) -> None:
        """Note that a group's row says what it said before: it is as old as it was then."""
        switch = state.switch
        times = [state.probed_at, state.unwatched_at, state.guards.ended_at]
        times += [switch.progress_at, switch.request.requested_at] if switch else []
        known = [time.timestamp() - START_S for time in times if time is not None]
        self._watched_s[state.group] = max(known, default=NEVER)
        self._probed_s.pop(state.group, None)
        if state.probed_at is not None:
            self._probed_s[state.group] = state.probed_at.timestamp() - START_S

    def gap(self, change: Change) -> Gap:
        """Return what a write may, and has to, have dropped of the NVAs' health."""
        forgets = change.forgets
        since_s = change.sent.sent_s - self._probed_s.get(change.group.name, change.sent.sent_s)
        counts, health = _bounds(since_s, STALE_S), _bounds(since_s, UNWATCHED_S)
        # The previous release does not know how old what it knows is.
        knows = not change.process.previous
        return Gap((counts[0] or forgets, counts[1] and knows), (health[0] or forgets, health[1] and knows))

    def before(self, change: Change) -> bool:
        """Tell whether a write has to take its group for one that is seen for the first time."""
        group, process = change.group.name, change.process
        watched_s = self._watched_s.get(group, NEVER)
        since_s = 0.0 if watched_s == NEVER else change.sent.sent_s - watched_s
        may, must = _bounds(since_s, UNWATCHED_S)
        # Of a record that nobody has probed yet a new leader cannot tell how old it is.
        may = may or watched_s == NEVER
        forgets, history = change.forgets, change.history
        history.remembered = None
        if history.back and process.kind == "monitor":
            history.back, may = False, True
            memory = self._memory.get((process.name, group))
            must = must or (memory is not None and _is_newer(memory, change.old))
            history.remembered = memory if must or forgets else None
        request = change.old.request if process.kind == "worker" else None
        outdated = request is not None and self._world.oracle.operations.over(request.operation)
        if forgets and not (may or outdated):
            text = f"{process.name} forgets {group}, which was watched {since_s:.1f} s ago"
            self._world.oracle.violated(text)
        going = change.old.phase is change.new.phase is Phase.SWITCHING
        if must and process.kind == "worker" and going and change.old.generation == change.new.generation:
            text = (
                f"{process.name} goes on with a switch of {group} that nobody has watched for {since_s:.0f} s"
            )
            self._world.oracle.violated(text, rule="past does not rule")
        # The switch that a leader remembers goes on: that one it has watched.
        # Also one that ends by that very write, not done in time, and is to be finished.
        wanted = change.old.phase is Phase.SWITCHING and change.new.wanted is not None
        goes_on = forgets and (going or wanted) and change.old.request == change.new.request
        # Whoever leads only puts its epoch on a canary, which nobody watches between its runs.
        looks = process.kind == "monitor" and change.group.canary is None
        anew = not goes_on and (forgets or (must and looks))
        if anew:
            self._world.count("groups looked at anew")
            change.history.unseen = True
        return anew

    def after(self, change: Change, *, anew: bool) -> None:
        """Note who has watched a group, and what is known of it from here on."""
        old, new, history, group = change.old, change.new, change.history, change.group.name
        if anew:
            forget(history)
            for closing in new.closings:
                # Also what only its leader remembers has ended.
                self._world.oracle.operations.outcomes.setdefault(closing.operation, closing.status)
            history.adopted = self._world.knobs.adopt != "wait" or any(
                self._world.oracle.agrees(change.group, nva) for nva in change.group.names
            )
        commanded = new.generation != old.generation and change.process.kind == "web"
        looked = old.phase is Phase.UNKNOWN and new.phase is Phase.STEADY
        if looked or commanded:
            history.unseen = False
        probed = change.process.kind == "monitor" and new.probed_at != old.probed_at
        if probed:
            self._probed_s[group] = change.sent.sent_s
        # A canary is looked at by whoever begins its run, and asks for it again.
        asked = change.group.canary is not None and new.switch != old.switch
        # A look, or what was sent before a process stood still, leaves it to the next round to say so.
        begun_anew = anew and change.forgets
        if probed or begun_anew or commanded or asked or change.process.kind == "worker":
            self._watched_s[group] = change.sent.sent_s


def forget(history: History) -> None:
    """Forget what a group was asked for."""
    history.wanted, history.unfinished, history.fell, history.by_hand = None, False, False, False
    history.before = None, False, False, False


def _is_newer(memory: GroupState, row: GroupState) -> bool:
    """Tell whether a leader remembers more than a row says, by far."""
    if row.generation > memory.generation or row.epoch > memory.epoch:
        return False
    if row.generation < memory.generation or row.epoch < memory.epoch or row.probed_at is None:
        return True
    assert memory.probed_at is not None
    return (memory.probed_at - row.probed_at).total_seconds() > 2 * CLOCK_S


def _bounds(since_s: float, limit_s: float) -> tuple[bool, bool]:
    return since_s > limit_s - CLOCK_S, since_s > limit_s + CLOCK_S
