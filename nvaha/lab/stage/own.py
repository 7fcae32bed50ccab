"""Somebody's own configuration in a lab: the Azure that it names, and the file that monitors read there.

What the file does not say is made up: private addresses, routes, region, virtual machines. All of it is pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.sample import LOCATION, Environment, SampleNva
from nvaha.model import Configuration, ControlTarget, Group, Nva, ProbeKind
from nvaha.text import last_part

Json = dict[str, Any]
Place = tuple[str, int]
"""Address and port on loopback."""
MOST_NVAS = 200
_BLOCK = 256
_FIRST_HOST = 4


def stand_ins(configuration: Configuration) -> dict[str, Environment]:
    """Return, by the name of each group, what Azure has of it; each holds the resources of all.

    The first NVA of each group is active: public IPs are on it, and one route of each table leads to it, to
    the first role that no public IP is on, or to the first.

    Raises:
        LabError: there are more NVAs than a lab can stand in for.
    """
    count = sum(len(group.nvas) for group in configuration.groups)
    if count > MOST_NVAS:
        raise LabError(
            f"the file has {count} NVAs; a lab stands in for {MOST_NVAS} at most: leave groups out"
        )
    free = IPv4Address("10.0.0.0")
    nics: list[Json] = []
    tables: dict[str, Json] = {}
    machines: dict[str, tuple[SampleNva, ...]] = {}
    for number, group in enumerate(configuration.groups):
        addresses = {nva.name: dict[str, str]() for nva in group.nvas}
        for role in group.nvas[0].interfaces:
            names = _ip_configurations(group, role)
            count = len(names) * len(group.nvas)
            hosts = (str(free + _FIRST_HOST + at) for at in range(count))
            free += _BLOCK * ((_FIRST_HOST + count) // _BLOCK + 1)
            for nva in group.nvas:
                own = {name: next(hosts) for name in names}
                addresses[nva.name][role] = next(iter(own.values()))
                nics.append(_nic(group, nva, role, own))
        hop = addresses[group.nvas[0].name][routed_role(group)]
        for table in group.route_tables:
            body = tables.setdefault(table.casefold(), _route_table(table))
            _add_routes(body, group.name, prefix(number), hop)
        machines[group.name] = tuple(
            SampleNva(nva.name, dict(nva.interfaces), addresses[nva.name]) for nva in group.nvas
        )
    public_ips = [each.id for group in configuration.groups for each in group.public_ips]
    canary = configuration.canary.route_tables[0] if configuration.canary else None
    resources = (
        *([_canary(canary)] if canary else ()),
        *nics,
        *(_public_ip(each, number) for number, each in enumerate(public_ips)),
        *tables.values(),
    )
    return {
        group.name: Environment(
            resources,
            machines[group.name],
            group.route_tables,
            tuple(each.id for each in group.public_ips),
            (prefix(number),),
            canary,
        )
        for number, group in enumerate(configuration.groups)
    }


def redirected(
    configuration: Configuration,
    places: Mapping[tuple[str, str], Place],
    targets: Sequence[Place],
    left_out: Collection[str] = (),
) -> Configuration:
    """Return the configuration with every address that is asked on loopback, and nothing else changed.

    Args:
        configuration: as the file has it.
        places: where each NVA is asked, by the names of its group and of itself.
        targets: where each control target is.
        left_out: route tables that it is not to name.

    Returns:
        Without receivers: nothing is sent from a lab.
    """

    def moved(group: Group) -> Group:
        nvas = (_asked_at(nva, places[group.name, nva.name]) for nva in group.nvas)
        tables = tuple(each for each in group.route_tables if each not in left_out)
        return replace(group, nvas=tuple(nvas), route_tables=tables)

    return replace(
        configuration,
        groups=tuple(moved(group) for group in configuration.groups),
        control_targets=tuple(ControlTarget(*place) for place in targets),
        receivers=(),
    )


def not_stood_in(configuration: Configuration) -> Iterator[str]:
    """Yield what of a configuration is not as with the real Azure, one line each."""
    probes = [nva.probe for group in configuration.groups for nva in group.nvas]
    kinds = sorted({f"{probe.kind.upper()}" for probe in probes if probe.kind is not ProbeKind.TCP})
    yield "The file's names stand for what the lab makes up: private addresses, routes, region, machines."
    yield "Probes go to loopback; type, path, expected answers and all times are the file's."
    if kinds:
        said = "an expected status at any path, with a certificate of the lab's"
        yield f"{' and '.join(kinds)} probes are answered with {said}."
    if configuration.control_targets:
        named = ", ".join(map(target_name, configuration.control_targets))
        yield f"Control targets are on loopback too; kill and revive take them: {named}."
    for receiver in configuration.receivers:
        yield f"Nothing is sent to {receiver.name} ({receiver.kind}): a lab sends to nobody."
    yield "No application setting of yours is read: no NVAHA_PING_URL, no credential, no secret."


def routed_role(group: Group) -> str:
    """Return the role that routes lead to in a lab: the first that no public IP is on, else the first."""
    roles = list(group.nvas[0].interfaces)
    public = {each.role for each in group.public_ips}
    return next((role for role in roles if role not in public), roles[0])


def target_name(target: ControlTarget) -> str:
    """Return what a control target is called."""
    address = f"[{target.address}]" if ":" in target.address else target.address
    return f"{address}:{target.port}"


def prefix(number: int) -> str:
    """Return the destination that leads to a group's NVAs in each of its tables, by the group's number."""
    return f"172.{16 + number // 256}.{number % 256}.0/24"


def expected_status(nva: Nva) -> int | None:
    """Return what a healthy NVA answers an HTTP probe with; None if it is asked by TCP alone."""
    probe = nva.probe
    if probe.kind is ProbeKind.TCP:
        return None
    # Interim answers end nothing, but for the one that ends HTTP.
    return next((code for code in probe.expect if code >= 200 or code == 101), probe.expect[0])


def _asked_at(nva: Nva, place: Place) -> Nva:
    address, port = place
    return replace(nva, probe=replace(nva.probe, interface=None, address=address, port=port))


def _ip_configurations(group: Group, role: str) -> list[str]:
    """Return the names of a NIC's IP configurations, the primary one first."""
    wanted = [each.ip_configuration for each in group.public_ips if each.role == role]
    named = [name for name in wanted if name]
    if named and None not in wanted:
        return named
    taken = {name.casefold() for name in named}
    return [next(each for each in ("ipconfig1", "primary", "first") if each not in taken), *named]


def _nic(group: Group, nva: Nva, role: str, addresses: Mapping[str, str]) -> Json:
    resource_id = nva.interfaces[role]
    provider = resource_id.casefold().index("/providers/")
    scope = resource_id[:provider]
    held = {}
    if nva is group.nvas[0]:
        first = next(iter(addresses))
        held = {
            each.ip_configuration or first: {"publicIPAddress": {"id": each.id}}
            for each in group.public_ips
            if each.role == role
        }
    subnet = f"{scope}/providers/Microsoft.Network/virtualNetworks/{group.name}/subnets/{role}"
    return {
        **_body(resource_id, "networkInterfaces"),
        "kind": "Regular",
        "properties": {
            "ipConfigurations": [
                {
                    "name": name,
                    "id": f"{resource_id}/ipConfigurations/{name}",
                    "properties": {
                        "privateIPAddress": address,
                        "privateIPAllocationMethod": "Static",
                        "subnet": {"id": subnet},
                        "primary": number == 0,
                        "privateIPAddressVersion": "IPv4",
                        **held.get(name, {}),
                    },
                }
                for number, (name, address) in enumerate(addresses.items())
            ],
            "enableIPForwarding": True,
            "primary": role == next(iter(nva.interfaces)),
            "virtualMachine": {"id": f"{scope}/providers/Microsoft.Compute/virtualMachines/{nva.name}"},
        },
    }


def _public_ip(resource_id: str, number: int) -> Json:
    return {
        **_body(resource_id, "publicIPAddresses"),
        "sku": {"name": "Standard", "tier": "Regional"},
        "zones": ["1", "2", "3"],
        "properties": {
            "ipAddress": str(IPv4Address("198.18.0.1") + number),
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
        },
    }


def _route_table(resource_id: str) -> Json:
    return {**_body(resource_id, "routeTables"), "properties": {"routes": []}}


def _add_routes(table: Json, group: str, destination: str, hop: str) -> None:
    routes = table["properties"]["routes"]
    if not routes:  # one group alone can have it
        routes.append(_route(table["id"], "default", "0.0.0.0/0", hop))
    routes.append(_route(table["id"], f"to-{group}", destination, hop))


def _canary(resource_id: str) -> Json:
    table = _route_table(resource_id)
    table["properties"]["routes"] = [_route(resource_id, "canary", "203.0.113.0/24", "192.0.2.1")]
    return table


def _route(table: str, name: str, destination: str, hop: str) -> Json:
    return {
        "name": name,
        "id": f"{table}/routes/{name}",
        "properties": {
            "addressPrefix": destination,
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": hop,
        },
    }


def _body(resource_id: str, kind: str) -> Json:
    return {
        "name": last_part(resource_id),
        "id": resource_id,
        "type": f"Microsoft.Network/{kind}",
        "location": LOCATION,
        "tags": {"environment": "lab"},
    }
