"""From an input to a written state, and only then to what follows from it.

Everybody who changes a group goes through here: the leader's rounds, operators' commands, the switch worker.
The order is what makes a crash harmless: the state is written first, and all that follows from it can be
found in it again and done again: the message to send, the records to close, the notices to tell.

An answer that is lost is no reason to decide again. Every write carries an id, and the state remembers the
last few: whoever finds its own there has written, whatever he was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, replace

from nvaha.concurrency import uninterrupted
from nvaha.core.decide import decide, worth_writing
from nvaha.core.decision import Decision
from nvaha.core.inputs import Input
from nvaha.core.refusal import Refusal
from nvaha.core.sending import Done, kept, owed, untaken
from nvaha.model import Closing, Group, GroupState, Notice, Operation, SwitchRequest, Unsent
from nvaha.ports import Conflict, Ports, StateUnreadable, StoreUnavailable, Versioned
from nvaha.state.lease import LeaseLost
from nvaha.state.traced import Traced

MAX_RACES = 20
"""So often is a state read again because somebody else wrote first."""
MAX_UNANSWERED = 2
"""So often is a write that was not answered looked for before its caller is told."""
KEPT_WRITE_IDS = 8
"""More than can be written by others while one answer is waited for."""
MOST_UNTOLD = 50

Guard = Callable[[], None]


class Outdated(Exception):
    """By the time it could be decided on, an input was not new any more: nothing followed from it."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of an input: the group's state as it now stands, and why it was refused if it was."""

    held: Versioned
    refusal: Refusal | None = None
    operation: str | None = None


class Committer:
    """Decides on inputs and makes the decisions last.

    Args:
        ports: the outside.
        wrote: told of each state that was written, even where its writer never hears of it.
    """

    def __init__(self, ports: Ports, wrote: Callable[[GroupState], None] = lambda _: None) -> None:
        self._ports = ports
        self._wrote = wrote

    async def commit(
        self,
        group: Group,
        happened: Input,
        held: Versioned | None = None,
        *,
        guard: Guard | None = None,
        still: Callable[[], bool] = lambda: True,
    ) -> Committed:
        """Decide on an input, write the new state by compare-and-swap, then do what follows.

        Args:
            group: the group as configured.
            happened: the input.
            held: the state as the caller last saw it, to save a read; on a conflict it is read again.
            guard: called right before each write, after whatever had to be waited for; raises if the caller
                may not write any more.
            still: tells, after whatever had to be waited for, whether the input is still new.

        Raises:
            Outdated: it is not.
            StoreUnavailable: storage did not answer; the state may or may not have been written.
        """
        tried: dict[str, Decision] = {}
        traced = Traced()
        unanswered = 0
        for _ in range(MAX_RACES):
            if held is None:
                held = await self._ports.store.load(group.name)
            if held is not None and (mine := _own(held.state, tried)) is not None:
                found = await uninterrupted(self._written(held, mine, guard))
                traced.end(found.held.state)
                return found
            if not still():
                raise Outdated(f"{group.name}: what came in is too old by now to be decided on")
            before = held.state if held else GroupState(group=group.name)
            decision = traced.stamped(before, decide(group, before, happened, self._ports.clock.now()))
            if held is not None and (decision.refusal or not worth_writing(group, before, decision.state)):
                return Committed(replace(held, state=decision.state), decision.refusal, decision.operation)
            if decision.refusal is not None:
                return Committed(Versioned(decision.state, ""), decision.refusal)
            if guard is not None:
                guard()
            write_id = self._ports.new_id()
            tried[write_id] = decision
            try:
                done = await uninterrupted(self._write(held, decision, write_id, guard))
            except StoreUnavailable:
                unanswered += 1
                if unanswered >= MAX_UNANSWERED:
                    raise
                done = None
            traced.end(done.held.state if done else None)
            if done is not None:
                return done
            held = None
        raise StoreUnavailable(f"{group.name}: lost {MAX_RACES} races for its state in a row")

    async def settle(self, held: Versioned, guard: Guard | None = None) -> Versioned:
        """Do what an earlier decision left undone, perhaps because its maker died."""
        return await uninterrupted(self._follow(held, None, guard))

    async def _write(
        self, held: Versioned | None, decision: Decision, write_id: str, guard: Guard | None
    ) -> Committed | None:
        """Write a decision's state and do what follows; None if somebody else wrote first."""
        state = decision.state
        news = _with_ids(decision.notices, write_id)
        untold, ids = (*state.untold, *news), (*state.write_ids, write_id)
        state = replace(state, untold=untold[-MOST_UNTOLD:], write_ids=ids[-KEPT_WRITE_IDS:])
        state = replace(state, unsent=self._unsent(state, news))
        written = await self._ports.store.save(state, held.version if held else None)
        if isinstance(written, Conflict):
            return None
        return await self._written(Versioned(state, written), decision, guard)

    def _unsent(self, state: GroupState, news: tuple[Notice, ...]) -> tuple[Unsent, ...]:
        """Return what receivers have not taken yet, with what they are to be sent of this."""
        now = self._ports.clock.now()
        more = (owed(self._ports.receivers.known, each, now) for each in news)
        unsent = (*state.unsent, *(each for each in more if each is not None))
        if len(keeps := kept(unsent)) < len(unsent):
            text = (
                f"{state.group}: its receivers take too little: the oldest of what waits for them is dropped"
            )
            self._ports.notifier.notify(Notice("notify_failed", "error", text, {"group": state.group}))
        return keeps

    async def sent(self, held: Versioned, done: Set[Done], guard: Guard) -> Versioned | None:
        """Write that receivers took something; None if somebody else wrote first."""
        guard()
        state = replace(held.state, unsent=untaken(held.state.unsent, done))
        written = await uninterrupted(self._ports.store.save(state, held.version))
        return None if isinstance(written, Conflict) else Versioned(state, written)

    async def _written(self, held: Versioned, decision: Decision, guard: Guard | None) -> Committed:
        self._wrote(held.state)
        # Somebody may have written since: then the request to send is not the one under way any more.
        send = decision.send if decision.send == held.state.request else None
        return Committed(await self._follow(held, send, guard), operation=decision.operation)

    async def _follow(self, held: Versioned, send: SwitchRequest | None, guard: Guard | None) -> Versioned:
        """Do what a written state calls for; what fails here is found in the state and done again.

        A request that could not be sent is sent again by the leader, as one without progress; a record that
        could not be closed stays in the state until it is. Notices may be told twice, never not at all.
        """
        state = held.state
        for notice in state.untold:
            self._ports.notifier.notify(notice)
        if send is None:
            held = await self._told(held, guard)
        else:
            # The record comes first, so that it cannot overwrite what the worker writes of itself.
            held, _ = await asyncio.gather(self._told(held, guard), self._answered(state, self._begin(send)))
            await self._answered(state, self._ports.queue.send(send))
        left = [each for each in state.closings if not await self._answered(state, self._close(each))]
        return replace(held, state=replace(held.state, closings=tuple(left)))

    async def _told(self, held: Versioned, guard: Guard | None) -> Versioned:
        """Write that the notices were told, so that nobody tells them again; failing that, somebody may."""
        if not held.state.untold:
            return held
        state = replace(held.state, untold=())
        try:
            if guard is not None:
                guard()
            written = await self._ports.store.save(state, held.version)
        except (StoreUnavailable, LeaseLost):
            return Versioned(state, held.version)
        return Versioned(state, held.version if isinstance(written, Conflict) else written)

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
        operation, _ = await recorded(self._ports, closing.operation)
        if operation is None and closing.request is not None:
            operation = Operation(request=closing.request)
        if operation is None or operation.status.ended:
            return
        now = self._ports.clock.now()
        ended = replace(operation, status=closing.status, ended_at=now, error=closing.error)
        await self._ports.store.record(ended)


async def recorded(ports: Ports, operation_id: str) -> tuple[Operation | None, bool]:
    """Return an operation's record, and whether one is there that cannot be read: it is written anew.

    Raises:
        StoreUnavailable: storage did not answer; or a newer release wrote it: StateUnreadable.
    """
    try:
        return await ports.store.operation(operation_id), False
    except StateUnreadable as error:
        if error.newer:
            raise
        text = f"{operation_id}: its record cannot be read and is written anew: {error}"
        ports.notifier.notify(Notice("state_unreadable", "error", text, {"operation": operation_id}))
        return None, True


def _own(state: GroupState, tried: dict[str, Decision]) -> Decision | None:
    """Return the decision that was written although its answer was lost, or None."""
    return next((tried[each] for each in state.write_ids if each in tried), None)


def _with_ids(notices: tuple[Notice, ...], write_id: str) -> tuple[Notice, ...]:
    return tuple(
        replace(each, fields={**each.fields, "id": f"{write_id}.{number}"})
        for number, each in enumerate(notices)
    )
