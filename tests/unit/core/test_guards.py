"""What holds automatic switches back, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.decide import decide
from nvaha.core.guards import BACK_OFF_S, MAX_BACK_OFF_S, forbidden
from nvaha.core.inputs import (
    SwitchDone,
    SwitchFailed,
)
from nvaha.model import (
    GroupState,
    Phase,
    Switch,
    Trigger,
)
from tests.builders import NOON, group_of, later, request_to, steady, switching
from tests.unit.core.decisions import GROUP


@pytest.mark.parametrize(
    ("state", "policy", "allowed"),
    [
        (steady(repair_at=later(100), repairs=(NOON,) * 9), {}, True),
        (steady(), {}, True),
        (steady(), {"automatic": False}, False),
        (steady(paused=True), {}, False),
        (steady(last_switch_at=later(-59.9)), {}, False),
        (steady(last_switch_at=later(-60)), {}, True),
        (steady(retry_at=later(0.1)), {}, False),
        (steady(retry_at=NOON), {}, True),
        (steady(switches=(later(-1),)), {"max_switches_per_hour": 1}, False),
        (steady(switches=(later(-3600),)), {"max_switches_per_hour": 1}, True),
    ],
)
def test_every_rule_forbids_by_itself(state: GroupState, policy: dict[str, Any], allowed: bool) -> None:
    """Any one reason is enough, and it is said."""
    reason = forbidden(group_of(**policy), state, NOON, Trigger.FAILOVER)
    assert (reason is None) is allowed


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (steady(), True),
        (steady(paused=True), False),
        (steady(last_switch_at=NOON), False),
        (steady(repair_at=later(0.1)), False),
        (steady(repair_at=NOON), True),
        (steady(repairs=(later(-1),) * 6), False),
        (steady(switches=(later(-1),) * 6), False),
    ],
)
def test_repairs_wait_for_repairs_and_for_everything_else(state: GroupState, allowed: bool) -> None:
    """A repair has a back-off and a limit of its own, beside those of every automatic switch."""
    assert (forbidden(GROUP, state, NOON, Trigger.REPAIR) is None) is allowed


def test_repairs_leave_the_way_free_for_a_failover() -> None:
    """A repair, done or failed, starts no hold-down and no back-off but its own."""
    start = switching("a", Trigger.REPAIR)
    for report in (SwitchDone(1, "g-1-0"), SwitchFailed(1, "g-1-0", "why")):
        state = decide(GROUP, start, report, NOON).state
        assert forbidden(GROUP, state, NOON, Trigger.FAILOVER) is None
        assert forbidden(GROUP, state, NOON, Trigger.REPAIR) is not None


def test_failed_is_tried_again_later_and_later() -> None:
    """Each failure in a row doubles the wait, up to a limit, and counts towards no flap limit."""
    waits, state = [], steady()
    for _ in range(8):
        request = replace(request_to("b"), requested_at=NOON)
        asked = replace(state.guards, switches=(NOON,))
        state = replace(state, phase=Phase.SWITCHING, switch=Switch(request), generation=1, guards=asked)
        state = decide(GROUP, state, SwitchFailed(1, "g-1-0", "why"), NOON).state
        assert (state.phase, state.guards.switches) == (Phase.UNKNOWN, ())
        assert state.guards.retry_at is not None
        waits.append((state.guards.retry_at - NOON).total_seconds())
    assert waits[:3] == [BACK_OFF_S, 2 * BACK_OFF_S, 4 * BACK_OFF_S]
    assert waits[-1] == MAX_BACK_OFF_S


@pytest.mark.parametrize("trigger", [Trigger.FAILOVER, Trigger.REPAIR])
def test_what_failed_is_taken_out_of_its_own_count_and_nothing_else(trigger: Trigger) -> None:
    """Failovers and repairs have a limit each: what one has used up, the other has not."""
    mine, others = (later(-9), NOON), (later(-8), later(-7))
    is_repair = trigger is Trigger.REPAIR
    counts = {"repairs": mine, "switches": others} if is_repair else {"switches": mine, "repairs": others}
    guards = decide(
        GROUP, switching("b", trigger, **counts), SwitchFailed(1, "g-1-0", "why"), NOON
    ).state.guards
    kept, untouched = (guards.repairs, guards.switches) if is_repair else (guards.switches, guards.repairs)
    assert (kept, untouched) == (mine[:1], others)
