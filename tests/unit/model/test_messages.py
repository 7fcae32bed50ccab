"""The queue message of a switch request."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.model import LARGEST, SwitchRequest, Trigger
from nvaha.model.messages import MAX_BYTES, BadMessage, SwitchMessage, parse_message, write_message
from tests.builders import request_to

GOOD: dict[str, Any] = {"v": 1, "group": "edge", "generation": 3, "operation": "edge-3-1", "epoch": 7}


def test_a_message_says_what_release_0_1_0_reads() -> None:
    """A worker of the older release takes it, whoever sent it during an update."""
    request = SwitchRequest(
        "edge-3-1", "edge", 3, 7, Trigger.MANUAL, "b", "why", datetime(2026, 3, 1, tzinfo=UTC), "me"
    )
    assert json.loads(write_message(request)) == GOOD


@given(st.text(min_size=1, max_size=50), st.integers(0, LARGEST), st.integers(0, 2**53))
def test_what_is_written_is_read(group: str, generation: int, epoch: int) -> None:
    """A request comes back from its message as group, generation and operation."""
    request = SwitchRequest(
        operation=f"{group}-{generation}-1",
        group=group,
        generation=generation,
        epoch=epoch,
        trigger=Trigger.FAILOVER,
        target="nva2",
        reason="nva1 is down",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        requested_by="monitor",
    )
    written = write_message(request)
    operation = f"{group}-{generation}-1"
    assert parse_message(written.encode()) == SwitchMessage(
        v=1, group=group, generation=generation, operation=operation
    )
    # 0.1.0 reads the epoch and gives up without it.
    assert json.loads(written)["epoch"] == epoch


@pytest.mark.parametrize(
    "content",
    [
        GOOD | {"v": 2},
        GOOD | {"v": True},
        GOOD | {"v": 1.0},
        GOOD | {"group": ""},
        GOOD | {"group": 5},
        GOOD | {"group": "x" * 300},
        GOOD | {"generation": "3"},
        GOOD | {"generation": True},
        GOOD | {"generation": -1},
        GOOD | {"generation": 3.0},
        GOOD | {"generation": 2**63},
        GOOD | {"operation": None},
        GOOD | {"operation": "edge-3"},
        GOOD | {"operation": "edge-3-"},
        GOOD | {"operation": "edge-3-x"},
        GOOD | {"operation": "edge-3-\u0663"},
        GOOD | {"operation": "edge-4-1"},
        GOOD | {"operation": "other-3-1"},
        GOOD | {"operation": "edge-03-1"},
        {},
        [],
        "text",
        None,
    ],
)
def test_another_shape_is_refused(content: object) -> None:
    """A message of another version or shape is a BadMessage."""
    with pytest.raises(BadMessage):
        parse_message(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (GOOD | {"v": 2, "generation": "three"}, ["version 2", "version 1"]),
        (GOOD | {"generation": "x" * 500}, ["generation", "'xxx", "integer"]),
        ({key: GOOD[key] for key in GOOD if key != "operation"}, ["operation", "missing"]),
        (GOOD | {"group": "x" * 300}, ["group", "'xxx", "256"]),
        ([1, 2], ["[1, 2]", "object"]),
        (GOOD | {"operation": "x" * 200}, ["operation", "'xxx", "edge-3-<milliseconds>"]),
    ],
)
def test_a_refusal_names_key_value_and_what_is_expected(content: object, named: list[str]) -> None:
    """Whoever reads the refusal sees where it is wrong, what stands there, shortened, and what should."""
    with pytest.raises(BadMessage) as refused:
        parse_message(json.dumps(content).encode())
    assert [each for each in named if each not in str(refused.value)] == []
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"{", b"[" * 10_000, b" " * (MAX_BYTES + 1), b'{"v":1e999}']
)
def test_what_is_not_a_small_json_text_is_refused(body: bytes) -> None:
    """Bytes that are no JSON, nested without end, or too many are a BadMessage."""
    with pytest.raises(BadMessage):
        parse_message(body)


def test_a_later_minor_addition_is_ignored() -> None:
    """An unknown extra field of the same version does no harm, nor does one that is no longer read."""
    for body in (GOOD | {"note": "x"}, GOOD | {"epoch": "seven"}):
        message = parse_message(json.dumps(body).encode())
        assert message == SwitchMessage(v=1, group="edge", generation=3, operation="edge-3-1")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(body: bytes) -> None:
    """No input makes anything but a message or a BadMessage."""
    with contextlib.suppress(BadMessage):
        parse_message(body)


CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("found", "read"),
    [(CONTEXT, CONTEXT), (None, None), (7, None), (["a"], None), ({"a": 1}, None), ("x" * 1000, None)],
)
def test_what_is_no_trace_context_refuses_no_switch(found: object, read: str | None) -> None:
    """A switch counts for more than its trace."""
    assert parse_message(json.dumps({**GOOD, "traceparent": found}).encode()).traceparent == read


def test_a_switch_that_is_traced_says_so_in_its_message() -> None:
    """Whoever takes it up goes on with that trace; a release that knows of none ignores it."""
    request = replace(request_to("b"), traceparent=CONTEXT)
    written = write_message(request)
    assert parse_message(written.encode()).traceparent == CONTEXT
    assert json.loads(written).items() - json.loads(write_message(request_to("b"))).items() == {
        ("traceparent", CONTEXT)
    }
