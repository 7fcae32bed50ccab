"""The repository's own habits: one version, and files that say only what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from nvaha import __version__

ROOT = Path(__file__).parents[2]


def test_the_version_stands_in_one_place() -> None:
    """The package takes its version from nvaha/__init__.py, and azd names the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "nvaha.__version__"}
    azd = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
    assert azd["metadata"]["template"] == f"nvaha@{__version__}"


def test_the_changelog_is_ready_for_the_next_release() -> None:
    """What comes is under Unreleased, on top; below it every release has its version and date, newest first."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) – (\d{4}-\d\d-\d\d)", each) for each in headings[1:]]
    assert None not in released
    versions = [tuple(map(int, each.groups()[:3])) for each in released if each]
    assert versions == sorted(set(versions), reverse=True)
