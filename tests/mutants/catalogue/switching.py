"""Rules of how a switch begins, goes on and ends, and of what holds it back."""

from __future__ import annotations

from tests.mutants.catalogue.asked import DECISIONS, REPORTS, TARGETS, WORKERS
from tests.mutants.change import replace
from tests.mutants.mutant import Mutant

SWITCHING = (
    Mutant(
        "any-candidate",
        "traffic is moved only to an NVA that is up",
        "nvaha.core.lifecycle:candidate",
        replace("healthy(state.nvas[name])", by="True"),
    ),
    Mutant(
        "deadline-ignored",
        "a switch that is not done by its deadline fails",
        "nvaha.core.lifecycle:go_on",
        replace("(now - request.requested_at).total_seconds() > group.policy.deadline_s", by="False"),
    ),
    Mutant(
        "forced-target-left",
        "a forced switch goes on though its target's probes fail",
        "nvaha.core.lifecycle:go_on",
        replace("not request.forced", by="True"),
    ),
    Mutant(
        "not-queued-again",
        "a switch without progress is queued again",
        "nvaha.core.lifecycle:_ask_again",
        replace("send=request", by="send=None"),
    ),
    Mutant(
        "stale-report-believed",
        "a report on another generation changes nothing",
        "nvaha.core.lifecycle:reported",
        replace("not before.under_way(report.operation, report.generation)", by="False"),
    ),
    Mutant(
        "end-disowned",
        "a report of an end may come again",
        "nvaha.core.lifecycle:reported",
        replace("switch.ended is ends_as", by="False"),
        tests=DECISIONS,
    ),
)

HELD_UP = (
    Mutant(
        "held-up-in-silence",
        "a switch whose lease a stranger holds says so",
        "nvaha.core.lifecycle:_held_up",
        replace("moves or state.blocked is not None", by="True"),
        tests=WORKERS,
        simulated=False,
    ),
    Mutant(
        "held-up-by-its-worker",
        "a switch that moves is not held up by whoever carries it out",
        "nvaha.core.lifecycle:_held_up",
        replace("not switch.tries and not stalled(state, now)", by="False"),
        tests=WORKERS,
        simulated=False,
    ),
    Mutant(
        "held-up-for-ever",
        "a switch that moves again is held up no longer",
        "nvaha.core.lifecycle:reported",
        replace("blocked=None", by="blocked=before.blocked"),
        tests=WORKERS,
        simulated=False,
    ),
    Mutant(
        "failed-for-no-reason",
        "a switch that failed because a stranger holds its lease says so",
        "nvaha.core.lifecycle:_because",
        replace("state.blocked is None", by="True"),
        tests=REPORTS,
        simulated=False,
    ),
)

FINISHING = (
    Mutant(
        "target-forgotten",
        "what a switch that failed half-way was asked for stays asked for",
        "nvaha.core.lifecycle:_failed",
        replace("wanted=wanted if wanted in group.names else None", by="wanted=None"),
        tests=TARGETS,
    ),
    Mutant(
        "target-not-gone-for",
        "a switch that failed half-way is asked for again",
        "nvaha.core.decide:_consider",
        replace("state.wanted is not None", by="False"),
        tests=TARGETS,
    ),
    Mutant(
        "finished-elsewhere",
        "a switch that failed half-way is finished to the same target",
        "nvaha.core.lifecycle:finish",
        replace("to: str | None = target", by="to: str | None = candidate(group, state, None)"),
        tests=TARGETS,
    ),
    Mutant(
        "finished-at-once",
        "a commanded switch that failed half-way waits for its back-off and the end of a pause",
        "nvaha.core.lifecycle:_not_finished_now",
        replace("not_again_yet(state, now)", by="None"),
        tests=TARGETS,
    ),
    Mutant(
        "fallen-target-kept",
        "a target that fell is the target no more",
        "nvaha.core.lifecycle:finish",
        replace("fallen(nva, group.nva(target).probe)", by="False"),
        tests=TARGETS,
    ),
    Mutant(
        "finished-to-a-silent-nva",
        "a switch that failed half-way is not finished to an NVA that does not answer",
        "nvaha.core.lifecycle:_not_finished_now",
        replace("not healthy(state.nvas[to])", by="False"),
    ),
    Mutant(
        "refused-taken-off-by-itself",
        "what the target refused once it was taken off is not taken off again without a person's word",
        "nvaha.core.lifecycle:finish",
        replace("state.stays", by="()"),
    ),
    Mutant(
        "refused-for-ever",
        "a person who commands the move again is believed that the target takes it now",
        "nvaha.core.lifecycle:begin",
        replace("stays=stays", by="stays=state.stays"),
    ),
    Mutant(
        "finished-blind",
        "a blind monitor finishes no switch",
        "nvaha.core.lifecycle:_not_finished_now",
        replace("blind", by="False"),
    ),
    Mutant(
        "command-outlived",
        "a newer switch is what is wanted from then on",
        "nvaha.core.lifecycle:_failed",
        replace(
            "wanted = state.wanted if keeps_record else request.target",
            by="wanted = state.wanted or request.target",
        ),
        tests=TARGETS,
    ),
    Mutant(
        "done-still-wanted",
        "what is done is not asked for any more",
        "nvaha.core.lifecycle:_done",
        replace("wanted=None", by="wanted=state.wanted"),
    ),
    Mutant(
        "not-begun-forgets",
        "what was asked for before a move that was not begun stays asked for",
        "nvaha.core.lifecycle:_failed",
        replace(
            "wanted = state.wanted if keeps_record else request.target",
            by="wanted = None if keeps_record else request.target",
        ),
    ),
    Mutant(
        "not-begun-loses-the-record",
        "a move that was not begun leaves the record as it was",
        "nvaha.core.lifecycle:_failed",
        replace("request.trigger is Trigger.REPAIR or not begun", by="request.trigger is Trigger.REPAIR"),
    ),
    Mutant(
        "failed-repair-loses-the-record",
        "a repair that failed leaves the record as it was",
        "nvaha.core.lifecycle:_failed",
        replace("request.trigger is Trigger.REPAIR or not begun", by="not begun"),
    ),
)

HOLDING_BACK = (
    Mutant(
        "pause-ignored",
        "a paused group is not switched by itself",
        "nvaha.core.guards:not_again_yet",
        replace("state.paused", by="False"),
    ),
    Mutant(
        "back-off-ignored",
        "a switch that failed is not tried again at once",
        "nvaha.core.guards:not_again_yet",
        replace("now < retry_at", by="False"),
    ),
    Mutant(
        "back-off-does-not-grow",
        "each failure in a row makes the back-off longer",
        "nvaha.core.guards:_back_off",
        replace("2 ** min(in_a_row - 1, 10)", by="1"),
        simulated=False,
    ),
    Mutant(
        "hold-down-ignored",
        "no automatic switch starts in hold-down",
        "nvaha.core.guards:forbidden",
        replace("now < until", by="False"),
    ),
    Mutant(
        "hold-down-between-two",
        "hold-down keeps no group between two NVAs",
        "nvaha.core.guards:forbidden",
        replace("state.phase is Phase.SWITCHING or state.wanted is not None", by="False"),
    ),
    Mutant(
        "flap-limit-ignored",
        "no automatic switch starts past the flap limit",
        "nvaha.core.guards:forbidden",
        replace("len(_recent(guards.switches, now))", by="0"),
    ),
    Mutant(
        "failure-is-a-flap",
        "a switch that failed does not count towards the flap limit",
        "nvaha.core.guards:_without",
        replace(
            "switches=tuple(time for time in guards.switches if time != asked_at)",
            by="switches=guards.switches",
        ),
    ),
    Mutant(
        "repair-limit-ignored",
        "repairs have a flap limit of their own",
        "nvaha.core.guards:forbidden",
        replace("len(_recent(guards.repairs, now))", by="0"),
    ),
    Mutant(
        "not-begun-backs-off",
        "a planned move that was not begun holds no failover up",
        "nvaha.core.lifecycle:_failed",
        replace("after_failure if begun else after_not_begun", by="after_failure"),
    ),
    Mutant(
        "failback-tried-at-once",
        "a failback that could not be begun is not tried again at once",
        "nvaha.core.guards:forbidden",
        replace("now < guards.failback_at", by="False"),
    ),
    Mutant(
        "failback-to-the-unready",
        "no failback goes to an NVA that is not ready",
        "nvaha.core.decide:_failback_due",
        replace("state.nvas[preferred].unready", by="False"),
    ),
)
