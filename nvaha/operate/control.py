"""What operators ask and see; HTTP and CLI both stand on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nvaha.core.by_hand import ByHand, by_hand
from nvaha.core.commands import refuses
from nvaha.core.decide import as_configured
from nvaha.core.discovery import unread_sentence
from nvaha.core.health import lately_probed
from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.instances import could_lead
from nvaha.core.marks import read_tags
from nvaha.core.notices import listed
from nvaha.core.plan import Plan, plan
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.core.survey import dropping, survey
from nvaha.model import (
    Configuration,
    Group,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Notice,
    Operation,
    Receiver,
    Snapshot,
    Status,
    Switch,
    Unsent,
)
from nvaha.operate.kept import Kept
from nvaha.operate.views import (
    break_glass_view,
    canary_view,
    check_view,
    group_view,
    instances_view,
    leader_view,
    operation_view,
    plan_view,
)
from nvaha.ports import (
    LONGEST_WAIT_S,
    NetworkError,
    NetworkFault,
    NotTaken,
    Ports,
    StateUnreadable,
    StoreUnavailable,
    Versioned,
)
from nvaha.state.commit import Committer
from nvaha.state.snapshot import read_snapshot
from nvaha.text import shown

if TYPE_CHECKING:
    from nvaha.operate.answers import (
        BreakGlassAnswer,
        CanaryAnswer,
        CheckAnswer,
        GroupAnswer,
        GroupsAnswer,
        HistoryAnswer,
        NotifyTestAnswer,
        OperationAnswer,
        PlanAnswer,
        TriedAnswer,
    )

MAX_HISTORY = 100
HISTORIES_AT_ONCE = 20
PLAN_WITHIN_S = 10.0
"""So long Azure is read for a plan; what has not answered by then is a problem of the plan."""

Aside = Callable[..., Awaitable[Any]]
"""Calls a function with arguments and returns what it returns, perhaps beside the event loop."""


class Refused(Exception):
    """A request is not followed; carries why, and after how many seconds it may be, if that is known."""

    def __init__(self, refusal: Refusal, retry_after_s: float | None = None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.retry_after_s = retry_after_s


async def _here(work: Callable[..., Any], *args: object) -> Any:
    return work(*args)


class Control:
    """Answers operators.

    Args:
        configuration: their groups.
        ports: the outside; its network is read for plans only.
        app: the function app that this process is a part of, as its monitors call it.
        aside: where what takes long to compute is computed, so that the event loop can go on.
    """

    def __init__(
        self, configuration: Configuration, ports: Ports, *, app: str = "", aside: Aside = _here
    ) -> None:
        self._groups = {group.name: group for group in configuration.groups}
        self._canary = configuration.canary
        self._named = {group.name: group for group in configuration.switched}
        self._store = ports.store
        self._network = ports.network
        self._clock = ports.clock
        self._account = ports.account
        self._receivers = ports.receivers
        self._new_id = ports.new_id
        self._committer = Committer(ports)
        self._aside = aside
        self._app = app
        self._fingerprint = configuration.fingerprint
        self._health = Kept(ports.clock, self._look_at_health)
        self._campaigning = Kept(ports.clock, self._look_for_own)

    async def healthy(self) -> bool:
        """Tell whether a leader's round is fresh, all groups here are probed, and switches have workers.

        Anybody may ask, so storage is asked no more than once in a while however often they do.
        """
        return await self._health.get()

    async def campaigns(self, version: str) -> bool:
        """Tell whether a monitor of this very app runs this release on this configuration, and could lead.

        Its monitor may be another process than the one that answers, so it is told from the rows.

        Args:
            version: the release.
        """
        return version in await self._campaigning.get()

    async def _look_at_health(self) -> bool:
        try:
            view = leader_view(await self._store.load_leader(), self._clock.now())
            fresh = view is not None and bool(view["fresh"]) and not view["unattended"]
            return fresh and await self._all_probed()
        except StoreUnavailable:
            return False

    async def _look_for_own(self) -> frozenset[str]:
        """Return the releases of this app's monitors that lead or could."""
        try:
            rows = await self._store.instances()
        except StoreUnavailable:
            return frozenset()
        now = self._clock.now()
        mine = (each for each in rows if each.app == self._app)
        return frozenset(each.version for each in mine if could_lead(each, self._fingerprint, now))

    async def _all_probed(self) -> bool:
        """Tell whether every group was probed lately: a leader of other groups leaves these alone."""
        stored, now = await self._store.load_all(), self._clock.now()

        def probed(group: Group) -> bool:
            held = stored.get(group.name)
            return isinstance(held, Versioned) and lately_probed(group, held.state, now)

        return all(probed(group) for group in self._groups.values())

    async def groups(self) -> GroupsAnswer:
        """Return the leader, the instances beside it, every configured group, and the canary."""
        stored, now = await self._store.load_all(), self._clock.now()
        record, rows = await asyncio.gather(self._leader(), self._instances())
        canary: CanaryAnswer | None = None
        if self._canary is not None:
            canary = canary_view(self._canary, _shown(self._canary, stored.get(self._canary.name)), now)

        def views() -> list[GroupAnswer]:
            return [_view(group, stored.get(group.name), record, now) for group in self._groups.values()]

        instances = instances_view(rows, record, self._fingerprint, now)
        groups = await self._aside(views)
        return {"leader": leader_view(record, now), **instances, "groups": groups, "canary": canary}

    async def group(self, name: str) -> GroupAnswer:
        """Return one group with its last operation; Refused if there is none of that name."""
        group = self._group(name)
        held: Versioned | StateUnreadable | None
        try:
            held = await self._store.load(group.name)
        except StateUnreadable as error:
            held = error
        leader, now = await self._leader(), self._clock.now()
        view, state = _view(group, held, leader, now), _shown(group, held)
        if group.canary is not None:
            view["canary"] = canary_view(group, state, now)
        view["operation"] = operation_view(await self._last(state.switch)) if state.switch else None
        view["route_tables"] = list(group.route_tables)
        view["public_ips"] = [{"role": each.role, "resource_id": each.id} for each in group.public_ips]
        return view

    async def plan(self, name: str, to: str) -> PlanAnswer:
        """Return what a failover would change and what forbids it; Refused if that cannot be told.

        A switch never uses it: it reads and plans for itself.
        """
        group = self._group(name)
        state = await self._state(group)
        to = group.named(to) or to
        refusal = refuses(group, state, FailoverCommanded(to=to, by=""), self._clock.now())
        if refusal is not None and refusal.code is RefusalCode.UNKNOWN_NVA:
            raise Refused(refusal)
        read_at = self._clock.now()
        snapshot = await self._snapshot(group)

        def planned() -> Plan:
            todo = plan(group, snapshot, to, state.nvas)
            return replace(todo, problems=(*todo.problems, *dropping(group, snapshot, to, state.nvas)))

        todo = await self._aside(planned)
        tagged = read_tags(group, snapshot, self._account)
        forbids = refusal.message if refusal else tagged.rival
        if forbids is None and todo.problems:
            forbids = f"it could not end well: {listed(todo.problems)}; force moves what can be moved"
        return plan_view(group, todo, forbids, read_at, tagged.hold)

    async def check(self, name: str) -> CheckAnswer:
        """Return how a group stands in Azure now, against its record; Refused if that cannot be told."""
        group = self._group(name)
        state, read_at = await self._state(group), self._clock.now()
        snapshot = await self._snapshot(group)
        found = await self._aside(survey, group, snapshot, state.nvas)
        return check_view(group, state, found, read_tags(group, snapshot, self._account), read_at)

    async def break_glass(self, name: str) -> BreakGlassAnswer:
        """Return what brings a group to each of its NVAs by hand; Refused if that cannot be told."""
        group = self._group(name)
        state, read_at = await self._state(group), self._clock.now()
        snapshot = await self._snapshot(group)

        def sheets() -> list[ByHand]:
            return [by_hand(group, snapshot, name, state.nvas) for name in group.names]

        return break_glass_view(group, await self._aside(sheets), read_at)

    async def _snapshot(self, group: Group) -> Snapshot:
        """Return what Azure says of a group within the time that an operator is kept waiting."""
        try:
            snapshot = await read_snapshot(self._network, group, PLAN_WITHIN_S)
        except NetworkError as error:
            if error.fault is NetworkFault.THROTTLED:
                raise _throttled(str(error), error.retry_after_s) from error
            raise Refused(Refusal(RefusalCode.AZURE_UNREAD, unread_sentence(str(error)))) from error
        if snapshot.throttled:
            # Half a plan would read as if the failover could not be done.
            missing = (f"{each} {snapshot.missing[each]}" for each in sorted(snapshot.unanswered))
            raise _throttled(next(missing), snapshot.retry_after_s)
        return snapshot

    async def failover(self, name: str, command: FailoverCommanded) -> OperationAnswer | GroupAnswer:
        """Start a failover, or find the one that the same request id started; Refused with the reason.

        One that is only scheduled has no operation yet: then the group is returned.
        """
        group = self._group(name)
        committed = await self._committer.commit(group, command)
        if committed.refusal is not None:
            raise Refused(committed.refusal)
        if committed.operation is None:
            return await self._done(group, committed.held.state)
        switch = committed.held.state.switch
        if switch is not None and switch.request.operation == committed.operation:
            return operation_view(await self._last(switch))
        return await self.operation(committed.operation)

    async def cancel(self, name: str, command: CancelCommanded) -> GroupAnswer:
        """Let a scheduled failover not be begun; Refused if none is scheduled any more."""
        group = self._group(name)
        committed = await self._committer.commit(group, command)
        if committed.refusal is not None:
            raise Refused(committed.refusal)
        return await self._done(group, committed.held.state)

    async def pause(self, name: str, command: PauseCommanded) -> GroupAnswer:
        """Pause or resume a group; doing so twice changes nothing."""
        group = self._group(name)
        committed = await self._committer.commit(group, command)
        return await self._done(group, committed.held.state)

    async def _done(self, group: Group, state: GroupState) -> GroupAnswer:
        """Return a group after an order, which is written: that must not be in doubt over who leads."""
        try:
            leader = await self._leader()
        except StoreUnavailable:
            leader = None
        return group_view(group, state, leader, self._clock.now())

    async def notify_test(self, name: str | None, by: str) -> NotifyTestAnswer:
        """Send a test once to a receiver, or to all; return what each answers, Refused if there is none."""
        known = self._receivers.known
        chosen = [each for each in known if name in (None, each.name)]
        if name is not None and not chosen:
            names = ", ".join(each.name for each in known) or "none"
            text = f"there is no receiver '{shown(name, 80)}'; configured are: {names}"
            raise Refused(Refusal(RefusalCode.UNKNOWN_RECEIVER, text))
        return {"receivers": list(await asyncio.gather(*(self._tried(each, by) for each in chosen)))}

    async def _tried(self, receiver: Receiver, by: str) -> TriedAnswer:
        text = f"this is a test of {receiver.name}, asked for by {by}: nothing is wrong"
        notice = Notice("notify_test", "info", text, {"id": self._new_id(), "receiver": receiver.name})
        began, status, error = self._clock.monotonic(), None, None
        try:
            unsent = Unsent(notice, self._clock.now(), (receiver.name,))
            status = await self._receivers.send(receiver, unsent)
        except NotTaken as refused:
            status, error = refused.status, str(refused)
        return {
            "name": receiver.name,
            "type": receiver.kind,
            "taken": error is None,
            "status": status,
            "error": error,
            "seconds": round(self._clock.monotonic() - began, 3),
        }

    async def history(self, name: str | None, limit: int) -> HistoryAnswer:
        """Return operations, newest first, and why those cannot be read that are missing there.

        Args:
            name: whose; None for those of all groups, and of the canary.
            limit: how many at most.
        """
        groups = list(self._named.values()) if name is None else [self._group(name)]
        places = asyncio.Semaphore(HISTORIES_AT_ONCE)

        async def of(group: Group) -> Sequence[Operation | StateUnreadable]:
            async with places:
                return await self._store.history(group.name, limit)

        found = [each for one in await asyncio.gather(*map(of, groups)) for each in one]
        operations = [each for each in found if isinstance(each, Operation)]
        operations.sort(key=lambda each: each.request.requested_at, reverse=True)
        return {
            "group": None if name is None else groups[0].name,
            "operations": [operation_view(each) for each in operations[:limit]],
            "unreadable": [str(each) for each in found if isinstance(each, StateUnreadable)],
        }

    async def operation(self, operation_id: str) -> OperationAnswer:
        """Return one operation; Refused if there is none."""
        operation = await self._store.operation(operation_id)
        if operation is None:
            raise Refused(
                Refusal(RefusalCode.UNKNOWN_OPERATION, f"there is no operation '{shown(operation_id, 80)}'")
            )
        return operation_view(operation)

    async def _leader(self) -> LeaderRecord | None:
        """Return what the leader says of itself; what cannot be read is nothing, until it says so anew."""
        try:
            return await self._store.load_leader()
        except StateUnreadable:
            return None

    async def _instances(self) -> tuple[InstanceRecord, ...]:
        """Return what the instances say of themselves, as far as it can be read: the groups matter more."""
        try:
            return await self._store.instances()
        except StoreUnavailable:
            return ()

    async def _last(self, switch: Switch) -> Operation:
        """Return the record of a group's last switch, or what the state knows of it if that cannot be had."""
        status = switch.ended or Status.REQUESTED
        try:
            found = await self._store.operation(switch.request.operation)
        except StateUnreadable as error:
            return Operation(switch.request, status, error=str(error))
        return found or Operation(switch.request, status)

    async def _state(self, group: Group) -> GroupState:
        held = await self._store.load(group.name)
        return as_configured(group, held.state if held else GroupState(group.name))

    def _group(self, name: str) -> Group:
        group = self._named.get(name)
        if group is None:
            known = ", ".join(list(self._named)[:20])
            text = f"there is no group '{shown(name, 80)}'; configured are: {known}"
            raise Refused(Refusal(RefusalCode.UNKNOWN_GROUP, text))
        return group


def _throttled(reason: str, retry_after_s: float | None) -> Refused:
    text = f"{unread_sentence(reason)}; a failover is carried out all the same"
    return Refused(Refusal(RefusalCode.BUSY, text), min(retry_after_s or 1.0, LONGEST_WAIT_S))


def _view(
    group: Group, held: Versioned | StateUnreadable | None, leader: LeaderRecord | None, now: datetime
) -> GroupAnswer:
    unreadable = str(held) if isinstance(held, StateUnreadable) else None
    return group_view(group, _shown(group, held), leader, now, unreadable)


def _shown(group: Group, held: Versioned | StateUnreadable | None) -> GroupState:
    """Return what is shown of a group: one that cannot be read says so, instead of looking like a new one."""
    if isinstance(held, StateUnreadable):
        return GroupState(group.name, blocked=str(held))
    return held.state if held else GroupState(group.name)
