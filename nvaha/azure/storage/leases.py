"""Leases on blobs, whose metadata count the holders.

What a lease does not give:

- A fence. Azure Resource Manager and the state tables never see the lease: a holder that stalls goes on
  writing after somebody else has taken it. State writes carry the epoch, ARM writes an ETag.
- Knowledge. A holder learns of its loss at the next renewal, not before: it has to count its own time from
  before the last renewal was sent, on a clock that is never set.
- Certainty when storage is silent. A request without an answer may have been granted; the lease then stays
  taken until it expires, held by nobody who knows.

A renewal succeeds after expiry too, as long as nobody took the lease or changed the blob in between
(Microsoft Learn, "Lease Blob"). That is sound here: whoever takes it writes the new epoch into the blob.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient

from nvaha.azure.storage.connection import Storage, answering, creating, error_code
from nvaha.model import LARGEST
from nvaha.ports import LEASE_CONTAINER, LEASE_S, LeaseGrant, StateUnreadable, StoreUnavailable
from nvaha.text import shown

CONTAINER = LEASE_CONTAINER
_LONGEST_HOLDER = 200
_LONGEST_EPOCH = 20
_SHOWN = 80

_TAKEN = frozenset({"LeaseAlreadyPresent", "LeaseIsBreakingAndCannotBeAcquired"})
# The blob is leased under another id or no longer under ours (409, 412), or gone, lease and all (404).
_LOST = frozenset(
    {
        "LeaseIdMismatchWithLeaseOperation",
        "LeaseIdMismatchWithBlobOperation",
        "LeaseNotPresentWithLeaseOperation",
        "LeaseNotPresentWithBlobOperation",
        "LeaseIsBrokenAndCannotBeRenewed",
        "LeaseIsBreakingAndCannotBeChanged",
        "LeaseLost",
        "LeaseIdMissing",
        "BlobNotFound",
        "ContainerNotFound",
    }
)


class BlobLeases:
    """The `Leases` of ports.py: one blob for each lease, in the container `nvaha`.

    Args:
        storage: the connection.
        new_token: makes a lease id that nobody else has. An id used twice would let a second holder in, since
            acquiring a lease under its present id succeeds (Microsoft Learn, "Lease Blob").
    """

    def __init__(self, storage: Storage, *, new_token: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self._container = storage.blobs.get_container_client(CONTAINER)
        self._new_token = new_token

    async def acquire(self, name: str, holder: str, *, at_least: int = 0) -> LeaseGrant | None:
        """Take the lease and raise its epoch above both its own last one and `at_least`.

        Returns:
            The grant, or None if somebody else holds the lease.

        Raises:
            StoreUnavailable: storage did not answer; the lease may or may not have been granted.
        """
        blob = self._container.get_blob_client(name)
        lease = BlobLeaseClient(blob, lease_id=self._new_token())
        async with answering(f"acquire the lease {name}"):
            if not await self._take(blob, lease):
                return None
        try:
            async with answering(f"raise the epoch of the lease {name}"):
                return await _raise_epoch(name, holder, blob, lease, at_least)
        except StoreUnavailable:
            # Whatever release meets, the first failure is the one to report; unreleased, the lease expires.
            with contextlib.suppress(StoreUnavailable):
                await self.release(LeaseGrant(name, lease.id, at_least))
            raise

    async def _take(self, blob: BlobClient, lease: BlobLeaseClient) -> bool:
        async def take() -> None:
            await lease.acquire(lease_duration=round(LEASE_S))

        async def create() -> None:
            # Without a condition this could overwrite, and with it the epoch would start again.
            await creating(
                lambda: blob.upload_blob(b"", overwrite=False),
                "ContainerNotFound",
                self._container.create_container,
            )

        async def take_or_create() -> None:
            await creating(take, "BlobNotFound", create)

        try:
            await creating(take_or_create, "ContainerNotFound", create)
        except HttpResponseError as error:
            if error_code(error) in _TAKEN:
                return False
            raise
        return True

    async def renew(self, grant: LeaseGrant) -> bool:
        """Extend the lease; False if it is lost. StoreUnavailable if storage did not answer."""
        async with answering(f"renew the lease {grant.name}"):
            try:
                await self._lease(grant).renew()
            except HttpResponseError as error:
                if error_code(error) in _LOST:
                    return False
                raise
            return True

    async def release(self, grant: LeaseGrant) -> None:
        """Give the lease up, if it is still ours. StoreUnavailable if storage did not answer."""
        async with answering(f"release the lease {grant.name}"):
            try:
                await self._lease(grant).release()
            except HttpResponseError as error:
                if error_code(error) not in _LOST:
                    raise

    def _lease(self, grant: LeaseGrant) -> BlobLeaseClient:
        return BlobLeaseClient(self._container.get_blob_client(grant.name), lease_id=grant.token)


async def _raise_epoch(
    name: str, holder: str, blob: BlobClient, lease: BlobLeaseClient, at_least: int
) -> LeaseGrant | None:
    """Write the next epoch under the lease; None if the lease is lost by then."""
    try:
        found = (await blob.get_blob_properties(lease=lease)).metadata.get("epoch", "0")
        # The length first: a number of thousands of digits is none to Python.
        good = found.isascii() and found.isdigit() and len(found) < _LONGEST_EPOCH
        epoch = max(int(found), at_least) + 1 if good else 0
        if not 0 < epoch <= LARGEST:
            raise StateUnreadable(
                f"blob {CONTAINER}/{name}, metadata epoch is '{shown(found, _SHOWN)}': not a number "
                f"below {LARGEST}; set it to one that is not below any epoch in the table nvahagroups"
            )
        # Metadata travel as HTTP headers, which hold ASCII only.
        metadata = {"epoch": str(epoch), "holder": quote(holder, safe=" /:._-")[:_LONGEST_HOLDER]}
        await blob.set_blob_metadata(metadata, lease=lease)
    except HttpResponseError as error:
        if error_code(error) in _LOST:
            return None
        raise
    return LeaseGrant(name, lease.id, epoch)
