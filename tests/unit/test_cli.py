"""The `nvaha` command against an app on loopback: what it looks at, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from nvaha.cli import look, main, render
from nvaha.cli.failure import ExitCode
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.replies import GroupsReply
from nvaha.cli.words import age
from nvaha.model import Drift, Guards, Health, InstanceRecord, LeaderRecord, Status
from nvaha.operate.views import group_view

from .cli_fake_app import (
    GROUP,
    FakeApp,
    Json,
    Reply,
    document,
    error,
    group,
    groups,
    now,
    operation,
    plan,
    run,
    running,
    state,
)


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


def test_status_says_what_matters(fake: FakeApp) -> None:
    """Health is in words, and paused, blocked and drifted groups are named with their sentence."""
    down = replace(state().nvas["nva1"], health=Health.DOWN, failures=12, last_error="connection refused")
    nvas = {**state().nvas, "nva1": down}
    ailing = state(
        paused=True, blocked="no other NVA is up", nvas=nvas, drift=Drift(("route default is off",))
    )
    fake.says("GET /groups", groups(ailing))
    result = run(fake, "status")
    assert result.exit_code == ExitCode.DONE
    for words in (
        "monitor-1 (epoch 12)",
        "nva1 *",
        "down",
        "12",
        "connection refused",
        "paused",
        "no other NVA is up",
        "route default is off",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_status_fits_the_terminal(columns: int) -> None:
    """No line is wider than the terminal, and names, health and errors stay in one piece on it."""
    ailing = replace(
        state().nvas["nva1"], health=Health.DOWN, failures=12, last_error="timed out after 1.0 s"
    )
    answer = groups(state(nvas={**state().nvas, "nva1": ailing}, guards=Guards(last_switch_at=now())))
    names = {"nva1": "ha-nva-vm1", "nva2": "ha-nva-vm2"}
    for each in answer["groups"]:
        each.update(active=names["nva1"], target=names["nva2"], phase="switching")
        for nva in each["nvas"]:
            nva["name"] = names[nva["name"]]
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    console.print(render.groups(GroupsReply.model_validate(answer), now()))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    for words in (
        "ha-nva-vm1 *  down",
        "ha-nva-vm2    up",
        "ha-nva-vm1 → ha-nva-vm2",
        "timed out after 1.0 s",
    ):
        assert any(words in line for line in lines), words


def test_status_tells_who_stands_by_and_what_is_in_the_way(fake: FakeApp) -> None:
    """One that could lead, one that decides otherwise, one that was blind, one unanswered, one gone."""
    well = InstanceRecord(
        "b", now(), version="9.9", configuration="c-p", campaign_at=now(), asked=6, answered=4
    )
    fake.says(
        "GET /groups",
        groups(
            instances=(
                replace(well, instance="monitor-1"),
                well,
                replace(well, instance="c", configuration="c-q"),
                replace(well, instance="d", abstains=True),
                replace(well, instance="e", campaign_at=None, asked=0),
                replace(well, instance="f", written_at=now() - timedelta(minutes=5)),
            )
        ),
    )
    lines = [line for line in run(fake, "status").stdout.splitlines() if line.startswith(("Standby", "Gone"))]
    assert [line.split()[1] for line in lines] == ["b", "c", "d", "e", "f"]
    assert "(9.9)" in lines[0]
    assert "4 of 6" in lines[0]
    assert [("COULD NOT LEAD" in line, "CONFIGURATION" in line, "blind" in line) for line in lines[:4]] == [
        (False, False, False),
        (False, True, False),
        (False, False, True),
        (True, False, False),
    ]
    assert lines[4].startswith("Gone f")


def test_status_tells_that_nobody_stands_by_any_more(fake: FakeApp) -> None:
    """A leader that is alone where it was not is shown as that, for one group as for all."""
    alone = LeaderRecord("monitor-1", 12, now(), alone=True)
    fake.says("GET /groups", groups(leader=alone))
    fake.says("GET /groups/edge", group())
    assert "NO STANDBY" in run(fake, "status").stdout
    assert "NO STANDBY" in run(fake, "status", "edge").stdout


def test_status_names_a_leader_that_is_not_fresh(fake: FakeApp) -> None:
    """A leader whose round is old is shown with the time since when."""
    old = LeaderRecord("monitor-1", 12, now() - timedelta(minutes=5), blind=True)
    fake.says("GET /groups", groups(leader=old))
    output = run(fake, "status").stdout
    assert f"{old.round_at:%H:%M:%S}" in output
    assert "NOT FRESH" in output
    assert "BLIND" in output


@pytest.mark.parametrize("answer", [{"leader": None, "groups": []}, {"leader": None, "groups": [group()]}])
def test_status_without_a_leader(fake: FakeApp, answer: Json) -> None:
    """An app in which nothing has run yet is shown as that."""
    fake.says("GET /groups", answer)
    result = run(fake, "status")
    assert result.exit_code == ExitCode.DONE
    assert "No leader" in result.stdout


def test_status_of_one_group_shows_its_last_operation(fake: FakeApp) -> None:
    """One group comes with its last operation, the steps and what was left undone."""
    failed = operation(Status.FAILED, 1, error="not done within 600 s", unfinished=("public IP is loose",))
    fake.says("GET /groups", groups())
    fake.says("GET /groups/edge", group(failed))
    output = run(fake, "status", "edge").stdout
    assert "edge-4-1763820191123" in output
    assert "not done within 600 s" in output
    assert "public IP is loose" in output


def test_ages_are_by_the_apps_clock() -> None:
    """An age counts from the app's time, and a time to come is no age below zero."""
    then = datetime(2025, 1, 1, tzinfo=UTC)
    assert age(then, then + timedelta(minutes=5)) == "5 min ago"
    assert age(then, then - timedelta(minutes=5)) == "0 s ago"
    assert age(None, then) == "never"


@pytest.mark.parametrize(
    ("call", "args"),
    [
        ("GET /groups", ("status",)),
        ("GET /groups/edge", ("status", "edge")),
        ("GET /groups/edge/plan", ("plan", "edge", "--to", "nva2")),
        ("GET /groups/edge/history", ("history", "edge")),
        ("POST /groups/edge/pause", ("pause", "edge", "--reason", "work")),
        ("POST /groups/edge/resume", ("resume", "edge")),
    ],
)
def test_json_is_the_apps_own_document(fake: FakeApp, call: str, args: tuple[str, ...]) -> None:
    """With --json stdout is exactly what the app answered, and stderr is empty."""
    answers: dict[str, Json] = {
        "GET /groups": groups(),
        "GET /groups/edge": group(operation()),
        "GET /groups/edge/plan": plan(),
        "GET /groups/edge/history": {"group": "edge", "operations": [operation(Status.DONE, 2)]},
        "POST /groups/edge/pause": group(paused=True),
        "POST /groups/edge/resume": group(),
    }
    fake.says(call, {**answers[call], "new_in_a_later_version": [1, "\x1b[2J"]})
    result = run(fake, *args, "--json")
    assert result.exit_code == ExitCode.DONE
    assert document(result) == {**answers[call], "new_in_a_later_version": [1, "\x1b[2J"]}
    assert result.stderr == ""
    assert result.stdout.isascii()


def test_a_refusal_is_shown_as_the_app_says_it(fake: FakeApp) -> None:
    """The app's sentence reaches a person unchanged, and a program with its code."""
    text = "there is no group 'edge'; configured are: core"
    fake.says("*", Reply(error("unknown_group", text), 404))
    result = run(fake, "status", "edge")
    assert result.exit_code == ExitCode.REFUSED
    assert text in result.stderr
    assert result.stdout == ""
    as_json = run(fake, "status", "edge", "--json")
    assert as_json.exit_code == ExitCode.REFUSED
    assert document(as_json)["error"] == {"code": "unknown_group", "message": text, "details": []}


def test_what_a_server_sends_cannot_move_the_terminal(fake: FakeApp) -> None:
    """Control characters and turned writing directions are printed as what they are, and do nothing."""
    evil = group_view(GROUP, state(blocked="\x1b[2Jall is well\r\n\u202e\x9b31m", active="nva1"), None, now())
    fake.says("GET /groups", {**groups(), "groups": [evil]})
    result = run(fake, "status")
    assert result.exit_code == ExitCode.DONE
    assert not {"\x1b", "\r", "\u202e", "\x9b"} & set(result.stdout)
    assert r"\x1b[2Jall is well\r\n\u202e\x9b31m" in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("status", "--watch", "--json"),
        ("status", "--watch"),
        ("status", ".."),
        ("history", "edge", "--limit", "0"),
        ("failover", "edge", "--to", "nva2"),
        ("plan", "edge"),
        ("nonsense",),
        ("status", "--nonsense"),
        ("failover",),
    ],
)
def test_what_is_typed_wrong_ends_with_2(fake: FakeApp, args: tuple[str, ...]) -> None:
    """Usage errors end with 2 and change nothing; with --json they are JSON too."""
    fake.says("GET /groups/edge", group())
    assert run(fake, *args).exit_code == ExitCode.USAGE
    as_json = run(fake, *args, "--json")
    assert as_json.exit_code == ExitCode.USAGE
    assert document(as_json)["error"]["code"] == "usage"
    assert fake.posts() == []


def test_plan_without_a_target_names_the_candidates(fake: FakeApp) -> None:
    """Without --to, the NVAs that could be named are, and the one that is up first."""
    fake.says("GET /groups/edge", group())
    result = run(fake, "plan", "edge")
    assert "nva2 (up)" in result.stderr
    assert "nvaha plan edge --to nva2" in result.stderr


def test_plan_shows_what_forbids_it(fake: FakeApp) -> None:
    """A plan shows each step, and why a failover would be refused now."""
    fake.says("GET /groups/edge/plan", plan("nva2 is not up: it has not been probed yet"))
    result = run(fake, "plan", "edge", "--to", "nva2")
    assert result.exit_code == ExitCode.DONE
    assert "default (0.0.0.0/0)" in result.stdout
    assert "nva2 is not up" in result.stdout
    assert fake.seen[0].path == "/api/groups/edge/plan?to=nva2"


def test_a_rival_and_a_hold_are_shown_with_their_sentences(fake: FakeApp) -> None:
    """Status says both, once each though nothing starts because of them; a plan says that it is held."""
    said = state(rival="another monitor moves it", hold="held by a tag", blocked="held by a tag")
    fake.says("GET /groups", groups(said))
    output = " ".join(run(fake, "status").stdout.split())
    assert (output.count("another monitor moves it"), output.count("held by a tag")) == (1, 1)
    fake.says("GET /groups/edge/plan", {**plan(None), "hold": "held by a tag"})
    output = run(fake, "plan", "edge", "--to", "nva2").stdout
    assert "held by a tag" in output
    assert "nothing forbids it now" in output


def test_history_tells_each_story(fake: FakeApp) -> None:
    """History shows who, why, how it ended and what was left undone."""
    failed = operation(Status.FAILED, 1, error="not done within 600 s", unfinished=("public IP is loose",))
    fake.says(
        "GET /groups/edge/history", {"group": "edge", "operations": [operation(Status.DONE, 2), failed]}
    )
    output = run(fake, "history", "edge", "--limit", "2").stdout
    for words in ("maintenance of nva1", "alice on jump", "done in", "failed in", "public IP is loose"):
        assert words in output
    assert fake.seen[0].path.endswith("?limit=2")


@pytest.mark.parametrize("operations", [[], [operation(Status.DONE, 2)]])
def test_history_names_what_cannot_be_read(fake: FakeApp, operations: list[dict[str, Any]]) -> None:
    """One row hides itself and nothing else, and a group with such a row was not never switched."""
    said = {"group": "edge", "operations": operations, "unreadable": ["row edge/1 cannot be read"]}
    fake.says("GET /groups/edge/history", said)
    output = run(fake, "history", "edge").stdout
    assert "row edge/1 cannot be read" in output
    assert "never been switched" not in output
    assert ("alice on jump" in output) is bool(operations)


@pytest.mark.parametrize(("call", "paused"), [("pause", True), ("resume", False)])
def test_pause_and_resume(fake: FakeApp, call: str, paused: bool) -> None:
    """Both send the reason, and believe only an answer that shows the group as asked for."""
    fake.says(f"POST /groups/edge/{call}", group(paused=paused), group(paused=not paused))
    assert run(fake, call, "edge", "--reason", "work").exit_code == ExitCode.DONE
    assert fake.posts() == [{"reason": "work"}]
    assert run(fake, call, "edge").exit_code == ExitCode.REFUSED


def test_watching_survives_silence() -> None:
    """While the app is silent the screen says so above the last picture, and recovers by itself."""
    moments: list[Any] = [("first", None), (None, "reset"), ("third", None)]
    frames = io.StringIO()
    console = Console(file=frames, force_terminal=True, width=100, height=20, color_system=None)

    def take() -> tuple[Text, datetime]:
        picture, trouble = moments.pop(0)
        if trouble:
            raise NoAnswer("connection_lost", trouble, passing=True, maybe_done=True)
        return Text(picture), now()

    look.keep_drawing(console, "http://127.0.0.1/api", take, [None] * 3, lambda: 7.0)
    _, one, two, three = frames.getvalue().split("nvaha status of")
    assert "first" in one
    assert "No answer" in two
    assert "first" in two
    assert "third" in three
    assert "No answer" not in three


def test_each_silence_is_counted_from_its_own_beginning() -> None:
    """What was silent hours ago and answered since has nothing to do with the silence of now."""
    troubles, times = ["", "reset", "", "reset", "reset"], iter([100.0, 100.0, 10_000.0, 10_000.0, 10_030.0])
    frames = io.StringIO()
    console = Console(file=frames, force_terminal=True, width=100, height=20, color_system=None)

    def take() -> tuple[Text, datetime]:
        if trouble := troubles.pop(0):
            raise NoAnswer("connection_lost", trouble, passing=True, maybe_done=True)
        return Text("picture"), now()

    look.keep_drawing(console, "http://127.0.0.1/api", take, [None] * 5, lambda: next(times))
    assert re.findall(r"No answer for ([^:]+):", frames.getvalue()) == ["0.0 s", "0.0 s", "30 s"]


def test_watching_ends_when_it_cannot_begin() -> None:
    """What will not mend itself, such as a wrong key, ends the watch at once."""

    def take() -> tuple[Text, datetime]:
        raise NoAnswer("key", "wrong key", passing=False, maybe_done=False)

    with pytest.raises(NoAnswer):
        look.keep_drawing(Console(file=io.StringIO()), "", take, [None] * 3)


def test_the_lab_is_missed_kindly(fake: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lab's modules, its commands say what is missing."""
    monkeypatch.setattr(main, "LAB_MODULE", "nvaha.lab.not_there")
    result = run(fake, "lab", "demo", "--port", "1")
    assert result.exit_code == ExitCode.REFUSED
    assert "lab" in result.stderr


def test_version_loads_next_to_nothing() -> None:
    """The version is told without loading Azure's libraries, HTTP or tables."""
    code = (
        "import sys; from nvaha.cli.main import app\n"
        "try: app(['--version'])\n"
        "finally: assert not {'azure', 'requests', 'pydantic', 'aiohttp'} & set(sys.modules), sys.modules"
    )
    root = Path(main.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nvaha ")
