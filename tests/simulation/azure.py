"""Simulated Azure Resource Manager: whole resources, ETags, operations; and each process's port on it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

HANG_S = (20.0, 90.0)
POLL_S = 1.0
TOKEN_S = 3.0
"""So long a request waits for an identity that is silent."""
POLLS_FAIL_FOR_S = 30.0
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """On whose behalf a request is sent: `run` tells one delivery of a message from every other."""

    group: str
    generation: int
    operation: str
    run: int


WRITER: ContextVar[Writer | None] = ContextVar("writer", default=None)


@dataclass(slots=True)
class Running:
    """One operation: how a write is getting on."""

    status: str = "InProgress"
    fault: NetworkFault | None = None


@dataclass(slots=True)
class Entry:
    """One resource.

    `before` is what a failed operation goes back to, `effective` what the data plane last took over, and
    `leaving` the public IPs that a running detach still holds.
    """

    id: str
    kind: str
    body: Body
    etag: str
    before: Body
    effective: Body
    operation: Running | None = None
    leaving: frozenset[str] = frozenset()
    versions: dict[str, Body] = field(default_factory=dict)


class Arm:
    """The service's side; every method takes effect at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entries: dict[str, Entry] = {}
        self._etags = 0
        self.pending = 0

    def create(self, resource_id: str, kind: str, body: Body) -> None:
        """Put a resource there from the start."""
        body = {"id": resource_id, "name": resource_id.rpartition("/")[2], **body}
        body["properties"]["provisioningState"] = "Succeeded"
        entry = self.entries[resource_id.casefold()] = Entry(resource_id, kind, body, "", body, body)
        self._set(entry, body)

    def entry(self, resource_id: str) -> Entry:
        """Return a resource."""
        return self.entries[resource_id.casefold()]

    def get(self, resource_id: str) -> Resource:
        """Read a resource; nobody may change the body."""
        entry = self.entry(resource_id)
        body = entry.body
        if entry.kind == "pip":
            body = {**body, "properties": dict(body["properties"])}
            holder = self.holder(entry.id, lagging=self.world.knobs.back_references_lag)
            if holder is not None:
                body["properties"]["ipConfiguration"] = {"id": holder}
        return Resource(resource_id, entry.etag, body)

    def holder(self, public_ip: str, *, lagging: bool) -> str | None:
        """Return the id of the IP configuration that carries a public IP."""
        for entry in self.entries.values():
            if entry.kind == "nic":
                for name, carried in carried_by(entry.effective if lagging else entry.body).items():
                    if carried == public_ip.casefold():
                        return f"{entry.id}/ipConfigurations/{name}"
        return None

    def put(self, process: Process, resource: Resource, writer: Writer | None, read_s: float) -> Running:
        """Take a write in, or refuse it; its operation goes on by itself."""
        entry, knobs = self.entry(resource.id), self.world.knobs
        fault = self.world.faults.unwritable.get(entry.id.casefold())
        if fault is not None:
            code, status = ("ScopeLocked", "409 ScopeLocked") if fault.lasting else (None, "429 busy")
            raise NetworkError(fault, resource.id, status, code=code)
        ignoring = entry.kind == "nic" and knobs.nics_ignore_if_match
        if resource.etag not in ("*", entry.etag) and not ignoring:
            raise NetworkError(NetworkFault.CHANGED, resource.id, "412")
        running = entry.operation
        if running is not None and not knobs.busy_means_superseded:
            raise NetworkError(
                NetworkFault.BUSY, resource.id, "429 another", code="RetryableErrorDueToAnotherOperation"
            )
        if entry.kind == "nic":
            self._check_free(entry, resource.body)
        if knobs.tags_denied and any(is_mark(each) for each in resource.body.get("tags", {})):
            raise NetworkError(NetworkFault.POLICY, resource.id, "403 RequestDisallowedByPolicy")
        process.world.oracle.writes.arrived(process, resource, entry, writer, read_s)
        if running is not None:
            running.status, running.fault = "Canceled", NetworkFault.BUSY
        else:
            entry.before = entry.body
        lost = frozenset(carried_by(entry.body).values()) - frozenset(carried_by(resource.body).values())
        entry.leaving |= lost
        return self._begin(entry, resource.body)

    def _begin(self, entry: Entry, body: Mapping[str, Any]) -> Running:
        faults, rng = self.world.faults, self.world.rng
        operation = entry.operation = Running()
        self._set(entry, with_state(body, "Updating"))
        seconds = self.world.knobs.operation_s * rng.uniform(0.5, 1.5)
        if faults.happens("operation_hangs"):
            seconds = rng.uniform(*HANG_S)
        fails = faults.happens("operation_fails")
        fault = rng.choice([NetworkFault.REFUSED, NetworkFault.UNAVAILABLE, NetworkFault.BUSY])
        self.pending += 1

        def end() -> None:
            self.pending -= 1
            if entry.operation is not operation:
                return
            entry.operation, entry.leaving = None, frozenset()
            if fails:
                operation.status, operation.fault = "Failed", fault
                back = self.world.knobs.failed_operations_roll_back
                self._set(entry, entry.before if back else with_state(entry.body, "Failed"))
                self.world.note("arm", f"operation on {entry.id} failed")
            else:
                operation.status = "Succeeded"
                self._set(entry, with_state(entry.body, "Succeeded"))
                entry.effective = entry.body

        if seconds > 0:
            self.world.loop.call_later(seconds, end)
        else:
            end()
        return operation

    def edit(self, entry: Entry, change: Callable[[Body], None]) -> bool:
        """Let somebody else change a resource, unless it is busy."""
        if entry.operation is not None:
            return False
        body = copy.deepcopy(entry.body)
        change(body)
        self._set(entry, with_state(body, "Succeeded"))
        entry.before = entry.effective = entry.body
        return True

    def _set(self, entry: Entry, body: Body) -> None:
        self._etags += 1
        entry.body, entry.etag = body, f'W/"{self._etags}"'
        entry.versions[entry.etag] = body

    def _check_free(self, entry: Entry, body: Mapping[str, Any]) -> None:
        now = carried_by(entry.body)
        refused = self.world.faults.unattachable.get(entry.id.casefold())
        for name, public_ip in carried_by(body).items():
            if now.get(name) == public_ip:
                continue
            if refused is not None:
                raise NetworkError(refused, entry.id, f"may not join {public_ip}")
            for other in self.entries.values():
                if other.kind != "nic":
                    continue
                held = public_ip in other.leaving or any(
                    carried == public_ip and not (other is entry and at == name)
                    for at, carried in carried_by(other.body).items()
                )
                if held:
                    raise NetworkError(
                        NetworkFault.IN_USE,
                        entry.id,
                        f"400 in use at {other.id}",
                        code="PublicIPAddressInUse",
                    )


def carried_by(body: Mapping[str, Any]) -> dict[str, str]:
    """Return {IP configuration: casefolded public IP id} of a NIC's body, nothing for others."""
    found = {}
    for each in body["properties"].get("ipConfigurations", ()):
        public_ip = each["properties"].get("publicIPAddress")
        if public_ip is not None:
            found[each["name"]] = public_ip["id"].casefold()
    return found


def is_mark(tag: str) -> bool:
    """Tell whether a tag says who writes a resource."""
    return tag.startswith("nvaha-") and tag != "nvaha-hold"


def with_state(body: Mapping[str, Any], state: str) -> Body:
    """Return a body with its provisioning state set."""
    return {**body, "properties": {**body["properties"], "provisioningState": state}}


class NetworkPort:
    """One process's `Network`."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world
        self._read_s: dict[tuple[int, str], float] = {}

    async def have_token(self) -> None:
        """Have a token, or wait for one in vain."""
        if self._world.faults.on and self._world.loop.now_s < self._process.no_token_until_s:
            self._world.count("requests without a token")
            await self._process.sleep(self._world.rng.choice([0.0, TOKEN_S]))
            raise NetworkError(NetworkFault.NO_TOKEN, "", "no token")

    async def get(self, resource_id: str) -> Resource:
        """Read a resource."""
        world, writer = self._world, WRITER.get()
        served: list[float] = []
        owners = [each.name for each in world.everything.switched if resource_id in each.resource_ids]
        if self._process.kind == "monitor" and len(owners) == 1:
            world.faults.raise_for(owners[0], "read")

        def serve() -> Resource:
            served.append(world.loop.now_s)
            return world.arm.get(resource_id)

        lost = NetworkError(NetworkFault.UNAVAILABLE, resource_id, "no answer")
        try:
            await self.have_token()
            await self._turn(resource_id)
            world.oracle.looks.asked(self._process, resource_id)
            fate = world.faults.read_fate(resource_id)
            found: Resource = await self._process.send(fate, serve, lost)
        except (NetworkError, asyncio.CancelledError) as error:
            world.oracle.looks.answered(self._process, resource_id, error)
            world.oracle.writes.unread(writer, resource_id)
            raise
        world.oracle.looks.answered(self._process, resource_id, None)
        self._read_s[_by(writer), resource_id.casefold()] = served[0]
        world.oracle.writes.read(self._process, writer, found, served[0])
        world.oracle.tags.read(self._process, writer, found)
        return found

    async def _turn(self, resource_id: str) -> None:
        """Wait in vain for a turn to read, where only switches have one: ARM is not asked then."""
        world, short = self._world, NetworkError(NetworkFault.THROTTLED, resource_id, "not asked for")
        if self._process.kind != "worker" and world.loop.now_s < world.faults.reads_short_until_s:
            world.count("reads left to switches")
            short.retry_after_s = world.rng.choice([1.0, 7.0])
            await self._process.sleep(world.rng.choice([0.0, 4.5]))
            raise short

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Write a resource and wait for its operation."""
        await self.have_token()
        process, world, writer = self._process, self._world, WRITER.get()
        read_s = self._read_s.get((_by(writer), resource.id.casefold()), float("-inf"))
        world.oracle.writes.sent(process, resource, writer, read_s)
        fate = world.faults.arm_fate(write=True)
        lost = NetworkError(NetworkFault.UNAVAILABLE, resource.id, "no answer")
        done = False
        try:
            answer = process.send(fate, lambda: world.arm.put(process, resource, writer, read_s), lost)
            await self._while_alive(answer, alive)
            await self._follow(resource.id, answer.result(), alive)
            done = True
        finally:
            world.oracle.writes.ended(process, resource, writer, done=done)

    async def _while_alive(self, answer: Any, alive: Callable[[], Awaitable[None]]) -> None:
        while not await self._process.wait(answer, 1.0):
            await alive()

    async def _follow(self, resource_id: str, running: Running, alive: Callable[[], Awaitable[None]]) -> None:
        process, world = self._process, self._world
        silent_s, pause_s = 0.0, 0.25
        while True:
            await alive()
            await process.sleep(pause_s)
            pause_s = min(2 * pause_s, POLL_S)
            lost = NetworkError(NetworkFault.UNAVAILABLE, resource_id, "poll: no answer")
            fate = world.faults.arm_fate(write=False)
            try:
                await self.have_token()
                status, fault = await process.send(fate, lambda: (running.status, running.fault), lost)
            except NetworkError:
                silent_s += pause_s
                if silent_s > POLLS_FAIL_FOR_S:
                    raise
                continue
            silent_s = 0.0
            if status == "Succeeded":
                return
            if fault is not None:
                raise NetworkError(fault, resource_id, f"the operation ended as {status}")


def _by(writer: Writer | None) -> int:
    return writer.run if writer else 0
