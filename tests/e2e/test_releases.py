"""Monitors change their release one after the other, in real processes, while NVAs die and operators ask."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest
import yaml
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient

import nvaha
from nvaha.lab.arm import Fault, FaultKind
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.stage import GROUP, Lab
from tests.previous import RELEASE, unpacked
from tests.previous.format import file_of

from .story import (
    MONITOR_ONLY,
    Json,
    active,
    external_nics,
    group_is,
    history,
    measured,
    one_switch,
    quick_lab,
    requests,
    settled,
    told,
    until,
    written,
)

pytestmark = pytest.mark.slow

UNWATCHED_S = 30.0
"""Two leases: it takes one of 15 s, a campaign's poll, the end of a tick, and what a busy machine adds."""
TODAY, PREVIOUS = "today's", RELEASE
CHANGES = pytest.mark.parametrize(
    ("before", "after"), [(PREVIOUS, TODAY), (TODAY, PREVIOUS)], ids=["upgrade", "going back"]
)
KNOWN: dict[str, list[str]] = json.loads(file_of(RELEASE).read_text())["names"]
"""What the previous release stores: all else it drops (docs/upgrade.md)."""
WHY = "work on the firewalls, until noon"
_SAMPLE_S = 0.25
_ASK_S = 1.5


@dataclass
class Seen:
    """What the world has seen of a lab: rows as stored, again and again, and what operators were answered."""

    lab: Lab
    tables: TableServiceClient
    planned: int
    states: list[Json] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)

    async def group(self) -> Json:
        """Return the JSON in the group's row; empty if it is not there yet."""
        try:
            entity = await self.tables.get_table_client("nvahagroups").get_entity("group", GROUP)
        except ResourceNotFoundError:
            return {}
        found: Json = json.loads(entity["state"])
        return found

    async def operations(self) -> dict[str, Json]:
        """Return {id: the JSON of the row} of every operation."""
        table = self.tables.get_table_client("nvahahistory")
        return {each["operation"]: json.loads(each["state"]) async for each in table.list_entities()}

    async def sample(self) -> None:
        """Look at the group's row until cancelled."""
        while True:
            if state := await self.group():
                self.states.append(state)
            await asyncio.sleep(_SAMPLE_S)

    async def operate(self) -> None:
        """Ask each monitor what people ask, until cancelled; one that is away for a while gives no answer."""
        while True:
            for host in range(len(self.lab.hosts)):
                for path in ("", "/history", f"/plan?to={self.lab.nvas[self.planned].name}"):
                    with suppress(aiohttp.ClientError, TimeoutError):
                        status, content = await self.lab.call("GET", f"/groups/{GROUP}{path}", host=host)
                        if status not in {200, 502, 503}:
                            self.answers[f"{self.lab.hosts[host].name} {path}: {content}"] = status
            await asyncio.sleep(_ASK_S)

    def longest_unprobed_s(self, since: float) -> float:
        """Return the longest time in which no NVA was probed, up to now."""
        probed = sorted(at for nva in self.lab.nvas for at in nva.probed if at >= since)
        return max(after - before for before, after in pairwise([since, *probed, time.monotonic()]))


@asynccontextmanager
async def changing_lab(release: str, *, planned: int) -> AsyncIterator[tuple[Lab, Seen, dict[str, Path]]]:
    """Open a lab for hosts of a release, watched by the world, and the folder of each release's app.

    Operators ask for the plan to one NVA: what they are told is shared for a while by whoever asks the same.

    A control target is asked by whoever does not lead, in the place of NVAs: so their probes are a leader's.
    """
    with TemporaryDirectory() as folder:
        apps = {PREVIOUS: unpacked(Path(folder) / "app"), TODAY: Path(nvaha.__file__).parent.parent}
        async with quick_lab(app=apps[release]) as lab:
            content = yaml.safe_load(lab.config_file.read_text())
            content["control_targets"] = [{"address": "127.0.0.1", "port": lab.azurite.blob_port}]
            lab.config_file.write_text(yaml.safe_dump(content))
            async with TableServiceClient.from_connection_string(lab.azurite.connection_string) as tables:
                seen = Seen(lab, tables, planned)
                beside = [asyncio.create_task(each) for each in (seen.sample(), seen.operate())]
                try:
                    yield lab, seen, apps
                finally:
                    for task in beside:
                        task.cancel()
                    ended = await asyncio.gather(*beside, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def up(lab: Lab, nva: int, host: int) -> None:
    """Start an NVA and wait until a monitor shows it as up."""
    lab.nvas[nva].start()
    name = lab.nvas[nva].name

    def is_up(group: Json) -> bool:
        return any(each["name"] == name and each["health"] == "up" for each in group["nvas"])

    await group_is(lab, is_up, f"{name} is up", host=host)


async def could_lead(lab: Lab, host: int, release: str) -> None:
    """Wait until a monitor that was just published could lead, as docs/upgrade.md says how to see it."""
    ours = release == TODAY
    # The previous release does not know the question, and answers 200 whatever is asked for.
    wanted = {f"/health?self={nvaha.__version__}": 200, "/health?self=none": 503 if ours else 200}
    end = time.monotonic() + 60
    found: dict[str, int] = {}
    while found != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)
        with suppress(aiohttp.ClientError, TimeoutError):
            found = {path: (await lab.call("GET", path, host=host))[0] for path in wanted}


def changes(states: Iterable[Json], value: Callable[[Json], Any]) -> list[Any]:
    """Return what a value was, one after the other, each as long as it lasted."""
    found: list[Any] = []
    for state in states:
        if not found or found[-1] != value(state):
            found.append(value(state))
    return found


def one_leader_at_a_time(seen: Seen) -> list[int]:
    """Check that each epoch had one leader and none came back; return the epochs."""
    elected = [each.fields["epoch"] for each in seen.lab.events() if each.event == "leader_elected"]
    assert elected == sorted(set(elected))
    written_by = changes(seen.states, lambda state: state["epoch"])
    assert written_by == sorted(set(written_by))
    assert set(written_by) <= set(elected)
    return elected


def lost(before: Json, after: Json) -> dict[str, set[str]]:
    """Return {kind: names} that a group's row had and has no more."""
    nvas = before["nvas"]
    return {
        "GroupState": before.keys() - after.keys() - {"schema"},
        "NvaState": set().union(*(nvas[name].keys() - after["nvas"][name].keys() for name in nvas)),
    }


def unknown(row: Json) -> dict[str, set[str]]:
    """Return {kind: names} in a group's row that the previous release does not know."""
    return {
        "GroupState": row.keys() - KNOWN["GroupState"] - {"schema"},
        "NvaState": set().union(*map(set, row["nvas"].values())) - set(KNOWN["NvaState"]),
    }


@CHANGES
async def test_two_monitors_change_their_release_one_after_the_other(before: str, after: str) -> None:
    """NVAs die before, between and after, and once while the leader goes: each moves everything once.

    The first leads and does not work, so that the second carries out what the other release has asked for.
    """
    async with changing_lab(before, planned=1) as (lab, seen, apps):
        first = await lab.add_host("monitor-a", 0, **MONITOR_ONLY)
        epoch = (await lab.ready())["epoch"]
        second = await lab.add_host("monitor-b")
        since = time.monotonic()
        writes = one_switch(lab)

        # Before: both are of the same release.
        lab.nvas[0].stop()
        await active(lab, 1, host=1)
        await up(lab, 0, host=1)
        assert written(lab) == writes
        row, ended = await seen.group(), await seen.operations()

        # The one that does not lead goes first, and nobody misses it.
        stopped_at = time.monotonic()
        await second.stop()
        await second.start(apps[after])
        with pytest.raises(LabError, match="runs"):
            await second.start(apps[before])
        await could_lead(lab, 1, after)
        measured(f"follower changed from {before}: out of service", stopped_at)
        assert (await lab.group())["epoch"] == epoch
        unprobed_s = seen.longest_unprobed_s(stopped_at)
        assert unprobed_s < 10
        measured(f"follower changed from {before}: nobody probes", 0.0, until=unprobed_s)

        # Between: one release asks, the other one carries it out, and in the middle of it the leader dies.
        _, detached = external_nics(lab.sample)
        lab.simulator.faults.add(
            Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=1.5)
        )
        lab.nvas[1].stop()
        await until(lambda: len(requests(lab, "PUT", detached)) > 1, "the switch is under way")
        killed_at = time.monotonic()
        await first.kill()
        first.settings = {key: value for key, value in first.settings.items() if key not in MONITOR_ONLY}
        await first.start(apps[after])
        status, _ = await lab.call("POST", f"/groups/{GROUP}/pause", {"reason": WHY}, host=1)
        assert status == 200
        await active(lab, 0, host=1)
        writes += one_switch(lab)
        assert written(lab) == writes
        assert not requests(lab, "PUT", principal="monitor-a")
        assert told(lab, "switch_requested", "monitor-b") == 0

        # While nobody leads, a person moves the group by the other release, to an NVA last seen as down.
        lab.nvas[1].start()
        command = {"to": lab.nvas[1].name, "force": True, "reason": "it is back"}
        status, _ = await lab.call("POST", f"/groups/{GROUP}/failover", command, host=1)
        assert status == 202
        await active(lab, 1, host=1)
        writes += one_switch(lab)
        assert written(lab) == writes

        # After: somebody leads, of the other release, and a group that was paused before still is.
        await group_is(lab, lambda group: group["epoch"] > epoch, "somebody else leads", host=1)
        await up(lab, 0, host=1)
        await up(lab, 1, host=1)
        unprobed_s = seen.longest_unprobed_s(killed_at)
        measured(f"leader of {before} killed, {after} beside it: nobody probes", 0.0, until=unprobed_s)
        lab.nvas[1].stop()
        await group_is(lab, lambda group: group["nvas"][1]["health"] == "down", "it is seen", host=0)
        await group_is(lab, lambda group: "paused" in (group["blocked"] or ""), "it is not moved", host=0)
        assert written(lab) == writes
        status, _ = await lab.call("POST", f"/groups/{GROUP}/resume", {}, host=0)
        assert status == 200
        await active(lab, 0, host=0)
        operations = await settled(lab, 0, host=1)
        writes += one_switch(lab)
        assert written(lab) == writes

        # One history, whoever is asked.
        assert await history(lab, host=0) == operations
        assert [each["generation"] for each in operations] == [4, 3, 2, 1]
        assert {each["status"] for each in operations} == {"done"}
        kept = await seen.operations()
        assert {name: kept[name] for name in ended} == ended
        assert all(each.keys() >= set(KNOWN["Operation"]) for each in kept.values())

        # One leader at a time.
        epochs = one_leader_at_a_time(seen)
        assert [each["epoch"] for each in operations[2:]] == [epoch, epoch]
        assert operations[0]["epoch"] in epochs[1:]
        assert [each["trigger"] for each in operations] == ["failover", "manual", "failover", "failover"]
        assert seen.longest_unprobed_s(since) < UNWATCHED_S

        # Nothing is lost but what docs/upgrade.md says.
        now = await seen.group()
        dropped = lost(row, now)
        if after == TODAY:
            assert dropped == {"GroupState": set(), "NvaState": set()}
        else:
            assert dropped == unknown(row)
        for name, nva in row["nvas"].items():
            assert {key: now["nvas"][name][key] for key in ("addresses", "primary")} == {
                key: nva[key] for key in ("addresses", "primary")
            }
        assert changes(seen.states, lambda state: state["paused"]) == [False, True, False]
        assert {WHY in each.text for each in lab.events() if each.event == "paused"} == {True}
        assert seen.answers == {}
        assert told(lab, "state_unreadable") == 0


async def test_a_single_monitor_is_upgraded_in_the_middle_of_a_switch() -> None:
    """It dies between detach and attach; today's release, in its place, goes on with what 0.1.0 began."""
    async with changing_lab(PREVIOUS, planned=0) as (lab, seen, apps):
        host = await lab.add_host("monitor-a")
        epoch = (await lab.ready())["epoch"]
        detached, attached = external_nics(lab.sample)
        lab.simulator.faults.add(
            Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=3.0)
        )
        lab.nvas[0].stop()
        await until(lambda: requests(lab, "PUT", detached), "it is detached")
        killed_at = time.monotonic()
        await host.kill()
        assert not requests(lab, "PUT", attached)
        await host.start(apps[TODAY])
        await active(lab, 1)
        measured("only monitor killed in a switch and upgraded: switched", killed_at)
        unprobed_s = seen.longest_unprobed_s(killed_at)
        measured("only monitor killed in a switch and upgraded: nobody probes", 0.0, until=unprobed_s)
        (operation,) = await settled(lab, 1)
        assert (operation["status"], operation["generation"]) == ("done", 1)
        assert written(lab) == one_switch(lab)
        assert epoch < max(one_leader_at_a_time(seen))
        assert seen.answers == {}
