"""What scenarios are made of: a quiet world, one process of a kind, a fault for one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.model import GroupState, Phase
from nvaha.operate.control import Control
from tests.simulation import hands
from tests.simulation.actors import ports_of
from tests.simulation.azure import Body, carried_by
from tests.simulation.faults import Planned
from tests.simulation.knobs import RATES, draw
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process
from tests.simulation.storage import StoragePorts
from tests.simulation.world import World


def play(scene: Callable[[World], Coroutine[Any, Any, None]], **knobs: Any) -> World:
    """Play a scene in a quiet world with one group, one monitor and one worker; every rule is enforced."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    quiet: dict[str, Any] = {
        "groups": 1,
        "nvas": 2,
        "roles": 1,
        "tables": 1,
        "public_ips": 0,
        "shared_table": False,
        "monitors": 1,
        "workers": 1,
        "interval_s": 1.0,
        "fast_interval_s": 0.5,
        "timeout_s": 0.5,
        "fall": 3,
        "rise": 2,
        "hold_down_s": 10.0,
        "select": "order",
        "failback": "manual",
        "failback_after_s": 10.0,
        "drift": "repair",
        "drift_interval_s": 30.0,
        "adopt": "wait",
        "unsteady": "report",
        "asleep_s": 0.0,
        "max_switches_per_hour": 20,
        "deadline_s": 600.0,
        "operation_s": 1.0,
        "automatic": True,
        "canary": False,
        "control_target": False,
        "fixed_addresses": False,
        "split_at_start": False,
        "nics_ignore_if_match": False,
        "busy_means_superseded": False,
        "failed_operations_roll_back": False,
        "back_references_lag": False,
        "silent_nvas": False,
        "storage_latency_s": 0.005,
        "arm_latency_s": 0.1,
        "rates": dict.fromkeys(RATES, 0.0),
        "waiting": frozenset(),
        "rival": False,
        "tags_denied": False,
    }
    try:
        world = World(loop, replace(draw(0), **{**quiet, **knobs}))

        async def run() -> None:
            world.start()
            await scene(world)
            await world.shut()

        loop.run_until_complete(run())
        return world
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def only(world: World, kind: str) -> Process:
    """Return the one process of a kind."""
    return next(each for each in world.processes() if each.kind == kind)


def the_state(world: World, group: str = "g0") -> GroupState:
    """Return a group's stored state, which is there."""
    state = world.state(group)
    assert state is not None
    return state


def next_request(
    world: World, kind: str, what: str, when: Callable[[Any], bool] = lambda _: True, **fate: Any
) -> None:
    """Plan another fate for the next request of a kind of process, by what it saves or sends."""
    world.faults.planned.append(Planned(kind, what, fate, when))


async def command(
    world: World, command: FailoverCommanded | PauseCommanded | CancelCommanded, group: str = "g0"
) -> Any:
    """Let an operator command something over HTTP; None if the instance crashes meanwhile."""
    web = only(world, "web")
    control = Control(web.configuration, ports_of(web, StoragePorts(web)))
    if isinstance(command, PauseCommanded):
        task = web.start(control.pause(group, command))
    elif isinstance(command, CancelCommanded):
        task = web.start(control.cancel(group, command))
    else:
        task = web.start(control.failover(group, command))
    await asyncio.wait({task})
    return None if task.cancelled() else task.result()


async def until(world: World, happened: Callable[[GroupState], bool], within_s: float = 60.0) -> None:
    """Wait until a group's state is so."""
    for _ in range(round(within_s / 0.05)):
        state = world.state("g0")
        if state is not None and happened(state):
            return
        await world.pass_time(0.05)
    raise AssertionError(f"not within {within_s:g} s: {world.state('g0')}")


def take_off(world: World) -> None:
    """Let somebody take a public IP off the NIC that carries it."""

    def change(body: Body) -> None:
        for each in body["properties"]["ipConfigurations"]:
            each["properties"].pop("publicIPAddress", None)

    carrying = next(entry for entry in world.arm.entries.values() if carried_by(entry.body))
    assert world.arm.edit(carrying, change)


def point_at(world: World, table: str, nva: str) -> None:
    """Let somebody point all of a group's routes in a table at one of its NVAs."""
    assert hands.point_at(world, table, nva)


async def settled(world: World) -> None:
    """Wait until the group is steady and every NVA up."""
    await until(world, lambda state: state.phase is Phase.STEADY)
    await until(world, lambda state: all(nva.health == "up" for nva in state.nvas.values()))
    await world.pass_time(1.0)
