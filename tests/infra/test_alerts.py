"""Each alert rule fires on what an operator must hear of, as the app logs it, and on nothing else."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from nvaha.app.holder import AppHolder

from .alerts import FIRES_ON, alert_problems, rules
from .stories import Line, stories
from .test_queries import HOST, QUERIES
from .tools import INFRA, ROOT

TEMPLATE = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")


def test_rules_fire_when_they_must_and_only_then() -> None:
    """Every rule is there, is heard although telemetry is late, falls silent again, and never cries wolf."""
    assert list(alert_problems(TEMPLATE, QUERIES, HOST)) == []


def test_the_stories_tell_every_rule_something() -> None:
    """Each rule has a story that it must fire on and one that it must not."""
    for name, loud in FIRES_ON.items():
        assert loud <= set(stories()), name
        assert set(stories()) - loud, name


def test_a_message_that_nobody_can_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the app logs of a message on the poison queue that is no message makes its rule fire."""
    shutil.copy(ROOT / "nvaha.sample.yaml", tmp_path / "nvaha.yaml")

    async def set_aside() -> None:
        app = await AppHolder(tmp_path, {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).get()
        await app.give_up(b"\xff")
        await app.close()

    with caplog.at_level("INFO", logger="nvaha"):
        asyncio.run(set_aside())
    lines = [Line(-1.0, "Function.poison.User", "Error", text) for text in caplog.messages]
    fired = {name for name, rule in rules(TEMPLATE, QUERIES).items() if rule.fires(lines, HOST, 0.0)}
    assert fired == {"poison-message", "no-leader"}
