"""Switch requests on a storage queue, as the queue trigger of Azure Functions reads them."""

from __future__ import annotations

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy

from nvaha.azure.storage.connection import Storage, answering, creating
from nvaha.model import SwitchRequest
from nvaha.model.messages import write_message

QUEUE = "nvaha-switch"
# A request that nobody took in an hour was overtaken by events; what is still wanted is sent again.
_TIME_TO_LIVE_S = 3600


class StorageSwitchQueue:
    """The `SwitchQueue` of ports.py.

    Args:
        storage: the connection.
    """

    def __init__(self, storage: Storage) -> None:
        # The trigger expects base64 (docs.microsoft.com, functions-bindings-storage-queue-trigger).
        self._queue = storage.queues.get_queue_client(QUEUE, message_encode_policy=TextBase64EncodePolicy())

    async def send(self, request: SwitchRequest) -> None:
        """Put the request on the queue; StoreUnavailable if storage did not answer."""
        message = write_message(request)
        async with answering(f"put operation {request.operation} on the queue {QUEUE}"):
            await creating(
                lambda: self._queue.send_message(message, time_to_live=_TIME_TO_LIVE_S),
                "QueueNotFound",
                self._queue.create_queue,
            )

    async def waiting(self) -> int:
        """Return about how many messages are there, none if the queue is not there yet.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        async with answering(f"look at the queue {QUEUE}"):
            try:
                found = await self._queue.get_queue_properties()
            except ResourceNotFoundError:
                return 0
        return max(0, found.approximate_message_count or 0)
