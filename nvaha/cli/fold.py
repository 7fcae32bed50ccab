"""Text folded to a terminal's width between words; what goes to a file or a pipe is left as it is."""

from __future__ import annotations

import os
import re
import sys

import typer

_NARROWEST = 20
_USUAL = 80
# What later lines keep clear of: the indent, and a label such as "  wrong   " or "Error: ".
_LABEL = re.compile(r" *(?:[a-z]+ {2,}|Error: )?")


def say(text: str, *, err: bool = False) -> None:
    """Print text, folded if that is a terminal."""
    typer.echo(for_stream(text, err=err), err=err)


def for_stream(text: str, *, err: bool) -> str:
    """Return text as it is printed on standard output or standard error."""
    width = _width(err=err)
    return text if width is None else fold(text, width)


def fold(text: str, width: int) -> str:
    """Return text with long lines folded under their own beginning.

    Lines break between words; inside a word only where it is longer than a line, best after a slash or a dot,
    since resource ids and paths in a file are the long words here.
    """
    return "\n".join(_folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    label = _LABEL.match(line)
    start = label[0] if label else ""
    clear = " " * (len(start) or 4)
    room = max(width - len(clear), _NARROWEST)
    lines = [""]
    for word in line[len(start) :].split(" "):
        if not lines[-1]:
            lines[-1] = word
        elif len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
        while len(lines[-1]) > room:
            cut = max(lines[-1].rfind(each, 1, room) for each in "/.") + 1 or room
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    return start + f"\n{clear}".join(lines)


def _width(*, err: bool) -> int | None:
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return None
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except OSError:
        return _USUAL
