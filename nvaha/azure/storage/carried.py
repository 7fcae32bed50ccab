"""What another release has written into a row and this one does not know: taken off, and put back. Pure.

Monitors of two releases write the same rows while one replaces the other. Names and words that this release
does not know stay what they are: they are parted from what was read, travel beside it, and are joined to what
is written in its place. What belongs to one thing (a request, a closing, a step) stays with that thing and
goes with it. Which names are known is seen from the model's annotations: there is no list of them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Protocol, get_args, get_origin, get_type_hints

from nvaha.model import LEVELS, Health, Status, StepStatus, Trigger

Content = dict[str, Any]

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""What a release may call one of its choices; anything else was written by no release."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rest:
    """What is not known of a thing.

    Args:
        of: what the thing is known by, or None if there is only one of it.
        names: values under names that are not known.
        parts: what is not known inside of values that are.
    """

    of: str | None
    names: Mapping[str, Any]
    parts: Mapping[str, Any]


class _Shape(Protocol):
    """One kind of value: what is known of it, and what is not."""

    def part(self, found: Any, beside: Content, /) -> tuple[Any, Any]:
        """Return what is known of a value, and the rest; None if there is none.

        Args:
            found: the value's JSON.
            beside: the object that it stands in.
        """
        ...

    def join(self, written: Any, rest: Any) -> Any:
        """Return what is written, with the rest of what was read in its place."""
        ...


def part(kind: Any, found: Content) -> tuple[Content, Rest | None]:
    """Return what this release knows of an object's JSON, and the rest if there is any."""
    shape = _shape(kind)
    known, rest = shape.part(found, {}) if shape else (found, None)
    return known, rest


def join(kind: Any, written: Content, rest: Rest) -> Content:
    """Return an object's JSON with the rest of what was read in its place."""
    shape = _shape(kind)
    joined: Content = shape.join(written, rest) if shape else written
    return joined


def is_word(value: object) -> bool:
    """Tell whether a release may have written this as one of its choices."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


@dataclasses.dataclass(frozen=True)
class _Object:
    fields: Mapping[str, _Shape | None]

    def part(self, found: Any, _: Content) -> tuple[Any, Any]:
        if not isinstance(found, dict):
            return found, None
        known, parts = {}, {}
        for name, shape in self.fields.items():
            if name in found:
                known[name], inside = shape.part(found[name], found) if shape else (found[name], None)
                if inside is not None:
                    parts[name] = inside
        names = {name: value for name, value in found.items() if name not in self.fields}
        return known, Rest(self._known_by(known), names, parts) if names or parts else None

    def join(self, written: Any, rest: Any) -> Any:
        if not isinstance(written, dict) or self._known_by(written) != rest.of:
            return written
        joined = {**rest.names, **written}
        for name, inside in rest.parts.items():
            shape = self.fields[name]
            if shape is not None and name in written:
                joined[name] = shape.join(written[name], inside)
        return joined

    def _known_by(self, content: Content) -> str | None:
        """Return what tells an object from others of its kind, if its kind has that."""
        return next((str(content.get(name)) for name in ("operation", "key") if name in self.fields), None)


@dataclasses.dataclass(frozen=True)
class _Values:
    each: _Shape

    def part(self, found: Any, beside: Content) -> tuple[Any, Any]:
        if not isinstance(found, dict):
            return found, None
        parted = {name: self.each.part(value, beside) for name, value in found.items()}
        rests = {name: rest for name, (_, rest) in parted.items() if rest is not None}
        return {name: known for name, (known, _) in parted.items()}, rests or None

    def join(self, written: Any, rest: Any) -> Any:
        return {
            name: self.each.join(value, rest[name]) if name in rest else value
            for name, value in written.items()
        }


@dataclasses.dataclass(frozen=True)
class _Entries:
    """A list: its entries move, so the rest of one is found by what that is known by, or by all of it."""

    each: _Shape

    def part(self, found: Any, beside: Content) -> tuple[Any, Any]:
        if not isinstance(found, list):
            return found, None
        parted = [self.each.part(value, beside) for value in found]
        rests: dict[str, list[Any]] = {}
        if any(rest is not None for _, rest in parted):
            for known, rest in parted:
                rests.setdefault(self._key(known), []).append(rest)
        return [known for known, _ in parted], rests or None

    def join(self, written: Any, rest: Any) -> Any:
        # Entries that are the same are told apart by their order.
        left = {key: iter(rests) for key, rests in rest.items()}
        own = ((value, next(left.get(self._key(value), iter(())), None)) for value in written)
        return [value if inside is None else self.each.join(value, inside) for value, inside in own]

    def _key(self, value: Any) -> str:
        own = value.get("operation") or value.get("key") if isinstance(value, dict) else None
        return own if isinstance(own, str) else json.dumps(value, sort_keys=True)


@dataclasses.dataclass(frozen=True)
class _Choice:
    """One of a few words. An unknown one is read as a known one if that does no harm, and else left as it is.

    What is left as it is cannot be read: the row is left to the release that knows the word.
    """

    words: frozenset[str]
    read_as: Callable[[Content], str] | None

    def part(self, found: Any, beside: Content) -> tuple[Any, Any]:
        if not is_word(found) or found in self.words or self.read_as is None:
            return found, None
        known = self.read_as(beside)
        return known, (known, found)

    def join(self, written: Any, rest: Any) -> Any:
        known, found = rest
        return found if written == known else written


def _how_it_ended(beside: Content) -> str:
    """An operation with an end has ended, however; everything else with a status but that one has."""
    under_way = "ended_at" in beside and beside["ended_at"] is None
    return Status.RUNNING if under_way else Status.FAILED


_READ_AS: Mapping[type[StrEnum], Callable[[Content], str]] = {
    # Neither a target of an automatic switch nor a reason for one; the next readings say what it is.
    Health: lambda _: Health.UNKNOWN,
    # The one that may least: it is whole or not begun, and held back by every guard.
    Trigger: lambda _: Trigger.FAILBACK,
    Status: _how_it_ended,
    # Whoever goes on plans from what Azure says, not from this.
    StepStatus: lambda _: StepStatus.PLANNED,
}
"""What an unknown word is read as, where that is safe. A phase has none: it says what is to be done next."""


@cache
def _shape(kind: Any) -> _Shape | None:
    """Return how values of an annotation are parted and joined; None if all of them is known or nothing."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields = {each.name: _shape(hints[each.name]) for each in dataclasses.fields(kind)}
        if "level" in fields:
            fields["level"] = _Choice(frozenset(LEVELS), lambda _: LEVELS[-1])
        return _Object(fields)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Choice(frozenset(kind), _READ_AS.get(kind))
    inside = [shape for each in get_args(kind) if (shape := _shape(each)) is not None]
    if not inside:
        return None
    origin = get_origin(kind)
    if origin is tuple:
        return _Entries(inside[0])
    return _Values(inside[0]) if origin is Mapping else inside[0]
