"""Rules of what follows from readings, looks and commands."""

from __future__ import annotations

from tests.mutants.catalogue.asked import DECISIONS, DISCOVERIES, LONG_LOOKS, LOOKS, TARGETS
from tests.mutants.change import constant, drop, replace
from tests.mutants.mutant import Mutant

DECIDING = (
    Mutant(
        "epoch-ignored",
        "a deposed leader stops",
        "nvaha.core.decide:decide",
        replace("before.epoch > happened.epoch", by="False"),
    ),
    Mutant(
        "epoch-not-stamped",
        "a new leader stamps its epoch before its first round",
        "nvaha.core.decide:_follows",
        replace("epoch=happened.epoch", by="epoch=before.epoch"),
    ),
    Mutant(
        "decided-on-old-health",
        "only a reading of its own lets a leader switch",
        "nvaha.core.decide:_follows",
        replace(
            "discovery.read(group, before, happened, now)",
            by="""_consider(
                group, (read := discovery.read(group, before, happened, now)).state, now, blind=False
            ).told_after(*read.notices)""",
        ),
    ),
    Mutant(
        "drift-believed-at-once",
        "drift is acted on when it was seen twice",
        "nvaha.core.decide:_due",
        replace("drift.seen >= discovery.CONFIRMED", by="drift.seen >= 1"),
    ),
    Mutant(
        "names-by-their-case",
        "names are compared without case: another spelling is the same NVA, with all that is known of it",
        "nvaha.core.decide:as_configured",
        replace("known.get(name.casefold(), NvaState())", by="state.nvas.get(name, NvaState())"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "failures-not-reset",
        "a success ends a row of failures",
        "nvaha.core.health:advance",
        replace("failures=0", by="failures=nva.failures"),
        replace("confirmed=0", by="confirmed=nva.confirmed"),
    ),
    Mutant(
        "one-failure-is-down",
        "an NVA is down after `fall` failures",
        "nvaha.core.health:advance",
        replace("after.failures >= spec.fall", by="after.failures >= 1"),
    ),
    Mutant(
        "last-failure-overlooked",
        "an NVA whose last probe failed is no candidate",
        "nvaha.core.health:healthy",
        replace("nva.failures == 0", by="True"),
    ),
    Mutant(
        "drift-at-the-unconfigured",
        "drift that points at an NVA that is not configured any more ends no round",
        "nvaha.core.decide:_due",
        replace("each in state.nvas", by="True"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "wanted-by-its-case",
        "what a half-done switch wanted is wanted however its name is spelt",
        "nvaha.core.decide:as_configured",
        replace("wanted=group.named(fitting.wanted)", by="wanted=None"),
        simulated=False,
        tests=DECISIONS,
    ),
)

DISCOVERING = (
    Mutant(
        "half-switch-discovered",
        "what was read in the middle of a switch says nothing after it",
        "nvaha.core.discovery:read",
        replace("happened.standing not in (None, (before.phase, before.generation))", by="False"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "partial-look-decides",
        "a look with unanswered resources decides nothing",
        "nvaha.core.discovery:read",
        drop("if survey.unanswered: return _unread(group, state, listed(survey.unanswered))"),
        tests=LOOKS,
    ),
    Mutant(
        "unread-told-again",
        "that Azure cannot be read is told once",
        "nvaha.core.discovery:_unread",
        replace("state.unread is not None", by="False"),
    ),
    Mutant(
        "hidden-is-asked-for",
        "a group of which a first look finds resources hidden waits for a person",
        "nvaha.core.discovery:_adopt",
        replace("found.writes or survey.hidden", by="found.writes"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "half-there-is-there",
        "a target is adopted only once nothing points elsewhere, and nothing is hidden",
        "nvaha.core.discovery:_discovered",
        replace(
            "survey.off.get(state.wanted, ()) or survey.owners != (state.wanted,)",
            by="survey.off.get(state.wanted, ())",
        ),
    ),
    Mutant(
        "record-forgotten",
        "when nothing points at any NVA the recorded active stands",
        "nvaha.core.discovery:_discovered",
        replace("survey.owner() or state.active", by="survey.owner()"),
    ),
    Mutant(
        "target-outvoted",
        "what was asked for and is not finished stays asked for, however many routes point elsewhere",
        "nvaha.core.discovery:_discovered",
        replace("state.wanted is not None", by="False"),
        tests=TARGETS,
    ),
    Mutant(
        "late-arrival-no-end",
        "what arrives late of a switch that failed counts as its end",
        "nvaha.core.discovery:_discovered",
        drop("state = replace(state, guards=after_success(state.guards, group.policy, now, moved=moved))"),
        tests=DECISIONS,
    ),
    Mutant(
        "first-look-moves",
        "what a first look finds scattered waits for a person",
        "nvaha.core.discovery:_adopt",
        replace("group.policy.adopt == 'wait'", by="False"),
        tests=LOOKS,
    ),
    Mutant(
        "adopt-repair-waits",
        "with `adopt: repair` what a first look finds scattered is put right",
        "nvaha.core.discovery:_adopt",
        replace("group.policy.adopt == 'wait'", by="True"),
        tests=LOOKS,
    ),
    Mutant(
        "later-looks-wait",
        "only what the very first look finds scattered waits",
        "nvaha.core.discovery:_adopt",
        replace("state.active is None and state.generation == 0", by="True"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "waits-for-one-look",
        "what waits for a person still waits after the next look",
        "nvaha.core.discovery:_decide",
        replace("unasked=unasked", by="unasked=False"),
        tests=LOOKS,
    ),
    Mutant(
        "waiting-repaired",
        "what waits for a person is not repaired",
        "nvaha.core.decide:_due",
        replace("dead or not drift.unasked", by="True"),
        tests=LOOKS,
    ),
    Mutant(
        "waiting-left-on-the-dead",
        "what waits for a person is moved off an NVA that is dead all the same",
        "nvaha.core.decide:_due",
        replace("dead or not drift.unasked", by="not drift.unasked"),
    ),
    Mutant(
        "waiting-failed-back",
        "nor does a failback move what waits for a person",
        "nvaha.core.decide:_due",
        replace(
            'policy.failback == "automatic" and not drift.unasked '
            "and _failback_due(group, state, active, now)",
            by='policy.failback == "automatic" and _failback_due(group, state, active, now)',
        ),
        tests=DECISIONS,
    ),
    Mutant(
        "addresses-forgotten",
        "the addresses of a NIC that could not be read are kept",
        "nvaha.core.discovery:_with_addresses",
        replace("{**before.addresses, **addresses}", by="addresses"),
    ),
    Mutant(
        "former-addresses-forgotten",
        "an address that an NVA had and has no more is remembered",
        "nvaha.core.discovery:_with_addresses",
        replace("former=_former(before, addresses)", by="former={}"),
    ),
    Mutant(
        "unready-untold",
        "that an NVA is not ready for a switch is told",
        "nvaha.core.discovery:_with_readiness",
        replace("bool(unready) != bool(nva.unready)", by="False"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "unready-told-again",
        "that an NVA is not ready for a switch is told when it changes",
        "nvaha.core.discovery:_with_readiness",
        replace("bool(unready) != bool(nva.unready)", by="True"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "problems-count-for-writes",
        "writes on top of a lasting problem have to be seen twice, too",
        "nvaha.core.discovery:_decide",
        replace("state.drift.seen if state.drift.writes or not found.writes else 0", by="state.drift.seen"),
        simulated=False,
        tests=DISCOVERIES,
    ),
    Mutant(
        "wanted-with-the-majority",
        "what was asked for is not over while anything points elsewhere",
        "nvaha.core.discovery:_discovered",
        replace("survey.owners != (state.wanted,)", by="survey.owner() != state.wanted"),
        simulated=False,
        tests=DECISIONS,
    ),
)

COMMANDING = (
    Mutant(
        "request-id-forgotten",
        "a repeated request id leads to the same operation",
        "nvaha.core.commands:commanded",
        replace("request_id == command.request_id", by="False"),
    ),
    Mutant(
        "switch-overridden-at-once",
        "force overrides a switch under way only when nobody carries it out",
        "nvaha.core.commands:refuses",
        replace("stalled(state, now)", by="True"),
    ),
    Mutant(
        "never-settled",
        "a command to the active NVA settles what waits for a person",
        "nvaha.core.commands:refuses",
        replace("not state.drift.writes", by="True"),
        simulated=False,
        tests=DECISIONS,
    ),
    Mutant(
        "foreign-configuration-commands",
        "an instance with another configuration than the leader commands nothing",
        "nvaha.core.decide:decide",
        replace("not same_configuration", by="False"),
        simulated=False,
    ),
)

LOOKING = (
    Mutant(
        "unknown-group-looks-too-often",
        "whatever is going on, looks at one group cost less than a read a second",
        "nvaha.core.look_interval:look_interval_s",
        replace("max(urgent_s, soonest_s(group))", by="urgent_s"),
        tests=LOOKS,
    ),
    Mutant(
        "rest-without-budget",
        "a large group at rest is read within the budget of an hour",
        "nvaha.core.look_interval:rest_interval_s",
        replace(
            "max(group.policy.drift_interval_s, len(group.resource_ids) * 3600.0 / READS_PER_HOUR)",
            by="group.policy.drift_interval_s",
        ),
        tests=LOOKS,
    ),
    Mutant(
        "reported-drift-costs-more",
        "drift that is only reported costs what rest costs",
        "nvaha.core.look_interval:_urgent_s",
        replace("1 < state.drift.seen <= DRIFTING_LOOKS", by="1 < state.drift.seen"),
        tests=LOOKS,
    ),
    Mutant(
        "end-in-the-future",
        "an end in the future is no reason to look often",
        "nvaha.core.look_interval:_urgent_s",
        replace(
            "0 <= (now - ended_at).total_seconds() < AFTER_A_SWITCH_FOR_S",
            by="(now - ended_at).total_seconds() < AFTER_A_SWITCH_FOR_S",
        ),
        simulated=False,
    ),
    Mutant(
        "arrivals-not-looked-for",
        "after a switch, done or failed, the network is looked at more often for a while",
        "nvaha.core.look_interval:_urgent_s",
        replace("return AFTER_A_SWITCH_S", by="return None"),
        simulated=False,
    ),
    Mutant(
        "cut-off-look-waits",
        "a look that the end of a tick cut off is made up for soon",
        "nvaha.watch.looks:Looks._due",
        replace("watched.cut_off", by="False"),
    ),
    Mutant(
        "ended-look-made-up-for",
        "a look that has ended is not made up for",
        "nvaha.watch.looks:Looks.run.look",
        drop("watched.cut_off = False"),
        tests=LOOKS,
    ),
    Mutant(
        "look-outlasts-its-tick",
        "a look ends within a tick, whatever Azure does not answer",
        "nvaha.watch.looks",
        constant("WITHIN_S", 1e9),
        tests=LONG_LOOKS,
    ),
)
