"""OpenTelemetry's SDK for one test, with what was traced in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nvaha import tracing


class Traces:
    """The spans that were ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        """All of them, in the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def ids(self) -> set[int]:
        """The ids of their traces."""
        return {each.context.trace_id for each in self.spans if each.context}

    def named(self, name: str) -> list[ReadableSpan]:
        """Return those of a name."""
        return [each for each in self.spans if each.name == name]

    def chains(self) -> set[str]:
        """Return each span's name with those of all that it is within, the outermost first."""
        by_id = {each.context.span_id: each for each in self.spans if each.context}

        def chain(each: ReadableSpan) -> str:
            outer = by_id.get(each.parent.span_id) if each.parent else None
            above = "" if each.parent is None else "? > " if outer is None else f"{chain(outer)} > "
            return above + each.name.removeprefix("nvaha.")

        return {chain(each) for each in self.spans}


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """Set OpenTelemetry's SDK up for one test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("nvaha"))
    yield Traces(exporter)
    provider.shutdown()
