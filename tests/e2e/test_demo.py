"""The demo, from one command: kills the active NVA, measures, checks, and moves back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "nvaha.lab", "demo", "--profile", "fast"]
KEYS = {"detected_s", "requested_s", "first_write_s", "done_s", "outage_s", "verified"}


def test_the_demo_moves_traffic_and_back_and_says_how_long_it_took() -> None:
    """Both failovers are verified, and their figures come in the order in which things happen."""
    done = subprocess.run(
        [*COMMAND, "--json", "--back"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    back = figures.pop("back")
    assert set(figures) == KEYS
    assert figures.pop("verified") is True
    for each in (figures, back):
        assert 0 < each["detected_s"] <= each["requested_s"] <= each["first_write_s"] <= each["done_s"]
        assert each["first_write_s"] <= each["outage_s"]


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_an_interrupted_demo_leaves_nothing_behind() -> None:
    """After Ctrl-C no process that the demo started is left."""
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "✓ function app" in line:
                break
        started = _children(demo.pid)
        assert len(started) >= 2
        os.killpg(demo.pid, signal.SIGINT)
        said = demo.stdout.read()
        assert demo.wait(timeout=30) == 130, said
    until = time.monotonic() + 5
    while alive := [pid for pid in started if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < until, alive


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for thread in threads for each in (thread / "children").read_text().split()]
