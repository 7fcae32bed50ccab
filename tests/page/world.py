"""A site on a world in memory: the real API, decisions and worker; the rest stands in for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Self

from nvaha.model import (
    Configuration,
    Group,
    GroupState,
    Guards,
    Health,
    InstanceRecord,
    LeaderRecord,
    Nva,
    NvaState,
    Phase,
    Policy,
    ProbeSpec,
    PublicIp,
    Resource,
)
from nvaha.model.messages import write_message
from nvaha.operate.control import Control
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from tests.builders import NOON, nic, nic_id, pip, pip_id, table, table_id
from tests.fakes import Outside
from tests.page.site import Site, forever

ROLES = ("external", "internal")
PREFIXES = {"default": "0.0.0.0/0", "onprem": "10.0.0.0/8"}


def group(name: str, *nvas: str, tables: int = 2, public_ips: int = 1, port: int = 22) -> Group:
    """Return a group whose NVAs have NICs of their own; its tables and public IPs are named after it."""
    appliances = tuple(
        Nva(
            each,
            {role: nic_id(each, role) for role in ROLES},
            ProbeSpec(address=_address(index, "internal"), port=port),
        )
        for index, each in enumerate(nvas or (f"{name}-nva1", f"{name}-nva2"))
    )
    spokes = ("spokes", "shared", "data", "build", "test", "lab")
    return Group(
        name,
        appliances,
        tuple(table_id(f"{name}-udr-{each}") for each in spokes[:tables]),
        tuple(PublicIp("external", pip_id(f"{name}-pip{n + 1}"), f"ip{n}") for n in range(public_ips)),
        Policy(),
    )


def _address(index: int, role: str) -> str:
    return f"10.20.{ROLES.index(role)}.{4 + index}"


def azure(of: Group, active: str) -> list[Resource]:
    """Return the group's resources with everything on one NVA."""
    at = of.names.index(active)
    hops = {name: _address(at, "internal") for name in PREFIXES}
    found = [_as_it_could_be(table(each.rpartition("/")[2], hops)) for each in of.route_tables]
    for index, nva in enumerate(of.nvas):
        for role in ROLES:
            names = [each.ip_configuration or "ip0" for each in of.public_ips if each.role == role] or ["ip0"]
            carried = {each.ip_configuration or "ip0": each.id for each in of.public_ips if each.role == role}
            addresses = dict.fromkeys(names, _address(index, role))
            found.append(nic(nva.name, role, addresses, carried if index == at else {}))
    return [*found, *(pip(each.id.rpartition("/")[2]) for each in of.public_ips)]


def _as_it_could_be(found: Resource) -> Resource:
    """Return a route table in which no two routes have one prefix."""
    routes = [each for each in found.body["properties"]["routes"] if each["name"] in PREFIXES]
    for route in routes:
        route["properties"]["addressPrefix"] = PREFIXES[route["name"]]
    found.body["properties"]["routes"] = routes
    return found


def nva_up(**more: object) -> NvaState:
    """Return an NVA that has been up for two hours."""
    found = {"health": Health.UP, "successes": 9, "since": NOON - timedelta(hours=2), "latency_ms": 0.6}
    return NvaState(**{**found, **more})  # type: ignore[arg-type]


def nva_down(**more: object) -> NvaState:
    """Return an NVA that refuses connections."""
    found = {"health": Health.DOWN, "failures": 7, "confirmed": 7, "last_error": "refused"}
    return NvaState(**{"since": NOON - timedelta(seconds=42), **found, **more})  # type: ignore[arg-type]


def steady(of: Group, active: str | None = None, **more: object) -> GroupState:
    """Return a group at rest on its first NVA, both up, unless said otherwise."""
    found = {
        "phase": Phase.STEADY,
        "active": active or of.names[0],
        "epoch": 4,
        "generation": 2,
        "probed_at": NOON,
        "nvas": {name: nva_up() for name in of.names},
        "guards": Guards(last_switch_at=NOON - timedelta(days=3)),
    }
    return GroupState(of.name, **{**found, **more})  # type: ignore[arg-type]


class World(Site):
    """The app over groups in memory.

    Args:
        groups: with their states; everything in Azure is on the active NVA.
        operation_s: how long Azure takes for a write.

    `watched` tells whether the leader's stand-in goes on writing that it has probed. `out` is the outside:
    look and change it by `change` only.
    """

    def __init__(
        self,
        groups: Iterable[tuple[Group, GroupState]],
        *,
        key: str | None = None,
        signed_in: bool = False,
        operation_s: float = 0.3,
    ) -> None:
        super().__init__(key=key, signed_in=signed_in)
        self._groups = tuple(groups)
        self._configuration = Configuration(tuple(each for each, _ in self._groups))
        self._operation_s = operation_s
        self.out: Outside
        self.control: Control
        self.watched = True

    async def holder(self, held: AsyncExitStack) -> World:
        """Put the groups there, and begin to watch and to switch."""
        self.out = Outside(*(state for _, state in self._groups))
        self.now = self.out.clock.now
        self.out.network.operation_s = self._operation_s
        for each, state in self._groups:
            self.out.network.put_there(*azure(each, state.active or each.names[0]))
        self.control = Control(self._configuration, self.out.ports)
        self._switcher = Switcher(self._configuration, self.out.ports, "monitor-weu")
        self._tasks = [
            asyncio.create_task(forever(0.25, self._watch)),
            asyncio.create_task(forever(0.05, self._work)),
        ]
        await self._watch()
        return self

    @asynccontextmanager
    async def using(self) -> AsyncIterator[Self]:
        """Be the app."""
        yield self

    def change(self, of: str, **more: object) -> None:
        """Change a group's state as the leader would."""

        async def put() -> None:
            self.out.store.put(replace(self.out.state(of), **more))  # type: ignore[arg-type]

        self.run(put())

    def state(self, of: str) -> GroupState:
        """Return a group's state."""
        return self.out.state(of)

    async def _watch(self) -> None:
        if not self.watched:
            return
        now = self.out.clock.now()
        self.out.store.leader = LeaderRecord("monitor-weu", 4, now, standby_at=now)
        for name in ("monitor-weu", "monitor-neu"):
            record = InstanceRecord(
                name, now, app=name, version="0.1.0", configuration=self._configuration.fingerprint,
                started_at=NOON, leads=name == "monitor-weu", campaign_at=now,
            )  # fmt: skip
            await self.out.store.save_instance(record)
        for held in list(self.out.store.states.values()):
            self.out.store.put(replace(held.state, probed_at=now))

    async def _work(self) -> None:
        while self.out.queue.sent:
            body = write_message(self.out.queue.sent.pop(0)).encode()
            self._tasks.append(asyncio.create_task(self._switch(body)))

    async def _switch(self, body: bytes) -> None:
        with suppress(SwitchIncomplete):
            await self._switcher.take(body)
