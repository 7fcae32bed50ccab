"""How a group stands now, in the few words of a log line: pure.

Alert rules go by the newest such line of each group: an event is told once, and a rule that goes by events
says after ten minutes no more of what still lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nvaha.core.discovery import CONFIRMED
from nvaha.core.health import lately_probed
from nvaha.core.lifecycle import held_up, unattended
from nvaha.core.notices import LONGEST_SENTENCE, TAIL, notice
from nvaha.model import Group, GroupState, Health, Notice, NvaState
from nvaha.text import shortened

TOLD_EVERY_S, TROUBLED_EVERY_S = 600.0, 60.0
"""A group at rest is told this often; one that an alert is about more often: one lost line must not cost ten
minutes of an outage."""
CROWD = 200
"""With more groups each is told more seldom: all of them together cost no more lines than so many."""
LASTING_S = 30.0
"""An active NVA that is down this long is not stood in for: a switch as a rule has ended by then."""
_NO_TROUBLE = {"group", "nva", "phase", "epoch", "paused"}


def present(
    group: Group,
    state: GroupState | None,
    now: datetime,
    *,
    blind: bool,
    fresh: bool,
    unreadable: bool,
    throttled: bool = False,
) -> Notice:
    """Return the line on how a group stands now; a field is there only if it applies.

    Args:
        group: the group as configured.
        state: as the leader last saw it; None if it could not be taken over.
        now: the time by the storage service's clock.
        blind: whether the monitor can see.
        fresh: whether the leader is too new to have probed every group.
        unreadable: whether the group's stored row cannot be read.
        throttled: whether Azure refuses to be looked at, because too much is asked of it.
    """
    if state is None:
        state = GroupState(group.name)
        watched = False
    else:
        watched = fresh or lately_probed(group, state, now)
    nvas = {name: state.nvas.get(name, NvaState()) for name in group.names}
    active = nvas.get(state.active or "", NvaState())
    drift = state.drift if state.drift.seen >= CONFIRMED else None
    stays = {
        "unreadable": unreadable,
        "unwatched": unreadable or not watched,
        "all_down": state.all_down,
        "active_down": active.health is Health.DOWN and _for_s(active, now) >= LASTING_S,
        "down": _names(name for name, nva in nvas.items() if nva.health is Health.DOWN),
        "unsteady": _names(name for name, nva in nvas.items() if nva.unsteady),
        "not_ready": _names(name for name, nva in nvas.items() if nva.unready),
        "drift": len(drift.sentences) if drift else 0,
        "unasked": bool(drift and drift.unasked),
        "unread": state.unread is not None,
        "throttled": throttled,
        "rival": bool(state.rival) or state.drift.contested,
        "held": bool(state.hold),
        # What has just given way to a move elsewhere has not failed.
        "unfinished": state.wanted if state.target in {None, state.wanted} else None,
        "unattended": unattended(state, now),
        "held_up": held_up(state),
        "blocked": shortened(state.blocked or "", LONGEST_SENTENCE, tail=TAIL),
        "blind": blind,
        "paused": state.paused,
    }
    fields = {name: value for name, value in stays.items() if value}
    text = f"{group.name} is {state.phase} on {state.active or 'none'}"
    said = "; ".join(
        name.replace("_", " ") + ("" if value is True else f": {value}") for name, value in fields.items()
    )
    where = {"nva": state.active, "phase": str(state.phase), "epoch": state.epoch}
    return notice("group_state", "info", f"{text}; {said}" if said else text, group, **where, **fields)


def elsewhere(group: Group, leader: str, epoch: int) -> Notice:
    """Return the line by which a follower says that another monitor tells how a group stands.

    It is of the epoch before: it ends what was told of the group until then, in a workspace that the leader
    may not log to, and gives way to whatever the leader itself tells.

    Args:
        group: the group as configured.
        leader: the instance that leads.
        epoch: its epoch.
    """
    text = f"{group.name} is watched by {leader}, which tells how it stands"
    return notice("group_state", "info", text, group, epoch=epoch - 1, elsewhere=True)


def told_again_s(line: Notice, groups: int) -> float:
    """Return after how many seconds a line that has not changed is told again, among so many groups."""
    troubled = line.fields.keys() - _NO_TROUBLE
    return (TROUBLED_EVERY_S if troubled else TOLD_EVERY_S) * max(1.0, groups / CROWD)


def _for_s(nva: NvaState, now: datetime) -> float:
    return LASTING_S if nva.since is None else (now - nva.since).total_seconds()


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
