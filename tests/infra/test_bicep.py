"""The Bicep files say what Azure understands, and nothing that they should not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from .bicep import BicepFile, text
from .checks import all_problems
from .tools import INFRA, ROOT


def test_every_file_is_clean(bicep_files: dict[Path, BicepFile]) -> None:
    """No file has a problem of syntax, names, descriptions, secrets, types or modules."""
    assert list(all_problems(bicep_files)) == []


def test_every_setting_is_set(bicep_files: dict[Path, BicepFile]) -> None:
    """The template sets every application setting that the app reads."""
    read = set(
        re.findall(
            r'"(NVAHA_[A-Z_]+)"', (ROOT / "nvaha" / "config" / "settings.py").read_text(encoding="utf-8")
        )
    )
    template = (INFRA / "app" / "function-app.bicep").read_text(encoding="utf-8")
    assert read
    assert read <= set(re.findall(r"^\s+(NVAHA_[A-Z_]+):", template, re.M))


def test_host_and_template_agree() -> None:
    """The functions that are kept ready are functions of the app, where the app is there to ask."""
    template = (INFRA / "app" / "function-app.bicep").read_text(encoding="utf-8")
    assert re.findall(r"'function:(\w+)'", template) == ["probe", "switch"]
    app = ROOT / "function_app.py"
    if app.is_file():
        names = set(re.findall(r"function_name\(\s*(?:name=)?\"(\w+)\"", app.read_text(encoding="utf-8")))
        names |= set(re.findall(r"^(?:async )?def (\w+)", app.read_text(encoding="utf-8"), re.M))
        assert {"probe", "switch"} <= names


def test_parameter_files_fit_their_templates(bicep_files: dict[Path, BicepFile]) -> None:
    """Parameter files name parameters that exist, and cover those that azd could not ask for."""
    for folder in (INFRA, INFRA / "test-environment"):
        given = json.loads((folder / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
        params = bicep_files[folder / "main.bicep"].params
        assert set(given) <= set(params)
    assert {"environmentName", "location"} <= set(
        json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    )


def test_azd_finds_its_service(bicep_files: dict[Path, BicepFile]) -> None:
    """The service in azure.yaml is the one that the function app is tagged with."""
    project = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    tag = re.search(
        r"'azd-service-name': '(\w+)'", text(bicep_files[INFRA / "app" / "function-app.bicep"].root)
    )
    assert tag is not None
    assert list(project["services"]) == [tag.group(1)]
    assert project["services"][tag.group(1)]["host"] == "function"


def test_abbreviations_are_used() -> None:
    """Every start of a name is used, and every one that is used is there."""
    written = json.loads((INFRA / "abbreviations.json").read_text(encoding="utf-8"))
    template = (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert set(re.findall(r"abbreviations\.(?!json\b)(\w+)", template)) == set(written)


def test_types_have_one_version_each(bicep_files: dict[Path, BicepFile]) -> None:
    """One API version is used for each resource type."""
    targets = {block.target for file in bicep_files.values() for block in file.resources}
    types = [target.split("@")[0] for target in targets]
    assert len(types) == len(set(types))
