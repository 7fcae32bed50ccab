"""Reading a group's resources from Azure into a snapshot."""

from __future__ import annotations

import asyncio

from nvaha.arm import UnreadableBodyError, check
from nvaha.model import Group, Resource, Snapshot
from nvaha.ports import Network, NetworkError, NetworkFault

ABSENT = frozenset({NetworkFault.MISSING, NetworkFault.DENIED, NetworkFault.UNREADABLE})
"""Faults of one resource that say nothing about the others: it is left out of the snapshot, with the reason.
Whatever else goes wrong means that Azure was not read, and is raised."""
AT_ONCE = 20


async def read_snapshot(network: Network, group: Group) -> Snapshot:
    """Read all of a group's resources at once.

    Raises:
        NetworkError: Azure did not answer for one of them, or asked to come again.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def read(resource_id: str) -> Resource | NetworkError:
        async with places:
            try:
                resource = await network.get(resource_id)
                check(resource)
            except UnreadableBodyError as error:
                return NetworkError(NetworkFault.UNREADABLE, resource_id, str(error))
            except NetworkError as error:
                return error
            return resource

    ids = group.resource_ids
    answers = await asyncio.gather(*(read(each) for each in ids))
    resources: dict[str, Resource] = {}
    missing: dict[str, str] = {}
    for resource_id, answer in zip(ids, answers, strict=True):
        if isinstance(answer, Resource):
            resources[resource_id.casefold()] = answer
        elif answer.fault in ABSENT:
            missing[resource_id.casefold()] = f"could not be read: {answer.message}"
        else:
            raise answer
    return Snapshot(resources, missing)
