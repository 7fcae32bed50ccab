"""When a scenario has converged: what has to hold once nothing goes wrong any more, and by when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nvaha.core.look_interval import READS_PER_HOUR
from nvaha.model import Group, GroupState, Phase, Status
from tests.simulation.azure import HANG_S
from tests.simulation.faults import LATEST_S
from tests.simulation.oracle_health import WINDOW
from tests.simulation.oracle_timed import LONGEST_S, MISSED_S
from tests.simulation.oracle_writes import off_target
from tests.simulation.scenery import CANARY_TABLE
from tests.simulation.storage import LEASE_S
from tests.simulation.tolerances import LATE_REPAIR_LOOKS

if TYPE_CHECKING:
    from tests.simulation.world import World

CAMPAIGN_S, TICK_S = 2.0, 10.0
NO_PROGRESS_S, LONGEST_BACK_OFF_S = 15.0, 300.0
SECOND_LOOK_S = 10.0


def bound_s(world: World) -> float:
    """Return the seconds after the last fault within which everything has to be right.

    What was sent late arrives and what hangs ends; somebody leads; a switch that is stuck fails at its
    deadline and is tried again after the longest back-off; the drift that late writes caused is looked for
    and confirmed; the result is switched once, out of hold-down; and people need a moment, too.
    """
    knobs = world.knobs
    late = max(LATEST_S, HANG_S[1])
    lead = LEASE_S + CAMPAIGN_S + TICK_S
    # An NVA that is down for being unsteady is up again after as many readings as tell that it is not.
    readings = knobs.fall + knobs.rise + (WINDOW if knobs.unsteady == "down" else 0)
    detect = readings * (knobs.interval_s + knobs.timeout_s)
    resources = max(len(group.resource_ids) for group in world.everything.groups)
    look = max(knobs.drift_interval_s, resources * 3600.0 / READS_PER_HOUR) + SECOND_LOOK_S
    switch = NO_PROGRESS_S + LEASE_S + 6 * (knobs.operation_s * 1.5 + 10 * knobs.arm_latency_s + 5.0)
    stuck = min(knobs.deadline_s, HANG_S[1] + NO_PROGRESS_S) + LONGEST_BACK_OFF_S
    failback = knobs.failback_after_s + knobs.hold_down_s + switch
    timed = (LONGEST_S + MISSED_S) if knobs.rates["timed"] else 0.0
    return (
        timed
        + late
        + lead
        + detect
        + stuck
        + LATE_REPAIR_LOOKS * look
        + knobs.hold_down_s
        + 2 * switch
        + failback
    )


def stuck(world: World, healed_s: float) -> Iterator[str]:
    """Yield the switches that no worker has moved for as long as one may take to be found and taken up.

    Somebody leads, misses progress and queues the request again; a worker takes it and waits for the lease.
    """
    bound = LEASE_S + CAMPAIGN_S + TICK_S + 2 * NO_PROGRESS_S + LEASE_S + TICK_S
    for group in world.configuration.groups:
        state = world.state(group.name)
        if state is None or state.phase is not Phase.SWITCHING or state.request is None:
            continue
        moved_s = max(healed_s, world.oracle.moved_s(group.name))
        if world.loop.now_s > moved_s + bound and not world.arm.pending:
            yield f"nobody has carried {state.request.operation} on since {moved_s:.1f}"


def unsettled(world: World) -> Iterator[str]:
    """Yield what is not as it should be at rest."""
    if world.arm.pending:
        yield f"{world.arm.pending} operations are still running"
    for group in world.configuration.groups:
        yield from _unsettled_group(world, group)
    yield from _unproved(world)
    yield from world.oracle.operations.unended()
    if world.oracle.enforced("told"):
        yield from world.oracle.follow.untold()
    record = world.storage.tables.leader
    if record is None or record.blind != _all_dead(world):
        yield f"the leader's record is {record}"


def _unproved(world: World) -> Iterator[str]:
    """Yield that the canary has had no run that ended well, unless its table is not its own any more."""
    canary = world.configuration.canary
    if canary is None or len(world.arm.entry(CANARY_TABLE).body["properties"]["routes"]) > 1:
        return
    state = world.state(canary.name)
    if state is None or state.switch is None or state.switch.ended is not Status.DONE:
        yield f"the canary's last run is {state.switch if state else None}"


def _unsettled_group(world: World, group: Group) -> Iterator[str]:
    state = world.state(group.name)
    if state is None:
        yield f"{group.name} has no state"
        return
    if not any(world.alive[name] for name in group.names) and state.wanted is not None:
        # With nobody up, what was asked for waits.
        return
    if state.phase is not Phase.STEADY or state.active is None:
        yield f"{group.name} is {state.phase} on {state.active}, blocked by {state.blocked}"
        return
    up = [name for name in group.names if world.alive[name]]
    if up and state.active not in up:
        yield f"{group.name} is on {state.active}, which is dead, while {up} are up"
    wanted = world.oracle.wanted(group.name)
    if wanted in up and state.active != wanted and world.oracle.enforced("target stays"):
        yield f"{group.name} is on {state.active}, but was asked to be on {wanted}, which is up"
    yield from _unlike_probed(group, state, up)
    if state.all_down is bool(up):
        yield f"{group.name} says all_down={state.all_down}"
    if state.paused:
        yield f"{group.name} is paused"
    yield from world.oracle.timed.left(state)
    if not up and state.drift.seen > 1:
        # Nothing may be moved to an NVA that is not up: what disagrees is reported and waits for one.
        return
    if state.drift.sentences or state.unread or state.rival or state.hold:
        yield f"{group.name}: {state.drift} {state.unread} {state.rival} {state.hold}"
    bodies = {key: entry.body for key, entry in world.arm.entries.items()}
    yield from off_target(world, group, state.active, bodies)
    yield from (f"in effect: {each}" for each in _not_in_effect(world, group, state.active))


def _unlike_probed(group: Group, state: GroupState, up: list[str]) -> Iterator[str]:
    if set(state.nvas) != set(group.names):
        yield f"{group.name} knows {tuple(state.nvas)}"
        return
    for name in group.names:
        if state.nvas[name].health != ("up" if name in up else "down"):
            yield f"{group.name} takes {name} for {state.nvas[name].health}"


def _not_in_effect(world: World, group: Group, active: str) -> Iterator[str]:
    bodies = {key: entry.effective for key, entry in world.arm.entries.items()}
    yield from off_target(world, group, active, bodies)


def _all_dead(world: World) -> bool:
    """Tell whether a monitor without control targets rightly calls itself blind."""
    return not world.knobs.control_target and not any(world.alive.values())
