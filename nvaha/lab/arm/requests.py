"""One request to ARM, from its token to its answer."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import re
from functools import partial
from typing import Any

from aiohttp import web

from nvaha.lab.arm.address import LOAD_BALANCERS, Address, parse_address
from nvaha.lab.arm.errors import ArmError, invalid_request, throttled_error, unserved
from nvaha.lab.arm.faults import Fault, FaultKind
from nvaha.lab.arm.gate import Gate, NoAnswer, reset
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.operation import Operation
from nvaha.lab.arm.world import World
from nvaha.lab.arm.writes import Request, find_route

Json = dict[str, Any]

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_ERRORS = {FaultKind.ERROR, FaultKind.ERROR_AFTER}
_RESETS = {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER}
_HANGS = {FaultKind.HANG_BEFORE, FaultKind.HANG_AFTER}
_BEFORE = {FaultKind.ERROR, FaultKind.RESET_BEFORE, FaultKind.HANG_BEFORE, FaultKind.GARBLED}
_AFTER = {
    FaultKind.ERROR_AFTER,
    FaultKind.RESET_AFTER,
    FaultKind.HANG_AFTER,
    FaultKind.GARBLED_AFTER,
}


class ArmRequests:
    """Answers requests to ARM."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate
        self.endpoint = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, whatever it is."""
        world = self._world
        address = parse_address(request.path)
        operation = self._operation(address)
        entry = LogEntry(
            time=world.clock(),
            method="POLL" if operation else request.method,
            resource_id=operation.resource_id if operation else _logged_id(request, address),
            if_match=request.headers.get("If-Match"),
            correlation_id=request.headers.get("x-ms-correlation-request-id") or world.guids.new(),
        )
        world.log.append(entry)
        try:
            await self._gate.wait(request)
            response = await self._answer(request, address, operation, entry)
        except NoAnswer:
            return web.Response()
        except ArmError as error:
            entry.code = error.code
            response = web.json_response(error.body, status=error.status, headers=error.headers)
        entry.status = response.status
        entry.answered = world.clock()
        response.headers.setdefault("x-ms-request-id", world.guids.new())
        response.headers["x-ms-correlation-request-id"] = entry.correlation_id
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def _answer(
        self, request: web.Request, address: Address | None, operation: Operation | None, entry: LogEntry
    ) -> web.Response:
        world = self._world
        entry.principal = world.identity.principal(request.headers.get("Authorization"))
        _check_api_version(request)
        raw = await request.read()
        fault = world.faults.strike(entry.method, entry.resource_id, entry.principal)
        writes = request.method == "PUT"
        delay = world.profile.put_s if writes else world.profile.get_s
        if fault is not None:
            delay += fault.delay_s
        if delay > 0:
            await asyncio.sleep(delay)
        if fault is not None and fault.kind in _BEFORE:
            return await self._strike(request, fault)
        if address is None:
            raise ArmError(404, "InvalidResourceType", "The resource type could not be found.")
        self._check_served(request, address)
        world.timeline.advance()
        remaining = self._throttle(entry.principal, address, writes=writes)
        sent, malformed = _parse(raw) if writes else (None, None)
        world.access.check(entry.principal, request.method, address, sent)
        if malformed is not None:
            raise malformed
        stale = fault is not None and fault.kind is FaultKind.STALE
        response = self._carry_out(request, address, operation, entry, sent=sent, stale=stale)
        response.headers[f"x-ms-ratelimit-remaining-subscription-{'writes' if writes else 'reads'}"] = (
            remaining
        )
        if fault is not None and fault.kind in _AFTER:
            return await self._strike(request, fault)
        return response

    def _carry_out(
        self,
        request: web.Request,
        address: Address,
        operation: Operation | None,
        entry: LogEntry,
        *,
        sent: object,
        stale: bool,
    ) -> web.Response:
        if request.method == "PUT" and address.name is not None and address.kind != LOAD_BALANCERS:
            return self._put(request, address, entry, sent)
        if request.method != "GET":
            message = (
                f"The http method '{request.method}' is not supported for a resource collection or type."
            )
            raise ArmError(405, "HttpMethodNotSupported", message)
        if address.operation is not None:
            return self._poll(address, operation, entry)
        if address.name is None:
            return self._list(request, address, entry)
        record = self._world.store.require(address)
        body = record.committed if stale and record.committed else record.body
        if address.route is not None:
            body = find_route(body, address)
        return web.json_response(copy.deepcopy(body), headers={"ETag": body["etag"]})

    def _check_served(self, request: web.Request, address: Address) -> None:
        served, version = self._world.switches.api_versions, request.query["api-version"]
        if not served or version in served or address.operation is not None:
            return
        record = self._world.store.find(address.resource_id) if address.name else None
        raise unserved(address.kind, version, served, record.body["location"] if record else None)

    async def _strike(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.kind in _RESETS:
            reset(request)
            raise NoAnswer
        if fault.kind in _HANGS:
            await self._gate.hang(request)
            raise NoAnswer
        if fault.kind in _ERRORS:
            headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            details = ((fault.detail, fault.message),) if fault.detail else None
            raise ArmError(fault.status, fault.code, fault.message, details=details, headers=headers)
        return web.Response(text="<html><body>Our services aren't available right now</body></html>")

    def _throttle(self, principal: str, address: Address, *, writes: bool) -> str:
        world, limits = self._world, self._world.switches.limits
        now = world.clock()
        subscription = address.subscription.casefold()
        kind = "write" if writes else "read"
        own, network = (
            (limits.writes, limits.network_writes) if writes else (limits.reads, limits.network_reads)
        )
        wait, remaining = world.throttle.take(own, f"{kind}/{subscription}/{principal}", now)
        if wait <= 0:
            wait, _ = world.throttle.take(network, f"network/{kind}/{subscription}", now)
        if wait > 0:
            raise throttled_error(kind, address.subscription, math.ceil(wait))
        return str(int(remaining))

    def _put(self, request: web.Request, address: Address, entry: LogEntry, sent: object) -> web.Response:
        world = self._world
        fault = world.faults.strike("PUT", entry.resource_id, entry.principal or "", operation=True)
        put = Request(sent, request.headers.get("If-Match"), entry, fault)
        accepted = world.writes.put_route(address, put) if address.route else world.writes.put(address, put)
        kind = fault.kind if fault is not None else None
        if fault is not None and kind is FaultKind.OPERATION_BARE:
            return web.Response(status=fault.status)
        headers = {}
        if accepted.operation is not None and kind is not FaultKind.OPERATION_UNLINKED:
            location = str(accepted.body.get("location", "westeurope")).replace(" ", "").casefold()
            # The same server under its other name, so that the log tells who goes there.
            elsewhere = self.endpoint.replace("127.0.0.1", "localhost")
            headers["Azure-AsyncOperation"] = (
                f"{elsewhere if kind is FaultKind.OPERATION_ELSEWHERE else self.endpoint}"
                f"/subscriptions/{address.subscription}/providers/Microsoft.Network/locations/"
                f"{location}/operations/{accepted.operation.id}?api-version={request.query['api-version']}"
            )
            headers["Azure-AsyncNotification"] = "Enabled"
            if accepted.operation.retry_after_s is not None:
                headers["Retry-After"] = str(accepted.operation.retry_after_s)
        return web.json_response(accepted.body, status=accepted.status, headers=headers)

    def _poll(self, address: Address, operation: Operation | None, entry: LogEntry) -> web.Response:
        if operation is None or operation.lost:
            message = f"Operation {address.operation} not found."
            raise ArmError(404, "OperationNotFound", message, details=())
        entry.operation, entry.outcome = operation.id, operation.status
        headers = {}
        if operation.running and operation.retry_after_s is not None:
            headers["Retry-After"] = str(operation.retry_after_s)
        return web.json_response(operation.poll, headers=headers)

    def _list(self, request: web.Request, address: Address, entry: LogEntry) -> web.Response:
        may_read = partial(self._world.access.may_read, entry.principal or "")
        bodies = [each for each in self._world.store.listed(address) if may_read(address.kind, each["id"])]
        start = int(token) if (token := request.query.get("$skiptoken", "0")).isdigit() else 0
        end = start + self._world.switches.page_size
        shown = copy.deepcopy(bodies[start:end])
        body: Json = {"value": in_capitals(shown) if self._world.switches.capital_ids else shown}
        if end < len(bodies):
            version = request.query["api-version"]
            body["nextLink"] = f"{self.endpoint}{request.path}?api-version={version}&$skiptoken={end}"
        return web.json_response(body)

    def _operation(self, address: Address | None) -> Operation | None:
        if address is None or address.operation is None:
            return None
        return self._world.writes.operations.get(address.operation.casefold())


def _logged_id(request: web.Request, address: Address | None) -> str:
    return request.path if address is None or address.name is None else address.resource_id


def _check_api_version(request: web.Request) -> None:
    version = request.query.get("api-version")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _API_VERSION.fullmatch(version):
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")


def _parse(raw: bytes) -> tuple[object, ArmError | None]:
    try:
        return json.loads(raw), None
    except ValueError as error:
        return None, invalid_request(str(error))


def in_capitals(value: Any) -> Any:
    """Return JSON with the resource groups of its ids in capitals, as Azure's lists sometimes have them."""
    if isinstance(value, dict):
        return {key: in_capitals(each) for key, each in value.items()}
    if isinstance(value, list):
        return [in_capitals(each) for each in value]
    if not isinstance(value, str):
        return value
    return re.sub("(?i)(?<=/resourceGroups/)[^/]+", lambda group: group[0].upper(), value)
