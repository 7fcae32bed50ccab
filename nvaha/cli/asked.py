"""What a command line asks for before any command is loaded: which app, in which form mistakes are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(slots=True)
class Asked:
    """The target that this command line is for, or None; `explicit` unless only the environment says so."""

    target: str | None = None
    explicit: bool = False


ASKED = Asked()
"""Of this process; a test's command lines come one after the other."""


def document_asked(given: Iterable[str]) -> bool:
    """Tell whether a command line asks for one document on stdout; a mistake in it is then one as well.

    JSON is also YAML, so an error is the same in both.
    """
    words = [each.casefold() for each in given]
    split = [f"{word}={value}" for word, value in pairwise(words)]
    return "--json" in words or any(each in {"--output=json", "--output=yaml"} for each in (*words, *split))


def target_names(incomplete: str) -> list[str]:
    """Return the targets whose name begins so, for a shell that completes."""
    from nvaha.cli.targets import names  # noqa: PLC0415 - what reads the file takes a while to load

    return names(incomplete)
