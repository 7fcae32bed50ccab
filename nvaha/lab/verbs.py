"""The lines that can be typed at a lab: how each is read."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nvaha.lab.stage.azurite import LabError

Act = Callable[..., Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One kind of line.

    Args:
        usage: its words: CAPITALS stand for a name, `a|b` for one of these, `[…]` may be left out, `WORD...`
            are all the rest; any other is typed as it is.
        about: what it does, for the list.
        act: the method of `Acts` that is given what the words in capitals and the choices stand for.
    """

    usage: str
    about: str
    act: Act

    @property
    def name(self) -> str:
        """The word that it begins with."""
        return self.usage.partition(" ")[0]

    def read(self, words: Sequence[str]) -> list[str]:
        """Return what `act` is given for the words after the first; LabError if they do not fit."""
        given: list[str] = []
        rest = list(words)
        for wanted in self.usage.split()[1:]:
            if wanted.endswith("..."):
                return [*given, *rest]
            word = wanted.strip("[]")
            if not rest and word != wanted:
                continue
            typed = rest.pop(0) if rest else ""
            if word.isupper() and typed:
                given.append(typed)
            elif typed and typed in word.split("|"):
                given += [typed] if word != wanted or "|" in word else []
            else:
                raise LabError(f"{typed or 'the end'!s} is not what follows here: {self.usage}")
        if rest:
            raise LabError(f"{' '.join(rest)} is too much: {self.usage}")
        return given


VERBS: dict[str, Verb] = {}


def verb(usage: str, about: str) -> Callable[[Act], Act]:
    """Make a method of `Acts` what a line does; the arguments are those of `Verb`."""

    def add(act: Act) -> Act:
        added = Verb(usage, about, act)
        VERBS[added.name] = added
        return act

    return add


def read(line: str) -> tuple[Verb, list[str]]:
    """Return which verb a line is, and what is given to it; LabError, with what there is, if it is none."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise LabError(f"{line}: {error}") from error
    found = VERBS.get(words[0]) if words else None
    if found is None:
        raise LabError(f"{words[0] if words else 'nothing'!s} is unknown; there are {', '.join(VERBS)}")
    return found, found.read(words[1:])
