"""Microsoft's own client against the simulator: what it sends, reads back, and makes of errors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.network.aio import NetworkManagementClient

from nvaha.lab.arm import Fault, FaultKind, Pause
from nvaha.lab.stage.profiles import Profile
from nvaha.lab.stage.sample import RESOURCE_GROUP, SUBSCRIPTION, environment

from .lab_arm import FAST, Client, serving, without_etags
from .openapi import DESCRIPTION, description

SAMPLE = environment()
TABLE, OTHER_TABLE = SAMPLE.route_tables
PUBLIC_IP = SAMPLE.public_ips[0]
NIC, OTHER_NIC = (each.interfaces["external"] for each in SAMPLE.nvas)
TABLE_NAME, NIC_NAME, OTHER_NIC_NAME, PUBLIC_IP_NAME = (
    each.rpartition("/")[2] for each in (TABLE, NIC, OTHER_NIC, PUBLIC_IP)
)
SHORT = replace(FAST, route_table_operation_s=0.5, nic_operation_s=0.5)


class _Check(AsyncHTTPPolicy[Any, Any]):
    """Checks every exchange against Microsoft's description."""

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send one request and check it with its answer."""
        response = await self.next.send(request)
        if DESCRIPTION.is_file():
            sent, answer = request.http_request, response.http_response
            await answer.load_body()
            body = json.loads(sent.body) if sent.body else None
            description().check_request(sent.method, sent.url, body)
            description().check_response(sent.method, sent.url, answer.status_code, json.loads(answer.body()))
        return response


@asynccontextmanager
async def microsofts(client: Client, **options: Any) -> AsyncIterator[NetworkManagementClient]:
    """Yield Microsoft's client, pointed at the simulator, with a managed identity's credential."""
    simulator = client.simulator
    async with (
        ManagedIdentityCredential() as credential,
        NetworkManagementClient(
            credential,
            SUBSCRIPTION,
            base_url=simulator.endpoint,
            connection_verify=str(simulator.ca_file),
            polling_interval=0.05,
            per_retry_policies=[_Check()],
            **options,
        ) as network,
    ):
        yield network


Test = Callable[[Client, NetworkManagementClient], Awaitable[None]]


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    test: Test,
    *,
    profile: Profile = FAST,
    **options: Any,
) -> None:
    """Run one test with Microsoft's client against a simulator of its own."""

    async def whole() -> None:
        async with asyncio.timeout(20), serving(folder, profile=profile) as client:
            for name, value in client.simulator.client_settings("sdk").items():
                monkeypatch.setenv(name, value)
            async with microsofts(client, **options) as network:
                await test(client, network)

    asyncio.run(whole())


def test_a_nic_survives_a_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NIC read, changed in one place and written by the SDK keeps everything else, known to it or not."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        before = client.simulator.snapshot()[NIC]
        nic = await network.network_interfaces.get(RESOURCE_GROUP, NIC_NAME)
        assert nic.etag == before["etag"]
        assert nic.ip_configurations is not None
        nic.ip_configurations[0].public_ip_address = None
        poller = await network.network_interfaces.begin_create_or_update(
            RESOURCE_GROUP, NIC_NAME, nic, headers={"If-Match": nic.etag}
        )
        written = await poller.result()
        assert written.provisioning_state == "Succeeded"
        after = client.simulator.snapshot()[NIC]
        del before["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]
        assert without_etags(after) == without_etags(before)

    run(tmp_path, monkeypatch, test, profile=replace(FAST, nic_retry_after_s=0))


def test_a_switch_by_the_sdk_moves_the_data_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detach, attach and routes written by the SDK arrive in the data path, with polls in between."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        nics = network.network_interfaces
        first, second = (
            await nics.get(RESOURCE_GROUP, NIC_NAME),
            await nics.get(RESOURCE_GROUP, OTHER_NIC_NAME),
        )
        assert first.ip_configurations is not None
        assert second.ip_configurations is not None
        reference, first.ip_configurations[0].public_ip_address = (
            first.ip_configurations[0].public_ip_address,
            None,
        )
        await (await nics.begin_create_or_update(RESOURCE_GROUP, NIC_NAME, first)).result()
        second.ip_configurations[0].public_ip_address = reference
        await (await nics.begin_create_or_update(RESOURCE_GROUP, OTHER_NIC_NAME, second)).result()
        table = await network.route_tables.get(RESOURCE_GROUP, TABLE_NAME)
        for route in table.routes or []:
            if route.next_hop_ip_address == "10.0.0.100":
                route.next_hop_ip_address = "10.0.0.101"
        poller = await network.route_tables.begin_create_or_update(
            RESOURCE_GROUP, TABLE_NAME, table, headers={"If-Match": table.etag}
        )
        await poller.result()
        assert client.simulator.effective.public_ip_target(PUBLIC_IP) == "10.0.0.69"
        assert client.simulator.effective.next_hop(TABLE, "8.8.8.8") == "10.0.0.101"
        polls = [each.outcome for each in client.simulator.log if each.method == "POLL"]
        assert polls.count("InProgress") >= 3
        assert polls.count("Succeeded") == 3

    run(tmp_path, monkeypatch, test, profile=replace(SHORT, nic_retry_after_s=0))


def test_the_sdk_waits_ten_seconds_for_a_nic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes the Retry-After of a NIC's operation as it stands, whatever its polling interval."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        nic = await network.network_interfaces.get(RESOURCE_GROUP, NIC_NAME)
        poller = await network.network_interfaces.begin_create_or_update(RESOURCE_GROUP, NIC_NAME, nic)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await poller.result()
        assert [each.method for each in client.simulator.log] == ["GET", "PUT", "POLL"]

    run(tmp_path, monkeypatch, test, profile=SHORT)


def test_a_stale_etag_reaches_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK raises a 412 with Azure's code, and writes nothing."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        table = await network.route_tables.get(RESOURCE_GROUP, TABLE_NAME)
        client.simulator.edit(client.simulator.snapshot()[TABLE])
        with pytest.raises(HttpResponseError) as caught:
            await network.route_tables.begin_create_or_update(
                RESOURCE_GROUP, TABLE_NAME, table, headers={"If-Match": str(table.etag)}
            )
        assert caught.value.status_code == 412
        assert caught.value.error is not None
        assert caught.value.error.code == "PreconditionFailed"

    run(tmp_path, monkeypatch, test)


def test_failed_operations_reach_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK raises for an operation that fails, and for one that is superseded."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        table = await network.route_tables.get(RESOURCE_GROUP, TABLE_NAME)
        for kind in (FaultKind.OPERATION_FAILED, FaultKind.OPERATION_CANCELED):
            client.simulator.faults.add(Fault(kind, code="OperationNotAllowed"))
            poller = await network.route_tables.begin_create_or_update(RESOURCE_GROUP, TABLE_NAME, table)
            with pytest.raises(HttpResponseError) as caught:
                await poller.result()
            assert caught.value.status_code == 200

    run(tmp_path, monkeypatch, test)


def test_a_held_public_ip_reaches_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK raises PublicIPAddressInUse from the PUT itself."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        nic = await network.network_interfaces.get(RESOURCE_GROUP, OTHER_NIC_NAME)
        public_ip = await network.public_ip_addresses.get(RESOURCE_GROUP, PUBLIC_IP_NAME)
        assert nic.ip_configurations is not None
        nic.ip_configurations[0].public_ip_address = public_ip
        with pytest.raises(HttpResponseError) as caught:
            await network.network_interfaces.begin_create_or_update(RESOURCE_GROUP, OTHER_NIC_NAME, nic)
        assert caught.value.error is not None
        assert (caught.value.status_code, caught.value.error.code) == (400, "PublicIPAddressInUse")

    run(tmp_path, monkeypatch, test)


def test_lists_are_followed_to_their_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads every page of a list of a resource group and of the subscription."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        client.simulator.switches.page_size = 1
        assert [each.id async for each in network.route_tables.list_all()] == [TABLE, OTHER_TABLE]
        assert [each.id async for each in network.route_tables.list(RESOURCE_GROUP)] == [TABLE, OTHER_TABLE]
        assert [each.id async for each in network.public_ip_addresses.list_all()] == [PUBLIC_IP]
        assert len([each async for each in network.network_interfaces.list_all()]) == 4

    run(tmp_path, monkeypatch, test)


def test_refusals_reach_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK tells a missing resource, a missing permission and an expired token apart."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        with pytest.raises(ResourceNotFoundError):
            await network.route_tables.get(RESOURCE_GROUP, "none")
        client.simulator.deny("sdk", "Microsoft.Network/routeTables/read", TABLE)
        with pytest.raises(HttpResponseError) as caught:
            await network.route_tables.get(RESOURCE_GROUP, TABLE_NAME)
        assert caught.value.status_code == 403
        client.simulator.expire_tokens()
        with pytest.raises(ClientAuthenticationError):
            await network.network_interfaces.get(RESOURCE_GROUP, NIC_NAME)

    run(tmp_path, monkeypatch, test)


def test_lost_connections_reach_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its own retries the SDK raises for a reset, a hanging and a refused connection."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        get = network.route_tables.get
        client.simulator.faults.add(Fault(FaultKind.RESET_BEFORE, count=None))
        with pytest.raises((ServiceRequestError, ServiceResponseError)):
            await get(RESOURCE_GROUP, TABLE_NAME)
        client.simulator.faults.clear()
        client.simulator.faults.add(Fault(FaultKind.HANG_BEFORE))
        with pytest.raises(ServiceResponseError):
            await get(RESOURCE_GROUP, TABLE_NAME, read_timeout=0.2)
        await client.simulator.pause(Pause.REFUSE)
        with pytest.raises((ServiceRequestError, ServiceResponseError)):
            await get(RESOURCE_GROUP, TABLE_NAME)
        await client.simulator.resume()
        assert (await get(RESOURCE_GROUP, TABLE_NAME)).name == TABLE_NAME

    run(tmp_path, monkeypatch, test, retry_total=0)


def test_the_sdk_retries_throttling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 with Retry-After is waited for and tried again inside the SDK."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        client.simulator.faults.add(Fault(FaultKind.ERROR, status=429, retry_after_s=1))
        started = time.monotonic()
        await network.route_tables.get(RESOURCE_GROUP, TABLE_NAME)
        assert time.monotonic() - started >= 1
        assert [each.status for each in client.simulator.log] == [429, 200]

    run(tmp_path, monkeypatch, test)


def test_the_default_credential_finds_the_identity_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DefaultAzureCredential gets an expiring token for ARM from the settings alone."""

    async def test(client: Client, network: NetworkManagementClient) -> None:
        async with DefaultAzureCredential() as credential:
            token: AccessToken = await credential.get_token("https://management.azure.com/.default")
        assert token.expires_on > time.time() + 3600
        url = f"{client.simulator.endpoint}{TABLE}?api-version=2025-03-01"
        headers = {"Authorization": f"Bearer {token.token}"}
        async with client.session.get(url, headers=headers) as response:
            assert response.status == 200
        assert client.simulator.log[-1].principal == "sdk"

    run(tmp_path, monkeypatch, test)
