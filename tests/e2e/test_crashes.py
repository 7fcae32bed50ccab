"""Whoever carries a switch out is killed with -9, at every point of it; the switch ends well all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nvaha.lab.arm import Fault, FaultKind
from nvaha.lab.stage.sample import environment
from nvaha.lab.stage.stage import Lab

from .story import (
    MONITOR_ONLY,
    WORKER_ONLY,
    a_message_waits,
    active,
    crash,
    external_nics,
    measured,
    one_switch,
    queues,
    quick_lab,
    requests,
    settled,
    switching,
    until,
    written,
)

pytestmark = pytest.mark.slow

HOLD_S = 20.0
"""Longer than it takes until somebody else resumes, so that what hangs in Azure still hangs then."""


async def resumed(lab: Lab, host: int) -> None:
    """Check that one operation in two attempts wrote everything once, and nothing twice."""
    operations = await settled(lab, 1, host=host)
    assert [each["status"] for each in operations] == ["done"]
    assert operations[0]["attempts"] == 2
    assert written(lab) == one_switch(lab)


def hang(resource: str, skip: int = 0) -> Fault:
    """Leave the worker's reads without an answer, after some."""
    return Fault(
        FaultKind.HANG_BEFORE, method="GET", resource=resource, principal="worker", count=None, skip=skip
    )


def reading(lab: Lab, resource_id: str) -> bool:
    """Tell whether the worker waits for an answer about a resource."""
    return any(each.answered is None for each in requests(lab, "GET", resource_id, "worker"))


def ended(lab: Lab, resource_id: str) -> bool:
    """Tell whether a write of a resource has been carried out."""
    return any(each.outcome == "Succeeded" for each in requests(lab, "PUT", resource_id))


def under_way(resource_id: str) -> Callable[[Lab], bool]:
    """Tell whether the operation of a write is being followed."""

    def holds(lab: Lab) -> bool:
        writes, polls = requests(lab, "PUT", resource_id), requests(lab, "POLL", resource_id)
        return bool(polls) and any(each.outcome == "InProgress" for each in writes)

    return holds


SAMPLE = environment()
DETACHED, ATTACHED = external_nics(SAMPLE)
PUBLIC_IP = SAMPLE.public_ips[0]


def slow(resource: str, seconds: float = HOLD_S) -> Fault:
    """Let the operation of a write take so long."""
    return Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=resource, delay_s=seconds)


Point = Callable[[Lab], object]
WORKER_KILLED: dict[str, tuple[Point, tuple[Fault, ...]]] = {
    "after the claim": (lambda lab: requests(lab, "GET", principal="worker"), (hang("*"),)),
    "between detach and attach": (
        lambda lab: ended(lab, DETACHED) and reading(lab, ATTACHED),
        (slow(DETACHED, 1.5), hang(ATTACHED, skip=1)),
    ),
    "with the attach on its way": (
        lambda lab: requests(lab, "PUT", ATTACHED),
        (Fault(FaultKind.SLOW, method="PUT", resource=ATTACHED, delay_s=HOLD_S),),
    ),
    "after the attach": (
        lambda lab: ended(lab, ATTACHED) and reading(lab, PUBLIC_IP),
        (hang(PUBLIC_IP, skip=1),),
    ),
}
HOST_KILLED: dict[str, tuple[Point, Fault]] = {
    "while the detach runs": (under_way(DETACHED), slow(DETACHED)),
    "while the attach runs": (under_way(ATTACHED), slow(ATTACHED)),
}
"""Where a switch is killed: how to tell that it is there, and the faults that hold it there."""


@pytest.mark.parametrize("point", WORKER_KILLED, ids=lambda point: point.replace(" ", "_"))
async def test_a_worker_is_killed(point: str) -> None:
    """The leader lives on; the one that carries the switch out is killed where the faults hold it."""
    there, faults = WORKER_KILLED[point]
    async with quick_lab() as lab:
        await lab.add_host("leader", 0, **MONITOR_ONLY)
        worker = await lab.add_host("worker", 0, **WORKER_ONLY)
        await lab.ready()
        for fault in faults:
            lab.simulator.faults.add(fault)
        lab.nvas[0].stop()
        await until(lambda: there(lab), point)
        killed_at = await crash(worker)
        lab.simulator.faults.clear()
        await lab.add_host("stand-in", 0, **WORKER_ONLY)
        await active(lab, 1)
        measured(f"worker killed {point}: kill to switched", killed_at)
        await resumed(lab, 0)
        # What the dead one had sent may arrive only now.
        await until(lambda: all(each.answered for each in requests(lab, "PUT")), "every write is answered")
        await resumed(lab, 0)


@pytest.mark.parametrize("point", HOST_KILLED, ids=lambda point: point.replace(" ", "_"))
async def test_leader_and_worker_are_killed(point: str) -> None:
    """Leader and worker in one are killed; the other host leads, and resumes the switch."""
    there, fault = HOST_KILLED[point]
    async with quick_lab() as lab:
        one = await lab.add_host("one")
        await lab.ready()
        lab.simulator.faults.add(fault)
        lab.nvas[0].stop()
        await until(lambda: there(lab), point)
        await lab.add_host("other")
        killed_at = await crash(one)
        await active(lab, 1, host=1)
        measured(f"leader and worker killed {point}: kill to switched", killed_at)
        await resumed(lab, 1)


async def test_the_host_is_killed_before_its_message_is_taken() -> None:
    """The host dies when the state says `switching` and nobody has taken the message; it is started again."""
    async with quick_lab() as lab:
        host = await lab.add_host("one", 0, **MONITOR_ONLY)
        await lab.ready()
        lab.nvas[0].stop()
        await switching(lab)
        async with queues(lab) as (queue, _):
            await a_message_waits(queue)
        killed_at = await crash(host)
        assert not requests(lab, "PUT")
        for name in MONITOR_ONLY:
            del host.settings[name]
        await host.start()
        await active(lab, 1)
        measured("host killed before its message was taken: kill to switched, restart included", killed_at)
        operations = await settled(lab, 1)
        assert [(each["status"], each["attempts"]) for each in operations] == [("done", 1)]
        assert written(lab) == one_switch(lab)
