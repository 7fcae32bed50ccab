"""Lists of the simulator: what an identity may read of them, and how Azure writes the ids in them."""

from __future__ import annotations

from pathlib import Path

from nvaha.lab.arm import Switches
from nvaha.lab.stage.sample import RESOURCE_GROUP, SUBSCRIPTION, environment
from tests.hub import balancer

from .lab_arm import Client, run

SAMPLE = environment()
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{SCOPE}/resourceGroups/{RESOURCE_GROUP}"
NICS = "providers/Microsoft.Network/networkInterfaces"


def test_a_list_is_refused_where_its_scope_is(tmp_path: Path) -> None:
    """403 names the scope as Azure does: of a resource group with the provider behind it."""

    async def test(client: Client) -> None:
        client.simulator.deny("tester", "Microsoft.Network/networkInterfaces/read", SCOPE)
        for scope, told in ((SCOPE, SCOPE), (GROUP, f"{GROUP}/providers/Microsoft.Network")):
            answer = await client.send("GET", f"{scope}/{NICS}")
            assert (answer.status, answer.code) == (403, "AuthorizationFailed")
            assert f"over scope '{told}'" in answer.body["error"]["message"]

    run(tmp_path, test)


def test_a_list_leaves_out_what_may_not_be_read(tmp_path: Path) -> None:
    """What an identity may not read is simply not there, down to a list that is empty."""

    async def test(client: Client) -> None:
        hidden = SAMPLE.nvas[0].interfaces["external"]
        client.simulator.deny("tester", "*/read", hidden)
        listed = (await client.get(f"{SCOPE}/{NICS}")).body["value"]
        assert len(listed) == 3
        assert hidden not in {each["id"] for each in listed}
        client.simulator.deny("tester", "*/read", GROUP)
        assert (await client.get(f"{SCOPE}/{NICS}")).body == {"value": []}
        other = Client(client.simulator, client.session, "other")
        assert len((await other.get(f"{SCOPE}/{NICS}")).body["value"]) == 4

    run(tmp_path, test)


def test_ids_in_lists_may_shout(tmp_path: Path) -> None:
    """With the switch, resource groups in a list's ids are in capitals; a GET shows them as they are."""

    async def test(client: Client) -> None:
        for each in (await client.get(f"{SCOPE}/{NICS}")).body["value"]:
            assert f"/resourceGroups/{RESOURCE_GROUP.upper()}/" in each["id"]
            assert RESOURCE_GROUP.upper() in each["properties"]["virtualMachine"]["id"]
            assert (await client.get(each["id"])).body["id"].casefold() == each["id"].casefold()

    run(tmp_path, test, switches=Switches(capital_ids=True))


def test_load_balancers_are_listed_and_not_written(tmp_path: Path) -> None:
    """A load balancer can be put there and is read like the rest; a PUT of one is refused."""

    async def test(client: Client) -> None:
        known = balancer("lb", "10.0.9.9")
        client.simulator.edit({**known.body})
        (listed,) = (await client.get(f"{SCOPE}/providers/Microsoft.Network/loadBalancers")).body["value"]
        frontends = listed["properties"]["frontendIPConfigurations"]
        assert [each["properties"]["privateIPAddress"] for each in frontends] == ["10.0.9.9"]
        assert (await client.send("PUT", known.id, listed)).status == 405

    run(tmp_path, test)
