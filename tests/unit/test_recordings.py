"""The documentation's pictures: that one command makes them all, and what a recording shows."""

from __future__ import annotations

import getpass
import platform
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.recordings.scenes import PICTURES
from tests.recordings.terminal import Line, Terminal, picture, run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
SVGS = sorted(FOLDER.glob("*.svg"))
_MOST_BYTES = 200_000


def test_every_picture_is_made_by_the_one_command_and_stands_on_a_page() -> None:
    """No picture is older than what it shows for want of a command, and none is for nobody."""
    assert {each.name for each in FOLDER.iterdir()} == set(PICTURES)
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"[(\"](?:docs/)?pictures/([\w.-]+)", pages)) == set(PICTURES)


@pytest.mark.parametrize("path", SVGS, ids=lambda path: path.stem)
def test_a_recording_is_small_whole_and_anybodys(path: Path) -> None:
    """It takes nothing from elsewhere, and names no machine, nobody who recorded it, and no folder there."""
    text = path.read_text(encoding="utf-8")
    shown = "\n".join(ET.fromstring(text).itertext())  # noqa: S314 - our own
    assert len(text) < _MOST_BYTES
    assert not re.search(r"url\((?!#)|href|@import|@font-face", text)
    folders = {str(ROOT), str(Path.home()), "/home/", "/work/", "/Users/"}
    names = [
        rf"(?<![\w-]){re.escape(each)}(?![\w-])"
        for each in (platform.node(), f"{getpass.getuser()} on")
        if each
    ]
    assert not [each for each in folders if each in shown]
    assert not [each for each in names if re.search(each, shown)]


def test_a_line_keeps_the_time_at_which_it_came_to_be_as_it_is() -> None:
    """What is drawn anew as it was is not new; what stays in the end is what counts."""
    terminal = Terminal()
    terminal.feed("one\r\ntwo\r\n", 1.0)
    terminal.feed("\x1b[1A\r\x1b[2K\x1b[1A\r\x1b[2Kone\r\nTWO\r\n\r\n", 2.0)
    assert terminal.lines == [Line(1.0, "one"), Line(2.0, "TWO")]


def test_a_program_is_recorded_with_what_is_typed_at_it() -> None:
    """It has a terminal, its lines have times, and one that fails is no recording."""
    program = "import sys; print(sys.stdout.isatty()); print(input() * 2); sys.exit(int(input()))"
    typed = [("True", "hello"), ("hello", "0")]
    lines = run([sys.executable, "-c", program], {}, typed, pause_s=0.0)
    assert {"True", "hello", "hellohello"} <= {each.text for each in lines}
    assert [each.at_s for each in lines] == sorted(each.at_s for each in lines)
    with pytest.raises(RuntimeError, match="hello"):
        run([sys.executable, "-c", program], {}, [("True", "hello"), ("hello", "3")], pause_s=0.0)


def test_a_picture_plays_its_lines_in_their_order_with_short_waits() -> None:
    """A minute of waiting is not waited for, and what comes later appears later."""
    lines = [Line(0.0, "$ \x1b[1mcommand\x1b[0m"), Line(60.0, "slow"), Line(61.0, "<end>")]
    svg = picture(lines, "Title", "it")
    delays = {int(n): float(s) for n, s in re.findall(r"line-(\d+)\)\"\] { animation-delay: ([\d.]+)s", svg)}
    assert delays[0] == 0.0 < delays[1] < delays[2] < 10.0
    shown = [text.strip() for text in ET.fromstring(svg).itertext()]  # noqa: S314 - our own
    assert {"Title", "command", "slow", "<end>"} <= set(shown)
