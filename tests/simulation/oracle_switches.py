"""What the oracle knows of switches: when one may begin, and how it may end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nvaha.model import Group, GroupState, Phase, Status, SwitchRequest, Trigger
from tests.simulation.azure import Writer
from tests.simulation.oracle_health import UNKNOWN, Counts, Told
from tests.simulation.process import Process
from tests.simulation.scenery import CANARY_EVERY_S
from tests.simulation.tolerances import CLOCK_S, STALE_S

if TYPE_CHECKING:
    from tests.simulation.oracle_looks import Look
    from tests.simulation.world import World

HOUR_S, NO_PROGRESS_S = 3600.0, 15.0
BACK_OFF_S, MAX_BACK_OFF_S = 15.0, 300.0
NEVER = float("-inf")
SEEN_S = 20.0
"""A leader knows of a switch that somebody else has begun once he has read it at his next tick."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What the oracle notes when a state is sent to the table."""

    sent_s: float
    told: Told | None
    writer: Writer | None
    epoch: int | None
    hindered: int
    look: Look | None


@dataclass(slots=True)
class Lane:
    """Switches of one kind: when the last one ended and failed, and when those began that did not fail."""

    ended_s: float = NEVER
    failed_s: float = NEVER
    failed_in_a_row: int = 0
    begun: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class History:
    """What has happened to one group.

    What repairs do holds up only repairs; what other switches do holds up both. `wanted` is the target of
    the last switch until it falls or something newer is asked for, and `unfinished` says that the switch
    failed, so that it is to be tried again; `by_hand` that a person had asked for it. `adopted` becomes true
    once the network has agreed with the record, or a person or a death has said which NVA it is to follow.
    `unseen` that nobody has looked since it was found that nobody had watched. `back` that the row was put
    back and no leader has written it since; `remembered` is what one remembered that then did. `pause_lost`
    that the row before was paused: a leader that has read that keeps it, unless a person says otherwise.
    """

    switches: Lane = field(default_factory=Lane)
    repairs: Lane = field(default_factory=Lane)
    heartbeat_s: float = NEVER
    moved_s: float = NEVER
    wanted: str | None = None
    unfinished: bool = False
    fell: bool = False
    by_hand: bool = False
    before: tuple[str | None, bool, bool, bool] = (None, False, False, False)
    adopted: bool = True
    unseen: bool = False
    back: bool = False
    remembered: GroupState | None = None
    pause_lost: bool = False

    @property
    def failed(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """When switches, and repairs, last failed, and how often in a row."""
        one, other = self.switches, self.repairs
        return (one.failed_s, one.failed_in_a_row), (other.failed_s, other.failed_in_a_row)

    @failed.setter
    def failed(self, value: tuple[tuple[float, int], tuple[float, int]]) -> None:
        for lane, (failed_s, in_a_row) in zip((self.switches, self.repairs), value, strict=True):
            lane.failed_s, lane.failed_in_a_row = failed_s, in_a_row

    def forget_all_but(self, names: tuple[str, ...]) -> None:
        """Forget what was asked for if the leader has no such NVA configured any more."""
        if self.wanted is not None and self.wanted not in names:
            self.wanted, self.unfinished, self.fell, self.by_hand = None, False, False, False

    def lane(self, trigger: Trigger) -> Lane:
        """Return the lane of a trigger."""
        return self.repairs if trigger is Trigger.REPAIR else self.switches


@dataclass(frozen=True, slots=True)
class Change:
    """One write of a group's state, as it took effect."""

    process: Process
    group: Group
    old: GroupState
    new: GroupState
    version: str
    sent: Saving
    history: History

    @property
    def forgets(self) -> bool:
        """Whether from here on the group is to be looked at anew."""
        return self.new.unwatched_at not in {None, self.old.unwatched_at}

    @property
    def began(self) -> bool:
        """Whether a switch began: a leader may also raise the generation of a row that went back in time."""
        newer = self.new.generation != self.old.generation and self.new.request != self.old.request
        return newer and self.new.phase is Phase.SWITCHING


class SwitchOracle:
    """Judges changes of a group's state."""

    def __init__(self, world: World) -> None:
        self._world = world

    def disagreements(self, change: Change) -> Iterator[str]:
        """Yield which rules a change broke, and keep the group's history."""
        old, new = change.old, change.new
        if change.process.kind == "monitor":
            change.history.forget_all_but(change.group.names)
        if new.epoch < old.epoch or change.sent.epoch not in (None, new.epoch):
            yield f"epoch {new.epoch} over {old.epoch}, holding {change.sent.epoch}"
        remembered = change.history.remembered
        floor = max(old.generation, remembered.generation if remembered else 0)
        if new.generation not in {floor, floor + 1} and new.generation != old.generation:
            yield f"generation {new.generation} over {old.generation}"
        kept = new.paused and (change.history.pause_lost or (remembered is not None and remembered.paused))
        change.history.pause_lost = change.history.pause_lost and change.process.kind != "web"
        # When that may be is judged apart.
        ended = old.paused_until is not None and not new.paused and change.process.kind == "monitor"
        if new.paused is not old.paused and change.process.kind != "web" and not (kept or ended):
            yield f"paused={new.paused}"
        began = change.began
        if began and new.request is not None:
            yield from self._begun(change, new.request)
            if change.group.canary is None:
                _want(change.history, new.request, superseded=old.phase is Phase.SWITCHING)
        if self._has_fallen(change, change.history.wanted):
            change.history.fell = True
        if change.history.unfinished and new.phase is Phase.STEADY and new.active == change.history.wanted:
            # The last of a switch that was called failed has arrived after all.
            change.history.unfinished = False
            change.history.switches.failed_in_a_row = change.history.repairs.failed_in_a_row = 0
        if old.phase is Phase.SWITCHING and (began or new.phase is not Phase.SWITCHING):
            yield from self._ended(change)
        elif new.active != old.active and old.phase is not Phase.UNKNOWN and old.active in change.group.names:
            # Read afresh is only what failed, and what the active NVA is configured no more in.
            yield f"active {new.active} over {old.active}"

    def _begun(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        world, name = self._world, change.process.name
        world.note(name, f"BEGINS {request.operation} ({request.trigger}) to {request.target}")
        world.count(f"switches: {request.trigger}")
        world.oracle.operations.begun.append(request.operation)
        if world.oracle.led_with(change.old) not in (None, change.group):
            yield f"{request.operation} is begun with another configuration than the leader's"
        again = change.history.unfinished and request.target == change.history.wanted
        by_itself = change.process.kind != "web" and again
        commanded = request.trigger is Trigger.MANUAL and not by_itself
        rules = self._commanded if commanded else self._automatic
        if request.trigger is Trigger.CANARY or change.group.canary is not None:
            rules = self._canary
        if world.oracle.timed.begun(change, request):
            rules = self._scheduled
        for wrong in rules(change, request):
            yield f"{request.operation} ({request.trigger}) to {request.target}: {wrong}"

    def _canary(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        """Yield what keeps a canary's run from beginning: it is in nobody's way."""
        if change.group.canary is None:
            yield "it is a group"
        if change.process.kind != "monitor":
            yield "only a leader begins a run"
        if change.old.phase is Phase.SWITCHING or change.old.paused:
            yield f"it is {change.old.phase}, paused={change.old.paused}"
        if change.sent.sent_s < change.history.switches.ended_s + 0.9 * CANARY_EVERY_S - CLOCK_S:
            yield f"the last run ended at {change.history.switches.ended_s:.1f}"
        for group in self._world.configuration.groups:
            state = self._world.state(group.name)
            if state is None or state.phase is not Phase.SWITCHING or state.request is None:
                continue
            for_s = (request.requested_at - state.request.requested_at).total_seconds()
            if for_s > SEEN_S:
                yield f"{group.name} has been switched for {for_s:.1f} s"

    def _commanded(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        target = self._counts(change, request.target)
        if change.process.kind != "web":
            yield "only an operator may command"
        stalled = self._world.loop.now_s - change.history.moved_s >= NO_PROGRESS_S - CLOCK_S
        if change.old.phase is Phase.SWITCHING and not (request.forced and stalled):
            yield "another switch is under way"
        # A write that comes late was decided when it was sent, and finds the row as it was then.
        fresh = change.sent.sent_s - change.history.heartbeat_s <= STALE_S
        if not request.forced and not (_up(target) and fresh):
            yield f"unforced, though the target is {target}"

    def _scheduled(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        """Yield what keeps what a person has scheduled from beginning at its time."""
        self._world.count("switches: scheduled")
        target = self._counts(change, request.target)
        if not _up(target):
            yield f"the target is {target}"
        yield from self._world.oracle.timed.wrongly_begun(change, request)

    def _automatic(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        policy, old, told = change.group.policy, change.old, change.sent.told
        target = self._counts(change, request.target)
        if told is None:
            yield "not by a leader"
        elif not told.readings.get(request.target, False):
            yield "the leader has not been answered by the target"
        # Who is answered by every NVA of the group that he can probe has no failure to doubt.
        elif told.blind and not all(told.readings.get(name, True) for name in change.group.names):
            yield "the monitor is blind"
        if not _up(target):
            yield f"the target is {target}"
        if change.history.unseen:
            text = f"{request.operation} ({request.trigger}) by a record that nobody has watched"
            self._world.oracle.violated(text, rule="past does not rule")
        commanded = request.trigger is Trigger.MANUAL
        again = change.history.unfinished and request.target == change.history.wanted
        if not policy.automatic and not (again and change.history.by_hand):
            yield "automatic switches are off"
        if old.paused and change.new.paused:
            yield "the group is paused"
        yield from self._too_soon(change, change.history.switches, commanded=commanded)
        if request.trigger is Trigger.REPAIR:
            yield from self._too_soon(change, change.history.repairs)
        # What points at a dead NVA is moved off it, asked for or not.
        others = (name for name in change.group.names if name != request.target)
        off_the_dead = request.trigger is Trigger.REPAIR and any(
            self._has_fallen(change, name) for name in others
        )
        rescue = request.trigger is Trigger.FAILOVER or off_the_dead
        if not change.history.adopted and not rescue:
            text = f"{request.operation} ({request.trigger}) moves what nobody has asked to be moved"
            self._world.oracle.violated(text, rule="moves asked for")
        if not again:
            yield from self._not_called_for(change, request)
            self._check_target(change, request)
        if not commanded:
            change.history.lane(request.trigger).begun[request.operation] = self._world.loop.now_s

    def _check_target(self, change: Change, request: SwitchRequest) -> None:
        """Check that what was asked for before and not finished does not give way to something else."""
        wanted = change.history.wanted
        fell = change.history.fell or self._has_fallen(change, wanted)
        if wanted and self._nobody_there(change, self._counts(change, wanted)):
            return
        if change.history.unfinished and wanted and not fell:
            text = f"{request.operation} goes to {request.target}, though {wanted} was asked for and is up"
            self._world.oracle.violated(text, rule="target stays")

    def _has_fallen(self, change: Change, nva: str | None) -> bool:
        return nva is not None and self._counts(change, nva)[0] == "down"

    def _nobody_there(self, change: Change, counts: Counts) -> bool:
        """Tell whether nobody knows an NVA that was asked for, and traffic still goes to one that is dead."""
        active, phase = change.old.active, change.old.phase
        if counts[0] != "unknown" or phase is not Phase.UNKNOWN or active is None:
            return False
        dead = self._counts(change, active)
        return dead[0] == "down" and dead[2] >= self._world.knobs.fall

    def _too_soon(self, change: Change, lane: Lane, *, commanded: bool = False) -> Iterator[str]:
        policy, sent_s = change.group.policy, change.sent.sent_s
        held_down = sent_s < lane.ended_s + policy.hold_down_s - CLOCK_S
        between = change.old.phase is Phase.SWITCHING or change.old.wanted is not None
        if held_down and not between:
            yield f"in hold-down: the last switch ended at {lane.ended_s:.1f}"
        # A back-off is that of moves to one NVA: once that has fallen, moving elsewhere does not wait for it.
        request = change.new.request
        elsewhere = change.history.unfinished and request and request.target != change.history.wanted
        back_off = min(BACK_OFF_S * 2 ** max(0, lane.failed_in_a_row - 1), MAX_BACK_OFF_S)
        if lane.failed_in_a_row and not elsewhere and sent_s < lane.failed_s + back_off - CLOCK_S:
            yield f"too soon after failure {lane.failed_in_a_row} at {lane.failed_s:.1f}"
        if commanded:
            return
        now = self._world.loop.now_s
        lately = [began for began in lane.begun.values() if now - began < HOUR_S - CLOCK_S]
        if len(lately) >= policy.max_switches_per_hour:
            yield f"past the flap limit: {lately}"

    def _not_called_for(self, change: Change, request: SwitchRequest) -> Iterator[str]:
        old = change.old
        switching = old.phase is Phase.SWITCHING and old.request is not None
        leaving = old.request.target if switching and old.request else old.wanted or old.active
        if request.trigger is Trigger.FAILOVER:
            left = UNKNOWN if leaving is None else self._counts(change, leaving)
            down = left[0] == "down" and left[2] >= self._world.knobs.fall
            if not down and not self._nobody_there(change, left):
                yield f"{leaving} is not down: {left}"
        elif switching:
            yield "another switch is under way"
        elif request.trigger is Trigger.REPAIR and request.target != old.active:
            yield f"the active one is {old.active}"
        elif request.trigger is Trigger.REPAIR and old.drift.seen < 2:
            yield f"drift was seen {old.drift.seen} times"
        elif request.trigger is Trigger.FAILBACK and request.target != change.group.names[0]:
            yield "it is not preferred"

    def _ended(self, change: Change) -> Iterator[str]:
        world, new, request = self._world, change.new, change.old.request
        if request is None:
            yield "a switch without a request ended"
            return
        world.note(change.process.name, f"ENDS {request.operation}: {new.phase} on {new.active}")
        history, sent = change.history, change.sent
        closed = {each.operation: each.status for each in new.closings}
        outcome = closed.get(request.operation)
        world.oracle.operations.outcomes[request.operation] = outcome or Status.FAILED
        if outcome is None or (new.phase is Phase.SWITCHING) != (outcome is Status.SUPERSEDED):
            yield f"{request.operation} ended as {outcome}, and the group is {new.phase}"
        lane = history.lane(request.trigger)
        led_with = world.oracle.led_with(change.old) or change.group
        if change.process.kind == "worker" and led_with != change.group:
            yield f"{request.operation} was ended with another configuration than the leader's"
        if outcome is Status.DONE:
            world.count("done")
            # What left the group where it was recorded holds up repairs, and no switch.
            moved = request.source != request.target or change.old.wanted not in {None, request.target}
            (lane if moved else history.repairs).ended_s = sent.sent_s
            history.switches.failed_in_a_row = history.repairs.failed_in_a_row = 0
            if sent.writer is None or sent.writer.operation != request.operation:
                yield f"{request.operation} was called done by somebody else"
                return
            left = world.oracle.writes.verified(sent.writer, led_with, request.target)
            if left or new.active != request.target:
                yield f"{request.operation} was called done on {new.active}, but {left}"
        elif outcome is Status.SUPERSEDED:
            world.count("superseded")
        else:
            world.count("failed")
            moving = sent.sent_s - history.moved_s < NO_PROGRESS_S - CLOCK_S
            if change.process.kind == "worker" and sent.writer is None and moving:
                yield f"{request.operation} was given up, though a worker was at it at {history.moved_s:.1f}"
            if new.active != change.old.active:
                yield f"{request.operation} failed, and the active one is {new.active}"
            history.unfinished = request.trigger is not Trigger.REPAIR
            if self._not_begun(change, request):
                # Nothing was moved: what had been asked for before still is, and nothing waits because of it.
                history.wanted, history.unfinished, history.fell, history.by_hand = history.before
            else:
                lane.failed_s, lane.failed_in_a_row = sent.sent_s, lane.failed_in_a_row + 1
            lane.begun.pop(request.operation, None)

    def _not_begun(self, change: Change, request: SwitchRequest) -> bool:
        """Tell whether a worker found that a planned move could not end well, and left all as it was."""
        planned = request.trigger in {Trigger.MANUAL, Trigger.FAILBACK} and not request.forced
        wrote = request.operation in self._world.oracle.writes.wrote
        wanted, unfinished, _, _ = change.history.before
        planned = planned and not (unfinished and wanted == request.target)
        # What a tag forbids is not begun either, whoever is in need of it.
        planned = planned or bool(change.new.rival or change.new.hold)
        # Whoever gives a poisoned message up has not looked whether the move could end well.
        return planned and change.sent.writer is not None and not wrote

    def _counts(self, change: Change, nva: str) -> Counts:
        return self._world.oracle.health.counts(change.group.name, change.version, nva)


def _want(history: History, request: SwitchRequest, *, superseded: bool) -> None:
    """Note what was asked for; the same asked for again by the code is still what a person wanted.

    What is superseded may be half done: should the new one not be begun, it is what is still to be finished.
    """
    history.before = history.wanted, history.unfinished or superseded, history.fell, history.by_hand
    again = history.unfinished and request.target == history.wanted
    history.by_hand = request.trigger is Trigger.MANUAL or (again and history.by_hand)
    history.wanted, history.unfinished, history.fell = request.target, False, False
    history.adopted = history.adopted or request.trigger in {Trigger.MANUAL, Trigger.FAILOVER}


def _up(counts: Counts) -> bool:
    return counts[0] == "up" and counts[1] == 0
