"""Why something is not done: a code for programs, and a sentence that HTTP, CLI and log all say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """The reasons that programs can tell apart; stable names."""

    # an operator's command
    UNKNOWN_GROUP = "unknown_group"
    UNKNOWN_NVA = "unknown_nva"
    UNKNOWN_OPERATION = "unknown_operation"
    ALREADY_ACTIVE = "already_active"
    NOT_ACTIVE = "not_active"  # another NVA is, than the caller believes
    BAD_TIME = "bad_time"  # nothing can be scheduled then
    SCHEDULED = "scheduled"  # another failover of the group is
    NOT_SCHEDULED = "not_scheduled"  # none is, any more
    STALE = "stale"  # nobody has probed lately, so nothing is known of the target
    NOT_UP = "not_up"
    SWITCHING = "switching"
    OTHER_CONFIGURATION = "other_configuration"
    AZURE_UNREAD = "azure_unread"
    NEWER_STATE = "newer_state"  # of a group that is to be taken over from elsewhere
    NO_EXPORT = "no_export"
    BUSY = "busy"  # too much is asked for at once; what is asked for was not done
    # a leader or a worker that is not the present one
    DEPOSED = "deposed"
    NOT_UNDER_WAY = "not_under_way"
    UNWATCHED = "unwatched"  # a switch that nobody has watched or carried out for too long
    ATTENDED = "attended"  # a switch that is carried out, or was asked for just now
    # an automatic switch that is due
    BLIND = "blind"
    NO_CANDIDATE = "no_candidate"
    AUTOMATIC_OFF = "automatic_off"
    PAUSED = "paused"
    BACK_OFF = "back_off"
    HOLD_DOWN = "hold_down"
    FLAP_LIMIT = "flap_limit"
    RIVAL = "rival"  # somebody else moves the group; a command as well, unless forced
    HELD = "held"  # by a tag


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done."""

    code: RefusalCode
    message: str
