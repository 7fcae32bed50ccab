"""Spans: what those within one say of it, and what those apart do not."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.tracing import begin, span
from tests.tracing import Traces, traces

__all__ = ["traces"]

ELSEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("place", "said"), [({}, "edge"), ({"parent": ELSEWHERE}, None), ({"apart": True}, None)]
)
def test_only_what_is_within_a_span_says_whose_group_it_is(
    traces: Traces, place: dict[str, Any], said: str | None
) -> None:
    """What goes on with another trace, or begins its own, may be of another group."""
    with span("nvaha.outer", group="edge"):
        begin("nvaha.inner", **place).end()
    (inner,) = traces.named("nvaha.inner")
    assert dict(inner.attributes or {}).get("nvaha.group") == said
