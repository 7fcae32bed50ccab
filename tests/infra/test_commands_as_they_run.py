"""What pages and scripts have people run: the right names, values and options, not only ones that exist."""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvaha.azure.storage.queue import QUEUE
from nvaha.cli.break_glass import text_of
from nvaha.cli.replies import BreakGlassReply, MoveReply, SheetReply

from .bicep import BicepFile
from .commands import commands as typed
from .commands import page_problems
from .tools import INFRA, ROOT

NETWORK = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network"
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
PAGES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(INFRA.rglob("*.sh"))}
PASSED = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
VARIABLES = {name: re.findall(r"\$\{(\w+)(?:=([^}]*))?\}", each["value"])[0] for name, each in PASSED.items()}


def commands(text: str, start: str) -> list[str]:
    """Return the commands of a text that begin like this, each on one line."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip().lstrip("(").startswith(start)]


def test_azd_is_told_what_it_passes_on() -> None:
    """Each variable that a page sets for azd is one that reaches the template."""
    told = set(re.findall(r"azd env set (\w+)", PAGES))
    assert told
    assert told - {variable for variable, _ in VARIABLES.values()} == set()


def test_azd_and_bicep_begin_alike(bicep_files: dict[Path, BicepFile]) -> None:
    """What azd passes when nobody sets anything is what the template takes when nothing is passed."""
    source = (INFRA / "main.bicep").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^param (\w+) \w+ = (?:\'([^\']*)\'|(?:true|false))$", source, re.M))
    defaults |= dict(re.findall(r"^param (\w+) bool = (true|false)$", source, re.M))
    passed = {name: default for name, (_, default) in VARIABLES.items() if name in defaults}
    assert len(passed) > 10
    assert passed == {name: defaults[name] for name in passed}


def test_what_is_kept_for_the_day_without_nvaha_is_taken_by_az() -> None:
    """Each command and flag that `nvaha break-glass` writes is one that az has."""
    moves = [
        MoveReply(kind="route", resource_id=f"{NETWORK}/routeTables/t", name="r", value="10.0.0.4"),
        MoveReply(kind="detach", resource_id=f"{NETWORK}/networkInterfaces/n", name="c", value="pip"),
        MoveReply(kind="attach", resource_id=f"{NETWORK}/networkInterfaces/n", name="c", value="PIP"),
    ]
    sheet = SheetReply(to="b", moves=tuple(moves))
    answer = BreakGlassReply(group="g", read_at=datetime.now(UTC), hold=(f"{NETWORK}/routeTables/t",))
    page = f"```sh\n{text_of(answer, sheet)}```\n"
    assert len([each for each in typed(page) if each.words[0] == "az"]) == 4
    assert page_problems(page) == []


def test_queues_are_called_as_they_are() -> None:
    """Each queue that a page names is one of the app's."""
    named = set(re.findall(r"`(nvaha-switch[\w-]*)`", PAGES))
    assert named
    assert named <= {QUEUE, f"{QUEUE}-poison"}


def test_a_second_monitor_tells_somebody_from_its_own_region() -> None:
    """A page has no monitor log into another's region, and none deployed of which nobody is told."""
    found = [each for each in commands(DEPLOY, "az deployment") if "existingStateStorageId=" in each]
    found += [
        each
        for each in re.findall(r"```bash\n(.*?)```", DEPLOY, re.S)
        if "NVAHA_SHARED_STATE_STORAGE_ID" in each
    ]
    assert len(found) >= 2
    for each in found:
        assert "alertEmails=" in each or "NVAHA_ALERT_EMAILS" in each
        assert not re.search(r"existingWorkspaceId|NVAHA_SHARED_WORKSPACE_ID|alerts=false|NVAHA_ALERTS", each)


def test_publishing_builds_where_the_app_runs() -> None:
    """A build on the reader's machine may be for another system; every publish builds on Azure."""
    found = [
        each
        for text in (PAGES, *SCRIPTS.values())
        for each in re.findall(r"func azure functionapp publish \S+(.*)", text)
        if "--list-included-files" not in each and each.strip(" `|") and "--" in each
    ]
    assert len(found) > 3
    assert all("--python --build remote" in each for each in found)


def test_prefixes_of_one_command_do_not_overlap() -> None:
    """Two subnets that a page has people make fit beside each other, and are large enough."""
    blocks = [*commands(DEPLOY, "az deployment"), *re.findall(r"```bash\n(.*?)```", DEPLOY, re.S)]
    found = 0
    for block in blocks:
        pairs = re.findall(r"(?i)(\w*subnet_?prefix)[ =](\d+\.\d+\.\d+\.\d+/\d+)", block)
        networks = {name: ipaddress.ip_network(prefix) for name, prefix in pairs}
        found += len(networks) == 2
        for name, network in networks.items():
            assert network.prefixlen <= (28 if "endpoint" in name.lower() else 26), name
        listed = list(networks.values())
        assert not any(one.overlaps(other) for i, one in enumerate(listed) for other in listed[i + 1 :])
    assert found


@pytest.mark.parametrize("name", [name for name, text in SCRIPTS.items() if "curl --" in text])
def test_whoever_polls_does_not_hang(name: str) -> None:
    """A server that is silent is what the script is for: each question has an end."""
    assert all("--max-time" in each for each in re.findall(r"curl --.*", SCRIPTS[name]))


@pytest.mark.parametrize("path", sorted(INFRA.rglob("cloud-init/*.yaml")), ids=lambda path: path.name)
def test_units_come_back_after_a_restart(path: Path) -> None:
    """A service that a machine needs is enabled, not only started."""
    text = path.read_text(encoding="utf-8")
    units = re.findall(r"path: /etc/systemd/system/([\w.-]+\.service)", text)
    units += ["nftables.service"] if "nftables" in text else []
    for unit in units:
        assert f"[systemctl, enable, --now, {unit}]" in text
