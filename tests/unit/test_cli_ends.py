"""However a command is cut off, it ends with a documented code and a sentence: real processes, signals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nvaha.cli import main
from nvaha.cli.failure import ExitCode
from nvaha.model import Status

from .cli_fake_app import FakeApp, Reply, group, groups, operation, plan, running

ROOT = Path(main.__file__).parents[2]
ID = "edge-4-1763820191123"
COMMAND = (sys.executable, "-m", "nvaha.cli")
FAILOVER = ("failover", "edge", "--to", "nva2", "--yes")
POST, FOLLOW = "POST /groups/edge/failover", f"GET /operations/{ID}"
STOP_S = 60.0
"""Longer than anything here takes; who waits so long has found a fault."""

AT_CALL = """
import runpy, signal, sys
number, calls = int(sys.argv.pop(1)), 0
def count(frame, event, _):
    global calls
    path = frame.f_code.co_filename
    if event == "call" and "/nvaha/cli/" in path and not path.endswith(("start.py", "__init__.py")):
        calls += 1
        if calls == number:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)
sys.setprofile(count)
sys.argv[0] = "nvaha"
from nvaha.cli.start import main
main()
"""
"""Runs the command and presses Ctrl-C at the so manieth call in it, the loading of its modules among them."""


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Let children hear Ctrl-C, also where these tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve an app with a group to move."""
    with running() as served:
        served.says("GET /groups", groups())
        served.says("GET /groups/edge", group())
        served.says("GET /groups/edge/plan", plan())
        served.says("GET /groups/edge/history", {"group": "edge", "operations": [operation(Status.DONE, 2)]})
        served.says("POST /groups/edge/pause", group(paused=True))
        served.says(POST, Reply(operation(), 202))
        served.says(FOLLOW, operation(Status.DONE, 2))
        yield served


def environ(fake: FakeApp) -> dict[str, str]:
    """Return the environment of a command that asks the fake app."""
    return {**os.environ, "NVAHA_URL": fake.url, "PYTHONPATH": str(ROOT), "COLUMNS": "150", "TERM": "xterm"}


def begun(fake: FakeApp, args: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    """Start a command."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen([*COMMAND, *args], env=environ(fake), text=True, cwd=ROOT, **streams)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return how a command ended, and what it said; never with a traceback."""
    try:
        out, err = process.communicate(timeout=STOP_S)
    finally:
        process.kill()
    said = f"{out or ''}{err or ''}"
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "Aborted" not in said
    return process.returncode, out or "", err or ""


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("status",), ExitCode.DONE),
        (("status", "--json"), ExitCode.DONE),
        (("status", "--help"), ExitCode.DONE),
        (("history", "edge"), ExitCode.DONE),
        (("pause", "edge"), ExitCode.DONE),
        (FAILOVER, ExitCode.DONE),
        ((*FAILOVER, "--wait"), ExitCode.DONE),
        (("status", "--limit"), ExitCode.USAGE),
    ],
)
def test_a_reader_that_has_left_changes_no_exit_code(
    fake: FakeApp, args: tuple[str, ...], code: ExitCode
) -> None:
    """With nobody at the other end of the pipe a command does what it was to do, and says no word of that."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found, _, err = ended(begun(fake, args, stdout=writer))
    finally:
        os.close(writer)
    assert found == code
    assert ("nobody reads" in err and ID in err) is (args[0] == "failover")


def test_an_operation_that_failed_is_not_lost_with_its_reader(fake: FakeApp) -> None:
    """The exit code and standard error tell how a failover ended, also where standard output is gone."""
    fake.says(FOLLOW, operation(Status.FAILED, 1, error="Azure said no"))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, _, err = ended(begun(fake, (*FAILOVER, "--wait"), stdout=writer))
    finally:
        os.close(writer)
    assert code == ExitCode.REFUSED
    assert "Azure said no" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("args", [("status", "--json"), FAILOVER])
def test_output_that_cannot_be_written_is_no_success(fake: FakeApp, args: tuple[str, ...]) -> None:
    """A full disk ends a command with 3 and the reason: who asked for a document has none."""
    with Path("/dev/full").open("w") as full:
        code, _, err = ended(begun(fake, args, stdout=full))
    assert code == ExitCode.NO_ANSWER
    assert "standard output could not be written: No space left on device" in err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("status",), ExitCode.DONE),
        (("failover", "edge", "--to", "nva2"), ExitCode.USAGE),
        ((*FAILOVER, "--wait"), ExitCode.DONE),
        (("status", "--watch"), ExitCode.USAGE),
        (("status", "nobody"), ExitCode.NO_ANSWER),
    ],
)
def test_closed_streams_change_no_exit_code(
    fake: FakeApp, args: tuple[str, ...], code: ExitCode, closed: str
) -> None:
    """A command that was started without standard input or output ends as it would have with them."""
    process = subprocess.Popen(
        ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, *args],
        env=environ(fake),
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert ended(process)[0] == code


def stopped(fake: FakeApp, args: Sequence[str], held: str) -> tuple[int, str, str]:
    """Press Ctrl-C while a request of the command has no answer yet; return how it ended."""
    never = threading.Event()
    fake.says(held, Reply(never))
    process = begun(fake, args)
    try:
        assert fake.held.wait(STOP_S)
        process.send_signal(signal.SIGINT)
        return ended(process)
    finally:
        never.set()


@pytest.mark.parametrize(
    ("args", "held", "said"),
    [
        (("status",), "GET /groups", "nothing was changed"),
        (("history", "edge"), "GET /groups/edge/history", "nothing was changed"),
        (FAILOVER, POST, "Whether the failover was started is not known"),
        ((*FAILOVER, "--wait"), FOLLOW, f"{ID} goes on by itself"),
        (("pause", "edge"), "POST /groups/edge/pause", "Whether edge is paused is not known"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_says_what_is_known(
    fake: FakeApp, args: tuple[str, ...], held: str, said: str, as_json: bool
) -> None:
    """Stopped during a request, a command ends with 130 and what is known of the outcome."""
    code, out, err = stopped(fake, [*args, *(["--json"] if as_json else [])], held)
    assert code == ExitCode.INTERRUPTED
    assert said in (json.loads(out)["error"]["message"] if as_json else err)
    if held == POST:
        [body] = fake.posts()
        assert f"--request-id {body['request_id']}" in f"{out}{err}"


def test_ctrl_c_at_the_question_asks_for_nothing(fake: FakeApp) -> None:
    """Stopped at the question, a failover ends with 130, says that nothing was asked for, and is right."""
    here, there = pty.openpty()
    process = begun(fake, ("failover", "edge", "--to", "nva2"), stdin=there, stdout=there)
    os.close(there)
    seen = b""
    try:
        while b"now? [y/N]" not in seen:
            seen += os.read(here, 4096)
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
    finally:
        process.kill()
        os.close(here)
    assert code == ExitCode.INTERRUPTED
    assert "nothing was asked for, nothing was changed" in err
    assert fake.posts() == []


def test_the_end_of_input_at_the_question_is_no(fake: FakeApp) -> None:
    """A terminal that says its input is over (Ctrl-D) has not said yes."""
    here, there = pty.openpty()
    process = begun(fake, ("failover", "edge", "--to", "nva2"), stdin=there, stdout=there)
    os.close(there)
    seen = b""
    try:
        while b"now? [y/N]" not in seen:
            seen += os.read(here, 4096)
        os.write(here, b"\x04")
        while b"nothing was changed" not in seen:
            seen += os.read(here, 4096)
        code, _, _ = ended(process)
    finally:
        process.kill()
        os.close(here)
    assert code == ExitCode.REFUSED
    assert fake.posts() == []


@pytest.mark.parametrize("number", [1, 3, 6, 10, 20, 35, 50, 65, 80, 120, 160])
def test_ctrl_c_at_any_call_ends_in_words(fake: FakeApp, number: int) -> None:
    """Stopped anywhere between its first line and its last, a failover says what is true of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_CALL, str(number), *FAILOVER, "--wait"],
        env=environ(fake),
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    code, out, err = ended(process)
    posts = fake.posts()
    if code == ExitCode.DONE:  # it had ended before, or was telling how
        assert "Done: edge is on nva2" in out
        return
    assert code == ExitCode.INTERRUPTED
    assert re.search("Error: (stopped|no longer followed)", err)
    if posts:
        assert "nothing was" not in err
        assert ID in err or posts[0]["request_id"] in err
