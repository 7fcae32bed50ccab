"""What is kept for the day when nvaha is gone."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvaha.cli import online
from nvaha.cli.break_glass import UnsafeNameError, quoted
from nvaha.cli.failure import ExitCode
from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from tests.fake_network import FakeNetwork
from tests.fakes import FakeClock

from .cli_fake_app import NIC1, NIC2, PIP, TABLE, FakeApp, break_glass, groups, run, running

AT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
WHERE = ["--subscription", TABLE.split("/")[2], "-g", "rg"]


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    """Serve a fake app with one group."""
    with running() as served:
        served.says("GET /groups", groups())
        served.says("GET /groups/edge/break-glass", break_glass(AT))
        yield served


def typed(text: str) -> list[list[str]]:
    """Return the words of each line that a shell runs."""
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


def test_the_commands_hold_nvaha_and_then_move_the_group(fake: FakeApp) -> None:
    """Routes, public IPs off, public IPs on; the age of it is said."""
    result = run(fake, "break-glass", "edge", "--to", "nva2")
    assert result.exit_code == ExitCode.DONE
    ip_config = ["az", "network", "nic", "ip-config", "update", *WHERE, "--nic-name"]
    route = ["--route-table-name", "ha-nva-udr", "-n", "default", "--next-hop-ip-address", "10.0.0.101"]
    assert typed(result.stdout) == [
        [
            "az",
            "tag",
            "update",
            "--resource-id",
            TABLE,
            "--operation",
            "merge",
            "--tags",
            "nvaha-hold=break-glass",
        ],
        ["az", "network", "route-table", "route", "update", *WHERE, *route],
        [*ip_config, NIC1.rpartition("/")[2], "-n", "ipconfig1", "--public-ip-address", "null"],
        [*ip_config, NIC2.rpartition("/")[2], "-n", "ipconfig1", "--public-ip-address", PIP],
    ]
    assert "2026-11-28 09:30 UTC" in result.stdout


def test_every_group_and_nva_has_a_file_of_its_own(fake: FakeApp, tmp_path: Path) -> None:
    """Without names all groups are asked for; the files are named on standard output."""
    folder = tmp_path / "kept" / "elsewhere"
    result = run(fake, "break-glass", "--output", str(folder))
    assert result.exit_code == ExitCode.DONE
    assert sorted(each.name for each in folder.iterdir()) == ["edge-to-nva1.azcli", "edge-to-nva2.azcli"]
    assert result.stdout.split() == [str(folder / f"edge-to-nva{number}.azcli") for number in (1, 2)]
    printed = run(fake, "break-glass", "edge", "--to", "nva1").stdout
    assert (folder / "edge-to-nva1.azcli").read_text(encoding="utf-8") == printed


def test_what_cannot_be_moved_is_in_the_file_and_in_the_exit_code(fake: FakeApp) -> None:
    """A job that renews the files fails; no line of a sentence is run."""
    fake.says("GET /groups/edge/break-glass", break_glass(AT, "route r stays\naz group delete -n rg"))
    result = run(fake, "break-glass", "edge", "--to", "nva2")
    assert result.exit_code == ExitCode.REFUSED
    assert "edge to nva2" in result.stderr
    assert len(typed(result.stdout)) == 4
    assert "NOT IN HERE: route r stays" in result.stdout


@pytest.mark.parametrize(
    "name", ["it's", "a`b", "$(reboot)", "a\nb", "--tags", "\u2019; reboot", "a&b", "50%"]
)
def test_a_name_that_shells_take_otherwise_is_refused(fake: FakeApp, name: str) -> None:
    """Nothing is printed of a group with such a name; Azure itself allows none."""
    fake.says("GET /groups/edge/break-glass", break_glass(AT, route=name))
    result = run(fake, "break-glass", "edge")
    assert result.exit_code == ExitCode.REFUSED
    assert "az network" not in result.stdout


def test_a_file_that_cannot_be_written_is_said(fake: FakeApp, tmp_path: Path) -> None:
    """A folder that is a file."""
    (tmp_path / "file").touch()
    result = run(fake, "break-glass", "--output", str(tmp_path / "file"))
    assert result.exit_code == ExitCode.REFUSED
    assert "file" in result.stderr


def test_an_nva_that_no_group_has_is_named(fake: FakeApp) -> None:
    """With those that there are."""
    result = run(fake, "break-glass", "--to", "nva9")
    assert result.exit_code == ExitCode.USAGE
    assert "nva1, nva2" in result.stderr


@pytest.mark.parametrize("word", ["rg", "rg(1)", "ümlaut", "a b", "10.0.0.1", "fd00::1", "x=y"])
def test_what_is_quoted_is_one_word(word: str) -> None:
    """What a shell makes of it is the word again."""
    assert shlex.split(quoted(word)) == [word]


def test_a_word_in_which_something_was_hidden_is_none() -> None:
    """It is not what Azure calls the thing."""
    with pytest.raises(UnsafeNameError):
        quoted("table-…")


class TestWithoutTheApp:
    """Azure is read for a configuration file, with this machine's credentials."""

    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the file of the fake app's group; Azure is what `network` holds."""
        network = FakeNetwork(FakeClock())
        for nva, nic in (("10.0.0.100", NIC1), ("10.0.0.101", NIC2)):
            network.put_there(Resource(nic, "1", _nic(nva, carries=nic == NIC1)))
        route = {
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.0.0.100",
            "addressPrefix": "0.0.0.0/0",
        }
        table = {"properties": {"routes": [{"name": "default", "properties": route}]}}
        network.put_there(Resource(TABLE, "1", table), Resource(PIP, "1", {"properties": {}}))
        monkeypatch.setattr(online, "ask", lambda what: asyncio.run(what(network)))
        file = tmp_path / "nvaha.yaml"
        nvas = [
            {"name": name, "interfaces": {"internal": nic}, "probe": {"interface": "internal", "port": 22}}
            for name, nic in (("nva1", NIC1), ("nva2", NIC2))
        ]
        group = {"name": "edge", "nvas": nvas, "route_tables": [TABLE], "public_ips": {"internal": PIP}}
        file.write_text(json.dumps({"groups": [group]}))
        return file

    def test_it_writes_what_the_app_would(self, fake: FakeApp, file: Path) -> None:
        """The very same commands; the app is not asked."""
        alone = run(fake, "break-glass", "--file", str(file))
        assert (alone.exit_code, fake.seen) == (ExitCode.DONE, [])
        assert typed(alone.stdout) == typed(run(fake, "break-glass").stdout)

    def test_a_group_that_the_file_has_not_is_named(self, fake: FakeApp, file: Path) -> None:
        """With those that it has."""
        result = run(fake, "break-glass", "core", "--file", str(file))
        assert result.exit_code == ExitCode.USAGE
        assert "it has edge" in result.stderr

    def test_azure_that_does_not_answer_is_said(
        self, fake: FakeApp, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is written then."""
        silent = FakeNetwork(FakeClock())
        silent.unread = {
            each: NetworkError(NetworkFault.UNAVAILABLE, each, "no") for each in (TABLE, NIC1, NIC2, PIP)
        }
        monkeypatch.setattr(online, "ask", lambda what: asyncio.run(what(silent)))
        result = run(fake, "break-glass", "--file", str(file))
        assert (result.exit_code, result.stdout) == (ExitCode.NO_ANSWER, "")


def _nic(address: str, *, carries: bool) -> dict[str, object]:
    properties: dict[str, object] = {"privateIPAddress": address, "primary": True}
    if carries:
        properties["publicIPAddress"] = {"id": PIP}
    return {"properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": properties}]}}
