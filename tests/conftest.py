"""Settings of the tests as a whole: which worker runs what, and what is said after them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# How long an example takes depends on what else the machine does; how many there are does not.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

MEASURED = "measured"
"""The name under which a test's properties hold a measurement: {what, seconds}."""

WHOLE_FILES = "whole_files"


FILLS = "fills"

WHOLE = (
    "tests/e2e/",
    "tests/page/",
    "tests/infra/test_replay.py",
    "tests/infra/test_two_workspaces.py",
    "tests/infra/test_lost_region.py",
)
"""Files that share what takes long to make: hosts' starts, a browser, hours that are replayed."""
IN_TIME = ("tests/e2e/", "tests/page/", "tests/integration/")
"""Tests of what goes on in real time: much of it is waiting, and none may be made to wait by others."""


class WholeStories(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each file of tests/e2e to one worker, longest first, and any other test to whoever is free.

    The stories of a file are told at the same time (tests/e2e/conftest.py); those of tests/page, given away
    whole as well, share a browser. pytest-xdist's own `xdist_group` has no effect on pytest 9.2: it writes to
    an attribute that items have no more.

    Of three workers the last one fills up what the two others leave of the machine while they wait: it is
    given what only takes a core, and gives way to them.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(WHOLE) else nodeid

    def _assign_work_unit(self, node: WorkerController) -> None:
        in_time = not fills(node)
        fitting = (scope for scope in self.workqueue if scope.startswith(IN_TIME) is in_time)
        first = next(fitting, None)
        if first is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


def fills(node: WorkerController) -> bool:
    """Tell whether a worker is the one that gives way to the others."""
    workers = node.config.getoption("numprocesses")
    return workers is not None and workers > 2 and node.gateway.id == f"gw{workers - 1}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Use our scheduler unless another one was asked for."""
    return WholeStories(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Let a worker know whether it gets whole files, and whether it gives way to the others."""
    node.workerinput[WHOLE_FILES] = node.config.getoption("dist") == "load"
    node.workerinput[FILLS] = fills(node)


def pytest_configure(config: pytest.Config) -> None:
    """Give way to the workers whose tests go on in real time."""
    if getattr(config, "workerinput", {}).get(FILLS) and hasattr(os, "nice"):
        os.nice(10)


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
