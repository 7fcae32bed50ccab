"""Applying a plan: every step as soon as those before it have ended, conditional, tried again with care."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nvaha.concurrency import run_all
from nvaha.core.bodies import UnreadableBodyError
from nvaha.core.marks import Mark
from nvaha.core.plan import Plan, Step
from nvaha.model import Resource, Snapshot, StepStatus
from nvaha.ports import LONGEST_WAIT_S, Clock, NetworkError, NetworkFault, Ports
from nvaha.switch.record import OperationRecorder
from nvaha.tracing import fail, span

ATTEMPTS, BACK_OFF_S = 6, 0.5
THROTTLED_FOR_S, THROTTLED_WAIT_S = 300.0, 5.0
"""So long throttling is waited out without an attempt lost, and how long where ARM names no time."""
FRESH_S = 1.0
"""A resource read longer ago than this is read again before it is written: NICs may ignore If-Match
(azure-facts B1), so what keeps somebody else's edit is a short time between reading and writing."""
LOOKS = 3
"""So often is a resource read again because too long passed before it could be written."""
SLOWEST_S = 5.0
"""A read that took longer than this was not slow but stopped, perhaps with the whole process."""
WRITES_AT_ONCE = 50

PlanAgain = Callable[[Step, Snapshot], Step | None]
"""Returns a step as it looks on newer copies, or None if nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan's steps that did not succeed.

    Args:
        refused: {step: why} for those that Azure will not do as things stand.
        unanswered: {step: why} for those that may do better with a fresh look.
    """

    refused: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


class Applier:
    """Applies plans of one switch.

    Args:
        ports: reads, writes and waits.
        record: told of each step before it is written and once it has ended.
        fence: awaited before every write; raises if this switch may not write any more.
        alive: awaited while a write's operation is waited for; raises likewise.
        mark: what is left on whatever is written.
        take_over: whether another deployment's mark gives way to it.
    """

    def __init__(
        self,
        ports: Ports,
        record: OperationRecorder,
        *,
        fence: Callable[[], Awaitable[None]],
        alive: Callable[[], Awaitable[None]],
        mark: Mark,
        take_over: bool = False,
    ) -> None:
        self._mark = mark
        self._take_over = take_over
        self._bare: set[str] = set()
        self._network = ports.network
        self._clock = ports.clock
        self._record = record
        self._fence = fence
        self._alive = alive
        self._places = asyncio.Semaphore(WRITES_AT_ONCE)

    async def try_attaches(
        self, steps: Iterable[Step], snapshot: Snapshot, again: PlanAgain
    ) -> dict[str, str]:
        """Ask Azure to put public IPs where they should go while they are still in use elsewhere.

        It answers that they are in use, and changes nothing; or it says why they will never go there (a right
        that is missing, a policy, a zone), which nothing else tells ahead. So a public IP is not taken off an
        NVA that works only to hang on nothing.

        Args:
            steps: the steps that will attach them.
            snapshot: what they were planned from; their NICs are read once more.
            again: plans one of them on a newer copy of its NIC.

        Returns:
            {step: why} for those that must not be begun.
        """
        refused: dict[str, str] = {}

        async def try_(step: Step) -> None:
            pass_ = _Pass(snapshot.resources, snapshot.unanswered, float("-inf"), snapshot.missing)
            error: NetworkError | UnreadableBodyError | None = None
            tries = _Tries(self._clock)
            while await tries.another(error):
                try:
                    current = await self._cleared(step, again, pass_, again=True)
                    if current is None:
                        return
                    await self._write(current, pass_)
                except (NetworkError, UnreadableBodyError) as failure:
                    error = failure
                    _raise_without_a_token(failure)
                    if isinstance(failure, NetworkError) and failure.fault is NetworkFault.IN_USE:
                        return
                    if isinstance(failure, UnreadableBodyError) or failure.fault.lasting:
                        break
                else:
                    return
            refused[step.key] = f"{step.detail}: {step.because(error)}"
            await self._record.ended(step.key, StepStatus.FAILED, step.because(error), error)

        async def traced(step: Step) -> None:
            with span("nvaha.ask", step=step.kind, resource_id=step.resource_id) as made:
                await try_(step)
                if step.key in refused:
                    fail(made, refused[step.key])

        await run_all(traced(step) for step in steps)
        return refused

    async def apply(self, todo: Plan, snapshot: Snapshot, read_at: float, again: PlanAgain) -> Applied:
        """Apply a plan and say what of it did not succeed. Raises what `fence` and `alive` raise.

        Args:
            todo: the plan.
            snapshot: what it was made from.
            read_at: the monotonic clock before the snapshot was asked for.
            again: plans one of its steps on newer copies of what that touches.
        """
        pass_ = _Pass(snapshot.resources, snapshot.unanswered, read_at, snapshot.missing)
        applied = Applied()
        ended = {step.key: asyncio.Event() for step in todo.steps}

        async def run(step: Step) -> None:
            for key in step.after:
                if key in ended:
                    await ended[key].wait()
            failed = [key for key in step.after if key in applied.refused or key in applied.unanswered]
            if failed:
                error = f"not tried, because {failed[0]} did not succeed"
                applied.unanswered[step.key] = error
                await self._record.ended(step.key, StepStatus.SKIPPED, error)
            else:
                async with self._places:
                    with span("nvaha.write", step=step.kind, resource_id=step.resource_id) as made:
                        await self._carry_out(step, again, pass_, applied)
                        if why := applied.refused.get(step.key) or applied.unanswered.get(step.key):
                            fail(made, why)
            ended[step.key].set()

        await run_all(run(step) for step in todo.steps)
        return applied

    async def _carry_out(self, step: Step, plan_again: PlanAgain, pass_: _Pass, applied: Applied) -> None:
        error: NetworkError | UnreadableBodyError | None = None
        tries = _Tries(self._clock)
        while await tries.another(error):
            try:
                current = await self._cleared(step, plan_again, pass_, again=error is not None)
                if current is None:
                    break
                wanted = await self._write(current, pass_)
            except (NetworkError, UnreadableBodyError) as failure:
                error = failure
                _raise_without_a_token(failure)
                if isinstance(failure, UnreadableBodyError) or failure.fault.lasting:
                    applied.refused[step.key] = str(failure)
                    return await self._record.ended(
                        step.key, StepStatus.FAILED, step.because(failure), failure
                    )
            else:
                pass_.wrote(wanted)
                break
        else:
            applied.unanswered[step.key] = str(error)
            return await self._record.ended(step.key, StepStatus.FAILED, step.because(error), error)
        return await self._record.ended(step.key, StepStatus.DONE)

    async def _write(self, step: Step, pass_: _Pass) -> Resource:
        """Write a step's resource with the mark, or without where a policy has denied that; return it.

        A mark must not cost a switch: what is denied with it is tried again, and only then denied.
        """
        key = step.resource_id.casefold()
        edited = step.edit(pass_.resources[key])
        bare = self._mark.off(edited, take_over=self._take_over)
        wanted = bare if key in self._bare else self._mark.on(edited, take_over=self._take_over)
        try:
            await self._network.put(wanted, alive=self._alive)
        except NetworkError as failure:
            if failure.fault is not NetworkFault.POLICY or wanted.body == bare.body:
                raise
            self._bare.add(key)
            text = f"denied with the tag {self._mark.name}, tried again without: {failure.message}"
            raise NetworkError(NetworkFault.CHANGED, failure.resource_id, text) from failure
        return wanted

    async def _cleared(self, step: Step, plan_again: PlanAgain, pass_: _Pass, *, again: bool) -> Step | None:
        """Return the step as it may be written this very moment; None if there is nothing left to do.

        The fence comes last and the copy is still fresh after it, so that a process that was stopped anywhere
        in here does not wake up and write.
        """
        for look in range(LOOKS):
            current = await self._current(step, plan_again, pass_, again=again and look == 0)
            if current is None:
                return None
            if look == 0:
                await self._record.started(step.key)
            await self._fence()
            key, now = step.resource_id.casefold(), self._clock.monotonic()
            if step.kind == "routes" or pass_.fresh(key, now):
                # If-Match alone keeps a table safe, however old the copy.
                return current
            if look == LOOKS - 1 and pass_.fresh(key, now, slow_answer=True):
                return current
        error = f"could not be written within {FRESH_S:g} s of being read"
        raise NetworkError(NetworkFault.UNAVAILABLE, step.resource_id, error)

    async def _current(self, step: Step, plan_again: PlanAgain, pass_: _Pass, *, again: bool) -> Step | None:
        """Return the step as it looks on a fresh copy of its resource; None if nothing is left to do."""
        key = step.resource_id.casefold()
        if not again and pass_.fresh(key, self._clock.monotonic()):
            return step
        asked_at = self._clock.monotonic()
        resource = await self._network.get(step.resource_id)
        pass_.read(resource, asked_at, self._clock.monotonic())
        return plan_again(step, pass_.snapshot())


def _raise_without_a_token(failure: NetworkError | UnreadableBodyError) -> None:
    """End the whole attempt where nothing was sent for want of a token: another process may have one."""
    if isinstance(failure, NetworkError) and failure.fault is NetworkFault.NO_TOKEN:
        raise failure


class _Pass:
    """The resources as this pass knows them; what it wrote itself is never fresh.

    Like a lease, a copy ages from before it was asked for: the answer may have been long under way. Only when
    Azure is so slow that no copy would ever be fresh does it age from the answer.
    """

    def __init__(
        self,
        resources: Mapping[str, Resource],
        unanswered: frozenset[str],
        read_at: float,
        missing: Mapping[str, str] | None = None,
    ) -> None:
        self.resources = dict(resources)
        self._unanswered, self._missing = unanswered, missing or {}
        self._read_at = dict.fromkeys(resources, (read_at, read_at))

    def snapshot(self) -> Snapshot:
        """Return the resources as a plan takes them."""
        return Snapshot(self.resources, self._missing, self._unanswered)

    def fresh(self, key: str, now: float, *, slow_answer: bool = False) -> bool:
        asked_at, answered_at = self._read_at.get(key, (float("-inf"), float("-inf")))
        if slow_answer and answered_at - asked_at <= SLOWEST_S:
            return now - answered_at <= FRESH_S
        return now - asked_at <= FRESH_S

    def read(self, resource: Resource, asked_at: float, answered_at: float) -> None:
        self.resources[resource.id.casefold()] = resource
        self._read_at[resource.id.casefold()] = asked_at, answered_at

    def wrote(self, resource: Resource) -> None:
        self.resources[resource.id.casefold()] = resource
        self._read_at.pop(resource.id.casefold(), None)


class _Tries:
    """The tries of one write: a few, with ever longer waits; what was only throttled was none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed = 0
        self._throttled_until = clock.monotonic() + THROTTLED_FOR_S

    async def another(self, error: Exception | None) -> bool:
        """Tell, when it is time for it, whether there is another try after an error, None at first."""
        if not isinstance(error, NetworkError):
            return True
        throttled = error.fault is NetworkFault.THROTTLED
        self._failed += not (throttled and self._clock.monotonic() < self._throttled_until)
        if self._failed == ATTEMPTS:
            return False
        if error.fault is not NetworkFault.CHANGED:
            asked_s = error.retry_after_s
            if throttled:
                asked_s = asked_s or THROTTLED_WAIT_S
            elif asked_s is None:
                asked_s = BACK_OFF_S * 2.0 ** (self._failed - 1)
            await self._clock.sleep(min(asked_s, LONGEST_WAIT_S))
        return True
