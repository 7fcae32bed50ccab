"""The queue message of a switch request."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.model import SwitchRequest, Trigger
from nvaha.model.messages import MAX_BYTES, BadMessage, SwitchMessage, parse_message, write_message

GOOD: dict[str, Any] = {"v": 1, "group": "edge", "generation": 3, "operation": "edge-3-1", "epoch": 7}


def test_a_message_says_what_release_0_1_0_reads() -> None:
    """A worker of the older release takes it, whoever sent it during an update."""
    request = SwitchRequest(
        "edge-3-1", "edge", 3, 7, Trigger.MANUAL, "b", "why", datetime(2026, 3, 1, tzinfo=UTC), "me"
    )
    assert json.loads(write_message(request)) == GOOD


@given(st.text(min_size=1, max_size=50), st.integers(0, 2**53), st.integers(0, 2**53))
def test_what_is_written_is_read(group: str, generation: int, epoch: int) -> None:
    """A request comes back from its message as group, generation, operation and epoch."""
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
    message = parse_message(write_message(request).encode())
    assert message == SwitchMessage(group, generation, f"{group}-{generation}-1", epoch)


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
        GOOD | {"epoch": 1.5},
        GOOD | {"epoch": 2**63},
        GOOD | {"operation": None},
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
    "body", [b"", b"\xff\xfe", b"{", b"[" * 10_000, b" " * (MAX_BYTES + 1), b'{"v":1e999}']
)
def test_what_is_not_a_small_json_text_is_refused(body: bytes) -> None:
    """Bytes that are no JSON, nested without end, or too many are a BadMessage."""
    with pytest.raises(BadMessage):
        parse_message(body)


def test_a_later_minor_addition_is_ignored() -> None:
    """An unknown extra field of the same version does no harm."""
    body = json.dumps(GOOD | {"note": "x"}).encode()
    assert parse_message(body) == SwitchMessage("edge", 3, "edge-3-1", 7)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(body: bytes) -> None:
    """No input makes anything but a message or a BadMessage."""
    with contextlib.suppress(BadMessage):
        parse_message(body)
