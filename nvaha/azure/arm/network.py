"""The resources of a network in Azure Resource Manager: read whole, written whole, under their ETag."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from azure.mgmt.core.tools import parse_resource_id

from nvaha.azure.arm.client import IDENTITY_SILENT, Answer, ArmClient
from nvaha.azure.arm.errors import answer_error
from nvaha.azure.arm.operation import Crowd, Following
from nvaha.config.settings import Settings
from nvaha.model import Resource, same_id
from nvaha.ports import Clock, NetworkError, NetworkFault

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

DEFAULT_API_VERSION = "2025-03-01"
API_VERSIONS = {
    "microsoft.network/networkinterfaces": "2025-03-01",
    "microsoft.network/publicipaddresses": "2025-03-01",
    "microsoft.network/routetables": "2025-03-01",
}
_GET_TIMEOUT_S = 5.0
# ARM answers some writes only after it has looked at other resources: about 5 s for a public IP in use.
_PUT_TIMEOUT_S = 30.0
_PAUSES_S = (0.1, 0.4)
_ALIVE_EVERY_S = 1.0
_AT_ONCE = 50

Alive = Callable[[], Awaitable[None]]
_Result = TypeVar("_Result")


class ArmNetwork:
    """The `Network` of ports.py; an async context manager, or `close` it.

    Args:
        settings: the cloud, or another endpoint.
        credential: who we are; closed by whoever made it.
        clock: waits between the polls of an operation.
    """

    def __init__(self, settings: Settings, credential: AsyncTokenCredential, clock: Clock) -> None:
        self._client = ArmClient(settings, credential)
        self._clock = clock
        self._crowd = Crowd()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def get(self, resource_id: str) -> Resource:
        """Read a resource, with two more quick tries if ARM does not answer.

        Raises:
            NetworkError: that failed, or the answer is not a resource.
        """
        for pause_s in _PAUSES_S:
            try:
                return await self._get_once(resource_id)
            except NetworkError as error:
                if error.fault is not NetworkFault.UNAVAILABLE or error.code == IDENTITY_SILENT:
                    raise
                await self._clock.sleep(pause_s)
        return await self._get_once(resource_id)

    async def _get_once(self, resource_id: str) -> Resource:
        async with self._places:
            answer = await self._client.send(
                "GET", self._url(resource_id), resource_id, timeout_s=_GET_TIMEOUT_S
            )
        if answer.status != 200:
            raise answer_error(resource_id, answer.status, answer.headers, answer.body)
        return _resource(resource_id, answer)

    async def put(self, resource: Resource, *, alive: Alive) -> None:
        """Write the whole resource with If-Match on its ETag and wait until Azure has finished.

        The body goes back as it was read, read-only properties included, which ARM ignores; only the ETag,
        which travels as a header, stays out. The HTTP library below sends a PUT again when a pooled
        connection turns out to be closed, so a write may be answered with CHANGED after it took effect.

        Args:
            resource: what to write, and the ETag that it was read with.
            alive: awaited between polls, at least every second; what it raises ends the wait, and the write
                goes on in Azure.

        Raises:
            NetworkError: ARM refused the write, or the operation failed.
        """
        body = {key: value for key, value in resource.body.items() if key != "etag"}
        answer = await _while_alive(
            self._client.send(
                "PUT",
                self._url(resource.id),
                resource.id,
                timeout_s=_PUT_TIMEOUT_S,
                content=body,
                headers={"If-Match": resource.etag},
            ),
            alive,
        )
        if answer.status not in {200, 201, 202}:
            raise answer_error(resource.id, answer.status, answer.headers, answer.body)
        url = self._url(resource.id)
        following = Following(self._client, self._clock, resource.id, url, alive, self._crowd)
        await following.until_done(answer)

    def _url(self, resource_id: str) -> str:
        parts = parse_resource_id(resource_id)
        kind = f"{parts.get('namespace')}/{parts.get('type')}".casefold()
        version = API_VERSIONS.get(kind, DEFAULT_API_VERSION)
        path = quote(resource_id.strip("/"), safe="/()")
        return f"{self._client.endpoint}/{path}?api-version={version}"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _while_alive(work: Coroutine[Any, Any, _Result], alive: Alive) -> _Result:
    """Await `work`, and `alive` every second meanwhile; whatever ends this ends the work too."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=_ALIVE_EVERY_S))[0]:
            await alive()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return task.result()


def _resource(resource_id: str, answer: Answer) -> Resource:
    body = answer.json_object()
    if body is None:
        raise _unreadable(resource_id, "the answer is not a JSON object")
    if not isinstance(body.get("id"), str) or not same_id(body["id"], resource_id):
        raise _unreadable(resource_id, f"the answer is about {str(body.get('id'))[:300]!r}")
    if not isinstance(body.get("properties"), dict):
        raise _unreadable(resource_id, "the answer has no properties")
    etag = body.get("etag") or answer.headers.get("ETag")
    if not isinstance(etag, str) or not etag.isprintable():
        raise _unreadable(resource_id, "the answer has no ETag, so it could not be written back safely")
    return Resource(resource_id, etag, body)


def _unreadable(resource_id: str, message: str) -> NetworkError:
    return NetworkError(NetworkFault.UNREADABLE, resource_id, message)
