"""What people do to the simulated Azure by hand: the `az` commands that `nvaha break-glass` writes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nvaha.lab.arm import ArmSimulator
from nvaha.lab.stage.azurite import LabError

Json = dict[str, Any]
_PREFIX = "ha-nva-"


def follow(simulator: ArmSimulator, sheet: Path) -> int:
    """Carry out every command of a file of `nvaha break-glass`; returns how many there were.

    Raises:
        LabError: the file cannot be read, or a line is no command that is known here.
    """
    try:
        lines = sheet.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LabError(f"{sheet.name} cannot be read: {error.strerror}") from error
    commands = [line for line in lines if line.strip() and not line.startswith("#")]
    for line in commands:
        az(simulator, shlex.split(line)[1:])
    return len(commands)


def az(simulator: ArmSimulator, words: Sequence[str]) -> str:
    """Carry out one `az` command, given without its first word; returns the id of what it wrote.

    Raises:
        LabError: it is none of those that `nvaha break-glass` writes, or names what is not there.
    """
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    command, given = " ".join(words[:first]), words[first:]
    options = dict(zip(given[::2], given[1::2], strict=False))
    edit = _COMMANDS.get(command)
    if edit is None:
        raise LabError(f"az {command} is unknown here; known are: az {', az '.join(_COMMANDS)}")
    try:
        body = edit(simulator, options)
    except (KeyError, StopIteration) as error:
        what = f"no {error.args[0]}" if error.args else "nothing of that name"
        raise LabError(f"az {command}: {what} in: {' '.join(given)}") from error
    return str(simulator.edit(body)["id"])


def named(simulator: ArmSimulator, name: str, kind: str = "", *, scope: str = "") -> Json:
    """Return a copy of a resource by its id, its name (`hub-rg/udr` of several), or in short, such as `udr`.

    Args:
        simulator: where it is.
        name: of it.
        kind: its type, if only one is meant.
        scope: which of several of that name is meant: what its id begins with.

    Raises:
        LabError: there is none, with the names that there are; or there are several.
    """
    bodies = [body for body in simulator.snapshot().values() if body["type"].endswith(kind)]
    wanted = name.casefold()
    found = [body for body in bodies if wanted in _names(body)]
    found = found or [body for body in bodies if f"{_PREFIX}{wanted}" == body["name"].casefold()]
    if len(found) > 1 and scope:
        found = [body for body in found if body["id"].casefold().startswith(scope.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        short = [in_group(body) for body in found]
        known = ", ".join(short if len(set(short)) == len(short) else (body["id"] for body in found))
        raise LabError(f"there are several {name!r} in the simulated Azure: {known}")
    known = ", ".join(body["name"] for body in bodies)
    raise LabError(f"there is no {name!r} in the simulated Azure; there are {known}")


def in_group(body: Json) -> str:
    """Return a resource's name with its resource group's before it."""
    parts = body["id"].split("/")
    return f"{parts[4]}/{body['name']}"


def _names(body: Json) -> set[str]:
    return {each.casefold() for each in (body["id"], in_group(body), body["name"])}


def _route(simulator: ArmSimulator, options: dict[str, str]) -> Json:
    table = named(simulator, options["--route-table-name"], "routeTables", scope=_scope(options))
    route = _child(table["properties"]["routes"], options["-n"])
    route["properties"]["nextHopIpAddress"] = options["--next-hop-ip-address"]
    return table


def _ip_configuration(simulator: ArmSimulator, options: dict[str, str]) -> Json:
    nic = named(simulator, options["--nic-name"], "networkInterfaces", scope=_scope(options))
    properties = _child(nic["properties"]["ipConfigurations"], options["-n"])["properties"]
    public_ip = options["--public-ip-address"]
    held = properties.pop("publicIPAddress", None)
    if public_ip != "null":
        same = held is not None and held["id"].casefold() == public_ip.casefold()
        properties["publicIPAddress"] = held if same else {"id": public_ip}
    return nic


def _nic(simulator: ArmSimulator, options: dict[str, str]) -> Json:
    nic = named(simulator, options["-n"], "networkInterfaces")
    nic["properties"]["enableIPForwarding"] = options["--ip-forwarding"] == "true"
    return nic


def _tag(simulator: ArmSimulator, options: dict[str, str]) -> Json:
    body = named(simulator, options["--resource-id"])
    name, _, value = options["--tags"].partition("=")
    tags = {each: kept for each, kept in body.get("tags", {}).items() if each != name}
    if options["--operation"] == "merge":
        tags[name] = value
    return {**body, "tags": tags}


def _scope(options: dict[str, str]) -> str:
    return f"/subscriptions/{options.get('--subscription')}/resourceGroups/{options.get('-g')}/"


def _child(children: list[Json], name: str) -> Json:
    return next(each for each in children if each["name"].casefold() == name.casefold())


_COMMANDS: dict[str, Callable[[ArmSimulator, dict[str, str]], Json]] = {
    "network route-table route update": _route,
    "network nic ip-config update": _ip_configuration,
    "network nic update": _nic,
    "tag update": _tag,
}
