"""The local host's own way to storage: clients that are as patient as the SDK under the real listeners."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from random import SystemRandom
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from nvaha.lab.host.settings import HostError, connection_string

RETRIES_S = (0.8, 1.6, 3.2, 6.4, 12.8)
"""The waits between the six tries of one request, 24.8 s in all, each a fifth shorter or longer by chance
(Azure.Core `RetryOptions.cs`, Azure.Storage `Constants.cs`)."""
NETWORK_S = 100.0
"""So long one try waits for an answer (Azure.Core `RetryOptions.cs`)."""
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_SPREAD = 0.2

Uniform = Callable[[float, float], float]
DRAW: Uniform = SystemRandom().uniform
Client = TypeVar("Client", BlobServiceClient, QueueServiceClient)
_Answer = TypeVar("_Answer")


def connect(kind: type[Client], name: str, settings: Mapping[str, str], **options: Any) -> Client:
    """Return a client that tries once: `Patience` is for the rest.

    Raises:
        HostError: the setting is missing or no connection string; its value, which holds a key, is not shown.
    """
    options |= {"retry_total": 0, "connection_timeout": NETWORK_S, "read_timeout": NETWORK_S}
    try:
        return kind.from_connection_string(connection_string(name, settings), **options)
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise HostError(
            f"{name} is no storage connection string ({reason}); UseDevelopmentStorage=true is Azurite's"
        ) from None


def answered_by_fault(error: AzureError) -> bool:
    """Tell whether storage answered that it is in trouble (5xx), which the real listeners live with."""
    return isinstance(error, HttpResponseError) and (error.status_code or 0) >= 500


def in_words(error: AzureError) -> str:
    """Return an error's status, if storage answered, and its first line."""
    status = error.status_code if isinstance(error, HttpResponseError) else None
    text = (str(error.message).splitlines() or [type(error).__name__])[0]
    return f"{status}: {text}" if status else text


class Patience:
    """Asks storage as the .NET SDK does: again after no answer or a passing fault, then gives up.

    Args:
        log: told once when storage gives no good answer, and once when it does again.
        what: what storage is asked for.
        uniform: draws a number between two.
    """

    def __init__(self, log: logging.Logger, what: str, uniform: Uniform = DRAW) -> None:
        self.trouble = Trouble(log, what)
        self._uniform = uniform

    async def ask(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return the answer to a request; the last error of storage if there is none."""
        waits = iter(RETRIES_S)
        while True:
            try:
                answer = await call()
            except AzureError as error:
                if isinstance(error, HttpResponseError) and error.status_code not in {None, *_RETRIED}:
                    raise
                self.trouble.met(error)
                wait_s = next(waits, None)
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s * self._uniform(1 - _SPREAD, 1 + _SPREAD))
            else:
                self.trouble.over()
                return answer


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
            self._log.warning("Storage %s %s; asking again: %s", verb, self._what, in_words(error))
        self._told = verb

    def over(self) -> None:
        """Note that storage answered."""
        if self._told is not None:
            self._log.info("Storage answers for %s again", self._what)
        self._told = None
