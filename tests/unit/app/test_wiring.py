"""What each part of a process is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nvaha.app import wiring
from nvaha.azure.arm.budget import Purpose
from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.tokens import Tokens
from nvaha.config import load
from nvaha.config.settings import Settings
from nvaha.ports import Ports
from tests.fakes import Told
from tests.unit.cli_fake_app import NETWORK

CONFIG = f"""
groups:
  - name: edge
    nvas:
      - {{name: a, interfaces: {{in: {NETWORK}/networkInterfaces/a}}, probe: {{address: 10.0.0.1, port: 22}}}}
      - {{name: b, interfaces: {{in: {NETWORK}/networkInterfaces/b}}, probe: {{address: 10.0.0.2, port: 22}}}}
    route_tables: [{NETWORK}/routeTables/t]
"""


async def test_the_lack_of_a_token_is_told_in_a_run(tmp_path: Path) -> None:
    """A tick tells it, and so does a message: what is logged outside a run of a function is dropped."""
    (tmp_path / "nvaha.yaml").write_text(CONFIG)
    settings = Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    tokens, told = Tokens(settings), Told()
    app = wiring.App(settings, load("nvaha.yaml", tmp_path, lambda _: ""), tokens)
    app._notifier = told
    tokens.arm.trouble = "no token for ARM: it is silent"
    await app.switch(b"nothing that anybody wrote")
    await app.close()
    assert told.events == ["no_token"]


async def test_each_reads_azure_for_its_own_purpose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The worker for switches, the monitor for looks, who answers operators for plans; in one budget."""
    networks: dict[str, Any] = {}

    def part(name: str) -> Any:
        def make(_: object, ports: Ports, *__: object, **___: object) -> object:
            networks[name] = ports.network
            return object()

        return make

    for name in ("Monitor", "Switcher", "Control"):
        monkeypatch.setattr(wiring, name, part(name))
    (tmp_path / "nvaha.yaml").write_text(CONFIG)
    settings = Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    wiring.App(settings, load("nvaha.yaml", tmp_path, lambda _: ""))
    purposes = {name: network.purpose for name, network in networks.items()}
    assert purposes == {"Monitor": Purpose.LOOK, "Switcher": Purpose.SWITCH, "Control": Purpose.PLAN}
    assert all(isinstance(each, ArmNetwork) for each in networks.values())
    assert len({id(each._client) for each in networks.values()}) == 1
