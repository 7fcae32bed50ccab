"""What the lab tells people: lines with a time before them, folded between words."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

QUIET = frozenset({"following", "group_state", "heartbeat"})
"""Events that are for queries, not for eyes."""
STYLES = {"switch_done": "bold green", "nva_up": "green", "nva_down": "bold red", "switch_failed": "bold red"}
_NARROWEST = 30
_BELOW = " " * 6


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
        room = None if self._width is None else self._width - len(head)
        if room is not None and room < _NARROWEST:
            # Beside the head there is no room: below it is some.
            self._console.print(Text(head.rstrip()), soft_wrap=True)
            head, room = _BELOW, max(_NARROWEST, (self._width or 0) - len(_BELOW))
        for number, line in enumerate(folded(text, room)):
            before = head if number == 0 else " " * len(head)
            self._console.print(Text.assemble(before, (line, style)), soft_wrap=True)

    def show(self, block: str) -> None:
        """Print lines, each folded below where it begins."""
        for line in block.split("\n"):
            self.tell(line)

    def command(self, line: str) -> None:
        """Print a command to copy; where it is folded, a shell still takes it for one."""
        room = None if self._width is None else self._width - 2
        lines = folded(f"  {line}", room)
        for number, part in enumerate(lines, 1):
            self._console.print(
                Text(f"{part} \\" if number < len(lines) else part, style="cyan"), soft_wrap=True
            )


def folded(text: str, width: int | None) -> list[str]:
    """Return a line cut between words to lines of a width, or whole; spaces before it stand before each."""
    if width is None or len(text) <= width:
        return [text]
    indent = " " * min(len(text) - len(text.lstrip()), width // 2)
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [""]


class Record(Screen):
    """A screen of a fixed width whose lines can be had as text.

    Args:
        width: the characters of a line.
        instead: {what is not to be in it: what stands there instead}.
    """

    def __init__(self, width: int, instead: Mapping[str, str] | None = None) -> None:
        self._file = io.StringIO()
        self._instead = instead or {}
        super().__init__(Console(file=self._file, highlight=False, color_system=None), width)

    def tell(self, text: str, *, head: str = "", style: str = "") -> None:
        """Print a text as any screen does, with what stands instead."""
        for what, instead in self._instead.items():
            text = text.replace(what, instead)
        super().tell(text, head=head, style=style)

    @property
    def text(self) -> str:
        """Everything so far, without spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._file.getvalue().splitlines()).strip("\n")
