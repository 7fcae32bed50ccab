"""One attempt at one switch: read, plan, write in parallel, verify, report.

What keeps it from doing harm: it acts only while the group's state says that this very generation is under
way, it holds the group's switch lease, it looks at both before every write, and every write is conditional
on the ETag of what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from nvaha.concurrency import unwrapped
from nvaha.core.health import healthy
from nvaha.core.inputs import SwitchDone, SwitchFailed, SwitchMoved, Tagged
from nvaha.core.marks import mark_of, read_tags, taking_over
from nvaha.core.notices import listed
from nvaha.core.plan import Plan, Step, plan, plan_again, plan_back, unread_public_ips, unsettled
from nvaha.core.refusal import RefusalCode
from nvaha.core.survey import dropping
from nvaha.model import Group, GroupState, NvaState, Operation, PublicIp, Snapshot, SwitchRequest, Trigger
from nvaha.model.messages import SwitchMessage
from nvaha.ports import (
    LONGEST_WAIT_S,
    NetworkError,
    NetworkFault,
    Ports,
    StateUnreadable,
    StoreUnavailable,
)
from nvaha.state.commit import Committer, recorded
from nvaha.state.lease import HeldLease
from nvaha.state.snapshot import read_snapshot
from nvaha.switch.apply import THROTTLED_FOR_S, THROTTLED_WAIT_S, Applier
from nvaha.switch.record import OperationRecorder
from nvaha.tracing import named, span

PROGRESS_S = 5.0
WATCH_S = 1.0
SETTLE_S, SETTLE_EVERY_S = 300.0, 1.0
"""How long a switch waits for the end of a write that a worker before it began, and how often it looks."""
READ_WAITS_S = (0.5, 1.0, 2.0)
FENCE_FRESH_S, FENCE_LOOKS = 1.0, 3
"""So old, in seconds, may the last look at the state be when a write follows it; storage that is always
slower holds no switch up, so it is looked at so often at most."""
PASSES = 5
"""So often is the network read and planned for again before a switch is called incomplete."""


PLANNED = frozenset({Trigger.MANUAL, Trigger.FAILBACK, Trigger.CANARY})
"""Moves away from an NVA that may well be working: one that cannot end well is not begun."""
ASK_AGAIN_S = 0.5
NO_TAGS = Tagged()
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Left:
    """What a switch leaves undone, one sentence each.

    `begun` tells whether it wrote anything; `stays` are public IPs that are back where they were; `tagged` is
    what tags said against beginning it.
    """

    sentences: tuple[str, ...] = ()
    begun: bool = True
    stays: tuple[str, ...] = ()
    tagged: Tagged = NO_TAGS


class Superseded(Exception):
    """The switch is not under way any more: nothing more of it may be written."""


class OtherConfiguration(Exception):
    """The leader has another configuration of the group than this worker: who has the same is to go on."""

    @classmethod
    def than_that_of(cls, instance: str, group: Group) -> OtherConfiguration:
        """Return the error that names an instance, the group and the remedy."""
        text = f"{group.name}: the leader has another configuration of it than {instance}"
        return cls(f"{text}; deploy the same one everywhere")


class SwitchIncomplete(Exception):
    """A switch ended with something left undone; the message says what."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one switch.

    Args:
        group: the group as configured.
        message: points at the switch.
        state: the group's state in which that switch was found to be under way.
        lease: the group's switch lease, held.
        ports: the outside.
        committer: makes what is reported last.
        instance: who carries it out.
    """

    group: Group
    message: SwitchMessage
    state: GroupState
    lease: HeldLease
    ports: Ports
    committer: Committer
    instance: str

    async def carry_out(self) -> str:
        """Carry the switch out and end it; return what came of it, in a sentence."""
        record, left = await self._work_under_watch()
        await self._fence()
        generation, name = self.message.generation, self.message.operation
        if left.sentences:
            await record.left(left.sentences)
            undone = f"left undone: {listed(left.sentences)}" if left.begun else listed(left.sentences)
            failed = SwitchFailed(
                generation, name, undone, begun=left.begun, stays=left.stays, tagged=left.tagged
            )
            await self._end(failed, record)
            raise SwitchIncomplete(f"{self.group.name}: operation {name} {undone}")
        done = SwitchDone(generation, name, record.started_at, record.wrote_at, self.ports.versions())
        await self._end(done, record)
        return f"{self.group.name}: operation {name} is done"

    async def _work_under_watch(self) -> tuple[OperationRecorder, Left]:
        """Work with the lease kept and the state watched beside it; what ends one of them ends all.

        The watch is over before the switch is ended: to it, an ended switch is one that was superseded.
        """
        results: list[tuple[OperationRecorder, Left]] = []

        async def work() -> None:
            results.append(await self._work())
            for task in beside:
                task.cancel()

        async with unwrapped(), asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(duty) for duty in (self.lease.keep(), self._watch())]
            tasks.create_task(work())
        return results[0]

    async def _work(self) -> tuple[OperationRecorder, Left]:
        await self._report_progress()
        request = self.state.request
        if request is None:
            raise Superseded("its request is gone from the state")
        found, lost = await self._answered(lambda: recorded(self.ports, request.operation))
        if found is not None and found.status.ended:
            await self._tell_outdated(found)
        operation = found or Operation(request=request)
        record = OperationRecorder(self.ports, operation, self._answered, lost=lost)
        await record.open(self.instance)
        try:
            return record, await self._converge(record, request)
        except NetworkError as error:
            await record.trouble(str(error))
            raise

    async def _tell_outdated(self, record: Operation) -> None:
        """Report that this switch has ended before, as an end is recorded only once it is in the state."""
        which = self.message.generation, self.message.operation
        said = f"operation {record.id} has ended already as {record.status}"
        report = SwitchFailed(*which, said, begun=False, outdated=True)
        await self._answered(lambda: self.committer.commit(self.group, report))
        raise Superseded(said)

    async def _converge(self, record: OperationRecorder, request: SwitchRequest) -> Left:
        """Read, plan and write until nothing is left to write; return what cannot be put right.

        The last pass writes nothing: it is the verification.
        """
        mark = mark_of(self.group, self.ports.account)
        applier = Applier(
            self.ports,
            record,
            fence=self._fence,
            alive=self._alive,
            mark=mark,
            take_over=request.forced,
        )
        target = request.target

        def again(step: Step, snapshot: Snapshot) -> Step | None:
            if step.kind == "mark":
                resource = snapshot.get(step.resource_id)
                return step if resource is not None and mark.foreign(resource) is not None else None
            return plan_again(self.group, snapshot, target, self.state.nvas, step)

        refused: dict[str, str] = {}
        unanswered: dict[str, str] = {}
        kept: dict[str, str] = {}
        free = request.trigger in PLANNED and not request.forced and not request.finishes
        optional = free and record.untouched
        for number in range(PASSES):
            # The pass that finds nothing left to write is the verification.
            with span("nvaha.verify" if number else "nvaha.plan") as made:
                todo, snapshot, read_at = await self._plan(target)
                made.set_attributes(named({"steps": len(todo.steps)}))
            if number == 0 and record.untouched and (halted := self._halted(request, snapshot)):
                return halted
            known = (*todo.problems, *unread_public_ips(self.group, snapshot))
            if not known:
                await record.found(todo.steps, self.group)
            if number == 0 and optional:
                known += dropping(self.group, snapshot, target, self.state.nvas)
            doubtful = optional and known
            asked = self._to_be_asked(todo) if number == 0 and not doubtful else []
            kept |= self._staying(asked)
            asked = [step for step in asked if step.key not in kept]
            if asked:
                await record.plan(todo.steps)
                kept |= await applier.try_attaches(asked, snapshot, again)
                todo, snapshot, read_at = await self._plan(target)
                known = (*todo.problems, *unread_public_ips(self.group, snapshot))
            stops = (*known, *kept.values())
            if number == 0 and optional and stops:
                return Left(tuple(f"not begun: {each}" for each in stops), begun=False)
            todo = _without(todo, kept)
            stuck = [step for step in todo.steps if step.key in refused or set(step.after) & set(refused)]
            if len(stuck) == len(todo.steps):
                waits = "waits for another step"
                why = [f"{step.detail}: {step.because(refused.get(step.key, waits))}" for step in stuck]
                left = (*why, *kept.values(), *todo.problems)
                return await self._left(left, applier, record, request) if left else Left()
            await record.plan(todo.steps)
            applied = await applier.apply(todo, snapshot, read_at, again)
            refused, unanswered = applied.refused, applied.unanswered
        left = (f"not as planned after {PASSES} passes", *(refused | unanswered).values())
        return await self._left(left, applier, record, request)

    def _halted(self, request: SwitchRequest, snapshot: Snapshot) -> Left | None:
        """Return why a switch that has written nothing yet is not begun, if a tag says so, or None.

        The leader may have decided before the tag was there, or minutes after it last looked.
        """
        tagged = read_tags(self.group, snapshot, self.ports.account)
        found = Tagged(
            rival=None if request.forced else tagged.rival,
            hold=None if request.forced or request.trigger is Trigger.MANUAL else tagged.hold,
        )
        said = [each for each in (found.rival, found.hold) if each is not None]
        return Left(tuple(f"not begun: {each}" for each in said), begun=False, tagged=found) if said else None

    async def _left(
        self, left: tuple[str, ...], applier: Applier, record: OperationRecorder, request: SwitchRequest
    ) -> Left:
        """Return what is left undone, once public IPs that hang on nothing because of it are put back."""
        said: list[str] = []
        stays: list[str] = []
        for nva, public_ips in self._taken_from(record, request).items():
            sentences, back = await self._put_back(applier, record, nva, public_ips)
            said += sentences
            stays += back
        return Left((*left, *said), stays=tuple(stays))

    def _taken_from(self, record: OperationRecorder, request: SwitchRequest) -> dict[str, list[PublicIp]]:
        """Return the public IPs that this switch, or the one that it finishes, took off each NVA."""
        taken: dict[str, list[PublicIp]] = {}
        for public_ip in self.group.public_ips:
            origins = [
                nva.name
                for nva in self.group.nvas
                if nva.name != request.target and record.has_begun("detach", nva.interfaces[public_ip.role])
            ]
            before = request.finishes or record.lost
            if not origins and before and request.source in self.group.names:
                origins = [request.source]
            if origins and origins[0] != request.target:
                taken.setdefault(origins[0], []).append(public_ip)
        return taken

    def _staying(self, attaches: list[Step]) -> dict[str, str]:
        """Return {step: why} for public IPs that the target has refused after they had been taken off."""
        stays = {each.casefold() for each in self.state.stays}
        return {
            step.key: f"{step.detail}: stays where it works; the target refused it once it was taken off"
            for step in attaches
            if stays & {each.casefold() for each in step.public_ips.values() if each}
        }

    def _to_be_asked(self, todo: Plan) -> list[Step]:
        """Return the attaches of public IPs that are on an NVA which still answers.

        Whether Azure would take them is asked before they are taken off. A dead NVA's are taken off without
        asking: there is nothing to lose, and asking takes seconds.
        """
        nics = {
            f"detach:{nic.casefold()}": nva.name for nva in self.group.nvas for nic in nva.interfaces.values()
        }
        working = {
            step.key
            for step in todo.steps
            if step.kind == "detach" and healthy(self.state.nvas.get(nics[step.key], NvaState()))
        }
        return [step for step in todo.steps if step.kind == "attach" and working & set(step.after)]

    async def _put_back(
        self, applier: Applier, record: OperationRecorder, name: str, taken: list[PublicIp]
    ) -> tuple[list[str], list[str]]:
        """Put public IPs that could not be attached back to the NVA that they came from, if that answers.

        Returns:
            What that came to, one sentence for each write; and the ids of those that are back.
        """
        nva = self.group.nva(name)
        held = await self._answered(lambda: self.ports.store.load(self.group.name))
        snapshot, read_at = await self._read()
        back = plan_back(self.group, snapshot, nva, taken)
        if not back.steps or held is None:
            return [f"not put back: {each}" for each in back.problems], []
        if not healthy(held.state.nvas.get(name, NvaState())):
            return [f"{step.detail}: not tried, since {name} does not answer" for step in back.steps], []

        def again(step: Step, fresh: Snapshot) -> Step | None:
            steps = plan_back(self.group, fresh, nva, taken).steps
            return next((each for each in steps if each.key == step.key), None)

        await record.plan(back.steps)
        applied = await applier.apply(back, snapshot, read_at, again)
        failed = applied.refused | applied.unanswered
        done = [step for step in back.steps if step.key not in failed]
        said = [
            f"{step.detail}: {step.because(failed[step.key])}"
            if step.key in failed
            else f"put back: {step.detail}"
            for step in back.steps
        ]
        return said, [each for step in done for each in step.public_ips.values() if each]

    async def _plan(self, target: str) -> tuple[Plan, Snapshot, float]:
        """Read and plan; with nothing left to write, wait until Azure has ended what it still writes."""
        until = self.ports.clock.monotonic() + SETTLE_S
        while True:
            snapshot, read_at = await self._read(target)
            todo = plan(self.group, snapshot, target, self.state.nvas)
            if self.state.request is not None and self.state.request.forced:
                todo = taking_over(self.group, todo, snapshot, self.ports.account)
            late = unsettled(self.group, snapshot, target)
            if todo.steps:
                return todo, snapshot, read_at
            if not late or self.ports.clock.monotonic() >= until:
                return replace(todo, problems=(*todo.problems, *late)), snapshot, read_at
            await self.ports.clock.sleep(SETTLE_EVERY_S)

    async def _read(self, target: str | None = None) -> tuple[Snapshot, float]:
        """Return the network and the monotonic clock before it was asked for.

        What Azure does not answer for is asked for a few times; then the switch goes on without it, and the
        plan says what that leaves undone. Throttling, of all or of a part, costs no try: Azure answers, and
        says when. A failover to `target` waits for neither while there is something else to write.
        """
        clock, tries = self.ports.clock, 0
        throttled_until = clock.monotonic() + THROTTLED_FOR_S
        while True:
            asked_at = clock.monotonic()
            last = tries == len(READ_WAITS_S)
            try:
                snapshot = await read_snapshot(self.ports.network, self.group)
            except NetworkError as error:
                throttled, retry_after_s = error.fault is NetworkFault.THROTTLED, error.retry_after_s or 0.0
                waits_on = throttled and clock.monotonic() < throttled_until
                if (last and not waits_on) or error.fault is NetworkFault.NO_TOKEN:
                    raise
            else:
                waits_on = snapshot.throttled and clock.monotonic() < throttled_until
                if snapshot.retry_after_s is None or (last and not waits_on):
                    return snapshot, asked_at
                if self._is_urgent and target and plan(self.group, snapshot, target, self.state.nvas).steps:
                    return snapshot, asked_at
                retry_after_s = snapshot.retry_after_s
            if waits_on:
                least_s = retry_after_s or THROTTLED_WAIT_S
            else:
                least_s, tries = READ_WAITS_S[tries], tries + 1
            await clock.sleep(min(max(least_s, retry_after_s), LONGEST_WAIT_S))

    @property
    def _is_urgent(self) -> bool:
        return self.state.request is not None and self.state.request.trigger is Trigger.FAILOVER

    async def _answered(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Ask storage until it answers: as long as the lease stands, nobody else carries this switch out."""
        while True:
            try:
                return await ask()
            except StateUnreadable:
                # It has answered: asking again does not make it legible.
                raise
            except StoreUnavailable:
                self.lease.check()
                await self.ports.clock.sleep(ASK_AGAIN_S)
                self.lease.check()

    async def _fence(self) -> None:
        """Raise unless this switch may write right now.

        Its lease stands, and so do its generation and the configuration that it was decided on. An answer
        that is old, since this process stood still before it had it, says nothing about now: it asks again.
        """
        for _ in range(FENCE_LOOKS):
            asked_at = self.ports.clock.monotonic()
            held = await self._answered(lambda: self.ports.store.load(self.group.name))
            if self.ports.clock.monotonic() - asked_at <= FENCE_FRESH_S:
                break
        if held is None or not held.state.under_way(self.message.operation, self.message.generation):
            raise Superseded("it was superseded while it was carried out")
        if not held.state.is_led_with(self.group.fingerprint):
            raise OtherConfiguration.than_that_of(self.instance, self.group)
        self.lease.check()

    async def _alive(self) -> None:
        self.lease.check()

    async def _watch(self) -> None:
        """Report progress while there is some, and notice soon when another switch has taken over."""
        reported_at = self.ports.clock.monotonic()
        while True:
            await self.ports.clock.sleep(WATCH_S)
            if self.ports.clock.monotonic() - reported_at >= PROGRESS_S:
                await self._report_progress()
                reported_at = self.ports.clock.monotonic()
            else:
                await self._fence()

    async def _report_progress(self) -> None:
        await self._report(SwitchMoved(self.message.generation, self.message.operation))

    async def _end(self, report: SwitchDone | SwitchFailed, record: OperationRecorder) -> None:
        with span("nvaha.report"):
            await self._report(report)
        request, meter = record.request, self.ports.meter
        done, trigger = isinstance(report, SwitchDone), str(request.trigger)
        meter.count("nvaha_switches_total", trigger=trigger, result="done" if done else "failed")
        if not done:
            return
        begun, claimed = request.requested_at, record.started_at or request.requested_at
        now = self.ports.clock.now()
        wrote = record.wrote_at or now
        times = {"claim": (begun, claimed), "prepare": (claimed, wrote), "write": (wrote, now)}
        for phase, (since, until) in {**times, "total": (begun, now)}.items():
            took_s = max(0.0, (until - since).total_seconds())
            meter.observe("nvaha_switch_phase_seconds", took_s, phase=phase, trigger=trigger)

    async def _report(self, report: SwitchMoved | SwitchDone | SwitchFailed) -> None:
        """Write down what became of the switch; raise if that is not this worker's to say any more."""
        committed = await self._answered(lambda: self.committer.commit(self.group, report))
        refusal = committed.refusal
        if refusal is not None and refusal.code is RefusalCode.OTHER_CONFIGURATION:
            raise OtherConfiguration.than_that_of(self.instance, self.group)
        if refusal is not None:
            raise Superseded(refusal.message)


def _without(todo: Plan, kept: Mapping[str, str]) -> Plan:
    """Return a plan without the steps that must not be begun, and without those that make room for them."""
    spared = {key for step in todo.steps if step.key in kept for key in step.after}
    steps = tuple(step for step in todo.steps if step.key not in kept and step.key not in spared)
    return replace(todo, steps=steps)
