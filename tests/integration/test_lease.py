"""Blob leases as storage really grants them."""

from __future__ import annotations

import asyncio

import pytest

from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.leases import CONTAINER, BlobLeases
from nvaha.model import LARGEST
from nvaha.ports import LEASE_S, LeaseGrant, Leases, StateUnreadable, StoreUnavailable
from tests.integration.conftest import Opened


def as_port(leases: Leases) -> Leases:
    """Let the type checker compare the class with its port."""
    return leases


async def taken(leases: Leases, name: str, holder: str = "one", at_least: int = 0) -> LeaseGrant:
    """Acquire a lease that is free."""
    grant = await leases.acquire(name, holder, at_least=at_least)
    assert grant is not None
    return grant


def test_a_free_lease_is_granted_with_the_first_epoch(opened: Opened) -> None:
    """The first holder of a lease that never existed gets epoch 1, and its name is on the blob."""

    async def run() -> None:
        async with opened() as storage:
            leases = as_port(BlobLeases(storage))
            grant = await taken(leases, "first", "mönitor 1")
            blob = storage.blobs.get_blob_client(CONTAINER, "first")
            metadata = (await blob.get_blob_properties()).metadata
            assert (grant.name, grant.epoch) == ("first", 1)
            assert metadata == {"epoch": "1", "holder": "m%C3%B6nitor 1"}

    asyncio.run(run())


def test_a_second_holder_is_refused(opened: Opened) -> None:
    """While one holds the lease, nobody else gets it, not even under the same name."""

    async def run() -> None:
        async with opened() as one, opened() as two:
            await taken(BlobLeases(one), "second")
            assert await BlobLeases(two).acquire("second", "two") is None
            assert await BlobLeases(one).acquire("second", "one") is None

    asyncio.run(run())


def test_many_at_once_get_one_grant(opened: Opened) -> None:
    """Of ten that ask in the same moment for a lease that never existed, exactly one gets it."""

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            asked = (leases.acquire("race", f"monitor {number}") for number in range(10))
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert sum(isinstance(answer, LeaseGrant) for answer in answers) == 1
            assert all(answer is None or isinstance(answer, LeaseGrant) for answer in answers)

    asyncio.run(run())


def test_the_epoch_grows_with_each_holder_and_above_what_is_asked(opened: Opened) -> None:
    """Each grant's epoch is above the lease's last one and above `at_least`."""

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            epochs = []
            for at_least in (0, 0, 40, 7):
                grant = await taken(leases, "epochs", at_least=at_least)
                epochs.append(grant.epoch)
                await leases.release(grant)
            assert epochs == [1, 2, 41, 42]

    asyncio.run(run())


def test_a_released_lease_is_free_at_once_and_its_old_holder_has_lost_it(opened: Opened) -> None:
    """After a release the next one gets the lease; the old grant renews nothing and releases nothing."""

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            old = await taken(leases, "released", "one")
            await leases.release(old)
            new = await taken(leases, "released", "two")
            assert not await leases.renew(old)
            await leases.release(old)
            assert await leases.renew(new)

    asyncio.run(run())


def test_an_expired_lease_is_taken_over(opened: Opened) -> None:
    """A holder that falls silent loses the lease after its duration, and learns so at its next renewal."""

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            silent = await taken(leases, "expired", "silent")
            assert await leases.renew(silent)
            loop = asyncio.get_running_loop()
            until = loop.time() + LEASE_S + 5
            while (new := await leases.acquire("expired", "next")) is None:
                assert loop.time() < until, "the lease never became free"
                await asyncio.sleep(0.25)
            assert new.epoch == silent.epoch + 1
            assert not await leases.renew(silent)
            assert await leases.renew(new)

    asyncio.run(run())


def test_a_deleted_blob_is_a_lost_lease(opened: Opened) -> None:
    """When somebody deletes the blob, the holder has lost the lease, and it can be taken again."""

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            old = await taken(leases, "deleted", at_least=5)
            await storage.blobs.get_blob_client(CONTAINER, "deleted").delete_blob(lease=old.token)
            assert not await leases.renew(old)
            await leases.release(old)
            assert (await taken(leases, "deleted", at_least=6)).epoch == 7

    asyncio.run(run())


@pytest.mark.parametrize("epoch", ["eleven", "-1", str(LARGEST), str(2**63 - 1), "9" * 6000])
def test_an_epoch_that_is_no_number_or_too_large_stops_the_taking(opened: Opened, epoch: str) -> None:
    """With a spoilt epoch nobody becomes leader, the lease stays free, and the blob as it was."""

    name = f"spoilt{len(epoch)}"

    async def run() -> None:
        async with opened() as storage:
            leases = BlobLeases(storage)
            await leases.release(await taken(leases, name))
            blob = storage.blobs.get_blob_client(CONTAINER, name)
            await blob.set_blob_metadata({"epoch": epoch})
            with pytest.raises(StateUnreadable) as caught:
                await leases.acquire(name, "one")
            assert f"{CONTAINER}/{name}" in str(caught.value)
            assert epoch[:70] in str(caught.value)
            properties = await blob.get_blob_properties()
            assert properties.metadata == {"epoch": epoch}
            assert properties.lease.state == "available"

    asyncio.run(run())


def test_a_grant_whose_epoch_cannot_be_written_is_given_back(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When storage fails after the lease was granted, that is raised, and the lease is free again."""

    async def run(storage: Storage) -> None:
        leases = BlobLeases(storage)
        await leases.release(await taken(leases, "half"))
        with monkeypatch.context() as patch:
            patch.setattr("nvaha.azure.storage.leases.BlobClient.set_blob_metadata", _storage_fails)
            with pytest.raises(StoreUnavailable):
                await leases.acquire("half", "one")
        assert (await taken(leases, "half", "two")).epoch == 2

    async def opened_run() -> None:
        async with opened() as storage:
            await run(storage)

    asyncio.run(opened_run())


async def _storage_fails(*_: object, **__: object) -> None:
    raise TimeoutError
