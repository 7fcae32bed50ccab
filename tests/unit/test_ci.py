"""What CI and a release run, run against programs that stand in for the real ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Logs its call, and fails if it is the one that is to fail; that a version is asked for is no check.
STAND_IN = """#!/usr/bin/env bash
[[ "$*" == --version ]] && exit
echo "${0##*/} $*" >>"$CALLS"
[[ $(wc -l <"$CALLS") != "$FAIL" ]]
"""
# Builds a "wheel" that is the tree it is given.
UV = """#!/usr/bin/env bash
if [ "$1" = pip ]; then
  mkdir -p "${@: -1}/bin" && touch "${@: -1}/bin/command" && cp "${@: -3:1}" "${@: -1}/library.py"
else
  mkdir -p dist && tar -cf dist/nvaha-0-py3-none-any.whl -C "${@: -1}" .
fi
"""


def write_program(path: Path, source: str) -> None:
    """Write a program that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    path.chmod(0o755)


def checks(tmp_path: Path, fail: int, source: str | None = None) -> tuple[int, list[str]]:
    """Run .ci/checks while one of its calls fails (0: none); return its exit code and its calls."""
    write_program(tmp_path / ".ci/checks", source or (ROOT / ".ci/checks").read_text("utf-8"))
    write_program(tmp_path / ".ci/newest-venv", "#!/usr/bin/env bash\necho venv\n")
    for name in ("bin/ruff", "bin/lint-imports", "bin/mypy", "bin/python", "venv/bin/python"):
        write_program(tmp_path / name, STAND_IN)
    calls = tmp_path / "calls"
    calls.write_text("")
    env = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
        "FAIL": str(fail),
    }
    done = subprocess.run([tmp_path / ".ci/checks"], env=env, capture_output=True, check=False)
    return done.returncode, calls.read_text().splitlines()


def test_a_check_that_fails_fails_all(tmp_path: Path) -> None:
    """Whichever check fails, the run ends there and says so; with none, all were asked."""
    code, calls = checks(tmp_path, 0)
    assert code == 0
    assert [each.split()[0] for each in calls] == ["ruff", "ruff", "lint-imports", "mypy", *["python"] * 3]
    for failing in range(1, len(calls) + 1):
        code, made = checks(tmp_path, failing)
        assert code != 0
        assert made == calls[:failing]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("-euo", "-uo"), ("\nmypy\n", "\nmypy || true\n"), ("ruff check .", "ruff check . || echo 'see above'")],
)
def test_a_failure_that_is_swallowed_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    """A script that goes on after a failure ends well with some call that failed."""
    source = (ROOT / ".ci/checks").read_text("utf-8")
    assert right in source
    broken = source.replace(right, wrong)
    assert any(checks(tmp_path, failing, broken)[0] == 0 for failing in range(1, 8))


def test_ci_runs_the_checks_on_what_is_locked() -> None:
    """CI ends in .ci/checks, and an environment is made anew when a file that it installs has changed."""
    [told] = re.findall(r"^exec make (\w+)$", (ROOT / ".ci/run").read_text("utf-8"), re.M)
    rules = dict(
        re.findall(r"^([\w$()/.]+): (.*\n(?:\t.*\n)*)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    )
    assert rules[told].rstrip().endswith("./.ci/checks")
    assert rules[told].split()[0] == "$(VENV)/.dev"
    for name in ("$(VENV)/.lab", "$(VENV)/.dev"):
        needs, _, recipe = rules[name].partition("\n")
        installed = re.findall(r" -r (\S+)", recipe)
        assert installed == [f"requirements/{name.rpartition('.')[2]}.txt"]
        assert {*installed, "pyproject.toml"} == set(needs.split())


def git(folder: Path, *words: str) -> None:
    """Run git without anybody's configuration."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True)


def built(tmp_path: Path, source: str) -> Path:
    """Let .ci/dist build an older commit of a repository than is checked out; return dist/."""
    write_program(tmp_path / ".ci/dist", source)
    write_program(tmp_path / "bin/uv", UV)
    shutil.copy(ROOT / ".funcignore", tmp_path)
    (tmp_path / "nvaha").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "infra").mkdir()
    git(tmp_path, "init", "--quiet")
    for version in ("1.0", "2.0"):
        (tmp_path / "nvaha/__init__.py").write_text(f'__version__ = "{version}"\n')
        (tmp_path / "docs/page.md").write_text(version)
        (tmp_path / "infra/main.bicep").write_text(f"param pythonVersion string = '3.{version[0]}'\n")
        (tmp_path / "requirements.txt").write_text(version)
        (tmp_path / f"only_{version[0]}.py").write_text(version)
        git(
            tmp_path,
            "add",
            "nvaha",
            "docs",
            "infra",
            "requirements.txt",
            ".funcignore",
            f"only_{version[0]}.py",
        )
        git(tmp_path, "commit", "--quiet", "--message", version)
    (tmp_path / "nvaha/__init__.py").write_text('__version__ = "3.0"\n')
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([tmp_path / ".ci/dist", "HEAD~1"], env=env, check=True, capture_output=True)
    return tmp_path / "dist"


def dist_problems(dist: Path) -> list[str]:
    """Report what is not of the commit that was asked for, or is not as its checksum says."""
    names = sorted(path.name for path in dist.iterdir())
    wanted = [
        "SHA256SUMS",
        "nvaha-0-py3-none-any.whl",
        "nvaha-app-1.0-python3.1.zip",
        "nvaha-app-1.0.zip",
    ]
    if names != wanted:
        return [f"{names} are there, not {wanted}"]
    checked = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=dist, capture_output=True, check=False
    )
    problems = ["the checksums are of other files"] if checked.stdout.count(b": OK\n") != 3 else []
    app = {"nvaha/__init__.py": b'__version__ = "1.0"\n', "only_1.py": b"1.0", "requirements.txt": b"1.0"}
    libraries = {".python_packages/lib/site-packages/library.py": b"1.0"}
    for name, expected in ((wanted[2], app | libraries), (wanted[3], app)):
        with zipfile.ZipFile(dist / name) as packed:
            inside = {name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}
        if inside != expected:
            problems.append(f"{name} holds {inside}")
    tree = dist / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-xf", dist / wanted[1], "-C", tree], check=True)
    if (tree / "only_2.py").exists() or (tree / "nvaha/__init__.py").read_text() != '__version__ = "1.0"\n':
        problems.append("the wheel is of another commit")
    return problems


def test_a_release_is_made_of_its_commit(tmp_path: Path) -> None:
    """Wheel and zip hold what was committed then, not what came later or lies about, and no ignored file."""
    assert dist_problems(built(tmp_path, (ROOT / ".ci/dist").read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('.zip" "$commit" --', '.zip" HEAD --'),
        ('git read-tree "$commit"', "git read-tree HEAD"),
        ('git archive "$commit" | tar', "git archive HEAD | tar"),
        ("comm -23", "comm -12"),
        ("sha256sum -- *.whl *.zip", "sha256sum -- *.zip"),
        ('"$work/tree/requirements.txt"', "requirements.txt"),
        ('"$work/tree/infra/main.bicep"', "infra/main.bicep"),
        ('rm -rf "${libraries:?}/bin"', "rm -rf"),
    ],
)
def test_a_release_of_something_else_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    """A build from the checkout, of ignored files, or without a checksum is reported, or fails."""
    source = (ROOT / ".ci/dist").read_text("utf-8")
    assert right in source
    try:
        found = dist_problems(built(tmp_path, source.replace(right, wrong)))
    except subprocess.CalledProcessError:
        return
    assert found != []
