"""The record of a switch while it is carried out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nvaha.core.plan import Step
from nvaha.model import Operation, Status, StepRecord, StepStatus
from nvaha.ports import NetworkError, NetworkFault, StoreUnavailable
from nvaha.switch.record import OperationRecorder
from tests.builders import later, request_to
from tests.fakes import Outside

FRESH = Operation(request_to("b"))
ONE, OTHER = (Step(key, "routes", f"/{key}", f"moves {key}") for key in ("one", "other"))


def recorded(out: Outside) -> Operation:
    """Return the operation as it is on record."""
    return out.store.operations["g-1-0"]


async def test_whoever_takes_an_operation_up_is_on_record() -> None:
    """The worker, the time and the attempt are there before anything is done."""
    out = Outside()
    await OperationRecorder(out.ports, FRESH).open("worker")
    found = recorded(out)
    assert (found.status, found.worker, found.attempts) == (Status.RUNNING, "worker", 1)
    assert found.started_at == later(0)


async def test_a_later_attempt_goes_on_with_the_record_of_the_first() -> None:
    """It counts one more, forgets the trouble of the last, and began when the first one did."""
    out = Outside()
    before = replace(FRESH, worker="dead", attempts=2, started_at=later(-60), error="no answer")
    await OperationRecorder(out.ports, before).open("worker")
    found = recorded(out)
    assert (found.worker, found.attempts, found.started_at, found.error) == ("worker", 3, later(-60), None)


async def test_what_is_going_to_be_done_is_on_record_and_what_was_done_stays() -> None:
    """A plan made again after a crash lists what is left and keeps what an earlier attempt did."""
    out = Outside()
    done = StepRecord("one", "routes", "/one", "moved one", StepStatus.DONE, attempts=1)
    failed = StepRecord("other", "routes", "/other", "moves other", StepStatus.FAILED, attempts=4, error="?")
    await OperationRecorder(out.ports, replace(FRESH, steps=(done, failed))).plan([ONE, OTHER])
    planned = StepRecord("other", "routes", "/other", "moves other", StepStatus.PLANNED, attempts=4)
    assert recorded(out).steps == (done, planned)


async def test_a_write_is_on_record_before_it_is_sent() -> None:
    """Once `started` has returned, whoever comes after a crash knows of the write."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)

    await recorder.plan([ONE])
    await out.clock.sleep(5)
    await recorder.started("one")
    (step,) = recorded(out).steps
    assert (step.status, step.started_at, step.attempts) == (StepStatus.RUNNING, later(5), 1)


async def test_a_write_that_cannot_be_recorded_is_not_let_through() -> None:
    """Without an answer of storage, `started` raises instead of returning."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)
    await recorder.plan([ONE])
    out.store.takes_records = False
    with pytest.raises(StoreUnavailable):
        await recorder.started("one")


@pytest.mark.parametrize(
    ("status", "error", "event"),
    [(StepStatus.DONE, None, "step_done"), (StepStatus.FAILED, "409", "step_failed")],
)
async def test_how_a_step_ended_is_recorded_and_told(
    status: StepStatus, error: str | None, event: str
) -> None:
    """The record has the time and the error; operators hear of the resource."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)

    await recorder.plan([ONE])
    await recorder.started("one")
    await out.clock.sleep(3)
    await recorder.ended("one", status, error)
    (step,) = recorded(out).steps
    assert (step.status, step.error, step.ended_at) == (status, error, later(3))
    told = out.told.notices[-1]
    assert told.event == event
    assert (told.fields["resource_id"], told.fields["operation"]) == ("/one", "g-1-0")


@pytest.mark.parametrize(
    ("failure", "met"),
    [
        (
            NetworkError(NetworkFault.DENIED, "/one", "403", code="AuthorizationFailed"),
            ("denied", "AuthorizationFailed"),
        ),
        (NetworkError(NetworkFault.UNAVAILABLE, "/one", "no answer"), ("unavailable", None)),
        (ValueError("unreadable"), (None, None)),
    ],
)
async def test_what_azure_answered_is_told_in_fields(
    failure: Exception, met: tuple[str | None, str | None]
) -> None:
    """What it means and Azure's own code, as far as there are any: sentences cannot be counted."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)
    await recorder.plan([ONE])
    await recorder.ended("one", StepStatus.FAILED, "why", failure)
    fields = out.told.notices[-1].fields
    assert (fields.get("fault"), fields.get("code")) == met
    assert ("code" in fields) is (met[1] is not None)


async def test_a_step_tried_again_keeps_its_first_start_and_counts() -> None:
    """Its time on record is how long it took in all."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)

    await recorder.plan([ONE])
    await recorder.started("one")
    await out.clock.sleep(9)
    await recorder.started("one")
    (step,) = recorded(out).steps
    assert (step.started_at, step.attempts) == (later(0), 2)


async def test_steps_that_report_at_the_same_time_share_a_write() -> None:
    """Fifty reports while one write is under way cost one more write, and all are on record after it."""
    out = Outside()
    out.store.recording_s = 0.1
    steps = [Step(f"s{number}", "routes", f"/s{number}", "moves") for number in range(50)]
    recorder = OperationRecorder(out.ports, FRESH)

    await recorder.plan(steps)
    out.store.records = 0
    await asyncio.gather(*(recorder.started(each.key) for each in steps))
    assert out.store.records == 2
    assert {each.status for each in recorded(out).steps} == {StepStatus.RUNNING}


async def test_what_ended_an_attempt_and_what_is_left_undone_are_on_record() -> None:
    """Both can be read in history, with the operation still open."""
    out = Outside()
    recorder = OperationRecorder(out.ports, FRESH)
    await recorder.trouble("503: no answer")
    await recorder.left(("a route table stays",))
    assert (recorded(out).error, recorded(out).unfinished) == ("503: no answer", ("a route table stays",))
    assert not recorded(out).status.ended


@pytest.mark.parametrize(
    ("status", "kind", "untouched", "detached"),
    [
        (StepStatus.PLANNED, "detach", True, False),
        (StepStatus.SKIPPED, "detach", True, False),
        (StepStatus.RUNNING, "detach", False, True),
        (StepStatus.FAILED, "detach", False, False),
        (StepStatus.DONE, "detach", False, True),
        (StepStatus.FAILED, "attach", True, False),
    ],
)
def test_the_record_tells_what_attempts_before_have_touched(
    status: StepStatus, kind: str, untouched: bool, detached: bool
) -> None:
    """An attach may have been tried without moving anything; what was sent may have arrived."""
    step = StepRecord(f"{kind}:/nic", kind, "/NIC", "moves p", status)
    recorder = OperationRecorder(Outside().ports, replace(FRESH, steps=(step,)))
    assert (recorder.untouched, recorder.has_begun("detach", "/NIC")) == (untouched, detached)
