"""What is counted is told once to each who asks, under the names that the page promises."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from opentelemetry import metrics as otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from nvaha.core.measures import of_group
from nvaha.metrics import Metrics, otel_name
from nvaha.model import STALE_AFTER_S
from nvaha.model.metrics import COUNTED, METRICS, SHOWN, Sample
from tests.builders import group_of, later, steady

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
GROUP = group_of()


def used(metrics: Metrics) -> None:
    """Count everything that can be counted once."""
    for name, metric in COUNTED.items():
        labels = dict.fromkeys(metric.labels, "x")
        if metric.kind == "counter":
            metrics.count(name, **labels)
        else:
            metrics.observe(name, 0.2, **labels)


def everything() -> Iterable[Sample]:
    """Return a sample of everything that is shown."""
    return [Sample(name, 1, dict.fromkeys(metric.labels, "x")) for name, metric in SHOWN.items()]


def test_what_is_told_is_what_the_page_promises() -> None:
    """Names, kinds and labels of every family are those of the table, and the other way round."""
    metrics = Metrics("one")
    used(metrics)
    text, _ = metrics.exposition("", everything())
    found = {}
    for family in read_plain(text.decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for each in family.samples for label in each.labels} - {"le"}
        found[name] = (family.type, frozenset(labels))
    assert found.pop("nvaha_build_info") == ("gauge", frozenset({"version", "instance"}))
    assert found == {name: (metric.kind, frozenset(metric.labels)) for name, metric in METRICS.items()}
    rows = re.findall(r"^\| `(nvaha_\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", PAGE, re.M)
    written = {
        name: (kind, ", ".join(metric.labels) or "–", metric.means)
        for name, metric in METRICS.items()
        for kind in (metric.kind,)
    }
    assert {name: (kind, labels.replace("`", ""), means) for name, kind, labels, means in rows} == written


@pytest.mark.parametrize("name", METRICS)
def test_names_are_as_prometheus_has_them(name: str) -> None:
    """Counters end in `_total`, times in `_seconds`, and nothing else does."""
    assert re.fullmatch(r"nvaha(_[a-z]+)+", name)
    assert name.endswith("_total") == (METRICS[name].kind == "counter")
    assert (METRICS[name].kind == "histogram") <= name.endswith("_seconds")


def test_who_reads_openmetrics_is_told_so() -> None:
    """As the library does: by the header, with an end that says that nothing is missing."""
    metrics = Metrics("one")
    used(metrics)
    text, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0", everything())
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.endswith(b"# EOF\n")
    families = list(read_openmetrics(text.decode()))  # type: ignore[no-untyped-call]
    assert len(families) == len(METRICS) + 1
    assert metrics.exposition("", [])[1].startswith("text/plain; version=0.0.4")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """Set OpenTelemetry's SDK up for one test."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(otel, "get_meter", provider.get_meter)
    return reader


def test_opentelemetry_is_told_the_same(reader: InMemoryMetricReader) -> None:
    """Each metric once, under the name that its exporters make Prometheus' of, with the same labels."""
    metrics = Metrics("one")
    used(metrics)
    metrics.show(everything())
    data = reader.get_metrics_data()
    assert data is not None
    [scope] = [each for one in data.resource_metrics for each in one.scope_metrics]
    found = {
        each.name: [dict(point.attributes or {}) for point in each.data.data_points] for each in scope.metrics
    }
    assert found == {otel_name(name): [dict.fromkeys(metric.labels, "x")] for name, metric in METRICS.items()}
    units = {each.unit for each in scope.metrics if f"{each.name}_seconds".replace(".", "_") in METRICS}
    assert units == {"s"}


def test_who_leads_no_more_shows_nothing(reader: InMemoryMetricReader) -> None:
    """How the groups stand is the leader's to say; what it said is no truth half a minute later."""
    now_s = 0.0
    metrics = Metrics("one", lambda: now_s)
    metrics.show(of_group(GROUP, steady(), later(0)))
    assert reader.get_metrics_data() is not None
    now_s = STALE_AFTER_S + 1.0
    assert reader.get_metrics_data() is None
