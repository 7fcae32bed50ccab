"""Text on a terminal: folded between words there, left as it is in a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.cli.fold import fold

ROOT = Path(__file__).parents[2]
NOT_VALID = """groups:
  - name: Edge_1
    notes: nothing
    route_tables: [/subscriptions/0f3a1c52-7b1e-4e0b-9d55-1b2c3d4e5f60/resourceGroups/ha-nva-rg]
    nvas: []
"""


@given(st.text(st.sampled_from("ab /\n"), max_size=300), st.integers(40, 120))
def test_folding_loses_nothing_and_fits(text: str, width: int) -> None:
    """Nothing but white space is added or lost, and no line is longer than the width."""
    folded = fold(text, width)
    assert "".join(folded.split()) == "".join(text.split())
    assert all(len(line) <= width for line in folded.split("\n"))


def test_what_fits_is_left_alone() -> None:
    """Short lines, blank ones among them, stay as they are."""
    text = "edge.yaml has 1 problem\n\ngroups[0].name\n  wrong   is  no name\n"
    assert fold(text, 40) == text


def test_a_folded_line_hangs_under_its_text() -> None:
    """What follows a label stays under itself, and a long id is cut after a slash."""
    folded = fold(
        "  remedy  write it as /subscriptions/0000/resourceGroups/rg/providers/Microsoft.Network", 50
    )
    assert folded.split("\n") == [
        "  remedy  write it as",
        "          /subscriptions/0000/resourceGroups/rg/",
        "          providers/Microsoft.Network",
    ]
    path = "groups[0].nvas[0].interfaces.a-role-with-a-long-name"
    assert fold(path, 40).split("\n") == ["groups[0].nvas[0].interfaces.", "    a-role-with-a-long-name"]


def on_terminal(args: Sequence[str], columns: int) -> list[str]:
    """Run the command with its standard error on a terminal; return the lines shown there."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as shown:
        environ = {**os.environ, "COLUMNS": str(columns)}
        command = [sys.executable, "-m", "nvaha.cli", *args]
        process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, env=environ, cwd=ROOT)
        os.close(theirs)
        pieces = []
        try:
            while piece := shown.read(65536):
                pieces.append(piece)
        except OSError:
            pass  # Linux says so when the other side has closed its terminal
        process.communicate(timeout=30)
    return b"".join(pieces).decode().splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_terminal_cuts_no_problem_and_a_pipe_gets_whole_lines(tmp_path: Path) -> None:
    """On a terminal no line goes over the edge; elsewhere each part of a problem is one line."""
    file = tmp_path / "edge.yaml"
    file.write_text(NOT_VALID)
    lines = on_terminal(["validate", str(file)], 60)
    assert any("problems" in line for line in lines)
    assert all(len(line) <= 60 for line in lines if "Error" not in line)
    command = [sys.executable, "-m", "nvaha.cli", "validate", str(file)]
    piped = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert max(map(len, piped.stderr.splitlines())) > 60
