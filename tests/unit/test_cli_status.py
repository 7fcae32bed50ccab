"""What `nvaha status` shows of a group in each way to stand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from nvaha.cli import render
from nvaha.cli.replies import GroupsReply
from nvaha.model import (
    Drift,
    GroupState,
    Guards,
    Health,
    LeaderRecord,
    Pause,
    Phase,
    Status,
    Switch,
    SwitchRequest,
    Trigger,
)

from .cli_fake_app import FakeApp, group, groups, now, run, running, state

STATES = (
    "healthy",
    "standby_down",
    "mid_switch",
    "switched",
    "failed",
    "drift",
    "paused",
    "held",
    "rival",
    "all_down",
    "unwatched",
    "unknown",
)


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


def stands(name: str) -> tuple[GroupState, tuple[str, ...]]:
    """Return a group in a state of that name, made now, and what has to be seen of it."""
    up = replace(state().nvas["nva1"], since=now() - timedelta(hours=3))
    down = replace(up, health=Health.DOWN, failures=12, confirmed=3, last_error="refused", latency_ms=None)
    dark = {"nva1": replace(down, since=now() - timedelta(minutes=7)), "nva2": up}
    switch = SwitchRequest(
        "edge-4-1", "edge", 4, 12, Trigger.FAILOVER, "nva2", "it fell", now(), "nvaha", source="nva1"
    )
    found: dict[str, tuple[GroupState, tuple[str, ...]]] = {
        "healthy": (state(nvas={"nva1": up, "nva2": up}), ("nva1 * up 3 h", "nva2 up 3 h")),
        "standby_down": (
            state(nvas={"nva1": up, "nva2": dark["nva1"]}),
            ("down 7 min", "refused", "mend it"),
        ),
        "mid_switch": (
            state(nvas=dark, phase=Phase.SWITCHING, switch=Switch(switch, progress_at=now())),
            ("nva1 → nva2", "edge-4-1", "nvaha status edge --watch"),
        ),
        "switched": (
            state(
                nvas=dark,
                active="nva2",
                guards=Guards(last_switch_at=now()),
                switch=Switch(switch, ended=Status.DONE),
            ),
            ("nva2 *", "nva1 is down", "hold-down"),
        ),
        "failed": (
            state(
                phase=Phase.UNKNOWN,
                wanted="nva2",
                blocked="not tried again before 12:00:15 UTC",
                switch=Switch(switch, ended=Status.FAILED),
            ),
            ("half moved", "12:00:15", "nvaha history edge", "nvaha failover edge --to nva2"),
        ),
        "drift": (
            state(drift=Drift(("r leads to nva2, should lead to nva1",), seen=2, drift_since=now())),
            ("r leads to nva2, should lead to nva1", "since", "nvaha failover edge --to nva1"),
        ),
        "paused": (
            state(nvas=dark, paused=True, pause=Pause("alice", now() - timedelta(hours=30), "an upgrade")),
            ("paused by alice since", "an upgrade", "nvaha resume edge", "nothing is switched"),
        ),
        "held": (state(hold="held by tag nvaha-hold = 'x' on NIC n"), ("'x' on NIC n", "remove the tag")),
        "rival": (state(rival="another monitor moves it"), ("another monitor", "--to nva1 --force")),
        "all_down": (
            state(nvas=dict.fromkeys(("nva1", "nva2"), down)),
            ("every NVA is down", "look at the NVAs"),
        ),
        "unwatched": (
            state(probed_at=now() - timedelta(minutes=7)),
            ("nobody has probed it since", "--force"),
        ),
        "unknown": (state(phase=Phase.UNKNOWN, active=None), ("not known", "say where")),
    }
    return found[name]


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize("name", STATES)
def test_status_shows_each_way_to_stand_with_what_to_do(name: str, columns: int) -> None:
    """Wide or narrow: the facts and the command, no line too long, and nothing of what is well."""
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    group_state, facts = stands(name)
    console.print(render.groups(GroupsReply.model_validate(groups(group_state)), now()))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= columns
    words = " ".join(text.split())
    assert [fact for fact in facts if fact not in words] == []
    assert ("→ " in words.replace("nva1 → nva2", ""), "runbook" in words) == (name != "healthy",) * 2


def test_an_app_that_gives_no_advice_hides_nothing(fake: FakeApp) -> None:
    """An older one: what it says is shown as it says it."""
    old = groups(replace(stands("paused")[0], hold="held by x", unread="503"))
    del old["advice"], old["groups"][0]["advice"]
    fake.says("GET /groups", old)
    output = run(fake, "status").stdout
    assert all(
        each in output for each in ("paused", "hold: held by x", "drift: Azure could not be read: 503")
    )


def test_resume_says_when_a_switch_really_comes(fake: FakeApp) -> None:
    """Not at once, where hold-down is in the way."""
    held = group(nvas=stands("paused")[0].nvas, guards=Guards(last_switch_at=now()))
    fake.says("POST /groups/edge/resume", held)
    output = " ".join(run(fake, "resume", "edge").stdout.split())
    assert f"hold-down after the last switch, until {now() + timedelta(seconds=60):%H:%M}" in output
    assert "nva1 is down" in output


@pytest.mark.parametrize("columns", [80, 160])
def test_no_leader_and_a_blind_one_are_told_above_the_groups(columns: int) -> None:
    """With what to do about each; what the group shows then is told apart from what a seeing one shows."""
    for leader, facts in (
        (LeaderRecord("monitor-1", 12, now() - timedelta(minutes=5)), ("NOT FRESH", "no monitor leads")),
        (
            LeaderRecord("monitor-1", 12, now(), blind=True),
            ("BLIND", "the monitor is blind", "traffic flows"),
        ),
    ):
        console = Console(file=io.StringIO(), width=columns, color_system=None)
        answer = groups(stands("all_down")[0], leader=leader)
        console.print(render.groups(GroupsReply.model_validate(answer), now()))
        assert isinstance(console.file, io.StringIO)
        words = " ".join(console.file.getvalue().split())
        assert [fact for fact in facts if fact not in words] == []
