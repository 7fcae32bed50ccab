"""Whoever begins a switch stamps it with the trace of his decision, and ends that when it is written."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.ports import StoreUnavailable, correlation_id
from nvaha.state.commit import Committer
from nvaha.tracing import span, within
from tests.builders import group_of, later, steady, up
from tests.fakes import Outside
from tests.tracing import Traces, traces

__all__ = ["traces"]

GROUP = group_of()
COMMAND = FailoverCommanded(to="b", by="me", reason="drill")


def outside() -> Outside:
    """Return an outside with the group at rest."""
    return Outside(steady(nvas={"a": up(), "b": up()}, probed_at=later(0)))


async def test_the_trace_of_a_decision_is_stored_and_sent(traces: Traces) -> None:
    """In the state, in the message, and as one span that says what was decided."""
    out = outside()
    await Committer(out.ports).commit(GROUP, COMMAND)
    (decide,) = traces.spans
    (sent,) = out.queue.sent
    assert decide.context
    assert sent == out.state().request
    assert sent.traceparent is not None
    assert f"{decide.context.trace_id:032x}-{decide.context.span_id:016x}" in sent.traceparent
    said = dict(decide.attributes or {})
    assert (said["nvaha.source"], said["nvaha.target"], said["nvaha.trigger"]) == ("a", "b", "manual")
    assert said["nvaha.correlation_id"] == correlation_id(sent.operation)


async def test_a_decision_that_is_tried_again_is_one_span(traces: Traces) -> None:
    """Somebody wrote first, and then an answer is lost: what stands in the state in the end is traced."""
    out = outside()
    raced: list[bool] = []

    def race() -> None:
        if not raced:
            raced.append(True)
            out.store.put(out.state())
            out.store.lose_answers = 1

    out.store.before_save = race
    await Committer(out.ports).commit(GROUP, COMMAND)
    (decide,) = traces.spans
    request = out.state().request
    assert request is not None
    assert (decide.attributes or {})["nvaha.operation"] == request.operation


async def test_what_was_never_written_is_no_trace(traces: Traces) -> None:
    """Nor is what begins no switch, nor the asking for one again."""
    out = outside()
    committer = Committer(out.ports)
    await committer.commit(GROUP, PauseCommanded(paused=True, by="me"))
    out.store.answers = False
    with pytest.raises(StoreUnavailable):
        await committer.commit(GROUP, COMMAND)
    assert traces.spans == []


async def test_who_traces_nothing_stamps_nothing() -> None:
    """Without OpenTelemetry's SDK the row and the message are as before."""
    out = outside()
    await Committer(out.ports).commit(GROUP, COMMAND)
    assert [each.traceparent for each in out.queue.sent] == [None]


def test_who_is_gone_has_ended_nothing(traces: Traces) -> None:
    """A span whose process ends in its midst is not sent; one that raises says why, without a secret."""

    def work(error: Exception | None = None) -> None:
        with span("nvaha.work"):
            if error:
                raise error

    coroutine = (each for each in [span("nvaha.gone")])
    made = next(coroutine)
    made.__enter__()
    made.gen.close()
    with pytest.raises(ValueError):
        work(ValueError("AccountKey=c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="))
    work()
    assert [each.name for each in traces.spans] == ["nvaha.work"] * 2
    assert traces.spans[0].status.description == "ValueError: AccountKey=…"
    with within(None), span("nvaha.work"):
        pass
    assert len(traces.ids) == 3
