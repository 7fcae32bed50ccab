"""What a terminal shows of a program, with the time of each line, and a picture of it that plays once."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from nvaha.lab.scene import WIDTH

_ROWS = 200
_LONGEST_WAIT_S = 2.0
_END_S = 30.0
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n")
_THEME = TerminalTheme(
    (22, 27, 34), (213, 219, 226),
    [(110, 118, 129), (255, 123, 114), (86, 211, 100), (227, 179, 65),
     (121, 192, 255), (210, 168, 255), (86, 212, 221), (213, 219, 226)],
)  # fmt: skip
# Nothing of the picture comes from elsewhere: it has to look the same wherever it is shown.
_PICTURE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: when it came to be as it is, in seconds, and its text with the colours of a terminal."""

    at_s: float
    text: str


class Terminal:
    """As much of a terminal as programs need that write line by line, or draw some lines anew."""

    def __init__(self) -> None:
        self._rows: list[Line] = [Line(0.0, "")]
        self._erased: dict[int, Line] = {}
        self._row = 0

    def feed(self, text: str, at_s: float) -> None:
        """Take what a program has written."""
        at = 0
        for control in _CONTROL.finditer(text):
            self._write(text[at : control.start()], at_s)
            at = control.end()
            if control[0] == "\n":
                self._down(at_s)
            elif control[2] == "m":
                self._write(control[0], at_s)
            elif control[2] == "A":
                self._row = max(0, self._row - int(control[1] or 1))
            elif control[2] == "K":
                self._erased[self._row] = self._rows[self._row]
                self._rows[self._row] = Line(at_s, "")
        self._write(text[at:], at_s)

    def _write(self, text: str, at_s: float) -> None:
        if text:
            written = Line(at_s, self._rows[self._row].text + text)
            before = self._erased.get(self._row)
            self._rows[self._row] = before if before and before.text == written.text else written

    def _down(self, at_s: float) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append(Line(at_s, ""))

    @property
    def lines(self) -> list[Line]:
        """What is on it, without empty lines at the end."""
        last = max((number for number, each in enumerate(self._rows) if _plain(each.text)), default=-1)
        return self._rows[: last + 1]


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    typed: Iterable[tuple[str, str]] = (),
    *,
    pause_s: float = 1.0,
    silence_s: float = 120.0,
) -> list[Line]:
    """Run a program in a terminal of its own; return what it left there.

    Args:
        command: the program with its arguments.
        environ: its environment.
        typed: what is typed at it, a line each, and what it has said since the last one by then.
        pause_s: how long people take to begin to type.
        silence_s: how long it may say nothing.

    Raises:
        RuntimeError: it did not end well, or fell silent; with what it said.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, WIDTH, 0, 0))
    began = heard = time.monotonic()
    process = subprocess.Popen(
        command, env={**environ, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    terminal, waiting, said = Terminal(), list(typed), ""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while True:
            if waiting and waiting[0][0] in " ".join(said.split()):
                time.sleep(pause_s)
                os.write(ours, waiting.pop(0)[1].encode() + b"\n")
                said = ""
            if not select.select([ours], [], [], 0.05)[0]:
                if time.monotonic() - heard > silence_s:
                    raise RuntimeError(f"nothing for {silence_s:g} s:\n{_shown(terminal)}")
                continue
            try:
                data = os.read(ours, 65536)
            except OSError:
                break  # Linux says so that the other end is closed
            if not data:
                break
            text = decoder.decode(data)
            said += _CONTROL.sub(" ", text)
            heard = time.monotonic()
            terminal.feed(text, heard - began)
        if process.wait(_END_S):
            raise RuntimeError(_shown(terminal))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    return terminal.lines


def _shown(terminal: Terminal) -> str:
    return "\n".join(_plain(each.text) for each in terminal.lines)


def prompt(command: str) -> list[Line]:
    """Return the line at which a command is typed."""
    return [Line(0.0, f"\x1b[1;36m$ {command}\x1b[0m")]


def after(earlier: Sequence[Line], later: Iterable[Line]) -> list[Line]:
    """Return lines followed by others, whose times begin where the first end."""
    end = max((each.at_s for each in earlier), default=0.0)
    return [*earlier, *(replace(each, at_s=end + each.at_s) for each in later)]


def picture(lines: Sequence[Line], title: str, name: str) -> str:
    """Return an SVG in which each line appears when it came, waits made short, and which then stays.

    Args:
        lines: what the terminal showed.
        title: what stands above it.
        name: unique among pictures, as several may be on one page.
    """
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    for each in lines:
        console.print(Text.from_ansi(each.text), soft_wrap=True, highlight=False)
    console.print()  # whose height is what the last line needs below it
    svg = console.export_svg(title=title, theme=_THEME, code_format=_PICTURE, unique_id=name)
    return svg.replace("</style>", f"{_played(lines, name)}</style>", 1)


def _played(lines: Sequence[Line], name: str) -> str:
    """Return the styles that let lines appear one after the other, unless the reader wants no motion."""
    rules, now_s, shown_s = [], 0.0, 0.0
    for number in sorted(range(len(lines)), key=lambda number: lines[number].at_s):
        shown_s += min(lines[number].at_s - now_s, _LONGEST_WAIT_S)
        now_s = lines[number].at_s
        rules.append(f'[clip-path="url(#{name}-line-{number})"] {{ animation-delay: {shown_s:.1f}s }}')
    return (
        "@keyframes come { from { opacity: 0 } to { opacity: 1 } }\n"
        "@media (prefers-reduced-motion: no-preference) {\n"
        f".{name}-matrix text {{ animation: come 0.1s both }}\n" + "\n".join(rules) + "\n}\n"
    )


def _plain(text: str) -> str:
    return Text.from_ansi(text).plain.strip()
