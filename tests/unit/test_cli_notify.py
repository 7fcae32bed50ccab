"""Testing receivers from the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nvaha.cli.failure import ExitCode

from .cli_fake_app import FakeApp, Json, document, run, running


def tried(name: str = "oncall", **more: object) -> Json:
    """Return what became of one test."""
    found = {"name": name, "type": "pagerduty", "taken": True, "status": 202, "error": None, "seconds": 0.25}
    return found | more


REFUSED = tried("chat", type="teams", taken=False, status=404, error="it answers with status 404")


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app."""
    with running() as served:
        yield served


def test_each_receiver_s_answer_is_shown(fake: FakeApp) -> None:
    """All of them, or the one that is named."""
    fake.says("POST /notify/test", {"receivers": [tried()]})
    result = run(fake, "notify", "test")
    assert result.exit_code == ExitCode.DONE
    assert "oncall (pagerduty): taken with status 202" in result.stdout
    run(fake, "notify", "test", "oncall")
    assert fake.posts() == [{}, {"receiver": "oncall"}]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("receivers", [[], [tried(), REFUSED]])
def test_what_did_not_arrive_is_a_failure(fake: FakeApp, receivers: list[Json], as_json: bool) -> None:
    """So is that there is nobody."""
    fake.says("POST /notify/test", {"receivers": receivers})
    result = run(fake, "notify", "test", *(["--json"] if as_json else []))
    assert result.exit_code == ExitCode.REFUSED
    if as_json:
        assert document(result) == {"receivers": receivers}
    elif receivers:
        assert "chat (teams): not taken: it answers with status 404" in result.stdout
        assert "not taken by chat" in result.stderr
    else:
        assert "no receiver is configured" in result.stderr
