"""What `nvaha lab up` tells people to type."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from nvaha.lab.program import program


def executable(folder: Path) -> Path:
    """Write a program named nvaha into a new folder."""
    folder.mkdir()
    path = folder / "nvaha"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run as the program of an environment that is not on the path."""
    path = executable(tmp_path / "an environment")
    monkeypatch.setattr(sys, "argv", [str(path), "lab", "up"])
    monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_a_program_on_the_path_is_named_shortly(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell finds this very program, its name is enough."""
    monkeypatch.setenv("PATH", str(ours.parent))
    assert program() == "nvaha"


def test_a_program_off_the_path_is_named_in_full(ours: Path) -> None:
    """Where the shell finds none, the whole path is given, fit for a shell."""
    assert shlex.split(program()) == [str(ours)]


def test_another_program_on_the_path_is_not_meant(
    ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the shell finds another nvaha, the whole path of this one is given."""
    monkeypatch.setenv("PATH", str(executable(tmp_path / "other").parent))
    assert shlex.split(program()) == [str(ours)]


def test_a_relative_start_is_named_from_anywhere(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was started by a relative path is named so that another folder does not matter."""
    monkeypatch.chdir(ours.parent)
    monkeypatch.setattr(sys, "argv", ["./nvaha"])
    assert Path(shlex.split(program())[0]) == ours


def test_a_module_is_named_by_its_interpreter(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as a module, the program beside the interpreter is named; without one, the module."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/nvaha/lab/__main__.py"])
    assert shlex.split(program()) == [str(ours)]
    ours.unlink()
    assert shlex.split(program()) == [sys.executable, "-m", "nvaha.cli"]
