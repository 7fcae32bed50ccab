"""A leader that is gone is replaced; one that was only stopped, and comes back, does no harm."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import pytest

from nvaha.lab.arm import Fault, FaultKind
from nvaha.lab.stage.stage import Lab

from .story import (
    Json,
    active,
    crash,
    external_nics,
    group_is,
    measured,
    one_switch,
    quick_lab,
    requests,
    settled,
    told,
    until,
    written,
)

pytestmark = pytest.mark.slow

TAKEOVER_S = 20.0


async def leads(lab: Lab, host: int, epoch: int, since: float) -> Json:
    """Wait until a host leads with a newer epoch and has probed since a wall-clock time; return the group."""

    def probed(group: Json) -> bool:
        fresh = group["probed_at"] and datetime.fromisoformat(group["probed_at"]).timestamp() > since
        return bool(group["epoch"] > epoch and fresh)

    group = await group_is(lab, probed, f"{lab.hosts[host].name} leads", host=host)
    end = time.monotonic() + 5
    while (await lab.leader(host=host) or {}).get("instance") != lab.hosts[host].name:
        assert time.monotonic() < end, "the new leader does not say so"
        await asyncio.sleep(0.1)
    return group


async def two_hosts(lab: Lab) -> tuple[int, int, int]:
    """Start two hosts; return who leads, who does not (as indexes) and the epoch."""
    await lab.add_host("one")
    await lab.add_host("two")
    epoch = (await lab.ready())["epoch"]
    leader = await lab.leader()
    assert leader is not None
    first = 0 if leader["instance"] == "one" else 1
    assert told(lab, "leader_elected") == 1
    return first, 1 - first, epoch


async def test_a_leader_that_is_killed_is_replaced() -> None:
    """The other host leads within 20 s, and handles a failover then."""
    async with quick_lab() as lab:
        first, other, epoch = await two_hosts(lab)
        since = time.time()
        killed_at = await crash(lab.hosts[first])
        await leads(lab, other, epoch, since)
        assert measured("leader killed: kill to another instance probing", killed_at) <= TAKEOVER_S
        assert not requests(lab, "PUT")
        stopped_at = time.monotonic()
        lab.nvas[0].stop()
        await active(lab, 1, host=other)
        measured("failover by the new leader: NVA stopped to switched", stopped_at)
        await settled(lab, 1, host=other)
        assert written(lab) == one_switch(lab)


async def test_a_leader_that_stands_still_in_a_round_writes_nothing_when_it_wakes_up() -> None:
    """It is stopped while it counts failures; the other counts for itself, and switches only once."""
    async with quick_lab() as lab:
        first, other, epoch = await two_hosts(lab)
        name = lab.hosts[first].name
        lab.nvas[1].stop()
        await group_is(lab, lambda group: group["nvas"][1]["failures"] >= 1, "a failure counted", host=other)
        since, frozen_at = time.time(), time.monotonic()
        lab.hosts[first].freeze()
        lab.nvas[1].start()
        await leads(lab, other, epoch, since)
        assert measured("leader stopped: stop to another instance probing", frozen_at) <= TAKEOVER_S
        await lab.ready(host=other)
        lab.nvas[0].stop()
        group = await active(lab, 1, host=other)
        lab.hosts[first].thaw()
        await until(lambda: told(lab, "leader_lost", name), "the old leader notices")
        # It has had its say now, and goes on as a follower that answers.
        after = await group_is(lab, lambda _: True, "the old leader answers", host=first)
        assert (
            (after["epoch"], after["generation"]) == (group["epoch"], group["generation"]) == (epoch + 1, 1)
        )
        assert not requests(lab, "PUT", principal=name)
        await settled(lab, 1, host=first)
        assert written(lab) == one_switch(lab)
        assert told(lab, "leader_elected") == 2


async def test_a_leader_that_stands_still_between_detach_and_attach_attaches_nothing_later() -> None:
    """It is stopped with Azure's answer in its hands, and is not needed.

    Meanwhile the other host ends the switch and, since the second NVA dies too, moves the group back.
    """
    async with quick_lab() as lab:
        detached, attached = external_nics(lab.sample)
        old = await lab.add_host("old")
        await lab.ready()
        lab.simulator.faults.add(
            Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=1.5)
        )
        lab.simulator.faults.add(
            Fault(FaultKind.SLOW, method="GET", resource=attached, principal="old", skip=1, delay_s=1.0)
        )
        lab.nvas[0].stop()

        def between() -> bool:
            ended = any(each.outcome == "Succeeded" for each in requests(lab, "PUT", detached))
            return ended and any(each.answered is None for each in requests(lab, "GET", attached, "old"))

        await until(between, "it reads before it attaches")
        frozen_at = time.monotonic()
        old.freeze()
        before = len(requests(lab, "PUT", principal="old"))
        await lab.add_host("new")
        await active(lab, 1, host=1)
        measured("leader and worker stopped between detach and attach: stop to switched", frozen_at)
        assert written(lab) == one_switch(lab)
        lab.nvas[0].start()
        await lab.ready(host=1)
        lab.nvas[1].stop()
        group = await active(lab, 0, host=1)
        writes = written(lab)
        old.thaw()
        await until(lambda: told(lab, "leader_lost", "old"), "the old leader notices")
        await until(lambda: told(lab, "message_refused", "old"), "the old worker gives its switch up")
        after = await group_is(lab, lambda _: True, "the old leader answers", host=0)
        assert (after["epoch"], after["generation"]) == (group["epoch"], 2)
        assert len(requests(lab, "PUT", principal="old")) == before
        assert written(lab) == writes
        operations = await settled(lab, 0, host=1)
        assert [each["status"] for each in operations] == ["done", "done"]
