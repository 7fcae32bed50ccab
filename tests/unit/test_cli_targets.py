"""Apps by name: which one is asked, with whose key, and that no key is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nvaha.cli import main, targets
from nvaha.cli.failure import ExitCode

from .cli_fake_app import FakeApp, groups, running

PROD, LAB = "prod-key-0123456789-abcdefghij", "lab-key-0123456789-abcdefghij"
ROOT = Path(main.__file__).parents[2]


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        served.says("GET /groups", groups())
        yield served


@pytest.fixture
def file(tmp_path: Path, fake: FakeApp) -> Path:
    """Return a file with two targets that are one app, with a key each."""
    where = tmp_path / "nvaha" / "targets.yaml"
    where.parent.mkdir()
    where.write_text(
        f"targets:\n  prod: {{url: '{fake.url}', key: {PROD}}}\n  lab: {{url: '{fake.url}', key: {LAB}}}\n"
        f"  open: {{url: '{fake.url}'}}\n"
    )
    where.chmod(0o600)
    return where


def run(file: Path, *args: str, **environ: str | None) -> Any:
    """Run the command with this file; no key is in what it prints."""
    nothing = dict.fromkeys(("NVAHA_URL", "NVAHA_KEY", "NVAHA_TARGET", "APPDATA"))
    environment = {**nothing, "XDG_CONFIG_HOME": str(file.parents[1]), "COLUMNS": "200", **environ}
    result = CliRunner().invoke(main.app, list(args), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert PROD not in result.output
    assert LAB not in result.output
    return result


@pytest.mark.parametrize(("name", "key"), [("prod", PROD), ("lab", LAB), ("open", None)])
def test_a_target_is_asked_with_its_own_key(fake: FakeApp, file: Path, name: str, key: str | None) -> None:
    """By the option, or by its variable; what else the environment says is of another app."""
    for args, environ in (
        (("--target", name), {}),
        (("--target", name), {"NVAHA_URL": "https://else.example", "NVAHA_KEY": "another"}),
        ((), {"NVAHA_TARGET": name}),
    ):
        assert run(file, *args, "status", **environ).exit_code == ExitCode.DONE
        assert fake.seen[-1].headers.get("x-functions-key") == key


@pytest.mark.parametrize(
    ("args", "environ"),
    [
        (("--target", "prod", "status", "--url", "https://else.example"), {}),
        (("--target", "prod", "status", "--key", "another"), {}),
        (("status",), {"NVAHA_TARGET": "prod", "NVAHA_URL": "https://else.example"}),
        (("--target", "nowhere", "status"), {}),
    ],
)
def test_a_key_goes_to_no_other_app(
    fake: FakeApp, file: Path, args: tuple[str, ...], environ: dict[str, str]
) -> None:
    """Two addresses are one too many, and nothing is sent to either."""
    assert run(file, *args, **environ).exit_code == ExitCode.USAGE
    assert fake.seen == []


def test_targets_are_listed_without_their_keys(file: Path) -> None:
    """Only whether there is one."""
    shown = json.loads(run(file, "targets", "--json").stdout)
    assert [(each["name"], each["key"]) for each in shown["targets"]] == [
        ("prod", True),
        ("lab", True),
        ("open", False),
    ]
    assert run(file, "targets", "--output", "tsv").stdout.splitlines()[2].endswith("\tfalse")
    file.unlink()
    assert run(file, "targets").exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    "content",
    [
        f"targets: [{PROD}",
        f"targets:\n  prod: {PROD}",
        f"targets:\n  prod: {{url: x, key: [{PROD}]}}",
        f"targets:\n  prod: {{url: x, kee: {PROD}}}",
        f"{PROD}: {PROD}",
        f"- {PROD}",
        f"targets: {{prod: {{url: x}}, prod/../x: {{url: x, key: {PROD}}}}}",
        f"targets: !!python/object/apply:os.system [{PROD}]",
        f"targets: {300 * '['}{PROD}",
    ],
)
def test_a_file_that_cannot_be_used_is_named_without_what_is_in_it(file: Path, content: str) -> None:
    """A key may stand anywhere in it."""
    file.write_text(content)
    for args in (("targets",), ("--target", "prod", "status")):
        result = run(file, *args)
        assert result.exit_code == ExitCode.USAGE
        assert "targets.yaml" in result.stderr.replace("\n", "")


@pytest.mark.skipif(os.name == "nt", reason="a profile is its owner's there")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_used_with_a_warning(file: Path, mode: int, *, warned: bool) -> None:
    """Nobody is kept from acting by it; a shell that completes hears nothing."""
    file.chmod(mode)
    result = run(file, "--target", "prod", "status")
    assert (result.exit_code, "chmod 600" in result.stderr) == (ExitCode.DONE, warned)
    assert "chmod" not in result.stdout


def test_each_system_has_its_place() -> None:
    """Where people look for it there."""
    name = Path("nvaha") / "targets.yaml"
    assert targets.path({"APPDATA": "/roaming"}, windows=True) == Path("/roaming") / name
    assert targets.path({}, windows=True) == Path.home() / "AppData" / "Roaming" / name
    assert targets.path({"XDG_CONFIG_HOME": "/config"}, windows=False) == Path("/config") / name
    assert targets.path({}, windows=False) == Path.home() / ".config" / name


def test_shells_complete_commands_and_targets(file: Path) -> None:
    """By the command's own answers, in the words of a shell."""

    def complete(words: str, at: int) -> list[str]:
        # The program is called root in a test.
        asked = {"_ROOT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        return list(run(file, **asked).stdout.split())

    assert complete("nvaha ", 1) == [*main.MODULES, main.LAB]
    assert complete("nvaha --target l", 2) == ["lab"]
    for shell in ("bash", "zsh", "fish", "pwsh"):
        assert "_ROOT_COMPLETE" in run(file, _ROOT_COMPLETE=f"source_{shell}").stdout


WITHOUT_POSIX = """
import importlib, sys
for name in ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline", "crypt"):
    sys.modules[name] = None
from nvaha.cli import main
for module in sorted(set(main.MODULES.values())):
    importlib.import_module(module)
sys.argv = ["nvaha", "--target", "lab", "status"]
main.main()
"""


def test_the_command_needs_nothing_that_only_posix_has(fake: FakeApp, file: Path) -> None:
    """On Windows there are no such modules: all of it loads, and asks its app; in no colour for a pipe."""
    environ = {**os.environ, "XDG_CONFIG_HOME": str(file.parents[1]), "APPDATA": str(file.parents[1])}
    for name in ("NVAHA_URL", "NVAHA_KEY", "NVAHA_TARGET"):
        environ.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "edge" in done.stdout
    assert "\x1b" not in done.stdout
    assert len(fake.seen) == 1
