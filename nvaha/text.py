"""Text made fit for a sentence, a log line or a record: pure, and lowest of all: imports nothing of nvaha."""

from __future__ import annotations


def shortened(text: str, longest: int, *, tail: int = 0) -> str:
    """Return at most `longest` characters of a text, with `…` where something was cut out.

    Args:
        text: what may be too long.
        longest: how many characters may stay, at least 1 and more than `tail`.
        tail: how many of them are kept from the end; resource ids differ there.
    """
    if len(text) <= longest:
        return text
    head = longest - tail - 1
    return f"{text[:head]}…{text[len(text) - tail :]}"


def one_line(text: str) -> str:
    """Return a text with every run of white space, line ends among them, made one space."""
    return " ".join(text.split())


def last_part(resource_id: str) -> str:
    """Return the name at the end of a resource id."""
    return resource_id.rstrip("/").rpartition("/")[2]
