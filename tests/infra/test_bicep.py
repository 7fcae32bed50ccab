"""The Bicep files say what Azure understands, and nothing that they should not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from .bicep import BicepFile, object_entries, property_paths, string_value, text
from .checks import Known, all_problems, load_known
from .tools import INFRA, ROOT

SITE = "Microsoft.Web/sites@2024-11-01"
STORAGE = "Microsoft.Storage/storageAccounts@2025-01-01"


def entry(node_file: BicepFile, target: str, path: str) -> str:
    """Return the source of one property of the file's resource of that type."""
    node = next(block.body for block in node_file.resources if block.target == target)
    for part in path.split("."):
        node = dict(object_entries(node))[part]
    return string_value(node) if node.type == "string" else text(node)


def test_every_file_is_clean(bicep_files: dict[Path, BicepFile], known: Known) -> None:
    """No file has a problem of syntax, names, descriptions, secrets, types or modules."""
    assert list(all_problems(bicep_files, known)) == []


def test_nothing_known_is_unused(bicep_files: dict[Path, BicepFile], known: Known) -> None:
    """The list of checked properties holds no more than the files use."""
    used: dict[str, set[str]] = {target: set() for target in known}
    for file in bicep_files.values():
        for block in file.resources:
            used[block.target] |= property_paths(block, file)
    assert {target: set(known[target].get("set", [])) for target in known} == used


def test_secure_defaults_hold(bicep_files: dict[Path, BicepFile]) -> None:
    """The function app and the storage account are closed where they can be."""
    app = bicep_files[INFRA / "app" / "function-app.bicep"]
    storage = bicep_files[INFRA / "app" / "storage.bicep"]
    site = {
        "properties.httpsOnly": "true",
        "properties.siteConfig.ftpsState": "Disabled",
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
    }
    account = {
        "properties.allowSharedKeyAccess": "false",
        "properties.allowBlobPublicAccess": "false",
        "properties.minimumTlsVersion": "TLS1_2",
    }
    assert {path: entry(app, SITE, path) for path in site} == site
    assert {path: entry(storage, STORAGE, path) for path in account} == account
    policies = [block for block in app.resources if "basicPublishingCredentialsPolicies" in block.target]
    assert sorted(string_value(dict(object_entries(block.body))["name"]) for block in policies) == [
        "ftp",
        "scm",
    ]


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


def test_known_types_have_one_version_each() -> None:
    """One API version is used for each resource type."""
    targets = load_known(Path(__file__).with_name("known_properties.json"))
    types = [target.split("@")[0] for target in targets]
    assert len(types) == len(set(types))
