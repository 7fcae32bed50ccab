"""Azure's resources in memory: whole, under their ETags, each write an operation that takes its time.

What it holds against its caller is what Azure does (azure-facts B1, B2): a stale ETag is refused, a resource
whose operation runs is busy, a public IP is in use until its detach has ended, an ETag changes once more when
an operation ends, and a write whose caller has gone away is carried out all the same.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nvaha.model import Resource
from nvaha.ports import Clock, NetworkError, NetworkFault


@dataclass(slots=True)
class FakeNetwork:
    """Azure: resources by casefolded id.

    Args:
        operation_s: how long a write takes to be carried out.
        read_s: how long a read takes.
        slow: {resource id: how long each read of it takes instead}.
        refuse: {resource id: the errors that its next writes get}, in order.
        fail: {resource id: the errors with which its next operations end}, in order.
        unread: {resource id: the error that each read of it gets}.
        tokens: how many more requests there is a token for; None for all.
        before_put: called with the resource before each write is looked at, to race with it.
        nics_ignore_if_match: whether NICs are written whatever ETag is sent.
        tried: the ids of the resources that writes were sent for, in order; `puts` those taken in.
    """

    clock: Clock
    resources: dict[str, Resource] = field(default_factory=dict)
    operation_s: float = 1.0
    read_s: float = 0.01
    slow: dict[str, float] = field(default_factory=dict)
    refuse: dict[str, list[NetworkError]] = field(default_factory=dict)
    fail: dict[str, list[NetworkError]] = field(default_factory=dict)
    unread: dict[str, Exception] = field(default_factory=dict)
    tokens: int | None = None
    before_put: Callable[[Resource], None] = lambda _: None
    nics_ignore_if_match: bool = False
    tried: list[str] = field(default_factory=list)
    puts: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    _etags: int = 0
    _running: dict[str, asyncio.Future[NetworkError | None]] = field(default_factory=dict)
    _leaving: dict[str, frozenset[str]] = field(default_factory=dict)

    def put_there(self, *resources: Resource) -> None:
        """Place resources as somebody else would write them."""
        for each in resources:
            self._etags += 1
            self.resources[each.id.casefold()] = replace(each, etag=f'W/"{self._etags}"')

    def edit(self, resource_id: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Let somebody else change a resource."""
        found = self.resources[resource_id.casefold()]
        body = copy.deepcopy(dict(found.body))
        change(body)
        self.put_there(replace(found, body=body))

    def body(self, resource_id: str) -> dict[str, Any]:
        """Return a resource's body as Azure shows it."""
        body = copy.deepcopy(dict(self.resources[resource_id.casefold()].body))
        holder = self._holder(resource_id)
        if holder is not None:
            body["properties"]["ipConfiguration"] = {"id": holder}
        return body

    async def have_token(self) -> None:
        """Have a token, or wait for one in vain."""
        if self.tokens == 0:
            await self.clock.sleep(3.0)
            raise NetworkError(NetworkFault.NO_TOKEN, "", "no token: the identity does not answer")

    async def _spend_token(self) -> None:
        await self.have_token()
        if self.tokens is not None:
            self.tokens -= 1

    async def get(self, resource_id: str) -> Resource:
        """Read a resource."""
        await self._spend_token()
        self.reads.append(resource_id)
        await self.clock.sleep(self.slow.get(resource_id, self.read_s))
        if resource_id in self.unread:
            raise self.unread[resource_id]
        if resource_id.casefold() not in self.resources:
            raise NetworkError(NetworkFault.MISSING, resource_id, "404: not found")
        etag = self.resources[resource_id.casefold()].etag
        return Resource(resource_id, etag, self.body(resource_id))

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Write a resource if it is as it was read, and wait for the end of its operation."""
        await self._spend_token()
        self.tried.append(resource.id)
        self.before_put(resource)
        if refused := self.refuse.get(resource.id):
            raise refused.pop(0)
        operation = self._begin(resource)
        while not operation.done():
            await alive()
            await asyncio.wait([operation], timeout=1.0)
        if error := operation.result():
            raise error

    def _begin(self, resource: Resource) -> asyncio.Future[NetworkError | None]:
        key = resource.id.casefold()
        if key in self._running:
            raise NetworkError(NetworkFault.BUSY, resource.id, "429: another operation is under way")
        found = self.resources.get(key)
        ignoring = self.nics_ignore_if_match and "/networkinterfaces/" in key
        if found is None or (found.etag != resource.etag and not ignoring):
            raise NetworkError(NetworkFault.CHANGED, resource.id, "412: changed")
        before, after = _carried(found.body), _carried(resource.body)
        for name, public_ip in after.items():
            if before.get(name) != public_ip and self._in_use(public_ip, but=(key, name)):
                raise NetworkError(NetworkFault.IN_USE, resource.id, f"400: {public_ip} is in use")
        self.puts.append(resource.id)
        self.put_there(replace(resource, body=_in_state(resource.body, "Updating")))
        self._leaving[key] = frozenset(before.values()) - frozenset(after.values())
        operation = self._running[key] = asyncio.get_running_loop().create_future()
        error = self.fail[resource.id].pop(0) if self.fail.get(resource.id) else None

        def end() -> None:
            del self._running[key], self._leaving[key]
            state = "Failed" if error else "Succeeded"
            self.put_there(replace(self.resources[key], body=_in_state(self.resources[key].body, state)))
            if not operation.done():
                operation.set_result(error)

        asyncio.get_running_loop().call_later(self.operation_s, end)
        return operation

    def _in_use(self, public_ip: str, *, but: tuple[str, str]) -> bool:
        held = [
            (key, name)
            for key, each in self.resources.items()
            for name, carried in _carried(each.body).items()
            if carried == public_ip
        ]
        return any(each != but for each in held) or any(public_ip in each for each in self._leaving.values())

    def _holder(self, public_ip_id: str) -> str | None:
        """Return the id of the IP configuration that carries a public IP, if any."""
        for each in self.resources.values():
            for name, carried in _carried(each.body).items():
                if carried == public_ip_id.casefold():
                    return f"{each.id}/ipConfigurations/{name}"
        return None


def _carried(body: Mapping[str, Any]) -> dict[str, str]:
    """Return {IP configuration: casefolded public IP id} of a NIC's body, nothing for others."""
    properties = body.get("properties")
    children = properties.get("ipConfigurations", ()) if isinstance(properties, Mapping) else ()
    pairs = ((each["name"], each["properties"].get("publicIPAddress")) for each in children)
    return {name: public_ip["id"].casefold() for name, public_ip in pairs if public_ip is not None}


def _in_state(body: Mapping[str, Any], state: str) -> dict[str, Any]:
    return {**body, "properties": {**body["properties"], "provisioningState": state}}
