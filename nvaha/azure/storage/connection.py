"""The one place that builds storage clients: from settings, with tight limits, feeding the shared clock.

The SDK's own limits are made for downloads: it tries a refused connection for 85 s and waits a minute for an
answer. A lease lasts 15 s, so here an answer that is not there within `LIMIT_S` is no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.azure.clock import ServiceClock
from nvaha.azure.clouds import ENDPOINTS
from nvaha.azure.credentials import storage_credential
from nvaha.config.settings import Settings, SettingsError, StorageSettings, not_a_connection_string
from nvaha.ports import StoreUnavailable
from nvaha.text import safe, shortened

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

LIMIT_S = 4.5
_CONNECT_S = 2.0
_READ_S = 4.0
# One more try, nearly at once: for a pooled connection that the service has just closed.
_JITTER_S = 0.2
_LONGEST_MESSAGE = 300
SILENT = "no answer from storage"


_Answer = TypeVar("_Answer")


class ObservingTransport(AsyncHttpTransport[Any, Any]):
    """The SDK's transport, telling the clock the `Date` of every single answer, retries included.

    The three clients share it, and with it one pool of connections; closing a client leaves it open.
    """

    def __init__(self, clock: ServiceClock) -> None:
        self._inner = AioHttpTransport(connection_timeout=_CONNECT_S, read_timeout=_READ_S)
        self._clock = clock

    async def send(self, request: Any, **config: Any) -> Any:
        """Send one request as AioHttpTransport does."""
        sent_at = self._clock.monotonic()
        response = await self._inner.send(request, **config)
        self._clock.read(response.headers.get("Date"), sent_at, self._clock.monotonic())
        return response

    async def open(self) -> None:
        """Open the pool, if it is not open yet."""
        await self._inner.open()

    async def close(self) -> None:
        """Do nothing: a client closes its transport, but this one is not its own."""

    async def shut(self) -> None:
        """Close the pool."""
        await self._inner.close()

    async def __aexit__(self, *_: object) -> None:
        """Do nothing, as `close`."""


class _Limits(TypedDict):
    """What all three SDK clients are built with."""

    transport: ObservingTransport
    retry_total: int
    initial_backoff: int
    increment_base: int
    random_jitter_range: float
    retry_backoff_factor: float


class Storage:
    """The blob, queue and table clients of one connection; an async context manager.

    Args:
        settings: where storage is and in which cloud.
        clock: told the time of every answer.
        credential: who we are, where there is no connection string; by default the settings' own. Closed
            with the connections.
    """

    def __init__(
        self, settings: Settings, clock: ServiceClock, credential: AsyncTokenCredential | None = None
    ) -> None:
        # The SDK logs every request at INFO; a monitor makes several a second, for ever.
        logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
        self._transport = ObservingTransport(clock)
        limits = _Limits(
            transport=self._transport,
            retry_total=1,
            initial_backoff=0,
            increment_base=0,
            random_jitter_range=_JITTER_S,
            retry_backoff_factor=_JITTER_S,
        )
        self.clock = clock
        self._credential: AsyncTokenCredential | None = None
        storage = settings.storage
        if storage.connection_string:
            text = storage.connection_string.rstrip(";")
            try:
                self.blobs = BlobServiceClient.from_connection_string(text, **limits)
                self.queues = QueueServiceClient.from_connection_string(text, **limits)
                self.tables = TableServiceClient.from_connection_string(text, **limits)
            except ValueError:
                # The SDK's own text may quote the connection string.
                raise SettingsError((not_a_connection_string(storage.name),)) from None
            return
        self._credential = credential = credential or storage_credential(settings)
        suffix = ENDPOINTS[settings.cloud].storage_suffix
        blob, queue, table = service_uris(storage, suffix)
        self.blobs = BlobServiceClient(blob, credential=credential, **limits)
        self.queues = QueueServiceClient(queue, credential=credential, **limits)
        self.tables = TableServiceClient(table, credential=credential, **limits)

    @property
    def account(self) -> str:
        """The name of the account that the tables are in, as their address has it."""
        return self.tables.account_name or ""

    async def close(self) -> None:
        """Close the connections and the credential."""
        await self._transport.shut()
        if self._credential is not None:
            await self._credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def service_uris(storage: StorageSettings, suffix: str) -> tuple[str, str, str]:
    """Return the blob, queue and table URI of a connection by identity.

    Args:
        storage: the connection; a URI in it wins over the account's name.
        suffix: the cloud's domain for storage, such as `core.windows.net`.
    """
    account = storage.account_name
    named = ((storage.blob_uri, "blob"), (storage.queue_uri, "queue"), (storage.table_uri, "table"))
    blob, queue, table = (uri or f"https://{account}.{service}.{suffix}" for uri, service in named)
    return blob, queue, table


@asynccontextmanager
async def answering(what: str) -> AsyncIterator[None]:
    """Turn every way in which storage fails to answer into StoreUnavailable.

    Answers that mean something to the caller are caught inside the block.

    Args:
        what: what was asked, for the message, such as `renew the lease leader`.
    """
    try:
        async with asyncio.timeout(LIMIT_S):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(f"{what}: {SILENT} within {LIMIT_S} s") from error
    except AzureError as error:
        raise StoreUnavailable(f"{what}: {describe(error)}") from error


def describe(error: AzureError) -> str:
    """Return status, code and first line of a storage error; nothing of the request, which may hold a key."""
    first_line = shortened(safe(str(error.message).split("\n", 1)[0]), _LONGEST_MESSAGE)
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return f"{error.status_code} {error_code(error)}: {first_line}"
    if isinstance(error, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return SILENT
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return f"{SILENT}: {_errno(error) or first_line}"
    # What this process says of its own tokens needs no class before it.
    return first_line if first_line.startswith("no token") else f"{type(error).__name__}: {first_line}"


def _errno(error: AzureError) -> str | None:
    """Return the system's words for why nobody was reached, without the socket; None if it has none."""
    cause = getattr(error.inner_exception, "os_error", error.inner_exception)
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    return os.strerror(number).lower() if number is not None and number > 0 else None


def error_code(error: HttpResponseError) -> str:
    """Return storage's error code, such as `LeaseAlreadyPresent`, or an empty text."""
    code = getattr(error, "error_code", None)
    # The SDK gives an enum member for the codes that it knows and plain text for the others.
    return str(getattr(code, "value", code) or "")


async def creating(
    call: Callable[[], Awaitable[_Answer]], missing: str, create: Callable[[], Awaitable[object]]
) -> _Answer:
    """Call; if what should hold the data is not there yet, create it and call once more.

    So nothing is asked in advance, and what somebody deletes comes back.

    Args:
        call: the request.
        missing: storage's error code for a missing container, table or queue, such as `TableNotFound`.
        create: creates it.
    """
    try:
        return await call()
    except ResourceNotFoundError as error:
        # The SDK drops the code of an insert into a missing table.
        if error_code(error) not in {missing, ""}:
            raise
    # Another monitor may be creating it in the same moment.
    with contextlib.suppress(ResourceExistsError):
        await create()
    return await call()
