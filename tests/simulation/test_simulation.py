"""Many seeds of the simulation, some twice; `NVAHA_SEEDS` sets how many."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import check
from tests.simulation.run import run

SEEDS = int(os.environ.get("NVAHA_SEEDS", "60"))
TWICE = 6
"""Of so many seeds one runs twice: what makes a run differ from another does so in most of them."""
BLOCKS = 20
"""Blocks of seeds are what the workers of a parallel test run share out."""
EVERYTHING_WITHIN = 60
EVERYTHING = (
    "crashes",
    "stalls",
    "edits by others",
    "writes",
    "done",
    "failed",
    "switches: failover",
    "switches: manual",
    "switches: repair",
)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_seed_breaks_a_rule(block: int) -> None:
    """Whatever goes wrong, safety holds, everything is right in the end, and a seed replays exactly."""
    broken = {}
    for seed in range(block, SEEDS, BLOCKS):
        _, violations, _, _ = check(seed, runs=1 if seed % TWICE else 2)
        if violations:
            broken[f"python -m tests.simulation --seed {seed} --verbose"] = violations
    assert broken == {}


def test_what_the_simulation_is_for_does_happen() -> None:
    """Few seeds see every kind of switch and end, crashes, stalls, and edits by others, each twice."""
    counts: Counter[str] = Counter()
    for seed in range(EVERYTHING_WITHIN):
        if all(counts[what] >= 2 for what in EVERYTHING):
            break
        counts.update(run(seed).counts)
    assert [what for what in EVERYTHING if counts[what] < 2] == []


def test_a_seed_is_the_same_in_every_process() -> None:
    """Neither hashes nor addresses in memory have a say."""
    digests = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "8"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.update(re.findall(r"log ([0-9a-f]{16})", done.stdout))
    assert len(digests) == 1
