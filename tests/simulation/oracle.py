"""The oracle: checks safety after every step, from outside, on its own full history.

It sees every write of a group's state at the moment it takes effect, with the version it replaced and what
its writer had been told, every request to Azure, and every record. What it tolerates is in `tolerances`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvaha.model import Group, GroupState, Phase, Trigger
from nvaha.ports import Versioned
from tests.simulation.azure import WRITER
from tests.simulation.oracle_follow import FollowOracle
from tests.simulation.oracle_health import HealthOracle
from tests.simulation.oracle_leases import LeaseOracle
from tests.simulation.oracle_looks import LookOracle
from tests.simulation.oracle_operations import OperationOracle
from tests.simulation.oracle_past import PastOracle
from tests.simulation.oracle_rounds import RoundOracle
from tests.simulation.oracle_sight import SightOracle
from tests.simulation.oracle_switches import Change, History, Saving, SwitchOracle
from tests.simulation.oracle_tags import TagOracle
from tests.simulation.oracle_timed import TimedOracle
from tests.simulation.oracle_writes import WriteOracle, off_target
from tests.simulation.process import PREVIOUS, START_S, Process

if TYPE_CHECKING:
    from tests.simulation.world import World


KINDS = ("monitor", "worker")


class Oracle:
    """Collects violations; the first one ends a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.health = HealthOracle(world)
        self.writes = WriteOracle(world)
        self.operations = OperationOracle(world)
        self.leases = LeaseOracle(world)
        self.follow = FollowOracle(world)
        self.looks = LookOracle(world)
        self.rounds = RoundOracle(world)
        self.sight = SightOracle(world)
        self.tags = TagOracle(world)
        self.past = PastOracle(world)
        self.timed = TimedOracle(world)
        self._switches = SwitchOracle(world)
        self._histories: dict[str, History] = {}
        self._led: dict[tuple[str, int], Group] = {}

    def violated(self, text: str, *, rule: str = "") -> None:
        """Note that a rule was broken; one that waits is only counted.

        Beside the previous release rules wait for its processes: what names one of today's is enforced.
        """
        who = text.partition(" ")[0]
        todays = self._world.knobs.rolling and who.startswith(KINDS) and not who.endswith(PREVIOUS)
        if not self.enforced(rule) and not todays:
            self._world.count(f"waiting: {rule}")
            return
        self.violations.append(f"{self._world.loop.now_s:.3f}: {text}")
        self._world.note("ORACLE", text)
        self._world.stop()

    def enforced(self, rule: str) -> bool:
        """Tell whether a rule is enforced in this run."""
        return rule not in self._world.knobs.waiting

    def led_with(self, state: GroupState) -> Group | None:
        """Return a group as the leader who wrote it last has it configured; None before there was one."""
        return self._led.get((state.group, state.epoch))

    def moved_s(self, group: str) -> float:
        """Return when a group's switch began or a worker last moved it."""
        return self._histories[group].moved_s

    def _history(self, group: str) -> History:
        history = self._histories.get(group)
        if history is None:
            configured = self._world.group(group)
            adopted = self._world.knobs.adopt != "wait" or any(
                self.agrees(configured, nva) for nva in configured.names
            )
            history = self._histories[group] = History(adopted=adopted)
        return history

    def agrees(self, group: Group, nva: str) -> bool:
        """Tell whether all of a group in Azure is on one NVA."""
        bodies = {key: entry.body for key, entry in self._world.arm.entries.items()}
        return not any(off_target(self._world, group, nva, bodies))

    def wanted(self, group: str) -> str | None:
        """Return the NVA that a group was last asked to be on, unless it has fallen since."""
        history = self._histories.get(group)
        return history.wanted if history else None

    def finishing(self, group: str, target: str) -> bool:
        """Tell whether the switch under way asks again for what one before it has left half done."""
        history = self._histories.get(group)
        wanted, unfinished, _, _ = history.before if history else (None, False, False, False)
        return unfinished and wanted == target

    def put_back(self, group: str, held: Versioned, was: Versioned | None) -> None:
        """Note that a group's row says what it said before: whatever was asked for since may be lost."""
        state = held.state
        self.health.put_back(group, held.version, state)
        self.writes.put_back(group, state.generation)
        self.operations.put_back(group, state)
        self.follow.put_back(group)
        self.past.put_back(state)
        self.timed.put_back(state)
        wanted, switch = state.target or state.wanted, state.switch
        moved_at = switch and (switch.progress_at or switch.request.requested_at)
        self._histories[group] = History(
            heartbeat_s=self._history(group).heartbeat_s,
            moved_s=moved_at.timestamp() - START_S if moved_at else self._world.loop.now_s,
            wanted=wanted,
            unfinished=wanted is not None and state.phase is Phase.UNKNOWN,
            before=(wanted, state.request is not None and state.request.finishes, False, False),
            by_hand=state.request is not None and state.request.trigger is Trigger.MANUAL,
            back=True,
            pause_lost=self._history(group).pause_lost or (was is not None and was.state.paused),
        )

    def save_sent(self, process: Process, state: GroupState) -> Saving:
        """Check a state write at the moment it is sent."""
        now, epoch = self._world.loop.now_s, None
        if process.kind == "monitor":
            epoch = self.leases.epoch(process, "leader")
            if epoch is None:
                self.violated(f"{process.name} writes {state.group} without the leader's lease")
        leads = process.kind == "monitor"
        told = self.health.told(process) if leads else None
        group = process.group(state.group)
        look = self.looks.look(process, group) if leads and group.canary is None else None
        return Saving(now, told, WRITER.get(), epoch, process.hindered, look)

    def state_written(
        self, process: Process, before: Versioned | None, after: Versioned, sent: Saving
    ) -> None:
        """Check a state write at the moment it takes effect."""
        state, version = after.state, before.version if before else None
        change = Change(
            process=process,
            group=process.group(state.group),
            old=before.state if before else GroupState(state.group),
            new=state,
            version=after.version,
            sent=sent,
            history=self._history(state.group),
        )
        gap = self.past.gap(change)
        wrong = self.health.follow(state.group, version, state, after.version, told=sent.told, gap=gap)
        if wrong is not None:
            self.violated(f"{process.name} wrote {state.group}: {wrong}")
        if process.kind == "monitor":
            change.history.heartbeat_s = self._world.loop.now_s
            self._led[state.group, state.epoch] = change.group
        anew, failed = self.past.before(change), change.history.failed
        timed = () if process.previous else self.timed.written(change)
        for wrong in (*self._switches.disagreements(change), *self.tags.written(change), *timed):
            self.violated(f"{process.name} wrote {state.group}: {wrong}")
        if anew:
            # What ends for want of a watcher makes nothing else wait.
            change.history.failed = failed
        self.past.after(change, anew=anew)
        if state.phase is Phase.STEADY and not change.history.adopted:
            change.history.adopted = state.active in change.group.names and self.agrees(
                change.group, state.active
            )
        looked_at = change.group.canary is None
        for rule, wrong in self.looks.disagreements(change) if looked_at else ():
            self.violated(f"{process.name} wrote {state.group}: {wrong}", rule=rule)
        self.follow.written(change)
        before_at, after_at = (each.switch and each.switch.progress_at for each in (change.old, state))
        # One that has no token says so, and is not at it.
        at_work = process.kind == "worker" and after_at is not None and after_at != before_at
        if at_work or state.generation != change.old.generation:
            change.history.moved_s = sent.sent_s
