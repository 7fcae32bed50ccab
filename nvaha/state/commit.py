"""From an input to a written state, and only then to what follows from it.

Everybody who changes a group goes through here: the leader's rounds, operators' commands, the switch worker.
The order is what makes a crash harmless: the state is written first, and all that follows from it can be
found in it again and done again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from nvaha.core.decide import decide, worth_writing
from nvaha.core.decision import Decision
from nvaha.core.inputs import Input
from nvaha.core.refusal import Refusal
from nvaha.model import Closing, Group, GroupState, Notice, Operation, SwitchRequest
from nvaha.ports import Conflict, Ports, StoreUnavailable, Versioned

MAX_RACES = 20
"""So often is a state read again because somebody else wrote first."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of an input: the group's state as it now stands, and why it was refused if it was."""

    held: Versioned
    refusal: Refusal | None = None
    operation: str | None = None


class Committer:
    """Decides on inputs and makes the decisions last."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def commit(
        self,
        group: Group,
        happened: Input,
        held: Versioned | None = None,
        *,
        guard: Callable[[], None] | None = None,
    ) -> Committed:
        """Decide on an input, write the new state by compare-and-swap, then do what follows.

        Args:
            group: the group as configured.
            happened: the input.
            held: the state as the caller last saw it, to save a read; on a conflict it is read again.
            guard: called right before each write, after whatever had to be waited for; raises if the caller
                may not write any more.

        Raises:
            StoreUnavailable: storage did not answer; the state may or may not have been written.
        """
        tried: Decision | None = None
        for _ in range(MAX_RACES):
            if held is None:
                held = await self._ports.store.load(group.name)
            if tried is not None and tried.send is not None and held and held.state.request == tried.send:
                # The write had been carried out although its answer was lost: sending it again met itself.
                return await self._written(held, tried)
            before = held.state if held else GroupState(group=group.name)
            now = self._ports.clock.now()
            decision = decide(group, before, happened, now)
            after = decision.state
            if held is not None and (decision.refusal or not worth_writing(group, before, after)):
                return Committed(replace(held, state=after), decision.refusal, decision.operation)
            if decision.refusal is not None:
                return Committed(Versioned(after, ""), decision.refusal)
            if guard is not None:
                guard()
            written = await self._ports.store.save(after, held.version if held else None)
            if isinstance(written, Conflict):
                held, tried = None, decision
                continue
            return await self._written(Versioned(after, written), decision)
        raise StoreUnavailable(f"{group.name}: lost {MAX_RACES} races for its state in a row")

    async def _written(self, held: Versioned, decision: Decision) -> Committed:
        for notice in decision.notices:
            self._ports.notifier.notify(notice)
        state = await self._follow(held.state, decision.send)
        return Committed(replace(held, state=state), operation=decision.operation)

    async def settle(self, held: Versioned) -> Versioned:
        """Close the records that an earlier decision left open, perhaps because its maker died."""
        return replace(held, state=await self._follow(held.state, None))

    async def _follow(self, state: GroupState, send: SwitchRequest | None) -> GroupState:
        """Do what a written state calls for; what fails here is found in the state and done again.

        A request that could not be sent is sent again by the leader, as one without progress; a record that
        could not be closed stays in the state until it is.
        """
        if send is not None:
            # The record comes first, so that it cannot overwrite what the worker writes of itself.
            await self._answered(state, self._begin(send))
            await self._answered(state, self._ports.queue.send(send))
        left = [each for each in state.closings if not await self._answered(state, self._close(each))]
        return replace(state, closings=tuple(left))

    async def _answered(self, state: GroupState, duty: Awaitable[None]) -> bool:
        """Do one thing that follows; that it could not be done keeps nothing else from being done."""
        try:
            await duty
        except StoreUnavailable as error:
            text = f"{state.group}: written, but not all that follows from it was done: {error}"
            self._ports.notifier.notify(Notice("store_unavailable", "warning", text, {"group": state.group}))
            return False
        return True

    async def _begin(self, request: SwitchRequest) -> None:
        if await self._ports.store.operation(request.operation) is None:
            await self._ports.store.record(Operation(request=request))

    async def _close(self, closing: Closing) -> None:
        operation = await self._ports.store.operation(closing.operation)
        if operation is None and closing.request is not None:
            operation = Operation(request=closing.request)
        if operation is None or operation.status.ended:
            return
        ended = replace(
            operation, status=closing.status, ended_at=self._ports.clock.now(), error=closing.error
        )
        await self._ports.store.record(ended)
