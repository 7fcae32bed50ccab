"""What of a group's state is taken over into an account that knows nothing of it: pure.

What was exported may be hours old, and whoever wrote it may still be at work. So only what cannot move
anything is taken along, and what is counted goes on far above: whatever the old side still has in hand, or
began after the export, is older.
"""

from __future__ import annotations

from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import LARGEST, GroupState, NvaState, Phase

RAISED_BY = 1000
"""So many elections and switches of the old side since its export are still older than what is adopted."""


def adopted(exported: GroupState, epoch: int) -> GroupState:
    """Return the state to begin with elsewhere.

    A pause, what holds automatic switches back, and the NVAs' addresses are taken along. The active NVA is
    memory only: the first look says who is. What was asked for and not finished is not asked for again.

    Args:
        exported: the state as it was elsewhere.
        epoch: the highest that the export knows of.
    """
    return GroupState(
        group=exported.group,
        phase=Phase.UNKNOWN,
        active=exported.active,
        generation=min(exported.generation + RAISED_BY, LARGEST),
        epoch=min(max(epoch, exported.epoch) + RAISED_BY, LARGEST),
        paused=exported.paused,
        paused_until=exported.paused_until,
        pause=exported.pause,
        nvas={name: _remembered(nva) for name, nva in exported.nvas.items()},
        probed_at=exported.probed_at,
        guards=exported.guards,
    )


def _remembered(nva: NvaState) -> NvaState:
    return NvaState(addresses=nva.addresses, primary=nva.primary, former=nva.former)


def adopts(there: GroupState | None, new: GroupState) -> Refusal | None:
    """Return why a state may not take the place of what is there, or None if it may.

    A group that a new account has only looked at so far gives way; one that anything was asked of, or that a
    person has paused, does not.
    """
    if there is None or (there.generation == 0 and not there.paused):
        return None
    text = f"{new.group}: this account has a newer state of it (generation {there.generation}"
    text += ", paused)" if there.paused else ")"
    remedy = "nothing was taken over; pause it, and command a failover to where it is to be"
    return Refusal(RefusalCode.NEWER_STATE, f"{text}: {remedy}")


def is_adopted(there: GroupState | None, new: GroupState) -> bool:
    """Tell whether a state was taken over before, as far as that can be seen from what has become of it."""
    return there is not None and there.generation == new.generation and there.epoch >= new.epoch
