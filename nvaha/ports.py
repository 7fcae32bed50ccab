"""What the core needs from the outside: small protocols without policy.

Every method has three results that callers keep apart: it was done; somebody else was first (None or a
`Conflict`); or the service did not answer (`StoreUnavailable`, `NetworkError`), which says nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from nvaha.model import (
    ControlTarget,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Notice,
    Operation,
    ProbeSpec,
    Reading,
    Receiver,
    Resource,
    SwitchRequest,
    TokenSeen,
    Tried,
    Unsent,
)
from nvaha.model.metrics import Sample


class StoreUnavailable(Exception):
    """Storage did not answer, or answered with an error that says nothing about the data."""


class StateUnreadable(StoreUnavailable):
    """What is stored cannot be read by this version: a person has to look.

    Args:
        message: names the place, the value and the remedy.
        newer: a newer release has written it: that is right, and not to be overwritten.
    """

    def __init__(self, message: str, *, newer: bool = False) -> None:
        super().__init__(message)
        self.newer = newer


LEASE_S = 15.0
"""How long a lease lasts: the shortest that Blob Storage grants (azure-facts C1)."""
LEASE_CONTAINER = "nvaha"
"""The container of the blobs that the leases are on: people find them there."""
LEASE_MARGIN_S = 3.0
"""Seconds of a lease that are never relied on: clocks run at slightly different rates."""


LONGEST_WAIT_S = 30.0
"""Longer than this nobody waits at a time, whatever Retry-After says: ARM's buckets are full again after ten
seconds, and a word that is wrong by an hour must not cost an hour of traffic."""


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> datetime:
        """UTC now by the storage service's clock, so that all monitors share one; good to about 2 s."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that is never set."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """A lease that storage granted: `token` proves it, `epoch` grows with every new holder."""

    name: str
    token: str
    epoch: int


class Leases(Protocol):
    """Exclusive leases that expire after LEASE_S, counted by the service.

    What they do not give: a holder that stalls does not know it lost one.
    """

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> LeaseGrant | None:
        """Take the lease and raise its epoch above both its own last one and `at_least`.

        Returns:
            The grant, or None if somebody else holds the lease.

        Raises:
            StoreUnavailable: storage did not answer; the lease may or may not have been granted.
        """
        ...

    async def renew(self, grant: LeaseGrant) -> bool:
        """Extend the lease; False if it is lost. StoreUnavailable if storage did not answer."""
        ...

    async def release(self, grant: LeaseGrant) -> None:
        """Give the lease up, if it is still ours. StoreUnavailable if storage did not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Versioned:
    """A group's state with the version to write it back against."""

    state: GroupState
    version: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote first: read again and decide again."""


class StateStore(Protocol):
    """Group states by compare-and-swap, the leader's record, and operations.

    Raises StoreUnavailable from every method when storage does not answer; a write may then have happened.
    What cannot be read is StateUnreadable; a group's state, and what a newer release wrote, is left as it is.
    """

    async def load(self, group: str) -> Versioned | None:
        """Return the group's state, or None if there is none yet."""
        ...

    async def load_all(self) -> Mapping[str, Versioned | StateUnreadable]:
        """Return every stored group's state, or why it cannot be read, by group name."""
        ...

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write the state if it is still at `version` (None: not there yet); return its new version."""
        ...

    async def load_leader(self) -> LeaderRecord | None:
        """Return what the leader last wrote of itself."""
        ...

    async def save_leader(self, record: LeaderRecord) -> None:
        """Write the leader's record, unless one of a newer epoch is there."""
        ...

    async def instances(self) -> tuple[InstanceRecord, ...]:
        """Return what each instance last wrote of itself, if that was within INSTANCES_FOR_S.

        Rows that cannot be read are left out.
        """
        ...

    async def save_instance(self, record: InstanceRecord) -> None:
        """Write an instance's row over whatever is there."""
        ...

    async def forget_instances(self, before: datetime) -> None:
        """Remove the rows, also those that cannot be read, that were last written before that."""
        ...

    async def record(self, operation: Operation) -> None:
        """Write the operation, whole; the last write wins, except that an ended one is never reopened."""
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation, or None."""
        ...

    async def history(self, group: str, limit: int) -> tuple[Operation | StateUnreadable, ...]:
        """Return the group's operations, newest first, or why one of them cannot be read."""
        ...


class SwitchQueue(Protocol):
    """Where switch requests wait for a worker. Delivery is at least once, late, in any order."""

    async def send(self, request: SwitchRequest) -> None:
        """Put the request on the queue; StoreUnavailable if storage did not answer."""
        ...

    async def waiting(self) -> int:
        """Return about how many messages are there, none if the queue is not there yet.

        Raises StoreUnavailable if storage did not answer.
        """
        ...


class NetworkFault(StrEnum):
    """What an answer of ARM means for the one who asked."""

    CHANGED = "changed"  # 412: someone else wrote; read again
    BUSY = "busy"  # another operation, or superseded: try again later
    THROTTLED = "throttled"  # too many requests, of whomever: nothing is wrong with this one, so wait
    IN_USE = "in_use"  # the public IP is still attached elsewhere
    POLICY = "policy"  # a policy of the organisation denies this write as it is
    REFUSED = "refused"  # this write will not be accepted as it is: 4xx, or the operation failed for good
    DENIED = "denied"  # 401, 403
    MISSING = "missing"  # 404
    UNAVAILABLE = "unavailable"  # no answer, 5xx, reset: it may or may not have taken effect
    NO_TOKEN = "no_token"  # nothing was asked: this process has no token, so another one may do better  # noqa: S105
    UNREADABLE = "unreadable"  # an answer that is not what ARM documents

    @property
    def lasting(self) -> bool:
        """Whether the answer will be the same the next time; all others are worth another try."""
        return self in {
            NetworkFault.POLICY,
            NetworkFault.REFUSED,
            NetworkFault.DENIED,
            NetworkFault.MISSING,
            NetworkFault.UNREADABLE,
        }


class NetworkError(Exception):
    """ARM did not do what was asked.

    Args:
        fault: what that means for the caller.
        resource_id: where.
        message: status, error code and text as ARM gave them, bounded, without secrets.
        retry_after_s: how long ARM asked to wait before trying again, if it did.
        code: ARM's error code, if any.
    """

    def __init__(
        self,
        fault: NetworkFault,
        resource_id: str,
        message: str,
        *,
        retry_after_s: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(f"{resource_id}: {message}")
        self.fault = fault
        self.resource_id = resource_id
        self.message = message
        self.retry_after_s = retry_after_s
        self.code = code


ON_BEHALF_OF: ContextVar[str | None] = ContextVar("on_behalf_of", default=None)
"""The operation whose work the present task, and every task that it starts, does; a network says it with each
call, so that what Azure logs of the call can be told to be that operation's."""
_OPERATIONS = uuid.uuid5(uuid.NAMESPACE_URL, "nvaha/operations")


def correlation_id(operation: str) -> str:
    """Return the id under which Azure's activity log has what was done for an operation: always the same."""
    return str(uuid.uuid5(_OPERATIONS, operation))


class Network(Protocol):
    """Whole ARM resources by id. No policy: no retry beyond the connection, no decision."""

    async def get(self, resource_id: str) -> Resource:
        """Read a resource; NetworkError if that fails."""
        ...

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Write the whole resource with If-Match on its ETag and wait until Azure has finished.

        `alive` is awaited between polls; what it raises ends the wait (the write goes on in Azure).
        NetworkError if ARM refuses the write or the operation fails.
        """
        ...


class Prober(Protocol):
    """Asks one NVA, or a control target, once. Never raises for what the network does."""

    async def probe(self, address: str, spec: ProbeSpec) -> Reading:
        """Return the reading within the spec's timeout."""
        ...

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Tell whether a control target accepts a TCP connection."""
        ...


class Notifier(Protocol):
    """Tells operators: log, metrics, later more."""

    def notify(self, notice: Notice) -> None:
        """Pass the notice on; must not raise and must not block."""
        ...


class PingFailed(Exception):
    """Whoever is told that the watch goes on did not take it; the message has no secret in it."""


class Pinger(Protocol):
    """Tells somebody outside that the watch goes on."""

    async def ping(self) -> None:
        """Tell it once, within seconds; PingFailed if it was not taken."""
        ...


class NotTaken(Exception):
    """A receiver did not take what it was sent; the message has no secret in it.

    Args:
        message: why.
        status: the receiver's answer by HTTP; None if it gave none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Receivers(Protocol):
    """Whom people are told through: whatever it is, and however it fails, it is outside of every switch."""

    @property
    def known(self) -> tuple[Receiver, ...]:
        """The receivers as configured; none: nothing is sent."""
        ...

    async def send(self, receiver: Receiver, unsent: Unsent) -> int:
        """Send a notice once, within seconds; return the receiver's status. NotTaken if it was not taken."""
        ...

    def heard(self) -> tuple[Unsent, ...]:
        """Return what this process has told of itself, and no state holds, since this was last asked."""
        ...


class Meter(Protocol):
    """Counts, measures and shows; the names are those of `nvaha.model.metrics`. Must not raise or block."""

    def count(self, name: str, **labels: str) -> None:
        """Count one more of something."""
        ...

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Take in how long something took."""
        ...

    def show(self, samples: Iterable[Sample]) -> None:
        """Show how something stands now."""
        ...


class NoMeter:
    """The `Meter` of who is not measured."""

    def count(self, name: str, **labels: str) -> None:
        """Forget it."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Forget it."""

    def show(self, samples: Iterable[Sample]) -> None:
        """Forget it."""


class Nobody:
    """The `Receivers` of a configuration that names none."""

    known: tuple[Receiver, ...] = ()

    async def send(self, receiver: Receiver, unsent: Unsent) -> int:
        """Take nothing."""
        raise NotTaken(f"{receiver.name} is not there to be sent {unsent.notice.event}")

    def heard(self) -> tuple[Unsent, ...]:
        """Return nothing."""
        return ()


class Trials(Protocol):
    """What an examination tries. Nothing here changes a resource, or touches a lease that anybody needs."""

    async def storage(self) -> tuple[Tried, ...]:
        """Write, read and remove something of one's own in each container, table and queue."""
        ...

    async def offer(self, resource: Resource) -> None:
        """Have Azure refuse a write that it cannot take, for that reason and no other.

        Raises:
            NetworkError: it was refused for another reason, such as a missing right, or not answered.
        """
        ...

    async def tokens(self) -> tuple[TokenSeen, ...]:
        """Ask for tokens; return how it stands with them."""
        ...

    def clocks(self) -> Mapping[str, float]:
        """Return by how many seconds each service's clock is ahead of this machine's, where that is known."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a process has of the outside, in one value."""

    leases: Leases
    store: StateStore
    queue: SwitchQueue
    network: Network
    prober: Prober
    clock: Clock
    notifier: Notifier
    new_id: Callable[[], str]
    """Returns a short text that nobody has had before: of a write, by which its writer finds it again."""
    have_token: Callable[[], Awaitable[None]]
    """Returns once this process can ask Azure; NetworkError with NO_TOKEN if it cannot now."""
    account: str
    """The storage account of the states: by its name deployments that know nothing of each other are told
    apart."""
    pinger: Pinger | None = None
    """None: nobody outside waits for a ping."""
    receivers: Receivers = field(default_factory=Nobody)
    """Whom people are told through."""
    meter: Meter = field(default_factory=NoMeter)
    """Where this process counts what it does."""
    versions: Callable[[], Mapping[str, str]] = dict
    """Returns {what: version} of what this process runs on, as far as it can see that."""
