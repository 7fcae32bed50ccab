"""Messages that are lost, that fail every time, that come twice, and that nobody of us has written."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from azure.data.tables.aio import TableClient
from azure.storage.queue.aio import QueueClient

import nvaha
from nvaha.lab.arm import Fault, FaultKind
from nvaha.lab.stage.stage import GROUP, Lab

from .story import (
    MONITOR_ONLY,
    WORKER_ONLY,
    a_message_waits,
    active,
    external_nics,
    group_is,
    measured,
    one_switch,
    queues,
    quick_lab,
    requests,
    settled,
    switching,
    told,
    until,
    written,
)

pytestmark = pytest.mark.slow

HISTORY_TABLE = "nvahahistory"
NOT_BASE64 = "not base64!"


@asynccontextmanager
async def hasty_lab(tries: int) -> AsyncIterator[Lab]:
    """Open a lab with the app, whose failed messages come back after a second, and so many times."""
    here = Path(nvaha.__file__).parent.parent
    with TemporaryDirectory() as folder:
        app = Path(folder)
        shutil.copyfile(here / "function_app.py", app / "function_app.py")
        host = json.loads((here / "host.json").read_text())
        host["extensions"]["queues"] |= {"visibilityTimeout": "00:00:01", "maxDequeueCount": tries}
        (app / "host.json").write_text(json.dumps(host))
        async with quick_lab(app=app) as lab:
            yield lab


def message(**fields: object) -> str:
    """Return a message's text as the queue holds it, with any fields."""
    return base64.b64encode(json.dumps({"v": 1, "group": GROUP, **fields}).encode()).decode()


async def test_a_switch_whose_message_is_lost_is_queued_again() -> None:
    """The leader dies right after it wrote `switching`, or so it looks: no message, no operation's record.

    Nobody has claimed it, so seconds later it is queued again, and carried out.
    """
    async with quick_lab() as lab:
        await lab.add_host("leader", 0, **MONITOR_ONLY)
        await lab.ready()
        lab.nvas[0].stop()
        await switching(lab)
        async with queues(lab) as (queue, _):
            await a_message_waits(queue)
            await queue.clear_messages()
        connection = lab.azurite.connection_string
        async with TableClient.from_connection_string(connection, HISTORY_TABLE) as table:
            async for entity in table.list_entities():
                await table.delete_entity(entity)
        lost_at = time.monotonic()
        await lab.add_host("worker", 0, **WORKER_ONLY)
        await active(lab, 1)
        measured("message and record lost: loss to switched", lost_at)
        assert told(lab, "switch_requeued") >= 1
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


async def test_a_switch_whose_message_fails_every_time_is_asked_for_again() -> None:
    """A worker that cannot read ARM gets the message until it is set aside; the leader asks again meanwhile.

    Each attempt shows that somebody is at it, so the message that is set aside ends nothing.
    """
    async with hasty_lab(tries=2) as lab:
        await lab.add_host("leader", 0, **MONITOR_ONLY)
        await lab.add_host("worker", 0, **WORKER_ONLY)
        await lab.ready()
        fault = Fault(FaultKind.ERROR, method="GET", principal="worker", count=None)
        lab.simulator.faults.add(fault)
        began_at = time.monotonic()
        lab.nvas[0].stop()
        await until(lambda: told(lab, "message_poisoned", "worker"), "set aside", within_s=40)
        measured("message fails every time (2 deliveries): NVA stopped to set aside", began_at)
        lab.simulator.faults.clear()
        set_aside_at = time.monotonic()
        assert told(lab, "switch_failed") == 0
        assert not requests(lab, "PUT")
        await active(lab, 1)
        measured("message failed every time: set aside to switched", set_aside_at)
        (operation,) = await settled(lab, 1)
        assert (operation["status"], operation["attempts"] >= 3) == ("done", True)
        assert written(lab) == one_switch(lab)


async def test_messages_that_nobody_of_us_has_written_move_nothing() -> None:
    """Forged, stale, garbled and oversized ones, on either queue, are gone; each kind is told, once a minute.

    What is not even base64 no function sees: it is set aside at its first reading, and stays there. A real
    one that comes three times is carried out once.
    """
    async with hasty_lab(tries=2) as lab:
        await lab.add_host("one")
        await lab.add_host("two")
        await lab.ready()
        await delivered_three_times(lab)
        operation = (await settled(lab, 1))[0]
        real = {key: operation[key] for key in ("generation", "epoch")} | {"operation": operation["id"]}
        before, group = lab.simulator.snapshot(), await lab.group()
        poisoned = told(lab, "message_poisoned")
        stale = [
            message(**real),
            message(**{**real, "generation": 2, "operation": f"{GROUP}-2-1", "epoch": 99}),
            message(**{**real, "group": "another", "operation": f"another-{real['generation']}-1"}),
        ]
        unreadable = [
            base64.b64encode(b"\xff\x00 garbage").decode(),
            base64.b64encode(b"[" * 5000).decode(),
            message(**{**real, "generation": "1 or so"}),
            message(**{**real, "v": 99}),
            message(**real, padding="x" * 20_000),
        ]
        async with queues(lab) as (queue, poison):
            for text in (*stale, *unreadable, NOT_BASE64):
                await queue.send_message(text)
            for text in (*stale, *unreadable):
                await poison.send_message(text)
            # A message that failed would come again, or be out of sight on the poison queue, but counted.
            await until_left(queue, 0)
            await until_left(poison, 1)
        reported = [each for each in lab.events() if each.event == "message_refused"]
        # Of each host: what cannot be read, what is of no group, what is not under way; the rest is counted.
        assert {("" if "moves nothing" in each.text else each.text.split(":")[0]) for each in reported} >= {
            "",
            "another",
            GROUP,
        }
        hosts = 2
        assert len(reported) <= hosts * 6
        assert poisoned < told(lab, "message_poisoned") <= poisoned + hosts
        assert lab.simulator.snapshot() == before
        after = await lab.group()
        same = ("phase", "active", "generation", "epoch", "paused", "operation")
        assert {key: after[key] for key in same} == {key: group[key] for key in same}
        assert len(await settled(lab, 1)) == 1
        assert written(lab) == one_switch(lab)


async def until_left(queue: QueueClient, count: int) -> None:
    """Wait until a queue holds so many messages, in sight or not."""
    end = time.monotonic() + 10
    while (left := (await queue.get_queue_properties()).approximate_message_count) != count:
        assert time.monotonic() < end, f"{left} messages are left, not {count}"
        await asyncio.sleep(0.1)


async def delivered_three_times(lab: Lab) -> None:
    """Let the active NVA die, and its switch's message come twice more while that switch is under way."""
    detached, _ = external_nics(lab.sample)
    lab.simulator.faults.add(Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=2.0))
    lab.nvas[0].stop()
    await until(lambda: requests(lab, "PUT", detached), "the switch is carried out")
    group = await group_is(lab, lambda group: group["operation"], "its operation is known")
    copied = {key: group["operation"][key] for key in ("generation", "epoch")}
    async with queues(lab) as (queue, _):
        for _ in range(2):
            await queue.send_message(message(**copied, operation=group["operation"]["id"]))
    await active(lab, 1)
    await until(lambda: told(lab, "message_refused"), "the copies are refused")
