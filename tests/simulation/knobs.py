"""What a seed decides before a run starts; printed first, so that a failure shows what it took."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

RATES: dict[str, tuple[float, float]] = {
    # Kinds of event, per process or resource and minute.
    "crash": (0.05, 1.0),
    "pause": (0.05, 1.5),
    "wall_step": (0.1, 2.0),
    "leader_lease_broken": (0.05, 0.7),
    "switch_lease_broken": (0.1, 2.0),
    "monitor_isolated": (0.05, 0.8),
    "control_dies": (0.1, 1.5),
    "nva_death": (0.3, 5.0),
    "all_nvas_die": (0.05, 0.8),
    "nva_flaps": (0.1, 2.0),
    "foreign_edit": (0.5, 30.0),
    "drift_edit": (0.1, 3.0),
    "command": (0.5, 8.0),
    "storage_outage": (0.05, 0.5),
    "lease_outage": (0.1, 2.0),
    "arm_outage": (0.05, 0.5),
    "reads_fail": (0.2, 4.0),
    "reads_short": (0.1, 2.0),
    "table_locked": (0.2, 3.0),
    "nic_busy": (0.2, 3.0),
    "attach_refused": (0.2, 2.0),
    "group_raises": (0.1, 1.5),
    "queue_cleared": (0.05, 0.8),
    "message_copied": (0.5, 15.0),
    # Kinds of fault of one request, as a share of all.
    "crash_at_call": (0.0005, 0.02),
    "stall_at_call": (0.0005, 0.02),
    "crash_in_switch": (0.001, 0.03),
    "stall_in_switch": (0.003, 0.1),
    "storage_error": (0.002, 0.05),
    "storage_slow": (0.002, 0.05),
    "storage_conflict": (0.002, 0.05),
    "arm_error": (0.005, 0.3),
    "arm_slow": (0.005, 0.1),
    "arm_late": (0.01, 0.4),
    "operation_fails": (0.02, 0.4),
    "operation_hangs": (0.02, 0.3),
    "probe_lost": (0.001, 0.03),
    "message_lost": (0.01, 0.2),
    "message_twice": (0.01, 0.3),
    "message_late": (0.01, 0.3),
    "storage_blinks": (0.005, 0.1),
    "answer_repeated": (0.005, 0.1),
    "nva_stammers": (0.1, 1.0),
    "token_lost": (0.1, 2.0),
    "reconfigured": (0.2, 2.0),
    "hold_tag": (0.1, 2.0),
    "marks_removed": (0.1, 2.0),
    "rows_put_back": (0.1, 1.0),
    "timed": (0.5, 8.0),
}
"""Least and largest rate of each kind of fault when it is not zero."""
DRAWN_LAST = (
    "nva_stammers",
    "token_lost",
    "reconfigured",
    "hold_tag",
    "marks_removed",
    "rows_put_back",
    "timed",
)
"""So that everything else of a seed is what it was before there were these; the newest is the last."""
ASLEEP_SHARE, ASLEEP_S = 0.2, (200.0, 900.0)
"""In such a share of scenarios nothing of nvaha runs for so long."""

FAULTS_WAITING: frozenset[str] = frozenset()
RULES_WAITING: frozenset[str] = frozenset()
WAITING = FAULTS_WAITING | RULES_WAITING
"""Faults that do not come by themselves, and rules that are counted but not enforced, until the code bears
them. `--enforce` takes them from here for one run; whoever mends the code takes them from here for good."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """One scenario.

    `rates` says how often each kind of fault comes; many are zero. The names of the rest are those of the
    configuration or say what they choose between.
    """

    seed: int
    groups: int
    nvas: int
    roles: int
    tables: int
    public_ips: int
    monitors: int
    workers: int
    interval_s: float
    fast_interval_s: float
    timeout_s: float
    fall: int
    rise: int
    hold_down_s: float
    deadline_s: float
    drift_interval_s: float
    max_switches_per_hour: int
    failback: str
    failback_after_s: float
    drift: str
    adopt: str
    select: str
    automatic: bool
    control_target: bool
    fixed_addresses: bool
    split_at_start: bool
    shared_table: bool
    nics_ignore_if_match: bool
    busy_means_superseded: bool
    failed_operations_roll_back: bool
    back_references_lag: bool
    silent_nvas: bool
    storage_latency_s: float
    arm_latency_s: float
    operation_s: float
    fault_s: float
    dead_at_end: bool
    unsteady: str
    asleep_s: float
    canary: bool
    rates: dict[str, float]
    waiting: frozenset[str]
    rolling: bool = False
    rival: bool = False
    tags_denied: bool = False

    def __str__(self) -> str:
        """Return every knob and every rate that is not zero, on one line."""
        parts = [
            f"{field.name}={getattr(self, field.name)}"
            for field in dataclasses.fields(self)
            if field.name not in {"rates", "waiting"}
        ]
        parts += [f"{name}={rate:.3f}" for name, rate in self.rates.items() if rate]
        return " ".join(parts)


def draw(seed: int, waiting: frozenset[str] = WAITING) -> Knobs:
    """Return the scenario of a seed; whether a fault waits changes nothing else that is drawn."""
    rng = random.Random(seed)
    quiet = rng.random() < 0.05
    eager = rng.choice([0.25, 0.5, 0.75])
    rates = {}

    def rate(name: str) -> float:
        least, largest = RATES[name]
        on, exponent = rng.random() < eager, rng.random()
        off = quiet or not on or name in waiting
        return 0.0 if off else least * (largest / least) ** exponent

    for name in RATES:
        if name not in DRAWN_LAST:
            rates[name] = rate(name)
    public_ips = rng.choice([0, 1, 1, 2])
    knobs = Knobs(
        seed=seed,
        groups=rng.choice([1, 1, 2]),
        nvas=rng.choice([2, 2, 3]),
        roles=rng.choice([1, 2]),
        tables=rng.choice([0, 1, 2, 3]) if public_ips else rng.choice([1, 2, 3]),
        public_ips=public_ips,
        monitors=rng.choice([1, 2, 2, 3]),
        workers=rng.choice([1, 2, 2, 3]),
        interval_s=rng.choice([1.0, 2.0, 3.0, 5.0]),
        fast_interval_s=rng.choice([0.5, 1.0]),
        timeout_s=rng.choice([0.5, 1.0]),
        fall=rng.choice([1, 2, 3, 3, 4]),
        rise=rng.choice([1, 2, 2, 3]),
        hold_down_s=rng.choice([0.0, 10.0, 20.0, 40.0]),
        deadline_s=rng.choice([20.0, 40.0, 60.0, 600.0]),
        drift_interval_s=rng.choice([30.0, 60.0]),
        max_switches_per_hour=rng.choice([1, 2, 3, 6, 20, 20]),
        failback=rng.choice(["manual", "manual", "automatic"]),
        failback_after_s=rng.choice([10.0, 30.0]),
        drift=rng.choice(["repair", "repair", "repair", "report"]),
        adopt=rng.choice(["wait", "repair"]),
        select=rng.choice(["order", "cycle"]),
        automatic=rng.random() < 0.93,
        control_target=rng.random() < 0.4,
        fixed_addresses=rng.random() < 0.5,
        split_at_start=rng.random() < 0.2,
        shared_table=rng.random() < 0.3 and "shared_table" not in waiting,
        nics_ignore_if_match=rng.random() < 0.4,
        busy_means_superseded=rng.random() < 0.5,
        failed_operations_roll_back=rng.random() < 0.5,
        back_references_lag=rng.random() < 0.5,
        silent_nvas=rng.random() < 0.5,
        storage_latency_s=rng.choice([0.005, 0.02, 0.1]),
        arm_latency_s=rng.choice([0.03, 0.1, 0.3]),
        operation_s=rng.choice([0.0, 1.0, 4.0, 10.0]),
        fault_s=rng.choice([60.0, 100.0, 150.0]),
        dead_at_end=rng.random() < 0.1,
        unsteady=rng.choice(["report", "report", "down"]),
        asleep_s=0.0,
        canary=False,
        rates=rates,
        waiting=waiting,
    )
    rates |= {name: rate(name) for name in DRAWN_LAST if name != "timed"}
    # Who sees marks stops at once: what goes on without them is to be seen as often.
    rival = rng.random() < 0.1
    tags_denied = rng.random() < (0.5 if rival else 0.1)
    asleep_s = rng.uniform(*ASLEEP_S) if rng.random() < ASLEEP_SHARE else 0.0
    asleep_s = 0.0 if quiet or "all_asleep" in waiting else asleep_s
    # Two deployments have a canary each, never one table for both.
    canary = rng.random() < 0.4 and not rival
    rates["timed"] = rate("timed")
    return dataclasses.replace(knobs, rival=rival, tags_denied=tags_denied, asleep_s=asleep_s, canary=canary)
