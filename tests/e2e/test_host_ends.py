"""A Functions host that fires without its lock, or that ends: one leads, and watching begins again."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from azure.storage.blob.aio import BlobClient, BlobLeaseClient

from nvaha.lab.stage.stage import Lab

from .door import Asked, Door
from .story import (
    Json,
    active,
    group_is,
    measured,
    one_switch,
    quick_lab,
    settled,
    told,
    until,
    written,
)

pytestmark = pytest.mark.slow

LEADER = "/nvaha/leader"
TIMER_LOCKS = "/azure-webjobs-hosts/"
ENDED = "An unhandled exception has occurred. Host is shutting down."
LEASE_S = 15.0
START_S = 15.0
"""Within this a host is up and has ticked, on a machine that has much else to do."""


async def break_lease(lab: Lab, container: str, blob: str) -> None:
    """Free a lease without its holder's knowing, as if it had run out."""
    async with BlobClient.from_connection_string(lab.azurite.connection_string, container, blob) as client:
        await BlobLeaseClient(client).break_lease(lease_break_period=0)


def _granted(asked: Asked) -> bool:
    """Tell whether a request took or renewed the leader's lease."""
    return asked.path == LEADER and asked.method == "PUT" and asked.status in {200, 201}


async def test_of_two_timers_that_fire_at_once_one_leads() -> None:
    """Storage is in trouble for the first host, so that both run the timer: the lease of nvaha lets one lead.

    That lease gone, too, both lead for a moment, and still one switch is made.
    """
    async with quick_lab(same_app=True) as lab, Door(lab.azurite) as first, Door(lab.azurite) as second:
        one = await lab.add_host("one", AzureWebJobsStorage=first.connection_string)
        await lab.ready()
        first.answer = lambda _, path: 503 if path.startswith(TIMER_LOCKS) else None
        await break_lease(lab, "azure-webjobs-hosts", "locks/lab/Host.Functions.probe.Listener")
        await lab.add_host("two", AzureWebJobsStorage=second.connection_string)
        both_at = time.monotonic()
        # Each tick of the second asks for the lease in vain; each of the first renews it.
        await until(
            lambda: second.seen(LEADER, status=409, since=both_at) >= 2, "the second host's timer fires"
        )
        await until(
            lambda: first.seen(LEADER, status=200, since=both_at) >= 1, "the first host's timer fires"
        )
        assert told(lab, "leader_elected") == 1

        lab.nvas[0].stop()
        await active(lab, 1, host=1)
        assert [each["status"] for each in await settled(lab, 1, host=1)] == ["done"]
        assert written(lab) == one_switch(lab)
        assert told(lab, "leader_elected") == 1

        lab.nvas[0].start()
        await lab.ready(host=1)
        first.answer = lambda service, _: 503 if service == "blob" else None
        await break_lease(lab, "nvaha", "leader")
        await until(lambda: told(lab, "leader_elected", "two"), "the second host leads, too")
        lab.nvas[1].stop()
        await active(lab, 0, host=1)
        newest, _ = await settled(lab, 0, host=1)
        assert (newest["status"], newest["generation"]) == ("done", 2)
        assert written(lab) == one_switch(lab) + one_switch(lab)
        assert told(lab, "switch_requested", "one") == told(lab, "switch_requested", "two") == 1
        await until(lambda: told(lab, "leader_lost", "one"), "the first host knows that it leads no more")

        assert one.shut_downs == 0
        first.answer = lambda _service, _path: None
        await until(lambda: one.shut_downs, "the first host hears that its timer's lock is another's")
        assert ENDED in one.log.read_text()


async def test_a_host_that_a_403_of_the_queue_ended_watches_again_by_itself() -> None:
    """On a first deployment the queue refuses everything: the host ends after each start and watches nothing.

    Once its role has arrived it watches, without anybody's doing. Later one single request is refused: that
    ends the watch, too, and again it comes back by itself.
    """
    async with quick_lab() as lab, Door(lab.azurite) as door:
        door.answer = lambda service, _: 403 if service == "queue" else None
        host = await lab.add_host("one", AzureWebJobsStorage=door.connection_string)
        await until(lambda: host.shut_downs >= 2, "it ends after each start", within_s=2 * START_S)
        assert ENDED in host.log.read_text()
        assert told(lab, "leader_elected") == 0
        door.answer = lambda _service, _path: None
        arrived_at = time.monotonic()
        await lab.ready()
        measured("the queue's role arrives: to all known and up, start included", arrived_at)

        refused: list[float] = []

        def once(service: str, _: str) -> int | None:
            if service != "queue" or refused:
                return None
            refused.append(time.monotonic())
            return 403

        ends = host.shut_downs
        door.answer = once
        await until(lambda: host.shut_downs == ends + 1, "the host ends")
        ended_at = time.time()

        def probed(group: Json) -> bool:
            at = group["probed_at"]
            return at is not None and datetime.fromisoformat(at).timestamp() > ended_at

        await group_is(lab, probed, "watched again", within_s=LEASE_S + START_S)
        measured("one 403 of the queue: to probed again", refused[0])
        renewed_at = max(each.at for each in door.asked if each.at <= refused[0] and _granted(each))
        led_at = min(each.at for each in door.asked if each.at > refused[0] and _granted(each))
        measured("the dead process's lease ends: to leading", renewed_at + LEASE_S, until=led_at)
        lab.nvas[0].stop()
        await active(lab, 1)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)
