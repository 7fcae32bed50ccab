"""The mutants: which rule each breaks, where that rule is kept, and what breaks it."""

from __future__ import annotations

from tests.mutants.change import constant, drop, replace
from tests.mutants.mutant import Mutant

SCENARIOS = ("tests/simulation/test_scenarios.py",)
"""What chance meets too seldom."""

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
        "nvaha.core.decide:decide",
        replace("epoch=happened.epoch", by="epoch=before.epoch"),
    ),
    Mutant(
        "decided-on-old-health",
        "only a reading of its own lets a leader switch",
        "nvaha.core.decide:decide",
        replace(
            "_network_read(group, before, happened)",
            by="""_consider(
                group,
                (read := _network_read(group, before, happened)).state,
                now,
                list(read.notices),
                blind=False,
            )""",
        ),
    ),
    Mutant(
        "request-id-forgotten",
        "a repeated request id leads to the same operation",
        "nvaha.core.decide:_commanded",
        replace("request_id == command.request_id", by="False"),
    ),
    Mutant(
        "switch-overridden-at-once",
        "force overrides a switch under way only when nobody carries it out",
        "nvaha.core.decide:refuses",
        replace("stalled(state, now)", by="True"),
    ),
    Mutant(
        "drift-believed-at-once",
        "drift is acted on when it was seen twice",
        "nvaha.core.decide:_due",
        replace("state.drift_seen >= 2", by="state.drift_seen >= 1"),
    ),
    Mutant(
        "half-switch-discovered",
        "what was read in the middle of a switch says nothing after it",
        "nvaha.core.decide:_network_read",
        replace("happened.standing not in (None, (before.phase, before.generation))", by="False"),
        simulated=False,
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
        replace("failures >= spec.fall", by="failures >= 1"),
    ),
    Mutant(
        "last-failure-overlooked",
        "an NVA whose last probe failed is no candidate",
        "nvaha.core.health:healthy",
        replace("nva.failures == 0", by="True"),
    ),
)

SWITCHING = (
    Mutant(
        "pause-ignored",
        "a paused group is not switched by itself",
        "nvaha.core.lifecycle:forbidden",
        replace("state.paused", by="False"),
    ),
    Mutant(
        "back-off-ignored",
        "a switch that failed is not tried again at once",
        "nvaha.core.lifecycle:forbidden",
        replace("now < state.retry_at", by="False"),
    ),
    Mutant(
        "hold-down-ignored",
        "no automatic switch starts in hold-down",
        "nvaha.core.lifecycle:forbidden",
        replace("now < until", by="False"),
    ),
    Mutant(
        "flap-limit-ignored",
        "no automatic switch starts past the flap limit",
        "nvaha.core.lifecycle:forbidden",
        replace("len(recent(state.switches, now))", by="0"),
    ),
    Mutant(
        "repair-limit-ignored",
        "repairs have a flap limit of their own",
        "nvaha.core.lifecycle:forbidden",
        replace("len(recent(state.repairs, now))", by="0"),
    ),
    Mutant(
        "any-candidate",
        "traffic is moved only to an NVA that is up",
        "nvaha.core.lifecycle:candidate",
        replace("healthy(state.nvas[name])", by="True"),
    ),
    Mutant(
        "deadline-ignored",
        "a switch that is not done by its deadline fails",
        "nvaha.core.lifecycle:consider_switching",
        replace("(now - request.requested_at).total_seconds() > group.policy.deadline_s", by="False"),
    ),
    Mutant(
        "not-queued-again",
        "a switch without progress is queued again",
        "nvaha.core.lifecycle:_queue_again",
        replace("send=request", by="send=None"),
    ),
    Mutant(
        "stale-report-believed",
        "a report on another generation changes nothing",
        "nvaha.core.lifecycle:reported",
        replace("not mine", by="False"),
        replace("before.generation != report.generation", by="False"),
    ),
)

LEADING = (
    Mutant(
        "lease-stamped-late",
        "a lease counts from before its request was sent",
        "nvaha.state.lease:Tenure.acquire",
        replace("sent_at", by="self._clock.monotonic()"),
    ),
    Mutant(
        "lease-overstayed",
        "a lease is not relied on to its very end",
        "nvaha.state.lease:Tenure._stamp",
        replace("MARGIN_S", by="-MARGIN_S"),
    ),
    Mutant(
        "released-lease-remembered",
        "a lease that was given up is not relied on",
        "nvaha.state.lease:Tenure.release",
        replace("self._grant, None", by="self._grant, self._grant"),
    ),
    Mutant(
        "unguarded-commit",
        "a leader writes nothing after its lease has run out",
        "nvaha.state.commit:Committer.commit",
        drop("guard()"),
    ),
    Mutant(
        "records-left-open",
        "every operation ends in a record",
        "nvaha.state.commit:Committer._follow",
        replace("state.closings", by="()"),
    ),
    Mutant(
        "record-never-made",
        "an operation whose maker died is recorded all the same",
        "nvaha.state.commit:Committer._close",
        replace("closing.request is not None", by="False"),
    ),
    Mutant(
        "witnesses-not-asked",
        "a monitor is blind only when those that answered last are silent too",
        "nvaha.watch.blindness:Sight.is_blind",
        replace("await self._reachable(tuple(self._witnesses))", by="False"),
    ),
    Mutant(
        "blind-guard-off",
        "a blind monitor's failures are not believed",
        "nvaha.watch.monitor:Monitor._round",
        replace("blind", by="False"),
    ),
    Mutant(
        "stalled-round-believed",
        "what was read before a stall is not believed after it",
        "nvaha.watch.monitor:Monitor._stopped_in",
        replace("STOPPED_S", by="1e9"),
        tests=SCENARIOS,
    ),
    Mutant(
        "sight-from-when-it-was-due",
        "a round counts from when it really began",
        "nvaha.watch.monitor:Monitor._watch",
        replace("self._round(group, watch, began)", by="self._round(group, watch, start)"),
        tests=SCENARIOS,
    ),
)

PLANNING = (
    Mutant(
        "no-if-match",
        "a write is conditional on what was read",
        "nvaha.core.bodies:with_next_hops",
        replace("table.etag", by='"*"'),
    ),
    Mutant(
        "fields-selected",
        "unknown properties survive",
        "nvaha.core.bodies:with_public_ips",
        replace(
            "public_ip = public_ips[name]",
            by="""public_ip = public_ips[name]
configuration["properties"].pop("unheardOf", None)""",
        ),
    ),
    Mutant(
        "roles-mixed-up",
        "a next hop moves to the same role",
        "nvaha.core.plan:_Known.counterpart",
        replace(
            "self.addresses.get(target, {}).get(role, {})",
            by="next(iter(self.addresses.get(target, {}).values()), {})",
        ),
    ),
    Mutant(
        "attach-before-detach",
        "a public IP is detached before it is attached",
        "nvaha.core.plan:_writes",
        replace("tuple(needs)", by="()"),
    ),
    Mutant(
        "foreign-holder-ignored",
        "a public IP that somebody else holds is left alone",
        "nvaha.core.plan:_held_elsewhere",
        replace("holder_of(resource)", by="None"),
        simulated=False,
    ),
)

WRITING = (
    Mutant(
        "intent-not-recorded",
        "what is about to be written is recorded first",
        "nvaha.switch.apply:Applier._cleared",
        drop("await self._journal.started(step.key)"),
    ),
    Mutant(
        "fence-not-last",
        "the fence is passed right before the write",
        "nvaha.switch.apply:Applier._cleared",
        replace(
            "if look == 0: await self._journal.started(step.key)",
            by="""await self._fence()
if look == 0: await self._journal.started(step.key)""",
        ),
        drop("await self._fence()"),
    ),
    Mutant(
        "retry-without-reading",
        "a write is tried again on a fresh copy only",
        "nvaha.switch.apply:Applier._carry_out",
        replace("attempt > 0", by="False"),
    ),
    Mutant(
        "changed-taken-for-done",
        "a 412 is no success",
        "nvaha.switch.apply:Applier._carry_out",
        replace(
            "error = failure",
            by="""error = failure
if isinstance(failure, NetworkError) and failure.fault is NetworkFault.CHANGED: break""",
        ),
    ),
    Mutant(
        "old-copies-written",
        "a resource is written only right after it was read",
        "nvaha.switch.apply",
        constant("FRESH_S", 1e9),
    ),
    Mutant(
        "copy-stamped-late",
        "a copy's age counts from before it was asked for",
        "nvaha.switch.apply:Applier._current",
        replace("asked_at", by="self._clock.monotonic()"),
    ),
    Mutant(
        "no-generation-check",
        "a switch runs only while the state says so",
        "nvaha.switch.worker:_under_way",
        replace("state.generation == message.generation", by="True"),
        replace("state.request.operation == message.operation", by="True"),
    ),
    Mutant(
        "no-lease-check",
        "the lease is checked before a write",
        "nvaha.switch.worker:_Run._fence",
        drop("self._tenure.check()"),
    ),
    Mutant(
        "not-verified",
        "a switch is done when it was read back as planned",
        "nvaha.switch.worker:_Run._converge",
        replace(
            "refused, unanswered = applied.refused, applied.unanswered",
            by="""refused, unanswered = applied.refused, applied.unanswered
if not refused and not unanswered: return ()""",
        ),
    ),
)

MUTANTS: tuple[Mutant, ...] = (*DECIDING, *SWITCHING, *LEADING, *PLANNING, *WRITING)
