"""`nvaha init` on lists that were read already: what it asks back, and what it offers to type."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.listing import network_in
from nvaha.cli.main import app
from nvaha.config import parse
from nvaha.config.proposal.seen import seen
from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from tests.hub import GROUP, SUBSCRIPTION, config, nic, pair, table, vm

OTHER = GROUP.replace("hub-rg", "other-rg")
TWINS = [
    nic("a", "fw-a", "trust", config("10.0.2.4")),
    nic("b", "fw-b", "trust", config("10.0.2.5")),
    nic("c", vm("fw-a", OTHER), "dmz", config("10.0.3.4")),
    nic("d", vm("fw-b", OTHER), "dmz", config("10.0.3.5")),
    table("udr", ["10.0.2.4"]),
    table("dmz-udr", ["10.0.3.4"]),
]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def init(monkeypatch: pytest.MonkeyPatch, hub: Sequence[Resource], *args: str) -> Any:
    """Run the command on a network."""
    monkeypatch.setattr("nvaha.cli.listing.read", lambda _: seen(hub))
    result = CliRunner().invoke(
        app, ["init", "--subscription", SUBSCRIPTION.rpartition("/")[2], *args], env={"COLUMNS": "200"}
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def offered(stderr: str) -> list[list[str]]:
    """Return the arguments of each `nvaha init` that was offered."""
    lines = [line.partition("Next:")[2].strip() for line in stderr.splitlines() if "Next:" in line]
    return [shlex.split(line.removeprefix("nvaha init …")) for line in lines if line.startswith("nvaha init")]


def test_what_is_offered_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where VMs of two resource groups have one name, each offered command leads to a file."""
    asked = init(monkeypatch, TWINS)
    assert asked.exit_code == ExitCode.REFUSED
    commands = offered(asked.stderr)
    assert len(commands) == 2
    for number, command in enumerate(commands):
        done = init(monkeypatch, TWINS, *command, "--output", f"{number}.yaml")
        assert done.exit_code == ExitCode.DONE, done.stderr


def test_a_table_that_is_offered_is_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two tables of one name, what is offered to be taken is one of them."""
    hub = [*TWINS[:2], table("udr", ["10.0.2.4", "10.0.2.5"])]
    twin = hub[-1].id.replace("hub-rg", "other-rg")
    hub.append(Resource(twin, hub[-1].etag, {**hub[-1].body, "id": twin}))
    commands = offered(init(monkeypatch, hub).stderr)
    assert len(commands) == 2
    for command in commands:
        (group,) = parse(init(monkeypatch, hub, *command, "--output", "-").stdout).configuration.groups
        assert len(group.route_tables) == 1


class Lists:
    """A network whose lists answer with an error, or never."""

    def __init__(self, errors: dict[str, NetworkError]) -> None:
        self.errors = errors

    async def list_all(self, scope: str, kind: str) -> tuple[Resource, ...]:
        """Fail as was set, or hang."""
        if kind not in self.errors:
            await asyncio.Event().wait()
        raise self.errors[kind]


@pytest.mark.parametrize(
    ("fault", "code", "kinds", "command"),
    [
        (NetworkFault.UNAVAILABLE, None, 1, "nvaha init"),
        (NetworkFault.MISSING, "ResourceGroupNotFound", 4, "az group list"),
        (NetworkFault.MISSING, "SubscriptionNotFound", 4, "az account list"),
    ],
)
def test_lists_that_cannot_be_read_lead_on(
    fault: NetworkFault, code: str | None, kinds: int, command: str
) -> None:
    """One list without an answer ends the wait for all; what to type next fits what is wrong, in one line."""
    names = ["routeTables", "networkInterfaces", "publicIPAddresses", "loadBalancers"][:kinds]
    ids = {each: f"{GROUP}/providers/Microsoft.Network/{each}" for each in names}
    text = f"{code}: the answer that ARM gave, which is the same for all of them"
    lists = Lists({kind: NetworkError(fault, each, text, code=code) for kind, each in ids.items()})

    async def read() -> Failure:
        with pytest.raises(Failure) as caught:
            await asyncio.wait_for(network_in([GROUP], lists), 10)  # type: ignore[arg-type]
        return caught.value

    failure = asyncio.run(read())
    assert failure.hints[0].startswith(command)
    (detail,) = failure.details
    assert names[-1] in detail["message"]
    assert len(detail["message"]) < 240


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--take", "udr", "--leave", f"{GROUP}/providers/Microsoft.Network/routeTables/UDR"], "--leave"),
        (["--take", "hub-rg/udr", "--leave", "udr"], "--leave"),
        (["--output", "."], "folder"),
        (["--output", ".", "--overwrite"], "folder"),
        (["--port", "ssh"], "ssh is not a whole number"),
        (["--port", "22.5"], "22.5 is not a whole number"),
        (["--port", "99999"], "99999 is more than 65535"),
        (["--port", "0"], "0 is less than 1"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_followed_is_said_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, args: list[str], told: str
) -> None:
    """Two answers on one table, a folder for a file, and what is no port are told as what they are."""
    result = init(monkeypatch, pair(), *args)
    assert result.exit_code == ExitCode.USAGE
    assert told in " ".join(result.stderr.replace("│", " ").split())
    assert "Input should" not in result.stderr
