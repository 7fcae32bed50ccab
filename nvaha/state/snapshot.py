"""Reading a group's resources from Azure into a snapshot."""

from __future__ import annotations

import asyncio
import math

from nvaha.core.bodies import UnreadableBodyError, check
from nvaha.model import Group, Resource, Snapshot
from nvaha.ports import Network, NetworkError, NetworkFault

PATIENCE_S = 5.0
"""Longer than this a read is not waited for, so that one resource cannot hold up a look at all the others."""
AT_ONCE = 20


async def read_snapshot(network: Network, group: Group, within_s: float = math.inf) -> Snapshot:
    """Read all of a group's resources at once; what could not be read is left out, with the reason.

    Args:
        network: where they are.
        group: whose resources.
        within_s: what has not been answered by then is taken for unanswered.

    Raises:
        NetworkError: Azure answered for none of them.
    """
    places = asyncio.Semaphore(AT_ONCE)

    until = asyncio.get_running_loop().time() + within_s

    async def read(resource_id: str) -> Resource | NetworkError:
        async with places:
            left_s = until - asyncio.get_running_loop().time()
            patience_s = max(0.0, min(PATIENCE_S, left_s))
            try:
                async with asyncio.timeout(patience_s):
                    resource = await network.get(resource_id)
                check(resource)
            except TimeoutError:
                return NetworkError(NetworkFault.UNAVAILABLE, resource_id, f"no answer in {patience_s:.1f} s")
            except UnreadableBodyError as error:
                return NetworkError(NetworkFault.UNREADABLE, resource_id, str(error))
            except NetworkError as error:
                return error
            return resource

    ids = group.resource_ids
    answers = await asyncio.gather(*(read(each) for each in ids))
    resources: dict[str, Resource] = {}
    missing: dict[str, str] = {}
    absent: set[str] = set()
    denied: set[str] = set()
    passing: dict[str, NetworkError] = {}
    for resource_id, answer in zip(ids, answers, strict=True):
        if isinstance(answer, Resource):
            resources[resource_id.casefold()] = answer
            continue
        missing[resource_id.casefold()] = f"could not be read: {answer.message}"
        if answer.fault is NetworkFault.MISSING:
            absent.add(resource_id.casefold())
        if answer.fault is NetworkFault.DENIED:
            denied.add(resource_id.casefold())
        if not lasting(answer):
            passing[resource_id.casefold()] = answer
    if passing and not resources:
        # Of several reasons the one that says how long to wait.
        raise max(passing.values(), key=lambda error: error.fault is NetworkFault.THROTTLED)
    waits = [error.retry_after_s or 0.0 for error in passing.values()]
    retry_after_s = max(waits) if waits else None
    throttled = any(error.fault is NetworkFault.THROTTLED for error in passing.values())
    return Snapshot(
        resources, missing, frozenset(passing), frozenset(absent), retry_after_s, throttled, frozenset(denied)
    )


def lasting(error: NetworkError) -> bool:
    """Tell whether a read that failed will fail the next time too; a 400 to a read is Azure's own trouble."""
    return error.fault.lasting and error.fault is not NetworkFault.REFUSED
