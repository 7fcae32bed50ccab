"""What can be done to a running lab, a typed line each: for the prompt of `lab up` and for drills."""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from nvaha.azure.storage.rows import GROUP_PARTITION, GROUPS_TABLE
from nvaha.lab import by_hand
from nvaha.lab.arm import Fault, FaultKind, Pause
from nvaha.lab.arm.faults import TOKEN
from nvaha.lab.stage.azurite import OTHER_ACCOUNT, LabError
from nvaha.lab.stage.nva import Down
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import SUBSCRIPTION
from nvaha.lab.stage.stage import GROUP, Lab

HOLD = "nvaha-hold=lab"
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))"')
_NO_TOKEN = Fault(FaultKind.ERROR, method=TOKEN, count=None, message="The identity's endpoint is out.")


@dataclass(frozen=True, slots=True)
class Verb:
    """One kind of line.

    Args:
        usage: its words: CAPITALS stand for a name, `a|b` for one of these, `[…]` may be left out, `WORD...`
            are all the rest; any other is typed as it is.
        about: what it does, for the list.
        act: the method of `Acts` that is given what the words in capitals and the choices stand for.
    """

    usage: str
    about: str
    act: Callable[..., Awaitable[str]]

    @property
    def name(self) -> str:
        """The word that it begins with."""
        return self.usage.partition(" ")[0]

    def read(self, words: Sequence[str]) -> list[str]:
        """Return what `act` is given for the words after the first; LabError if they do not fit."""
        given: list[str] = []
        rest = list(words)
        for wanted in self.usage.split()[1:]:
            if wanted.endswith("..."):
                return [*given, *rest]
            word = wanted.strip("[]")
            if not rest and word != wanted:
                continue
            typed = rest.pop(0) if rest else ""
            if word.isupper() and typed:
                given.append(typed)
            elif typed and typed in word.split("|"):
                given += [typed] if word != wanted or "|" in word else []
            else:
                raise LabError(f"{typed or 'the end'!s} is not what follows here: {self.usage}")
        if rest:
            raise LabError(f"{' '.join(rest)} is too much: {self.usage}")
        return given


VERBS: dict[str, Verb] = {}


def _verb(usage: str, about: str) -> Callable[[Callable[..., Awaitable[str]]], Callable[..., Awaitable[str]]]:
    def add(act: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
        verb = Verb(usage, about, act)
        VERBS[verb.name] = verb
        return act

    return add


def read(line: str) -> tuple[Verb, list[str]]:
    """Return which verb a line is, and what is given to it; LabError, with what there is, if it is none."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise LabError(f"{line}: {error}") from error
    verb = VERBS.get(words[0]) if words else None
    if verb is None:
        raise LabError(f"{words[0] if words else 'nothing'!s} is unknown; there are {', '.join(VERBS)}")
    return verb, verb.read(words[1:])


class Acts:
    """Does to a lab what lines say.

    Args:
        lab: a running lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._locks: dict[str, Fault] = {}

    async def obey(self, line: str) -> str:
        """Do what a line says; returns what was done, in words.

        Raises:
            LabError: it is no such line, or names what is not there.
        """
        verb, given = read(line)
        return await verb.act(self, *given)

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
        if table not in self._lab.sample.route_tables:
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
        addresses = [nva.addresses["internal"] for nva in self._lab.sample.nvas]
        for route in table["properties"]["routes"]:
            hop = route["properties"].get("nextHopIpAddress")
            if hop in addresses:
                other = addresses[(addresses.index(hop) + 1) % len(addresses)]
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

    @_verb("token off|on", "the identity's endpoint has no tokens; it has again")
    async def _token(self, how: str) -> str:
        self._lab.simulator.faults.remove(_NO_TOKEN)
        if how == "on":
            return "tokens can be had again"
        self._lab.simulator.faults.add(_NO_TOKEN)
        return "no token can be had; those that were handed out stay good"

    @_verb("fence MONITOR", "Azure denies a monitor everything, as without its role assignments")
    async def _fence(self, name: str) -> str:
        self._lab.simulator.deny(self._lab.host(name).name, "*", f"/subscriptions/{SUBSCRIPTION}")
        return f"Azure denies {name} everything"

    @_verb("deny read|write|join NAME", "Azure denies every monitor one right on a resource")
    async def _deny(self, right: str, name: str) -> str:
        resource = self._id(name)
        action = "*/join/action" if right == "join" else f"*/{right}"
        self._lab.simulator.deny("*", action, resource)
        return f"nobody may {right} {_name(resource)}"

    @_verb("forwarding off|on NIC", "IP forwarding of a NIC is switched off, or on again")
    async def _forwarding(self, how: str, name: str) -> str:
        nic = by_hand.named(self._lab.simulator, name, "networkInterfaces")
        nic["properties"]["enableIPForwarding"] = how == "on"
        self._lab.simulator.edit(nic)
        return f"IP forwarding of {nic['name']} is {how}"

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

    @_verb("age MINUTES", "the group's row says what it would if it had been written so long ago")
    async def _age(self, minutes: str) -> str:
        if not minutes.isdecimal():
            raise LabError(f"{minutes} is no number of minutes")
        by = timedelta(minutes=int(minutes))
        storage = self._lab.azurite.connection_string
        try:
            async with TableClient.from_connection_string(storage, GROUPS_TABLE) as table:
                row = await table.get_entity(GROUP_PARTITION, GROUP)
                changed: dict[str, Any] = {"PartitionKey": GROUP_PARTITION, "RowKey": GROUP}
                changed["state"] = _TIME.sub(lambda found: f'"{_earlier(found[1], by)}"', row["state"])
                await table.update_entity(changed, mode=UpdateMode.MERGE)
        except AzureError as error:
            raise LabError(f"the row of {GROUP} cannot be made older: {error.message}") from error
        return f"the row of {GROUP} is {minutes} minutes older"

    def _id(self, name: str, kind: str = "") -> str:
        return str(by_hand.named(self._lab.simulator, name, kind)["id"])


def _earlier(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) - by).isoformat()


def _name(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]
