"""Processes of the previous release, on the same simulated storage and Azure as today's.

Their code is that release's own (tests.previous). What it reads goes through its own reading of what this
release writes, and what it writes through this release's reading: as in the tables.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from nvaha import model as ours
from nvaha.azure.storage import rows
from nvaha.model.messages import SwitchMessage
from nvaha.ports import (
    LEASE_S,
    Conflict,
    LeaseGrant,
    NetworkError,
    NetworkFault,
    StateUnreadable,
    StoreUnavailable,
    Versioned,
)
from nvaha.state.lease import LeaseLost
from nvaha.switch.attempt import SwitchIncomplete
from tests.previous import previous
from tests.simulation.knobs import Knobs

if TYPE_CHECKING:
    from tests.simulation.process import Process


_KNOWN = """
crash pause wall_step leader_lease_broken switch_lease_broken monitor_isolated control_dies nva_death
all_nvas_die nva_flaps foreign_edit drift_edit command storage_outage lease_outage arm_outage crash_at_call
stall_at_call crash_in_switch stall_in_switch storage_error storage_slow storage_conflict arm_error arm_slow
arm_late operation_fails operation_hangs probe_lost message_lost message_twice message_late
"""
KNOWN_FAULTS = frozenset(_KNOWN.split())
"""What the previous release was built to bear, by its own simulation; newer faults are what it does not."""

DIFFERENCES: Mapping[str, str] = {
    "whole look": "it decides on what a look has seen, though something gave no answer",
    "single silence": "it gives a message back because of one request without an answer",
    "told": "it keeps no notices in the state, and drops those that somebody else keeps there",
    "target stays": "it does not know what is wanted: after a failure Azure says who is active",
}
"""Rules that the previous release breaks, and how; all others it keeps, and today's release keeps all."""


def beside(knobs: Knobs) -> Knobs:
    """Return a scenario in which each place is by turns one of the previous release and one of today's."""
    rates = {name: rate if name in KNOWN_FAULTS else 0.0 for name, rate in knobs.rates.items()}
    return dataclasses.replace(
        knobs,
        rates=rates,
        waiting=frozenset(DIFFERENCES),
        monitors=max(2, knobs.monitors),
        workers=max(2, knobs.workers),
        rolling=True,
        # It knows no more of these settings than what was the only way then.
        adopt="repair",
        unsteady="report",
        shared_table=False,
        # Nor does it know marks, a canary, or how old what it knows is.
        canary=False,
        rival=False,
        tags_denied=False,
        asleep_s=0.0,
    )


def told(value: Any, module: Any) -> Any:
    """Return a value of one release as the other's, without the fields that the other does not have.

    Args:
        value: of the model of either release, or made of such values.
        module: the other's `nvaha.model`.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = getattr(module, type(value).__name__)
        names = [each.name for each in dataclasses.fields(kind) if each.init and hasattr(value, each.name)]
        return kind(**{name: told(getattr(value, name), module) for name in names})
    if isinstance(value, Enum):
        return getattr(module, type(value).__name__)(value.value)
    if isinstance(value, tuple):
        return tuple(told(each, module) for each in value)
    return value


@contextmanager
def in_their_words() -> Iterator[None]:
    """Raise what the previous release expects in the place of what this one raises."""
    ports = previous()("ports")
    try:
        yield
    except StateUnreadable as error:
        raise previous()("azure.entities").StateUnreadable(str(error)) from error
    except StoreUnavailable as error:
        raise ports.StoreUnavailable(str(error)) from error
    except NetworkError as error:
        # It knows no difference between busy and throttled.
        fault = "busy" if error.fault is NetworkFault.THROTTLED else error.fault.value
        raise ports.NetworkError(
            ports.NetworkFault(fault),
            error.resource_id,
            error.message,
            retry_after_s=error.retry_after_s,
            code=error.code,
        ) from error


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raise what this release expects in the place of what the previous one raises."""
    ports = previous()("ports")
    try:
        yield
    except ports.StoreUnavailable as error:
        raise StoreUnavailable(str(error)) from error
    except ports.NetworkError as error:
        raise NetworkError(NetworkFault(error.fault.value), error.resource_id, error.message) from error
    except previous()("tenure").LeaseLost as error:
        raise LeaseLost(str(error)) from error
    except previous()("switch").SwitchIncomplete as error:
        raise SwitchIncomplete(str(error)) from error


class PreviousPorts:
    """All ports of the previous release, on this release's simulated ones.

    Args:
        process: the process that has them.
        storage: its leases, tables and queue.
        network: its Azure.
        prober: its probes.
        notifier: its log.
    """

    duration_s = LEASE_S

    def __init__(self, process: Process, storage: Any, network: Any, prober: Any, notifier: Any) -> None:
        self._process, self._storage, self._network = process, storage, network
        self._prober, self._notifier = prober, notifier
        self._model, self._ports = previous()("model"), previous()("ports")
        self._entities = previous()("azure.entities")

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> Any:
        """Take a lease."""
        with in_their_words():
            grant = await self._storage.acquire(name, holder, at_least=at_least)
        return grant and self._ports.LeaseGrant(grant.name, grant.token, grant.epoch)

    async def renew(self, grant: Any) -> bool:
        """Extend a lease."""
        with in_their_words():
            done: bool = await self._storage.renew(LeaseGrant(grant.name, grant.token, grant.epoch))
        return done

    async def release(self, grant: Any) -> None:
        """Give a lease up."""
        with in_their_words():
            await self._storage.release(LeaseGrant(grant.name, grant.token, grant.epoch))

    async def load(self, group: str) -> Any:
        """Read a group's state."""
        with in_their_words():
            found = await self._storage.load(group)
        return found and self._theirs(found)

    async def load_all(self) -> Mapping[str, Any]:
        """Read all groups' states: one that cannot be read is none of them for this release."""
        with in_their_words():
            found = await self._storage.load_all()
            unreadable = [each for each in found.values() if isinstance(each, StateUnreadable)]
            if unreadable:
                raise unreadable[0]
        return {name: self._theirs(each) for name, each in found.items()}

    def _theirs(self, held: Versioned) -> Any:
        entity = stored(rows.group_entity(held.state))
        return self._ports.Versioned(self._entities.read_group(entity), held.version)

    async def save(self, state: Any, version: str | None) -> Any:
        """Write a group's state."""
        entity = stored(self._entities.group_entity(state))
        with in_their_words():
            written = await self._storage.save(rows.read_group(entity, self._now()), version)
        return self._ports.Conflict() if isinstance(written, Conflict) else written

    async def load_leader(self) -> Any:
        """Read the leader's record."""
        with in_their_words():
            found = await self._storage.load_leader()
        return found and self._entities.read_leader(stored(rows.leader_entity(found)))

    async def save_leader(self, record: Any) -> None:
        """Write the leader's record."""
        entity = stored(self._entities.leader_entity(record))
        with in_their_words():
            await self._storage.save_leader(rows.read_leader(entity, self._now()))

    async def record(self, operation: Any) -> None:
        """Write an operation."""
        entity = stored(self._entities.operation_entity(operation))
        with in_their_words():
            await self._storage.record(rows.read_operation(entity, self._now()))

    async def operation(self, operation_id: str) -> Any:
        """Read an operation."""
        with in_their_words():
            found = await self._storage.operation(operation_id)
        return found and self._entities.read_operation(stored(rows.operation_entity(found)))

    async def send(self, request: Any) -> None:
        """Put a request on the queue."""
        with in_their_words():
            await self._storage.send(told(request, ours))

    async def get(self, resource_id: str) -> Any:
        """Read a resource."""
        with in_their_words():
            found = await self._network.get(resource_id)
        return told(found, self._model)

    async def put(self, resource: Any, *, alive: Any) -> None:
        """Write a resource."""
        with in_their_words():
            await self._network.put(told(resource, ours), alive=alive)

    async def probe(self, address: str, spec: Any) -> Any:
        """Ask an NVA."""
        return told(await self._prober.probe(address, told(spec, ours)), self._model)

    async def reachable(self, target: Any, timeout_s: float) -> bool:
        """Ask a control target."""
        answers: bool = await self._prober.reachable(told(target, ours), timeout_s)
        return answers

    def notify(self, notice: Any) -> None:
        """Log a notice."""
        self._notifier.notify(told(notice, ours))

    def _now(self) -> Any:
        return self._process.world.storage.now()


def stored(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity as a table gives it back."""
    plain = {name: value[0] if isinstance(value, tuple) else value for name, value in entity.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _wired(kind: Callable[..., Any], process: Process, ports: PreviousPorts, **more: Any) -> Any:
    committer = previous()("commit").Committer(ports, ports, process.clock, ports)
    return kind(
        told(process.world.configuration, previous()("model")),
        leases=ports,
        store=ports,
        committer=committer,
        network=ports,
        clock=process.clock,
        notifier=ports,
        instance=process.name,
        **more,
    )


def previous_monitor(process: Process, ports: PreviousPorts) -> Any:
    """Return the previous release's `Monitor`."""
    return _wired(previous()("monitor").Monitor, process, ports, prober=ports)


class PreviousSwitcher:
    """The previous release's `Switcher`, called as today's is."""

    def __init__(self, process: Process, ports: PreviousPorts) -> None:
        self._switcher = _wired(previous()("switch").Switcher, process, ports)
        self._model = previous()("messages")

    async def run(self, message: SwitchMessage) -> str:
        """Carry a message out."""
        with in_our_words():
            text: str = await self._switcher.run(self._theirs(message))
        return text

    async def give_up(self, message: SwitchMessage) -> str:
        """End what no worker could carry out."""
        with in_our_words():
            text: str = await self._switcher.give_up(self._theirs(message))
        return text

    def _theirs(self, message: SwitchMessage) -> Any:
        names = {each.name for each in dataclasses.fields(self._model.SwitchMessage)}
        known = {"epoch": 0, **message.model_dump()}
        return self._model.SwitchMessage(**{name: known[name] for name in known if name in names})
