"""What people do by hand to a group: move all of it, or something, from one NVA to another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nvaha.model import Group
from tests.simulation.azure import Body, Entry, carried_by
from tests.simulation.oracle_writes import wanted_name
from tests.simulation.scenery import SECOND, Place

if TYPE_CHECKING:
    from tests.simulation.world import World


def move_all(world: World, name: str, nva: str) -> None:
    """Let somebody move all of a group to an NVA, as far as nothing is busy."""
    group = world.group(name)
    world.note("somebody", f"moves all of {name} to {nva}")
    for table in group.route_tables:
        point_at(world, table, nva)
    nics = {nic: world.arm.entry(nic) for each in group.nvas for nic in each.interfaces.values()}
    if any(entry.operation for entry in nics.values()):
        return
    for entry in nics.values():
        _take_off(world, group, entry)
    for public_ip in group.public_ips:
        entry = nics[group.nva(nva).interfaces[public_ip.role]]

        def attach(body: Body, name: str = wanted_name(public_ip, nva), ip: str = public_ip.id) -> None:
            for each in body["properties"]["ipConfigurations"]:
                if each["name"] == name:
                    each["properties"]["publicIPAddress"] = {"id": ip}

        world.arm.edit(entry, attach)


def point_at(world: World, table: str, nva: str) -> bool:
    """Let somebody point all routes of an NVA's group in a table at that NVA; False if the table is busy."""

    def change(body: Body) -> None:
        for each in body["properties"]["routes"]:
            place = world.places.get(each["properties"].get("nextHopIpAddress", ""))
            if place is not None and nva in world.group(place.group).names:
                each["properties"]["nextHopIpAddress"] = address_of(world, replace(place, nva=nva))

    return world.arm.edit(world.arm.entry(table), change)


def address_of(world: World, wanted: Place) -> str:
    """Return the address of the same IP configuration, the primary one for the primary one, on an NVA."""
    return next(
        address
        for address, place in world.places.items()
        if (place.nva, place.role) == (wanted.nva, wanted.role)
        and (place.configuration == SECOND) is (wanted.configuration == SECOND)
    )


def _take_off(world: World, group: Group, entry: Entry) -> None:
    mine = {each.id.casefold() for each in group.public_ips}

    def change(body: Body) -> None:
        carried = carried_by(body)
        for each in body["properties"]["ipConfigurations"]:
            if carried.get(each["name"]) in mine:
                each["properties"].pop("publicIPAddress", None)

    world.arm.edit(entry, change)
