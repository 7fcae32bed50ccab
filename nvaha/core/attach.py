"""Where a public IP is, where it should be, and whether it can be put there: pure.

A public IP that has been taken off one NIC and is refused by the other hangs on nothing. So whatever the
resources tell ahead is asked before the detach: versions, regions, states, what is on the target already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from nvaha.core.bodies import (
    IpConfiguration,
    address_version,
    carries,
    holder_of,
    ip_configurations,
    is_part_of,
    last_write_failed,
    location,
)
from nvaha.model import Group, Nva, PublicIp, Resource, Snapshot, same_id
from nvaha.text import last_part


def places(
    group: Group, snapshot: Snapshot, target: Nva, public_ips: Iterable[PublicIp]
) -> tuple[dict[PublicIp, IpConfiguration], list[str]]:
    """Return the IP configuration of the target that each public IP is to be on, and why others have none.

    An IP configuration carries one public IP. Two that are meant for the same one would push each other off
    for ever, so neither is moved; nor does one take the place of another that stays there.
    """
    found: dict[PublicIp, IpConfiguration] = {}
    problems: list[str] = []
    meant: defaultdict[tuple[str, str], list[PublicIp]] = defaultdict(list)

    def where(public_ip: PublicIp) -> str:
        return f"{found[public_ip].name} of NIC {last_part(target.interfaces[public_ip.role])}"

    for public_ip in public_ips:
        nic_id = target.interfaces[public_ip.role]
        wanted = wanted_configuration(group, snapshot, public_ip, nic_id)
        if isinstance(wanted, str):
            problems.append(f"public IP {last_part(public_ip.id)}: {wanted}")
        else:
            meant[nic_id.casefold(), wanted.name.casefold()].append(public_ip)
            found[public_ip] = wanted
    for rivals in meant.values():
        if len(rivals) > 1:
            names = " and ".join(last_part(each.id) for each in rivals)
            remedy = "name another ip_configuration for all but one of them"
            problems.append(
                f"public IPs {names}: {where(rivals[0])} is meant for each and carries one; {remedy}"
            )
            for each in rivals:
                del found[each]
    while in_the_way := _in_the_way(found):
        public_ip, other = in_the_way
        text = (
            f"public IP {last_part(public_ip.id)}: {where(public_ip)} carries {last_part(other)}, which stays"
        )
        problems.append(text)
        del found[public_ip]
    return found, problems


def _in_the_way(found: Mapping[PublicIp, IpConfiguration]) -> tuple[PublicIp, str] | None:
    """Return a public IP and the one in its place that does not move; None if there is no such public IP."""
    moving = {each.id.casefold() for each in found}
    for public_ip, place in found.items():
        if place.public_ip is not None and place.public_ip.casefold() not in moving:
            return public_ip, place.public_ip
    return None


def wanted_configuration(
    group: Group, snapshot: Snapshot, public_ip: PublicIp, nic_id: str
) -> IpConfiguration | str:
    """Return the IP configuration that should carry the public IP, or why none can."""
    nic = snapshot.get(nic_id)
    if nic is None:
        return unread(snapshot, "NIC", nic_id)
    found = next((each for each in ip_configurations(nic) if _is_meant(each, public_ip)), None)
    if found is None:
        which = public_ip.ip_configuration or "that is primary"
        return f"NIC {last_part(nic_id)} has no IP configuration {which}"
    other = found.public_ip
    if other is not None and not any(same_id(other, each.id) for each in group.public_ips):
        theirs = f"{last_part(other)}, which is not this group's"
        return f"{last_part(nic_id)} ({found.name}) carries {theirs}"
    resource = snapshot.get(public_ip.id)
    return (_mismatch(resource, nic, found) if resource else None) or found


def _is_meant(configuration: IpConfiguration, public_ip: PublicIp) -> bool:
    if public_ip.ip_configuration is None:
        return configuration.primary
    return configuration.name.casefold() == public_ip.ip_configuration.casefold()


def _mismatch(public_ip: Resource, nic: Resource, configuration: IpConfiguration) -> str | None:
    """Return why Azure would refuse to put the public IP there, as far as the two resources tell.

    Azure's words for the first are IPVersionForPublicIpAndNicIpConfigurationMustMatch; ansible-collections/
    azure #582, cloudfoundry/bosh-azure-cpi-release #745. What they do not tell (zones of the VM, the right to
    join, policies) is found by trying, before the detach where the old NVA still answers.
    """
    version = address_version(public_ip)
    nic_name = last_part(nic.id)
    if version != configuration.version:
        return f"it is {version}, and {configuration.name} of NIC {nic_name} is {configuration.version}"
    here, there = location(public_ip), location(nic)
    if here is not None and there is not None and here != there:
        return f"it is in {here}, and NIC {nic_name} in {there}"
    if configuration.public_ip is None and last_write_failed(public_ip):
        return "Azure has it in state Failed; write it once more in the portal or with az first"
    return None


def holders(group: Group, snapshot: Snapshot, public_ip: PublicIp) -> list[tuple[str, str]]:
    """Return (NIC id, IP configuration) of the group that carries the public IP, by the NICs' own word."""
    found = []
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            nic = snapshot.get(nic_id)
            name = carries(nic, public_ip.id) if nic else None
            if name is not None:
                found.append((nic_id, name))
    return found


def held_elsewhere(group: Group, snapshot: Snapshot, public_ip: PublicIp) -> str | None:
    """Return why a public IP that no NIC of the group carries is still not free, or None.

    A back reference to a NIC that was read and does not carry it is left over from a detach.
    """
    resource = snapshot.get(public_ip.id)
    if resource is None and public_ip.id.casefold() not in snapshot.absent:
        # Azure knows, and refuses what is in use: better asked than left to hang.
        return None
    if resource is None:
        return unread(snapshot, "public IP", public_ip.id)
    holder = holder_of(resource)
    if holder is None:
        return None
    for nva in group.nvas:
        for nic_id in nva.interfaces.values():
            if is_part_of(holder, nic_id):
                return None if snapshot.get(nic_id) else f"is held by {unread(snapshot, 'NIC', nic_id)}"
    return f"is held by {holder}, which is not this group's"


def unread(snapshot: Snapshot, kind: str, resource_id: str) -> str:
    """Say why a resource is not in a snapshot."""
    why = snapshot.missing.get(resource_id.casefold(), "was not read")
    return f"{kind} {last_part(resource_id)} {why}"
