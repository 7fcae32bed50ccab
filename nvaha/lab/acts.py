"""What can be done to a running lab, a typed line each: for the prompt of `lab up` and for drills."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from nvaha.azure.storage.rows import GROUP_PARTITION, GROUPS_TABLE
from nvaha.lab import by_hand
from nvaha.lab.arm import Fault, FaultKind, Pause
from nvaha.lab.arm.faults import TOKEN, throttled
from nvaha.lab.stage.azurite import OTHER_ACCOUNT, LabError
from nvaha.lab.stage.nva import Down
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.stage import Lab
from nvaha.lab.verbs import VERBS, read
from nvaha.lab.verbs import verb as _verb
from nvaha.lab.within import Within

__all__ = ["VERBS", "Acts", "read"]

HOLD = "nvaha-hold=lab"
_SHUT_S = 1.25
"""Longer than the default interval of probes, and shorter than that and one `fast_interval`."""
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))"')
_THROTTLED = throttled(5, count=None)
_NO_TOKEN = Fault(FaultKind.ERROR, method=TOKEN, count=None, message="The identity's endpoint is out.")


class Acts(Within):
    """Does to a lab what lines say.

    Args:
        lab: a running lab.
    """

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self._locks: dict[str, Fault] = {}

    async def obey(self, line: str) -> str:
        """Do what a line says; returns what was done, in words.

        Raises:
            LabError: it is no such line, or names what is not there.
        """
        verb, given = read(line)
        return await verb.act(self, *given)

    def names(self) -> dict[str, list[str]]:
        """Return what can stand for each word in capitals."""
        resources = self._lab.simulator.snapshot().values()
        twice = [name for name, count in Counter(each["name"] for each in resources).items() if count > 1]

        def named(*, of_tables: bool) -> list[str]:
            chosen = [each for each in resources if each["type"].endswith("routeTables") is of_tables]
            return [by_hand.in_group(each) if each["name"] in twice else each["name"] for each in chosen]

        return {
            "NVA": [each.name for each in (*self._lab.nvas, *self._lab.scenery.targets)],
            "MONITOR": [host.name for host in self._lab.hosts],
            "TABLE": named(of_tables=True),
            "NAME": named(of_tables=False),
            "GROUP": list(self._lab.samples),
        }

    # NVAs and monitors

    @_verb("kill NVA [silent]", "an NVA stops: it refuses connections, or never answers")
    async def _kill(self, name: str, mode: str = Down.REFUSE) -> str:
        nva = self._lab.nva(name)
        nva.stop(Down(mode))
        return f"{nva.name} is gone" if mode == Down.REFUSE else f"{nva.name} answers nothing any more"

    @_verb("revive NVA", "it answers again")
    async def _revive(self, name: str) -> str:
        nva = self._lab.nva(name)
        nva.start()
        return f"{nva.name} is back"

    @_verb("unsteady NVA", "it refuses every second probe, and is down by none")
    async def _unsteady(self, name: str) -> str:
        nva = self._lab.nva(name)
        nva.limp(_SHUT_S)
        return f"{nva.name} refuses every second probe"

    @_verb("crash MONITOR", "a monitor ends as by a crash")
    async def _crash(self, name: str) -> str:
        await self._lab.host(name).kill()
        return f"{name} is killed"

    @_verb("stop MONITOR", "it ends in good order, as the platform ends one")
    async def _stop(self, name: str) -> str:
        await self._lab.host(name).stop()
        return f"{name} is stopped"

    @_verb("start MONITOR [FOLDER]", "it is started again, as the release in a folder if one is named")
    async def _start(self, name: str, app: str = "") -> str:
        host = self._lab.host(name)
        if app or not host.running:
            await host.start(Path(app) if app else None)
        return f"{name} runs"

    @_verb("add MONITOR", "one more monitor of the same deployment")
    async def _add(self, name: str) -> str:
        self._new(name)
        await self._lab.add_host(name)
        return f"{name} runs"

    @_verb("rival MONITOR", "a second deployment on the same Azure, with storage of its own")
    async def _rival(self, name: str) -> str:
        self._new(name)
        storage = self._lab.azurite.connection_to(OTHER_ACCOUNT)
        await self._lab.add_host(name, AzureWebJobsStorage=storage)
        return f"{name} runs, with its state in the storage account {OTHER_ACCOUNT}"

    def _new(self, name: str) -> None:
        if any(host.name == name for host in self._lab.hosts):
            raise LabError(f"there is a monitor {name} already")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            raise LabError(f"{name} cannot be a monitor's name: small letters, digits and - can")

    @_verb(
        "config without|with TABLE",
        "the configuration names a route table no more, or again; monitors read it when they start",
    )
    async def _config(self, how: str, name: str) -> str:
        table = self._id(name, "routeTables")
        if not any(table in sample.route_tables for sample in self._lab.samples.values()):
            raise LabError(f"{_name(table)} is none of the group's route tables")
        if how == "without":
            self._lab.left_out.add(table)
        else:
            self._lab.left_out.discard(table)
        self._lab.write_configuration()
        return f"the configuration is {how} {_name(table)}; a monitor reads it when it starts"

    # Azure

    @_verb("break route TABLE", "somebody moves one route of a table to another NVA by hand")
    async def _break_route(self, name: str) -> str:
        table = by_hand.named(self._lab.simulator, name, "routeTables")
        following: dict[str, str] = {}
        for sample in self._lab.samples.values():
            for nva, other_nva in zip(sample.nvas, [*sample.nvas[1:], sample.nvas[0]], strict=True):
                following |= {nva.addresses[role]: other_nva.addresses[role] for role in nva.addresses}
        for route in table["properties"]["routes"]:
            hop = route["properties"].get("nextHopIpAddress")
            if hop in following:
                other = following[hop]
                words = ["network", "route-table", "route", "update", "--route-table-name", table["name"]]
                by_hand.az(self._lab.simulator, [*words, "-n", route["name"], "--next-hop-ip-address", other])
                return f"{table['name']}: {route['name']} leads to {other}, not {hop}"
        raise LabError(f"{table['name']} has no route to one of the group's NVAs")

    @_verb("hold TABLE", f"somebody tags a table with {HOLD}")
    async def _hold(self, name: str) -> str:
        return f"tag {HOLD} is on {self._tag(name, 'merge')}"

    @_verb("unhold TABLE", "the tag is taken off again")
    async def _unhold(self, name: str) -> str:
        return f"tag {HOLD.partition('=')[0]} is off {self._tag(name, 'delete')}"

    def _tag(self, name: str, operation: str) -> str:
        table = self._id(name, "routeTables")
        words = ["--resource-id", table, "--operation", operation, "--tags", HOLD]
        return _name(by_hand.az(self._lab.simulator, ["tag", "update", *words]))

    @_verb("follow FILE", "somebody does what a file of nvaha break-glass says, below the lab's folder")
    async def _follow(self, name: str) -> str:
        count = by_hand.follow(self._lab.simulator, self._lab.folder / name)
        return f"the {count} commands of {name} are carried out by hand"

    @_verb("az WORD...", "one of the commands of such a file")
    async def _az(self, *words: str) -> str:
        return f"{_name(by_hand.az(self._lab.simulator, words))} is written by hand"

    @_verb("lock NAME", "no write of a resource is accepted, as with a lock on it")
    async def _lock(self, name: str) -> str:
        resource = self._id(name)
        if resource not in self._locks:
            text = (
                "The scope cannot perform write operation because following scope(s) are locked: "
                f"'{resource}'. Please remove the lock and try again."
            )
            self._locks[resource] = Fault(
                FaultKind.ERROR, "PUT", resource, count=None, status=409, code="ScopeLocked", message=text
            )
            self._lab.simulator.faults.add(self._locks[resource])
        return f"{_name(resource)} is locked"

    @_verb("unlock NAME", "the lock is taken off again")
    async def _unlock(self, name: str) -> str:
        resource = self._id(name)
        if resource in self._locks:
            self._lab.simulator.faults.remove(self._locks.pop(resource))
        return f"{_name(resource)} is not locked"

    @_verb(
        "fail next put [NAME]", "the next write, or the next of a resource, is accepted and fails in Azure"
    )
    async def _fail(self, name: str = "") -> str:
        resource = self._id(name) if name else "*"
        self._lab.simulator.faults.add(Fault(FaultKind.OPERATION_FAILED, "PUT", resource))
        return f"the next write of {_name(resource) if name else 'anything'} will fail in Azure"

    @_verb("forwarding off|on NVA", "somebody switches IP forwarding off on its NICs, and on again")
    async def _forwarding(self, how: str, name: str) -> str:
        nva = self._lab.nva(name)
        simulator = self._lab.simulator
        for nic in next(each.interfaces for each in self._lab.sample.nvas if each.name == nva.name).values():
            by_hand.az(
                simulator,
                ["network", "nic", "update", "-n", nic, "--ip-forwarding", str(how == "on").lower()],
            )
        return f"IP forwarding is {how} on {nva.name}"

    @_verb(
        "arm off|hang|on|fast|typical|slow",
        "Azure refuses, does not answer, is back; or takes as long as this",
    )
    async def _arm(self, how: str) -> str:
        simulator = self._lab.simulator
        if how in PROFILES:
            simulator.profile = PROFILES[how]
            return f"Azure takes as long as in profile {how}"
        if how == "on":
            await simulator.resume()
            return "Azure answers again"
        await simulator.pause(Pause.HANG if how == "hang" else Pause.REFUSE)
        return "Azure refuses connections" if how == "off" else "Azure takes requests and answers none"

    @_verb("throttle on|off", "Azure asks everybody to come back in 5 s; no more")
    async def _throttle(self, how: str) -> str:
        self._lab.simulator.faults.remove(_THROTTLED)
        if how == "off":
            return "Azure takes requests again"
        self._lab.simulator.faults.add(_THROTTLED)
        return "Azure asks everybody to come back in 5 s"

    @_verb("token off|on", "the identity's endpoint has no tokens; it has again")
    async def _token(self, how: str) -> str:
        self._lab.simulator.faults.remove(_NO_TOKEN)
        if how == "on":
            return "tokens can be had again"
        self._lab.simulator.faults.add(_NO_TOKEN)
        return "no token can be had; those that were handed out stay good"

    @_verb("fence MONITOR", "Azure denies a monitor everything, as without its role assignments")
    async def _fence(self, name: str) -> str:
        self._lab.simulator.deny(self._lab.host(name).name, "*", "/subscriptions")
        return f"Azure denies {name} everything"

    @_verb("unfence all", "nobody is denied anything any more")
    async def _unfence(self) -> str:
        self._lab.simulator.allow_all()
        return "nobody is denied anything"

    # Storage

    @_verb("storage off|hang|on", "storage refuses, does not answer, is back")
    async def _storage(self, how: str) -> str:
        azurite = self._lab.azurite
        if how == "hang":
            azurite.freeze()
            return "storage takes requests and answers none"
        if how == "off":
            if not self._lab.options.persist:
                raise LabError("this lab's storage would forget everything; storage hang does no harm")
            azurite.thaw()
            await azurite.shut_down()
            return "storage refuses connections"
        azurite.thaw()
        if not azurite.running:
            await azurite.start()
        return "storage answers again"

    @_verb("age MINUTES [GROUP]", "a group's row says what it would if it had been written so long ago")
    async def _age(self, minutes: str, group: str = "") -> str:
        if not minutes.isdecimal():
            raise LabError(f"{minutes} is no number of minutes")
        by = timedelta(minutes=int(minutes))
        group = group or next(iter(self._lab.samples))
        storage = self._lab.azurite.connection_string
        try:
            async with TableClient.from_connection_string(storage, GROUPS_TABLE) as table:
                row = await table.get_entity(GROUP_PARTITION, group)
                changed: dict[str, Any] = {"PartitionKey": GROUP_PARTITION, "RowKey": group}
                changed["state"] = _TIME.sub(lambda found: f'"{_earlier(found[1], by)}"', row["state"])
                await table.update_entity(changed, mode=UpdateMode.MERGE)
        except AzureError as error:
            raise LabError(f"the row of {group} cannot be made older: {error.message}") from error
        return f"the row of {group} is {minutes} minutes older"

    def _id(self, name: str, kind: str = "") -> str:
        return str(by_hand.named(self._lab.simulator, name, kind)["id"])


def _earlier(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) - by).isoformat()


def _name(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]
