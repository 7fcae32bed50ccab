"""Examining a process: its settings and host.json are findings even where there is no app to examine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from nvaha.app.doctor import examine
from nvaha.app.holder import AppHolder
from nvaha.config import ConfigError
from nvaha.config.problems import Problem
from nvaha.config.settings import SettingsError
from nvaha.core.findings import Area, Finding, found, well

ROOT = Path(__file__).parents[3]
PROBLEM = Problem("groups[0].nvas", "1", "at least two are needed", "name a second one")


class FakeApp:
    """An app that is well, or not.

    Args:
        findings: what its doctor finds.
        warnings: those of its configuration.
        named: the settings that its configuration names.
    """

    instance = "one"

    def __init__(
        self, *findings: Finding, warnings: tuple[Problem, ...] = (), named: tuple[str, ...] = ()
    ) -> None:
        self.findings, self.warnings, self.named_settings = findings, warnings, named
        self.doctor = self

    async def examine(self, group: str | None) -> list[Finding]:
        """Return what is to be found."""
        return [*self.findings]


async def examined(app: FakeApp | Exception, folder: Path = ROOT, **environ: str) -> Any:
    """Return what is answered."""

    @asynccontextmanager
    async def using() -> AsyncIterator[Any]:
        if isinstance(app, Exception):
            raise app
        yield app

    return await examine(folder, environ, using, None)


def bad(answer: Any) -> list[tuple[str, str, str]]:
    """Return area, code and subject of whatever is not well, each with a remedy."""
    wrong = [each for each in answer["findings"] if each["level"] != "ok"]
    assert all(each["remedy"] for each in wrong)
    return [(each["area"], each["code"], each["subject"]) for each in wrong]


async def test_all_is_told_in_the_order_of_the_areas() -> None:
    """With who answers, and how bad the worst is."""
    app = FakeApp(well(Area.PROBES, "g/a", "answers"), found(Area.AZURE, "read_denied", "/t", "403"))
    answer = await examined(app)
    order = [str(each) for each in Area]
    areas = [each["area"] for each in answer["findings"]]
    assert areas == sorted(areas, key=order.index)
    assert (answer["worst"], answer["instance"]) == ("error", "one")
    assert bad(answer) == [("azure", "read_denied", "/t")]


async def test_settings_that_cannot_be_used_are_findings() -> None:
    """And host.json is looked at all the same."""
    answer = await examined(SettingsError(("NVAHA_CLOUD is 'Mars': no such cloud",)))
    assert bad(answer) == [("settings", "settings_unusable", "NVAHA_CLOUD")]
    assert "host" in {each["area"] for each in answer["findings"]}


async def test_a_configuration_that_cannot_be_used_is_a_finding_for_each_problem() -> None:
    """With its own remedy; a warning is one, too."""
    answer = await examined(ConfigError((PROBLEM, PROBLEM)))
    assert bad(answer) == [("settings", "configuration_unusable", "groups[0].nvas")] * 2
    assert {each["remedy"] for each in answer["findings"] if each["level"] != "ok"} == {"name a second one"}
    answer = await examined(FakeApp(warnings=(PROBLEM,)))
    assert bad(answer) == [("settings", "configuration_warning", "groups[0].nvas")]


@pytest.mark.parametrize("text", [None, "{", "[]", '{"version": "2.0"}'])
async def test_the_host_json_beside_the_app_is_read(tmp_path: Path, text: str | None) -> None:
    """One that is missing, broken, or lacks what is needed is found."""
    if text is not None:
        (tmp_path / "host.json").write_text(text)
    assert {area for area, _, _ in bad(await examined(FakeApp(), tmp_path))} == {"host"}


async def test_settings_are_those_of_the_process() -> None:
    """A connection string beside the identity's, and one that the configuration names and nobody set."""
    answer = await examined(
        FakeApp(named=("PAGER",)), AzureWebJobsStorage="S=1", AzureWebJobsStorage__accountName="a"
    )
    assert bad(answer) == [
        ("settings", "connection_string_beside_identity", "AzureWebJobsStorage"),
        ("settings", "setting_missing", "PAGER"),
    ]


async def test_the_holder_examines_without_an_app(tmp_path: Path) -> None:
    """Without a single setting there is none, and that is what is said."""
    (tmp_path / "host.json").write_text(json.dumps({}))
    answer = cast("Any", await AppHolder(tmp_path, {}).examine(None))
    told = {code for _, code, _ in bad(answer)}
    assert {"settings_unusable", "host_breaks"} <= told
