"""The resources that the simulated Azure holds, and the references back that it keeps true."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from nvaha.lab.arm.address import NICS, PUBLIC_IPS, Address, address_of
from nvaha.lab.arm.errors import group_not_found, resource_not_found, subscription_not_found
from nvaha.lab.arm.operation import Operation
from nvaha.lab.arm.shape import public_ip_references, shape, stamp

Json = dict[str, Any]
_NAMESPACE = uuid.UUID("6f1f5b0e-6a55-4c7e-9d0a-0f2f3b1c9a11")


class Guids:
    """Fresh GUIDs, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers = count()

    def new(self) -> str:
        """Return a GUID that was not returned before."""
        return str(uuid.uuid5(_NAMESPACE, f"{self._seed}/{next(self._numbers)}"))

    def etag(self) -> str:
        """Return a fresh weak ETag."""
        return f'W/"{self.new()}"'


@dataclass(slots=True)
class Record:
    """One resource: what GET shows, what the last ended operation left, and the operation that runs."""

    body: Json
    committed: Json | None
    operation: Operation | None = None


class Store:
    """Resources by id, without regard to case."""

    def __init__(self, guids: Guids) -> None:
        self._guids = guids
        self._records: dict[str, Record] = {}
        self._groups: set[tuple[str, str]] = set()

    def load(self, resources: Iterable[Json]) -> None:
        """Take resources in as they are, adding what the service adds; references back are made anew."""
        for body in resources:
            address = address_of(body["id"])
            whole = shape(body, body, address, self._guids.new)
            whole["properties"].setdefault("provisioningState", "Succeeded")
            stamp(whole, self._guids.etag(), whole["properties"]["provisioningState"])
            self.put(address, whole)
        for record in self.of_kind(NICS):
            self.follow(record.body)
            record.committed = copy.deepcopy(record.body)

    def put(self, address: Address, body: Json) -> Record:
        """Add a new resource, or replace it with everything known of it."""
        record = Record(body, copy.deepcopy(body))
        self._records[address.resource_id.casefold()] = record
        if address.group:
            self._groups.add((address.subscription.casefold(), address.group.casefold()))
        return record

    def remove(self, resource_id: str) -> None:
        """Drop a resource; its public IPs are free afterwards. KeyError if there is none of that id."""
        record = self._records.pop(resource_id.casefold())
        if record.body["type"].endswith(NICS):
            self.follow({**record.body, "properties": {"ipConfigurations": []}})

    def find(self, resource_id: str) -> Record | None:
        """Return the resource, or None."""
        return self._records.get(resource_id.casefold())

    def require(self, address: Address) -> Record:
        """Return the resource, or raise 404 as Azure words it."""
        self.require_scope(address)
        record = self.find(address.resource_id)
        if record is None:
            raise resource_not_found(address.kind, address.name or "", address.group or "")
        return record

    def require_scope(self, address: Address) -> None:
        """Raise 404 if there is no such subscription or resource group."""
        if not any(subscription == address.subscription.casefold() for subscription, _ in self._groups):
            raise subscription_not_found(address.subscription)
        if address.group and (address.subscription.casefold(), address.group.casefold()) not in self._groups:
            raise group_not_found(address.group)

    def of_kind(self, kind: str) -> Iterator[Record]:
        """Yield the resources of one type, in the order in which they came."""
        for record in self._records.values():
            if record.body["type"].casefold() == f"microsoft.network/{kind}".casefold():
                yield record

    def listed(self, address: Address) -> list[Json]:
        """Return the bodies that a list of a resource group or of the subscription holds."""
        self.require_scope(address)
        scope = address.scope.casefold() + "/"
        records = self.of_kind(address.kind)
        return [each.body for each in records if each.body["id"].casefold().startswith(scope)]

    def bodies(self) -> Iterator[Json]:
        """Yield every body."""
        for record in self._records.values():
            yield record.body

    def follow(self, nic: Json) -> None:
        """Let the public IPs' `ipConfiguration` agree with a NIC; those that change get a new ETag."""
        holders = {public_ip.casefold(): each["id"] for each, public_ip in public_ip_references(nic)}
        prefix = nic["id"].casefold() + "/"
        for record in self.of_kind(PUBLIC_IPS):
            properties = record.body["properties"]
            before = properties.get("ipConfiguration", {}).get("id")
            after = holders.get(record.body["id"].casefold())
            lost = after is None and before is not None and before.casefold().startswith(prefix)
            moved = after is not None and (before is None or before.casefold() != after.casefold())
            if not lost and not moved:
                continue
            for body in (record.body, record.committed):
                if body is not None:
                    body["properties"].pop("ipConfiguration", None)
                    if after is not None:
                        body["properties"]["ipConfiguration"] = {"id": after}
            stamp(record.body, self._guids.etag(), properties["provisioningState"])
