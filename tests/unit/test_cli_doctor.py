"""`nvaha doctor`: what was found, with what to do; and how far one comes where no app answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from nvaha.cli.failure import ExitCode

from .cli_fake_app import DROP, KEY, TABLE, FakeApp, Json, Reply, document, run, running

LEVELS = ("ok", "info", "warning", "unknown", "error")


def finding(level: str = "ok", **changes: str) -> Json:
    """Return one finding."""
    found = {"area": "azure", "level": level, "code": "c", "subject": "edge", "text": f"it is {level}"}
    return {**found, "remedy": "" if level == "ok" else "mend it", **changes}


def answer(*findings: Json) -> Json:
    """Return what GET /doctor answers."""
    return {
        "read_at": "2026-11-28T07:05:09.645Z",
        "instance": "monitor-a",
        "version": "0.1.0",
        "worst": "ok",
        "findings": list(findings),
    }


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


@pytest.mark.parametrize(
    ("levels", "options", "code"),
    [
        ((), (), ExitCode.DONE),
        (("ok", "info", "warning"), (), ExitCode.DONE),
        (("ok", "warning"), ("--strict",), ExitCode.REFUSED),
        (("ok", "info"), ("--strict",), ExitCode.DONE),
        (("unknown", "warning"), (), ExitCode.NO_ANSWER),
        (("unknown",), ("--strict",), ExitCode.NO_ANSWER),
        (("error", "unknown"), (), ExitCode.REFUSED),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",), ("--output", "tsv")])
def test_a_pipeline_is_told_by_the_exit_code(
    fake: FakeApp, *, levels: tuple[str, ...], options: tuple[str, ...], code: ExitCode, form: tuple[str, ...]
) -> None:
    """In each form the same: 1 for an error, 3 for what could not be told."""
    fake.says("GET /doctor", answer(*map(finding, levels)))
    assert run(fake, "doctor", *options, *form).exit_code == code


def test_each_finding_is_shown_with_what_to_do(fake: FakeApp) -> None:
    """What is well on one line; ids short; Azure's own words left to the JSON."""
    text = f"needs the right X on {TABLE} (403 AuthorizationFailed): The client does not have it"
    denied = finding("error", subject=TABLE, text=text, remedy="give it")
    fake.says("GET /doctor", answer(finding(text="7 are read"), denied))
    result = run(fake, "doctor")
    assert "edge: 7 are read" in result.stdout
    assert "needs the right X on routeTables/ha-nva-udr (403 AuthorizationFailed)" in result.stdout
    assert "→ give it" in result.stdout
    assert "The client does not have it" not in result.stdout
    assert "/subscriptions/" not in result.stdout
    assert "1 error" in result.stdout
    assert not any(line.endswith(" ") for line in result.stdout.splitlines())
    assert document(run(fake, "doctor", "--json"))["findings"][1]["text"] == text


def test_of_many_that_are_well_there_is_one_line(fake: FakeApp) -> None:
    """And of each that is not, its own."""
    fake.says("GET /doctor", answer(*(finding(text=f"n{number}") for number in range(9)), finding("error")))
    result = run(fake, "doctor")
    assert "9 of 10 are well" in result.stdout
    assert "n3" not in result.stdout
    assert "it is error" in result.stdout


def test_a_remedy_stands_once_below_all_that_it_is_for(fake: FakeApp) -> None:
    """Each role that is missing is named; what to do about them is said once."""
    missing = [finding("error", subject=f"s{number}", remedy="give the role") for number in range(3)]
    fake.says("GET /doctor", answer(*missing, finding("error", subject="t", remedy="another")))
    lines = run(fake, "doctor").stdout.splitlines()
    assert sum("give the role" in each for each in lines) == 1
    assert sum("it is error" in each for each in lines) == 4
    places = [number for number, each in enumerate(lines) if "s2:" in each or "give the role" in each]
    assert places[1] == places[0] + 1


def test_a_group_may_be_named(fake: FakeApp) -> None:
    """One that the app does not have is refused."""
    fake.says("GET /doctor", answer())
    run(fake, "doctor", "edge")
    assert fake.seen[-1].path == "/api/doctor?group=edge"
    error = {"error": {"code": "unknown_group", "message": "there is no group 'x'", "details": []}}
    fake.says("GET /doctor", Reply(error, 404))
    result = run(fake, "doctor", "x")
    assert (result.exit_code, "there is no group 'x'" in result.stderr) == (ExitCode.REFUSED, True)


def test_a_wrong_key_is_told_from_an_app_that_is_not_there(fake: FakeApp) -> None:
    """By what answers without a key; and with --json as one document."""
    fake.says("GET /doctor", Reply(b"", 401))
    fake.says("GET /health", {"status": "healthy"})
    result = run(fake, "doctor")
    assert result.exit_code == ExitCode.NO_ANSWER
    for each in ("takes a connection", "all of its groups are watched", "does not accept this function key"):
        assert each in result.stdout
    assert result.output.count("does not accept this function key") == 1
    assert "→ check NVAHA_KEY" in result.stdout
    asked = [each for each in fake.seen if each.path == "/api/health"]
    assert [each.headers.get("x-functions-key") for each in asked] == [None]
    steps = document(run(fake, "doctor", "--json"))["error"]["details"]
    assert [each["path"] for each in steps] == ["name", "connection", "health", "key"]


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (Reply({"status": "healthy"}), "of a release that has no doctor yet"),
        (Reply({"status": "unhealthy"}, 503), "not all of its groups are watched"),
        (Reply(b"", 404), "the package did not build"),
        (Reply(b"Site disabled", 403), "start the app in the portal"),
        (Reply(b"<html>", 502), "the host is starting"),
        (Reply(DROP), "the host may be starting"),
    ],
)
def test_what_answers_in_the_app_s_place_says_what_to_do(fake: FakeApp, health: Reply, expected: str) -> None:
    """An older release, a host without functions, one that is stopped, or ends."""
    fake.says("GET /doctor", Reply(b"", 404))
    fake.says("GET /health", health)
    result = run(fake, "doctor")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert expected in " ".join(result.stdout.split())


def test_a_port_at_which_nobody_answers(fake: FakeApp) -> None:
    """So far one comes: the name, and no connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = run(fake, "doctor", NVAHA_URL=url)
    assert result.exit_code == ExitCode.NO_ANSWER
    assert "no connection to 127.0.0.1" in result.stdout


def test_a_name_that_nobody_has(fake: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step ends it."""

    def lost(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lost)
    result = run(fake, "doctor", "--json", NVAHA_URL="https://nix.invalid")
    steps = json.loads(result.stdout)["error"]["details"]
    assert [each["path"] for each in steps] == ["name"]
    assert KEY not in result.output


def test_a_door_that_speaks_no_tls(fake: FakeApp) -> None:
    """It takes the connection, and that is all."""
    result = run(fake, "doctor", NVAHA_URL=fake.url.replace("http:", "https:"))
    assert "no TLS" in result.stdout
    assert result.exit_code == ExitCode.NO_ANSWER
