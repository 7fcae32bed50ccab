"""A worker without a token leaves the switch to one that has one, and fails nothing."""

from __future__ import annotations

import pytest

from nvaha.core.decide import decide
from nvaha.core.inputs import Probed
from nvaha.core.lifecycle import UNCLAIMED_S
from nvaha.model import Configuration, Phase, Status
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.worker import Switcher
from tests.builders import later, switching
from tests.fakes import Outside
from tests.unit.switch.stage import GROUP, MESSAGE, moved, record

HANDED_OVER_S = 10.0
"""A token is waited for for three seconds, and a step that needs one is not tried again and again."""


def worker(out: Outside, name: str = "worker") -> Switcher:
    """Return a worker of the group."""
    return Switcher(Configuration((GROUP,)), out.ports, name)


def asked_again_s(out: Outside) -> float:
    """Return in how many seconds the leader will ask for a worker, as things stand."""
    at = out.clock.monotonic()
    for seconds in range(60):
        decision = decide(GROUP, out.state(), Probed(1, {}), later(at + seconds))
        if decision.send is not None:
            return seconds
    raise AssertionError(out.state())


async def test_a_worker_without_a_token_takes_nothing_up(out: Outside) -> None:
    """It neither holds the lease nor shows itself, says why once, and the next one moves everything."""
    out.network.tokens = 0
    for _ in range(3):
        await worker(out, "poor").run(MESSAGE)
    assert (out.network.tried, out.leases.held, out.store.operations) == ([], {}, {})
    state = out.state()
    assert (state.phase, state.switch.claimed if state.switch else None) == (Phase.SWITCHING, False)
    assert "poor has no token" in (state.blocked or "")
    assert out.told.events.count("switch_held_up") == 1
    assert asked_again_s(out) <= UNCLAIMED_S
    out.network.tokens = None
    await worker(out, "rich").run(MESSAGE)
    assert (moved(out), out.state().phase, out.state().blocked) == ((True, True), Phase.STEADY, None)


@pytest.mark.parametrize("tokens", [1, 3, 5, 6, 7, 8, 9])
async def test_a_switch_that_loses_its_token_half_way_is_handed_over(out: Outside, tokens: int) -> None:
    """Wherever that is: it has not ended, the lease is free, and a worker is asked for soon."""
    out.network.tokens = tokens
    await worker(out, "poor").run(MESSAGE)
    assert out.clock.monotonic() < HANDED_OVER_S
    assert (out.state().phase, out.leases.held) == (Phase.SWITCHING, {})
    assert record(out).status is Status.RUNNING
    assert "no token" in (record(out).error or "")
    assert "switch_failed" not in out.told.events
    assert asked_again_s(out) <= UNCLAIMED_S
    out.network.tokens = None
    await worker(out, "rich").run(MESSAGE)
    assert (moved(out), out.state().phase) == ((True, True), Phase.STEADY)
    assert record(out).worker == "rich"


async def test_a_worker_that_is_at_it_is_not_held_up_by_one_without_a_token(out: Outside) -> None:
    """A copy of the message that reaches a process without a token changes nothing."""
    out.store.put(switching(progress_at=later(0.0)))
    out.network.tokens = 0
    before = out.state()
    await worker(out).run(MESSAGE)
    assert out.state() == before


async def test_a_silent_azure_is_no_lack_of_a_token(out: Outside) -> None:
    """That is for the runtime, which tries the message again; the lease is free meanwhile."""
    out.network.unread = {
        each: NetworkError(NetworkFault.UNAVAILABLE, each, "no answer") for each in GROUP.resource_ids
    }
    with pytest.raises(NetworkError):
        await worker(out).run(MESSAGE)
    assert (out.state().phase, out.state().blocked, out.leases.held) == (Phase.SWITCHING, None, {})
