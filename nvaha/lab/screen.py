"""What the lab tells people: lines with a time before them, folded between words."""

from __future__ import annotations

import io
import textwrap

from rich.console import Console
from rich.text import Text

_NARROWEST = 30


class Screen:
    """Where lines go; they are folded for who reads them by eye, and left whole in a file or pipe.

    Args:
        console: what is written to.
        width: the characters of a line; by default the terminal's.
    """

    def __init__(self, console: Console, width: int | None = None) -> None:
        self._console = console
        self._width = width or (console.width if console.is_terminal else None)

    def tell(self, text: str, *, head: str = "", style: str = "") -> None:
        """Print a text behind a head, such as a time; what follows its first line stands below the text."""
        lines = [text]
        if self._width is not None:
            room = max(_NARROWEST, self._width - len(head))
            lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            before = head if number == 0 else " " * len(head)
            self._console.print(Text.assemble(before, (line, style)), soft_wrap=True)

    def show(self, block: str) -> None:
        """Print lines as they are."""
        self._console.print(Text(block), soft_wrap=True)


class Record(Screen):
    """A screen of a fixed width whose lines can be had as text."""

    def __init__(self, width: int) -> None:
        self._file = io.StringIO()
        super().__init__(Console(file=self._file, highlight=False, color_system=None), width)

    @property
    def text(self) -> str:
        """Everything so far, without spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._file.getvalue().splitlines()).strip("\n")
