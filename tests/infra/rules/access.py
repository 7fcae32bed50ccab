"""Who gets which role where: all of it, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from .app import account, differences, identity
from .network import ENDPOINT, ROUTE_TABLE, ZONE_GROUP
from .sent import PRINCIPAL_ID, Sent, World, waits_for

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
# Azure's own names of the built-in roles (Microsoft Learn, "Azure built-in roles").
ROLES = {
    "EventGrid Data Sender": "d5a91429-5739-47e2-a06b-3470a27159e7",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}
HOST = ("Storage Blob Data Owner", "Storage Queue Data Contributor", "Storage Table Data Contributor")
STATE = ("Storage Blob Data Contributor", "Storage Queue Data Contributor", "Storage Table Data Contributor")


def _subscription(id_: str) -> str:
    return "/".join(id_.split("/")[:3])


def _scopes(world: World) -> list[str]:
    return [each.strip() for each in world.parameter("networkScopes").split(",") if each.strip()]


def _wanted(world: World) -> dict[tuple[str, str], str]:
    """Return the role's name for each scope and role id, in lower case as Azure compares them."""
    insights = world.one("Microsoft.Insights/components").id
    given = [(account(world).id, name) for name in HOST]
    state = world.parameter("existingStateStorageId")
    given += [(state, name) for name in STATE] if state else []
    given.append((insights, "Monitoring Metrics Publisher"))
    topic = world.parameter("eventGridTopicId")
    given += [(topic, "EventGrid Data Sender")] if topic else []
    wanted = {
        (scope, f"{_subscription(scope)}/providers/{DEFINITION}/{ROLES[name]}"): name for scope, name in given
    }
    operator = world.outputs["NVAHA_OPERATOR_ROLE_ID"]
    scopes = [*_scopes(world), *(each.id for each in world.of(ROUTE_TABLE))]
    return wanted | {(scope, operator): "NVA Operator" for scope in scopes}


def assignment_problems(world: World) -> Iterator[str]:
    """Report roles that are not assigned, or to somebody else, elsewhere, twice, or by another id."""
    found: dict[tuple[str, str], Sent] = {}
    for each in world.of(ASSIGNMENT):
        scope = each.id.rpartition(f"/providers/{ASSIGNMENT}/")[0]
        role = each.properties["roleDefinitionId"]
        if (scope, role) in found:
            yield f"{each.place} assigns {role} on {scope} a second time"
        found[scope, role] = each
        wanted = {"principalId": PRINCIPAL_ID, "principalType": "ServicePrincipal", "roleDefinitionId": role}
        yield from differences(each.properties, wanted, each.place)
        uuid.UUID(each.name)
    names = [(each.id.lower().rpartition("/")[0], each.name) for each in found.values()]
    if len(set(names)) != len(names):
        yield "two assignments on one scope have the same name"
    wanted_roles = _wanted(world)
    for scope, role in sorted(set(found) ^ set(wanted_roles)):
        name = wanted_roles.get((scope, role), role)
        yield f"{name} on {scope} is {'not assigned' if (scope, role) in wanted_roles else 'assigned'}"


def definition_problems(world: World) -> Iterator[str]:
    """Report an operator role that grants anything but its file's actions, or cannot be assigned."""
    found = world.of(DEFINITION)
    if world.parameter("operatorRoleId"):
        if found:
            yield "a role is given, and another is made all the same"
        return
    references = world.json("roles/nic-references.json")
    names = [each.strip() for each in world.parameter("nicReferences").split(",") if each.strip()]
    role = world.json("roles/nva-operator.json")
    (definition,) = found
    scopes = [_subscription(definition.id), *map(_subscription, _scopes(world))]
    wanted = {
        "type": "CustomRole",
        "description": role["Description"],
        "permissions": [
            {"actions": [*role["Actions"], *(references[each] for each in names)], "notActions": []}
        ],
        "assignableScopes": list(dict.fromkeys(scopes)),
    }
    name = definition.properties["roleName"]
    yield from differences({**definition.properties}, {**wanted, "roleName": name}, definition.place)
    if not name.startswith(f"{role['Name']} ({world.parameter('environmentName')} "):
        yield f"the role is called {name}"
    if world.outputs["NVAHA_OPERATOR_ROLE_ID"] != definition.id:
        yield "the output names another role than the one that is made"


def order_problems(world: World) -> Iterator[str]:
    """Report an app that would start before it may read its storage, or cannot find it."""
    site = world.one("Microsoft.Web/sites").resource
    first = [ASSIGNMENT, ENDPOINT, ZONE_GROUP, "Microsoft.Storage/storageAccounts/blobServices/containers"]
    # Nothing that is watched or moved waits for who is told: nor does the app, should that role not be given.
    later = (world.outputs["NVAHA_OPERATOR_ROLE_ID"], ROLES["EventGrid Data Sender"])
    for kind in (*first, "Microsoft.Network/virtualNetworks", "Microsoft.Network/virtualNetworks/subnets"):
        for each in world.of(kind):
            role = str(each.properties.get("roleDefinitionId"))
            if not role.endswith(later) and not waits_for(site, each.resource):
                yield f"the app does not wait for {each.place}"
    if identity(world).resource.deployment is site.deployment:
        yield "the identity is made in the app's own module"
    yield from _one_after_the_other(world)


def _one_after_the_other(world: World) -> Iterator[str]:
    """Report changes of one virtual network, or of one set of zones, that run side by side."""
    kinds = ("Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/privateDnsZones")
    for kind in kinds:
        sent = world.of(kind)
        for at, later in enumerate(sent):
            for earlier in sent[:at]:
                same = later.id == earlier.id if kind == kinds[1] else True
                one, other = later.resource, earlier.resource
                if same and not waits_for(one, other) and not waits_for(other, one):
                    yield f"{later.place} and {earlier.place} are written at the same time"
