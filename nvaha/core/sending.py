"""What is to be sent to whom: pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from dataclasses import asdict
from datetime import datetime
from functools import partial

from nvaha.model import LEVELS, Notice, Receiver, ReceiverKind, Unsent
from nvaha.model.events import CONDITIONS, WAKES
from nvaha.text import in_texts, safe, shortened

MOST_UNSENT, LARGEST_UNSENT = 16, 16_000
"""So many notices of a group, and characters of their JSON, wait for receivers that take none: half of what a
release that does not know of them carries along in a row (azure/storage/bounds.py)."""
_LONGEST_SENTENCE, _LONGEST_FIELD, _TAIL = 500, 100, 50

Done = tuple[str, str]
"""The id of a notice, and the receiver that took it."""


def wants(receiver: Receiver, notice: Notice) -> bool:
    """Tell whether a receiver is sent a notice.

    What ends a condition is sent whatever its level is: it ends what was told before. PagerDuty knows only
    conditions, and is sent the end of each that it is sent the beginning of.
    """
    group = notice.fields.get("group")
    if group is not None and receiver.groups and group not in receiver.groups:
        return False
    condition, begins = CONDITIONS.get(notice.event, (None, True))
    if begins and LEVELS.index(notice.level) < LEVELS.index(receiver.level):
        return False
    chosen = receiver.events or WAKES
    if receiver.kind is not ReceiverKind.PAGERDUTY:
        return notice.event in chosen
    if condition is None:
        return False
    ends_of = (name for name, about in CONDITIONS.items() if about == (condition, True))
    return notice.event in chosen if begins else any(name in chosen for name in ends_of)


def owed(receivers: Iterable[Receiver], notice: Notice, now: datetime) -> Unsent | None:
    """Return what is to be sent of a notice, without secrets and bounded; None if nobody wants it."""
    to = tuple(each.name for each in receivers if wants(each, notice))
    if not to:
        return None
    text = shortened(safe(notice.text), _LONGEST_SENTENCE, tail=_TAIL)
    fields = in_texts(in_texts(dict(notice.fields), safe), partial(shortened, longest=_LONGEST_FIELD))
    return Unsent(Notice(notice.event, notice.level, text, fields), now, to)


def kept(unsent: tuple[Unsent, ...]) -> tuple[Unsent, ...]:
    """Return as many of the newest as a group's row may hold."""
    newest = unsent[-MOST_UNSENT:]
    while sum(_size(each) for each in newest) > LARGEST_UNSENT:
        newest = newest[1:]
    return newest


def _size(unsent: Unsent) -> int:
    return len(json.dumps(asdict(unsent), default=str))


def untaken(unsent: Iterable[Unsent], done: Set[Done]) -> tuple[Unsent, ...]:
    """Return what is still to be sent once some of it was."""
    rest = []
    for each in unsent:
        to = tuple(name for name in each.to if (each.id, name) not in done)
        if to:
            rest.append(Unsent(each.notice, each.at, to))
    return tuple(rest)
