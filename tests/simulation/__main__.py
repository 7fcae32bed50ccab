"""`python -m tests.simulation`: run many seeds, or replay one."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.knobs import FAULTS_WAITING, RULES_WAITING, WAITING
from tests.simulation.run import run

CHUNK = 5


def check(
    seed: int, runs: int, waiting: frozenset[str] = WAITING
) -> tuple[int, list[str], Counter[str], float]:
    """Run a seed as often as asked; return what broke, what was counted, and the virtual seconds."""
    first = run(seed, waiting)
    violations = list(first.violations)
    for _ in range(runs - 1):
        if run(seed, waiting).digest != first.digest:
            violations.append("the second run differs from the first")
    return seed, violations, first.counts, first.virtual_s


def many(
    seeds: range, jobs: int, runs: int, waiting: frozenset[str] = WAITING, *, fail_fast: bool = False
) -> tuple[dict[int, list[str]], Counter[str]]:
    """Run seeds in parallel; return the violations by seed, and what was counted in all."""
    failed: dict[int, list[str]] = {}
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(check, seeds, [runs] * len(seeds), [waiting] * len(seeds), chunksize=CHUNK)
        for seed, violations, counted, virtual_s in results:
            counts.update(counted)
            counts["virtual seconds"] += int(virtual_s)
            if violations:
                failed[seed] = violations
                print(f"seed {seed}: {violations[0]}", flush=True)
                if fail_fast:
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
    return failed, counts


def _replay(seed: int, waiting: frozenset[str], *, verbose: bool) -> int:
    result = run(seed, waiting)
    print(f"seed {seed}: {result.knobs}")
    if verbose:
        print("\n".join(result.log))
    print(f"{result.virtual_s:.0f} virtual seconds, log {result.digest[:16]}, {dict(result.counts)}")
    for violation in result.violations:
        print(f"VIOLATED {violation}")
    return 1 if result.violations else 0


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one seed")
    parser.add_argument("--runs", type=int, default=2, help="runs of each seed; their logs are compared")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first seed that breaks a rule")
    parser.add_argument("--verbose", action="store_true", help="print the log of a replayed seed")
    parser.add_argument(
        "--enforce", nargs="+", default=[], metavar="NAME", help="what waits: names, `faults`, `rules`, `all`"
    )
    arguments = parser.parse_args()
    kinds = {"all": WAITING, "faults": FAULTS_WAITING, "rules": RULES_WAITING}
    waiting = WAITING.difference(*(kinds.get(each, {each}) for each in arguments.enforce))
    if arguments.seed is not None:
        return _replay(arguments.seed, waiting, verbose=arguments.verbose)
    started = time.perf_counter()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    failed, counts = many(seeds, arguments.jobs, arguments.runs, waiting, fail_fast=arguments.fail_fast)
    took = time.perf_counter() - started
    for what, number in sorted(counts.items()):
        print(f"{number:10d} {what}")
    print(f"{len(seeds)} seeds, {len(failed)} broke a rule, {took:.1f} s")
    for seed in failed:
        print(f"replay with: python -m tests.simulation --seed {seed} --verbose")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
