"""The writes that Azure is offered to see whether it would let us: made so that it cannot take one: pure.

Azure Resource Manager looks at rights, at the rights on whatever a body refers to, at policies and at locks
before it passes a write on; the network service then refuses what it cannot read (`InvalidRequestFormat`), or
what was read under another ETag (412). So either of these tells that all of the others are in order
(azure-facts B1a).

Each write is stopped twice, since a NIC may ignore If-Match: its ETag is one that nothing has, and in its
body stands a child that the service cannot read. Else it is what a failover would write, references included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nvaha.core.attach import wanted_configuration
from nvaha.core.bodies import IpConfiguration, with_public_ips, with_unreadable
from nvaha.model import Group, Resource, Snapshot

NEVER: Final = 'W/"00000000-0000-0000-0000-000000000000"'
"""An ETag that no resource has."""


def written(group: Group) -> list[str]:
    """Return the ids of the resources of a group that a failover may have to write."""
    return [*group.route_tables, *(nic_id for _, nic_id in _carriers(group))]


def offers(group: Group, snapshot: Snapshot) -> Iterator[Resource]:
    """Yield a write for each resource of the group that a failover may have to write, and that was read.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
    """
    for table_id in group.route_tables:
        if (table := snapshot.get(table_id)) is not None:
            yield with_unreadable(Resource(table.id, NEVER, table.body), "routes")
    for role, nic_id in _carriers(group):
        if (nic := snapshot.get(nic_id)) is not None:
            carrying = with_public_ips(nic, _attached(group, snapshot, role, nic_id))
            yield with_unreadable(Resource(nic.id, NEVER, carrying.body), "ipConfigurations")


def _carriers(group: Group) -> Iterator[tuple[str, str]]:
    """Yield role and id of each NIC that a public IP may move to."""
    roles = {each.role for each in group.public_ips}
    for nva in group.nvas:
        yield from ((role, nic_id) for role, nic_id in nva.interfaces.items() if role in roles)


def _attached(group: Group, snapshot: Snapshot, role: str, nic_id: str) -> dict[str, str | None]:
    """Return the public IPs that the NIC would carry, by IP configuration: each may be joined or not."""
    there: dict[str, str | None] = {}
    for public_ip in group.public_ips:
        where = wanted_configuration(group, snapshot, public_ip, nic_id) if public_ip.role == role else ""
        if isinstance(where, IpConfiguration):
            there[where.name] = public_ip.id
    return there
