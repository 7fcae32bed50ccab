"""The outside of one process, in memory: every port, each of which may fail, on a clock that never waits.

`Outside` is what a test looks at afterwards: what stands in Azure, in the state, in history, on the queue.
Fine-grained faults (stalls, lost answers, races of many processes) are the simulation's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from nvaha.azure.storage.rows import (
    group_entity,
    instance_entity,
    operation_entity,
    read_group,
    read_instance,
)
from nvaha.model import (
    INSTANCES_FOR_S,
    LEVELS,
    ControlTarget,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Notice,
    Operation,
    ProbeSpec,
    Reading,
    Resource,
    SwitchRequest,
    TokenSeen,
    Tried,
)
from nvaha.model.events import EVENTS, FIELDS, TROUBLE
from nvaha.ports import (
    LEASE_S,
    Conflict,
    LeaseGrant,
    NetworkError,
    Ports,
    StateUnreadable,
    StoreUnavailable,
    Versioned,
)
from tests.builders import ACCOUNT, later
from tests.fake_network import FakeNetwork
from tests.simulation.loop import VirtualLoop

_Result = TypeVar("_Result")


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run to the end in virtual time; whatever would wait for ever is an error."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def after(seconds: float, happens: Callable[[], object]) -> None:
    """Let something happen in so many seconds of virtual time."""
    asyncio.get_running_loop().call_later(seconds, happens)


class FakeClock:
    """The virtual loop's time; the service's clock starts at noon."""

    def now(self) -> datetime:
        """Return the service's time."""
        return later(self.monotonic())

    def monotonic(self) -> float:
        """Return the loop's seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(max(0.0, seconds))


@dataclass(slots=True)
class FakeLeases:
    """Leases by name: {name: (token, until)}.

    Args:
        answers: False: nothing is done and nobody answers.
        answer_s: how long after it was done each answer comes.

    `asked` counts how often somebody wanted one.
    """

    clock: FakeClock
    answers: bool = True
    answer_s: float = 0.0
    held: dict[str, tuple[str, float]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> LeaseGrant | None:
        """Grant the lease unless somebody has it."""
        self.asked += 1
        self._check()
        if name in self.held and self.clock.monotonic() < self.held[name][1]:
            return None
        self.epochs[name] = max(self.epochs.get(name, 0), at_least) + 1
        token = f"{holder}-{self.epochs[name]}"
        self.held[name] = token, self.clock.monotonic() + LEASE_S
        await self.clock.sleep(self.answer_s)
        return LeaseGrant(name, token, self.epochs[name])

    async def renew(self, grant: LeaseGrant) -> bool:
        """Extend the lease of whoever has it."""
        self._check()
        if self.held.get(grant.name, ("", 0.0))[0] != grant.token:
            return False
        self.held[grant.name] = grant.token, self.clock.monotonic() + LEASE_S
        await self.clock.sleep(self.answer_s)
        return True

    async def release(self, grant: LeaseGrant) -> None:
        """Give the lease up."""
        self._check()
        if self.held.get(grant.name, ("", 0.0))[0] == grant.token:
            del self.held[grant.name]

    def steal(self, name: str) -> None:
        """Let somebody else have the lease from now on."""
        self.held[name] = "thief", float("inf")

    def _check(self) -> None:
        if not self.answers:
            raise StoreUnavailable("leases: no answer")


def accepted(entity: Mapping[str, Any]) -> None:
    """Refuse what the table's SDK refuses to send: an Int64 of more than 64 bits."""
    for name, value in entity.items():
        if isinstance(value, tuple) and not -(2**63) <= value[0] < 2**63:
            raise TypeError(f"{name}: {value[0]} is too large to be cast to type Edm.Int64")


@dataclass(slots=True)
class FakeStore:
    """States, operations and the leader's record.

    Args:
        answers: False: nothing is done and nobody answers.
        lose_answers: so many of the next writes are done although their answer is lost.
        falls_silent: the next write is done, and nobody answers from then on.
        sent_twice: so many of the next writes are sent once more below, and meet themselves.
        unreadable: the groups whose rows another release has written: nobody reads or overwrites them.
        rows: the groups whose rows somebody has written by hand, as they then are in the table.
        illegible: the operations whose rows nobody can read.
        before_save: called before each write of a state, to race with it.
        recording_s: how long it takes to write an operation.
        before_load: called before each read of a state; `loading_s` is how long one takes.
        saves: how many states were written here; `loads` counts reads, `records` operations.
    """

    states: dict[str, Versioned] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    leader: LeaderRecord | None = None
    instance_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: bool = True
    takes_records: bool = True
    unreadable: set[str] = field(default_factory=set)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    illegible: set[str] = field(default_factory=set)
    lose_answers: int = 0
    falls_silent: bool = False
    sent_twice: int = 0
    saves: int = 0
    loads: int = 0
    loading_s: float = 0.0
    before_load: Callable[[], None] = lambda: None
    before_save: Callable[[], None] = lambda: None
    recording_s: float = 0.0
    records: int = 0
    _versions: int = 0

    def put(self, state: GroupState) -> None:
        """Write a state as somebody else would."""
        accepted(group_entity(state))
        self._versions += 1
        self.rows.pop(state.group, None)
        self.states[state.group] = Versioned(state, f"v{self._versions}")

    def spoil(self, group: str, text: str) -> None:
        """Write a group's row by hand: this text in place of its state's JSON."""
        self._versions += 1
        self.rows[group] = {"PartitionKey": "group", "RowKey": group, "state": text}
        self.states[group] = replace(self.states[group], version=f"v{self._versions}")

    async def load(self, group: str) -> Versioned | None:
        """Return a state."""
        self._check()
        self.loads += 1
        found = self._read(group)
        self.before_load()
        await asyncio.sleep(self.loading_s)
        if group in self.unreadable:
            raise StateUnreadable(f"{group}: the row cannot be read")
        return found

    async def load_all(self) -> Mapping[str, Versioned | StateUnreadable]:
        """Return all states."""
        self._check()
        found: dict[str, Versioned | StateUnreadable] = {}
        for name in self.states:
            try:
                if (held := self._read(name)) is not None:
                    found[name] = held
            except StateUnreadable as error:
                found[name] = error
        return found

    def _read(self, group: str) -> Versioned | None:
        if group in self.unreadable:
            raise StateUnreadable(f"{group}: the row cannot be read")
        held = self.states.get(group)
        if held is not None and group in self.rows:
            return replace(held, state=read_group(self.rows[group], FakeClock().now()))
        return held

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write a state by compare-and-swap."""
        self._check()
        self.before_save()
        held = self.states.get(state.group)
        if state.group in self.unreadable:
            return Conflict()
        if version != (held.version if held else None):
            return Conflict()
        self.put(state)
        self.saves += 1
        if self.falls_silent:
            self.falls_silent = self.answers = False
            raise StoreUnavailable("save: no answer")
        if self.sent_twice:
            self.sent_twice -= 1
            return Conflict()
        if self.lose_answers:
            self.lose_answers -= 1
            raise StoreUnavailable("save: the answer is lost")
        return self.states[state.group].version

    async def load_leader(self) -> LeaderRecord | None:
        """Return the leader's record."""
        self._check()
        return self.leader

    async def save_leader(self, record: LeaderRecord) -> None:
        """Write the leader's record."""
        self._check()
        if self.leader is None or self.leader.epoch <= record.epoch:
            self.leader = record

    async def instances(self) -> tuple[InstanceRecord, ...]:
        """Return the instances' rows."""
        self._check()
        now = FakeClock().now()
        since = now - timedelta(seconds=INSTANCES_FOR_S)
        rows = (each for each in self.instance_rows.values() if each["written_at"] >= since)
        return tuple(read_instance(each, now) for each in rows)

    async def save_instance(self, record: InstanceRecord) -> None:
        """Write an instance's row."""
        self._check()
        entity = instance_entity(record)
        accepted(entity)
        self.instance_rows[record.instance] = entity

    async def forget_instances(self, before: datetime) -> None:
        """Remove old rows."""
        self._check()
        self.instance_rows = {
            name: row for name, row in self.instance_rows.items() if row["written_at"] >= before
        }

    async def record(self, operation: Operation) -> None:
        """Write an operation; an ended one is never reopened."""
        self._check(records=True)
        accepted(operation_entity(operation))
        self.records += 1
        await asyncio.sleep(self.recording_s)
        found = None if operation.id in self.illegible else self.operations.get(operation.id)
        self.illegible.discard(operation.id)
        if found is None or operation.status.ended or not found.status.ended:
            self.operations[operation.id] = operation

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation."""
        self._check(records=True)
        if operation_id in self.illegible:
            raise StateUnreadable(f"{operation_id}: the row cannot be read")
        return self.operations.get(operation_id)

    async def history(self, group: str, limit: int) -> tuple[Operation | StateUnreadable, ...]:
        """Return a group's operations, newest first."""
        self._check(records=True)
        mine = [each for each in self.operations.values() if each.request.group == group]
        newest_first = sorted(mine, key=lambda each: each.request.generation, reverse=True)[:limit]
        return tuple(
            StateUnreadable(f"{each.id}: the row cannot be read") if each.id in self.illegible else each
            for each in newest_first
        )

    def _check(self, *, records: bool = False) -> None:
        if not self.answers or (records and not self.takes_records):
            raise StoreUnavailable("store: no answer")


@dataclass(slots=True)
class FakeQueue:
    """The switch queue: what was sent, in order."""

    sent: list[SwitchRequest] = field(default_factory=list)
    answers: bool = True

    async def send(self, request: SwitchRequest) -> None:
        """Take a request."""
        if not self.answers:
            raise StoreUnavailable("queue: no answer")
        self.sent.append(request)

    async def waiting(self) -> int:
        """Return how many were sent."""
        if not self.answers:
            raise StoreUnavailable("queue: no answer")
        return len(self.sent)


@dataclass(slots=True)
class FakeProber:
    """Who answers; everybody does until told otherwise.

    Args:
        silent: the addresses that do not answer.
        stalls_s: this much longer than its timeout does every probe take, as in a process that is stopped.
        broken: what every probe raises: a fault of the program's own.
        asked: the addresses that were probed, in order; `reached_for` the control targets'.
    """

    clock: FakeClock
    silent: set[str] = field(default_factory=set)
    stalls_s: float = 0.0
    broken: Exception | None = None
    asked: list[str] = field(default_factory=list)
    reached_for: list[str] = field(default_factory=list)

    async def probe(self, address: str, spec: ProbeSpec) -> Reading:
        """Ask an address."""
        self.asked.append(address)
        if self.broken:
            raise self.broken
        await self.clock.sleep(self.stalls_s)
        if address in self.silent:
            await self.clock.sleep(spec.timeout_s)
            return Reading(ok=False, latency_ms=0.0, error="timed out")
        await self.clock.sleep(0.001)
        return Reading(ok=True, latency_ms=1.0)

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Ask a control target."""
        self.reached_for.append(target.address)
        await self.clock.sleep(timeout_s if target.address in self.silent else 0.001)
        return target.address not in self.silent


@dataclass(slots=True)
class FakeTrials:
    """What an examination tries: all goes well unless said otherwise.

    Args:
        tried: what comes of storage.
        seen: how it stands with tokens.
        ahead: how far the services' clocks are ahead.
        objects: {resource id: what Azure objects to in a write of it}.
        offered: the writes that were offered, in order.
    """

    tried: tuple[Tried, ...] = (Tried("table", "nvahagroups", ("write",)),)
    seen: tuple[TokenSeen, ...] = (TokenSeen("ARM", later(86400), None, "0b1e"),)
    ahead: dict[str, float] = field(default_factory=lambda: {"storage": 0.3})
    objects: dict[str, NetworkError] = field(default_factory=dict)
    offered: list[Resource] = field(default_factory=list)

    async def storage(self) -> tuple[Tried, ...]:
        """Return what came of it."""
        return self.tried

    async def offer(self, resource: Resource) -> None:
        """Object, or not."""
        self.offered.append(resource)
        if (error := self.objects.get(resource.id)) is not None:
            raise error

    async def tokens(self) -> tuple[TokenSeen, ...]:
        """Return how it stands."""
        return self.seen

    def clocks(self) -> Mapping[str, float]:
        """Return how far they are ahead."""
        return self.ahead


@dataclass(slots=True)
class Told:
    """What operators were told; only what nvaha.model.events promises may be."""

    notices: list[Notice] = field(default_factory=list)

    def notify(self, notice: Notice) -> None:
        """Remember a notice."""
        assert notice.event in EVENTS
        assert notice.fields.keys() <= FIELDS.keys()
        assert notice.level == "info" or (notice.level in LEVELS and notice.event in TROUBLE)
        self.notices.append(notice)

    @property
    def events(self) -> list[str]:
        """The names of the events, in order."""
        return [each.event for each in self.notices]


class Outside:
    """Everything outside one process, and the ports to it; several processes may share one."""

    def __init__(self, *states: GroupState) -> None:
        self.clock = FakeClock()
        self.leases = FakeLeases(self.clock)
        self.store = FakeStore()
        self.queue = FakeQueue()
        self.network = FakeNetwork(self.clock)
        self.prober = FakeProber(self.clock)
        self.told = Told()
        self.ids = itertools.count()
        for state in states:
            self.store.put(state)
        self.ports = Ports(
            leases=self.leases,
            store=self.store,
            queue=self.queue,
            network=self.network,
            prober=self.prober,
            clock=self.clock,
            notifier=self.told,
            new_id=lambda: f"id{next(self.ids)}",
            have_token=self.network.have_token,
            account=ACCOUNT,
        )

    def storage_goes(self) -> None:
        """Let storage answer nothing from now on: neither states nor leases nor the queue."""
        self.store.answers = self.leases.answers = self.queue.answers = False

    def storage_is_back(self) -> None:
        """Let storage answer again."""
        self.store.answers = self.leases.answers = self.queue.answers = True

    def state(self, group: str = "g") -> GroupState:
        """Return a group's state as stored."""
        return self.store.states[group].state
