"""Following a write until it has ended, against a scripted ARM on loopback."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from nvaha.ports import Network, NetworkFault

from .scripted_arm import (
    ACCEPTED,
    BODY,
    OPERATION,
    RESOURCE,
    UPDATING,
    Answers,
    Arm,
    Run,
    answer,
    arm_with,
    fault_of,
    polls,
    reset,
    runner,
    status,
    version,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what runs a test against a scripted ARM."""
    return runner(tmp_path_factory.mktemp("tls"))


def test_an_operation_is_followed_at_its_own_pace(run: Run) -> None:
    """Polls are frequent at first and rarer later, whatever Retry-After says."""

    async def test(network: Network, arm: Arm) -> None:
        polls: list[float] = []

        async def poll(_: web.Request) -> web.Response:
            polls.append(arm.clock.now_s)
            done = len(polls) == 90
            body = {"status": "Succeeded" if done else "InProgress"}
            return answer(200, body, Retry_After="10")

        accepted = answer(201, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, poll]
        await network.put(RESOURCE, alive=arm.alive)
        gaps = [later - earlier for earlier, later in pairwise([0.0, *polls])]
        assert all(gap == pytest.approx(0.3) for at, gap in zip(polls, gaps, strict=True) if at < 10.0)
        assert all(gap == pytest.approx(1.0) for at, gap in zip(polls, gaps, strict=True) if 12.0 < at < 60.0)
        assert gaps[-1] == pytest.approx(2.0)
        assert arm.asked[1][1] == OPERATION
        seen = [0.0, *arm.alive_at]
        assert max(later - earlier for earlier, later in pairwise(seen)) <= 1.0

    run(test, Arm([answer(200)]))


@pytest.mark.parametrize(
    "accepted",
    [
        answer(200, UPDATING),
        answer(202, None),
        answer(202, UPDATING),
        answer(204, b""),
        answer(200, b"<html>"),
        answer(200, b""),
        answer(200, {"properties": {}}),
        answer(200, BODY | {"id": "/subscriptions/other"}),
        answer(201, [BODY]),
    ],
)
def test_a_write_without_an_operation_is_followed_on_the_resource(run: Run, accepted: web.Response) -> None:
    """Where no operation is named, or the answer makes no sense, the resource says when it ends."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert [asked[0] for asked in arm.asked] == ["PUT", "GET", "GET"]
        assert arm.clock.now_s < 1.0

    run(test, arm_with(accepted, operation=[], resource=[version("2", "Updating"), version("3")]))


@pytest.mark.parametrize(
    "lost",
    [answer(404), answer(410), answer(403), answer(400), answer(204), answer(302), answer(200, b"<html>")],
)
@pytest.mark.parametrize("state", ["Updating", "Succeeded"])
def test_an_operation_that_leads_nowhere_costs_no_time(run: Run, lost: web.Response, state: str) -> None:
    """An operation that is not found, has expired or makes no sense is left for the resource, at once."""
    accepted = UPDATING | {"properties": {"provisioningState": state}}

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s < 1.0
        assert polls(arm) == 1

    run(
        test,
        arm_with(
            answer(200, accepted, Azure_AsyncOperation=f"ARM{OPERATION}"),
            operation=[lost, status("Succeeded")],
            resource=[version("2", "Updating"), version("3")],
        ),
    )


def test_an_operation_may_expire_while_it_is_followed(run: Run) -> None:
    """An operation that was there and is not any more is no failure and no success: the resource says."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s < 2.0

    run(
        test,
        arm_with(
            ACCEPTED,
            operation=[status("InProgress"), status("InProgress"), answer(404)],
            resource=[version("2", "Updating"), version("2", "Updating"), version("3")],
        ),
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.2/operations/1",
        "http://127.0.0.1/operations/1",
        "https://[::1",
        "//elsewhere.example/operations/1",
        "HERE/operations/1",
        "https://user@ARMHOST/operations/1",
    ],
)
def test_a_token_goes_to_no_other_host(run: Run, link: str) -> None:
    """An operation elsewhere is not asked, though it would answer; the resource is read instead."""

    async def test(network: Network, arm: Arm) -> None:
        # The same server under another name: it would show a request that should not have been sent.
        host = arm.endpoint.removeprefix("https://")
        named = link.replace("HERE", f"https://{host.replace('127.0.0.1', 'localhost')}")
        answers = arm_with(
            answer(200, UPDATING, Azure_AsyncOperation=named.replace("ARMHOST", host)),
            operation=[status("Succeeded")],
            resource=[version("2", "Updating"), version("3")],
        )
        arm.answers = answers.answers
        await network.put(RESOURCE, alive=arm.alive)
        assert polls(arm) == 0
        assert arm.clock.now_s < 1.0

    run(test, Arm())


def test_the_state_before_the_write_is_not_its_end(run: Run) -> None:
    """A read that still shows the ETag that the write was made for proves nothing, whatever its state."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert sum(method == "GET" for method, *_ in arm.asked) == 6

    reads: Answers = [
        version("1"),
        version("1", "Failed"),
        version("1"),
        version("2", "Updating"),
        version("3"),
    ]
    run(test, arm_with(ACCEPTED, operation=[answer(404)], resource=reads))


def test_a_write_that_never_shows_is_not_done(run: Run) -> None:
    """If the resource stays as it was for half a minute, nobody can say that the write took effect."""

    async def test(network: Network, arm: Arm) -> None:
        error = await fault_of(network.put(RESOURCE, alive=arm.alive))
        assert error.fault is NetworkFault.UNAVAILABLE
        assert 29 <= arm.clock.now_s <= 35

    run(test, arm_with(answer(202, None), operation=[], resource=[version("1")]))


def test_a_write_that_changes_no_etag_ends(run: Run) -> None:
    """Where the write's own answer has the old ETag, that ETag is no sign of an old state."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s < 1.0

    accepted = answer(200, BODY, Azure_AsyncOperation=f"ARM{OPERATION}")
    run(test, arm_with(accepted, operation=[answer(404)], resource=[version("1")]))


def test_a_resource_that_failed_is_told_as_unknown(run: Run) -> None:
    """Failed without an operation that says why may pass with another try, and is told at once."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNAVAILABLE
        assert arm.clock.now_s < 1.0

    run(test, arm_with(ACCEPTED, operation=[answer(404)], resource=[version("3", "Failed")]))


def test_a_failure_waits_for_its_reason(run: Run) -> None:
    """While the operation may still answer, a Failed resource waits for what it says."""

    async def test(network: Network, arm: Arm) -> None:
        error = await fault_of(network.put(RESOURCE, alive=arm.alive))
        assert (error.fault, error.code) == (NetworkFault.REFUSED, "OperationNotAllowed")

    ended = status("Failed", code="OperationNotAllowed", message="startTenantUpdate")
    run(
        test,
        arm_with(ACCEPTED, operation=[answer(500), answer(503), ended], resource=[version("3", "Failed")]),
    )


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (status("Failed", code="OperationNotAllowed", message="startTenantUpdate"), NetworkFault.REFUSED),
        (status("Failed", code="InternalServerError", message="x"), NetworkFault.UNAVAILABLE),
        (
            status("Canceled", code="CanceledAndSupersededDueToAnotherOperation", message="x"),
            NetworkFault.BUSY,
        ),
        (status("Failed"), NetworkFault.REFUSED),
    ],
)
def test_an_operation_that_ends_badly_is_told(run: Run, ended: web.Response, fault: NetworkFault) -> None:
    """A write that was accepted and then failed is a failure with the operation's reason."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, status("InProgress"), ended]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is fault

    run(test, Arm())


@pytest.mark.parametrize("trouble", [answer(500), answer(503, Retry_After="1"), reset])
def test_failed_polls_are_got_over(run: Run, trouble: Any) -> None:
    """A few polls without any answer do not end the wait; half a minute of them does."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, *[trouble] * 8, status("Succeeded")]
        await network.put(RESOURCE, alive=arm.alive)
        arm.answers = [accepted, trouble]
        arm.clock.now_s = 0.0
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNAVAILABLE
        assert 29 <= arm.clock.now_s <= 35

    run(test, Arm())


@pytest.mark.parametrize("trouble", [answer(500), reset])
def test_an_operation_that_does_not_answer_is_not_waited_for(run: Run, trouble: Any) -> None:
    """While polls fail the resource is read too, and its end is the end."""

    async def test(network: Network, arm: Arm) -> None:
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s < 1.0

    run(test, arm_with(ACCEPTED, operation=[trouble], resource=[version("2", "Updating"), version("3")]))


@pytest.mark.parametrize(("asked", "waited_s"), [("20", 20.0), ("40", 30.0)])
def test_a_throttled_poll_waits_as_it_is_told(run: Run, asked: str, waited_s: float) -> None:
    """On 429 the wait is the one that ARM asks for, up to half a minute, with `alive` asked meanwhile."""

    async def test(network: Network, arm: Arm) -> None:
        accepted = answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION)
        arm.answers = [accepted, answer(429, Retry_After=asked), status("Succeeded")]
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s == pytest.approx(0.3 + waited_s)
        assert len(arm.alive_at) >= waited_s

    run(test, Arm())


def test_a_resource_that_may_not_be_read_ends_the_wait(run: Run) -> None:
    """Without the right to read either the operation or the resource the wait is over at once."""

    async def test(network: Network, arm: Arm) -> None:
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.DENIED
        assert arm.clock.now_s < 1.0

    run(test, arm_with(ACCEPTED, operation=[answer(403)], resource=[answer(403)]))


def test_an_operation_without_end_is_given_up(run: Run) -> None:
    """After a quarter of an hour nobody can say how the write ended."""

    async def test(network: Network, arm: Arm) -> None:
        arm.answers = [answer(200, BODY, Azure_AsyncOperation=arm.endpoint + OPERATION), status("InProgress")]
        assert (await fault_of(network.put(RESOURCE, alive=arm.alive))).fault is NetworkFault.UNAVAILABLE
        assert arm.clock.now_s == pytest.approx(900, abs=3)

    run(test, Arm())


def test_writes_that_failed_slow_no_other_down(run: Run) -> None:
    """Only those that are still followed are a crowd: after many that ended badly polls are as frequent."""

    async def test(network: Network, arm: Arm) -> None:
        for _ in range(failed):
            await fault_of(network.put(RESOURCE, alive=arm.alive))
        began_s = arm.clock.now_s
        await network.put(RESOURCE, alive=arm.alive)
        assert arm.clock.now_s - began_s <= 1.5

    failed = 30
    operation: Answers = [
        *[status("Failed", code="x")] * failed,
        *[status("InProgress")] * 3,
        status("Succeeded"),
    ]
    run(test, arm_with(ACCEPTED, operation=operation, resource=[version("2")]))
