"""The state of all groups, in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvaha.azure.storage.rows import StateDocuments
from nvaha.cli.failure import ExitCode

from .cli_fake_app import FakeApp, Json, Reply, error, run, running, state

ADOPTED = {"group": "edge", "active": "nva1", "generation": 1004, "epoch": 1012, "paused": True}


def exported(**more: object) -> Json:
    """Return what GET /state answers."""
    groups = {"edge": StateDocuments().write(state(paused=True))}
    return {"schema": 1, "exported_at": "2026-11-28T09:30:00Z", "epoch": 12, "groups": groups} | more


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app with one group."""
    with running() as served:
        served.says("GET /state", exported())
        served.says("POST /state/edge", ADOPTED)
        yield served


@pytest.fixture
def kept(fake: FakeApp, tmp_path: Path) -> Path:
    """Return a file with an export."""
    file = tmp_path / "state.json"
    assert run(fake, "state", "export", str(file)).exit_code == ExitCode.DONE
    return file


def test_what_was_exported_is_what_is_adopted(fake: FakeApp, kept: Path) -> None:
    """Each group with the epoch of the export, one request each; what it comes to is said."""
    result = run(fake, "state", "adopt", str(kept))
    assert result.exit_code == ExitCode.DONE
    assert fake.posts() == [{"epoch": 12, "state": exported()["groups"]["edge"]}]
    assert "edge: taken over, last on nva1, paused" in result.stdout


def test_an_export_can_be_printed(fake: FakeApp) -> None:
    """It is one JSON document."""
    assert json.loads(run(fake, "state", "export", "-").stdout) == exported()


def test_what_is_missing_in_an_export_is_named(fake: FakeApp, tmp_path: Path) -> None:
    """The rest is written all the same."""
    fake.says("GET /state", exported(unreadable={"core": "not JSON"}))
    result = run(fake, "state", "export", str(tmp_path / "file"))
    assert result.exit_code == ExitCode.REFUSED
    assert "core" in result.stderr
    assert json.loads((tmp_path / "file").read_text())["groups"]


def test_a_group_that_is_refused_is_named_and_keeps_no_other_back(fake: FakeApp, kept: Path) -> None:
    """Its reason is told, and the exit code says that something was left."""
    groups = exported()["groups"]
    kept.write_text(json.dumps(exported(groups={"core": groups["edge"], **groups})))
    fake.says("POST /state/core", Reply(error("newer_state", "core: this account has a newer state"), 409))
    result = run(fake, "state", "adopt", str(kept))
    assert result.exit_code == ExitCode.REFUSED
    assert "core: this account has a newer state" in result.stderr
    assert "edge: taken over" in result.stdout


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"schema": 1}', json.dumps(exported(schema=2))])
def test_what_is_no_export_is_sent_nowhere(fake: FakeApp, tmp_path: Path, text: str) -> None:
    """Nor is one of a newer release."""
    file = tmp_path / "file"
    file.write_text(text)
    assert run(fake, "state", "adopt", str(file)).exit_code == ExitCode.REFUSED
    assert fake.posts() == []


def test_a_file_that_cannot_be_written_is_said(fake: FakeApp, tmp_path: Path) -> None:
    """A folder is none."""
    result = run(fake, "state", "export", str(tmp_path))
    assert result.exit_code == ExitCode.REFUSED
    assert str(tmp_path) in result.stderr
