"""The scripts run against programs that stand in for Azure's: what they call, with what, in which order."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from .tools import INFRA, run

PRINCIPAL = INFRA / "scripts" / "create-service-principal.sh"
ENVIRONMENT = INFRA / "test-environment"
# Logs its arguments and, where it is to read it, its input, in one write, as two of them may run at once;
# answers with what is known of a call that begins and asks like this.
STAND_IN = """#!/usr/bin/env bash
call=$(printf '%s\\037' "$@")
case " $* " in *" /dev/stdin "*) call+="stdin=$(cat)"$'\\037' ;; esac
printf '%s\\n' "$call" >>"$CALLS"
while IFS='#' read -r start query answer; do
  case "$*" in "$start"*"$query"*) echo "$answer" && exit ;; esac
done <<<"$ANSWERS"
"""
WIRE_SERVER = "168.63.129.16"  # through which Azure talks to a machine's agent
Answers = Mapping[tuple[str, str], str]
"""What a call prints, by how it begins and what stands after that."""


def calls(tmp_path: Path, script: Path, *words: str, answers: Answers, code: int = 0) -> list[list[str]]:
    """Return each call of az that a script makes, and what it printed as the last one."""
    (tmp_path / "az").write_text(STAND_IN, encoding="utf-8")
    (tmp_path / "az").chmod(0o755)
    log = tmp_path / "calls"
    log.write_text("", encoding="utf-8")
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(log),
        "ANSWERS": "\n".join("#".join((*key, answer)) for key, answer in answers.items()),
    }
    done = run([script, *words], cwd=tmp_path, env=env, stdin="n\n")
    assert done.returncode == code, done.stderr
    found = [line.split("\x1f")[:-1] for line in log.read_text(encoding="utf-8").splitlines()]
    return [*found, [done.stdout + done.stderr]]


def option(call: list[str], name: str) -> str:
    """Return what a call gives an option."""
    return call[call.index(name) + 1]


NEW: Answers = {
    ("ad app create", "appId"): "app",
    ("ad sp create", "--query id"): "object",
    ("ad app credential reset", "--query password"): "a-secret",
    ("account show", "tenantId"): "tenant",
    ("keyvault secret show", "--query id"): "https://v.vault.azure.net/secrets/nvaha/0123",
}
THERE: Answers = {
    **NEW,
    ("ad app list --filter displayName eq 'nvaha'", "--query [0].appId"): "app",
    ("ad sp list --filter appId eq 'app'", "--query [0].id"): "object",
}


@pytest.mark.parametrize("answers", [NEW, THERE], ids=["new", "there already"])
@pytest.mark.parametrize("certificate", [False, True], ids=["secret", "certificate"])
def test_a_service_principal_gets_its_role_and_keeps_its_secret(
    tmp_path: Path, answers: Answers, certificate: bool
) -> None:
    """The role goes to the principal on each scope; the secret goes to the vault and is never shown."""
    words = ["--name", "nvaha", "--vault", "v", "--role", "role", "--scopes", "/one /two", "--years", "2"]
    made = calls(tmp_path, PRINCIPAL, *words, *["--certificate"] * certificate, answers=answers)
    created = {call[1] for call in made if call[0] == "ad" and call[2] == "create"}
    assert created == ({"app", "sp"} if answers is NEW else set())
    assigned = [call for call in made if call[:3] == ["role", "assignment", "create"]]
    assert [option(call, "--scope") for call in assigned] == ["/one", "/two"]
    assert {option(call, "--assignee-object-id") for call in assigned} == {"object"}
    assert {option(call, "--role") for call in assigned} == {"role"}
    [reset] = [call for call in made if call[:4] == ["ad", "app", "credential", "reset"]]
    assert (option(reset, "--id"), option(reset, "--years")) == ("app", "2")
    assert "--append" in reset
    kept = [call for call in made if call[:3] == ["keyvault", "secret", "set"]]
    assert [call[-1] for call in kept] == ([] if certificate else ["stdin=a-secret"])
    assert all((option(call, "--vault-name"), option(call, "--name")) == ("v", "nvaha") for call in kept)
    if certificate:
        assert (option(reset, "--keyvault"), option(reset, "--cert")) == ("v", "nvaha")
    [printed] = made[-1]
    settings = dict(re.findall(r"^  (AZURE_\w+) +(\S+)", printed, re.M))
    assert (settings["AZURE_TENANT_ID"], settings["AZURE_CLIENT_ID"]) == ("tenant", "app")
    assert "a-secret" not in "".join(word for call in made for word in call if not word.startswith("stdin="))
    # Without its version, so that the app follows when the secret is renewed.
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/nvaha)"
    assert settings.get("AZURE_CLIENT_SECRET") == (None if certificate else reference)


def broken(tmp_path: Path, way: str, hop: str = "10.0.0.101") -> list[list[str]]:
    """Return what break-active.sh does in one way, while the routes point at an address."""
    answers = {("network route-table route show", "nextHopIpAddress"): hop}
    return [
        call
        for call in calls(tmp_path, ENVIRONMENT / "break-active.sh", way, answers=answers)
        if call[0] == "vm"
    ]


@pytest.mark.parametrize("way", ["stop", "refuse", "silent"])
@pytest.mark.parametrize(("hop", "nva"), [("10.0.0.100", "ha-nva-vm1"), ("10.0.0.101", "ha-nva-vm2")])
def test_the_active_nva_is_broken_and_no_other(tmp_path: Path, way: str, hop: str, nva: str) -> None:
    """One command reaches one machine: the one that the routes point at."""
    [call] = broken(tmp_path, way, hop)
    assert option(call, "--name") == nva
    assert call[1] == ("stop" if way == "stop" else "run-command")
    assert way != "stop" or "--skip-shutdown" in call


def test_what_is_broken_can_be_mended(tmp_path: Path) -> None:
    """Mend starts both NVAs and undoes each way to break one, and every way leaves Azure's agent a way in."""
    mended = broken(tmp_path, "mend")
    for nva in ("ha-nva-vm1", "ha-nva-vm2"):
        mine = [call for call in mended if option(call, "--name") == nva]
        assert [call[1] for call in mine] == ["start", "run-command"]
        undone = option(mine[1], "--scripts")
        [refuse], [silent] = broken(tmp_path, "refuse"), broken(tmp_path, "silent")
        stopped = re.findall(r"systemctl stop (.+)", option(refuse, "--scripts"))
        assert stopped == re.findall(r"systemctl start (.+)", undone)
        rules = option(silent, "--scripts")
        assert re.findall(r"add table (\w+ \w+)", rules) == re.findall(r"delete table (\w+ \w+)", undone)
        dropped = re.findall(r"add rule \w+ \w+ input (.*?) drop", rules)
        assert dropped == [f"ip saddr != {WIRE_SERVER}"]


def test_what_is_inside_goes_before_what_it_is_in(tmp_path: Path) -> None:
    """The monitor, in the network's subnets, is deleted first and waited for; its role comes last."""
    answers = {
        ("group exists", ""): "true",
        ("deployment sub show", "NVAHA_OPERATOR_ROLE_ID"): "/roleDefinitions/role",
    }
    made = calls(tmp_path, ENVIRONMENT / "teardown.sh", "--yes", answers=answers)
    deleted = [call for call in made if "delete" in call]
    assert [option(call, "--name") for call in deleted] == ["rg-ha-nva-test", "ha-nva-rg", "role"]
    assert all("--no-wait" not in call for call in deleted)


def test_a_no_deletes_nothing(tmp_path: Path) -> None:
    """Without a yes the script ends before it asks Azure for anything."""
    made = calls(tmp_path, ENVIRONMENT / "teardown.sh", answers={}, code=1)
    assert len(made) == 1


MISTAKES = {
    "the application for its principal": (
        PRINCIPAL, '--assignee-object-id "$object_id"', '--assignee-object-id "$app_id"'),
    "a version of the secret": (PRINCIPAL, " | sed 's#/[^/]*$##'", ""),
    "whose name begins alike": (PRINCIPAL, "displayName eq '$name'", "startswith(displayName, '$name')"),
    "the principal's id for the application's": (PRINCIPAL, "--query '[0].appId'", "--query '[0].id'"),
    "a secret that is shown": (PRINCIPAL, "    tr -d", "    tee /dev/stderr |\n    tr -d"),
    "no address for the agent": (ENVIRONMENT / "break-active.sh", WIRE_SERVER, "169.254.169.254"),
    "another table": (ENVIRONMENT / "break-active.sh", "delete table inet broken", "delete table ip broken"),
    "half of SSH": (ENVIRONMENT / "break-active.sh", "start ssh.socket ssh.service", "start ssh.service"),
    "the standby": (ENVIRONMENT / "common.sh", "10.0.0.101) echo ha-nva-vm2", "10.0.0.101) echo ha-nva-vm1"),
    "the network before what is in it": (
        ENVIRONMENT / "teardown.sh", '"$MONITOR_GROUP" "$GROUP"; do', '"$GROUP" "$MONITOR_GROUP"; do'),
    "nobody waits": (ENVIRONMENT / "teardown.sh", "--yes\n  fi", "--yes --no-wait\n  fi"),
    "nobody is asked": (ENVIRONMENT / "teardown.sh", '!= "--yes"', '== "--yes"'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_script_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    """A script that does something else fails a test of those above."""
    path, right, wrong = MISTAKES[mistake]
    shutil.copytree(INFRA, tmp_path / "infra")
    copy = tmp_path / "infra" / path.relative_to(INFRA)
    assert right in copy.read_text(encoding="utf-8")
    copy.write_text(copy.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "PRINCIPAL", tmp_path / "infra" / PRINCIPAL.relative_to(INFRA))
    monkeypatch.setattr(sys.modules[__name__], "ENVIRONMENT", tmp_path / "infra" / ENVIRONMENT.name)
    with pytest.raises((AssertionError, ValueError)):
        every_script(tmp_path)


def every_script(tmp_path: Path) -> None:
    """Run each script as the tests above do."""
    for answers in (NEW, THERE):
        test_a_service_principal_gets_its_role_and_keeps_its_secret(tmp_path, answers, certificate=False)
    test_the_active_nva_is_broken_and_no_other(tmp_path, "stop", "10.0.0.101", "ha-nva-vm2")
    test_what_is_broken_can_be_mended(tmp_path)
    test_what_is_inside_goes_before_what_it_is_in(tmp_path)
    test_a_no_deletes_nothing(tmp_path)


def test_nothing_is_found_in_the_scripts_as_they_are(tmp_path: Path) -> None:
    """What is found of a mistake is the mistake."""
    every_script(tmp_path)
