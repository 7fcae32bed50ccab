"""Metrics, each counted once and told two ways: to Prometheus when it asks, and by OpenTelemetry's API.

Where nobody has set OpenTelemetry's SDK up, the second is nothing. Its names are those of which its exporters
would make Prometheus': `nvaha_round_duration_seconds` is `nvaha.round.duration` in seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from nvaha import __version__
from nvaha.model import STALE_AFTER_S
from nvaha.model.metrics import COUNTED, SHOWN, Sample

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds: from a probe within a region to a switch at its deadline."""


# When each series began: as many series again, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


def otel_name(name: str) -> str:
    """Return what a metric is called in OpenTelemetry."""
    return name.removesuffix("_total").removesuffix("_seconds").replace("_", ".")


class Metrics:
    """The `Meter` of ports.py.

    Args:
        instance: this monitor's name.
        monotonic: seconds on a clock that is never set.
    """

    def __init__(self, instance: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._registry = CollectorRegistry(auto_describe=True)
        self._build = InfoMetricFamily("nvaha_build", "The release, and the instance that was asked.")
        self._build.add_metric((), {"version": __version__, "instance": instance})
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._shown: dict[str, dict[tuple[str, ...], tuple[float, Sample]]] = {name: {} for name in SHOWN}
        meter = metrics.get_meter("nvaha")
        self._otel_counters, self._otel_histograms = {}, {}
        for name, metric in COUNTED.items():
            said = (name, metric.means, metric.labels)
            if metric.kind == "counter":
                self._counters[name] = Counter(*said, registry=self._registry)
                self._otel_counters[name] = meter.create_counter(otel_name(name), "1", metric.means)
            else:
                self._histograms[name] = Histogram(*said, buckets=BUCKETS, registry=self._registry)
                self._otel_histograms[name] = meter.create_histogram(
                    otel_name(name), "s", metric.means, explicit_bucket_boundaries_advisory=BUCKETS
                )
        for name, metric in SHOWN.items():
            unit = "s" if name.endswith("_seconds") else "1"
            observed = [partial(self._observed, name)]
            meter.create_observable_gauge(otel_name(name), observed, unit, metric.means)

    def count(self, name: str, **labels: str) -> None:
        """Count one more of something."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc()
        self._otel_counters[name].add(1, labels)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Take in how long something took."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(seconds)
        self._otel_histograms[name].record(seconds, labels)

    def show(self, samples: Iterable[Sample]) -> None:
        """Show how something stands, until it is shown anew, or has not been for half a minute."""
        now = self._monotonic()
        for each in samples:
            self._shown[each.name][tuple(each.labels.values())] = now, each

    def _observed(self, name: str, _: CallbackOptions) -> Iterator[Observation]:
        """Return what was shown lately: an instance that leads no more knows nothing."""
        now = self._monotonic()
        for shown_at, each in tuple(self._shown[name].values()):
            if now - shown_at <= STALE_AFTER_S:
                yield Observation(each.value, dict(each.labels))

    def exposition(self, accept: str, stored: Iterable[Sample]) -> tuple[bytes, str]:
        """Return what this process has counted, with what is stored, as Prometheus reads it; and as what.

        Args:
            accept: the header in which the asker says what it reads.
            stored: how the leader and the groups stand.
        """
        encode, content_type = choose_encoder(accept)
        return encode(_All(self._registry, self._build, stored)), content_type


class _All(Collector):
    """What is counted and what is stored, once."""

    def __init__(self, counted: Collector, build: Metric, stored: Iterable[Sample]) -> None:
        self._counted, self._build, self._stored = counted, build, stored

    def collect(self) -> Iterator[Metric]:
        yield self._build
        yield from self._counted.collect()
        families = {
            name: GaugeMetricFamily(name, metric.means, labels=metric.labels)
            for name, metric in SHOWN.items()
        }
        for each in self._stored:
            labels = [each.labels[name] for name in SHOWN[each.name].labels]
            families[each.name].add_metric(labels, each.value)
        yield from families.values()
