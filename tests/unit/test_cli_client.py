"""How the `nvaha` command reaches its app: the address, the key, and what comes instead of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nvaha.cli.address import address
from nvaha.cli.failure import ExitCode, Failure

from .cli_fake_app import DROP, KEY, FakeApp, Reply, document, error, group, groups, run, running


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


def test_the_key_goes_in_its_header_and_nowhere_else(fake: FakeApp) -> None:
    """The function key is sent as x-functions-key, from the variable or the option."""
    fake.says("GET /groups", groups())
    run(fake, "status")
    run(fake, "status", "--key", KEY, key=None)
    assert [each.headers["x-functions-key"] for each in fake.seen] == [KEY, KEY]


def test_who_asks_is_told(fake: FakeApp) -> None:
    """The app learns the user and machine that ask, since a key has no name."""
    fake.says("POST /groups/edge/pause", group(paused=True))
    run(fake, "pause", "edge")
    assert fake.seen[0].headers["User-Agent"].startswith("nvaha/")
    assert " on " in fake.seen[0].headers["User-Agent"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"", 401),
        Reply(b"", 403),
        Reply(b"", 404),
        Reply(b"", 429),
        Reply(b"", 503),
        Reply(b"<html>", 200),
        Reply(b"[]", 200),
        Reply(b"{", 200),
        Reply(b'{"leader": null, "groups": NaN}', 200),
        Reply(b'{"leader": null, "groups": [], "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 200),
        Reply({"groups": "many"}, 200),
        Reply(b"", 302, {"Location": "https://elsewhere.example/login"}),
        Reply(error("storage_unavailable", "storage did not answer: reset"), 503),
        Reply(error("azure_unread", "Azure could not be read: 503"), 502),
        Reply(DROP),
    ],
)
def test_no_proper_answer_is_its_own_exit_code(fake: FakeApp, reply: Reply) -> None:
    """Whatever comes instead of an answer ends with 3, a sentence, and one JSON document with --json."""
    fake.says("*", reply)
    result = run(fake, "status")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""
    as_json = run(fake, "status", "--json")
    assert as_json.exit_code == ExitCode.NO_ANSWER
    assert set(document(as_json)) == {"error"}


def test_a_redirect_is_not_followed(fake: FakeApp) -> None:
    """The key does not travel to where a redirect points."""
    with running() as other:
        fake.says("*", Reply(b"", 307, {"Location": f"{other.url}/api/groups"}))
        assert run(fake, "status").exit_code == ExitCode.NO_ANSWER
        assert other.seen == []


def test_what_a_wrong_configuration_says_is_shown(fake: FakeApp) -> None:
    """An app that cannot use its configuration says where, and so does the command."""
    where = {"path": "groups[0].nvas", "message": "is missing; add the key nvas"}
    fake.says("*", Reply(error("configuration", "the configuration cannot be used", [where]), 503))
    result = run(fake, "status")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert where["path"] in result.stderr


def test_401_names_the_variable(fake: FakeApp) -> None:
    """A missing or wrong key is answered with the name of the variable to set."""
    fake.says("*", Reply(b"", 401))
    assert "NVAHA_KEY" in run(fake, "status").stderr
    assert "NVAHA_KEY" in run(fake, "status", key=None).stderr


def test_a_proxy_is_not_asked_for_this_machine(fake: FakeApp) -> None:
    """The lab on loopback is reached although the environment names a proxy."""
    fake.says("GET /groups", groups())
    proxy = "http://127.0.0.1:9"
    assert run(fake, "status", HTTP_PROXY=proxy, http_proxy=proxy, no_proxy="").exit_code == ExitCode.DONE


def test_a_password_of_netrc_goes_nowhere(fake: FakeApp, tmp_path: Path) -> None:
    """What .netrc knows of the host is not sent to the app."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password hunter2\n")
    fake.says("GET /groups", groups())
    assert run(fake, "status", NETRC=str(netrc)).exit_code == ExitCode.DONE
    assert "Authorization" not in fake.seen[0].headers


def test_nobody_listens() -> None:
    """A port where nothing listens is said as that."""
    with running() as gone:
        pass
    result = run(gone, "status")
    assert result.exit_code == ExitCode.NO_ANSWER
    assert "refused" in result.stderr


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("", None),
        ("app.example", None),
        ("ftp://app.example", None),
        ("https://user:pw@app.example", None),
        (f"https://app.example/?code={KEY}", None),
        ("https://app.example:99999", None),
        ("https://[", None),
        ("https://app\x00.example", None),
        ("http://app.example", KEY),
        ("https://app.example", "two\nlines"),
        ("https://app.example", "x" * 600),
        ("https://app.example", "schlüssel"),
    ],
)
def test_an_address_that_must_not_be_used(url: str, key: str | None) -> None:
    """A key in a URL, over plain http or with stray characters is refused, and not repeated."""
    with pytest.raises(Failure) as caught:
        address(url, key)
    assert caught.value.exit_code == ExitCode.USAGE
    assert KEY not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://app.example", "https://app.example/", "https://app.example/api/"])
def test_an_address_may_be_written_in_several_ways(url: str) -> None:
    """A slash at the end, and /api, make no difference."""
    assert address(url, KEY).base == "https://app.example/api"
    assert KEY not in repr(address(url, KEY))
