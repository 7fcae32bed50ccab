"""The record of a switch while it is carried out: what is about to be done is written before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from nvaha.core.plan import Step
from nvaha.model import Group, Notice, Operation, Status, StepRecord, StepStatus, SwitchRequest
from nvaha.ports import NetworkError, Ports, correlation_id

Answered = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


async def _once(ask: Callable[[], Awaitable[None]]) -> None:
    await ask()


class OperationRecorder:
    """Keeps one operation's record; steps that report at the same time share a write.

    Args:
        ports: the outside.
        operation: the record as it is.
        answered: asks storage, again if need be, until it answers.
        lost: an earlier record cannot be read: nobody knows what an attempt before this one has moved.
    """

    def __init__(
        self, ports: Ports, operation: Operation, answered: Answered = _once, *, lost: bool = False
    ) -> None:
        self.lost = lost
        self._ports = ports
        self._answered = answered
        self._operation = operation
        self._steps = {step.key: step for step in operation.steps}
        self._changes = self._written = 0
        self._writing = asyncio.Lock()

    async def open(self, worker: str) -> None:
        """Record that a worker has taken the operation up."""
        self._operation = replace(
            self._operation,
            status=Status.RUNNING,
            worker=worker,
            error=None,
            attempts=self._operation.attempts + 1,
            started_at=self._operation.started_at or self._ports.clock.now(),
        )
        fields = {"instance": worker, "correlation_id": correlation_id(self._operation.id)}
        self._notify("switch_claimed", "info", f"{worker} carries it out", **fields)
        await self._write()

    @property
    def request(self) -> SwitchRequest:
        """What was asked for."""
        return self._operation.request

    @property
    def started_at(self) -> datetime | None:
        """When a worker first took the operation up."""
        return self._operation.started_at

    @property
    def wrote_at(self) -> datetime | None:
        """When the first write of any attempt was about to be sent; None if there was none."""
        return min((step.started_at for step in self._steps.values() if step.started_at), default=None)

    @property
    def untouched(self) -> bool:
        """Whether no attempt at this operation has moved anything so far; an attach may have been tried."""
        planned = {StepStatus.PLANNED, StepStatus.SKIPPED}
        return not self.lost and all(
            step.status in planned or step.kind == "attach" for step in self._steps.values()
        )

    def has_begun(self, kind: str, resource_id: str) -> bool:
        """Tell whether a step of this kind was sent to a resource in any attempt; it may have arrived."""
        key = f"{kind}:{resource_id.casefold()}"
        return key in self._steps and self._steps[key].status in {StepStatus.RUNNING, StepStatus.DONE}

    async def plan(self, steps: Iterable[Step]) -> None:
        """Record what is going to be done; steps of an earlier attempt stay as they are."""
        for step in steps:
            old = self._steps.get(step.key)
            if old is None or old.status is not StepStatus.DONE:
                attempts = old.attempts if old else 0
                self._steps[step.key] = StepRecord(
                    step.key, step.kind, step.resource_id, step.detail, attempts=attempts
                )
        await self._write()

    async def found(self, left: Iterable[Step], group: Group) -> None:
        """Record as done what an earlier attempt began and nobody has to do any more: only its end was lost.

        Args:
            left: all that is still to be done.
            group: as it is configured now; of what is not in it any more nobody knows whether it was done.
        """
        keys = {step.key for step in left}
        target = {each.casefold() for each in group.nva(self.request.target).interfaces.values()}
        known = {each.casefold() for each in group.resource_ids}
        for key, step in list(self._steps.items()):
            # An attach elsewhere was one that put something back.
            places = target if step.kind == "attach" else known
            began = step.status is StepStatus.RUNNING and step.resource_id.casefold() in places
            if began and key not in keys:
                await self.ended(key, StepStatus.DONE)

    async def started(self, key: str) -> None:
        """Record that a write is about to be sent; returns once that is on record."""
        step = self._steps[key]
        now = step.started_at or self._ports.clock.now()
        await self._step(
            key, status=StepStatus.RUNNING, started_at=now, attempts=step.attempts + 1, error=None
        )

    async def ended(
        self, key: str, status: StepStatus, error: str | None = None, failure: Exception | None = None
    ) -> None:
        """Record how a step ended, and tell it.

        Args:
            key: the step's.
            status: how it ended.
            error: why it failed, in a sentence.
            failure: what it met last; one of Azure's is told with what it means and Azure's own code.
        """
        step = self._steps[key]
        if status is StepStatus.DONE:
            self._notify("step_done", "info", step.detail, resource_id=step.resource_id)
        else:
            met = {}
            if isinstance(failure, NetworkError):
                met = {"fault": str(failure.fault), **({"code": failure.code} if failure.code else {})}
            text = f"{step.detail}: {error}"
            self._notify("step_failed", "error", text, resource_id=step.resource_id, **met)
        await self._step(key, status=status, ended_at=self._ports.clock.now(), error=error)

    async def trouble(self, error: str) -> None:
        """Record what ended an attempt without a result; the next attempt goes on from here."""
        self._operation = replace(self._operation, error=error)
        await self._write()

    async def left(self, unfinished: tuple[str, ...]) -> None:
        """Record what the switch leaves undone."""
        self._operation = replace(self._operation, unfinished=unfinished)
        await self._write()

    def _notify(self, event: str, level: str, text: str, **fields: Any) -> None:
        request = self._operation.request
        which = {"group": request.group, "operation": request.operation, "generation": request.generation}
        self._ports.notifier.notify(Notice(event, level, f"{request.operation}: {text}", {**which, **fields}))

    async def _step(self, key: str, **changes: Any) -> None:
        self._steps[key] = replace(self._steps[key], **changes)
        await self._write()

    async def _write(self) -> None:
        self._changes += 1
        mine = self._changes
        async with self._writing:
            if self._written >= mine:
                return
            seen = self._changes
            whole = replace(self._operation, steps=tuple(self._steps.values()))
            await self._answered(lambda: self._ports.store.record(whole))
            self._written = seen
