"""A monitor is connected, closed, allowed and watched as it should be, in every way to deploy it."""

from __future__ import annotations

import json
from functools import cache

import pytest

from .azure_types import FOLDER, needs_types
from .rules.every import monitor_problems, type_problems
from .rules.sent import World
from .rules.ways import COMMON, FEW, REFUSED, Way, every_way
from .template.functions import TemplateError
from .template.source import Files

WAYS = every_way()


@cache
def deployed(way: str) -> World:
    """Return a monitor that is deployed in one way, by the templates as they are."""
    return WAYS[way].world(Files())


@pytest.mark.parametrize("way", WAYS)
def test_monitor_is_as_it_should_be(way: str) -> None:
    """What is sent for a monitor obeys every rule about plans, networks, roles, order and alerts."""
    assert list(monitor_problems(deployed(way))) == []


STATE_ALONE: dict[str, tuple[dict[str, object], tuple[object, ...]]] = {
    "as it is": ({}, ("Disabled", "Deny", [])),
    "callers": (
        {"privateEndpoints": False, "storageSubnetIds": "/subnets/a, /subnets/b"},
        ("Enabled", "Deny", ["/subnets/a", "/subnets/b"]),
    ),
    "flex": ({"privateEndpoints": False}, ("Enabled", "Allow", [])),
}


@pytest.mark.parametrize("way", STATE_ALONE)
def test_state_on_its_own_is_closed_and_locked(way: str) -> None:
    """An account for the state of all monitors answers whom it should, and is not deleted by mistake."""
    given, wanted = STATE_ALONE[way]
    world = World(Files(), "state.bicep", given, group="rg-state")
    account = world.one("Microsoft.Storage/storageAccounts")
    access = account.properties["networkAcls"]
    callers = [each["id"] for each in access["virtualNetworkRules"]]
    assert (account.properties["publicNetworkAccess"], access["defaultAction"], callers) == wanted
    lock = world.one("Microsoft.Authorization/locks")
    assert (lock.id.startswith(account.id), lock.properties["level"]) == (True, "CanNotDelete")
    assert world.outputs == {"NVAHA_STATE_STORAGE_ID": account.id}
    assert list(type_problems(world)) == []


def test_state_on_its_own_is_logged_when_asked() -> None:
    """The requests to an account for all monitors are logged like a monitor's own, into a given workspace."""
    workspace = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log"
    given = {"storageLogs": "changes", "storageLogsWorkspaceId": workspace}
    world = World(Files(), "state.bicep", given, group="rg-state")
    account = world.one("Microsoft.Storage/storageAccounts").id
    settings = world.of("Microsoft.Insights/diagnosticSettings")
    logged = {each.id.removeprefix(account).split("/providers/")[0]: each.properties for each in settings}
    wanted = {
        "workspaceId": workspace,
        "logs": [{"category": each, "enabled": True} for each in ("StorageWrite", "StorageDelete")],
    }
    assert logged == {f"/{each}Services/default": wanted for each in ("blob", "queue", "table")}
    assert list(type_problems(world)) == []
    with pytest.raises(TemplateError, match="storageLogsWorkspaceId"):
        assert World(Files(), "state.bicep", {"storageLogs": "all"}, group="rg-state").sent


@needs_types
@pytest.mark.parametrize("way", WAYS)
def test_azure_knows_every_property(way: str) -> None:
    """Every property that is sent exists at that API version, may be written, and takes that value."""
    assert list(type_problems(deployed(way))) == []


@needs_types
def test_only_names_must_be_known_at_the_start() -> None:
    """Nothing but names must be known before a deployment starts, and the check looks at names."""
    asked = set()
    for path in (FOLDER / "types").glob("*.json"):
        for each in json.loads(path.read_text(encoding="utf-8"))["types"].values():
            properties = each.get("properties", {}).items()
            asked |= {
                name
                for name, spec in properties
                if spec.get("deployTimeConstant") and not spec.get("readOnly")
            }
    assert asked == {"name"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused(name: str) -> None:
    """Parameters that do not fit together stop the deployment with a sentence that names what is wrong."""
    given, named = REFUSED[name]
    with pytest.raises(TemplateError, match=named):
        assert World(Files(), "main.bicep", {**COMMON, **given}).sent


def test_few_ways_take_every_branch() -> None:
    """The few ways that mistakes are planted in send every resource and module that any way sends."""

    def parts(names: tuple[str, ...]) -> set[str]:
        return {each.place.split("[")[0] for name in names for each in deployed(name).sent}

    assert parts(FEW) == parts(tuple(WAYS))


@pytest.mark.parametrize("name", ["environmentName", "location"])
def test_names_in_all_of_azure_differ(name: str) -> None:
    """A monitor of another name or in another region gets another account and app: their names are global."""
    kinds = ("Microsoft.Storage/storageAccounts", "Microsoft.Web/sites")
    one = Way(COMMON).world(Files())
    other = Way({**COMMON, name: {"environmentName": "other", "location": "northeurope"}[name]}).world(
        Files()
    )
    assert one.parameter(name) != other.parameter(name)
    for kind in kinds:
        assert one.one(kind).name != other.one(kind).name
