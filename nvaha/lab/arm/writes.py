"""Writes: accepted, then carried out by an operation, then followed by the data path."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from nvaha.lab.arm.address import NICS, PUBLIC_IPS, ROUTE_TABLES, Address, address_of
from nvaha.lab.arm.effective import Effective
from nvaha.lab.arm.errors import (
    ArmError,
    child_not_found,
    error_body,
    precondition_failed,
    retryable_error,
)
from nvaha.lab.arm.faults import Fault, FaultKind
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.operation import Ending, Operation, OperationStatus
from nvaha.lab.arm.rules import check_format, check_route_format, check_rules
from nvaha.lab.arm.shape import children, shape, stamp, without_state
from nvaha.lab.arm.store import Guids, Record, Store
from nvaha.lab.arm.switches import Concurrency, Keeps, Switches
from nvaha.lab.arm.timeline import Timeline
from nvaha.lab.stage.profiles import Profile

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a write: its status and body, and the operation that carries it out, if any does."""

    status: int
    body: Json
    operation: Operation | None


@dataclass(frozen=True, slots=True)
class Request:
    """One PUT: its body as parsed, its If-Match, its line in the log and what will go wrong."""

    sent: object
    if_match: str | None
    entry: LogEntry
    fault: Fault | None = None


class Writes:
    """Carries PUTs out on the store."""

    def __init__(
        self,
        store: Store,
        effective: Effective,
        *,
        timeline: Timeline,
        guids: Guids,
        switches: Switches,
        profile: Profile,
    ) -> None:
        self._store = store
        self._effective = effective
        self._timeline = timeline
        self._guids = guids
        self._switches = switches
        self.profile = profile
        self.operations: dict[str, Operation] = {}

    def put(self, address: Address, request: Request) -> Accepted:
        """Accept a PUT of a whole resource, or raise ArmError."""
        self._store.require_scope(address)
        sent = check_format(request.sent, address.kind)
        record = self._store.find(address.resource_id)
        self._check_match(address, record, request.if_match)
        return self._accept(address, record, sent, request)

    def put_route(self, address: Address, request: Request) -> Accepted:
        """Accept a PUT of one route: a write of its route table that leaves the other routes alone."""
        record = self._store.require(address)
        sent = check_route_format(request.sent)
        self._check_match(address, record, request.if_match)
        table = copy.deepcopy(record.body)
        name = str(address.route)
        others = [each for each in children(table) if each["name"].casefold() != name.casefold()]
        exists = len(others) < len(children(table))
        table["properties"]["routes"] = [*others, {**sent, "name": name}]
        accepted = self._accept(address, record, table, request)
        route = find_route({"type": record.body["type"], **accepted.body}, address)
        return Accepted(200 if exists else 201, route, accepted.operation)

    def edit(self, body: Json) -> Json:
        """Write a resource from outside: at once, unchecked, with new ETags; the data path lags as ever.

        What the service owns is taken over for a new resource, and stays as it is otherwise.

        Returns:
            The resource as GET shows it now.
        """
        now = self._timeline.advance()
        address = address_of(body["id"])
        before = self._store.find(address.resource_id)
        if before is not None and before.operation is not None:
            before.operation.supersede(self._guids.new())
        whole = shape(body, before.body if before else body, address, self._guids.new)
        stamp(whole, self._guids.etag(), "Succeeded")
        record = self._store.put(address, whole)
        if address.kind == NICS:
            self._store.follow(whole)
        self._follow_later(record, now)
        return copy.deepcopy(whole)

    def remove(self, resource_id: str) -> None:
        """Delete a resource from outside; KeyError if there is none."""
        self._timeline.advance()
        self._store.remove(resource_id)
        self._effective.forget(resource_id)

    def _check_match(self, address: Address, record: Record | None, if_match: str | None) -> None:
        if if_match is None or (address.kind == NICS and self._switches.nic_ignores_if_match):
            return
        current = record.body["etag"] if record else 'W/""'
        if record is None or (if_match.strip() != "*" and if_match != current):
            raise precondition_failed(address.resource_id, if_match, current)

    def _accept(self, address: Address, record: Record | None, sent: Json, request: Request) -> Accepted:
        self._check_concurrency(record)
        body = shape(sent, record.body if record else None, address, self._guids.new)
        check_rules(body, address.kind, self._store, self._switches)
        changed = (
            record is None
            or record.operation is not None
            or record.body["properties"]["provisioningState"] != "Succeeded"
            or without_state(record.body) != without_state(body)
        )
        if record is None:
            record = self._store.put(address, body)
            record.committed = None
            status = 201
        else:
            status = 200
        request.entry.took_effect = True
        if address.kind == NICS and "virtualMachine" not in body["properties"]:
            record.body = body
            self._commit(record, "Succeeded", self._timeline.advance())
            request.entry.outcome = OperationStatus.SUCCEEDED
            return Accepted(status, copy.deepcopy(body), None)
        operation = self._start(record, body, address, request, changed=changed)
        return Accepted(status, copy.deepcopy(record.body), operation)

    def _check_concurrency(self, record: Record | None) -> None:
        if record is None or record.operation is None:
            return
        mode = self._switches.concurrency
        text = f"Operation {record.operation.id} on resource {record.body['id']} is in progress."
        if mode is Concurrency.RETRYABLE:
            raise retryable_error("RetryableErrorDueToAnotherOperation", text)
        if mode is Concurrency.CONFLICT:
            message = "Another operation on this or dependent resource is in progress."
            raise ArmError(409, "AnotherOperationInProgress", message, details=())

    def _start(
        self, record: Record, body: Json, address: Address, request: Request, *, changed: bool
    ) -> Operation:
        now = self._timeline.advance()
        operation = Operation(
            self._guids.new(),
            body["id"],
            request.entry,
            self._ending(address, request.fault),
            self.profile.nic_retry_after_s if address.kind == NICS else None,
            lost=request.fault is not None and request.fault.kind is FaultKind.OPERATION_LOST,
        )
        self.operations[operation.id.casefold()] = operation
        request.entry.operation = operation.id
        request.entry.outcome = operation.status
        if record.operation is not None:
            record.operation.supersede(operation.id)
        record.body, record.operation = body, operation
        stamp(body, self._guids.etag(), "Updating")
        fault = request.fault
        if not changed and fault is None and address.kind == ROUTE_TABLES:
            # A PUT that changes nothing answers Succeeded at once (recording of cloud-provider-azure).
            self._end(operation, now)
        elif fault is None or fault.kind is not FaultKind.OPERATION_STUCK:
            extra = fault.delay_s if fault else 0.0
            ends = now + self._duration(address.kind) + extra
            self._timeline.at(ends, lambda when: self._end(operation, when))
        return operation

    def _duration(self, kind: str) -> float:
        return {
            ROUTE_TABLES: self.profile.route_table_operation_s,
            NICS: self.profile.nic_operation_s,
            PUBLIC_IPS: self.profile.public_ip_operation_s,
        }[kind]

    def _ending(self, address: Address, fault: Fault | None) -> Ending:
        keeps = self._switches.failed_keeps
        if fault is not None and fault.kind is FaultKind.OPERATION_FAILED:
            return Ending(OperationStatus.FAILED, fault.code, fault.message, fault.keeps or keeps)
        if fault is not None and fault.kind is FaultKind.OPERATION_CANCELED:
            return Ending(OperationStatus.CANCELED, keeps=Keeps.OLD)
        if address.kind == NICS and self._switches.is_broken(address.resource_id):
            text = (
                "Operation 'startTenantUpdate' is not allowed on the VM of this network interface since the "
                "VM is marked for deletion. You can only retry the Delete operation (or wait for an ongoing "
                "one to complete)."
            )
            return Ending(OperationStatus.FAILED, "OperationNotAllowed", text, keeps)
        return Ending()

    def _end(self, operation: Operation, when: float) -> None:
        record = self._store.find(operation.resource_id)
        if not operation.running or record is None or record.operation is not operation:
            return
        ending = operation.ending
        if ending.status is OperationStatus.CANCELED:
            operation.supersede(self._guids.new())
        elif ending.status is OperationStatus.FAILED:
            operation.end(ending.status, error_body(ending.code, ending.message, ()))
        else:
            operation.end(ending.status)
        if ending.status is not OperationStatus.SUCCEEDED and ending.keeps is Keeps.OLD and record.committed:
            record.body = record.committed
            operation.entry.took_effect = False
        self._commit(record, "Failed" if ending.status is OperationStatus.FAILED else "Succeeded", when)

    def _commit(self, record: Record, state: str, when: float) -> None:
        record.operation = None
        stamp(record.body, self._guids.etag(), state)
        record.committed = copy.deepcopy(record.body)
        if record.body["type"].endswith(NICS):
            self._store.follow(record.body)
        if state == "Succeeded":
            self._follow_later(record, when)

    def _follow_later(self, record: Record, when: float) -> None:
        body = copy.deepcopy(record.body)

        def follow(_: float) -> None:
            if self._store.find(body["id"]) is not None:
                self._effective.apply(body)

        self._timeline.at(when + self.profile.effective_lag_s, follow)


def find_route(table: Json, address: Address) -> Json:
    """Return a copy of one route of a route table; 404 if it has none of that name."""
    for route in children(table):
        if route["name"].casefold() == str(address.route).casefold():
            return copy.deepcopy(route)
    raise child_not_found(address.route_id)
