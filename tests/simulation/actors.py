"""The processes of a scenario, each running production code on its own ports, as the Functions host would."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.model import ControlTarget, Group, Notice, ProbeSpec, Reading
from nvaha.model.messages import SwitchMessage
from nvaha.operate.control import Control, Refused
from nvaha.ports import NetworkError, Ports, StateUnreadable, StoreUnavailable
from nvaha.state.lease import LeaseLost
from nvaha.switch.attempt import OtherConfiguration, SwitchIncomplete
from nvaha.switch.worker import Switcher
from nvaha.watch.monitor import Monitor
from tests.simulation.azure import WRITER, NetworkPort, Writer
from tests.simulation.beside import PreviousPorts, PreviousSwitcher, previous_monitor
from tests.simulation.oracle_timed import LONGEST_S
from tests.simulation.process import PREVIOUS, START_S, Process
from tests.simulation.storage import Message, StoragePorts

if TYPE_CHECKING:
    from tests.simulation.world import World

TICK_S, BUDGET_S = 10.0, 9.5
POLL_S, AT_ONCE = 1.0, 4
POISON_POLL_S = 5.0
REQUEST_IDS = 6
Main = Callable[[Process], Coroutine[Any, Any, None]]


class Slot:
    """A place for a process: when one dies, another starts after a while."""

    def __init__(self, world: World, kind: str, number: int, main: Main) -> None:
        self._world, self._kind, self._number, self._main = world, kind, number, main
        self._lives = 0
        self.process: Process | None = None

    async def run(self) -> None:
        """Keep a process here for ever."""
        rng = self._world.rng
        while True:
            self._lives += 1
            # Where one release replaces the other, half of the places begin with each, and then take turns.
            previous = self._world.knobs.rolling and (self._number + self._lives) % 2 == 1
            name = f"{self._kind}{self._number}.{self._lives}{PREVIOUS if previous else ''}"
            process = Process(self._world, name, self._kind, previous=previous)
            self.process = process
            self._world.note(process.name, "starts")
            process.start(self._guarded(process))
            await process.crashed
            await process.ended()
            await self._world.awake.wait()
            await asyncio.sleep(rng.uniform(0.5, 40.0) if self._world.faults.on else 1.0)

    async def _guarded(self, process: Process) -> None:
        try:
            await self._main(process)
        except Exception as error:  # noqa: BLE001 - whatever production code lets escape is a finding
            self._world.oracle.violated(f"{process.name} raised {error!r}")


class ProberPort:
    """One process's `Prober`."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world

    async def probe(self, address: str, spec: ProbeSpec) -> Reading:
        """Ask whoever is at an address."""
        world, process = self._world, self._process
        place = world.places[address]
        world.oracle.rounds.probed(process, place.group)
        world.faults.raise_for(place.group, "probe")
        lost = process.isolated or world.faults.happens("probe_lost")
        world.asked[place.nva] += 1
        stammers = world.asked[place.nva] % world.answers_each[place.nva] != 0
        if not lost and world.alive[place.nva] and not stammers:
            await process.sleep(world.rng.uniform(0.001, 0.02))
            reading = Reading(ok=True, latency_ms=1.0)
        else:
            await process.sleep(spec.timeout_s if lost or world.knobs.silent_nvas else 0.005)
            reading = Reading(ok=False, latency_ms=0.0, error="timed out")
            world.count("failed probes")
        world.oracle.health.read(process, place, ok=reading.ok)
        return reading

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Ask a control target."""
        lost = self._process.isolated or self._world.faults.happens("probe_lost")
        place = self._world.places.get(target.address)
        alive = self._world.alive[place.nva] if place else self._world.control_alive
        answers = alive and not lost
        await self._process.sleep(0.01 if answers else timeout_s)
        self._world.oracle.health.control_asked(self._process, answers=answers)
        return answers


class NotifierPort:
    """One process's `Notifier`: the log."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def notify(self, notice: Notice) -> None:
        """Log a notice."""
        process = self._process
        if not process.dead and notice.event != "heartbeat":
            process.world.note(process.name, f"{notice.event}: {notice.text}")
            process.world.notices.append(notice)
            process.world.oracle.follow.told(process, notice)
            process.world.oracle.sight.told(process, notice)


def ports_of(process: Process, storage: StoragePorts) -> Ports:
    """Return all that a process has of the outside."""
    network = NetworkPort(process)
    return Ports(
        leases=storage,
        store=storage,
        queue=storage,
        network=network,
        prober=ProberPort(process),
        clock=process.clock,
        notifier=NotifierPort(process),
        new_id=process.new_id,
        have_token=network.have_token,
        account=process.world.account,
    )


def previous_ports(process: Process, storage: StoragePorts) -> PreviousPorts:
    """Return all that a process of the previous release has of the outside."""
    return PreviousPorts(process, storage, NetworkPort(process), ProberPort(process), NotifierPort(process))


async def monitor(process: Process) -> None:
    """Run ticks as the timer does."""
    storage = StoragePorts(process)
    subject = (
        previous_monitor(process, previous_ports(process, storage))
        if process.previous
        else Monitor(process.configuration, ports_of(process, storage), process.name)
    )
    loop = process.world.loop
    due_s = math.ceil(loop.now_s / TICK_S) * TICK_S
    while True:
        await process.sleep(due_s + 0.01 - loop.now_s)
        await subject.tick(BUDGET_S)
        # Ticks that were missed meanwhile are one, and it comes at once (azure-facts E1).
        due_s = max(due_s + TICK_S, math.floor(loop.now_s / TICK_S) * TICK_S)


async def worker(process: Process) -> None:
    """Work messages off as the queue trigger does, some at once."""
    ports = StoragePorts(process)
    switcher = (
        PreviousSwitcher(process, previous_ports(process, ports))
        if process.previous
        else Switcher(process.configuration, ports_of(process, ports), process.name)
    )
    busy = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_poison(process, ports, switcher))
        while True:
            await process.sleep(POLL_S * process.world.rng.uniform(0.5, 1.0))
            await busy.acquire()
            try:
                taken = await ports.take()
            except StoreUnavailable:
                taken = None
            if taken is None:
                busy.release()
            else:
                tasks.create_task(_work_off(process, ports, switcher, busy, taken))


async def _work_off(
    process: Process,
    ports: StoragePorts,
    switcher: Switcher | PreviousSwitcher,
    busy: asyncio.Semaphore,
    taken: tuple[Message, int, SwitchMessage],
) -> None:
    world = process.world
    message, receipt, content = taken
    world.deliveries += 1
    WRITER.set(Writer(content.group, content.generation, content.operation, world.deliveries))
    storage = world.storage
    try:
        if world.faults.happens("message_lost"):
            return
        try:
            text = await switcher.run(content)
        except (StoreUnavailable, NetworkError, LeaseLost, SwitchIncomplete, OtherConfiguration) as error:
            # A row that cannot be read is an answer: what it ends is not ended by a silence.
            if isinstance(error, StoreUnavailable) and not isinstance(error, StateUnreadable):
                world.oracle.rounds.abandoned(process, content.operation)
            world.note(process.name, f"{content.operation} fails: {error!r}")
            await ports.tell(lambda: storage.failed_message(message, receipt))
        else:
            world.note(process.name, f"{content.operation} ends: {text}")
            await ports.tell(lambda: storage.delete_message(message, receipt))
    except StoreUnavailable:
        # The runtime could not say how it went: the message comes back by itself.
        return
    finally:
        busy.release()


async def _poison(process: Process, ports: StoragePorts, switcher: Switcher | PreviousSwitcher) -> None:
    storage = process.world.storage
    while True:
        await process.sleep(POISON_POLL_S)
        try:
            message: Message | None = await ports.tell(storage.take_poison)
            if message is not None:
                body = message.body
                await switcher.give_up(process.world.parse(body))
                message.gone = True
        except StoreUnavailable:
            continue


class Operator:
    """Somebody at the HTTP interface, who commands at random and later puts right what only people can."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world
        self._control = Control(process.configuration, ports_of(process, StoragePorts(process)))

    async def run(self) -> None:
        """Command now and then while faults are on; help out afterwards."""
        world, rng = self._world, self._world.rng
        if world.knobs.rates["timed"]:
            self._process.start(self._name_times())
        while True:
            rate = world.knobs.rates["command"]
            helping = not world.faults.on
            await self._process.sleep(5.0 if helping or not rate else rng.expovariate(rate / 60.0))
            try:
                if not world.faults.on:
                    await self._help()
                elif rate:
                    await self._command()
            except (StoreUnavailable, Refused) as error:
                world.note(self._process.name, f"is told: {error}")

    async def _command(self) -> None:
        rng, group = self._world.rng, self._world.rng.choice(self._world.configuration.groups)
        what = rng.random()
        if what < 0.6:
            await self._failover(
                group.name,
                rng.choice(group.names),
                force=rng.random() < 0.2,
                request_id=f"r{rng.randrange(REQUEST_IDS)}" if rng.random() < 0.5 else None,
            )
        elif what < 0.9:
            paused = rng.random() < 0.5
            await self._control.pause(group.name, PauseCommanded(paused, "operator"))
        else:
            await self._control.plan(group.name, rng.choice(group.names))
            await self._control.group(group.name)

    async def _name_times(self) -> None:
        """Schedule, cancel, and pause for a while, now and then while faults are on."""
        world, rng = self._world, self._world.rng
        while world.faults.on:
            await self._process.sleep(rng.expovariate(world.knobs.rates["timed"] / 60.0))
            group = rng.choice(self._process.configuration.groups)
            try:
                if world.faults.on:
                    await self._name_a_time(group)
            except (StoreUnavailable, Refused) as error:
                world.note(self._process.name, f"is told: {error}")

    async def _name_a_time(self, group: Group) -> None:
        world, rng = self._world, self._world.rng
        what, ahead_s = rng.random(), rng.uniform(1.0, LONGEST_S)
        if what < 0.6:
            at = datetime.fromtimestamp(START_S + world.loop.now_s + ahead_s, UTC)
            source = rng.choice([None, None, *group.names])
            request_id = f"t{rng.randrange(10**6)}" if rng.random() < 0.7 else None
            to = rng.choice(group.names)
            command = FailoverCommanded(to, "scheduler", request_id=request_id, source=source, at=at)
            await self._control.failover(group.name, command)
            world.count("scheduled")
        elif what < 0.75:
            await self._control.cancel(group.name, CancelCommanded("scheduler"))
            world.count("cancelled")
        else:
            asked_s = world.loop.now_s
            command_ = PauseCommanded(paused=True, by="scheduler", for_s=ahead_s)
            await self._control.pause(group.name, command_)
            world.oracle.timed.asked_to_pause(group.name, asked_s, ahead_s)
            world.count("paused for a while")

    async def _failover(
        self, group: str, to: str, *, force: bool = False, request_id: str | None = None
    ) -> None:
        command = FailoverCommanded(to, "operator", force=force, request_id=request_id)
        view = await self._control.failover(group, command)
        if request_id is not None:
            self._world.oracle.operations.commanded(group, request_id, view["id"])

    async def _help(self) -> None:
        """Do what the sentences in `blocked` leave to people; who has a rival has to be rid of that first."""
        if self._world.other is not None:
            return
        for group in self._world.configuration.groups:
            try:
                await self._help_group(group)
            except Refused as error:
                self._world.note(self._process.name, f"is told: {error}")

    async def _help_group(self, group: Group) -> None:
        world = self._world
        view = await self._control.group(group.name)
        if view["paused"] and view["paused_until"]:
            return  # ends by itself
        if view["paused"]:
            await self._control.pause(group.name, PauseCommanded(paused=False, by="helper"))
        elif world.needs_help(group, view):
            up = [name for name in group.names if world.alive[name]]
            meant = [view["wanted"], view["active"], *up, *group.names]
            to = next(name for name in meant if name in (up or group.names))
            world.count("helped")
            await self._failover(group.name, to, force=not up)


async def operator(process: Process) -> None:
    """Run an operator."""
    await Operator(process).run()
