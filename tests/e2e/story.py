"""What the stories of this folder share: quick labs, things to wait for, judging and measuring."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import aiohttp
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue.aio import QueueClient

from nvaha.lab.arm import LogEntry
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.process import HostProcess
from nvaha.lab.stage.sample import Environment
from nvaha.lab.stage.stage import GROUP, Lab

Json = dict[str, Any]
ENDED = {"done", "failed", "superseded"}
# The platform's own switch for a single function: a host that only monitors, and one that only works.
MONITOR_ONLY = {"AzureWebJobs.switch.Disabled": "true", "AzureWebJobs.poison.Disabled": "true"}
WORKER_ONLY = {"AzureWebJobs.probe.Disabled": "true"}
QUICK: Json = {
    "profile": "fast",
    "hosts": (),
    # A dead NVA refuses at once; on a crowded machine a live one may take its time.
    "probe": {"interval": "500ms", "fast_interval": "100ms", "timeout": "500ms"},
    "policy": {"hold_down": "1s"},
    "schedule": "*/2 * * * * *",
    "traffic": False,
}
Measurement = dict[str, str | float]
"""What was measured, and the seconds."""
MEASUREMENTS: ContextVar[list[Measurement]] = ContextVar("measurements")
"""Of the story being told; its test's report carries them (`--measurements FILE` keeps them)."""
STARTING: ContextVar[asyncio.Semaphore] = ContextVar("starting")
"""Lets labs come up a few at a time: all at once, on a busy machine, take longer than each of them may."""
_LOOK_S = 0.02
_ASK_S = 0.2


@asynccontextmanager
async def quick_lab(**options: Any) -> AsyncIterator[Lab]:
    """Open a lab in which Azure answers at once and an NVA is down within a second; without hosts."""
    async with AsyncExitStack() as stack:
        async with STARTING.get():
            lab = await stack.enter_async_context(Lab(**{**QUICK, **options}))
        yield lab


async def until(holds: Callable[[], object], what: str, *, within_s: float = 30.0) -> None:
    """Wait until something in this process holds; AssertionError if it never does."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(_LOOK_S)


async def group_is(
    lab: Lab, check: Callable[[Json], object], what: str, *, host: int = 0, within_s: float = 30.0
) -> Json:
    """Wait until a host shows the group as wanted, whatever it answers or not before; return the group."""
    end = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < end:
        try:
            last = group = await lab.group(host=host)
            if check(group):
                return group
        except (LabError, aiohttp.ClientError, TimeoutError) as error:
            last = error
        await asyncio.sleep(_ASK_S)
    lab.keep_folder()
    raise AssertionError(f"not within {within_s:g} s: {what}. It is: {last}. Logs: {lab.folder}")


async def active(lab: Lab, nva: int, *, host: int = 0, within_s: float = 60.0) -> Json:
    """Wait until the group is at rest on an NVA; return the group."""
    name = lab.nvas[nva].name

    def at_rest(group: Json) -> bool:
        return bool(group["phase"] == "steady" and group["active"] == name)

    return await group_is(lab, at_rest, f"{name} active", host=host, within_s=within_s)


async def switching(lab: Lab, *, host: int = 0) -> Json:
    """Wait until the state says that a switch is under way; return the group."""
    return await group_is(lab, lambda group: group["phase"] == "switching", "switching", host=host)


def told(lab: Lab, event: str, host: str | None = None) -> int:
    """Return how often an event was logged, by one host or by all."""
    return sum(each.event == event and host in {None, each.host} for each in lab.events())


def requests(
    lab: Lab, method: str, resource_id: str | None = None, principal: str | None = None
) -> list[LogEntry]:
    """Return the requests to ARM so far, of one resource or one host if named."""
    return [
        each
        for each in lab.simulator.log
        if each.method == method
        and (resource_id is None or each.resource_id.casefold() == resource_id.casefold())
        and (principal is None or each.principal == principal)
    ]


def written(lab: Lab) -> Counter[str]:
    """Return {resource id: how many writes of it took effect}."""
    return Counter(each.resource_id.casefold() for each in requests(lab, "PUT") if each.took_effect)


def one_switch(lab: Lab) -> Counter[str]:
    """Return what one switch writes: every route table, the NIC that loses the public IP, the one that gains.

    A resumed switch plans from what Azure says, so it writes again nothing that has been written.
    """
    return Counter(each.casefold() for each in (*lab.sample.route_tables, *external_nics(lab.sample)))


def external_nics(sample: Environment) -> tuple[str, str]:
    """Return the ids of the first and the second NVA's NIC that carries the public IP when active."""
    first, second = (nva.interfaces["external"] for nva in sample.nvas[:2])
    return first, second


async def history(lab: Lab, *, host: int = 0) -> list[Json]:
    """Return the group's operations, newest first."""
    _, content = await lab.call("GET", f"/groups/{GROUP}/history?limit=50", host=host)
    operations: list[Json] = content["operations"]
    return operations


async def settled(lab: Lab, nva: int, *, host: int = 0) -> list[Json]:
    """Check that everything agrees with an NVA being active and nothing else changed; return the history.

    Azure's resources, the data path, the recorded state, the operations' records, and what the app itself
    would still write: nothing.
    """
    name, addresses = lab.nvas[nva].name, lab.sample.nvas[nva].addresses
    assert await lab.problems(lab.nvas[nva], host=host) == []
    for table in lab.sample.route_tables:
        assert lab.simulator.effective.next_hop(table, "8.8.8.8") == addresses["internal"]
    for public_ip in lab.sample.public_ips:
        assert lab.simulator.effective.public_ip_target(public_ip) == addresses["external"]
    _, plan = await lab.call("GET", f"/groups/{GROUP}/plan?to={name}", host=host)
    assert (plan["steps"], plan["problems"]) == ([], [])
    assert all(each.if_match for each in requests(lab, "PUT"))
    end = time.monotonic() + 10
    while open_ones := [each for each in await history(lab, host=host) if each["status"] not in ENDED]:
        assert time.monotonic() < end, f"operations left open: {open_ones}"
        await asyncio.sleep(_LOOK_S)
    return await history(lab, host=host)


@asynccontextmanager
async def queues(lab: Lab) -> AsyncIterator[tuple[QueueClient, QueueClient]]:
    """Open the switch queue and its poison queue, made if need be."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("nvaha-switch", "nvaha-switch-poison"):
            queue = QueueClient.from_connection_string(lab.azurite.connection_string, name)
            await stack.enter_async_context(queue)
            with suppress(ResourceExistsError):
                await queue.create_queue()
            opened.append(queue)
        yield opened[0], opened[1]


async def a_message_waits(queue: QueueClient) -> None:
    """Wait until a message is on a queue and nobody has taken it."""
    end = time.monotonic() + 10
    while not await queue.peek_messages():
        assert time.monotonic() < end, "no message came"
        await asyncio.sleep(_LOOK_S)


async def crash(host: HostProcess) -> float:
    """Kill a host as with -9; return when, in monotonic seconds."""
    at = time.monotonic()
    await host.kill()
    return at


def measured(what: str, since: float, *, until: float | None = None) -> float:
    """Note how long something took between two times in monotonic seconds, the second now by default."""
    seconds = round((time.monotonic() if until is None else until) - since, 2)
    MEASUREMENTS.get().append({"what": what, "seconds": seconds})
    return seconds
