"""The metrics that dashboards and rules may rely on: stable names, each with its labels and its meaning.

They are named as Prometheus does; OpenTelemetry's names follow from them (nvaha.metrics).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Args:
        kind: Prometheus' kind; of a gauge every instance tells the same, as far as it is of the stored state.
        labels: their names; what they may be is bounded by the configuration, or by a few words.
        means: one sentence.
    """

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    means: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What a gauge shows of one thing."""

    name: str
    value: float
    labels: Mapping[str, str]


_GROUP, _NVA = ("group",), ("group", "nva")
COUNTED: Final[dict[str, Metric]] = {
    "nvaha_probe_duration_seconds": Metric("histogram", ("result",), "How long a probe took: ok or failed."),
    "nvaha_probe_failures_total": Metric("counter", _NVA, "Probes of an NVA that failed."),
    "nvaha_round_duration_seconds": Metric("histogram", (), "How long a round of one group took."),
    "nvaha_round_lateness_seconds": Metric("histogram", (), "How long after it was due a round began."),
    "nvaha_rounds_dropped_total": Metric("counter", (), "Rounds that were not believed."),
    "nvaha_arm_requests_total": Metric(
        "counter", ("method", "status"), "Requests to Azure Resource Manager by status; none: no answer."
    ),
    "nvaha_arm_request_duration_seconds": Metric("histogram", ("method",), "How long ARM took to answer."),
    "nvaha_arm_throttled_total": Metric(
        "counter", ("by",), "Reads that were refused by ARM (azure), or not asked for to leave room (nvaha)."
    ),
    "nvaha_switch_phase_seconds": Metric(
        "histogram",
        ("phase", "trigger"),
        "How long a switch that was done took to be taken up (claim), until its first write (prepare), from "
        "there to its end (write), and all in all (total).",
    ),
    "nvaha_switches_total": Metric("counter", ("trigger", "result"), "Switches that ended: done or failed."),
    "nvaha_notices_total": Metric("counter", ("event",), "Events told, by name."),
}
"""What each process counts and measures of its own work."""

SHOWN: Final[dict[str, Metric]] = {
    "nvaha_storage_up": Metric("gauge", (), "Whether storage answered; 0: nothing below is told."),
    "nvaha_leader_info": Metric("gauge", ("instance", "shard"), "1 for the instance that leads."),
    "nvaha_leader_epoch": Metric("gauge", ("shard",), "Epoch of the leader."),
    "nvaha_leader_round_age_seconds": Metric("gauge", ("shard",), "How long ago the last round ended."),
    "nvaha_leader_blind": Metric("gauge", ("shard",), "Whether the leader can see nothing."),
    "nvaha_group_readable": Metric("gauge", _GROUP, "Whether the group's stored state can be read."),
    "nvaha_group_watched": Metric("gauge", _GROUP, "Whether the group was probed lately."),
    "nvaha_group_switching": Metric("gauge", _GROUP, "Whether the group is being switched."),
    "nvaha_group_paused": Metric("gauge", _GROUP, "Whether the group is paused."),
    "nvaha_group_generation": Metric("gauge", _GROUP, "Generation of the last switch."),
    "nvaha_group_drift": Metric("gauge", _GROUP, "Routes and public IPs that disagree with the record."),
    "nvaha_nva_active": Metric("gauge", _NVA, "Whether the NVA carries the traffic, as recorded."),
    "nvaha_nva_up": Metric("gauge", _NVA, "Whether the NVA is up; 0 also while that is not known."),
    "nvaha_nva_failures": Metric("gauge", _NVA, "Probes in a row that failed."),
    "nvaha_nva_unsteady": Metric("gauge", _NVA, "Whether the NVA fails many of its probes."),
    "nvaha_nva_ready": Metric("gauge", _NVA, "Whether a switch to the NVA could move everything."),
    "nvaha_nva_latency_seconds": Metric("gauge", _NVA, "How long the last probe that was answered took."),
}
"""What is shown of the stored state: the same, whichever instance is asked."""

METRICS: Final = COUNTED | SHOWN
SHARD: Final = "0"
"""All groups have one leader; the label is there for the day on which they have several."""
