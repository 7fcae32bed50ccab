"""Whether the simulated Azure is as it should be after a failover, and nothing else was changed: pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nvaha.lab.stage.sample import Environment, SampleNva

Json = dict[str, Any]
_VOLATILE = frozenset({"etag", "provisioningState"})
_MARK = re.compile("nvaha-[0-9a-f]{8}")
"""The name of a tag that says who writes a resource."""
_MOST = 20


def check(
    sample: Environment, before: Mapping[str, Json], after: Mapping[str, Json], active: str
) -> list[str]:
    """Return what is wrong, one sentence each; nothing if everything is as it should be.

    Args:
        sample: the environment.
        before: every resource before the failover, by id.
        after: every resource now.
        active: the NVA that everything should lead to.
    """
    expected = _moved(sample, before, active)
    problems = [f"{each} is gone" for each in expected if each not in after]
    problems += [f"{each} was not there before" for each in after if each not in expected]
    for resource_id, body in expected.items():
        if resource_id in after:
            name = resource_id.rpartition("/")[2]
            problems += differences(_plain(body), _plain(after[resource_id]), name)
    return problems[:_MOST]


def differences(expected: object, actual: object, path: str) -> Iterator[str]:
    """Yield one sentence for each place in which two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            if key not in actual:
                yield f"{path}.{key} is gone; it was {expected[key]!r}"
            elif key not in expected:
                yield f"{path}.{key} is new: {actual[key]!r}"
            else:
                yield from differences(expected[key], actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif expected != actual:
        yield f"{path} is {actual!r}, not {expected!r}"


def _moved(sample: Environment, before: Mapping[str, Json], active: str) -> dict[str, Json]:
    """Return every resource as it has to be with another NVA active, and no other change."""
    target = next(nva for nva in sample.nvas if nva.name == active)
    expected = copy.deepcopy(dict(before))
    hops = {address: target.addresses[role] for nva in sample.nvas for role, address in nva.addresses.items()}
    for body in expected.values():
        for route in body["properties"].get("routes", []):
            hop = route["properties"].get("nextHopIpAddress")
            route["properties"].update({"nextHopIpAddress": hops[hop]} if hop in hops else {})
    for public_ip in sample.public_ips:
        _move(sample, expected, public_ip, target)
    return expected


def _move(sample: Environment, resources: dict[str, Json], public_ip: str, target: SampleNva) -> None:
    holder = resources[public_ip]["properties"].get("ipConfiguration")
    if holder is None:
        return
    nic, _, configuration = holder["id"].partition("/ipConfigurations/")
    roles = [role for nva in sample.nvas for role, each in nva.interfaces.items() if _same(each, nic)]
    if not roles:
        return
    reference = _configuration(resources[nic], configuration)["properties"].pop("publicIPAddress")
    wanted = target.interfaces[roles[0]]
    _configuration(resources[wanted], configuration)["properties"]["publicIPAddress"] = reference
    holder["id"] = f"{wanted}/ipConfigurations/{configuration}"


def _configuration(nic: Json, name: str) -> Json:
    for each in nic["properties"]["ipConfigurations"]:
        if _same(each["name"], name):
            found: Json = each
            return found
    raise KeyError(name)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _plain(value: Any) -> Any:
    """Return a value without what every write may change, and with references to public IPs as bare ids."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: each for key, each in value.items() if key not in _VOLATILE and not _MARK.fullmatch(key)}
    plain = {key: _plain(each) for key, each in kept.items()}
    if isinstance(plain.get("publicIPAddress"), dict):
        plain["publicIPAddress"] = {"id": plain["publicIPAddress"].get("id", "").casefold()}
    if isinstance(plain.get("ipConfiguration"), dict):
        plain["ipConfiguration"] = {"id": plain["ipConfiguration"].get("id", "").casefold()}
    return plain
