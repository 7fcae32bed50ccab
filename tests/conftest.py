"""Settings of the tests as a whole, and what is said after them: measurements, and how to repeat an order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does; how many there are does not.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

MEASURED = "measured"
"""The name under which a test's properties hold a measurement: {what, seconds}."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever measures name a file."""
    parser.addoption(
        "--measurements",
        metavar="FILE",
        type=Path,
        help="append what tests measured to a file, as JSON lines",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was measured, and how to run failed tests in the same order again."""
    if hasattr(config, "workerinput"):
        # A worker of pytest-xdist: what it knows, the process that started it knows too.
        return
    reports = [each for many in terminalreporter.stats.values() for each in many]
    calls = [each for each in reports if isinstance(each, pytest.TestReport) and each.when == "call"]
    properties = [pair for each in calls for pair in each.user_properties]
    lines = [json.dumps(value) for name, value in properties if name == MEASURED]
    if lines:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(lines))
    if lines and (file := config.getoption("--measurements")):
        with file.open("a") as measurements:
            measurements.write("\n".join(lines) + "\n")
    seed = config.getoption("randomly_seed", None)
    if seed is not None and any(each.failed for each in calls):
        terminalreporter.write_line(f"The same order again: --randomly-seed={seed}")
