"""Rules of what is traced, counted and logged: once, by whom it belongs to, and without secrets."""

from __future__ import annotations

from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

TELEMETRY = (
    Mutant(
        "trace-lost-on-the-queue",
        "whoever carries a switch out goes on with the trace of its decision",
        "nvaha.switch.worker:Switcher._run",
        replace("stored or message.traceparent", by="None"),
        simulated=False,
        tests=("tests/simulation/test_traces.py",),
    ),
    Mutant(
        "said-of-another-trace",
        "a span of another trace says nothing of what it was begun within",
        "nvaha.tracing:begin",
        replace("_kept() if within is None else {}", by="_kept()"),
        simulated=False,
        tests=("tests/unit/test_tracing.py",),
    ),
    Mutant(
        "former-leader-shows-on",
        "who leads no more shows nothing of the groups",
        "nvaha.metrics:Metrics._observed",
        replace("now - shown_at <= STALE_AFTER_S", by="True"),
        simulated=False,
    ),
    Mutant(
        "exception-as-it-is",
        "no handler finds more in a record than its safe text",
        "nvaha.notify:SafeRecord.__init__",
        drop("self.exc_info = None"),
        simulated=False,
        tests=("tests/contract/test_worker_logs.py",),
    ),
    Mutant(
        "change-waits-its-turn",
        "what changes is in a heartbeat as soon as it is written down",
        "nvaha.watch.leader_record:LeaderRecorder._tell_life",
        replace("news == self._life", by="True"),
        simulated=False,
    ),
    Mutant(
        "a-line-for-each-writing",
        "at rest a leader logs no line for each writing of its record",
        "nvaha.watch.leader_record:LeaderRecorder._tell_life",
        replace("SIGN_EVERY_S - WRITTEN_EVERY_S / 2", by="0.0"),
        simulated=False,
    ),
)
