"""Where a key belongs that stands where nobody knows it: derived from the forms."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from pydantic import ValidationError

from nvaha.config.forms import FileForm, Form, Parts
from nvaha.config.problems import Findings

_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")
_ENTRY = "[]"


def closest(key: str, form: type[Form]) -> str | None:
    """Return the key of a form that was probably meant."""
    plain = {field.replace("_", ""): field for field in form.model_fields}
    wanted = re.sub(r"[^a-z0-9]", "", key.lower())[:64]
    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.7)
    return plain[near[0]] if near else None


def belongs(key: str, value: object, form: type[Form], path: str, findings: Findings) -> tuple[str, str]:
    """Return what is wrong with a key that its form does not know, and the remedy.

    Args:
        key: the key.
        value: what it has.
        form: the form of the mapping in which it stands.
        path: the path of that mapping.
        findings: knows what else stands in the file.
    """
    near = closest(key, form)
    homes = _nearest([each for each in _homes() if key in each[1].model_fields], path)
    if homes and (near is None or any(_takes(home, key, value) for _, home in homes)):
        names = " or ".join(dict.fromkeys(_named(pattern) for pattern, _ in homes))
        remedy = _move(homes[0][0], path, findings) if len(homes) == 1 else "move it there"
        return (
            f"is misplaced: {key} belongs {names}",
            f"{remedy}; or did you mean {near}?" if near else remedy,
        )
    if near is not None:
        return "is not a known key", f"did you mean {near}?"
    others = [(pattern, other) for pattern, other in _homes() if closest(key, other) is not None]
    if others:
        pattern, other = _nearest(others, path)[0]
        return "is not a known key", f"did you mean {closest(key, other)}, which belongs {_named(pattern)}?"
    return "is not a known key", f"delete it; the keys here are {', '.join(form.model_fields)}"


Home = tuple[str, type[Form]]
"""A pattern of paths, such as `groups[].probe`, and the form of what stands there."""


def _homes(pattern: str = "", form: type[Form] = FileForm) -> Iterator[Home]:
    yield pattern, form
    for name, field in form.model_fields.items():
        for parts in field.metadata:
            if isinstance(parts, Parts):
                below = f"{pattern}.{name}" if pattern else name
                yield from _homes(f"{below}{parts.at}", parts.form)


def _nearest(homes: list[Home], path: str) -> list[Home]:
    """Return those that are the fewest steps up and down away."""
    here = [_ENTRY if each.startswith("[") else each for each in _STEP.findall(path)]

    def steps(home: Home) -> int:
        there = _STEP.findall(home[0])
        return len(here) + len(there) - 2 * _shared(here, there)

    fewest = min(map(steps, homes), default=0)
    return [each for each in homes if steps(each) == fewest]


def _shared(here: list[str], there: list[str]) -> int:
    count = 0
    for one, other in zip(here, there, strict=False):
        if one != other:
            break
        count += 1
    return count


def _takes(form: type[Form], key: str, value: object) -> bool:
    try:
        form.model_validate({key: value})
    except ValidationError:
        return False
    return True


def _named(pattern: str) -> str:
    steps = _STEP.findall(pattern)
    if not steps:
        return "at the top level"
    return f"under {steps[-1]}" if steps[-1] not in {_ENTRY, "ROLE"} else f"in an entry of {steps[-2]}"


def _move(pattern: str, path: str, findings: Findings) -> str:
    """Return the remedy, with the path and line of where the key is to go if that can be told."""
    steps, there = _STEP.findall(path), _STEP.findall(pattern)
    here = [_ENTRY if each.startswith("[") else each for each in steps]
    shared = _shared(here, there)
    target = ""
    for index, step in enumerate(there):
        each = steps[index] if index < shared else step
        if each == _ENTRY:
            if f"{target}[0]" not in findings.places or f"{target}[1]" in findings.places:
                return f"move it to where it belongs, {pattern}"
            each = "[0]"
        target += each if each.startswith("[") or not target else f".{each}"
    if not target:
        return "move it to the left margin"
    if target in findings.places:
        return f"move it to {target}, line {findings.places[target].line}"
    return f"add {target}, and move it there"
