"""Rules of what grows old or goes back in time: the past does not rule."""

from __future__ import annotations

from tests.mutants.catalogue.asked import AGES, PAST, WORKERS
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

PASSING = (
    Mutant(
        "age-ignored",
        "a group that nobody has watched for minutes is looked at anew",
        "nvaha.core.age:watched_anew",
        replace("unwatched(state, now)", by="False"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "far-ahead-is-now",
        "a time that is far ahead says as little about now as one that is long ago",
        "nvaha.core.age:_near",
        replace("abs((now - time).total_seconds())", by="(now - time).total_seconds()"),
        tests=AGES,
    ),
    Mutant(
        "counts-keep",
        "failures of minutes ago and a new one are not as many in a row",
        "nvaha.core.decide:_probed",
        drop("before = age.recounted(group, before, now)"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "health-keeps",
        "after a long gap an NVA's health is not known",
        "nvaha.core.age:recounted",
        replace("_near(state.probed_at, now, UNWATCHED_S)", by="True"),
        tests=AGES,
    ),
    Mutant(
        "slow-rounds-never-count",
        "counts of a group that is probed seldom keep longer",
        "nvaha.core.health:stale_after_s",
        replace("max(STALE_AFTER_S, ROUNDS_MISSED * slowest_s)", by="STALE_AFTER_S"),
        tests=AGES,
    ),
    Mutant(
        "wanted-keeps",
        "what was wanted before nobody watched is not finished",
        "nvaha.core.age:forgotten",
        replace("wanted=None", by="wanted=state.wanted"),
        tests=AGES,
    ),
    Mutant(
        "old-switch-goes-on",
        "a switch that nobody has watched or carried out ends",
        "nvaha.core.age:_is_under_way",
        replace("remembered is None", by="False"),
        replace(
            "remembered.under_way(state.request.operation, state.request.generation)",
            by="state.phase is Phase.SWITCHING",
        ),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "old-report-believed",
        "a worker's report on a switch that nobody has watched is refused",
        "nvaha.core.age:too_late",
        replace("unwatched(before, now)", by="False"),
        tests=AGES,
    ),
    Mutant(
        "old-message-carried-out",
        "a worker leaves a switch that nobody has watched before it takes its lease",
        "nvaha.switch.worker:Switcher._run",
        replace("unwatched(state, self._ports.clock.now())", by="False"),
        tests=WORKERS,
    ),
    Mutant(
        "ended-record-carried-out",
        "a switch whose record has ended is not carried out again",
        "nvaha.switch.attempt:Attempt._work",
        replace("found is not None and found.status.ended", by="False"),
        tests=PAST,
    ),
    Mutant(
        "outdated-end-wants",
        "the end of a switch that had ended before leaves nothing wanted",
        "nvaha.core.age:too_late",
        replace("isinstance(report, SwitchFailed) and report.outdated", by="False"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "step-back-ignored",
        "a row that went back in time is not believed by a leader that remembers more",
        "nvaha.core.age:watched_anew",
        replace("remembered is not None and behind(state, remembered)", by="False"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "numbers-go-back",
        "a generation does not go back with its row",
        "nvaha.core.age:_not_before",
        replace("max(state.generation, remembered.generation)", by="state.generation"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "ended-late-by-another-configuration",
        "who has another configuration than the leader ends nothing, however late it is",
        "nvaha.core.decide:_follows",
        replace("before.is_led_with(group.fingerprint)", by="True"),
        tests=AGES,
        simulated=False,
    ),
    Mutant(
        "configuration-goes-back",
        "the leader's configuration is not lost with the row",
        "nvaha.core.age:_not_before",
        replace("remembered.fingerprint", by="state.fingerprint"),
        tests=AGES,
        simulated=False,
    ),
    Mutant(
        "requests-of-the-past-forgotten",
        "a request that was accepted on a row of the past starts nothing a second time",
        "nvaha.core.age:_not_before",
        replace("_all_of(remembered.request_ids, state.request_ids)", by="remembered.request_ids"),
        tests=AGES,
        simulated=False,
    ),
    Mutant(
        "requests-lost-with-the-row",
        "a request that was accepted before a row went back starts nothing a second time",
        "nvaha.core.age:_not_before",
        replace("_all_of(remembered.request_ids, state.request_ids)", by="state.request_ids"),
        tests=AGES,
        simulated=False,
    ),
    Mutant(
        "pause-goes-back",
        "a pause is not lost with the row while its leader lives",
        "nvaha.core.age:_not_before",
        replace("state.paused or remembered.paused", by="state.paused"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "memory-not-passed-on",
        "a leader decides with what it remembers of a group",
        "nvaha.watch.watched:WatchedGroups._stamp",
        replace("self._remembered.get(group.name)", by="None"),
        tests=PAST,
    ),
    Mutant(
        "memory-without-cancelled-writes",
        "a leader remembers what it wrote, whether or not its round came to its end",
        "nvaha.state.commit:Committer._written",
        replace("self._wrote(held.state)", by="pass"),
        tests=("tests/unit/watch/test_gone_back.py",),
        simulated=False,
    ),
    Mutant(
        "epoch-goes-back",
        "an epoch is above every one that its taker has held",
        "nvaha.state.lease:HeldLease.acquire",
        replace("max(at_least, self._newest_epoch)", by="at_least"),
        tests=("tests/unit/state/test_held_lease.py",),
    ),
    Mutant(
        "look-anew-no-first-look",
        "the look after nobody has watched is a first look",
        "nvaha.core.discovery:_adopt",
        replace("anew or (state.active is None and state.generation == 0)", by="state.active is None"),
        tests=(*AGES, *PAST),
    ),
    Mutant(
        "not-begun-trusts-the-old",
        "a move that was not begun brings no old record back",
        "nvaha.core.lifecycle:_failed",
        replace(
            "state.unwatched_at is None and state.active in group.names", by="state.active in group.names"
        ),
        tests=AGES,
    ),
)
