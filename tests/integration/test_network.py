"""The network port against the ARM simulator, with a managed identity's token."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.clock import ServiceClock
from nvaha.azure.credentials import arm_credential
from nvaha.config.settings import Settings
from nvaha.core.trial import offers
from nvaha.lab.arm import ArmSimulator, Concurrency, Fault, FaultKind, retryable, throttled, unserved
from nvaha.lab.stage.profiles import PROFILES, Profile
from nvaha.lab.stage.sample import Environment, environment
from nvaha.model import Group, Nva, ProbeSpec, PublicIp, Resource
from nvaha.ports import Network, NetworkError, NetworkFault
from nvaha.state.snapshot import read_snapshot

FAST = PROFILES["fast"]
Test = Callable[[Network, ArmSimulator, Environment], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what runs a test against a simulator of its own."""

    def run_test(test: Test, profile: Profile = FAST) -> None:
        async def whole() -> None:
            sample = environment()
            simulator = ArmSimulator(sample.resources, profile, folder=tmp_path)
            await simulator.start()
            try:
                environ = dict(simulator.client_settings("monitor"))
                for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
                    monkeypatch.setenv(name, environ[name])
                monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
                settings = Settings.from_environ(environ, storage_required=False)
                async with (
                    asyncio.timeout(30),
                    arm_credential(settings) as credential,
                    ArmNetwork(settings, credential, ServiceClock()) as network,
                ):
                    await test(network, simulator, sample)
            finally:
                await simulator.stop()

        asyncio.run(whole())

    return run_test


async def alive() -> None:
    """Find nothing that ends the wait."""


def redirected(table: Resource, address: str = "10.0.0.101") -> Resource:
    """Return a route table with all next hops changed."""
    body = copy.deepcopy(dict(table.body))
    for route in body["properties"]["routes"]:
        if route["properties"].get("nextHopIpAddress"):
            route["properties"]["nextHopIpAddress"] = address
    return dataclasses.replace(table, body=body)


async def fault_of(work: Awaitable[object]) -> NetworkFault:
    """Return the fault that this ends in."""
    with pytest.raises(NetworkError) as caught:
        await work
    return caught.value.fault


def test_a_write_takes_effect_and_changes_nothing_else(run: Callable[..., None]) -> None:
    """After a write the table shows the new next hops, another ETag, and every other property as before."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        before = await network.get(sample.route_tables[0])
        wanted = redirected(before)
        await network.put(wanted, alive=alive)
        after = await network.get(sample.route_tables[0])
        assert after.etag != before.etag
        assert _without_etags(after.body) == _without_etags(wanted.body)

    run(test)


def _without_etags(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_etags(inner) for key, inner in value.items() if key != "etag"}
    return [_without_etags(inner) for inner in value] if isinstance(value, list) else value


def test_nics_and_public_ips_go_back_as_they_came(run: Callable[..., None]) -> None:
    """A NIC and a public IP can be read and written back unchanged, read-only properties and all."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        for resource_id in (sample.nvas[0].interfaces["external"], sample.public_ips[0]):
            before = await network.get(resource_id)
            await network.put(before, alive=alive)
            after = await network.get(resource_id)
            assert _without_etags(after.body) == _without_etags(before.body)

    run(test)


def test_a_stale_etag_is_changed(run: Callable[..., None]) -> None:
    """Of two writers with the same ETag the second is told that the table changed."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        table = await network.get(sample.route_tables[0])
        await network.put(redirected(table), alive=alive)
        assert await fault_of(network.put(redirected(table, "10.0.0.9"), alive=alive)) is NetworkFault.CHANGED

    run(test)


def test_a_nics_retry_after_is_not_waited_for(run: Callable[..., None]) -> None:
    """A NIC operation of 0.6 s with Retry-After 10 is over after the poll that follows its end."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        nic = await network.get(sample.nvas[0].interfaces["external"])
        loop = asyncio.get_running_loop()
        started = loop.time()
        await network.put(nic, alive=alive)
        assert 0.6 <= loop.time() - started < 3.0

    run(test, dataclasses.replace(FAST, nic_operation_s=0.6))


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (throttled(7, method="PUT"), NetworkFault.THROTTLED),
        (retryable(), NetworkFault.BUSY),
        (Fault(FaultKind.ERROR, method="PUT", status=403, code="AuthorizationFailed"), NetworkFault.DENIED),
        (
            Fault(FaultKind.ERROR, method="PUT", status=403, code="RequestDisallowedByPolicy"),
            NetworkFault.POLICY,
        ),
        (
            Fault(FaultKind.ERROR, method="PUT", status=400, code="LinkedAccessCheckFailed"),
            NetworkFault.DENIED,
        ),
        (Fault(FaultKind.ERROR, method="PUT", status=409, code="ScopeLocked"), NetworkFault.REFUSED),
        (Fault(FaultKind.ERROR, method="PUT", status=307, code=""), NetworkFault.REFUSED),
        (Fault(FaultKind.ERROR, method="PUT", status=400, code="Odd", count=None), NetworkFault.REFUSED),
        (Fault(FaultKind.ERROR, method="PUT", status=500), NetworkFault.UNAVAILABLE),
        (Fault(FaultKind.RESET_BEFORE, method="PUT", count=None), NetworkFault.UNAVAILABLE),
        (Fault(FaultKind.OPERATION_FAILED, code="InternalServerError"), NetworkFault.UNAVAILABLE),
        (Fault(FaultKind.OPERATION_FAILED, code="OperationNotAllowed"), NetworkFault.REFUSED),
        (Fault(FaultKind.OPERATION_CANCELED), NetworkFault.BUSY),
    ],
)
def test_each_trouble_has_its_meaning(run: Callable[..., None], fault: Fault, meaning: NetworkFault) -> None:
    """What goes wrong in ARM reaches the caller as the fault that it can act on."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        table = redirected(await network.get(sample.route_tables[0]))
        simulator.faults.add(fault)
        assert await fault_of(network.put(table, alive=alive)) is meaning

    run(test, dataclasses.replace(FAST, route_table_operation_s=0.2))


HARD_TO_FOLLOW = [
    [Fault(FaultKind.OPERATION_LOST)],
    [Fault(FaultKind.ERROR, method="POLL", skip=1, count=None, status=404, code="OperationNotFound")],
    [Fault(FaultKind.ERROR, method="POLL", count=None, status=500)],
    [Fault(FaultKind.OPERATION_ELSEWHERE)],
    [Fault(FaultKind.OPERATION_UNLINKED)],
    [Fault(FaultKind.OPERATION_BARE, status=202)],
    [Fault(FaultKind.OPERATION_BARE, status=204)],
    [Fault(FaultKind.GARBLED_AFTER, method="PUT")],
    [Fault(FaultKind.OPERATION_LOST), Fault(FaultKind.STALE, method="GET")],
    [Fault(FaultKind.OPERATION_LOST), Fault(FaultKind.GARBLED, method="GET")],
]


@pytest.mark.parametrize("faults", HARD_TO_FOLLOW, ids=lambda faults: "+".join(each.kind for each in faults))
def test_a_write_that_is_hard_to_follow_costs_no_time(run: Callable[..., None], faults: list[Fault]) -> None:
    """A write of 0.8 s is done when it has ended, and soon after, however little is said of its operation."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        table = redirected(await network.get(sample.route_tables[0]))
        for fault in faults:
            simulator.faults.add(fault)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await network.put(table, alive=alive)
        assert 0.8 <= loop.time() - started < 3.0
        simulator.faults.clear()
        assert _without_etags((await network.get(table.id)).body) == _without_etags(table.body)
        if faults[0].kind is FaultKind.OPERATION_ELSEWHERE:
            assert not [each for each in simulator.log if each.method == "POLL"]

    run(test, dataclasses.replace(FAST, route_table_operation_s=0.8))


def test_one_server_of_many_stops_no_switch(run: Callable[..., None]) -> None:
    """A version that is not served now and then is no trouble; one that never is says which are."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        table = sample.route_tables[0]
        simulator.faults.add(unserved(method="GET"))
        simulator.faults.add(unserved(method="PUT", count=2))
        await network.put(redirected(await network.get(table)), alive=alive)
        simulator.switches.api_versions = ("2023-09-01", "2024-01-01")
        with pytest.raises(NetworkError) as caught:
            await network.get(table)
        assert caught.value.fault is NetworkFault.REFUSED
        assert "NVAHA_ARM_API_VERSION" in caught.value.message[:100]
        assert "2024-01-01, 2023-09-01" in caught.value.message

    run(test)


def test_a_missing_right_is_told_with_its_resource(run: Callable[..., None]) -> None:
    """Whoever may not join a NIC's public IP is told which right is missing on which resource."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        public_ip = sample.public_ips[0]
        nic = await network.get(sample.nvas[0].interfaces["external"])
        simulator.deny("*", "*/join/action", public_ip)
        with pytest.raises(NetworkError) as caught:
            await network.put(nic, alive=alive)
        assert caught.value.fault is NetworkFault.DENIED
        right = "Microsoft.Network/publicIPAddresses/join/action"
        assert caught.value.message.startswith(f"needs the right {right} on {public_ip} (403 ")

    run(test)


def test_a_lost_answer_leaves_the_write_to_be_found(run: Callable[..., None]) -> None:
    """A write whose answer was lost is unavailable or changed, never done, and a read shows its effect."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        table = redirected(await network.get(sample.route_tables[0]))
        simulator.faults.add(Fault(FaultKind.RESET_AFTER, method="PUT"))
        fault = await fault_of(network.put(table, alive=alive))
        assert fault in {NetworkFault.UNAVAILABLE, NetworkFault.CHANGED}
        found = await network.get(sample.route_tables[0])
        assert found.body["properties"]["routes"][0]["properties"]["nextHopIpAddress"] == "10.0.0.101"

    run(test)


@pytest.mark.parametrize("concurrency", [Concurrency.RETRYABLE, Concurrency.CONFLICT])
def test_a_running_operation_makes_the_table_busy(run: Callable[..., None], concurrency: Concurrency) -> None:
    """While another operation runs on the table, a write is busy."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        simulator.switches.concurrency = concurrency
        table = await network.get(sample.route_tables[0])
        first = asyncio.ensure_future(network.put(redirected(table), alive=alive))
        while (running := await network.get(sample.route_tables[0])).etag == table.etag:
            continue
        assert await fault_of(network.put(redirected(running), alive=alive)) is NetworkFault.BUSY
        await first

    run(test, dataclasses.replace(FAST, route_table_operation_s=1.0))


def test_a_public_ip_on_another_nic_is_in_use(run: Callable[..., None]) -> None:
    """Attaching a public IP that another NIC still holds is in use."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        nic = await network.get(sample.nvas[1].interfaces["external"])
        body = copy.deepcopy(dict(nic.body))
        body["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] = {
            "id": sample.public_ips[0]
        }
        attach = dataclasses.replace(nic, body=body)
        assert await fault_of(network.put(attach, alive=alive)) is NetworkFault.IN_USE

    run(test)


def test_what_is_not_there_is_missing(run: Callable[..., None]) -> None:
    """A resource that does not exist is missing, not unavailable."""

    async def test(network: Network, simulator: ArmSimulator, sample: Environment) -> None:
        assert await fault_of(network.get(f"{sample.route_tables[0]}-not")) is NetworkFault.MISSING

    run(test)


def edge(sample: Environment) -> Group:
    """Return the sample's group, as far as a failover may write it."""
    nvas = tuple(Nva(each.name, each.interfaces, ProbeSpec()) for each in sample.nvas)
    return Group("edge", nvas, sample.route_tables, (PublicIp("external", sample.public_ips[0]),))


async def what_is_offered(network: ArmNetwork, sample: Environment) -> dict[str, NetworkError | None]:
    """Offer whatever a failover may write; return what Azure objects to, by resource id."""
    group = edge(sample)
    objects: dict[str, NetworkError | None] = {}
    for each in offers(group, await read_snapshot(network, group)):
        try:
            await network.offer(each)
            objects[each.id] = None
        except NetworkError as error:
            objects[each.id] = error
    return objects


@pytest.mark.parametrize("ignored", [False, True])
def test_a_write_that_is_only_offered_changes_nothing(run: Callable[..., None], ignored: bool) -> None:
    """Nor does it where NICs ignore If-Match; that Azure objects to nothing else is heard all the same."""

    async def test(network: ArmNetwork, simulator: ArmSimulator, sample: Environment) -> None:
        simulator.switches.nic_ignores_if_match = ignored
        before = simulator.snapshot()
        assert set((await what_is_offered(network, sample)).values()) == {None}
        assert simulator.snapshot() == before
        writes = [each for each in simulator.log if each.method == "PUT"]
        assert len(writes) == 4
        assert not any(each.took_effect or each.operation for each in writes)
        assert not {each.if_match for each in writes} & {body["etag"] for body in before.values()}

    run(test)


def test_a_missing_right_is_heard_before_what_keeps_the_write_from_being_taken(
    run: Callable[..., None],
) -> None:
    """To write one resource, to join a public IP on both NICs, and where a lock is: with what is missing."""

    async def test(network: ArmNetwork, simulator: ArmSimulator, sample: Environment) -> None:
        udr, other = sample.route_tables
        simulator.deny("*", "Microsoft.Network/routeTables/write", udr)
        simulator.deny("*", "Microsoft.Network/publicIPAddresses/join/action", sample.public_ips[0])
        lock = Fault(FaultKind.ERROR, method="PUT", resource=other, status=409, code="ScopeLocked")
        simulator.faults.add(lock)
        objects = await what_is_offered(network, sample)
        faults = {each: error and (error.fault, error.code) for each, error in objects.items()}
        linked = (NetworkFault.DENIED, "LinkedAuthorizationFailed")
        assert faults == {
            udr: (NetworkFault.DENIED, "AuthorizationFailed"),
            other: (NetworkFault.REFUSED, "ScopeLocked"),
            sample.nvas[0].interfaces["external"]: linked,
            sample.nvas[1].interfaces["external"]: linked,
        }
        assert "publicIPAddresses/join/action" in str(objects[sample.nvas[1].interfaces["external"]])

    run(test)


def test_a_write_that_azure_takes_is_no_proof(run: Callable[..., None]) -> None:
    """It should never be: what is offered cannot be taken."""

    async def test(network: ArmNetwork, _: ArmSimulator, sample: Environment) -> None:
        taken = await network.get(sample.route_tables[0])
        assert await fault_of(network.offer(taken)) is NetworkFault.UNREADABLE

    run(test)


def test_arm_s_clock_is_heard(run: Callable[..., None]) -> None:
    """From the Date of whatever it answers."""

    async def test(network: ArmNetwork, _: ArmSimulator, sample: Environment) -> None:
        assert network.clock_ahead_s() is None
        await network.get(sample.route_tables[0])
        ahead_s = network.clock_ahead_s()
        assert ahead_s is not None
        assert abs(ahead_s) < 5

    run(test)
