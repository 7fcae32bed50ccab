"""What operators ask and see; HTTP and CLI both stand on it."""

from __future__ import annotations

import asyncio

from nvaha.core.commands import refuses
from nvaha.core.decide import as_configured
from nvaha.core.discovery import unread_sentence
from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.core.notices import listed
from nvaha.core.plan import plan
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import Configuration, Group, GroupState, Operation
from nvaha.operate.views import Json, group_view, leader_view, operation_view, plan_view
from nvaha.ports import NetworkError, Ports, StoreUnavailable
from nvaha.state.commit import Committer
from nvaha.state.snapshot import read_snapshot
from nvaha.text import shown

MAX_HISTORY = 100
HEALTH_KEPT_S = 2.0


class Refused(Exception):
    """A request is not followed; carries why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Control:
    """Answers operators."""

    def __init__(self, configuration: Configuration, ports: Ports) -> None:
        self._groups = {group.name: group for group in configuration.groups}
        self._store = ports.store
        self._network = ports.network
        self._clock = ports.clock
        self._committer = Committer(ports)
        self._health = (float("-inf"), False)
        self._asking = asyncio.Lock()

    async def healthy(self) -> bool:
        """Tell whether a leader's round is fresh.

        Anybody may ask, so storage is asked no more than once in a while however often they do.
        """
        async with self._asking:
            asked_at, answer = self._health
            if self._clock.monotonic() - asked_at < HEALTH_KEPT_S:
                return answer
            try:
                view = leader_view(await self._store.load_leader(), self._clock.now())
                answer = view is not None and bool(view["fresh"])
            except StoreUnavailable:
                answer = False
            self._health = (self._clock.monotonic(), answer)
            return answer

    async def groups(self) -> Json:
        """Return the leader and every configured group."""
        stored = await self._store.load_all()
        leader = leader_view(await self._store.load_leader(), self._clock.now())
        views = []
        for group in self._groups.values():
            held = stored.get(group.name)
            views.append(group_view(group, held.state if held else GroupState(group.name)))
        return {"leader": leader, "groups": views}

    async def group(self, name: str) -> Json:
        """Return one group with its last operation; Refused if there is none of that name."""
        group = self._group(name)
        state = await self._state(group)
        view = group_view(group, state)
        last = await self._store.operation(state.request.operation) if state.request else None
        view["operation"] = operation_view(last) if last else None
        return view

    async def plan(self, name: str, to: str) -> Json:
        """Return what a failover would change and what forbids it; Refused if that cannot be told."""
        group = self._group(name)
        state = await self._state(group)
        to = group.named(to) or to
        refusal = refuses(group, state, FailoverCommanded(to=to, by=""), self._clock.now())
        if refusal is not None and refusal.code is RefusalCode.UNKNOWN_NVA:
            raise Refused(refusal)
        try:
            snapshot = await read_snapshot(self._network, group)
            todo = plan(group, snapshot, to, state.nvas)
        except NetworkError as error:
            raise Refused(Refusal(RefusalCode.AZURE_UNREAD, unread_sentence(str(error)))) from error
        forbids = refusal.message if refusal else None
        if forbids is None and todo.problems:
            forbids = f"it could not end well: {listed(todo.problems)}; force moves what can be moved"
        return plan_view(group, todo, forbids)

    async def failover(self, name: str, command: FailoverCommanded) -> Json:
        """Start a failover, or find the one that the same request id started; Refused with the reason."""
        group = self._group(name)
        committed = await self._committer.commit(group, command)
        if committed.refusal is not None:
            raise Refused(committed.refusal)
        request = committed.held.state.request
        if request is not None and request.operation == committed.operation:
            return operation_view(await self._store.operation(request.operation) or Operation(request))
        return await self.operation(committed.operation or "")

    async def pause(self, name: str, command: PauseCommanded) -> Json:
        """Pause or resume a group; doing so twice changes nothing."""
        group = self._group(name)
        committed = await self._committer.commit(group, command)
        return group_view(group, committed.held.state)

    async def history(self, name: str, limit: int) -> Json:
        """Return a group's operations, newest first."""
        group = self._group(name)
        operations = await self._store.history(group.name, limit)
        return {"group": group.name, "operations": [operation_view(each) for each in operations]}

    async def operation(self, operation_id: str) -> Json:
        """Return one operation; Refused if there is none."""
        operation = await self._store.operation(operation_id)
        if operation is None:
            raise Refused(
                Refusal(RefusalCode.UNKNOWN_OPERATION, f"there is no operation '{shown(operation_id, 80)}'")
            )
        return operation_view(operation)

    async def _state(self, group: Group) -> GroupState:
        held = await self._store.load(group.name)
        return as_configured(group, held.state if held else GroupState(group.name))

    def _group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            known = ", ".join(list(self._groups)[:20])
            text = f"there is no group '{shown(name, 80)}'; configured are: {known}"
            raise Refused(Refusal(RefusalCode.UNKNOWN_GROUP, text))
        return group
