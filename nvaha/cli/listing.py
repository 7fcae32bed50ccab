"""Azure's lists for a first configuration: which there are, and what to do where they cannot be read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from nvaha.azure.arm.network import ArmNetwork
from nvaha.cli import online
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.config.proposal.seen import BALANCERS, NICS, PUBLIC_IPS, ROUTE_TABLES, Seen, seen
from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from nvaha.text import alike, last_part, safe

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SCOPE = re.compile(r"(/subscriptions/([^/]+))(/resourceGroups/[^/]+)?(?:/.*)?", re.IGNORECASE)
_NEEDED = (NICS, ROUTE_TABLES, PUBLIC_IPS)


def scopes(subscriptions: Sequence[str], groups: Sequence[str], named: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the subscriptions or resource groups that are to be read.

    Args:
        subscriptions: ids, or GUIDs.
        groups: resource groups by id, or by name if there is one subscription.
        named: resources that were named; ids among them tell their subscription.

    Raises:
        Failure: none can be told, or one is not an id.
    """
    given = dict.fromkeys(_subscription(each.removeprefix("/subscriptions/")) for each in subscriptions)
    ids = (_SCOPE.fullmatch(each) for each in named)
    given |= dict.fromkeys(_subscription(each[2]) for each in ids if each)
    found = []
    for group in groups:
        scope = _SCOPE.fullmatch(group)
        if scope is not None and scope[3]:
            found.append(f"/subscriptions/{_subscription(scope[2])}{scope[3]}")
        elif len(given) == 1 and "/" not in group:
            found.append(f"{next(iter(given))}/resourceGroups/{group}")
        else:
            text = f"--resource-group {safe(group)}: which subscription is it in?"
            raise usage(f"{text} Give its id, /subscriptions/…/resourceGroups/NAME")
    if not (found := found or list(given)):
        hints = ["az account list --output table   (the column SubscriptionId)"]
        raise usage("which subscription are the NVAs in? Say it with --subscription", hints=hints)
    return tuple(found)


def _subscription(guid: str) -> str:
    if not _GUID.fullmatch(guid):
        hints = ["az account list --output table   (the column SubscriptionId)"]
        raise usage(f"--subscription {safe(guid)} is not a subscription's id", hints=hints)
    return f"/subscriptions/{guid}"


def read(scopes: Sequence[str]) -> Seen:
    """Read the lists of these subscriptions or resource groups, with the credentials of this machine.

    Raises:
        Failure: one of them cannot be read, or there is no NIC in any of them.
    """
    return online.ask(lambda network: network_in(scopes, network))


async def network_in(scopes: Sequence[str], network: ArmNetwork) -> Seen:
    """Return what the lists of these scopes say; raises as `read` does."""
    wanted = [(scope, kind) for scope in scopes for kind in (*_NEEDED, BALANCERS)]
    tasks = [asyncio.ensure_future(_list(network, scope, kind)) for scope, kind in wanted]
    try:
        answers = await asyncio.gather(*tasks)
    except NetworkError as error:
        raise _unread([error]) from None
    finally:
        for task in tasks:
            task.cancel()
    found: list[Resource] = []
    denied: list[NetworkError] = []
    for (_, kind), answer in zip(wanted, answers, strict=True):
        if not isinstance(answer, NetworkError):
            found += answer
        # Without load balancers a next hop that is one's is told as nobody's, and nothing else changes.
        elif kind != BALANCERS or answer.fault is not NetworkFault.DENIED:
            denied.append(answer)
    if denied:
        raise _unread(denied)
    known = seen(found)
    if not known.machines:
        text = f"no NIC of a VM was found in {', '.join(scopes)}: either there is none"
        raise Failure(
            ExitCode.REFUSED,
            "nothing_found",
            f"{text}, or you may read none there. Azure answers both with an empty list",
            hints=_remedies(scopes[0]),
        )
    return known


async def _list(network: ArmNetwork, scope: str, kind: str) -> Sequence[Resource] | NetworkError:
    """Return a list, or why Azure does not give it; without an answer the others need not be waited for."""
    try:
        return await network.list_all(scope, kind)
    except NetworkError as error:
        if error.fault.lasting:
            return error
        raise


def _remedies(scope: str) -> list[str]:
    return [
        f"az role assignment create --role Reader --assignee YOU --scope {scope}",
        "nvaha init … --resource-group NAME   (if you may read that one only)",
    ]


def _unread(errors: Sequence[NetworkError]) -> Failure:
    first = errors[0]
    scope, _ = _parts(first)
    match first.fault:
        case NetworkFault.DENIED:
            hints = _remedies(scope)
        case NetworkFault.MISSING if (first.code or "").casefold() == "resourcegroupnotfound":
            hints = [f"az group list --output table --subscription {scope.split('/')[2]}"]
        case NetworkFault.MISSING:
            hints = ["az account list --output table   (az login --tenant ID, if it is in another tenant)"]
        case NetworkFault.UNAVAILABLE | NetworkFault.THROTTLED:
            hints = ["nvaha init …   (again later; with --resource-group NAME the lists are shorter)"]
        case _:
            hints = []
    code = ExitCode.REFUSED if first.fault.lasting else ExitCode.NO_ANSWER
    told = ("{1} in {0}".format(*map(last_part, _parts(each))) + f": {each.message}" for each in errors)
    details = [{"message": each} for each in alike(told)]
    return Failure(code, "azure_unread", "Azure's lists could not be read", details=details, hints=hints)


def _parts(error: NetworkError) -> tuple[str, str]:
    """Return scope and kind of the list that an error is about."""
    scope, _, kind = error.resource_id.partition("/providers/")
    return scope, kind
