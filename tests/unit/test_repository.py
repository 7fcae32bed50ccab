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
    """Unreleased comes first; below it stands every release with version and date, newest on top."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", each) for each in headings[1:]]
    assert None not in released
    versions = [tuple(map(int, each.groups()[:3])) for each in released if each]
    assert versions == sorted(set(versions), reverse=True)


def test_every_decision_is_numbered_and_listed() -> None:
    """Records are numbered without a gap, say when, how they stand and what lost, and are in the index."""
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\(([\w.-]+)\) \| (.*?) \| (\S+) \| (.*?) \|$", index, re.M)
    stated = []
    for number, path in enumerate(records, 1):
        text = path.read_text("utf-8")
        head = re.match(
            rf"# {number}\. (.*)\n\nDate: (\d{{4}}-\d\d-\d\d)\. Status: (accepted|superseded by \d{{4}})\.\n"
            r"\n\*\*Context\.\*\* [^*]+\n\n\*\*Decision\.\*\* [^*]+\n\n\*\*Alternatives\.\*\*\n- ",
            text,
        )
        assert head, path.name
        stated.append((f"{number:04d}", path.name, *head.groups()))
    assert stated
    assert listed == stated


def test_links_between_files_lead_somewhere() -> None:
    """Each link of a page to another file of the repository leads to one."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    targets = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
        if "://" not in target
    ]
    assert len(targets) > 50
    assert [(str(page), target) for page, target in targets if not (page.parent / target).exists()] == []
