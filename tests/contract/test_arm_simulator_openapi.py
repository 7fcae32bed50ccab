"""Microsoft's own examples against the simulator, and the check itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nvaha.lab.arm import ArmSimulator

from .lab_arm import FAST, Client, run
from .openapi import DESCRIPTION, Example, description, needs_description

pytestmark = needs_description

Json = dict[str, Any]
EXAMPLES = list(description().examples()) if DESCRIPTION.is_file() else []
READS = [each for each in EXAMPLES if each.operation.endswith(("_Get", "_List", "_ListAll"))]
WRITES = [each for each in EXAMPLES if each.operation.endswith("_CreateOrUpdate")]
GROUP = "/subscriptions/subid/resourceGroups/rg1"
NETWORK = f"{GROUP}/providers/Microsoft.Network"


def test_the_check_finds_what_is_wrong() -> None:
    """The check refuses wrong types, missing parts and statuses that the description does not have."""
    url = f"https://management.azure.com{NETWORK}/routeTables/t?api-version=2025-03-01"
    for definition, body in (
        ("RouteTable", {"properties": {"routes": {}}}),
        ("RouteTable", {"properties": {"routes": [{"properties": {"addressPrefix": "10.0.0.0/8"}}]}}),
        (
            "NetworkInterface",
            {"properties": {"ipConfigurations": [{"properties": {"publicIPAddress": None}}]}},
        ),
        ("PublicIPAddress", {"properties": {"idleTimeoutInMinutes": "4"}}),
    ):
        with pytest.raises(jsonschema.ValidationError):
            description().check(definition, body)
    with pytest.raises(jsonschema.ValidationError):
        description().check_request("PUT", url, {"tags": []})
    with pytest.raises(AssertionError):
        description().check_request("GET", url.partition("?")[0], None)
    with pytest.raises(AssertionError):
        description().check_response("PUT", url, 202, {})


@pytest.mark.parametrize("example", READS, ids=lambda each: f"{each.operation}: {each.name}")
def test_a_resource_of_an_example_is_shown_as_there(tmp_path: Path, example: Example) -> None:
    """What Microsoft's example of a read shows, the simulator shows of the same resource."""
    expected = example.responses["200"]["body"]

    async def test(client: Client) -> None:
        for body in expected.get("value", [expected]):
            if example.operation == "Routes_Get":
                table = body["id"].rpartition("/routes/")[0]
                client.simulator.edit({"id": table, "location": "westus", "properties": {"routes": [body]}})
            else:
                client.simulator.edit(body)
        answer = await client.get(_path(example))
        assert _lacking(expected, answer.body) == []

    run(tmp_path, test)


@pytest.mark.parametrize("example", WRITES, ids=lambda each: f"{each.operation}: {each.name}")
def test_a_write_of_an_example_is_answered_as_there(tmp_path: Path, example: Example) -> None:
    """The body of Microsoft's example of a write is accepted and answered with all that is shown there."""
    sent = example.parameters.get("parameters") or example.parameters["routeParameters"]

    async def test(client: Client) -> None:
        _prepare(client.simulator)
        if example.operation.startswith("Routes_"):
            client.simulator.edit({"id": _path(example).partition("/routes/")[0], "properties": {}})
        for status in ("201", "200"):
            answer = await client.send("PUT", _path(example), sent)
            assert answer.status == int(status)
            assert _lacking_names(example.responses[status]["body"], answer.body) == []

    run(tmp_path, test)


def test_answers_of_operations_are_described(tmp_path: Path) -> None:
    """The answer to a poll is what the description says of it, running, succeeded or failed."""

    async def test(client: Client) -> None:
        _prepare(client.simulator)
        client.simulator.switches.broken = {f"{NETWORK}/networkInterfaces/nic"}
        nic = {
            "id": f"{NETWORK}/networkInterfaces/nic",
            "location": "westus",
            "properties": {
                "ipConfigurations": [{"name": "a", "properties": {"subnet": {"id": f"{NETWORK}/x/y"}}}],
                "virtualMachine": {"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"},
            },
        }
        client.simulator.edit(nic)
        put = await client.put(nic)
        poll = await client.poll(put)
        description().check("AzureAsyncOperationResult", poll.body)
        assert poll.body["status"] == "Failed"

    run(tmp_path, test, profile=FAST)


def _prepare(simulator: ArmSimulator) -> None:
    """Put what the examples refer to into the simulator."""
    simulator.edit(
        {"id": f"{NETWORK}/publicIPAddresses/test-ip", "location": "eastus", "properties": {}},
    )
    for name in ("pip", "pip1"):
        simulator.edit({"id": f"{NETWORK}/publicIPAddresses/{name}", "location": "eastus", "properties": {}})


def _path(example: Example) -> str:
    kind = {
        "RouteTables": "routeTables",
        "Routes": "routeTables",
        "NetworkInterfaces": "networkInterfaces",
        "PublicIPAddresses": "publicIPAddresses",
    }[example.operation.partition("_")[0]]
    if example.operation.endswith("_ListAll"):
        subscription = example.parameters["subscriptionId"]
        return f"/subscriptions/{subscription}/providers/Microsoft.Network/{kind}"
    if example.operation.endswith("_List"):
        return f"{NETWORK}/{kind}"
    names = ("routeTableName", "networkInterfaceName", "publicIpAddressName")
    name = next(example.parameters[each] for each in names if each in example.parameters)
    route = example.parameters.get("routeName")
    return f"{NETWORK}/{kind}/{name}" + (f"/routes/{route}" if route else "")


def _lacking(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return where the expected values are not all in the actual ones."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [path]
        return [
            where
            for key, value in expected.items()
            for where in _lacking(value, actual.get(key), f"{path}/{key}")
        ]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [path]
        pairs = zip(expected, actual, strict=True)
        return [where for index, pair in enumerate(pairs) for where in _lacking(*pair, f"{path}/{index}")]
    return [] if expected == actual else [f"{path}: {expected!r} is {actual!r}"]


def _lacking_names(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return which names of the expected answer the actual one does not have; values are the service's."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [path]
        return [
            where
            for key, value in expected.items()
            for where in (
                _lacking_names(value, actual[key], f"{path}/{key}") if key in actual else [f"{path}/{key}"]
            )
        ]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [path]
        pairs = zip(expected, actual, strict=True)
        return [
            where for index, pair in enumerate(pairs) for where in _lacking_names(*pair, f"{path}/{index}")
        ]
    return []
