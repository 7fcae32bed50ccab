"""Rules of the canary: it moves no traffic, nobody waits for it, and it proves what it says."""

from __future__ import annotations

from tests.mutants.change import replace
from tests.mutants.mutant import Mutant

CANARY_TESTS = ("tests/unit/watch/test_canary.py",)
CANARY = (
    Mutant(
        "canary-in-use-written",
        "a canary's table that a subnet uses is not written",
        "nvaha.core.canary:_harm",
        replace("subnets(table)", by="0"),
        simulated=False,
    ),
    Mutant(
        "canary-beside-other-routes",
        "a canary's table that has other routes is not written",
        "nvaha.core.canary:_harm",
        replace("routes(table)", by="()"),
        replace("len(hops) == 1", by="hops"),
        simulated=False,
    ),
    Mutant(
        "canary-not-looked-at-again",
        "a canary's table is judged in the very copy that is written",
        "nvaha.core.plan:plan_again",
        replace("harms(group, snapshot)", by="None"),
        simulated=False,
        tests=CANARY_TESTS,
    ),
    Mutant(
        "canary-beside-the-unknown",
        "no run begins while a group's state is not known: it may be under way",
        "nvaha.watch.watched:WatchedGroups.busy",
        replace("len(self) < len(self._configuration.groups)", by="False"),
        tests=("tests/unit/watch/test_canary.py",),
        simulated=False,
    ),
    Mutant(
        "canary-during-a-switch",
        "no run begins while a group is being switched",
        "nvaha.core.canary_runs:watched",
        replace("_BUSY if happened.busy else None", by="None"),
        simulated=False,
    ),
    Mutant(
        "canary-though-paused",
        "a paused canary is not switched by itself",
        "nvaha.core.canary_runs:watched",
        replace("state.paused", by="False"),
        simulated=False,
    ),
    Mutant(
        "canary-at-once-again",
        "a run that failed is not tried again at once",
        "nvaha.core.canary_runs:due_at",
        replace("min(RETRY_S, spec.every_s)", by="0.0"),
        simulated=False,
    ),
    Mutant(
        "canary-empty-is-done",
        "a run that wrote nothing is no proof",
        "nvaha.core.canary_runs:concluded",
        replace("happened.wrote_at is None", by="False"),
        simulated=False,
    ),
    Mutant(
        "canary-told-as-group",
        "a canary's failure is told as the canary's",
        "nvaha.core.canary_runs:_told",
        replace("_TOLD_AS.get(said.event, (said.event, said.level))", by="(said.event, said.level)"),
        simulated=False,
    ),
    Mutant(
        "canary-forgotten",
        "a canary without a good run for too long is told",
        "nvaha.core.canary_runs:is_overdue",
        replace("_late_s(state, now) >= OVERDUE * (group.canary or CanarySpec()).every_s", by="False"),
        simulated=False,
    ),
    Mutant(
        "canary-counted",
        "the canary is none of the groups that are probed, looked at and counted",
        "nvaha.watch.watched:WatchedGroups.__iter__",
        replace("each.group.canary is None", by="True"),
        simulated=False,
        tests=CANARY_TESTS,
    ),
    Mutant(
        "canary-needs-health",
        "a person may have the canary switched, though nobody probes it",
        "nvaha.core.commands:refuses",
        replace("group.canary is not None", by="False"),
        simulated=False,
        tests=CANARY_TESTS,
    ),
    Mutant(
        "canary-of-a-group",
        "a group's table is no canary's",
        "nvaha.config.checks:_check_canary",
        replace("same_id(table, canary_table)", by="False"),
        simulated=False,
        tests=("tests/unit/test_config.py",),
    ),
)
