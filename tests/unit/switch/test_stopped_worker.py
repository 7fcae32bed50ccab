"""A worker that is stopped, with its whole process, while Azure has its write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from nvaha.model import Resource
from nvaha.ports import LEASE_S, Network
from nvaha.state.lease import LeaseLost
from tests.fakes import FakeClock, Outside
from tests.unit.switch.stage import attempt


class JumpingClock(FakeClock):
    """A clock that goes on while the process does not."""

    stood_s = 0.0

    def monotonic(self) -> float:
        """Return the time that has passed, whoever was there."""
        return super().monotonic() + self.stood_s


@dataclass
class AskedTwice:
    """A network that has to send each write a second time, and is stopped before that."""

    network: Network
    clock: JumpingClock
    sent_again: int = 0

    async def get(self, resource_id: str) -> Resource:
        """Read a resource."""
        return await self.network.get(resource_id)

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Ask whether the write may be sent again, and send it."""
        self.clock.stood_s += LEASE_S
        await alive()
        self.sent_again += 1
        await self.network.put(resource, alive=alive)


async def test_a_write_is_not_sent_again_after_the_lease_has_run_out(out: Outside) -> None:
    """Whoever wakes up without the lease is told so before anything else is sent."""
    clock = JumpingClock()
    network = AskedTwice(out.network, clock)
    out.ports = replace(out.ports, network=network, clock=clock)
    with pytest.raises(LeaseLost):
        await attempt(out)
    assert network.sent_again == 0
