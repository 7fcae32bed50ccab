"""What following a write asks of ARM: no more than it must, and nothing once it may not go on."""

from __future__ import annotations

import pytest

from nvaha.ports import Network

from .scripted_arm import (
    ACCEPTED,
    OPERATION,
    RESOURCE,
    Arm,
    Run,
    answer,
    arm_with,
    polls,
    runner,
    status,
    version,
)

THROTTLED = answer(429, {"error": {"code": "TooManyRequests"}}, Retry_After="7")


class NotAnyMore(Exception):
    """Whoever wrote may not go on."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what runs a test against a scripted ARM."""
    return runner(tmp_path_factory.mktemp("tls"))


def reads(arm: Arm) -> int:
    """Return how often the resource itself was read."""
    return sum(asked[0] == "GET" for asked in arm.asked) - polls(arm)


def test_a_throttled_poll_is_followed_by_no_other_read(run: Run) -> None:
    """Who is told to ask less waits as long as he is told, and does not ask the resource instead."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert (polls(arm), reads(arm)) == (2, 0)
        assert arm.clock.now_s >= 7.0

    run(test, arm_with(ACCEPTED, operation=[THROTTLED, status("Succeeded")], resource=[version("3")]))


def test_whoever_may_not_go_on_does_not_read_the_resource_either(run: Run) -> None:
    """The lease is lost while the operation is asked for in vain: nothing more is asked."""

    async def test(network: Network, arm: Arm) -> None:
        async def alive() -> None:
            if polls(arm):
                raise NotAnyMore

        with pytest.raises(NotAnyMore):
            await network.put(RESOURCE, alive=alive)
        assert (polls(arm), reads(arm)) == (1, 0)
        assert OPERATION in [asked[1] for asked in arm.asked]

    run(test, arm_with(ACCEPTED, operation=[answer(404)], resource=[version("2", "Updating")]))
