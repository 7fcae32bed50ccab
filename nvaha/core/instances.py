"""What the instances' rows say: who could lead, and who sees. Pure."""

from __future__ import annotations

from datetime import datetime

from nvaha.model import STALE_AFTER_S, InstanceRecord

SEEN_S = 20.0
"""An answer that an instance had longer ago does not tell that it sees: two looks around are missing."""


def lately(at: datetime | None, now: datetime, within_s: float = STALE_AFTER_S) -> bool:
    """Tell whether something was at most so many seconds ago; what is to come, by any clock, was not."""
    return at is not None and abs((now - at).total_seconds()) <= within_s


def campaigns(record: InstanceRecord, now: datetime) -> bool:
    """Tell whether an instance runs, and leads or asks for the lease and is answered."""
    return lately(record.written_at, now) and lately(record.campaign_at, now) and not record.abstains


def could_lead(record: InstanceRecord, configuration: str, now: datetime) -> bool:
    """Tell whether an instance could lead, and would then decide by the same configuration."""
    return campaigns(record, now) and record.configuration == configuration


def sees(record: InstanceRecord, now: datetime) -> bool:
    """Tell whether somebody has answered an instance just now."""
    return record.answered > 0 and lately(record.seen_at, now, SEEN_S)


def difference(record: InstanceRecord, configuration: str) -> str | None:
    """Return what is different in an instance's configuration, in words; None if nothing is known to."""
    if not record.configuration or record.configuration == configuration:
        return None
    theirs, mine = record.configuration.partition("-")[0], configuration.partition("-")[0]
    return (
        "policies, probes or control targets"
        if theirs == mine
        else "groups, NVAs, route tables or public IPs"
    )
