"""The resources of a network in Azure Resource Manager: read whole, written whole, under their ETag."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from nvaha.azure.arm.budget import Purpose
from nvaha.azure.arm.client import Answer, ArmClient
from nvaha.azure.arm.errors import AnswerError, answer_error
from nvaha.azure.arm.operation import Crowd, Following
from nvaha.config.settings import Cloud, Settings
from nvaha.model import Resource, same_id
from nvaha.ports import Clock, Meter, NetworkError, NetworkFault, NoMeter
from nvaha.text import shown

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# One version for route tables, NICs and public IPs. The other clouds follow by a year or more: theirs is one
# that US Government was seen to serve and that common tools used in all clouds (azure-facts B8).
API_VERSIONS = {Cloud.PUBLIC: "2025-03-01", Cloud.US_GOVERNMENT: "2023-09-01", Cloud.CHINA: "2023-09-01"}
_GET_TIMEOUT_S = 5.0
# A page may hold hundreds of route tables with hundreds of routes each.
_PAGE_TIMEOUT_S, _LARGEST_PAGE, _MOST_PAGES = 30.0, 128 * 1024 * 1024, 1000
# ARM answers some writes only after it has looked at other resources: about 5 s for a public IP in use.
_PUT_TIMEOUT_S = 30.0
_OFFER_TIMEOUT_S = 5.0
_UNREAD = "invalidrequestformat"
_PAUSES_S = (0.1, 0.4)
_ALIVE_EVERY_S = 1.0

Alive = Callable[[], Awaitable[None]]
_Result = TypeVar("_Result")


class ArmNetwork:
    """The `Network` of ports.py, for switches, and `of` other purposes; use `async with`, or `close` it.

    Args:
        settings: the cloud, or another endpoint.
        credential: who we are; closed by whoever made it.
        clock: waits between the polls of an operation, and counts what ARM lets us read.
        meter: where requests are counted.
    """

    def __init__(
        self, settings: Settings, credential: AsyncTokenCredential, clock: Clock, meter: Meter | None = None
    ) -> None:
        self.purpose = Purpose.SWITCH
        self._client = ArmClient(settings, credential, clock, meter or NoMeter())
        self._api_version = settings.arm_api_version or API_VERSIONS[settings.cloud]
        self._clock = clock
        self._crowd = Crowd()

    def of(self, purpose: Purpose) -> ArmNetwork:
        """Return this network as it is read for a purpose: over the same connections, within one budget."""
        other = copy.copy(self)
        other.purpose = purpose
        return other

    async def have_token(self) -> None:
        """Have what it takes to ask; NetworkError with NO_TOKEN if that cannot be had now."""
        await self._client.have_token("Azure")

    async def get(self, resource_id: str) -> Resource:
        """Read a resource, with two more quick tries if ARM does not answer, or answers oddly.

        Raises:
            NetworkError: that failed, or the answer is not a resource.
        """
        return await self._tried(lambda: self._get_once(resource_id), _may_pass)

    async def _get_once(self, resource_id: str) -> Resource:
        answer = await self._client.read(
            self._url(resource_id), resource_id, timeout_s=_GET_TIMEOUT_S, purpose=self.purpose
        )
        if answer.status != 200:
            raise answer_error(resource_id, answer.status, answer.headers, answer.body)
        return _resource(resource_id, answer)

    async def list_all(self, scope: str, kind: str) -> tuple[Resource, ...]:
        """Read all resources of a type that this identity may read, page by page, with tries as `get`.

        A page that was waited for in vain to the end is not asked for again: somebody waits for the list.

        What comes in a list is to be looked at and not to be written back: it may lack its ETag.

        Args:
            scope: the id of a subscription or resource group.
            kind: such as `routeTables`.

        Raises:
            NetworkError: as `get`; the identity may read none of them there; or the pages have no end.
        """
        where = f"{scope}/providers/Microsoft.Network/{kind}"
        url: str | None = self._url(where)
        found: list[Resource] = []
        for _ in range(_MOST_PAGES):
            if url is None:
                raise _unreadable(where, "the next page is said to be at another host than ARM's")
            page = await self._tried(partial(self._page, where, url), _page_may_pass)
            found += [_listed(where, each) for each in page["value"]]
            if not (link := page.get("nextLink")):
                return tuple(found)
            url = self._client.resolve(str(link))
        raise _unreadable(where, f"there are more than {_MOST_PAGES} pages")

    async def _page(self, where: str, url: str) -> dict[str, Any]:
        answer = await self._client.read(
            url, where, timeout_s=_PAGE_TIMEOUT_S, purpose=self.purpose, largest=_LARGEST_PAGE
        )
        if answer.status != 200:
            raise answer_error(where, answer.status, answer.headers, answer.body)
        page = answer.json_object()
        if page is None or not isinstance(page.get("value"), list):
            raise _unreadable(where, "the answer is no list")
        return page

    async def put(self, resource: Resource, *, alive: Alive) -> None:
        """Write the whole resource with If-Match on its ETag and wait until Azure has finished.

        The body goes back as it was read, read-only properties included, which ARM ignores; only the ETag,
        which travels as a header, stays out. The HTTP library below sends a PUT again when a pooled
        connection turns out to be closed, so a write may be answered with CHANGED after it took effect. It is
        sent again here, twice at most, only if Azure said oddly that it does not take it in.

        Args:
            resource: what to write, and the ETag that it was read with.
            alive: awaited between polls, at least every second; what it raises ends the wait, and the write
                goes on in Azure.

        Raises:
            NetworkError: ARM refused the write, or the operation failed.
        """
        sent = False

        async def once() -> Answer:
            nonlocal sent
            if sent:
                # A NIC may ignore If-Match, and this is a write like the first: only onto the same resource,
                # and only while the writer may still write.
                await self._require_unchanged(resource)
                await alive()
            sent = True
            return await _while_alive(self._put_once(resource), alive)

        answer = await self._tried(once, _is_odd)
        url = self._url(resource.id)
        following = Following(self._client, self._clock, resource.id, url, resource.etag, alive, self._crowd)
        await following.until_done(answer)

    async def offer(self, resource: Resource) -> None:
        """Offer a write that Azure cannot take (`nvaha.core.trial`), to hear whether it objects to more.

        Raises:
            NetworkError: Azure objects to something else, such as a right that is missing; did not answer;
                or, as UNREADABLE, took it.
        """
        answer = await self._write(resource, _OFFER_TIMEOUT_S)
        if 200 <= answer.status < 300:
            text = f"Azure answered {answer.status} to a write that it could not have taken"
            raise NetworkError(NetworkFault.UNREADABLE, resource.id, text)
        error = answer_error(resource.id, answer.status, answer.headers, answer.body)
        if error.fault is not NetworkFault.CHANGED and (error.code or "").casefold() != _UNREAD:
            raise error

    def clock_ahead_s(self) -> float | None:
        """Return by how many seconds ARM's clock is ahead of this host's; None if it is not known."""
        return self._client.service_clock.ahead_s()

    async def _write(self, resource: Resource, timeout_s: float) -> Answer:
        return await self._client.write(
            self._url(resource.id),
            resource.id,
            timeout_s=timeout_s,
            content={key: value for key, value in resource.body.items() if key != "etag"},
            headers={"If-Match": resource.etag},
        )

    async def _put_once(self, resource: Resource) -> Answer:
        answer = await self._write(resource, _PUT_TIMEOUT_S)
        # Whatever a 2xx says beside, the write may be under way.
        if not 200 <= answer.status < 300:
            raise answer_error(resource.id, answer.status, answer.headers, answer.body)
        return answer

    async def _require_unchanged(self, resource: Resource) -> None:
        if (await self.get(resource.id)).etag != resource.etag:
            text = "it was changed while Azure was asked a second time to write it"
            raise NetworkError(NetworkFault.CHANGED, resource.id, text)

    async def _tried(
        self, once: Callable[[], Awaitable[_Result]], passing: Callable[[NetworkError], bool]
    ) -> _Result:
        """Do something, with two more quick tries after an error that may pass."""
        for pause_s in _PAUSES_S:
            try:
                return await once()
            except NetworkError as error:
                if not passing(error):
                    raise
            await self._clock.sleep(pause_s)
        return await once()

    def _url(self, resource_id: str) -> str:
        path = quote(resource_id.strip("/"), safe="/()")
        return f"{self._client.endpoint}/{path}?api-version={self._api_version}"

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
        raise _unreadable(resource_id, f"the answer is about '{shown(str(body.get('id')), 300)}'")
    if not isinstance(body.get("properties"), dict):
        raise _unreadable(resource_id, "the answer has no properties")
    etag = body.get("etag") or answer.headers.get("ETag")
    if not isinstance(etag, str) or not etag.isprintable():
        raise _unreadable(resource_id, "the answer has no ETag, so it could not be written back safely")
    return Resource(resource_id, etag, body)


def _listed(where: str, body: object) -> Resource:
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise _unreadable(where, "an entry of the list has no id")
    return Resource(body["id"], str(body.get("etag") or ""), body)


def _may_pass(error: NetworkError) -> bool:
    return error.fault is NetworkFault.UNAVAILABLE or _is_odd(error)


def _page_may_pass(error: NetworkError) -> bool:
    return _may_pass(error) and not isinstance(error.__cause__, TimeoutError)


def _is_odd(error: NetworkError) -> bool:
    return isinstance(error, AnswerError) and error.odd


def _unreadable(resource_id: str, message: str) -> NetworkError:
    return NetworkError(NetworkFault.UNREADABLE, resource_id, message)
