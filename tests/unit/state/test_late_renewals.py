"""People hear that a lease nearly ran out, before one does."""

from __future__ import annotations

import asyncio

import pytest

from nvaha.ports import LEASE_MARGIN_S, LEASE_S
from nvaha.state.lease import LATE_S, HeldLease
from tests.fakes import Outside, run

USABLE_S = LEASE_S - LEASE_MARGIN_S


@pytest.mark.parametrize(
    ("after_s", "told"), [(LEASE_S / 4, []), (USABLE_S - LATE_S + 0.5, ["lease_renewed_late"])]
)
def test_a_renewal_is_told_when_it_comes_late(after_s: float, told: list[str]) -> None:
    """One at its time is not worth a word; one shortly before the end is, and the lease is held on."""
    outside = Outside()
    lease = HeldLease(outside.ports, "leader", "m")

    async def renewed() -> bool:
        assert await lease.acquire()
        await asyncio.sleep(after_s)
        await lease.renew()
        return lease.valid

    assert run(renewed())
    assert outside.told.events == told
