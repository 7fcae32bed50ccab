"""What a stored value may be: pure.

A row may have been written by anybody who may write the table. A value that no release of nvaha writes would
be added to, compared and written on until something breaks, perhaps for every group; so it is refused where
it is read. The bounds are far from what is ever written, and near enough that what follows can be stored.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from nvaha.azure.storage.carried import Rest
from nvaha.core.commands import LONGEST_AHEAD_S, LONGEST_PAUSE_S
from nvaha.core.guards import MAX_BACK_OFF_S
from nvaha.core.health import WINDOW
from nvaha.model import LARGEST, LEVELS

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""A time that is over may be so far ahead of storage's clock: clocks differ by seconds, and what waits for it
waits no longer than for the longest back-off."""
LONGEST_HOLD_DOWN = timedelta(days=1)
"""The longest that the configuration allows."""
_BACK_OFF = timedelta(seconds=MAX_BACK_OFF_S)
_WAITED_FOR = {"retry_at": _BACK_OFF, "failback_at": _BACK_OFF, "repair_at": LONGEST_HOLD_DOWN}
_WAITED_FOR |= {
    "paused_until": timedelta(seconds=LONGEST_PAUSE_S),
    "at": timedelta(seconds=LONGEST_AHEAD_S),
}
_BITS = (1 << WINDOW) - 1
"""The last readings, a bit each."""
_LONGEST_TEXT = 8192
_LONGEST_NAME = 256
_NAMES = frozenset({"active", "wanted", "target", "source"})
_MOST = 10_000
_MOST_KEPT = 100
_KEPT = frozenset(
    {"closings", "request_ids", "write_ids", "untold", "unsent", "switches", "repairs", "put_back"}
)
"""Lists of which a state keeps the last few, and each entry of which costs work or storage each time."""
_DEEPEST = 16
_MOST_CARRIED = 32_000
"""Characters of what another release has stored in a row: so few that what this one stores fits beside it."""

Path = tuple[str, ...]
Wild = tuple[Path, object, str]
"""Where in a value something is out of bounds, what, and why."""


def first_wild(value: object, now: datetime) -> Wild | None:
    """Return the first thing in a value that is out of bounds, or None.

    Every row is read at every tick, so nothing is built as long as all is well.

    Args:
        value: of the model, or a part of one.
        now: the time by the storage service's clock.
    """
    return _wild("", value, now, 0)


def too_much(rest: Rest) -> str | None:
    """Return why what is not known of a row cannot be carried, or None."""
    if not _shallow(rest, _DEEPEST):
        return f"what is not known here is nested more than {_DEEPEST} deep"
    size = len(json.dumps(dataclasses.asdict(rest)))
    if size <= _MOST_CARRIED:
        return None
    return f"what is not known here has {size} characters; at most {_MOST_CARRIED} are carried"


def _shallow(value: object, deepest: int) -> bool:
    if isinstance(value, Rest):
        return _shallow(value.names, deepest) and _shallow(value.parts, deepest)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return deepest > 0 and all(_shallow(each, deepest - 1) for each in inside)


def _wild(name: str, value: object, now: datetime, depth: int) -> Wild | None:
    problem = _problem(name, value, now) if depth <= _DEEPEST else "it is nested too deeply"
    if problem:
        return (), value, problem
    for part, each in _parts(name, value):
        if each is not None and each is not False and (found := _wild(part, each, now, depth + 1)):
            return (part, *found[0]), found[1], found[2]
    return None


def _problem(name: str, value: object, now: datetime) -> str | None:
    """Return what is wrong with one value by itself, or None."""
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, int):
        largest = _BITS if name == "recent" else LARGEST
        return None if 0 <= value <= largest else f"it is outside 0 to {largest}"
    if isinstance(value, datetime):
        return _time(name, value, now)
    if isinstance(value, tuple | list | dict):
        return _collection(name, value)
    if isinstance(value, float):
        good = math.isfinite(value) and abs(value) <= LARGEST
        return None if good else f"it is outside -{LARGEST} to {LARGEST}"
    return None


def _parts(name: str, value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, str | int | float | datetime):
        return ()
    if isinstance(value, tuple | list):
        return ((name, each) for each in value)
    if isinstance(value, dict):
        return value.items()
    kind: Any = type(value)
    return ((each, getattr(value, each)) for each in _fields(kind))


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))


def _time(name: str, value: datetime, now: datetime) -> str | None:
    if value.tzinfo is None:
        return "a time without a time zone"
    if value < EARLIEST:
        return f"a time before {EARLIEST:%Y}"
    ahead = AHEAD + _WAITED_FOR.get(name, timedelta())
    # Without the time now: the same row says the same each time.
    return None if value <= now + ahead else f"a time more than {ahead} ahead of storage's clock"


def _text(name: str, value: str) -> str | None:
    if name == "level" and value not in LEVELS:
        return f"it is none of {', '.join(LEVELS)}"
    if name in _NAMES and not (0 < len(value) <= _LONGEST_NAME and value.isprintable()):
        return f"it is no name: 1 to {_LONGEST_NAME} characters that can be printed"
    return None if len(value) <= _LONGEST_TEXT else f"it is longer than {_LONGEST_TEXT} characters"


def _collection(name: str, value: Collection[Any]) -> str | None:
    most = _MOST_KEPT if name in _KEPT else _MOST
    if len(value) > most:
        return f"it has {len(value)} entries; at most {most} are read"
    if isinstance(value, dict) and any(len(key) > _LONGEST_NAME for key in value):
        return f"a name in it is longer than {_LONGEST_NAME} characters"
    return None
