"""What the command says of a canary: in status, and against Azure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nvaha.cli import online
from nvaha.cli.failure import ExitCode
from nvaha.model import (
    CanaryRecord,
    CanarySpec,
    Configuration,
    GroupState,
    Guards,
    Phase,
    Resource,
    Status,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.operate.views import canary_view
from tests.fakes import Outside
from tests.fakes import run as run_in_virtual_time

from .cli_fake_app import FakeApp, groups, now, run, running
from .watch.test_canary import CANARY, table

SINCE = timedelta(hours=3)


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


def status_of(fake: FakeApp, **changes: Any) -> str:
    """Return what status prints with a canary whose last run ended well three hours ago, changed so."""
    ended = now() - SINCE
    request = SwitchRequest("canary-1-0", "canary", 1, 1, Trigger.CANARY, "second", "", ended, "nvaha")
    state = GroupState(
        "canary",
        phase=Phase.STEADY,
        active="second",
        switch=Switch(request, ended=Status.DONE),
        guards=Guards(last_switch_at=ended, ended_at=ended),
        canary=CanaryRecord(since=ended, seconds={"done": 2.5}),
    )
    daily = replace(CANARY, canary=CanarySpec())
    view = canary_view(daily, replace(state, **changes), now())
    fake.says("GET /groups", {**groups(), "canary": view})
    result = run(fake, "status")
    assert result.exit_code == ExitCode.DONE
    return str(result.stdout)


def test_status_says_when_it_was_switched_well_and_how_fast(fake: FakeApp) -> None:
    """One line, in words, below the groups."""
    line = next(each for each in status_of(fake).splitlines() if each.startswith("Canary"))
    assert "3 h" in line
    assert "2.5 s" in line
    assert "OVERDUE" not in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"guards": Guards(), "switch": None, "phase": Phase.UNKNOWN}, "not been switched well yet"),
        ({"paused": True}, "nvaha resume canary"),
        ({"phase": Phase.SWITCHING}, "a run is under way"),
        ({"canary": CanaryRecord(since=now(), error="403: denied")}, "403: denied"),
        ({"guards": Guards(last_switch_at=now() - timedelta(days=3))}, "OVERDUE"),
    ],
    ids=["new", "paused", "running", "failed", "overdue"],
)
def test_status_says_what_needs_attention(fake: FakeApp, changes: dict[str, Any], words: str) -> None:
    """What is wrong with the canary is said where operators look anyway."""
    assert words in status_of(fake, **changes)


@pytest.mark.parametrize(
    ("deployed", "good"),
    [(table(), True), (table("10.0.0.4"), False), (table(subnets=[{"id": "/subnets/web"}]), False)],
    ids=["as_deployed", "elsewhere", "in_use"],
)
def test_validate_online_refuses_a_table_that_could_carry_traffic(deployed: Resource, *, good: bool) -> None:
    """The same judgement as at run time, before anything runs, with its reason."""

    async def survey() -> tuple[online.Report, ...]:
        out = Outside()
        out.network.put_there(deployed)
        return await online.survey_all(Configuration((), canary=CANARY), out.network)

    (report,) = run_in_virtual_time(survey())
    assert (report.group, report.good) == ("canary", good)
    assert good or "a canary's" in " ".join(report.problems)
    assert online.exit_code([report]) is (ExitCode.DONE if good else ExitCode.REFUSED)
