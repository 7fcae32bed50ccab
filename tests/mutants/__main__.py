"""`python -m tests.mutants`: break one rule at a time in a copy of the tree and see who notices.

It ends with 0 if every mutant was caught, with 1 if one was missed, and with 2 if any could not be judged.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.change import Stale
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("nvaha", "tests", "pyproject.toml", "host.json", "function_app.py")
LIMIT_S = 600.0
SOUND_SEEDS = 20
"""So many seeds show that the checks hold for the tree as it is."""
SLIPS = ("NameError", "TypeError", "AttributeError", "ImportError", "SyntaxError")

Check = tuple[str, list[str]]
"""Who is asked, and with which arguments to Python."""


class Unusable(Exception):
    """A check says nothing: the code under it does not run, or the check itself does not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who caught a mutant, or what kept it from being judged, and how long that took."""

    mutant: Mutant
    caught_by: str | None
    seconds: float
    detail: str
    judged: bool = True

    def __str__(self) -> str:
        """One line on it."""
        who = self.caught_by or ("NOBODY" if self.judged else "UNUSABLE")
        return f"{self.mutant.name:27s} {who:10s} {self.seconds:6.1f} s  {self.detail}"


def judge(mutant: Mutant, seeds: int) -> Verdict:
    """Break a rule in a copy of the tree and run the checks that fit until one fails."""
    started = time.perf_counter()
    caught_by, detail, judged = None, "", True
    with _copy() as root:
        (root / mutant.path).write_text(mutant.source(root))
        try:
            for who, arguments in _checks([mutant], seeds):
                failed, detail = _fails(arguments, root)
                if failed:
                    caught_by = who
                    break
        except Unusable as unusable:
            judged, detail = False, str(unusable)
    return Verdict(mutant, caught_by, time.perf_counter() - started, detail, judged)


def check_unbroken(mutants: Sequence[Mutant]) -> None:
    """Raise Unusable unless all checks hold for the tree as it is: else whatever they say means nothing."""
    with _copy() as root:
        for who, arguments in _checks(mutants, SOUND_SEEDS):
            failed, detail = _fails(arguments, root)
            if failed:
                raise Unusable(f"{who}: fails with no rule broken: {detail}")


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nvaha-mutant-") as folder:
        root = Path(folder)
        for source in (ROOT / name for name in COPIED):
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "node_modules")
                shutil.copytree(source, root / source.name, ignore=ignored)
            else:
                shutil.copy(source, root / source.name)
        yield root


def _checks(mutants: Sequence[Mutant], seeds: int) -> Iterator[Check]:
    # The tests first: they see most of it, and in seconds.
    asked = sorted({test for mutant in mutants for test in mutant.asked(ROOT)})
    if asked:
        yield "tests", ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *asked]
    if any(mutant.simulated for mutant in mutants):
        options = ["--seeds", str(seeds), "--runs", "1", "--jobs", "1", "--fail-fast"]
        yield "simulation", ["-m", "tests.simulation", *options]


def _fails(arguments: list[str], root: Path) -> tuple[bool, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # A hang may be what the mutant does, or a busy machine: for somebody to look at.
        raise Unusable(f"did not end within {LIMIT_S:g} s") from None
    said = (done.stdout + done.stderr).splitlines()
    lines = [line for line in said if line.startswith(("seed ", "FAILED", "E  "))]
    if any(slip in line for line in lines for slip in SLIPS):
        raise Unusable(f"does not run: {lines[0][:200]}")
    # Both exit with 1 when they found something and say what; otherwise they did not get so far.
    if done.returncode not in (0, 1) or (done.returncode == 1 and not lines):
        raise Unusable(f"{' '.join(arguments)} exited with {done.returncode}: {' '.join(said[-3:])[-300:]}")
    # pytest names the test that failed after all that it says about it.
    named = [line for line in lines if line.startswith("FAILED")] or lines
    return done.returncode == 1, named[0][:160] if named else ""


def choose(words: Sequence[str]) -> list[Mutant]:
    """Return the mutants that the words ask for, in the catalogue's order; all of them without any.

    Args:
        words: each the name of a mutant, a module or package, or a piece of a rule.

    Raises:
        ValueError: a word asks for no mutant.
    """
    chosen = set(MUTANTS) if not words else set()
    for word in words:
        found = {mutant for mutant in MUTANTS if _answers_to(mutant, word)}
        if not found:
            raise ValueError(f"no mutant has this name, module or rule: {word}")
        chosen |= found
    return [mutant for mutant in MUTANTS if mutant in chosen]


def _answers_to(mutant: Mutant, word: str) -> bool:
    inside = f"{mutant.module}.".startswith(f"{word}.")
    return mutant.name == word or inside or word.casefold() in mutant.rule.casefold()


def stale_in(mutants: Iterable[Mutant]) -> dict[str, str]:
    """Return {name of a mutant: why it does not fit the code, or nobody can be asked about it}."""
    stale = {}
    for mutant in mutants:
        try:
            mutant.source(ROOT)
            mutant.asked(ROOT)
        except Stale as error:
            stale[mutant.name] = str(error)
    return stale


def judge_all(mutants: Sequence[Mutant], seeds: int, jobs: int) -> list[Verdict]:
    """Judge mutants, a few at once; print each verdict as it comes, and who caught which at the end."""
    verdicts = []
    with ThreadPoolExecutor(jobs) as pool:
        for verdict in pool.map(lambda mutant: judge(mutant, seeds), mutants):
            verdicts.append(verdict)
            print(verdict, flush=True)
    print(f"\n{len(verdicts)} mutants:")
    for title, those in (
        ("caught by the simulation", [each for each in verdicts if each.caught_by == "simulation"]),
        ("caught by tests", [each for each in verdicts if each.caught_by == "tests"]),
        ("not judged", [each for each in verdicts if not each.judged]),
        ("not caught", [each for each in verdicts if each.judged and each.caught_by is None]),
    ):
        print(f"{len(those):4d} {title}: {', '.join(each.mutant.name for each in those) or 'none'}")
    return verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge all mutants, or those asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words", nargs="*", help="names, modules or packages, pieces of rules; all by default"
    )
    parser.add_argument(
        "--seeds", type=int, default=500, help="seeds that a mutant may survive before it counts as missed"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many are judged at once")
    parser.add_argument("--list", action="store_true", help="only say whether each still fits the code")
    options = parser.parse_args(arguments)
    try:
        chosen = choose(options.words)
    except ValueError as error:
        parser.error(str(error))
    stale = stale_in(chosen)
    for mutant in chosen if options.list else ():
        if mutant.name not in stale:
            print(f"{mutant.name:27s} {mutant.where}: {mutant.rule}")
    for why in stale.values():
        print(f"STALE {why}")
    if stale or options.list:
        return 2 if stale else 0
    try:
        check_unbroken(chosen)
    except Unusable as unusable:
        print(unusable)
        return 2
    verdicts = judge_all(chosen, options.seeds, options.jobs)
    if not all(each.judged for each in verdicts):
        return 2
    return 0 if all(each.caught_by for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
