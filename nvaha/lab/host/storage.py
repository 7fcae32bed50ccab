"""The local host's own way to storage: its clients, and what it says when they get no good answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.settings import HostError, connection_string

Client = TypeVar("Client", BlobServiceClient, QueueServiceClient)


def connect(kind: type[Client], name: str, settings: Mapping[str, str]) -> Client:
    """Return a client without retries: each listener has a back-off of its own, and must not wait for two.

    Raises:
        HostError: the setting is missing or no connection string; its value, which holds a key, is not shown.
    """
    try:
        return kind.from_connection_string(connection_string(name, settings), retry_total=0)
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise HostError(
            f"{name} is no storage connection string ({reason}); UseDevelopmentStorage=true is Azurite's"
        ) from None


class Trouble:
    """Says once when storage gives no good answer about something, and once when it does again.

    Args:
        log: where to say it.
        what: what storage is asked for.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._told: str | None = None

    def met(self, error: AzureError) -> None:
        """Note that storage could not be asked, or refused."""
        verb = "does not answer for"
        if isinstance(error, HttpResponseError):
            verb = f"refuses ({error.status_code})" if error.status_code else "cannot be asked for"
        if verb != self._told:
            lines = str(error.message).splitlines() or [type(error).__name__]
            self._log.warning("Storage %s %s; asking again until it does: %s", verb, self._what, lines[0])
        self._told = verb

    def over(self) -> None:
        """Note that storage answered."""
        if self._told is not None:
            self._log.info("Storage answers for %s again", self._what)
        self._told = None
