"""What is wrong with a configuration, and how a person is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from nvaha.config.slips import odd_character
from nvaha.text import safe, shortened, without_secrets

_PLAIN = re.compile(r"[\w.-]{1,64}", re.ASCII)
SHOWN_CHARACTERS = 80
SHOWN_TAIL = 55
SHOWN_PROBLEMS = 100


class Unshown(Enum):
    """Stands for a value that must not, or need not, be shown."""

    SECRET = "(secret, not shown)"  # noqa: S105 - a label, printed in place of the secret
    HIDDEN = "(not shown)"
    NONE = ""


class Place(NamedTuple):
    """Where something stands in the text, counted from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, or worth a warning, in what the user wrote.

    Args:
        path: where, as `groups[0].nvas[1].probe.port`; empty for what is wrong with the text itself.
        value: what is there, shortened; empty if nothing is; never a secret.
        message: what is wrong with it.
        remedy: what to do about it.
        line: the line of the text, counted from 1; its parent's if it is missing; None if no text was read.
        column: the column of the line, counted from 1.
    """

    path: str
    value: str
    message: str
    remedy: str
    line: int | None = None
    column: int | None = None

    @property
    def where(self) -> str:
        """The path, with line and column."""
        place = None if self.line is None else f"line {self.line}, column {self.column}"
        return ", ".join(filter(None, (self.path, place))) or "(the whole file)"

    def __str__(self) -> str:
        """Return all of it in one sentence, as for a log."""
        value = f" {self.value}" if self.value else ""
        return f"{self.where}:{value} {self.message}; {self.remedy}"


class ConfigError(ValueError):
    """The configuration cannot be used; its text is what a person reads.

    Args:
        problems: everything that is wrong, all at once.
        source: where the text came from, without a URL's query.
        warnings: what was worth saying apart from that; not part of the text.
    """

    def __init__(
        self, problems: tuple[Problem, ...], source: str = "nvaha.yaml", warnings: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(problems, source, warnings)
        self.problems = problems
        self.source = source
        self.warnings = warnings

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return f"{self.source} has {count}\n\n{describe(self.problems)}"


def describe(problems: Iterable[Problem]) -> str:
    """Return the problems, or warnings, as aligned blocks for a terminal or a log."""
    everything = tuple(problems)
    blocks = [_block(problem) for problem in everything[:SHOWN_PROBLEMS]]
    if len(everything) > SHOWN_PROBLEMS:
        blocks.append(f"… and {len(everything) - SHOWN_PROBLEMS} more\n")
    return "\n".join(blocks)


def _block(problem: Problem) -> str:
    lines = [problem.where]
    if problem.value:
        lines.append(f"  value   {problem.value}")
    lines += [f"  wrong   {problem.message}", f"  remedy  {problem.remedy}"]
    return "\n".join(lines) + "\n"


def show(value: object) -> str:
    """Return a value as it may be printed: short, on one line, containers only described."""
    if isinstance(value, Unshown):
        return value.value
    if isinstance(value, dict):
        return f"a mapping with {len(value)} key{'' if len(value) == 1 else 's'}"
    if isinstance(value, list):
        return f"a list with {len(value)} entr{'y' if len(value) == 1 else 'ies'}"
    if isinstance(value, str):
        value = without_secrets(value)
    text = json.dumps(value, ensure_ascii=isinstance(value, str) and not value.isprintable(), default=str)
    return shortened(text, SHOWN_CHARACTERS, tail=SHOWN_TAIL)


def at(path: str, key: str | int) -> str:
    """Return the path of a mapping's key or a list's entry below `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN.fullmatch(key):
        return f"{path}[{show(key)}]"
    return f"{path}.{key}" if path else key


def _as_written(path: str) -> str:
    return path


@dataclass(slots=True)
class Findings:
    """Collects errors and warnings on the way through a configuration.

    `rename` turns a path of the native form into the path in the file that the user wrote; `places` says
    where in the text each path of the file stands, and `secret` has those that were refused as secrets.
    """

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    rename: Callable[[str], str] = _as_written
    known: set[Problem] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)
    secret: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def in_file_order(self) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """Return errors and warnings in the order of their places; what is missing has its parent's."""
        return tuple(sorted(self.errors, key=_order)), tuple(sorted(self.warnings, key=_order))

    def place(self, path: str) -> Place:
        """Return where a path of the file stands, or the nearest above it that is there."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path, START)

    def named(self, path: str) -> str:
        """Return a path of the native form as a sentence about another place has it."""
        path = self.rename(path)
        return f"{path} (line {self.place(path).line})"

    def error(self, path: str, value: object, message: str, remedy: str, place: Place | None = None) -> None:
        """Add an error, unless exactly this one is known. `place` is where, if not at the path."""
        self._add(self.errors, self._problem(path, value, message, remedy, place))

    def warn(self, path: str, value: object, message: str, remedy: str) -> None:
        """Add a warning, unless exactly this one is known."""
        self._add(self.warnings, self._problem(path, value, message, remedy, None))

    def _problem(
        self, path: str, value: object, message: str, remedy: str, place: Place | None
    ) -> Problem | None:
        path = self.rename(path)
        if path in self.secret or any(
            re.match(rf"{re.escape(each)}(?:[.\[]|$)", path) for each in self.unread
        ):
            return None  # what was refused is not there any more, which is no mistake of its own
        if isinstance(value, str) and (odd := odd_character(value)) and odd[0] not in message:
            message, remedy = odd
        line, column = place or self.place(path)
        return Problem(safe(path), show(value), safe(message), safe(remedy), line, column)

    def _add(self, to: list[Problem], problem: Problem | None) -> None:
        if problem is not None and problem not in self.known:
            self.known.add(problem)  # NVAs that share their group's probe share its mistakes
            to.append(problem)


def _order(problem: Problem) -> Place:
    return Place(problem.line or 1, problem.column or 1)
