"""What people on call type: at a time to come, for a while, from the active NVA, in the form they need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from nvaha.cli import act, client
from nvaha.cli.failure import ExitCode
from nvaha.cli.main import app
from nvaha.core.inputs import Survey, Tagged
from nvaha.model import Health, NvaState, Scheduled, Status
from nvaha.operate.views import check_view

from .cli_fake_app import (
    DROP,
    GROUP,
    KEY,
    FakeApp,
    Json,
    Reply,
    error,
    group,
    groups,
    now,
    operation,
    plan,
    running,
    state,
)

POST = "POST /groups/edge/failover"
AT = datetime(2026, 12, 1, 2, tzinfo=UTC)
WAITING = Scheduled("nva2", AT, "alice", AT - timedelta(days=1), reason="maintenance", source="nva1")
TO_NVA2 = ("failover", "edge", "--to", "nva2")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApp]:
    """Serve an app with a group to move, and let the command wait for nothing."""
    monkeypatch.setattr(client, "TRIES_AFTER_S", (0.0, 0.0, 0.0, 0.0))
    with running() as served:
        served.says("GET /groups", groups(state(scheduled=WAITING)))
        served.says("GET /groups/edge", group())
        served.says("GET /groups/edge/plan", plan())
        served.says("GET /groups/edge/history", _history("edge"))
        served.says("GET /history", _history(None))
        served.says("GET /groups/edge/check", check())
        served.says("POST /groups/edge/cancel", group())
        yield served


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a person to ask."""
    monkeypatch.setattr(act, "on_terminal", lambda: True)


def run(fake: FakeApp, *args: str, typed: str = "") -> Any:
    """Run the command against the fake app."""
    environ = {"NVAHA_URL": fake.url, "NVAHA_KEY": KEY, "COLUMNS": "200"}
    result = CliRunner().invoke(app, list(args), env=environ, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert KEY not in result.output
    return result


def check(*, off: tuple[str, ...] = (), unanswered: tuple[str, ...] = ()) -> Json:
    """Return what GET /groups/edge/check answers."""
    survey = Survey(
        {"nva1": 1}, {}, {"nva1": off, "nva2": ("route default is elsewhere",)}, unanswered=unanswered
    )
    return check_view(GROUP, state(), survey, Tagged(), now())


def _history(name: str | None) -> Json:
    return {"group": name, "operations": [operation(Status.DONE, 2)], "unreadable": []}


class TestAtATimeToCome:
    """`nvaha failover --at`, `nvaha scheduled`, `nvaha cancel`."""

    @pytest.mark.parametrize(
        ("typed", "sent"),
        [
            ("2026-12-01T02:00:00Z", "2026-12-01T02:00:00+00:00"),
            ("2026-12-01 04:00+02:00", "2026-12-01T02:00:00+00:00"),
        ],
    )
    def test_it_is_asked_for_in_utc_and_shown_with_how_to_cancel_it(
        self, fake: FakeApp, typed: str, sent: str
    ) -> None:
        """There is nothing to follow yet."""
        fake.says(POST, Reply(group(scheduled=WAITING), 202))
        result = run(fake, *TO_NVA2, "--at", typed, "--from", "nva1", "--yes")
        assert result.exit_code == ExitCode.DONE
        [body] = fake.posts()
        assert {"to": "nva2", "at": sent, "from": "nva1"}.items() <= body.items()
        assert "2026-12-01 02:00:00 UTC" in result.stdout
        assert "nvaha cancel edge" in result.stdout

    @pytest.mark.parametrize("typed", ["2026-12-01T02:00:00", "tonight", "0001-01-01T00:00:00+14:00"])
    def test_a_time_that_nobody_can_be_sure_of_is_not_sent(self, fake: FakeApp, typed: str) -> None:
        """The remedy says how a zone is written."""
        result = run(fake, *TO_NVA2, "--at", typed, "--yes")
        assert (result.exit_code, fake.seen) == (ExitCode.USAGE, [])

    @pytest.mark.parametrize("more", ["--force", "--wait"])
    def test_what_makes_no_sense_then_is_not_sent(self, fake: FakeApp, more: str) -> None:
        """Nothing is forced ahead, and nothing can be followed yet."""
        result = run(fake, *TO_NVA2, "--at", "2026-12-01T02:00:00Z", "--yes", more)
        assert (result.exit_code, fake.seen) == (ExitCode.USAGE, [])

    @pytest.mark.usefixtures("terminal")
    def test_a_person_is_asked_with_its_time_whatever_forbids_it_now(self, fake: FakeApp) -> None:
        """An NVA that is being mended tonight may be up by then."""
        fake.says("GET /groups/edge/plan", plan("nva2 is not up"))
        fake.says(POST, Reply(group(scheduled=WAITING), 202))
        result = run(fake, *TO_NVA2, "--at", "2026-12-01T02:00:00Z", typed="y\n")
        assert result.exit_code == ExitCode.DONE
        assert "Move edge to nva2 at 2026-12-01 02:00:00 UTC?" in result.stdout

    def test_a_lost_reply_repeats_the_same_request(self, fake: FakeApp) -> None:
        """By its id it schedules once; and where no reply comes at all, it is said how to ask again."""
        fake.says(POST, Reply(DROP))
        result = run(fake, *TO_NVA2, "--at", "2026-12-01T02:00:00Z", "--yes")
        assert result.exit_code == ExitCode.NO_ANSWER
        assert len({json.dumps(body) for body in fake.posts()}) == 1
        assert "--at 2026-12-01T02:00:00+00:00 --request-id" in result.stderr

    def test_an_app_that_has_not_scheduled_it_is_not_believed(self, fake: FakeApp) -> None:
        """Nobody sleeps on a failover that nobody will begin."""
        fake.says(POST, Reply(group(), 202))
        assert run(fake, *TO_NVA2, "--at", "2026-12-01T02:00:00Z", "--yes").exit_code == ExitCode.REFUSED

    def test_what_is_scheduled_is_listed_and_in_the_status(self, fake: FakeApp) -> None:
        """With who asked for it and how to cancel it."""
        for words in (("scheduled",), ("status",)):
            shown = run(fake, *words).stdout
            assert "from nva1 to nva2 at 2026-12-01 02:00:00 UTC, by alice" in shown
            assert "nvaha cancel edge" in shown
        fake.says("GET /groups", groups())
        assert "Nothing" in run(fake, "scheduled").stdout

    def test_cancelling(self, fake: FakeApp) -> None:
        """What was cancelled is scheduled no more; what is not there any more is no success."""
        assert run(fake, "cancel", "edge", "--reason", "not tonight").exit_code == ExitCode.DONE
        assert fake.posts() == [{"reason": "not tonight"}]
        fake.says("POST /groups/edge/cancel", Reply(error("not_scheduled", "see whether it was begun"), 409))
        late = run(fake, "cancel", "edge")
        assert late.exit_code == ExitCode.REFUSED
        assert "see whether it was begun" in late.stderr
        fake.says("POST /groups/edge/cancel", group(scheduled=WAITING))
        assert run(fake, "cancel", "edge").exit_code == ExitCode.REFUSED


class TestForAWhile:
    """`nvaha pause --for`."""

    def test_it_says_until_when(self, fake: FakeApp) -> None:
        """By the app's own answer."""
        fake.says("POST /groups/edge/pause", group(paused=True, paused_until=AT))
        result = run(fake, "pause", "edge", "--for", "2h")
        assert (result.exit_code, fake.posts()) == (ExitCode.DONE, [{"reason": "", "for": "2h"}])
        assert "2026-12-01 02:00:00 UTC" in result.stdout

    def test_a_longer_pause_is_not_hidden(self, fake: FakeApp) -> None:
        """One that has no end stays without one."""
        fake.says("POST /groups/edge/pause", group(paused=True))
        assert "without an end" in run(fake, "pause", "edge", "--for", "2h").stdout


class TestWhereTo:
    """`nvaha failover` without --to."""

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize("typed", ["1\ny\n", "NVA2\ny\n"])
    def test_a_person_chooses_among_those_that_are_up(self, fake: FakeApp, typed: str) -> None:
        """By number or by name; the plan and the question follow as ever."""
        fake.says(POST, Reply(operation(Status.DONE, 2), 202))
        result = run(fake, "failover", "edge", typed=typed)
        assert result.exit_code == ExitCode.DONE
        assert "Plan: edge to nva2" in result.stdout
        assert fake.posts()[0]["to"] == "nva2"

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize("typed", ["\n", "", "0\n", "2\n", "nva1\n", "-1\n", "²\n"])
    def test_what_is_none_of_them_is_none(self, fake: FakeApp, typed: str) -> None:
        """Nothing is guessed."""
        result = run(fake, "failover", "edge", typed=typed)
        assert (result.exit_code, fake.posts()) == (ExitCode.REFUSED, [])

    @pytest.mark.usefixtures("terminal")
    def test_with_nobody_up_there_is_nothing_to_choose(self, fake: FakeApp) -> None:
        """Whoever insists names one, and says --force."""
        nvas = {**state().nvas, "nva2": NvaState(Health.DOWN)}
        fake.says("GET /groups/edge", group(nvas=nvas))
        result = run(fake, "failover", "edge")
        assert (result.exit_code, fake.posts()) == (ExitCode.USAGE, [])
        assert "nva2 (down)" in result.stderr

    @pytest.mark.parametrize("more", [("--yes",), ("--json",)])
    def test_a_script_gets_the_list(self, fake: FakeApp, more: tuple[str, ...]) -> None:
        """It is asked nothing."""
        result = run(fake, "failover", "edge", *more, typed="1\n")
        assert (result.exit_code, fake.posts()) == (ExitCode.USAGE, [])
        assert "nva2 (up)" in result.output


LOOKS = (
    ("status",),
    ("status", "edge"),
    ("plan", "edge", "--to", "nva2"),
    ("history", "edge"),
    ("history",),
    ("check", "edge"),
    ("scheduled",),
)


class TestForms:
    """`--output` of whatever looks."""

    @pytest.mark.parametrize("words", LOOKS, ids=" ".join)
    def test_json_and_yaml_say_the_same_and_tsv_has_lines_of_equal_length(
        self, fake: FakeApp, words: tuple[str, ...]
    ) -> None:
        """One document each; a line has no more tabs than the others."""
        as_json = run(fake, *words, "--json")
        assert as_json.exit_code == ExitCode.DONE
        assert json.loads(run(fake, *words, "--output", "json").stdout) == json.loads(as_json.stdout)
        assert yaml.safe_load(run(fake, *words, "--output", "yaml").stdout) == json.loads(as_json.stdout)
        lines = run(fake, *words, "--output", "TSV").stdout.splitlines()
        assert lines
        assert len({line.count("\t") for line in lines}) == 1
        assert "edge" in run(fake, *words, "--output", "table").stdout

    def test_a_text_of_the_apps_ends_no_cell_and_no_line(self, fake: FakeApp) -> None:
        """Whatever stands in it."""
        fake.says(
            "GET /groups/edge/plan",
            {**plan(), "steps": [{"kind": "a\tb", "resource_id": "r", "detail": "x\ny"}]},
        )
        [line] = run(fake, "plan", "edge", "--to", "nva2", "--output", "tsv").stdout.splitlines()
        assert line.count("\t") == 2

    def test_forms_that_contradict_each_other_are_refused(self, fake: FakeApp) -> None:
        """Nothing is asked for."""
        for more in (("--json", "--output", "tsv"), ("--watch", "--output", "yaml"), ("--output", "xml")):
            assert run(fake, "status", *more).exit_code == ExitCode.USAGE
        assert fake.seen == []

    @pytest.mark.parametrize("more", [("--output", "yaml"), ("--output=json",), ("--json",)])
    def test_what_goes_wrong_is_a_document_too(self, fake: FakeApp, more: tuple[str, ...]) -> None:
        """In the form that was asked for."""
        fake.says("GET /groups", Reply(error("storage_unavailable", "no answer"), 503))
        result = run(fake, "status", *more)
        assert result.exit_code == ExitCode.NO_ANSWER
        assert yaml.safe_load(result.stdout)["error"]["code"] == "storage_unavailable"

    def test_the_history_of_all_says_whose_each_is(self, fake: FakeApp) -> None:
        """And that of one does not."""
        assert "edge  nva1 → nva2" in run(fake, "history").stdout
        assert "edge  nva1 → nva2" not in run(fake, "history", "edge").stdout


class TestCheck:
    """`nvaha check`."""

    @pytest.mark.parametrize(
        ("answer", "code", "words"),
        [
            (check(), ExitCode.DONE, "agrees"),
            (check(off=("route default from 10.0.0.101",)), ExitCode.REFUSED, "differs: route default"),
            (check(unanswered=("table is away",)), ExitCode.NO_ANSWER, "gave no answer: table is away"),
        ],
    )
    def test_the_exit_code_says_whether_it_agrees(
        self, fake: FakeApp, answer: Json, code: ExitCode, words: str
    ) -> None:
        """What differs is a definite no, what could not be read is no answer; in every form."""
        fake.says("GET /groups/edge/check", answer)
        shown = run(fake, "check", "edge")
        assert (shown.exit_code, words in shown.stdout) == (code, True)
        assert run(fake, "check", "edge", "--json").exit_code == code
