"""Sends by HTTPS: bounded in time, following no redirect, with nothing secret in what it says of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from nvaha import __version__
from nvaha.config.settings import may_be_sent_to
from nvaha.core.sending import owed
from nvaha.model import Notice, Receiver, ReceiverKind, Unsent
from nvaha.ports import Clock, Notifier, NotTaken
from nvaha.receivers import event_grid
from nvaha.receivers.bodies import CLOUDEVENTS, body, signature
from nvaha.receivers.event_grid import TopicAccess

TIMEOUT_S = 5.0
UNRESOLVED = "@Microsoft.KeyVault("
"""What stands in a setting whose Key Vault reference the platform could not resolve."""
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
_FIRST_REFUSAL = 300
_MOST_HEARD = 100
# Threads of their own: a name that nobody resolves holds one for half a minute, and the loop's own threads
# resolve storage's name, the lease's renewal among it.
_LOOKUPS = ThreadPoolExecutor(2, "nvaha-receivers")


class _Resolver(AbstractResolver):
    """Looks names up in `_LOOKUPS`."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        def look() -> list[ResolveResult]:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            return [
                ResolveResult(
                    hostname=host, host=str(where[0]), port=port, family=kind, proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
                for kind, _, proto, _, where in found
            ]  # fmt: skip

        return await asyncio.get_running_loop().run_in_executor(_LOOKUPS, look)

    async def close(self) -> None:
        """Do nothing: the threads are everybody's."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a receiver is; `trouble` says why nothing can be sent to it."""

    url: str = field(default="", repr=False)
    key: str | None = field(default=None, repr=False)
    trouble: str | None = None


class HttpReceivers:
    """The `Receivers` of ports.py, and a notifier in front of the log that hears what no state holds.

    Args:
        known: the receivers.
        environ: the application settings, in which their URLs and keys are.
        source: what events come from, the same for all monitors that share their state.
        clock: the time.
        log: told every notice as well.
        new_id: makes ids for what has none.
        topics: how Event Grid is reached; None if nobody is there.
    """

    def __init__(
        self,
        known: tuple[Receiver, ...],
        environ: Mapping[str, str],
        *,
        source: str,
        clock: Clock,
        log: Notifier,
        new_id: Callable[[], str],
        topics: TopicAccess | None = None,
    ) -> None:
        self._known = known
        self._topics = topics
        self._places = {each.name: _place(each, environ, topics) for each in known}
        self._source, self._clock, self._log, self._new_id = source, clock, log, new_id
        self._heard: deque[Unsent] = deque(maxlen=_MOST_HEARD)

    @property
    def known(self) -> tuple[Receiver, ...]:
        """The receivers as configured."""
        return self._known

    def notify(self, notice: Notice) -> None:
        """Log a notice; one that stands in no state is kept to be sent, but for what is said of sending."""
        self._log.notify(notice)
        if "id" in notice.fields or notice.event == "notify_failed":
            return
        named = replace(notice, fields={**notice.fields, "id": self._new_id()})
        if (unsent := owed(self._known, named, self._clock.now())) is not None:
            self._heard.append(unsent)

    def heard(self) -> tuple[Unsent, ...]:
        """Return what was kept since this was last asked."""
        found = tuple(self._heard)
        self._heard.clear()
        return found

    async def send(self, receiver: Receiver, unsent: Unsent) -> int:
        """Send once, on a connection of its own.

        Raises:
            NotTaken: it cannot be reached, did not answer within TIMEOUT_S, or with another status than 2xx.
        """
        place = self._places[receiver.name]
        if place.trouble is not None:
            raise NotTaken(place.trouble)
        content = body(receiver, unsent, self._source, place.key)
        topic = receiver.kind is ReceiverKind.EVENT_GRID
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if topic:
                    token = await self._token()
                    headers = {"Content-Type": event_grid.CONTENT_TYPE, "Authorization": f"Bearer {token}"}
                    content = event_grid.batch(content)
                else:
                    headers = _headers(receiver, unsent, content, place.key)
                status, answer = await _post(place.url, content, headers, listen=topic)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Its words may have the URL in them.
            raise NotTaken(f"no answer ({type(error).__name__})") from None
        if status >= _FIRST_REFUSAL:
            why = event_grid.refused(status, answer) if topic else f"it answers with status {status}"
            raise NotTaken(why, status)
        return status

    async def _token(self) -> str:
        if self._topics is None:
            raise NotTaken("Event Grid cannot be reached from here")
        return await self._topics.token()


async def _post(url: str, content: bytes, headers: Mapping[str, str], *, listen: bool) -> tuple[int, bytes]:
    """Return the status, and the beginning of a refusal if anybody listens to it."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(resolver=_Resolver())
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True) as session,
        session.post(url, data=content, headers=headers, allow_redirects=False) as answer,
    ):
        told = listen and answer.status >= _FIRST_REFUSAL
        return answer.status, await answer.content.read(event_grid.LONGEST_ANSWER) if told else b""


def _headers(receiver: Receiver, unsent: Unsent, content: bytes, key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": f"nvaha/{__version__}"}
    if receiver.kind is ReceiverKind.WEBHOOK:
        headers["Content-Type"] = CLOUDEVENTS
        if key is not None:
            # Of sending, not of the event: who checks it refuses what is old.
            now = int(time.time())
            headers |= {
                "webhook-id": unsent.id,
                "webhook-timestamp": str(now),
                "webhook-signature": signature(key, unsent.id, now, content),
            }
    return headers


def _place(receiver: Receiver, environ: Mapping[str, str], topics: TopicAccess | None) -> _Place:
    """Return where a receiver is; that a setting is missing is no reason not to watch."""
    if receiver.endpoint is not None:
        trouble = event_grid.trouble(receiver.endpoint, topics) if topics else None
        return _Place(event_grid.url(receiver.endpoint), trouble=trouble)
    url, key = PAGERDUTY_URL if receiver.kind is ReceiverKind.PAGERDUTY else "", None
    for name in (receiver.url_setting, receiver.key_setting):
        value = environ.get(name, "").strip() if name else ""
        if name and not value:
            return _Place(trouble=f"the application setting {name} is not set")
        if value.startswith(UNRESOLVED):
            return _Place(trouble=f"the Key Vault reference in {name} was not resolved: see the portal")
        if name == receiver.url_setting and name:
            url = value
        elif name:
            key = value
    if not may_be_sent_to(url):
        where = receiver.url_setting
        return _Place(trouble=f"{where} is no https:// URL without a user part (its value is not shown)")
    return _Place(url, key)
