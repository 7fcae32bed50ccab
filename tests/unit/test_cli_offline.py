"""`nvaha validate` and `nvaha import`, and what --online makes of Azure's answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from nvaha.cli import online
from nvaha.cli.failure import ExitCode
from nvaha.cli.main import app
from nvaha.config import parse
from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state import snapshot

from .cli_fake_app import NETWORK, NIC1, NIC2, TABLE

PUBLIC_IP = f"{NETWORK}/publicIPAddresses/ha-nva-pip"
NATIVE = {
    "groups": [
        {
            "name": "edge",
            "nvas": [
                {"name": "nva1", "interfaces": {"internal": NIC1}},
                {"name": "nva2", "interfaces": {"internal": NIC2}},
            ],
            "route_tables": [TABLE],
            "probe": {"interface": "internal", "port": 22},
        }
    ]
}
HANVA = {
    "zookeeper": {"connectionString": "zk1:2181"},
    "daemon": {
        "monitors": [
            {
                "monitorClass": "com.microsoft.azure.practices.nvadaemon.AzureProbeMonitor",
                "settings": {
                    "routeTables": [TABLE],
                    "publicIpAddresses": [{"name": "nic1", "id": PUBLIC_IP}],
                    "nvas": [
                        {
                            "probeNetworkInterface": nic,
                            "probePort": 1234,
                            "networkInterfaces": [{"name": "nic1", "id": nic}],
                        }
                        for nic in (NIC1, NIC2)
                    ],
                },
            }
        ]
    },
}


def run(*args: str) -> Any:
    """Run the command."""
    result = CliRunner().invoke(app, list(args), env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def written(folder: Path, content: object) -> str:
    """Write a configuration and return its path."""
    path = folder / "nvaha.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def test_a_good_file_is_valid(tmp_path: Path) -> None:
    """A valid file ends with 0, its groups named."""
    file = written(tmp_path, NATIVE)
    result = run("validate", file)
    assert result.exit_code == ExitCode.DONE
    assert "edge" in result.stdout
    document = json.loads(run("validate", file, "--json").stdout)
    assert document["valid"] is True
    assert document["groups"] == [{"name": "edge", "nvas": ["nva1", "nva2"]}]


def test_a_bad_file_says_everything_at_once(tmp_path: Path) -> None:
    """Each problem is shown with its path; a program gets them as a list."""
    file = written(tmp_path, {"groups": [{"name": "edge", "nvas": [], "nonsense": 1}]})
    result = run("validate", file)
    assert result.exit_code == ExitCode.REFUSED
    assert result.stdout == ""
    assert "groups[0].nonsense" in result.stderr
    as_json = run("validate", file, "--json")
    assert as_json.exit_code == ExitCode.REFUSED
    details = json.loads(as_json.stdout)["error"]["details"]
    assert "groups[0].nonsense" in {each["path"] for each in details}
    assert len(details) > 1


@pytest.mark.parametrize("command", ["validate", "import"])
def test_a_missing_file_is_a_usage_error(command: str, tmp_path: Path) -> None:
    """A file that is not there ends with 2."""
    assert run(command, str(tmp_path / "none.yaml")).exit_code == ExitCode.USAGE


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    """A secret in ha-nva's file is refused, and stays out of both outputs."""
    tree = json.loads(json.dumps(HANVA))
    tree["daemon"]["monitors"][0]["settings"]["azure"] = {"servicePrincipal": {"clientSecret": "hunter2"}}
    result = run("import", written(tmp_path, tree))
    assert result.exit_code == ExitCode.REFUSED
    assert "hunter2" not in result.output


def test_import_writes_what_validate_accepts(tmp_path: Path) -> None:
    """The YAML on stdout, and nothing else there, is a valid configuration; warnings are on stderr."""
    result = run("import", written(tmp_path, HANVA))
    assert result.exit_code == ExitCode.DONE
    assert parse(result.stdout).configuration == parse(json.dumps(HANVA)).configuration
    assert "zookeeper" in result.stderr
    document = json.loads(run("import", written(tmp_path, HANVA), "--json").stdout)
    assert document["yaml"] == result.stdout
    assert document["warnings"]


def test_an_import_that_observes_moves_nothing_by_itself(tmp_path: Path) -> None:
    """Every group is only looked at, nothing else differs, and the file itself says how to go on."""
    source = written(tmp_path, HANVA)
    result = run("import", source, "--observe")
    assert result.exit_code == ExitCode.DONE
    [group] = parse(result.stdout).configuration.groups
    [acting] = parse(run("import", source).stdout).configuration.groups
    assert group == replace(acting, policy=replace(acting.policy, automatic=False, drift="report"))
    comment = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert any("automatic: false" in line for line in comment)
    # What the comment says to delete is there, and deleted it leaves what acts.
    text = "".join(
        line
        for line in result.stdout.splitlines(keepends=True)
        if line.strip() not in {"automatic: false", "drift: report"}
    )
    assert parse(text).configuration.groups == (acting,)


def nic(resource_id: str, address: str) -> Resource:
    """Return a NIC with one primary address."""
    properties = {"primary": True, "privateIPAddress": address}
    configuration = {"name": "ipconfig1", "id": f"{resource_id}/ipConfigurations/1", "properties": properties}
    forwards = {"enableIPForwarding": True, "ipConfigurations": [configuration]}
    return Resource(resource_id, "1", {"properties": forwards})


def table(*hops: str) -> Resource:
    """Return the route table with a route to each address."""
    routes = [
        {
            "name": f"r{number}",
            "properties": {
                "addressPrefix": f"10.{number}.0.0/16",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": hop,
            },
        }
        for number, hop in enumerate(hops)
    ]
    return Resource(TABLE, "1", {"properties": {"routes": routes}})


class FakeNetwork:
    """Azure as a test wants it: a resource by id, or what goes wrong with it."""

    def __init__(self, *found: Resource | NetworkError) -> None:
        self._found = {each.id if isinstance(each, Resource) else each.resource_id: each for each in found}

    async def get(self, resource_id: str) -> Resource:
        """Read a resource."""
        found = self._found[resource_id]
        if isinstance(found, NetworkError):
            raise found
        return found

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Fail: looking must not write."""
        raise AssertionError(resource.id)


def report(*found: Resource | NetworkError) -> online.Report:
    """Return the report on the one group."""
    configuration = parse(json.dumps(NATIVE)).configuration
    [only] = asyncio.run(online.survey_all(configuration, FakeNetwork(*found)))
    return only


NICS = (nic(NIC1, "10.0.0.100"), nic(NIC2, "10.0.0.101"))


def test_online_names_the_active_and_what_is_off() -> None:
    """The NVA with most routes is active, and each write that would bring the rest there is named."""
    found = report(*NICS, table("10.0.0.101", "10.0.0.101", "10.0.0.100"))
    assert (found.active, found.routes, found.good) == ("nva2", 2, True)
    assert len(found.off) == 1
    assert online.exit_code([found]) is ExitCode.DONE


def test_online_names_what_a_standby_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    """A standby that would drop what is routed to it is told ahead of the night, and is a failure."""
    asleep = nic(NIC1, "10.0.0.100")
    asleep = Resource(
        asleep.id, "1", {"properties": {**asleep.body["properties"], "enableIPForwarding": False}}
    )
    found = report(asleep, NICS[1], table("10.0.0.101"))
    assert (found.active, list(found.unready), found.good) == ("nva2", ["nva1"], False)
    assert online.exit_code([found]) is ExitCode.REFUSED
    online.show([found])
    assert "nva1 is not ready" in capsys.readouterr().out


def test_online_without_any_route_to_an_nva() -> None:
    """A group whose routes point elsewhere cannot be told, which is a failure."""
    found = report(*NICS, table("10.9.9.9"))
    assert found.active is None
    assert online.exit_code([found]) is ExitCode.REFUSED


def test_online_names_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing permission is reported once, with the resource and where the roles are written down."""
    denied = NetworkError(NetworkFault.DENIED, TABLE, "403: AuthorizationFailed: no action routeTables/read")
    found = report(*NICS, denied)
    assert list(found.unreadable) == [TABLE]
    assert found.problems == ()
    assert online.exit_code([found]) is ExitCode.REFUSED
    online.show([found])
    output = capsys.readouterr().out
    assert "AuthorizationFailed" in output
    assert "ha-nva-udr" in output


def test_online_keeps_silence_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """What Azure does not answer for is neither missing nor denied, and ends with 3."""
    silent = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "no answer from ARM within 5 s")
    denied = NetworkError(NetworkFault.DENIED, NIC2, "403: AuthorizationFailed")
    found = report(NICS[0], denied, silent)
    assert list(found.unanswered) == [TABLE]
    assert list(found.unreadable) == [NIC2]
    assert found.no_answer is None
    assert not found.good
    assert online.exit_code([report(*NICS, table("10.0.0.100")), found]) is ExitCode.NO_ANSWER
    online.show([found])
    output = capsys.readouterr().out
    assert "no answer from ARM" in output
    assert "ha-nva-udr" in output


def test_online_without_any_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """An Azure that answers for nothing says nothing about the group, and ends with 3."""
    found = report(
        *(NetworkError(NetworkFault.BUSY, each, "429: come again later") for each in (NIC1, NIC2, TABLE))
    )
    assert found.no_answer
    assert online.exit_code([found]) is ExitCode.NO_ANSWER
    online.show([found])
    assert "come again later" in capsys.readouterr().out


class HangingNetwork(FakeNetwork):
    """Azure that takes the question for a route table and never answers it."""

    async def get(self, resource_id: str) -> Resource:
        """Read a resource."""
        if resource_id == TABLE:
            await asyncio.Event().wait()
        return await super().get(resource_id)


def test_online_takes_a_read_that_is_given_up_for_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource that is waited for in vain is one without an answer."""
    monkeypatch.setattr(snapshot, "PATIENCE_S", 0.01)
    configuration = parse(json.dumps(NATIVE)).configuration
    [found] = asyncio.run(online.survey_all(configuration, HangingNetwork(*NICS)))
    assert list(found.unanswered) == [TABLE]
    assert found.unreadable == {}
