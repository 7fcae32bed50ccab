"""What goes wrong by itself: processes, NVAs, networks, services, and other people at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from nvaha.model import Group
from nvaha.ports import NetworkFault
from tests.simulation.azure import WRITER, Body, Entry, is_mark
from tests.simulation.faults import LONGEST_OUTAGE_S
from tests.simulation.hands import move_all
from tests.simulation.oracle_tags import HOLD
from tests.simulation.process import Process
from tests.simulation.scenery import FOREIGN_ADDRESS
from tests.simulation.storage import ROW

if TYPE_CHECKING:
    from tests.simulation.world import World

Fault = TypeVar("Fault")
LONGEST_S = 1000.0
STALLS_S = ((1.0, 12.0), (15.0, 45.0))
"""Shorter than a lease can bear, and longer."""
CLEARED_S = 0.2
"""Whoever clears the queue does so this often: no worker that looks once a second gets a message."""


class Chaos:
    """Lets things happen at their rates until it is stopped, and undoes what would last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._edits = 0

    def start(self) -> None:
        """Start everything that has a rate."""
        events: dict[str, Callable[[], None]] = {
            "crash": lambda: self._crash(self._someone()),
            "pause": lambda: self._stall(self._someone()),
            "wall_step": self._step_wall,
            "leader_lease_broken": self._break_lease,
            "switch_lease_broken": self._break_switch_lease,
            "monitor_isolated": self._isolate,
            "control_dies": self._kill_control,
            "nva_death": self._kill_nva,
            "all_nvas_die": self._kill_all,
            "nva_flaps": lambda: self._spawn(self._flap()),
            "nva_stammers": lambda: self._spawn(self._stammer()),
            "foreign_edit": self._foreign_edit,
            "drift_edit": self._drift_edit,
            "storage_outage": self._storage_outage,
            "lease_outage": self._lease_outage,
            "arm_outage": self._arm_outage,
            "reads_fail": self._fail_reads,
            "reads_short": self._leave_reads_to_switches,
            "table_locked": self._lock_table,
            "nic_busy": self._keep_nic_busy,
            "attach_refused": self._refuse_attach,
            "group_raises": self._let_group_raise,
            "queue_cleared": lambda: self._spawn(self.keep_queue_clear(self._world.rng.uniform(2.0, 60.0))),
            "message_copied": self._copy_message,
            "token_lost": self._lose_token,
            "reconfigured": self._reconfigure,
            "hold_tag": lambda: self._spawn(self._hold()),
            "marks_removed": self._remove_marks,
            "rows_put_back": lambda: self._spawn(self._put_rows_back()),
        }
        for kind, event in events.items():
            if self._world.knobs.rates[kind]:
                self._spawn(self._repeat(kind, event))
        if self._world.knobs.asleep_s:
            self._spawn(self._sleep(self._world.knobs.asleep_s))
        if self._world.knobs.rates["reads_fail"]:
            # At the first look as well.
            self._fail_reads()

    def strike(self, process: Process) -> None:
        """Perhaps crash or stall a process just when it has sent a request."""
        faults, rng = self._world.faults, self._world.rng
        at = "at_call" if WRITER.get() is None else "in_switch"
        if faults.happens(f"crash_{at}"):
            self._world.loop.call_later(rng.uniform(0.0, 0.3), self._crash, process)
        elif faults.happens(f"stall_{at}"):
            self._world.loop.call_later(rng.uniform(0.0, 0.1), self._stall, process)

    def _spawn(self, coroutine: Any) -> None:
        self._world.spawn(coroutine)

    async def _repeat(self, kind: str, event: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self._world.rng.expovariate(self._world.knobs.rates[kind] / 60.0))
            if not self._world.faults.on:
                return
            event()

    def _someone(self) -> Process | None:
        alive = [each for each in self._world.processes() if not each.dead]
        return self._world.rng.choice(alive) if alive else None

    def _crash(self, process: Process | None) -> None:
        if process is not None and not process.dead and self._world.faults.on:
            self._world.note(process.name, "crashes")
            self._world.count("crashes")
            process.crash()

    def _stall(self, process: Process | None) -> None:
        if process is None or process.dead or process.stalled or not self._world.faults.on:
            return
        seconds = self._world.rng.uniform(*self._world.rng.choice(STALLS_S))
        self._world.note(process.name, f"stalls for {seconds:.1f} s")
        self._world.count("stalls")
        process.stall()
        self._world.loop.call_later(seconds, self._wake, process)

    def _wake(self, process: Process) -> None:
        if process.stalled:
            self._world.note(process.name, "wakes")
            process.wake()

    def _step_wall(self) -> None:
        process = self._someone()
        if process is not None:
            process.step_wall(self._world.rng.uniform(-7200.0, 7200.0))

    def _break_lease(self) -> None:
        holder = self._world.storage.break_lease("leader")
        if holder is not None:
            self._world.note("storage", f"breaks the leader's lease of {holder}")

    def _break_switch_lease(self) -> None:
        group = self._world.rng.choice(self._world.configuration.groups)
        holder = self._world.storage.break_lease(f"switch-{group.name}")
        if holder is not None:
            self._world.note("storage", f"breaks the switch lease of {group.name} held by {holder}")
            self._world.oracle.writes.lease_broken(group.name)

    def _kill_control(self) -> None:
        seconds = self._world.rng.uniform(5.0, 60.0)
        self._world.note("control", f"is dead for {seconds:.1f} s")
        self._world.control_alive = False

        def over() -> None:
            self._world.control_alive = True

        self._world.loop.call_later(seconds, over)

    def _isolate(self) -> None:
        monitors = [each for each in self._world.processes() if each.kind == "monitor"]
        process = self._world.rng.choice(monitors)
        seconds = self._world.rng.uniform(3.0, 60.0)
        self._world.note(process.name, f"cannot probe for {seconds:.1f} s")
        process.isolated = True

        def over() -> None:
            process.isolated = False

        self._world.loop.call_later(seconds, over)

    def set_alive(self, nva: str, *, alive: bool) -> None:
        """Let an NVA die or come back."""
        if self._world.alive[nva] != alive:
            self._world.note(nva, "comes back" if alive else "dies")
            self._world.alive[nva] = alive

    def _back_later(self, nva: str, longest_s: float) -> None:
        def back() -> None:
            if self._world.faults.on:
                self.set_alive(nva, alive=True)

        self._world.loop.call_later(self._world.rng.uniform(2.0, longest_s), back)

    def _kill_nva(self) -> None:
        rng = self._world.rng
        group = rng.choice(self._world.configuration.groups)
        state = self._world.state(group.name)
        active = state.active if state else None
        nva = active if active and rng.random() < 0.6 else rng.choice(group.names)
        self.set_alive(nva, alive=False)
        self._back_later(nva, 90.0)

    def _kill_all(self) -> None:
        for nva in self._world.rng.choice(self._world.configuration.groups).names:
            self.set_alive(nva, alive=False)
            self._back_later(nva, 40.0)

    async def _stammer(self) -> None:
        """Let an NVA answer one probe in two or three for a while, so that it never fails many in a row."""
        rng = self._world.rng
        nva = rng.choice(rng.choice(self._world.configuration.groups).names)
        self._world.note(nva, "begins to stammer")
        self._world.answers_each[nva] = rng.choice([2, 3])
        for _ in range(rng.randint(10, 90)):
            if self._world.faults.on:
                await asyncio.sleep(1.0)
        self._world.answers_each[nva] = 1

    async def _flap(self) -> None:
        rng = self._world.rng
        nva = rng.choice(rng.choice(self._world.configuration.groups).names)
        for _ in range(rng.randint(2, 8)):
            if not self._world.faults.on:
                return
            self.set_alive(nva, alive=not self._world.alive[nva])
            await asyncio.sleep(rng.uniform(0.3, 8.0))
        self._back_later(nva, 10.0)

    def _storage_outage(self) -> None:
        seconds = self._world.rng.uniform(2.0, LONGEST_OUTAGE_S)
        self._world.note("storage", f"fails for {seconds:.1f} s")
        self._world.faults.storage_out_until_s = self._world.loop.now_s + seconds

    def _lease_outage(self) -> None:
        seconds = self._world.rng.uniform(5.0, 2 * LONGEST_OUTAGE_S)
        self._world.note("storage", f"says nothing about leases for {seconds:.1f} s")
        self._world.faults.lease_out_until_s = self._world.loop.now_s + seconds

    def _arm_outage(self) -> None:
        seconds = self._world.rng.uniform(2.0, 2 * LONGEST_OUTAGE_S)
        self._world.note("arm", f"fails for {seconds:.1f} s")
        self._world.faults.arm_out_until_s = self._world.loop.now_s + seconds

    def _fail_reads(self) -> None:
        """Let one resource not be read for a while: throttled, unanswered, or forbidden."""
        rng, faults = self._world.rng, self._world.faults
        entry = rng.choice(list(self._world.arm.entries.values()))
        fault = rng.choice([*[NetworkFault.THROTTLED] * 2, NetworkFault.UNAVAILABLE, NetworkFault.DENIED])
        seconds = rng.uniform(5.0, 180.0)
        self._world.note("arm", f"does not let {entry.id} be read for {seconds:.1f} s: {fault}")
        self._for_a_while(faults.unreadable, entry.id.casefold(), fault, seconds)

    def _leave_reads_to_switches(self) -> None:
        """Let what ARM may be asked be so short for a while that looks and plans go without."""
        seconds = self._world.rng.uniform(5.0, 180.0)
        self._world.note("arm", f"is read by switches only for {seconds:.1f} s")
        self._world.faults.reads_short_until_s = self._world.loop.now_s + seconds

    def _lock_table(self) -> None:
        """Lock a table against writes, for a while or for as long as anything goes wrong."""
        entry, rng = self._entry("table"), self._world.rng
        if entry is not None:
            seconds = rng.choice([rng.uniform(10.0, 120.0), LONGEST_S])
            self._world.note("arm", f"has {entry.id} locked for {seconds:.1f} s")
            self._for_a_while(
                self._world.faults.unwritable, entry.id.casefold(), NetworkFault.REFUSED, seconds
            )

    def _keep_nic_busy(self) -> None:
        """Let a NIC take no write, because of an operation on its machine."""
        entry = self._entry("nic")
        if entry is not None:
            seconds = self._world.rng.uniform(10.0, 180.0)
            self._world.note("arm", f"has {entry.id} busy for {seconds:.1f} s")
            self._for_a_while(self._world.faults.unwritable, entry.id.casefold(), NetworkFault.BUSY, seconds)

    def _refuse_attach(self) -> None:
        """Let a NIC not take any public IP: no right to join, or no such thing on this NIC."""
        entry, rng = self._entry("nic"), self._world.rng
        if entry is not None:
            fault = rng.choice([NetworkFault.DENIED, NetworkFault.REFUSED])
            seconds = rng.choice([rng.uniform(10.0, 120.0), LONGEST_S])
            self._world.note("arm", f"lets {entry.id} take no public IP for {seconds:.1f} s: {fault}")
            self._for_a_while(self._world.faults.unattachable, entry.id.casefold(), fault, seconds)

    async def keep_queue_clear(self, seconds: float) -> None:
        """Delete whatever is on the queue, again and again."""
        world = self._world
        world.note("somebody", f"clears the queue for {seconds:.1f} s")
        until_s = world.loop.now_s + seconds
        while world.faults.on and world.loop.now_s < until_s:
            world.storage.clear_queue()
            await asyncio.sleep(CLEARED_S)

    def _copy_message(self) -> None:
        """Put a message that was once on the queue on it again, or on the poison queue."""
        rng, bodies = self._world.rng, self._world.storage.tables.bodies
        if bodies:
            body, poison = rng.choice([bodies[-1], rng.choice(bodies)]), rng.random() < 0.5
            self._world.note("somebody", f"copies {body} to the {'poison ' if poison else ''}queue")
            self._world.storage.copy_message(body, poison=poison)

    def _lose_token(self) -> None:
        """Let one process have no token for a while, as one whose identity does not answer."""
        process, seconds = self._someone(), self._world.rng.uniform(5.0, 240.0)
        if process is not None:
            self._world.note(process.name, f"has no token for {seconds:.1f} s")
            process.no_token_until_s = self._world.loop.now_s + seconds

    def _reconfigure(self) -> None:
        """Deploy a configuration in which groups have another part of their tables, public IPs and NVAs."""
        world = self._world
        groups = tuple(self._part_of(group) for group in world.everything.groups)
        configuration = replace(world.everything, groups=groups)
        self._spawn(world.deploy(configuration, (0.0, world.rng.choice([2.0, 20.0]))))

    def _part_of(self, group: Group) -> Group:
        rng = self._world.rng
        movable = [*group.route_tables, *group.public_ips]
        kept = rng.sample(movable, rng.randint(1, len(movable)))
        # What a public IP hangs on that is not the group's any more is for a person to undo.
        nvas = rng.sample(
            group.nvas, len(group.nvas) if group.public_ips else rng.randint(2, len(group.nvas))
        )
        return replace(
            group,
            nvas=tuple(each for each in group.nvas if each in nvas),
            route_tables=tuple(each for each in group.route_tables if each in kept),
            public_ips=tuple(each for each in group.public_ips if each in kept),
        )

    def _let_group_raise(self) -> None:
        """Let a port raise what nobody has thought of, for one group only."""
        rng = self._world.rng
        group = rng.choice(self._world.configuration.groups).name
        what, seconds = rng.choice(["probe", "read", ROW]), rng.uniform(3.0, 40.0)
        self._world.note(group, f"raises at every {what} for {seconds:.1f} s")
        self._for_a_while(self._world.faults.raising, group, what, seconds)

    def _for_a_while(self, faults: dict[str, Fault], key: str, fault: Fault, seconds: float) -> None:
        """Put a fault where it belongs, and take it away after a while, unless it has been put there anew."""
        faults[key] = fault

        def over() -> None:
            if faults.get(key) is fault:
                del faults[key]

        self._world.loop.call_later(seconds, over)

    def _entry(self, *kinds: str) -> Entry | None:
        entries = [each for each in self._world.arm.entries.values() if each.kind in kinds]
        return self._world.rng.choice(entries) if entries else None

    async def _sleep(self, seconds: float) -> None:
        """Let nothing of nvaha run for a while, in which people move what it looks after by hand."""
        world, rng = self._world, self._world.rng
        await asyncio.sleep(rng.uniform(0.2, 0.8) * world.knobs.fault_s)
        world.sleep(seconds)
        for group in world.configuration.groups:
            await asyncio.sleep(rng.uniform(0.1, 0.4) * seconds)
            how = rng.choice(["all", "all", "some", "nothing"])
            if how == "all":
                move_all(world, group.name, rng.choice(group.names))
            elif how == "some":
                for _ in range(3):
                    self._drift_edit()

    async def _put_rows_back(self) -> None:
        """Put the row of a group, or all of them, back to what is there now, in a while."""
        groups, rng = dict(self._world.storage.tables.groups), self._world.rng
        if groups and rng.random() < 0.7:
            name = rng.choice(sorted(groups))
            groups = {name: groups[name]}
        await asyncio.sleep(rng.uniform(1.0, 100.0))
        if self._world.faults.on:
            self._world.storage.put_back(groups)

    def _foreign_edit(self) -> None:
        """Change what is not ours: a tag, or a route of somebody else's."""
        entry, rng = self._entry("table", "table", "nic"), self._world.rng
        if entry is None:
            return
        self._edits += 1
        token, name = f"10.200.{self._edits}.0/24", f"theirs-{rng.randrange(3)}"
        in_routes = entry.kind == "table" and rng.random() < 0.6

        def change(body: Body) -> None:
            if not in_routes:
                body.setdefault("tags", {})[name] = token
                return
            routes = body["properties"]["routes"]
            routes[:] = [each for each in routes if each["name"] != name]
            properties = {
                "addressPrefix": token,
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": FOREIGN_ADDRESS,
            }
            routes.insert(rng.randrange(len(routes) + 1), {"name": name, "properties": properties})

        if self._world.arm.edit(entry, change):
            self._world.count("edits by others")
            self._world.note("somebody", f"edits {entry.id}: {name}={token}")
            key = ("route" if in_routes else "tag", name)
            self._world.oracle.writes.edits.setdefault(entry.id.casefold(), {})[key] = token

    async def _hold(self) -> None:
        """Hold a group by a tag for a while, or until nothing goes wrong any more."""
        world = self._world
        entry = self._entry("table", "nic", "pip")
        if entry is None or not world.arm.edit(entry, lambda body: body["tags"].update({HOLD: "by hand"})):
            return
        world.note("somebody", f"holds by a tag on {entry.id}")
        world.count("holds")
        until_s = world.loop.now_s + world.rng.uniform(5.0, 120.0)
        for _ in range(round(LONGEST_S)):
            await asyncio.sleep(1.0)
            if world.faults.on and world.loop.now_s < until_s:
                continue
            if world.arm.edit(entry, lambda body: body["tags"].pop(HOLD, None)):
                break
        world.note("somebody", f"holds no more by a tag on {entry.id}")

    def _remove_marks(self) -> None:
        """Take from a resource whatever says who writes it."""
        entry = self._entry("table", "nic")
        if entry is not None and self._world.arm.edit(entry, remove_marks):
            self._world.note("somebody", f"removes marks from {entry.id}")

    def _drift_edit(self) -> None:
        """Change what is ours: point a route at another NVA, or take a public IP off."""
        entry, rng = self._entry("table", "nic"), self._world.rng
        if entry is None:
            return

        def change(body: Body) -> None:
            for each in body["properties"].get("ipConfigurations", ()):
                each["properties"].pop("publicIPAddress", None)
            mine = [
                route
                for route in body["properties"].get("routes", ())
                if route["properties"].get("nextHopIpAddress") in self._world.places
            ]
            if mine:
                properties = rng.choice(mine)["properties"]
                place = self._world.places[properties["nextHopIpAddress"]]
                others = [
                    address
                    for address, each in self._world.places.items()
                    if each.group == place.group and each.role == place.role
                ]
                properties["nextHopIpAddress"] = rng.choice(others)

        if self._world.arm.edit(entry, change):
            self._world.note("somebody", f"disagrees on {entry.id}")


def remove_marks(body: Body) -> None:
    """Take every mark off a body."""
    body["tags"] = {name: value for name, value in body["tags"].items() if not is_mark(name)}
