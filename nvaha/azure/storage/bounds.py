"""What a stored value may be: pure.

A row may have been written by anybody who may write the table. A value that no release of nvaha writes would
be added to, compared and written on until something breaks, perhaps for every group; so it is refused where
it is read. The bounds are far from what is ever written, and near enough that what follows can be stored.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from nvaha.core.guards import MAX_BACK_OFF_S
from nvaha.model import LARGEST, LEVELS

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""A time that is over may be so far ahead of storage's clock: clocks differ by seconds, and what waits for it
waits no longer than for the longest back-off."""
LONGEST_HOLD_DOWN = timedelta(days=1)
"""The longest that the configuration allows."""
_BACK_OFF = timedelta(seconds=MAX_BACK_OFF_S)
_WAITED_FOR = {"retry_at": _BACK_OFF, "failback_at": _BACK_OFF, "repair_at": LONGEST_HOLD_DOWN}
_LONGEST_TEXT = 8192
_LONGEST_NAME = 256
_NAMES = frozenset({"active", "wanted", "target", "source"})
_MOST = 10_000
_MOST_KEPT = 100
_KEPT = frozenset({"closings", "request_ids", "write_ids", "untold", "switches", "repairs"})
"""Lists of which a state keeps the last few, and each entry of which costs work or storage each time."""
_DEEPEST = 16

Path = tuple[str, ...]
Wild = tuple[Path, object, str]
"""Where in a value something is out of bounds, what, and why."""


def first_wild(value: object, now: datetime) -> Wild | None:
    """Return the first thing in a value that is out of bounds, or None.

    Args:
        value: of the model, or a part of one.
        now: the time by the storage service's clock.
    """
    return next(_wild(value, now, ()), None)


def _wild(value: object, now: datetime, path: Path) -> Iterator[Wild]:
    name = path[-1] if path else ""
    if len(path) > _DEEPEST:
        yield path[:3], value, "it is nested too deeply"
        return
    problem: str | None = None
    parts: list[tuple[str, object]] = []
    match value:
        case datetime():
            problem = _time(name, value, now)
        case str():
            problem = _text(name, value)
        case int():
            problem = None if 0 <= value <= LARGEST else f"it is outside 0 to {LARGEST}"
        case float():
            good = math.isfinite(value) and abs(value) <= LARGEST
            problem = None if good else f"it is outside -{LARGEST} to {LARGEST}"
        case Mapping():
            problem = _count(name, len(value))
            parts = list(value.items())
            if any(len(key) > _LONGEST_NAME for key in value):
                problem = f"a name in it is longer than {_LONGEST_NAME} characters"
        case tuple() | list():
            problem = _count(name, len(value))
            parts = [(name, each) for each in value] if not problem else []
        case _ if dataclasses.is_dataclass(value):
            parts = [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
    if problem:
        yield path, value, problem
        return
    for part, each in parts:
        yield from _wild(each, now, (*path, part))


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


def _count(name: str, count: int) -> str | None:
    most = _MOST_KEPT if name in _KEPT else _MOST
    return None if count <= most else f"it has {count} entries; at most {most} are read"
