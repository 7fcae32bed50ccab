"""Holding a lease, and knowing when it is lost."""

from __future__ import annotations

import asyncio

import pytest

from nvaha.ports import LEASE_MARGIN_S, LEASE_S, StoreUnavailable
from nvaha.state.lease import HeldLease, LeaseLost
from tests.fakes import Outside, after

RELIED_ON_S = LEASE_S - LEASE_MARGIN_S


@pytest.fixture
def out() -> Outside:
    """Return an outside with a free lease."""
    return Outside()


def lease(out: Outside, holder: str = "me") -> HeldLease:
    """Return a holder's hold on the leader's lease."""
    return HeldLease(out.ports, "leader", holder)


async def test_a_lease_is_valid_until_its_margin(out: Outside) -> None:
    """A lease may be relied on for its duration less the margin, and not longer."""
    mine = lease(out)
    assert await mine.acquire()
    await out.clock.sleep(RELIED_ON_S - 0.01)
    mine.check()
    await out.clock.sleep(0.01)
    with pytest.raises(LeaseLost):
        mine.check()


@pytest.mark.parametrize("renewing", [False, True])
async def test_a_slow_answer_shortens_a_lease(out: Outside, renewing: bool) -> None:
    """Validity counts from before the request that got or renewed the lease was sent."""
    mine = lease(out)
    if renewing:
        assert await mine.acquire()
    out.leases.answer_s = 5.0
    await (mine.renew() if renewing else mine.acquire())
    await out.clock.sleep(RELIED_ON_S - 5.01)
    assert mine.valid
    await out.clock.sleep(0.01)
    assert not mine.valid


async def test_an_epoch_does_not_go_back_with_the_storage_account(out: Outside) -> None:
    """The blob is lost, and with it its epoch: whoever has led is above what he has led with."""
    mine = lease(out)
    out.leases.epochs["leader"] = 6
    assert await mine.acquire()
    assert mine.epoch == 7
    await mine.release()
    out.leases.epochs.clear()
    assert await mine.acquire()
    assert mine.epoch > 7


async def test_somebody_elses_lease_is_not_taken(out: Outside) -> None:
    """A lease that somebody holds is refused, and nothing may be relied on."""
    assert await lease(out, "other").acquire()
    mine = lease(out)
    assert not await mine.acquire()
    assert not mine.valid
    with pytest.raises(LeaseLost):
        _ = mine.epoch


async def test_a_lease_that_ran_out_untaken_is_taken_up_again(out: Outside) -> None:
    """Nobody else has led meanwhile, so the epoch stays."""
    mine = lease(out)
    await mine.acquire()
    await out.clock.sleep(100.0)
    with pytest.raises(LeaseLost):
        mine.check()
    assert await mine.acquire()
    mine.check()
    assert mine.epoch == 1


async def test_a_lease_that_somebody_took_meanwhile_is_lost(out: Outside) -> None:
    """Renewing finds out, and acquiring again gets a newer epoch once it is free."""
    mine, other = lease(out), lease(out, "other")
    await mine.acquire()
    await out.clock.sleep(20.0)
    await other.acquire()
    with pytest.raises(LeaseLost):
        await mine.renew()
    assert not mine.valid
    assert not await mine.acquire()
    await other.release()
    assert await mine.acquire()
    assert mine.epoch == 3


async def test_a_lease_that_somebody_took_and_gave_up_is_acquired_afresh(out: Outside) -> None:
    """Somebody else has led meanwhile, so the epoch is a newer one."""
    mine, other = lease(out), lease(out, "other")
    await mine.acquire()
    await out.clock.sleep(20.0)
    await other.acquire()
    await other.release()
    assert await mine.acquire()
    assert mine.epoch == 3


async def test_an_epoch_that_is_too_old_is_given_up(out: Outside) -> None:
    """Who has seen a newer epoch takes the lease afresh, above that."""
    mine = lease(out)
    await mine.acquire()
    assert await mine.acquire(at_least=7)
    assert mine.epoch == 8


@pytest.mark.parametrize("silent", [False, True])
async def test_a_released_lease_is_not_relied_on(out: Outside, silent: bool) -> None:
    """After a release nothing is held, whether storage answered or not."""
    mine = lease(out)
    assert await mine.acquire()
    out.leases.answers = not silent
    await mine.release()
    assert not mine.valid
    with pytest.raises(LeaseLost):
        _ = mine.epoch
    with pytest.raises(LeaseLost):
        await mine.renew()


async def test_a_release_takes_nothing_from_the_next_holder(out: Outside) -> None:
    """Whoever lost a lease unknowingly gives up only its own."""
    mine, other = lease(out), lease(out, "other")
    await mine.acquire()
    await out.clock.sleep(20.0)
    await other.acquire()
    await mine.release()
    await other.renew()
    assert other.valid


async def test_a_lease_that_was_not_got_is_nothing_to_give_up(out: Outside) -> None:
    """Whoever failed to take it may release it all the same."""
    other = lease(out, "other")
    await other.acquire()
    mine = lease(out)
    await mine.acquire()
    await mine.release()
    await other.renew()
    assert other.valid


async def test_a_lease_that_is_kept_stays_valid(out: Outside) -> None:
    """It is renewed long before it would run out."""
    mine = lease(out)
    await mine.acquire()
    keeping = asyncio.ensure_future(mine.keep())
    for _ in range(100):
        await out.clock.sleep(1.0)
        mine.check()
    keeping.cancel()


async def test_keeping_survives_a_short_silence(out: Outside) -> None:
    """A renewal without an answer is tried again every second while the lease lasts."""
    mine = lease(out)
    await mine.acquire()
    out.leases.answers = False
    after(LEASE_S / 4 + 2.5, out.storage_is_back)
    keeping = asyncio.ensure_future(mine.keep())
    await out.clock.sleep(RELIED_ON_S + 1.0)
    mine.check()
    keeping.cancel()


async def test_keeping_ends_when_the_silence_lasts(out: Outside) -> None:
    """A lease that could not be renewed in time is given up before it can be somebody else's."""
    mine = lease(out)
    await mine.acquire()
    out.leases.answers = False
    with pytest.raises(LeaseLost):
        await mine.keep()
    assert out.clock.monotonic() < LEASE_S


async def test_keeping_ends_when_the_lease_is_somebody_elses(out: Outside) -> None:
    """A refusal to renew ends it at once."""
    mine = lease(out)
    await mine.acquire()
    out.leases.steal("leader")
    with pytest.raises(LeaseLost):
        await mine.keep()
    assert out.clock.monotonic() <= LEASE_S / 4


async def test_a_silence_of_storage_says_nothing_about_the_lease(out: Outside) -> None:
    """What was held is held for as long as it lasts; what was not is not."""
    mine = lease(out)
    await mine.acquire()
    out.leases.answers = False
    with pytest.raises(StoreUnavailable):
        await mine.renew()
    mine.check()
    other = lease(out, "other")
    with pytest.raises(StoreUnavailable):
        await other.acquire()
    assert not other.valid


async def test_a_lease_that_storage_calls_lost_is_lost_at_once(out: Outside) -> None:
    """However much of its time is left by our own count: somebody else may have it already."""
    mine = lease(out)
    await mine.acquire()
    out.leases.steal("leader")
    with pytest.raises(LeaseLost):
        await mine.renew()
    assert not mine.valid
    with pytest.raises(LeaseLost):
        mine.check()
