"""Rules of what people are told of how a group stands."""

from __future__ import annotations

from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

SHOWING = (
    Mutant(
        "new-leader-called-dead",
        "what a new leader tells is as old as its election",
        "nvaha.watch.leader_record:LeaderRecorder.elected",
        drop("self._round_at, self._blind = self._clock.now(), False"),
        simulated=False,
    ),
    Mutant(
        "forced-no-move-holds-down",
        "what moved nothing begins no hold-down",
        "nvaha.core.lifecycle:_done",
        replace("moved=moved", by="moved=True"),
        simulated=False,
    ),
    Mutant(
        "pause-blocks-on",
        "what waited for a pause does not say so once it is over",
        "nvaha.core.commands:resumed",
        replace("None if waited else state.blocked", by="state.blocked"),
        simulated=False,
    ),
    Mutant(
        "calm-after-failure",
        "a switch that failed is told until that is settled",
        "nvaha.core.conditions:_Seen._failed_at",
        replace("state.switch.ended is not Status.FAILED", by="True"),
        simulated=False,
    ),
    Mutant(
        "blocked-untold",
        "whatever is due and not done is told",
        "nvaha.core.conditions:of_group",
        replace("seen.blocked is None", by="True"),
        simulated=False,
    ),
    Mutant(
        "blindness-untold",
        "that every NVA is down is told apart where a blind monitor says so",
        "nvaha.core.conditions:_Seen.blind",
        replace("self.leader.blind", by="False"),
        simulated=False,
    ),
    Mutant(
        "drift-always-new",
        "drift is told since it was first found",
        "nvaha.core.discovery:_decide",
        replace("state.drift.drift_since or now", by="now"),
        simulated=False,
    ),
)
