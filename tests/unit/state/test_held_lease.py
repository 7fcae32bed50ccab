"""Holding a lease, and knowing when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from nvaha.model import Notice
from nvaha.ports import LEASE_MARGIN_S, LEASE_S, LeaseGrant, Ports, StoreUnavailable
from nvaha.state.lease import HeldLease, LeaseLost
from tests.builders import later


class Service:
    """One lease, a clock, and answers that may take their time or not come at all."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.answer_takes_s = 0.0
        self.silent = False
        self.token: str | None = None
        self.until_s = 0.0
        self.epoch = 0
        self.slept: list[float] = []
        self.told: list[Notice] = []
        self.on_sleep: Callable[[], None] = lambda: None

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> LeaseGrant | None:
        if self.silent:
            raise StoreUnavailable("no answer")
        if self.token is not None and self.now_s < self.until_s:
            return None
        self.epoch = max(self.epoch, at_least) + 1
        self.token = f"{holder}-{self.epoch}"
        self.until_s = self.now_s + LEASE_S
        self.now_s += self.answer_takes_s
        return LeaseGrant(name, self.token, self.epoch)

    async def renew(self, grant: LeaseGrant) -> bool:
        if self.silent:
            raise StoreUnavailable("no answer")
        if grant.token != self.token:
            return False
        self.until_s = self.now_s + LEASE_S
        self.now_s += self.answer_takes_s
        return True

    async def release(self, grant: LeaseGrant) -> None:
        if self.silent:
            raise StoreUnavailable("no answer")
        if grant.token == self.token:
            self.token = None

    def notify(self, notice: Notice) -> None:
        self.told.append(notice)

    def ports(self) -> Ports:
        """Return this as all that a held lease needs of the outside."""
        rest: Any = None
        return Ports(self, rest, rest, rest, rest, self, self, rest)

    def now(self) -> datetime:
        return later(self.now_s)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        self.on_sleep()


@pytest.fixture
def service() -> Service:
    """Return a service with a free lease."""
    return Service()


def lease(service: Service, holder: str = "me") -> HeldLease:
    """Return a holder's lease of the service's lease."""
    return HeldLease(service.ports(), "leader", holder)


def test_a_lease_is_valid_until_its_margin(service: Service) -> None:
    """A lease may be relied on for its duration less the margin, and not longer."""
    mine = lease(service)
    assert asyncio.run(mine.acquire())
    service.now_s = LEASE_S - LEASE_MARGIN_S - 0.01
    mine.check()
    service.now_s = LEASE_S - LEASE_MARGIN_S
    with pytest.raises(LeaseLost):
        mine.check()


@pytest.mark.parametrize("renewing", [False, True])
def test_a_slow_answer_shortens_a_lease(service: Service, renewing: bool) -> None:
    """Validity counts from before the request that got or renewed the lease was sent."""
    mine = lease(service)
    if renewing:
        assert asyncio.run(mine.acquire())
    service.answer_takes_s = 5.0
    asyncio.run(mine.renew()) if renewing else asyncio.run(mine.acquire())
    service.now_s += LEASE_S - LEASE_MARGIN_S - 5.0
    assert not mine.valid


def test_somebody_elses_lease_is_not_taken(service: Service) -> None:
    """A lease that somebody holds is refused, and nothing may be relied on."""
    assert asyncio.run(lease(service, "other").acquire())
    mine = lease(service)
    assert not asyncio.run(mine.acquire())
    assert not mine.valid
    with pytest.raises(LeaseLost):
        _ = mine.epoch


def test_a_lease_that_ran_out_untaken_is_taken_up_again(service: Service) -> None:
    """Nobody else has led meanwhile, so the epoch stays."""
    mine = lease(service)
    asyncio.run(mine.acquire())
    service.now_s = 100.0
    with pytest.raises(LeaseLost):
        mine.check()
    assert asyncio.run(mine.acquire())
    mine.check()
    assert mine.epoch == 1


def test_a_lease_that_somebody_took_meanwhile_is_lost(service: Service) -> None:
    """Renewing finds out, and acquiring again gets a newer epoch once it is free."""
    mine, other = lease(service), lease(service, "other")
    asyncio.run(mine.acquire())
    service.now_s = 20.0
    asyncio.run(other.acquire())
    with pytest.raises(LeaseLost):
        asyncio.run(mine.renew())
    assert not mine.valid
    assert not asyncio.run(mine.acquire())
    asyncio.run(other.release())
    assert asyncio.run(mine.acquire())
    assert mine.epoch == 3


def test_an_epoch_that_is_too_old_is_given_up(service: Service) -> None:
    """Who has seen a newer epoch takes the lease afresh, above that."""
    mine = lease(service)
    asyncio.run(mine.acquire())
    assert asyncio.run(mine.acquire(at_least=7))
    assert mine.epoch == 8


def test_a_released_lease_is_not_relied_on(service: Service) -> None:
    """After a release nothing is held, whether storage answered or not."""
    for silent in (False, True):
        mine = lease(service, f"holder-{silent}")
        assert asyncio.run(mine.acquire())
        service.silent = silent
        asyncio.run(mine.release())
        assert not mine.valid
        with pytest.raises(LeaseLost):
            _ = mine.epoch


def test_a_release_takes_nothing_from_the_next_holder(service: Service) -> None:
    """Whoever lost a lease unknowingly gives up only its own."""
    mine, other = lease(service), lease(service, "other")
    asyncio.run(mine.acquire())
    service.now_s = 20.0
    asyncio.run(other.acquire())
    asyncio.run(mine.release())
    asyncio.run(other.renew())
    assert other.valid


def test_keeping_survives_a_short_silence(service: Service) -> None:
    """A renewal without an answer is tried again every second while the lease lasts."""
    mine = lease(service)
    asyncio.run(mine.acquire())
    service.silent = True

    def speak_after_three() -> None:
        service.silent = len(service.slept) < 4
        if len(service.slept) > 8:
            raise InterruptedError

    service.on_sleep = speak_after_three
    with pytest.raises(InterruptedError):
        asyncio.run(mine.keep())
    assert service.slept[:5] == [LEASE_S / 4, 1.0, 1.0, 1.0, LEASE_S / 4]


def test_keeping_ends_when_the_silence_lasts(service: Service) -> None:
    """A lease that could not be renewed in time is given up before it can be somebody else's."""
    mine = lease(service)
    asyncio.run(mine.acquire())
    service.silent = True
    with pytest.raises(LeaseLost):
        asyncio.run(mine.keep())
    assert service.now_s <= LEASE_S


def test_keeping_ends_when_the_lease_is_somebody_elses(service: Service) -> None:
    """A refusal to renew ends it at once."""
    mine = lease(service)
    asyncio.run(mine.acquire())
    service.token = "other"
    with pytest.raises(LeaseLost):
        asyncio.run(mine.keep())
    assert service.slept == [LEASE_S / 4]
