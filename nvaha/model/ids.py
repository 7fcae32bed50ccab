"""Azure resource ids."""

from __future__ import annotations


def same_id(one: str, other: str) -> bool:
    """Tell whether two Azure resource ids name the same resource; ARM ids are case-insensitive."""
    return one.casefold() == other.casefold()
