"""`nvaha failover`: one request, however often it is sent, followed to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from nvaha.cli import act, client
from nvaha.cli.failure import ExitCode
from nvaha.cli.main import app
from nvaha.cli.no_answer import NoAnswer
from nvaha.model import Health, Status

from .cli_fake_app import DROP, KEY, FakeApp, Reply, error, group, groups, operation, plan, running, state

ID = "edge-4-1763820191123"
TO_NVA2 = ("failover", "edge", "--to", "nva2")
POST = "POST /groups/edge/failover"
FOLLOW = f"GET /operations/{ID}"
ACCEPTED = Reply(operation(), 202)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApp]:
    """Serve an app with a group to move, and let the command wait for nothing."""
    monkeypatch.setattr(client, "TRIES_AFTER_S", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(act, "POLL_S", 0.0)
    with running() as served:
        served.says("GET /groups/edge", group())
        served.says("GET /groups/edge/plan", plan())
        served.says(POST, ACCEPTED)
        served.says(
            FOLLOW, operation(Status.RUNNING), operation(Status.RUNNING, 1), operation(Status.DONE, 2)
        )
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


@pytest.mark.usefixtures("terminal")
def test_a_person_sees_the_plan_says_yes_and_sees_the_end(fake: FakeApp) -> None:
    """On a terminal the plan comes first, then the question, then every step to the end."""
    result = run(fake, *TO_NVA2, "--reason", "work", typed="y\n")
    assert result.exit_code == ExitCode.DONE
    output = result.stdout
    assert output.index("Plan: edge to nva2") < output.index("Move edge to nva2 now?") < output.index("Done:")
    [body] = fake.posts()
    assert {"to": "nva2", "reason": "work"}.items() <= body.items()
    assert "force" not in body
    assert "nvaha failover edge --to nva1" in output


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_sent(fake: FakeApp, typed: str) -> None:
    """No, nothing and the end of input all leave everything as it is."""
    assert run(fake, *TO_NVA2, typed=typed).exit_code == ExitCode.REFUSED
    assert fake.posts() == []


@pytest.mark.usefixtures("terminal")
def test_what_is_forbidden_is_not_asked_for(fake: FakeApp) -> None:
    """A failover that the plan forbids ends with the app's sentence, before the question."""
    fake.says(
        "GET /groups/edge/plan", plan("nva2 is not up: it has not been probed yet; force overrides this")
    )
    result = run(fake, *TO_NVA2, typed="y\n")
    assert result.exit_code == ExitCode.REFUSED
    assert "nva2 is not up: it has not been probed yet; force overrides this" in result.stderr
    assert fake.posts() == []


@pytest.mark.usefixtures("terminal")
def test_force_goes_on_where_the_plan_forbids(fake: FakeApp) -> None:
    """With --force the question is asked all the same, with a warning, and force is sent."""
    fake.says("GET /groups/edge/plan", plan("nva2 is not up; force overrides this"))
    result = run(fake, *TO_NVA2, "--force", typed="y\n")
    assert result.exit_code == ExitCode.DONE
    assert fake.posts()[0]["force"] is True


@pytest.mark.usefixtures("terminal")
def test_a_plan_that_cannot_be_made_does_not_stand_in_the_way(fake: FakeApp) -> None:
    """When Azure cannot be read, that is said, and the failover can still be asked for."""
    fake.says("GET /groups/edge/plan", Reply(error("azure_unread", "Azure could not be read: 503"), 502))
    result = run(fake, *TO_NVA2, typed="y\n")
    assert result.exit_code == ExitCode.DONE
    assert "Azure could not be read: 503" in result.stdout
    assert len(fake.posts()) == 1


def test_without_a_terminal_yes_must_be_given(fake: FakeApp) -> None:
    """A script that does not say --yes is told so, with 2, and nothing is sent."""
    for args in (TO_NVA2, (*TO_NVA2, "--json")):
        result = run(fake, *args)
        assert result.exit_code == ExitCode.USAGE
        assert "--yes" in result.output
    assert fake.posts() == []


def test_a_script_does_not_wait_unless_told(fake: FakeApp) -> None:
    """Without a terminal the accepted operation is printed, and the command ends."""
    result = run(fake, *TO_NVA2, "--yes", "--json")
    assert result.exit_code == ExitCode.DONE
    assert json.loads(result.stdout) == operation() | json.loads(result.stdout)
    assert json.loads(result.stdout)["status"] == "requested"
    assert [each.method for each in fake.seen] == ["POST"]


@pytest.mark.parametrize(("status", "code"), [(Status.DONE, 0), (Status.FAILED, 1)])
def test_a_repeated_request_tells_how_it_ended(fake: FakeApp, status: Status, code: int) -> None:
    """When the id's operation has ended already, its end is told at once, without waiting."""
    fake.says(POST, Reply(operation(status, 2, error="no"), 202))
    assert run(fake, *TO_NVA2, "--yes", "--request-id", "mine").exit_code == code
    assert run(fake, *TO_NVA2, "--yes", "--request-id", "mine", "--json").exit_code == code


def test_a_script_may_wait(fake: FakeApp) -> None:
    """With --wait the ended operation is the one document."""
    result = run(fake, *TO_NVA2, "--yes", "--json", "--wait")
    assert result.exit_code == ExitCode.DONE
    assert json.loads(result.stdout)["status"] == "done"
    assert result.stderr == ""


@pytest.mark.parametrize("status", [Status.FAILED, Status.SUPERSEDED])
def test_a_failed_operation_is_a_failure(fake: FakeApp, status: Status) -> None:
    """What ended otherwise than done ends with 1, its error and what was left undone."""
    ended = operation(status, 1, error="not done within 600 s", unfinished=("public IP is loose",))
    fake.says(FOLLOW, ended)
    result = run(fake, *TO_NVA2, "--yes", "--wait")
    assert result.exit_code == ExitCode.REFUSED
    assert "not done within 600 s" in result.stderr
    assert "public IP is loose" in result.stderr
    as_json = run(fake, *TO_NVA2, "--yes", "--wait", "--json")
    assert as_json.exit_code == ExitCode.REFUSED
    assert json.loads(as_json.stdout)["unfinished"] == ["public IP is loose"]


@pytest.mark.parametrize("status", [409, 412, 400])
def test_a_refusal_is_shown_verbatim(fake: FakeApp, status: int) -> None:
    """The app's reason reaches the operator as it is, and is not asked for again."""
    text = "edge is being switched to nva1 (operation edge-3-1)"
    fake.says(POST, Reply(error("switching", text), status))
    result = run(fake, *TO_NVA2, "--yes")
    assert result.exit_code == ExitCode.REFUSED
    assert text in result.stderr
    assert len(fake.posts()) == 1


@pytest.mark.parametrize(
    ("code", "next_"), [("unknown_group", "nvaha status"), ("not_up", "nvaha status edge")]
)
def test_what_to_type_next_can_be_answered(fake: FakeApp, code: str, next_: str) -> None:
    """After a refusal the command to look with shows something, also where the group is not."""
    fake.says(POST, Reply(error(code, "no"), 409))
    shown = json.loads(run(fake, *TO_NVA2, "--yes", "--json").stdout)
    assert shown["error"]["hints"] == [next_]


@pytest.mark.parametrize(
    "lost",
    [
        Reply(DROP),
        Reply(b"", 502),
        Reply(b"gateway", 200),
        Reply({"id": 7}, 202),
        Reply(error("storage_unavailable", "storage did not answer: reset"), 503),
    ],
)
def test_a_lost_reply_repeats_the_same_request(fake: FakeApp, lost: Reply) -> None:
    """Every repetition carries the request id of the first try, so that it cannot start a second failover."""
    fake.says(POST, lost, lost, ACCEPTED)
    assert run(fake, *TO_NVA2, "--yes").exit_code == ExitCode.DONE
    assert len(fake.posts()) == 3
    assert len({json.dumps(body) for body in fake.posts()}) == 1
    assert fake.posts()[0]["request_id"]


def test_an_outcome_that_stays_unknown_is_said_to_be(fake: FakeApp) -> None:
    """After the last try the operator gets the way to look, and the id to repeat it with."""
    fake.says(POST, Reply(DROP))
    result = run(fake, *TO_NVA2, "--yes")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert len(fake.posts()) == len(client.TRIES_AFTER_S)
    assert f"--request-id {fake.posts()[0]['request_id']}" in result.stderr
    as_json = json.loads(run(fake, *TO_NVA2, "--yes", "--json").stdout)
    assert as_json["error"]["code"] == "outcome_unknown"


def test_an_outcome_that_was_once_unknown_stays_so_when_the_app_is_gone(
    fake: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reply was lost, then nobody takes the call: the first may have started it all the same."""
    call, calls = client.App.post, []

    def once(asked: client.App, kind: Any, *path: str, body: Any) -> Any:
        calls.append(body)
        if len(calls) > 1:
            raise NoAnswer("no_connection", "takes no connection", passing=True, maybe_done=False)
        return call(asked, kind, *path, body=body)

    monkeypatch.setattr(client.App, "post", once)
    fake.says(POST, Reply(DROP))
    result = run(fake, *TO_NVA2, "--yes")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert len(calls) == len(client.TRIES_AFTER_S)
    assert f"--request-id {calls[0]['request_id']}" in result.stderr


@pytest.mark.parametrize(
    "reply", [Reply(b"", 401), Reply(b"", 404), Reply(error("configuration", "no"), 503)]
)
def test_what_certainly_did_nothing_is_not_repeated(fake: FakeApp, reply: Reply) -> None:
    """A wrong key, a wrong address or an app without configuration ends at once."""
    fake.says(POST, reply)
    assert run(fake, *TO_NVA2, "--yes").exit_code == ExitCode.NO_ANSWER
    assert len(fake.posts()) == 1


def test_two_failovers_have_two_ids(fake: FakeApp) -> None:
    """Each command has a request id of its own, unless one is given."""
    for _ in range(2):
        run(fake, *TO_NVA2, "--yes")
    run(fake, *TO_NVA2, "--yes", "--request-id", "mine")
    one, two, mine = (body["request_id"] for body in fake.posts())
    assert one != two
    assert mine == "mine"


def test_an_id_used_for_something_else_is_not_success(fake: FakeApp) -> None:
    """When the id belongs to an earlier failover elsewhere, nothing is said to be on its way."""
    fake.says(POST, Reply({**operation(), "to": "nva1"}, 202))
    result = run(fake, *TO_NVA2, "--yes", "--request-id", "mine")
    assert result.exit_code == ExitCode.REFUSED
    assert "nva1" in result.stderr


def test_following_survives_silence(fake: FakeApp) -> None:
    """An app that restarts, or a record that is not there yet, does not end the following."""
    unknown = Reply(error("unknown_operation", f"there is no operation {ID!r}"), 404)
    fake.says(FOLLOW, Reply(DROP), unknown, Reply(b"", 503), operation(Status.DONE, 2))
    assert run(fake, *TO_NVA2, "--yes", "--wait").exit_code == ExitCode.DONE


def test_waiting_has_an_end(fake: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time given the outcome is said to be unknown, with 4 and the way to look."""
    fake.says(FOLLOW, operation(Status.RUNNING))
    monkeypatch.setattr(act, "POLL_S", 0.2)
    result = run(fake, *TO_NVA2, "--yes", "--wait", "--timeout", "1")
    assert result.exit_code == ExitCode.STILL_OPEN
    assert "nvaha status edge" in result.stderr
    as_json = run(fake, *TO_NVA2, "--yes", "--wait", "--timeout", "1", "--json")
    assert json.loads(as_json.stdout)["error"]["code"] == "waited_too_long"


def test_ctrl_c_does_not_pretend(fake: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the follow-up says that the switch goes on."""

    def leave(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(act, "pause", leave)
    result = run(fake, *TO_NVA2, "--yes", "--wait")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert "goes on" in result.stderr


def test_who_forces_a_group_to_where_it_is_hears_what_is_wrong_there(fake: FakeApp) -> None:
    """Nothing had to be changed, and the NVA is dead: both are said, though the operation is done."""
    dead = replace(state().nvas["nva1"], health=Health.DOWN, failures=9, confirmed=3, last_error="refused")
    done = operation(Status.DONE) | {"from": "nva1", "to": "nva1", "status": "done", "steps": []}
    fake.says("GET /groups/edge", group(nvas={**state().nvas, "nva1": dead}))
    fake.says(POST, Reply(done, 202))
    result = run(fake, "failover", "edge", "--to", "nva1", "--force", "--yes", "--wait")
    assert result.exit_code == ExitCode.DONE
    assert "nothing had to be changed" in result.stdout
    assert "nva1 is down" in result.stdout


def test_the_same_error_of_many_steps_is_told_once(fake: FakeApp) -> None:
    """A role that is missing on each table is one error, with the number of tables."""
    failed = operation(Status.FAILED, 2)
    where = [f"/subscriptions/s/providers/Microsoft.Network/routeTables/t{number}" for number in range(4)]
    why = [f"needs the right Microsoft.Network/routeTables/write on {each} (403)" for each in where]
    failed["steps"] = [
        {**failed["steps"][0], "detail": f"route table t{number}", "status": "failed", "error": error}
        for number, error in enumerate(why)
    ]
    failed["unfinished"] = [f"route table t{number}: {error}" for number, error in enumerate(why)]
    failed["error"] = f"left undone: {'; '.join(failed['unfinished'])}"
    fake.says("GET /groups", groups())
    fake.says("GET /groups/edge", group(failed))
    output = " ".join(run(fake, "status", "edge").stdout.split())
    assert output.count("needs the right") == 2  # of the step, and of what is unfinished
    assert all(each in output for each in ("3 more", "route table t1", "route table t3"))
