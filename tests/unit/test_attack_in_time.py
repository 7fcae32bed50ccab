"""Plans without end during a switch, in virtual time: what they cost it, to the second, on any machine.

The way to ARM, the switch and the HTTP routes are the real ones; ARM is the lab's with Azure's own limits.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import azure.functions as func
import pytest

from nvaha.app.holder import AppHolder
from nvaha.azure.arm.budget import Purpose
from nvaha.azure.arm.network import ArmNetwork
from nvaha.config import load
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import configuration, environment
from nvaha.model import Configuration, Group, GroupState, Phase, Status, Switch
from nvaha.model.messages import SwitchMessage
from nvaha.operate.control import Control
from nvaha.switch.worker import Switcher
from nvaha.web.api import Api
from tests.builders import NOON, request_to, up
from tests.fakes import Outside
from tests.unit.arm_in_time import arm_in_time

SLOWER_S = 1.0
"""What plans may cost a switch."""
BURST, PER_SECOND = 500, 20.0


class _Holder:
    """An app of which there is only what operators ask."""

    def __init__(self, control: Control) -> None:
        self.control = control

    @asynccontextmanager
    async def using(self) -> AsyncIterator[_Holder]:
        yield self


class Stage:
    """A group that is about to be switched, and whoever asks for plans meanwhile."""

    def __init__(self, tables: int, monkeypatch: pytest.MonkeyPatch) -> None:
        sample = environment(route_tables=tables)
        self.network, self.log = arm_in_time(sample, PROFILES["typical"], monkeypatch)
        addresses = {nva.name: (f"127.0.0.{10 + index}", 22) for index, nva in enumerate(sample.nvas)}
        text = json.dumps(configuration(sample, addresses, name="g"))
        self.configuration: Configuration = load(text, Path(), lambda _: "").configuration
        self.group: Group = self.configuration.groups[0]
        self.source, self.target = self.group.names
        request = replace(request_to(self.target), source=self.source)
        self.outside = Outside(
            GroupState(
                "g",
                phase=Phase.SWITCHING,
                active=self.source,
                generation=1,
                epoch=1,
                nvas={name: up() for name in self.group.names},
                switch=Switch(request, NOON),
            )
        )
        self.answers: Counter[int] = Counter()

    def ports_of(self, network: ArmNetwork) -> Any:
        """Return the ports with this way to ARM."""
        return replace(self.outside.ports, network=network)

    async def switched(self) -> tuple[float, list[LogEntry]]:
        """Carry the switch out; return its seconds and the calls to ARM meanwhile."""
        began = self.outside.clock.monotonic()
        message = SwitchMessage(v=1, group="g", generation=1, operation="g-1-0")
        await Switcher(self.configuration, self.ports_of(self.network), "worker").run(message)
        record = self.outside.store.operations["g-1-0"]
        assert (record.status, record.attempts) == (Status.DONE, 1)
        assert (self.outside.state().phase, self.outside.state().active) == (Phase.STEADY, self.target)
        return self.outside.clock.monotonic() - began, self.log

    @asynccontextmanager
    async def attacked(self, targets: Callable[[int], str]) -> AsyncIterator[None]:
        """Let plans be asked for: many at once, and then so often, from a moment before to the end."""

        async def aside(work: Callable[..., Any], *args: object) -> Any:
            return work(*args)

        control = Control(self.configuration, self.ports_of(self.network.of(Purpose.PLAN)))
        api = Api(cast("AppHolder", _Holder(control)), aside=aside)

        async def ask(number: int) -> None:
            request = func.HttpRequest(
                method="GET",
                url="http://127.0.0.1/api/groups/g/plan",
                params={"to": targets(number)},
                route_params={"group": "g"},
                body=b"",
            )
            response = await api.plan(request)
            self.answers[response.status_code] += 1
            assert response.status_code == 200 or int(response.headers["Retry-After"]) >= 1

        goes_on = True

        async def attack() -> None:
            async with asyncio.TaskGroup() as asked:
                number = 0
                while goes_on:
                    for _ in range(BURST if number == 0 else 1):
                        asked.create_task(ask(number))
                        number += 1
                    await asyncio.sleep(1.0 / PER_SECOND)

        attacker = asyncio.create_task(attack())
        await asyncio.sleep(0.01)
        yield
        goes_on = False
        await attacker


@pytest.mark.parametrize("tables", [1, 20])
@pytest.mark.parametrize("spelt", ["same", "different"])
async def test_plans_cost_a_running_switch_less_than_a_second(
    tables: int, spelt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty a second and five hundred at once; the same question, or each spelt in its own way."""
    quiet = Stage(tables, monkeypatch)
    quiet_s, _ = await quiet.switched()
    stage = Stage(tables, monkeypatch)

    def target(number: int) -> str:
        letters = [
            letter.upper() if number >> place & 1 else letter for place, letter in enumerate(stage.target)
        ]
        return "".join(letters) if spelt == "different" else stage.target

    async with stage.attacked(target):
        attacked_s, log = await stage.switched()
    print(f"{tables} tables: {quiet_s:.2f} s, attacked {attacked_s:.2f} s, {stage.answers}, {len(log)} calls")
    assert attacked_s - quiet_s < SLOWER_S
    assert not [each for each in log if each.status == 429]
    assert set(stage.answers) == {200, 503}
