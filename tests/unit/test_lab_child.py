"""Ending a program that the lab has started."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from nvaha.lab.stage.child import end

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
ORDERLY = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends every process at once")
@pytest.mark.parametrize(
    ("program", "asking_s", "code"),
    [(ORDERLY, 60.0, 7), (ORDERLY, 0.0, -signal.SIGKILL), (STUBBORN, 0.05, -signal.SIGKILL)],
)
def test_a_process_is_asked_first_and_ended_in_any_case(program: str, asking_s: float, code: int) -> None:
    """One that answers ends as it wants to; one that does not, or is not to be asked, is killed."""
    running = f"{program}; print(flush=True)\nwhile True: time.sleep(0.05)"
    with subprocess.Popen([sys.executable, "-c", running], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        asyncio.run(end(process, asking_s=asking_s))
        assert process.returncode == code


def test_what_has_ended_or_never_started_is_left_alone() -> None:
    """Ending nothing, or the same process twice, does no harm."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        for each in (process, None):
            asyncio.run(end(each, asking_s=1.0))
        assert process.returncode == 0
