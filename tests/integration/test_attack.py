"""Whoever asks, however often: a switch is none the slower, and no round is late.

One process has it all: the app, Azurite's client, and an Azure that throttles as the real one does. What is
measured is compared with the same without the attack in the same run, so that a slow machine is slow in both.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nvaha.lab.arm import Switches
from nvaha.lab.arm.throttle import AZURE_LIMITS
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.profiles import Profile
from nvaha.lab.stage.sample import environment
from nvaha.web.api import PLAN_KEPT_S

from .in_process import Running, running

SAMPLE = environment(route_tables=20)
FIRST, SECOND = (nva.name for nva in SAMPLE.nvas)
USUAL = Profile(
    name="usual", get_s=0.06, put_s=0.2, route_table_operation_s=1.0, nic_operation_s=1.0, nic_retry_after_s=1
)
LATER_S = 1.0
"""What the attack may cost a round."""
REFILLED_S = 11.0
"""After so long ARM's bucket is full again."""
TRIES = 3
"""The machine may be busy with something else just then; code that is too slow is so every time."""
Call = Callable[[], Awaitable[tuple[int, Any]]]


@asynccontextmanager
async def attack(call: Call, per_second: float, *, burst: int = 0) -> AsyncIterator[Counter[int]]:
    """Let somebody ask so often, without waiting for an answer, and at first so many times at once.

    Yields:
        {status: how often that was the answer}.
    """
    answers: Counter[int] = Counter()
    asking: set[asyncio.Task[None]] = set()

    async def ask() -> None:
        status, _ = await call()
        answers[status] += 1

    def start() -> None:
        task = asyncio.create_task(ask())
        asking.add(task)
        task.add_done_callback(asking.discard)

    async def keep_on() -> None:
        due = time.monotonic()
        while True:
            start()
            due += 1.0 / per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    for _ in range(burst):
        start()
    attacker = asyncio.create_task(keep_on())
    try:
        yield answers
    finally:
        attacker.cancel()
        await asyncio.gather(attacker, return_exceptions=True)
        await asyncio.gather(*asking)


async def switched(app: Running, to: str) -> float:
    """Move the group and return how many seconds that took, by the operation's own record."""
    status, operation = await app.call("failover", {"to": to})
    assert status == 202, operation
    group = await app.until(
        lambda group: group["operation"]["ended_at"] and group["phase"] != "switching", within_s=120.0
    )
    ended = group["operation"]
    assert (ended["id"], group["active"]) == (operation["id"], to)
    assert (ended["status"], ended["attempts"]) == ("done", 1), ended
    return float(ended["seconds"])


@pytest.mark.slow
def test_plans_cost_a_running_switch_nothing(azurite: Azurite, tmp_path: Path) -> None:
    """Twenty a second, five hundred at once as it begins: the switch ends well, and ARM throttles nobody.

    What that costs to the second is measured in virtual time: here it depends on what else the machine does.
    """

    async def play() -> None:
        switches = Switches(limits=AZURE_LIMITS)
        async with running(azurite, tmp_path, SAMPLE, switches=switches, profile=USUAL) as app:
            await app.all_up()
            await asyncio.sleep(REFILLED_S)
            quiet_s = await switched(app, SECOND)
            await asyncio.sleep(REFILLED_S)
            seen, began, cpu_s = len(app.arm.log), time.monotonic(), time.process_time()
            async with attack(lambda: app.call("plan", params={"to": FIRST}), 20.0, burst=500) as answers:
                attacked_s = await switched(app, FIRST)
            took_s, asked = time.monotonic() - began, app.arm.log[seen:]
            cpu_s = time.process_time() - cpu_s
            print(
                f"quiet {quiet_s:.1f} s, attacked {attacked_s:.1f} s ({cpu_s:.1f} s of processor), "
                f"{len(asked)} calls to ARM: {answers}"
            )
            assert set(answers) == {200, 503}
            assert not [each for each in asked if each.status == 429]
            # A switch of this size, and a plan each two seconds.
            plans = took_s / PLAN_KEPT_S + 2
            assert sum(each.method == "GET" for each in asked) < (plans + 5) * len(SAMPLE.resources)

    asyncio.run(play())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "per_second"), [("health", 300.0), ("groups", 100.0), ("history", 100.0)]
)
def test_questions_make_no_round_late(
    azurite: Azurite, tmp_path: Path, function: str, per_second: float
) -> None:
    """Hundreds a second: the NVAs are probed as often as without them."""

    async def play() -> None:
        async with running(azurite, tmp_path, SAMPLE) as app:
            await app.all_up()

            async def longest_s() -> float:
                probed = app.nvas[FIRST].probed_at
                probed.clear()
                await asyncio.sleep(5.0)
                return max(later - earlier for earlier, later in pairwise(probed))

            late_s = []
            for _ in range(TRIES):
                quiet_s = await longest_s()
                async with attack(lambda: app.call(function), per_second, burst=500) as answers:
                    attacked_s = await longest_s()
                print(f"{function}: longest gap {quiet_s:.2f} s, attacked {attacked_s:.2f} s: {answers}")
                late_s.append(attacked_s - quiet_s)
                if late_s[-1] <= LATER_S:
                    return
            pytest.fail(f"a round was late by {late_s} s")

    asyncio.run(play())
