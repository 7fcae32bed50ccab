"""Examining this process: settings, host.json and versions too, without which there may be no app at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nvaha
from nvaha.app.versions import versions
from nvaha.config import ConfigError
from nvaha.config.problems import Problem
from nvaha.config.settings import NAMES, SettingsError, for_triggers
from nvaha.core.findings import KINDS, Area, Finding, found, worst
from nvaha.core.hosting import of_host, of_settings, of_versions

if TYPE_CHECKING:
    from nvaha.app.wiring import App
    from nvaha.operate.answers import DoctorAnswer

HOST_FILE = "host.json"


async def examine(
    folder: Path,
    environ: Mapping[str, str],
    using: Callable[[], AbstractAsyncContextManager[App]],
    group: str | None,
) -> DoctorAnswer:
    """Return everything that was found; settings that cannot be used are findings, too.

    Args:
        folder: where host.json lies.
        environ: the application settings.
        using: returns the app for as long as it is needed.
        group: the group to examine; None for all.

    Raises:
        Refused: there is no group of that name.
    """
    findings: list[Finding] = []
    named: tuple[str, ...] = ()
    instance = ""
    try:
        async with using() as app:
            instance, named = app.instance, app.named_settings
            findings += _problems("configuration_warning", app.warnings)
            findings += await app.doctor.examine(group)
    except SettingsError as error:
        findings += [found(Area.SETTINGS, "settings_unusable", *_split(each)) for each in error.problems]
    except ConfigError as error:
        findings += _problems("configuration_unusable", error.problems)
    connection, _ = for_triggers(environ)
    first = [
        *of_settings(environ, connection, NAMES, named),
        *of_host(_read(folder / HOST_FILE), environ),
        *of_versions(versions(environ)),
    ]
    order = list(Area)
    told = sorted([*first, *findings], key=lambda each: order.index(each.area))
    return {
        "read_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "instance": instance,
        "version": nvaha.__version__,
        "worst": str(worst(told)),
        "findings": [
            {
                "area": str(each.area),
                "level": str(each.level),
                "code": each.code,
                "subject": each.subject,
                "text": each.text,
                "remedy": each.remedy,
            }
            for each in told
        ],
    }


def _problems(code: str, problems: Iterable[Problem]) -> Iterator[Finding]:
    for each in problems:
        text = f"{each.value}: {each.message}" if each.value else each.message
        yield Finding(Area.SETTINGS, KINDS[code][0], code, each.path, text, each.remedy)


def _split(problem: str) -> tuple[str, str]:
    """Return the setting that a sentence of the settings begins with, and the sentence."""
    return problem.partition(" ")[0], problem


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
