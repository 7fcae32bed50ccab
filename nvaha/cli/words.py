"""Small wording: text made safe for a terminal, ages and durations."""

from __future__ import annotations

from datetime import datetime


def age(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was, roughly."""
    if then is None:
        return "never"
    seconds = max((now - then).total_seconds(), 0.0)
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit_s:.0f} {unit} ago"
    return f"{seconds / 86400:.0f} d ago"


def span(then: datetime | None, now: datetime) -> str:
    """Return for how long something has been so, roughly; empty if that is not known."""
    return "" if then is None else age(then, now).removesuffix(" ago")


def duration(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def counted(number: int, word: str) -> str:
    """Return a number with its word, in the plural if need be."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
