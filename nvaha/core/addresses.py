"""The private addresses of a group's NVAs, by which routes to them are recognised and moved: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nvaha.core.bodies import ip_configurations
from nvaha.model import Group, NvaState, Snapshot

Owner = tuple[str, str, str]
"""NVA, role, IP configuration."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the snapshot says, else what is remembered.

    Args:
        current: {NVA: {role: {IP configuration: address}}}.
        primary: {NVA: {role: primary IP configuration}}.
        owners: {address: owner}, former addresses among them: a table that points there is ours, but stale.
    """

    current: Mapping[str, Mapping[str, Mapping[str, str]]]
    primary: Mapping[str, Mapping[str, str]]
    owners: Mapping[str, Owner] = field(default_factory=dict)

    def counterpart(self, owner: Owner, target: str) -> str | None:
        """Return the target's address for the same role: primary for primary, else the same name."""
        nva, role, name = owner
        there = {
            each.casefold(): address for each, address in self.current.get(target, {}).get(role, {}).items()
        }
        if self.primary.get(nva, {}).get(role, "").casefold() == name.casefold():
            return there.get(self.primary.get(target, {}).get(role, "").casefold())
        return there.get(name.casefold())

    def is_current(self, address: str, owner: Owner) -> bool:
        """Tell whether an owner still has an address."""
        nva, role, _ = owner
        return address in self.current.get(nva, {}).get(role, {}).values()


def addresses_of(group: Group, snapshot: Snapshot, remembered: Mapping[str, NvaState]) -> Addresses:
    """Return the group's addresses.

    Args:
        group: the group as configured.
        snapshot: its resources as just read.
        remembered: what is known of each NVA, for NICs that could not be read, and for former addresses.
    """
    current: dict[str, dict[str, Mapping[str, str]]] = {}
    primary: dict[str, dict[str, str]] = {}
    for nva in group.nvas:
        before = remembered.get(nva.name, NvaState())
        current[nva.name] = {
            role: before.addresses[role] for role in nva.interfaces if role in before.addresses
        }
        primary[nva.name] = {role: before.primary[role] for role in nva.interfaces if role in before.primary}
        if nva.address is not None:
            current[nva.name][""], primary[nva.name][""] = {"": nva.address}, ""
        for role, nic_id in nva.interfaces.items():
            nic = snapshot.get(nic_id)
            if nic is None:
                continue
            found = ip_configurations(nic)
            current[nva.name][role] = {each.name: each.private_ip for each in found if each.private_ip}
            primary[nva.name][role] = next((each.name for each in found if each.primary), "")
    return Addresses(current, primary, _owners(current, remembered))


def _owners(
    current: Mapping[str, Mapping[str, Mapping[str, str]]], remembered: Mapping[str, NvaState]
) -> dict[str, Owner]:
    owners: dict[str, Owner] = {}
    for nva in current:
        known = remembered.get(nva, NvaState())
        owners |= {address: (nva, role, name) for address, (role, name) in known.former.items()}
        # Before its NIC is read afresh, what is remembered may be what it no longer has.
        owners |= {
            address: (nva, role, name)
            for role, names in known.addresses.items()
            for name, address in names.items()
            if role in current[nva]
        }
    owners |= {
        address: (nva, role, name)
        for nva, roles in current.items()
        for role, names in roles.items()
        for name, address in names.items()
    }
    return owners
