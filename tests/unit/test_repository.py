"""The repository's own habits: one version, and files that say only what is there."""

from __future__ import annotations

import os
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from nvaha import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")
MANIFESTS = {
    "pip": ["requirements.txt", "dev.txt"],
    "npm": ["package-lock.json"],
    "github-actions": [".github/workflows/*.yml"],
    "docker": ["Dockerfile"],
}
TEXT = re.compile(r"^[\w-]+$|\.(py|md|ya?ml|json|toml|txt|bicep|kql|sh|js)$")


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
            rf"# {number}\. (.*)\n\nDate: (\d{{4}}-\d\d-\d\d)\. "
            r"Status: (accepted|(?:amended|superseded) by \d{4})\.\n"
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


def load(name: str) -> Any:
    """Return the content of a YAML or JSON file of the repository."""
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def is_program(name: str) -> bool:
    """Tell whether a file of the repository is there and can be run."""
    return (ROOT / name).is_file() and os.access(ROOT / name, os.X_OK)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_little_and_runs_what_is_here(path: Path) -> None:
    """A workflow may only read, takes actions at a commit, not a tag, ends, and runs programs that exist."""
    workflow = load(str(path.relative_to(ROOT)))
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert [step["uses"] for step in steps if not PINNED.fullmatch(step.get("uses", "a@" + "0" * 40))] == []
    named = {word for step in steps for word in re.findall(r"(?<!\S)\.[\w./-]+", step.get("run", ""))}
    assert [name for name in named if not is_program(name)] == []


def test_a_push_and_a_pull_request_run_what_a_contributor_runs() -> None:
    """Some workflow runs .ci/run on pushes to main and on pull requests."""
    for path in WORKFLOWS:
        workflow = load(str(path.relative_to(ROOT)))
        runs = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
        triggers = workflow[True]  # YAML 1.1 takes the key "on" for a truth value
        if ".ci/run" in runs and "pull_request" in triggers and "main" in triggers["push"]["branches"]:
            return
    pytest.fail("no workflow does")


def test_nothing_keeps_the_checks_from_running() -> None:
    """No path, condition or pardon leaves the checks out, and they run on the oldest Python."""
    for path in WORKFLOWS:
        workflow = load(str(path.relative_to(ROOT)))
        if ".ci/run" not in str(workflow):
            continue
        assert not workflow[True]["pull_request"]
        assert set(workflow[True]["push"]) <= {"branches", "tags"}
        for job in workflow["jobs"].values():
            assert not {"if", "continue-on-error"} & {key for each in (job, *job["steps"]) for key in each}
            given = [
                str(step["with"]["python-version"]) for step in job["steps"] if "setup-python" in str(step)
            ]
            assert given[-1] == min(given, key=lambda each: tuple(map(int, each.split("."))))


def test_the_wheel_holds_every_file_of_the_package() -> None:
    """Whatever is no module is named as data, each name is of something, and each folder is a package."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert setuptools["packages"] == {"find": {"include": ["nvaha*"]}}
    package = ROOT / "nvaha"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    named = [set(package.glob(pattern)) for pattern in setuptools["package-data"]["nvaha"]]
    assert all(named)
    assert set().union(*named) == {path for path in files if path.suffix != ".py"}
    assert [
        path for path in files if not (path.parent / "__init__.py").is_file() and path.suffix == ".py"
    ] == []


def test_the_command_is_there() -> None:
    """What the wheel installs as `nvaha` is something that can be called."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert set(scripts) == {"nvaha"}
    module, _, name = scripts["nvaha"].partition(":")
    assert callable(getattr(import_module(module), name))


def test_updates_are_looked_for_wherever_versions_stand() -> None:
    """Each folder that Dependabot is sent to has versions of its kind, and each lock file's folder is one."""
    sent = {
        (update["package-ecosystem"], folder)
        for update in load(".github/dependabot.yml")["updates"]
        for folder in update.get("directories", [update.get("directory")])
    }
    for kind, folder in sent:
        place = ROOT / folder.strip("/")
        assert any(list(place.glob(each)) for each in MANIFESTS[kind]), (kind, folder)
    ours = [path for name in ("nvaha", "tests", ".devcontainer") for path in (ROOT / name).rglob("*")]
    for kind, name in (("npm", "package-lock.json"), ("docker", "Dockerfile")):
        wanted = {(kind, f"/{path.parent.relative_to(ROOT)}") for path in ours if path.name == name}
        assert wanted
        assert wanted <= sent


def test_hooks_run_locked_tools() -> None:
    """Each hook before a commit is a program of the virtual environment, at the version of the lock file."""
    locked = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements" / "dev.txt").read_text("utf-8"), re.M))
    hooks = [hook for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    programs = {hook["entry"].split()[0] for hook in hooks}
    assert {"format", "lint", "types"} <= {hook["name"] for hook in hooks}
    assert [each for each in programs if each.removeprefix(".venv/bin/") not in locked] == []


def test_the_devcontainer_builds_from_files_that_are_here() -> None:
    """Its Dockerfile, what that copies, and what prepares it for work without a network are there."""
    container = load(".devcontainer/devcontainer.json")
    build = {key: ROOT / ".devcontainer" / value for key, value in container["build"].items()}
    copied = re.findall(r"^COPY (\S+) ", build["dockerfile"].read_text("utf-8"), re.M)
    assert [name for name in copied if not (build["context"] / name).is_file()] == []
    assert is_program(container["postCreateCommand"])
    script = (ROOT / container["postCreateCommand"]).read_text("utf-8")
    named = re.findall(r"(?<!\S)((?:tests|\.ci)/[\w./-]+)", script)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_an_issue_form_asks_for_something(name: str) -> None:
    """A form has what GitHub demands: a name, a description, and fields with ids and labels of their own."""
    form = load(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert {each["type"] for each in fields} <= {"textarea", "input", "checkboxes"}
    for key in ([each["id"] for each in fields], [each["attributes"]["label"] for each in fields]):
        assert len(set(key)) == len(key) > 0


def test_files_are_as_the_editor_is_told() -> None:
    """Text ends with one line end, has no blanks at the end of a line, and no line ends of Windows."""
    folders = (".ci", ".devcontainer", ".github", "docs", "infra", "nvaha", "requirements", "tests")
    paths = [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    texts = [path for path in [*ROOT.glob("*.*"), *paths] if TEXT.search(path.name)]
    assert len(texts) > 200
    bad = [
        str(path.relative_to(ROOT))
        for path in texts
        if not re.fullmatch(rb"(?:(?:[^\r\n]*[^\s])?\n)*", path.read_bytes())
    ]
    assert bad == []
