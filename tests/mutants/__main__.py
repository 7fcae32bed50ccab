"""`python -m tests.mutants`: break one rule at a time in a copy of the tree and see who notices."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("nvaha", "tests", "pyproject.toml", "host.json", "function_app.py")
LIMIT_S = 240.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mutant was caught, by whom, and how long that took."""

    mutant: Mutant
    caught_by: str | None
    seconds: float
    detail: str


def mutate(mutant: Mutant, root: Path) -> None:
    """Break the rule in a tree; ValueError unless each of its texts is there exactly once."""
    path = root / mutant.path
    text = path.read_text()
    for old, new in mutant.changes:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: {mutant.path} has {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    compile(text, str(path), "exec")
    path.write_text(text)


def judge(mutant: Mutant, seeds: int) -> Verdict:
    """Run the checks that fit a mutant until one fails."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nvaha-mutant-") as folder:
        root = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "lab", "node_modules")
                shutil.copytree(source, root / name, ignore=ignored)
            elif source.exists():
                shutil.copy(source, root / name)
        mutate(mutant, root)
        detail = ""
        for what, command in _checks(mutant, seeds):
            failed, detail = _fails(command, root)
            if failed:
                return Verdict(mutant, what, time.perf_counter() - started, detail)
    return Verdict(mutant, None, time.perf_counter() - started, detail)


def _checks(mutant: Mutant, seeds: int) -> list[tuple[str, list[str]]]:
    simulation = [
        "-m",
        "tests.simulation",
        "--seeds",
        str(seeds),
        "--runs",
        "1",
        "--jobs",
        "1",
        "--fail-fast",
    ]
    tests = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
    checks = [("tests", tests)] if mutant.tests else []
    if mutant.simulated:
        checks.insert(0, ("simulation", simulation))
    return checks


def _fails(command: list[str], root: Path) -> tuple[bool, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, f"did not end within {LIMIT_S:g} s"
    lines = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if line.startswith(("seed ", "FAILED", "E  "))
    ]
    slips = ("NameError", "TypeError", "AttributeError", "ImportError", "SyntaxError")
    if any(slip in line for line in lines for slip in slips):
        raise RuntimeError(f"the mutant does not run: {lines[0][:200]}")
    # pytest exits with 1 for failed tests only; anything else means that it did not get to run them.
    unusable = "pytest" in command and done.returncode not in (0, 1)
    if unusable:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stdout[-500:]}")
    return done.returncode != 0, lines[0][:160] if lines else ""


def main() -> int:
    """Judge all mutants, or those named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants to judge; all by default")
    parser.add_argument(
        "--seeds", type=int, default=500, help="seeds a mutant may survive before it counts as missed"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="only check that each mutant still applies")
    arguments = parser.parse_args()
    chosen = [each for each in MUTANTS if not arguments.names or each.name in arguments.names]
    if arguments.list:
        return _list(chosen)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        verdicts = []
        for verdict in pool.map(lambda each: judge(each, arguments.seeds), chosen):
            verdicts.append(verdict)
            who = verdict.caught_by or "NOBODY"
            print(
                f"{verdict.mutant.name:34s} {who:10s} {verdict.seconds:6.1f} s  {verdict.detail}", flush=True
            )
    missed = [each for each in verdicts if each.caught_by is None]
    print(
        f"{len(verdicts)} mutants, {len(missed)} not caught: {', '.join(each.mutant.name for each in missed)}"
    )
    return 1 if missed else 0


def _list(chosen: list[Mutant]) -> int:
    for mutant in chosen:
        text = (ROOT / mutant.path).read_text()
        stale = [old for old, _ in mutant.changes if text.count(old) != 1]
        print(f"{mutant.name:34s} {'STALE ' + repr(stale[0]) if stale else mutant.rule}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
