"""Simulated storage: leases, tables with compare-and-swap, a queue; and each process's ports on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nvaha.azure.storage.rows import (
    group_entity,
    instance_entity,
    leader_entity,
    operation_entity,
    read_group,
    read_instance,
    read_leader,
    read_operation,
)
from nvaha.model import GroupState, InstanceRecord, LeaderRecord, Operation, SwitchRequest
from nvaha.model.messages import SwitchMessage, parse_message, write_message
from nvaha.ports import Conflict, LeaseGrant, StateUnreadable, StoreUnavailable, Versioned
from tests.simulation.process import START_S, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_S = 15.0
ROW = "row"
"""What raises of a group whose row nobody can read."""
LIMIT_S = 4.5
"""An answer of storage that takes longer is none; as the adapter has it."""
LEASE_REQUESTS = frozenset({"acquire", "renew", "release"})
HIDDEN_S, MOST_DELIVERIES, AFTER_A_FAILURE_S = 600.0, 5, 5.0
"""The queue trigger's rules (azure-facts A2); the last one is host.json's."""
PROMPT_S = 1.0
"""An answer of storage that is there by then hinders nobody."""


@dataclass(slots=True)
class _Lease:
    epoch: int = 0
    token: str | None = None
    holder: str = ""
    until_s: float = -math.inf


@dataclass(slots=True)
class Message:
    """One message on the queue."""

    body: str
    visible_s: float
    deliveries: int = 0
    receipt: int = 0
    gone: bool = False


@dataclass(slots=True)
class Tables:
    """What storage holds."""

    leases: dict[str, _Lease] = field(default_factory=dict)
    groups: dict[str, Versioned] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    leader: LeaderRecord | None = None
    instances: dict[str, InstanceRecord] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    poison: list[Message] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    writes: int = 0


class Storage:
    """The service's side: every method takes effect at once, at the moment it is called."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tables = Tables()

    def now(self) -> datetime:
        """Return the time by the service's clock."""
        return datetime.fromtimestamp(START_S + self.world.loop.now_s, UTC)

    def acquire(self, name: str, holder: str, token: str, at_least: int, *, stamp: bool) -> LeaseGrant | None:
        """Grant the lease if it is free, or held under this very token, as when a request is repeated.

        Without `stamp` the epoch is not raised, as when the taker dies.
        """
        lease, now = self.tables.leases.setdefault(name, _Lease()), self.world.loop.now_s
        if lease.token == token and now < lease.until_s:
            lease.until_s = now + LEASE_S
            return LeaseGrant(name, token, lease.epoch)
        if lease.token is not None and now < lease.until_s:
            return None
        lease.token, lease.holder = token, holder
        lease.until_s = now + LEASE_S
        if stamp:
            lease.epoch = max(lease.epoch, at_least) + 1
        return LeaseGrant(name, token, lease.epoch)

    def renew(self, grant: LeaseGrant) -> bool:
        """Extend the lease, also one that ran out and that nobody took since (Learn, "Lease Blob")."""
        lease = self.tables.leases.get(grant.name)
        if lease is None or lease.token != grant.token:
            return False
        lease.until_s = self.world.loop.now_s + LEASE_S
        return True

    def release(self, grant: LeaseGrant) -> None:
        """Free the lease if the token is still its own."""
        lease = self.tables.leases.get(grant.name)
        if lease is not None and lease.token == grant.token:
            lease.token = None

    def break_lease(self, name: str) -> str | None:
        """Take a lease from its holder, as an administrator can; return who held it."""
        lease = self.tables.leases.get(name)
        if lease is None or lease.token is None:
            return None
        lease.token = None
        return lease.holder

    def read(self, group: str) -> Versioned | StateUnreadable | None:
        """Return a group's state, or why its row cannot be read."""
        if self.world.faults.raising.get(group) == ROW:
            return StateUnreadable(f"the row of {group} cannot be read")
        return self.tables.groups.get(group)

    def save(self, process: Process, state: GroupState, version: str | None, sent: Any) -> str | Conflict:
        """Write a group's state by compare-and-swap, through its entity."""
        found = self.tables.groups.get(state.group)
        spoilt = self.world.faults.raising.get(state.group) == ROW
        lost = (found.version if found else None) != version or spoilt
        if lost or self.world.faults.happens("storage_conflict"):
            return Conflict()
        self.tables.writes += 1
        written = Versioned(read_group(group_entity(state), self.now()), f"v{self.tables.writes}")
        self.tables.groups[state.group] = written
        self.world.oracle.state_written(process, found, written, sent)
        return written.version

    def put_back(self, copies: Mapping[str, Versioned], *, gone: bool = False) -> None:
        """Put groups' rows back to what they were, as a backup, or a failover that loses writes, does.

        Others are `gone` if they were not there then.
        """
        for name in self.tables.groups.keys() - copies.keys() if gone else ():
            was = self.tables.groups.pop(name)
            self.world.oracle.put_back(name, Versioned(GroupState(name), ""), was)
        for name, copy in copies.items():
            self.tables.writes += 1
            was_there = self.tables.groups.get(name)
            held = self.tables.groups[name] = Versioned(copy.state, f"v{self.tables.writes}")
            self.world.note("storage", f"has the row of {name} as it was at {copy.version}")
            self.world.count("rows put back")
            self.world.oracle.put_back(name, held, was_there)

    def save_leader(self, record: LeaderRecord) -> None:
        """Write the leader's record unless a newer epoch's is there."""
        if self.tables.leader is None or self.tables.leader.epoch <= record.epoch:
            self.tables.leader = read_leader(leader_entity(record), self.now())

    def save_instance(self, process: Process, record: InstanceRecord) -> None:
        """Write an instance's row."""
        self.world.oracle.sight.claimed(process, record)
        self.tables.instances[record.instance] = read_instance(instance_entity(record), self.now())

    def forget_instances(self, before: datetime) -> None:
        """Remove the rows that were last written before that."""
        kept = self.tables.instances.items()
        self.tables.instances = {name: each for name, each in kept if each.written_at >= before}

    def record(self, process: Process, operation: Operation) -> None:
        """Write an operation whole, unless that would reopen it."""
        found = self.tables.operations.get(operation.id)
        if found is not None and found.status.ended and not operation.status.ended:
            return
        written = read_operation(operation_entity(operation), self.now())
        self.tables.operations[operation.id] = written
        self.world.oracle.operations.recorded(process, found, written)

    def put_message(self, body: str) -> None:
        """Take a message in; it may be delivered late, or twice."""
        self.world.oracle.follow.queued(self.world.parse(body).operation)
        now, faults, rng = self.world.loop.now_s, self.world.faults, self.world.rng
        late_s = rng.uniform(1.0, 60.0) if faults.happens("message_late") else rng.uniform(0.0, 0.3)
        self.tables.bodies.append(body)
        self.tables.queue.append(Message(body, now + late_s))
        if faults.happens("message_twice"):
            self.tables.queue.append(Message(body, now + late_s + rng.uniform(0.0, 30.0)))

    def take_message(self) -> tuple[Message, int] | None:
        """Hand out any message that is visible, and hide it."""
        now, rng = self.world.loop.now_s, self.world.rng
        queue = self.tables.queue = [each for each in self.tables.queue if not each.gone]
        visible = [each for each in queue if each.visible_s <= now]
        if not visible:
            return None
        message = rng.choice(visible)
        message.deliveries += 1
        message.receipt += 1
        message.visible_s = now + HIDDEN_S
        return message, message.receipt

    def clear_queue(self) -> int:
        """Delete every message, in work or not, as whoever has a right to the queue can; return how many."""
        there = [each for each in self.tables.queue if not each.gone]
        for each in there:
            each.gone = True
        return len(there)

    def copy_message(self, body: str, *, poison: bool) -> None:
        """Take in a copy of a message, made by whoever has a right to the queue."""
        queue = self.tables.poison if poison else self.tables.queue
        queue.append(Message(body, self.world.loop.now_s))

    def delete_message(self, message: Message, receipt: int) -> None:
        """Delete a message if the receipt is its last."""
        message.gone = message.gone or message.receipt == receipt

    def failed_message(self, message: Message, receipt: int) -> None:
        """Show a message again soon, or move it to the poison queue after its last delivery."""
        if message.receipt != receipt or message.gone:
            return
        if message.deliveries >= MOST_DELIVERIES:
            message.gone = True
            self.tables.poison.append(Message(message.body, self.world.loop.now_s))
        else:
            message.visible_s = self.world.loop.now_s + AFTER_A_FAILURE_S

    def take_poison(self) -> Message | None:
        """Hand out a message from the poison queue, and hide it."""
        now = self.world.loop.now_s
        for message in self.tables.poison:
            if not message.gone and message.visible_s <= now:
                message.visible_s = now + AFTER_A_FAILURE_S
                return message
        return None


class StoragePorts:
    """One process's `Leases`, `StateStore` and `SwitchQueue`, which also feed its clock."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world
        self._storage = process.world.storage
        self._tokens = 0

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> LeaseGrant | None:
        """Take a lease."""
        sent_s = self._world.loop.now_s
        stamp = not self._world.faults.happens("storage_error")
        self._tokens += 1
        token = f"{self._process.name}-{self._tokens}"
        result: LeaseGrant | None = await self._ask(
            "acquire",
            lambda: self._storage.acquire(name, holder, token, at_least, stamp=stamp),
            lossy=not stamp,
        )
        if result is not None:
            self._world.oracle.leases.hold(self._process, name, sent_s, result.epoch)
            self._world.note(self._process.name, f"has {name} with epoch {result.epoch}")
        return result

    async def renew(self, grant: LeaseGrant) -> bool:
        """Extend a lease."""
        sent_s = self._world.loop.now_s
        done: bool = await self._ask("renew", lambda: self._storage.renew(grant))
        if done:
            self._world.oracle.leases.hold(self._process, grant.name, sent_s, grant.epoch)
        else:
            self._world.oracle.leases.lose(self._process, grant.name)
        return done

    async def release(self, grant: LeaseGrant) -> None:
        """Give a lease up."""
        self._world.oracle.leases.lose(self._process, grant.name)
        await self._ask("release", lambda: self._storage.release(grant))

    async def load(self, group: str) -> Versioned | None:
        """Read a group's state."""
        found: Versioned | StateUnreadable | None = await self._ask("load", lambda: self._storage.read(group))
        if isinstance(found, StateUnreadable):
            raise found
        self._world.oracle.leases.looked(self._process, found)
        return found

    async def load_all(self) -> Mapping[str, Versioned | StateUnreadable]:
        """Read all groups' states."""
        found: Mapping[str, Versioned | StateUnreadable | None] = await self._ask(
            "load_all", lambda: {name: self._storage.read(name) for name in self._storage.tables.groups}
        )
        return {name: each for name, each in found.items() if each is not None}

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write a group's state."""
        sent = self._world.oracle.save_sent(self._process, state)
        result: str | Conflict = await self._ask(
            "save", lambda: self._storage.save(self._process, state, version, sent), state
        )
        if not isinstance(result, Conflict):
            self._world.oracle.past.remembered(self._process, state)
        return result

    async def load_leader(self) -> LeaderRecord | None:
        """Read the leader's record."""
        found: LeaderRecord | None = await self._ask("load_leader", lambda: self._storage.tables.leader)
        return found

    async def save_leader(self, record: LeaderRecord) -> None:
        """Write the leader's record."""
        await self._ask("save_leader", lambda: self._storage.save_leader(record), record)

    async def instances(self) -> tuple[InstanceRecord, ...]:
        """Read the instances' rows."""
        found: tuple[InstanceRecord, ...] = await self._ask(
            "instances", lambda: tuple(self._storage.tables.instances.values())
        )
        return found

    async def save_instance(self, record: InstanceRecord) -> None:
        """Write an instance's row."""
        await self._ask("save_instance", lambda: self._storage.save_instance(self._process, record), record)

    async def forget_instances(self, before: datetime) -> None:
        """Remove old rows."""
        await self._ask("forget_instances", lambda: self._storage.forget_instances(before))

    async def waiting(self) -> int:
        """Count the messages."""
        found: int = await self._ask(
            "waiting", lambda: sum(not each.gone for each in self._storage.tables.queue)
        )
        return found

    async def record(self, operation: Operation) -> None:
        """Write an operation."""
        await self._ask("record", lambda: self._storage.record(self._process, operation))

    async def operation(self, operation_id: str) -> Operation | None:
        """Read an operation."""
        found: Operation | None = await self._ask(
            "operation", lambda: self._storage.tables.operations.get(operation_id)
        )
        return found

    async def history(self, group: str, limit: int) -> tuple[Operation, ...]:
        """Read a group's operations, newest first."""

        def serve() -> tuple[Operation, ...]:
            of_group = [
                each for each in self._storage.tables.operations.values() if each.request.group == group
            ]
            return tuple(reversed(of_group))[:limit]

        found: tuple[Operation, ...] = await self._ask("history", serve)
        return found

    async def send(self, request: SwitchRequest) -> None:
        """Put a request on the queue."""
        body = write_message(request)
        await self._ask("send", lambda: self._storage.put_message(body), request)

    async def take(self) -> tuple[Message, int, SwitchMessage] | None:
        """Take a message off the queue, as the trigger does."""
        taken: tuple[Message, int] | None = await self._ask("take", self._storage.take_message)
        if taken is None:
            return None
        message, receipt = taken
        return message, receipt, parse_message(message.body.encode())

    async def tell(self, action: Callable[[], Any]) -> Any:
        """Do something else with storage, as the runtime around the app does."""
        return await self._ask("runtime", action)

    async def _ask(
        self, what: str, serve: Callable[[], Any], subject: Any = None, *, lossy: bool = False
    ) -> Any:
        process, world = self._process, self._world
        fate = world.faults.storage_fate(process, what, subject)
        if lossy:
            fate = replace(fate, back_s=None)
        prompt = fate.answered_s is not None and fate.answered_s <= PROMPT_S and fate.refused is None
        if not prompt:
            process.hindered += 1
        stamped: list[float] = []

        def at_service() -> Any:
            # The Date header counts whole seconds.
            stamped.append(math.floor(START_S + world.loop.now_s))
            return serve()

        sent_at = process.monotonic()
        lost = StoreUnavailable(f"{what}: no answer")
        try:
            result = await process.send(fate, at_service, lost)
        except StoreUnavailable:
            world.oracle.rounds.unanswered(process)
            raise
        received_at = process.monotonic()
        process.clock.observe(datetime.fromtimestamp(stamped[0], UTC), sent_at, received_at)
        return result
