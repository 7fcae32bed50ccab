"""`nvaha init` against the simulated Azure, over loopback, with a managed identity's token."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nvaha.cli.failure import ExitCode
from nvaha.cli.main import app
from nvaha.config import parse
from nvaha.lab.arm import ArmSimulator, Switches
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import SUBSCRIPTION, Environment, configuration, environment

SAMPLE = environment(route_tables=3, canary=True)
SCOPE = f"/subscriptions/{SUBSCRIPTION}"


class Azure:
    """A simulator that runs beside a command, in a thread of its own."""

    def __init__(self, sample: Environment, folder: Path) -> None:
        self.simulator = ArmSimulator(
            sample.resources, PROFILES["fast"], folder=folder, switches=Switches(page_size=2)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Azure:
        self._thread.start()
        self.do(self.simulator.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.simulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work: Any) -> Any:
        """Do something in the simulator's own thread, to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, what: Callable[..., Any], *args: Any) -> Any:
        """Call something of the simulator in its own thread."""

        async def called() -> Any:
            return what(*args)

        return self.do(called())


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """Run one simulated Azure for these tests."""
    with Azure(SAMPLE, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this machine be somebody who may read everything, in a folder of its own."""
    for name, value in azure.simulator.client_settings("newcomer").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.chdir(tmp_path)
    yield
    azure.call(azure.simulator.allow_all)
    azure.simulator.switches.capital_ids = False


def init(*args: str, typed: str = "") -> Any:
    """Run `nvaha init` in the subscription of the sample."""
    return run(["init", "--subscription", SUBSCRIPTION, *args], typed)


def run(args: Sequence[str], typed: str = "") -> Any:
    """Run the command."""
    result = CliRunner().invoke(app, list(args), input=typed, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_the_lab_s_own_group_comes_out_and_is_valid_online(azure: Azure) -> None:
    """From a subscription alone the file has the group that the lab runs on; nothing is written in Azure."""
    before = azure.call(azure.simulator.snapshot)
    result = init("--port", "22")
    assert result.exit_code == ExitCode.DONE, result.output
    (group,) = parse(Path("nvaha.yaml").read_text()).configuration.groups
    (expected,) = parse(json.dumps(configuration(SAMPLE))).configuration.groups
    assert group.nvas == expected.nvas
    assert (group.route_tables, group.public_ips) == (expected.route_tables, expected.public_ips)
    assert "ha-nva-vm1 is active" in result.stdout
    checked = run(["validate", "nvaha.yaml", "--online"])
    assert checked.exit_code == ExitCode.DONE, checked.output
    assert azure.call(azure.simulator.snapshot) == before
    assert {each.method for each in azure.simulator.log} == {"GET"}


def test_a_file_that_is_there_stays(azure: Azure) -> None:
    """Nothing is overwritten, and Azure is not even asked, until somebody says so."""
    Path("nvaha.yaml").write_text("mine")
    asked = len(azure.simulator.log)
    assert init().exit_code == ExitCode.USAGE
    assert Path("nvaha.yaml").read_text() == "mine"
    assert len(azure.simulator.log) == asked
    assert init("--overwrite").exit_code == ExitCode.DONE
    assert parse(Path("nvaha.yaml").read_text()).configuration.groups


def test_shouting_lists_lead_to_the_same(azure: Azure) -> None:
    """Ids in capitals are the same resources."""
    azure.simulator.switches.capital_ids = True
    (group,) = parse(init("--output", "-").stdout).configuration.groups
    (expected,) = parse(json.dumps(configuration(SAMPLE))).configuration.groups
    assert {each.casefold() for each in group.resource_ids} == {
        each.casefold() for each in expected.resource_ids
    }


def test_a_program_gets_one_document(azure: Azure) -> None:
    """With --json the file is written all the same, and everything that was found is in one document."""
    document = json.loads(init("--json", "--group", "hub").stdout)
    assert document["yaml"] == Path(document["file"]).read_text()
    assert (document["active"], document["port_known"]) == ("ha-nva-vm1", False)
    assert {each["taken"] for each in document["route_tables"]} == {True}


@pytest.mark.parametrize(
    ("kind", "scope"), [("networkInterfaces", SCOPE), ("routeTables", SCOPE), ("publicIPAddresses", SCOPE)]
)
def test_what_may_not_be_read_is_said_with_the_remedy(azure: Azure, kind: str, scope: str) -> None:
    """Without the right to a list there is no file, and the role that is missing is named."""
    azure.call(azure.simulator.deny, "newcomer", f"Microsoft.Network/{kind}/read", scope)
    result = init()
    assert result.exit_code == ExitCode.REFUSED
    assert f"Microsoft.Network/{kind}/read" in result.stderr
    assert f"--role Reader --assignee YOU --scope {SCOPE}" in result.stderr
    assert not Path("nvaha.yaml").exists()


def test_load_balancers_may_stay_unread(azure: Azure) -> None:
    """They only tell whose a next hop is; without the right to them everything else is as before."""
    azure.call(azure.simulator.deny, "newcomer", "Microsoft.Network/loadBalancers/read", SCOPE)
    assert init().exit_code == ExitCode.DONE


def test_an_empty_list_may_be_a_missing_right(azure: Azure) -> None:
    """Azure leaves out what may not be read; that is not taken for an empty subscription."""
    group = SAMPLE.route_tables[0].partition("/providers/")[0]
    azure.call(azure.simulator.deny, "newcomer", "*/read", group)
    result = init()
    assert result.exit_code == ExitCode.REFUSED
    assert "Reader" in result.stderr


def test_one_resource_group_may_be_enough(azure: Azure) -> None:
    """Who may read a resource group only reads that."""
    asked = len(azure.simulator.log)
    assert init("--resource-group", "HA-NVA-RG", "--vm", "ha-nva-vm1").exit_code == ExitCode.DONE
    read = {each.resource_id for each in azure.simulator.log[asked:]}
    assert all("/resourceGroups/HA-NVA-RG/" in each for each in read)


def test_an_id_tells_the_subscription(azure: Azure) -> None:
    """A NIC or a table by its id says where to look."""
    result = run(["init", "--route-table", SAMPLE.route_tables[0], "--output", "-"])
    assert result.exit_code == ExitCode.DONE
    assert parse(result.stdout).configuration.groups[0].names == ("ha-nva-vm1", "ha-nva-vm2")


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--subscription", "production"],
        ["--subscription", SUBSCRIPTION, "--group", "No Name"],
        ["--resource-group", "hub-rg"],
        ["--subscription", SUBSCRIPTION, "--port", "0"],
    ],
    ids=lambda each: " ".join(each) or "nothing",
)
def test_what_cannot_be_looked_for_is_a_usage_error(azure: Azure, args: list[str]) -> None:
    """Without a subscription's id there is nowhere to look, and nothing is asked."""
    asked = len(azure.simulator.log)
    assert run(["init", *args]).exit_code == ExitCode.USAGE
    assert len(azure.simulator.log) == asked


def test_what_is_said_of_nothing_is_refused(azure: Azure) -> None:
    """A mistyped name in --take or --leave is not passed over."""
    result = init("--leave", "ha-nva-udr", "--leave", "ha-nva-udr9")
    assert result.exit_code == ExitCode.USAGE
    assert "ha-nva-udr9" in result.stderr
    assert not Path("nvaha.yaml").exists()


def test_vms_that_are_not_there_are_named(azure: Azure) -> None:
    """A name that no NIC belongs to ends with a definite no."""
    result = init("--vm", "ha-nva-vm9")
    assert result.exit_code == ExitCode.REFUSED
    assert "ha-nva-vm9" in result.stderr
    assert run(["init", "--subscription", SUBSCRIPTION.replace("7", "8")]).exit_code == ExitCode.REFUSED


def test_a_person_is_asked(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal what is not plain is asked: whether a table follows, and which port is probed."""
    monkeypatch.setattr("nvaha.cli.init.on_terminal", lambda: True)
    sample = environment()
    table = next(each for each in sample.resources if each["id"] == sample.route_tables[1])
    edited = json.loads(json.dumps(table))
    edited["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = sample.nvas[1].addresses["internal"]
    azure.call(azure.simulator.edit, edited)
    try:
        assert init("--output", "no.yaml", typed="\n\n").exit_code == ExitCode.DONE
        assert init("--output", "yes.yaml", typed="y\nnonsense\n2222\n").exit_code == ExitCode.DONE
    finally:
        azure.call(azure.simulator.edit, table)
    (left,) = parse(Path("no.yaml").read_text()).configuration.groups
    (taken,) = parse(Path("yes.yaml").read_text()).configuration.groups
    assert set(taken.route_tables) - set(left.route_tables) == {sample.route_tables[1]}
    assert (left.nvas[0].probe.port, taken.nvas[0].probe.port) == (22, 2222)
