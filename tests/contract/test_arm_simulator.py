"""Reading from the simulator: tokens, permissions, resources, lists and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nvaha.lab.arm import AZURE_LIMITS, Bucket, Switches
from nvaha.lab.stage.sample import RESOURCE_GROUP, SUBSCRIPTION, environment

from .lab_arm import Client, Hands, run

SAMPLE = environment()
TABLE = SAMPLE.route_tables[0]
PUBLIC_IP = SAMPLE.public_ips[0]
NIC = SAMPLE.nvas[0].interfaces["external"]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"


def test_a_get_shows_every_property_of_the_sample(tmp_path: Path) -> None:
    """A GET answers with the whole resource as it was given, and its ETag in header and body."""

    async def test(client: Client) -> None:
        for body in SAMPLE.resources:
            answer = await client.get(body["id"])
            assert answer.headers["ETag"] == answer.etag
            assert answer.etag.startswith('W/"')
            for name in ("name", "id", "type", "location", "tags"):
                assert answer.body[name] == body[name]
            for name, value in body["properties"].items():
                if name not in {"routes", "ipConfigurations"}:
                    assert answer.body["properties"][name] == value

    run(tmp_path, test)


def test_ids_are_case_insensitive(tmp_path: Path) -> None:
    """A resource is found however its id is written, and answers with its own spelling."""

    async def test(client: Client) -> None:
        for spelling in (TABLE.upper(), TABLE.lower()):
            assert (await client.get(spelling.replace("/SUBSCRIPTIONS", "/subscriptions"))).body[
                "id"
            ] == TABLE

    run(tmp_path, test)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing route, resource, resource group or subscription each has Azure's own 404."""

    async def test(client: Client) -> None:
        missing = {
            f"{TABLE}/routes/none": "NotFound",
            f"{TABLE}-none": "ResourceNotFound",
            TABLE.replace(RESOURCE_GROUP, "none"): "ResourceGroupNotFound",
            TABLE.replace(SUBSCRIPTION, "00000000-0000-0000-0000-000000000000"): "SubscriptionNotFound",
            TABLE.replace("routeTables", "bastionHosts"): "InvalidResourceType",
        }
        for path, code in missing.items():
            answer = await client.send("GET", path)
            assert (answer.status, answer.code) == (404, code)

    run(tmp_path, test)


def test_one_route_can_be_read(tmp_path: Path) -> None:
    """A GET of a route answers with that part of its route table, under the same ETag."""

    async def test(client: Client) -> None:
        table = await client.get(TABLE)
        route = await client.get(f"{TABLE}/routes/TO-NVA-1")
        assert route.body == table.body["properties"]["routes"][0]
        assert route.headers["ETag"] == table.etag

    run(tmp_path, test)


def test_lists_come_in_pages(tmp_path: Path) -> None:
    """A list of a resource group or subscription holds every resource of the type, over all its pages."""

    async def test(client: Client) -> None:
        for scope in (f"/subscriptions/{SUBSCRIPTION}", GROUP):
            url, names, pages = f"{scope}/providers/Microsoft.Network/routeTables", [], 0
            while url:
                answer = await client.send("GET", url)
                names += [each["id"] for each in answer.body["value"]]
                url, pages = answer.body.get("nextLink", ""), pages + 1
            assert tuple(names) == environment(route_tables=5).route_tables
            assert pages == 3
        nics = await client.get(f"{GROUP}/providers/Microsoft.Network/networkInterfaces")
        assert len(nics.body["value"]) == 2

    run(tmp_path, test, sample=environment(route_tables=5), switches=Switches(page_size=2))


def test_a_list_of_an_unknown_group_is_refused(tmp_path: Path) -> None:
    """A list of a resource group that is not there is a 404, no empty list."""

    async def test(client: Client) -> None:
        path = (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/none/providers/Microsoft.Network/publicIPAddresses"
        )
        assert (await client.send("GET", path)).code == "ResourceGroupNotFound"

    run(tmp_path, test)


def test_an_api_version_is_required(tmp_path: Path) -> None:
    """A request without api-version, or with a malformed one, is a 400."""

    async def test(client: Client) -> None:
        without = await client.send("GET", TABLE, query="", valid=False)
        assert (without.status, without.code) == (400, "MissingApiVersionParameter")
        malformed = await client.send("GET", TABLE, query="api-version=latest")
        assert (malformed.status, malformed.code) == (400, "InvalidApiVersionParameter")

    run(tmp_path, test)


def test_a_token_for_arm_is_required(tmp_path: Path) -> None:
    """No token, a foreign one, one for storage and an expired one are each a 401 with a challenge."""

    async def test(client: Client) -> None:
        storage = await client.token("https://storage.azure.com/")
        sent = {
            "": "AuthenticationFailed",
            "Bearer made-up": "InvalidAuthenticationToken",
            f"Bearer {storage}": "InvalidAuthenticationTokenAudience",
        }
        for authorization, code in sent.items():
            answer = await client.send("GET", TABLE, headers={"Authorization": authorization})
            assert (answer.status, answer.code) == (401, code)
            assert "authorization_uri=" in answer.headers["WWW-Authenticate"]
        await client.get(TABLE)
        client.simulator.expire_tokens()
        assert (await client.send("GET", TABLE)).code == "ExpiredAuthenticationToken"

    run(tmp_path, test)


def test_the_identity_endpoint_keeps_principals_apart(tmp_path: Path) -> None:
    """The log tells who sent each request, by the identity header that the token was asked for with."""

    async def test(client: Client) -> None:
        other = Client(client.simulator, client.session, "monitor-b")
        await client.get(TABLE)
        await other.get(NIC)
        assert [(each.principal, each.resource_id) for each in client.simulator.log] == [
            ("tester", TABLE),
            ("monitor-b", NIC),
        ]

    run(tmp_path, test)


def test_the_identity_endpoint_wants_its_header_and_parameters(tmp_path: Path) -> None:
    """Without the right header, api-version and resource no token is given."""

    async def test(client: Client) -> None:
        endpoint = client.simulator.identity_endpoint
        good = {"api-version": "2019-08-01", "resource": "https://management.azure.com/"}
        for query, header, status in (
            (good, "", 401),
            (good, "someone", 401),
            ({**good, "api-version": "2018-02-01"}, "lab-a", 400),
            ({"api-version": "2019-08-01"}, "lab-a", 400),
            (good, "lab-a", 200),
        ):
            async with client.session.get(
                endpoint, params=query, headers={"X-IDENTITY-HEADER": header}
            ) as response:
                assert response.status == status

    run(tmp_path, test)


def test_a_token_expires(tmp_path: Path) -> None:
    """A token is good for its lifetime, and for no request after that."""
    hands = Hands()

    async def test(client: Client) -> None:
        await client.get(TABLE)
        hands.now += 59
        await client.get(TABLE)
        hands.now += 2
        assert (await client.send("GET", TABLE)).status == 401

    run(tmp_path, test, switches=Switches(token_lifetime_s=60), clock=hands)


def test_a_denied_action_is_a_403(tmp_path: Path) -> None:
    """A principal without a permission gets AuthorizationFailed where it lacks it, and nowhere else."""

    async def test(client: Client) -> None:
        client.simulator.deny("tester", "Microsoft.Network/routeTables/write", GROUP)
        table = (await client.get(TABLE)).body
        refused = await client.put(table)
        assert (refused.status, refused.code) == (403, "AuthorizationFailed")
        assert (await client.put((await client.get(NIC)).body)).status == 200
        client.simulator.allow_all()
        assert (await client.put(table)).status == 200

    run(tmp_path, test)


def test_a_denied_join_is_a_403(tmp_path: Path) -> None:
    """Writing a NIC needs the permission to join each resource that its body refers to."""

    async def test(client: Client) -> None:
        client.simulator.deny("*", "*/join/action", PUBLIC_IP)
        refused = await client.put((await client.get(NIC)).body)
        assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")

    run(tmp_path, test)


def test_needed_permissions_are_recorded(tmp_path: Path) -> None:
    """The simulator knows the permissions that the calls needed, joins and polls included."""

    async def test(client: Client) -> None:
        nic = (await client.get(NIC)).body
        await client.poll(await client.put(nic))
        network = f"{GROUP}/providers/Microsoft.Network"
        subnet = f"{network}/virtualNetworks/ha-nva-vnet/subnets/dmz-external"
        assert client.simulator.permissions == {
            ("Microsoft.Network/networkInterfaces/read", NIC),
            ("Microsoft.Network/networkInterfaces/write", NIC),
            ("Microsoft.Network/virtualNetworks/subnets/join/action", subnet),
            ("Microsoft.Network/publicIPAddresses/join/action", PUBLIC_IP),
            (
                "Microsoft.Network/networkSecurityGroups/join/action",
                f"{network}/networkSecurityGroups/ha-nva-external-nsg",
            ),
            ("Microsoft.Network/locations/operations/read", f"/subscriptions/{SUBSCRIPTION}"),
        }

    run(tmp_path, test)


def test_requests_are_throttled_by_token_bucket(tmp_path: Path) -> None:
    """Too many reads of one principal get 429 with a Retry-After after which they pass again."""
    hands = Hands()
    limits = replace(AZURE_LIMITS, reads=Bucket(3, 0.5))

    async def test(client: Client) -> None:
        for remaining in ("2", "1", "0"):
            headers = (await client.get(TABLE)).headers
            assert headers["x-ms-ratelimit-remaining-subscription-reads"] == remaining
        refused = await client.send("GET", TABLE)
        assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
        assert refused.headers["Retry-After"] == "2"
        await Client(client.simulator, client.session, "other").get(TABLE)
        hands.now += 2
        await client.get(TABLE)

    run(tmp_path, test, switches=Switches(limits=limits), clock=hands)


def test_the_network_service_throttles_all_principals_together(tmp_path: Path) -> None:
    """Microsoft.Network counts the writes of a subscription, whoever sends them."""
    limits = replace(AZURE_LIMITS, network_writes=Bucket(1, 0.1))

    async def test(client: Client) -> None:
        other = Client(client.simulator, client.session, "other")
        table = (await client.get(TABLE)).body
        assert (await client.put(table)).status == 200
        refused = await other.put(table)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "10")

    run(tmp_path, test, switches=Switches(limits=limits), clock=Hands())


def test_other_methods_are_refused(tmp_path: Path) -> None:
    """A method that is not simulated is refused, never half carried out."""

    async def test(client: Client) -> None:
        assert (await client.send("DELETE", TABLE, valid=False)).status == 405
        await client.get(TABLE)

    run(tmp_path, test)
