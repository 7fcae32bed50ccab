"""Carries one switch out: claim, read, plan, write in parallel, verify, report.

What keeps it from doing harm: it acts only while the group's state says that this very generation is under
way, it holds the group's switch lease, it looks at both before every write, and every write is conditional
on the ETag of what was read.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from nvaha.concurrency import unwrapped
from nvaha.core.inputs import SwitchDone, SwitchFailed, SwitchMoved
from nvaha.core.plan import Plan, plan, unsettled
from nvaha.model import Configuration, Group, GroupState, Notice, Operation, Phase, Snapshot
from nvaha.model.messages import SwitchMessage
from nvaha.ports import Clock, Leases, Network, NetworkError, Notifier, StateStore
from nvaha.state.commit import Committer
from nvaha.state.lease import Tenure
from nvaha.state.snapshot import read_snapshot
from nvaha.switch.apply import Applier
from nvaha.switch.record import Journal

TAKE_S, TAKE_EVERY_S = 20.0, 0.5
"""How long a worker waits for the group's switch lease: one whole lease of a holder that died, and a bit."""
PROGRESS_S = 5.0
WATCH_S = 1.0
SETTLE_S, SETTLE_EVERY_S = 300.0, 1.0
"""How long a switch waits for the end of a write that a worker before it began, and how often it looks."""
READ_WAITS_S, MAX_WAIT_S = (0.5, 1.0, 2.0), 30.0
PASSES = 5
"""So often is the network read and planned for again before a switch is called incomplete."""


class Superseded(Exception):
    """The switch is not under way any more: nothing more of it may be written."""


class OtherConfiguration(Exception):
    """The leader decided on another configuration of the group than this worker has."""


class SwitchIncomplete(Exception):
    """A switch ended with something left undone; the message says what."""


class Switcher:
    """Carries switches out, each under its group's switch lease."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        leases: Leases,
        store: StateStore,
        committer: Committer,
        network: Network,
        clock: Clock,
        notifier: Notifier,
        instance: str,
    ) -> None:
        self._groups = {group.name: group for group in configuration.groups}
        self._leases = leases
        self._store = store
        self._committer = committer
        self._network = network
        self._clock = clock
        self._notifier = notifier
        self._instance = instance

    async def run(self, message: SwitchMessage) -> str:
        """Carry out the switch that a message points at, if it is the one under way.

        Returns:
            What came of it, in a sentence. A message about anything but the switch under way moves nothing.

        Raises:
            SwitchIncomplete: the switch ended and something is left undone; that is recorded.
            StoreUnavailable, NetworkError, LeaseLost, OtherConfiguration: the attempt ended without a result,
                to be tried again.
        """
        group = self._groups.get(message.group)
        if group is None:
            return self._refuse(message, "no group of that name is configured")
        held = await self._store.load(group.name)
        if held is None or not _under_way(held.state, message):
            return self._refuse(
                message, "that switch is not under way (done, superseded, or never asked for)"
            )
        if held.state.fingerprint not in (None, group.fingerprint):
            text = f"{group.name}: the leader has another configuration of it than {self._instance}"
            raise OtherConfiguration(f"{text}; deploy the same one everywhere")
        tenure = Tenure(self._leases, self._clock, f"switch-{group.name}", self._instance)
        if not await self._take(tenure):
            return self._refuse(message, "another worker is carrying it out")
        run = _Run(
            group,
            message,
            held.state,
            tenure,
            store=self._store,
            committer=self._committer,
            network=self._network,
            clock=self._clock,
            notifier=self._notifier,
            instance=self._instance,
        )
        try:
            text = await run.carry_out()
        except Superseded as gone:
            return self._refuse(message, str(gone))
        finally:
            await tenure.release()
        return text

    async def give_up(self, message: SwitchMessage) -> str:
        """End a switch whose message could not be worked off, so that the leader can decide afresh.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        group = self._groups.get(message.group)
        if group is None:
            return self._refuse(message, "no group of that name is configured")
        error = "its message failed every time it was delivered (poison queue)"
        committed = await self._committer.commit(
            group, SwitchFailed(message.generation, message.operation, error)
        )
        if committed.refusal is not None:
            return self._refuse(message, committed.refusal.message)
        text = f"{group.name}: operation {message.operation} was given up: {error}"
        self._notify("message_poisoned", "error", text, group=group.name, operation=message.operation)
        return text

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._notifier.notify(Notice(event, level, text, {**fields, "instance": self._instance}))

    def _refuse(self, message: SwitchMessage, why: str) -> str:
        text = (
            f"{message.group}: nothing done for generation {message.generation} ({message.operation}): {why}"
        )
        fields = {"group": message.group, "operation": message.operation, "generation": message.generation}
        self._notify("message_refused", "info", text, **fields)
        return text

    async def _take(self, tenure: Tenure) -> bool:
        until = self._clock.monotonic() + TAKE_S
        while not await tenure.acquire():
            if self._clock.monotonic() >= until:
                return False
            await self._clock.sleep(TAKE_EVERY_S)
        return True


class _Run:
    """One attempt at one switch."""

    def __init__(
        self,
        group: Group,
        message: SwitchMessage,
        state: GroupState,
        tenure: Tenure,
        *,
        store: StateStore,
        committer: Committer,
        network: Network,
        clock: Clock,
        notifier: Notifier,
        instance: str,
    ) -> None:
        self._group = group
        self._message = message
        self._state = state
        self._tenure = tenure
        self._store = store
        self._committer = committer
        self._network = network
        self._clock = clock
        self._notifier = notifier
        self._instance = instance

    async def carry_out(self) -> str:
        """Carry the switch out and end it; return what came of it, in a sentence."""
        journal, left = await self._work_under_watch()
        await self._fence()
        generation, name = self._message.generation, self._message.operation
        if left:
            await journal.left(left)
            undone = f"left undone: {'; '.join(left)}"
            await self._committer.commit(self._group, SwitchFailed(generation, name, undone))
            raise SwitchIncomplete(f"{self._group.name}: operation {name} {undone}")
        committed = await self._committer.commit(self._group, SwitchDone(generation, name))
        if committed.refusal is not None:
            raise Superseded(committed.refusal.message)
        return f"{self._group.name}: operation {name} is done"

    async def _work_under_watch(self) -> tuple[Journal, tuple[str, ...]]:
        """Work with the lease kept and the state watched beside it; what ends one of them ends all.

        The watch is over before the switch is ended: to it, an ended switch is one that was superseded.
        """
        results: list[tuple[Journal, tuple[str, ...]]] = []

        async def work() -> None:
            results.append(await self._work())
            for task in beside:
                task.cancel()

        async with unwrapped(), asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(duty) for duty in (self._tenure.keep(), self._watch())]
            tasks.create_task(work())
        return results[0]

    async def _work(self) -> tuple[Journal, tuple[str, ...]]:
        await self._report_progress()
        request = self._state.request
        if request is None:
            raise Superseded("its request is gone from the state")
        operation = await self._store.operation(request.operation) or Operation(request=request)
        journal = Journal(self._store, self._clock, self._notifier, operation)
        await journal.open(self._instance)
        try:
            return journal, await self._converge(journal, request.target)
        except NetworkError as error:
            await journal.trouble(str(error))
            raise

    async def _converge(self, journal: Journal, target: str) -> tuple[str, ...]:
        """Read, plan and write until nothing is left to write; return what cannot be put right.

        The last pass writes nothing: it is the verification.
        """
        applier = Applier(
            self._group,
            self._state.nvas,
            network=self._network,
            clock=self._clock,
            journal=journal,
            fence=self._fence,
            alive=self._alive,
        )
        refused: dict[str, str] = {}
        unanswered: dict[str, str] = {}
        for _ in range(PASSES):
            todo, snapshot, read_at = await self._plan(target)
            stuck = [step for step in todo.steps if step.key in refused or set(step.after) & set(refused)]
            if len(stuck) == len(todo.steps):
                why = [f"{step.detail}: {refused.get(step.key, 'waits for another step')}" for step in stuck]
                return (*why, *todo.problems)
            await journal.plan(todo.steps)
            applied = await applier.apply(todo, snapshot, read_at)
            refused, unanswered = applied.refused, applied.unanswered
        return (f"not as planned after {PASSES} passes", *(refused | unanswered).values())

    async def _plan(self, target: str) -> tuple[Plan, Snapshot, float]:
        """Read and plan; with nothing left to write, wait until Azure has ended what it still writes."""
        until = self._clock.monotonic() + SETTLE_S
        while True:
            snapshot, read_at = await self._read()
            todo = plan(self._group, snapshot, target, self._state.nvas)
            late = unsettled(self._group, snapshot, target)
            if todo.steps or not late or self._clock.monotonic() >= until:
                return replace(todo, problems=(*todo.problems, *late)), snapshot, read_at
            await self._clock.sleep(SETTLE_EVERY_S)

    async def _read(self) -> tuple[Snapshot, float]:
        """Return the network and the monotonic clock before it was asked for.

        What Azure does not answer for is asked for a few times; then the switch goes on without it, and the
        plan says what that leaves undone.
        """
        for wait_s in READ_WAITS_S:
            asked_at = self._clock.monotonic()
            try:
                snapshot = await read_snapshot(self._network, self._group)
            except NetworkError as error:
                retry_after_s = error.retry_after_s or 0.0
            else:
                if snapshot.retry_after_s is None:
                    return snapshot, asked_at
                retry_after_s = snapshot.retry_after_s
            await self._clock.sleep(max(wait_s, min(retry_after_s, MAX_WAIT_S)))
        asked_at = self._clock.monotonic()
        return await read_snapshot(self._network, self._group), asked_at

    async def _fence(self) -> None:
        """Raise unless this switch may write right now: its lease stands, and so does its generation."""
        held = await self._store.load(self._group.name)
        if held is None or not _under_way(held.state, self._message):
            raise Superseded("it was superseded while it was carried out")
        self._tenure.check()

    async def _alive(self) -> None:
        self._tenure.check()

    async def _watch(self) -> None:
        """Report progress while there is some, and notice soon when another switch has taken over."""
        reported_at = self._clock.monotonic()
        while True:
            await self._clock.sleep(WATCH_S)
            if self._clock.monotonic() - reported_at >= PROGRESS_S:
                await self._report_progress()
                reported_at = self._clock.monotonic()
            else:
                await self._fence()

    async def _report_progress(self) -> None:
        moved = SwitchMoved(self._message.generation, self._message.operation)
        committed = await self._committer.commit(self._group, moved)
        if committed.refusal is not None:
            raise Superseded(committed.refusal.message)


def _under_way(state: GroupState, message: SwitchMessage) -> bool:
    return (
        state.phase is Phase.SWITCHING
        and state.generation == message.generation
        and state.request is not None
        and state.request.operation == message.operation
    )
