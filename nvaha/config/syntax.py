"""What is wrong where a text stops being YAML or JSON, in the words of who wrote it: pure.

A sentence of ours stands in the place of the library's only where the text shows that it is true.
"""

from __future__ import annotations

import re

from nvaha.config.problems import Place
from nvaha.config.slips import odd_character

_COMMENTS = ("//", "/*")
_CLOSING = {"[": "]", "{": "}"}
_STARTS = re.compile(r" *((?:- +)*)")


def of_yaml(
    text: str, place: Place, problem: str, context: str = "", begins: Place | None = None
) -> tuple[Place, str, str]:
    """Return place, message and remedy for a text that is no YAML.

    Args:
        text: the whole of it.
        place: where the library stopped.
        problem: why, as libyaml says it.
        context: what it was reading, as it says it.
        begins: where that begins.
    """
    if text.lstrip().startswith(_COMMENTS):
        before = text[: len(text) - len(text.lstrip())]
        message = "begins with a comment that neither YAML nor JSON knows"
        return Place(before.count("\n") + 1, 1), message, "delete it; a comment of YAML begins with #"
    if "\t" in _indent(text, place):
        return place, "is indented with a tab, and YAML takes no tabs", "indent with spaces"
    found = _told(text, place, problem, context, begins or place)
    message, remedy = found or (_quoted(problem, context, begins), _check(place))
    if (odd := odd_character(_line(text, place))) is not None:
        remedy = f"the line {odd[0]}: {odd[1]}"
    return place, f"is not valid YAML: {message}", remedy


def of_json(text: str, place: Place, problem: str) -> tuple[str, str]:
    """Return message and remedy for a text that is neither JSON nor YAML; see `of_yaml`."""
    if _line(text, place)[place.column - 1 :].startswith(_COMMENTS):
        return "holds a comment, and JSON has no comments", "delete it"
    odd = odd_character(_line(text, place))
    remedy = f"the line {odd[0]}: {odd[1]}" if odd else _check(place)
    return f"is not valid JSON: {problem}", remedy


def _told(text: str, place: Place, problem: str, context: str, begins: Place) -> tuple[str, str] | None:
    """Return message and remedy in our words, where it is certain what is wrong."""
    line = _line(text, place)
    if problem in ("did not find expected '-' indicator", "did not find expected key"):
        return _misaligned(text, place, begins) if place.column == len(_indent(text, place)) + 1 else None
    if problem.startswith("did not find expected ',' or"):
        opened = _line(text, begins)[begins.column - 1 : begins.column]
        if closing := _CLOSING.get(opened):
            message = (
                f"neither a comma nor {closing} follows here in what {opened} begins on line {begins.line}"
            )
            return message, f"write {closing} where it ends, and a comma between its entries"
    if problem == "found unexpected end of stream" and "quoted scalar" in context:
        return f"the quote that begins on line {begins.line} has no end", "write the same quote where it ends"
    if problem == "found character that cannot start any token":
        return f"no value begins with {line[place.column - 1 : place.column]}", "put it in quotes"
    if problem.startswith("mapping values are not allowed"):
        remedy = (
            "indent the keys of a mapping alike, and write a space after each colon, on the line before too"
        )
        return _quoted(problem, context, None), remedy
    if problem == "could not find expected ':'":
        return f"no colon ends the key on line {begins.line}", "write a colon and a space behind it"
    return None


def _misaligned(text: str, place: Place, begins: Place) -> tuple[str, str] | None:
    line = _line(text, place)
    above = text.splitlines()[: place.line - 1]
    if place.column not in {column for each in above for column in _columns(each)}:
        message = f"it begins at column {place.column}, and no line above it does"
        return message, "indent it as the lines that it belongs together with"
    key = re.match(r" *([\w.-]{1,64}) *:(?: |$)", line)
    if key and place.column == begins.column and _line(text, begins)[begins.column - 1 :][:1] == "-":
        message = f"{key[1]} stands where an entry of the list that begins on line {begins.line} would begin"
        return message, "indent it as the keys of the entry that it belongs to"
    return None


def _columns(line: str) -> set[int]:
    """Return the columns in which something begins in a line: its dashes, and what stands behind them."""
    start = _STARTS.match(line)
    lead = start[0] if start else ""
    return {len(lead) + 1, *(number + 1 for number, each in enumerate(lead) if each == "-")}


def _quoted(problem: str, context: str, begins: Place | None) -> str:
    since = f", which begins on line {begins.line}" if begins else ""
    return f"{problem} ({context}{since})" if context else problem


def _check(place: Place) -> str:
    lines = "this line" if place.line == 1 else f"lines {place.line - 1} and {place.line}"
    return f"check {lines}: indentation, colons, commas, quotes and brackets"


def _line(text: str, place: Place) -> str:
    lines = text.splitlines()
    return lines[place.line - 1] if place.line <= len(lines) else ""


def _indent(text: str, place: Place) -> str:
    line = _line(text, place)
    return line[: len(line) - len(line.lstrip())]
