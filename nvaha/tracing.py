"""Spans by OpenTelemetry's API alone: where nobody has set its SDK up, they are nothing and cost nothing.

What is traced is a switch, from the first failed probe to the last write; what goes on at rest is not. An
attribute is called `nvaha.` and the name that the log has for it (nvaha.model.events); none holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nvaha.text import safe, shortened

_TRACER = trace.get_tracer("nvaha")
_W3C = TraceContextTextMapPropagator()
_LONGEST = 500
_KEPT = "nvaha.kept"
_KEEPS = frozenset({"group", "operation", "generation"})
"""What a span says of these, those within it say, too."""

Attribute = str | int | float | bool | None


def begin(
    name: str,
    *,
    parent: str | None = None,
    apart: bool = False,
    since: datetime | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: Attribute,
) -> Span:
    """Begin a span, which whoever has it ends; one that is not ended is not sent.

    Args:
        name: one of docs/telemetry.md.
        parent: the W3C trace context that it goes on with; what is none begins a trace of its own.
        apart: whether it begins a trace of its own in any case but that of a `parent`; it is linked to what
            it is apart from.
        since: when it began, if not just now.
        kind: OpenTelemetry's.
        attributes: as the log calls them; those that are None are left out.
    """
    around = trace.get_current_span().get_span_context()
    within = None
    if parent is not None or apart:
        within = _W3C.extract({"traceparent": parent or ""}, context=Context())
    kept = _kept() if within is None else {}
    return _TRACER.start_span(
        name,
        context=within,
        kind=kind,
        attributes=named({**kept, **attributes}),
        links=[Link(around)] if within is not None and around.is_valid else None,
        start_time=None if since is None else int(since.timestamp() * 1e9),
    )


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    apart: bool = False,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: Attribute,
) -> Iterator[Span]:
    """Do something in a span, within which others begin; an error is told in its status, without secrets.

    Args:
        name: as for `begin`, like all others.
        parent: see there.
        apart: see there.
        kind: see there.
        attributes: see there.
    """
    made = begin(name, parent=parent, apart=apart, kind=kind, since=None, **attributes)
    with within(made, **attributes):
        try:
            yield made
        except GeneratorExit:
            # Whoever was in it is gone, as with a process that ends: nobody has ended it.
            raise
        except BaseException as error:
            fail(made, f"{type(error).__name__}: {error}")
            made.end()
            raise
        made.end()


@contextmanager
def within(made: Span | None, **attributes: Attribute) -> Iterator[None]:
    """Let what is begun meanwhile be within a span; with None it begins a trace of its own."""
    if made is not None and not made.get_span_context().is_valid:
        yield
        return
    inside = Context()
    if made is not None:
        kept = {name: value for name, value in attributes.items() if name in _KEEPS}
        inside = context.set_value(_KEPT, _kept() | kept, trace.set_span_in_context(made))
    token = context.attach(inside)
    try:
        yield
    finally:
        # What nobody ends is closed by whoever collects it, and his context is not this one.
        if context.get_current() is inside:
            context.detach(token)


def _kept() -> dict[str, Attribute]:
    kept = context.get_value(_KEPT)
    return dict(kept) if isinstance(kept, dict) else {}


def named(attributes: Mapping[str, Attribute]) -> dict[str, str | int | float | bool]:
    """Return attributes under the names that they are sent under."""
    return {
        f"nvaha.{name}": shortened(safe(value), _LONGEST) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
    }


def fail(made: Span, why: str) -> None:
    """Let a span tell that what was done in it failed, and why."""
    made.set_status(StatusCode.ERROR, shortened(safe(why), _LONGEST))


def carried(made: Span) -> str | None:
    """Return the W3C trace context by which somebody else goes on with a span; None if nobody traces it."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(made))
    return carrier.get("traceparent")
