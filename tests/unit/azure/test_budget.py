"""What ARM lets one process read, and who goes without when it is short, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import cycle

import pytest

from nvaha.azure.arm.budget import (
    CAPACITY,
    CONNECTIONS,
    PATIENCE_S,
    PER_SECOND,
    WRITES_AT_ONCE,
    Budget,
    Purpose,
)
from nvaha.lab.arm.throttle import AZURE_LIMITS, Throttle
from nvaha.ports import LONGEST_WAIT_S, NetworkError, NetworkFault
from tests.builders import table_id
from tests.fakes import FakeClock

TABLE = table_id("t")
ELSEWHERE = TABLE.replace("/subscriptions/s/", "/subscriptions/another/")
SWITCH, LOOK, PLAN = Purpose.SWITCH, Purpose.LOOK, Purpose.PLAN
REMAINING = "x-ms-ratelimit-remaining-subscription-reads"


async def read(budget: Budget, purpose: Purpose, resource_id: str = TABLE, *, lasts_s: float = 0.0) -> None:
    """Read once."""
    async with budget.read(purpose, resource_id):
        await asyncio.sleep(lasts_s)


async def waited_s(budget: Budget, purpose: Purpose, resource_id: str = TABLE) -> float:
    """Read once and return how long that had to wait."""
    clock = FakeClock()
    began = clock.monotonic()
    await read(budget, purpose, resource_id)
    return clock.monotonic() - began


async def spend(budget: Budget, purpose: Purpose, times: int) -> None:
    """Read so often, in no time."""
    for _ in range(times):
        assert await waited_s(budget, purpose) == 0.0


async def test_plans_leave_reads_to_looks_and_looks_leave_some_to_switches() -> None:
    """Each goes without before those who come first do; what a switch reads waits for nobody."""
    budget = Budget(FakeClock())
    await spend(budget, PLAN, 100)
    await spend(budget, LOOK, 75)
    await spend(budget, SWITCH, 500)
    with pytest.raises(NetworkError) as raised:
        await read(budget, PLAN)
    assert raised.value.fault is NetworkFault.THROTTLED
    assert raised.value.retry_after_s == pytest.approx(151.0 / PER_SECOND)
    assert await waited_s(budget, LOOK) == pytest.approx(76.0 / PER_SECOND)


async def test_what_is_short_is_waited_for_a_while() -> None:
    """As ARM's bucket fills, a plan's turn comes."""
    budget = Budget(FakeClock())
    await spend(budget, LOOK, 125)
    assert await waited_s(budget, PLAN) == pytest.approx(26.0 / PER_SECOND)


async def test_nobody_is_kept_waiting_longer_than_is_of_use() -> None:
    """While a switch needs all of it, a look is told so in time, and ARM is not asked."""
    budget, clock = Budget(FakeClock()), FakeClock()

    async def needy() -> None:
        while True:
            await read(budget, SWITCH)
            await clock.sleep(0.9 / PER_SECOND)

    await spend(budget, SWITCH, 200)
    switch = asyncio.create_task(needy())
    began = clock.monotonic()
    with pytest.raises(NetworkError) as raised:
        await read(budget, LOOK)
    assert raised.value.fault is NetworkFault.THROTTLED
    assert clock.monotonic() - began <= PATIENCE_S
    switch.cancel()


async def test_what_arm_says_is_left_counts_and_what_it_says_beyond_does_not() -> None:
    """Another process under the same identity reads as well, and only ARM knows of it."""
    budget = Budget(FakeClock())
    for said in ("11999", "many", "-1", "²", ""):
        budget.learn(TABLE, {REMAINING: said}, None)
    budget.learn(TABLE, {}, None)
    await spend(budget, PLAN, 100)
    budget.learn(TABLE, {REMAINING: "74"}, None)
    assert await waited_s(budget, LOOK) == pytest.approx(2.0 / PER_SECOND)
    await spend(budget, SWITCH, 10)


@pytest.mark.parametrize(("asked_s", "obeyed_s"), [(0.0, 0.0), (1.0, 1.0), (3600.0, LONGEST_WAIT_S)])
async def test_after_a_throttled_read_looks_and_plans_stay_away(asked_s: float, obeyed_s: float) -> None:
    """As long as ARM asks for, half a minute at most, and until there is enough again; a switch goes on."""
    budget, clock = Budget(FakeClock()), FakeClock()
    budget.learn(TABLE, {}, asked_s)
    await spend(budget, SWITCH, 1)
    with pytest.raises(NetworkError) as raised:
        await read(budget, PLAN)
    assert raised.value.retry_after_s == pytest.approx(obeyed_s + 151.0 / PER_SECOND)
    await clock.sleep(raised.value.retry_after_s or 0.0)
    assert await waited_s(budget, PLAN) <= 0.01


async def test_each_subscription_has_its_own() -> None:
    """What is spent in one is not missing in another, however its id is spelt."""
    budget = Budget(FakeClock())
    await spend(budget, SWITCH, int(CAPACITY))
    assert await waited_s(budget, PLAN, ELSEWHERE) == 0.0
    with pytest.raises(NetworkError):
        await read(budget, PLAN, TABLE.upper())


async def test_connections_are_kept_for_switches() -> None:
    """An Azure that hangs holds up those who hang on it, and no switch."""
    budget, clock = Budget(FakeClock()), FakeClock()
    async with AsyncExitStack() as hanging:
        for purpose in (PLAN, LOOK):
            for _ in range(purpose.value.at_once):
                await hanging.enter_async_context(budget.read(purpose, ELSEWHERE))
        for purpose in (PLAN, LOOK):
            began = clock.monotonic()
            with pytest.raises(NetworkError) as raised:
                await read(budget, purpose)
            assert raised.value.fault is NetworkFault.THROTTLED
            assert clock.monotonic() - began == PATIENCE_S
        assert await waited_s(budget, SWITCH) == 0.0
    assert await waited_s(budget, PLAN) == 0.0
    assert WRITES_AT_ONCE + sum(each.value.at_once for each in Purpose) == CONNECTIONS


async def test_whatever_is_asked_arm_has_some_left_for_a_switch() -> None:
    """Two hundred plans and looks want to read, for half a minute, and ARM's bucket never goes below."""
    clock, throttle = FakeClock(), Throttle()
    budget, left, waits = Budget(clock), [], []

    async def ask(purpose: Purpose) -> None:
        while clock.monotonic() < 30.0:
            try:
                async with budget.read(purpose, TABLE):
                    wait_s, remaining = throttle.take(AZURE_LIMITS.reads, "s", clock.monotonic())
                    waits.append(wait_s)
                    left.append(remaining)
                    await clock.sleep(0.06)
                    budget.learn(TABLE, {REMAINING: str(int(remaining))}, wait_s or None)
            except NetworkError as error:
                await clock.sleep(error.retry_after_s or 1.0)

    await asyncio.gather(*(ask(purpose) for _, purpose in zip(range(200), cycle((PLAN, LOOK)), strict=False)))
    assert not any(waits)
    assert min(left) >= 70
    assert len(left) >= 30 * PER_SECOND


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_read_that_fails_leaves_its_place_to_the_next(purpose: Purpose) -> None:
    """An hour of timeouts is over with the last of them: nobody goes without for ever."""
    budget = Budget(FakeClock())
    for _ in range(purpose.value.at_once + 1):
        with pytest.raises(InterruptedError):
            async with budget.read(purpose, TABLE):
                raise InterruptedError
    assert await waited_s(budget, purpose) == 0.0
