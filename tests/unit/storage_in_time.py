"""Queues and blob leases under the real SDK, on the event loop's own time.

They hold what the local host's listeners use and no more, answer as the service does (the same calls are made
to Azurite in tests/integration/test_storage_in_time.py), and are in trouble when a test says so.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from azure.core.exceptions import ServiceRequestError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport

from tests.simulation.loop import VirtualLoop

CONNECTION = (
    "AccountName=a;AccountKey=YQ==;BlobEndpoint=http://blobs.test/a;QueueEndpoint=http://queues.test/a"
)
WEEK_S = 7 * 86400.0
REFUSED = "refused"
SILENT = "silent"
DEAD = "dead"
NETWORK_S = 100.0
LATENCY_S = 0.0005
_Result = TypeVar("_Result")
_CODES = {403: "AuthorizationFailure", 503: "ServerBusy"}


@dataclass
class Message:
    """One message; times are the loop's."""

    id: str
    text: str
    visible_at: float
    expires_at: float
    count: int = 0
    receipt: str = ""


@dataclass
class Lease:
    """A blob and its lease."""

    id: str = ""
    until: float = 0.0
    period: float = 0.0


@dataclass
class Answer:
    """What the service says."""

    status: int
    code: str = ""
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Response(AsyncHttpResponse):
    """An answer as the SDK reads it."""

    def __init__(self, request: Any, answer: Answer) -> None:
        super().__init__(request, None)
        body = answer.text
        if answer.code:
            body = f"<Error><Code>{answer.code}</Code><Message>{answer.code}</Message></Error>"
        self.status_code = answer.status
        self.reason = answer.code or "OK"
        self.headers = {"Content-Type": "application/xml", "Date": formatdate(0, usegmt=True)}
        self.headers |= answer.headers | ({"x-ms-error-code": answer.code} if answer.code else {})
        self.content_type = "application/xml"
        self._body = body.encode()

    def body(self) -> bytes:
        """Return the bytes."""
        return self._body

    async def read(self) -> bytes:
        """Return the bytes, as the newer kind of response does."""
        return self._body

    async def load_body(self) -> None:
        """Do nothing: they are here."""


class Storage:
    """One account."""

    def __init__(self) -> None:
        self.queues: dict[str, list[Message]] = {}
        self.blobs: dict[str, Lease] = {}
        self.containers: set[str] = set()
        self._numbers = itertools.count(1)

    def send_message(self, queue: str, text: str) -> Message:
        """Put a message into a queue, as it is."""
        number = str(next(self._numbers))
        message = Message(number, text, now(), now() + WEEK_S)
        self.queues.setdefault(queue, []).append(message)
        return message

    def texts(self, queue: str) -> list[str]:
        """Return what a queue holds, in sight or not."""
        return [each.text for each in self.queues.get(queue, []) if each.expires_at > now()]

    def steal(self, path: str) -> None:
        """Give a blob's lease to somebody else."""
        self.blobs[path].id, self.blobs[path].until = "somebody else's", now() + 15.0

    def answer(self, service: str, request: Any) -> Answer:
        """Answer a request to `blobs` or `queues`."""
        url = urlsplit(request.url)
        parts = [unquote(each) for each in url.path.split("/")[2:]]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        return (self._queue if service == "queues" else self._blob)(request, parts, query)

    def _queue(self, request: Any, parts: list[str], query: dict[str, str]) -> Answer:
        name, rest = parts[0], parts[2:]
        if request.method == "PUT" and len(parts) == 1:
            made = name not in self.queues
            self.queues.setdefault(name, [])
            return Answer(201 if made else 204)
        queue = self.queues.get(name)
        if queue is None:
            return Answer(404, "QueueNotFound")
        queue[:] = [each for each in queue if each.expires_at > now()]
        if request.method == "GET":
            return self._receive(queue, int(query.get("numofmessages", 1)), float(query["visibilitytimeout"]))
        if request.method == "POST":
            text = re.sub(r"^<\?xml[^>]*>", "", _text(request))
            content = ET.fromstring(text).findtext("MessageText") or ""  # noqa: S314 - our own
            message = self.send_message(name, content)
            message.visible_at += float(query.get("visibilitytimeout", 0))
            ttl = float(query.get("messagettl", WEEK_S))
            message.expires_at = now() + ttl if ttl > 0 else float("inf")
            return Answer(201, text=_listed([message]))
        return self._change(request, queue, rest[0], query)

    def _receive(self, queue: list[Message], count: int, hidden_s: float) -> Answer:
        batch = [each for each in queue if each.visible_at <= now()][:count]
        for each in batch:
            each.visible_at, each.count, each.receipt = (
                now() + hidden_s,
                each.count + 1,
                str(next(self._numbers)),
            )
        return Answer(200, text=_listed(batch))

    def _change(self, request: Any, queue: list[Message], number: str, query: dict[str, str]) -> Answer:
        found = next((each for each in queue if each.id == number), None)
        if found is None:
            return Answer(404, "MessageNotFound")
        if found.receipt != query["popreceipt"]:
            return Answer(400, "PopReceiptMismatch")
        if request.method == "DELETE":
            queue.remove(found)
            return Answer(204)
        found.visible_at = now() + float(query["visibilitytimeout"])
        found.receipt = str(next(self._numbers))
        return Answer(
            204,
            headers={"x-ms-popreceipt": found.receipt, "x-ms-time-next-visible": formatdate(0, usegmt=True)},
        )

    def _blob(self, request: Any, parts: list[str], query: dict[str, str]) -> Answer:
        container, path = parts[0], "/".join(parts[1:])
        if query.get("restype") == "container":
            if container in self.containers:
                return Answer(409, "ContainerAlreadyExists")
            self.containers.add(container)
            return Answer(201)
        if container not in self.containers:
            return Answer(404, "ContainerNotFound")
        if query.get("comp") == "lease":
            return self._lease(request.headers, path)
        if path in self.blobs:
            return Answer(409, "BlobAlreadyExists")
        self.blobs[path] = Lease()
        return Answer(201)

    def _lease(self, headers: Any, path: str) -> Answer:
        lease = self.blobs.get(path)
        action = headers["x-ms-lease-action"]
        if lease is None:
            return Answer(404, "BlobNotFound")
        if action == "acquire":
            if lease.until > now():
                return Answer(409, "LeaseAlreadyPresent")
            lease.id = headers.get("x-ms-proposed-lease-id") or f"lease-{next(self._numbers)}"
            lease.period = float(headers["x-ms-lease-duration"])
        elif headers["x-ms-lease-id"] != lease.id:
            return Answer(409, "LeaseIdMismatchWithLeaseOperation")
        lease.until = now() + (0.0 if action == "release" else lease.period)
        if action == "release":
            lease.id = ""
            return Answer(200)
        return Answer(201 if action == "acquire" else 200, headers={"x-ms-lease-id": lease.id})


class Line(AsyncHttpTransport[Any, Any]):
    """One host's way to an account: under the SDK where HTTP would be.

    `trouble` holds, for `blobs` and `queues`, a status with which every request is answered, `REFUSED`,
    `SILENT` for the network's own limit, or `DEAD` for ever; `asked` what was asked there, and when.
    """

    def __init__(self, storage: Storage) -> None:
        self.trouble: dict[str, int | str] = {}
        self.asked: list[tuple[float, str, str]] = []
        self._storage = storage

    async def send(self, request: Any, **_: Any) -> Any:
        """Answer a request, or fail as the network does."""
        service = urlsplit(request.url).netloc.partition(".")[0]
        self.asked.append((now(), request.method, service))
        how = self.trouble.get(service)
        if how == REFUSED:
            raise ServiceRequestError("Cannot connect")
        await asyncio.sleep(LATENCY_S / 2)
        if how == DEAD:
            await asyncio.Event().wait()
        if how == SILENT:
            await asyncio.sleep(NETWORK_S)
            raise ServiceResponseTimeoutError("Timeout on reading data from socket")
        answer = Answer(how, _CODES[how]) if isinstance(how, int) else self._storage.answer(service, request)
        await asyncio.sleep(LATENCY_S / 2)
        return Response(request, answer)

    async def open(self) -> None:
        """Do nothing: there is no connection."""

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: there is no connection."""


def in_time(story: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run a story on virtual time, end what it leaves behind, and return its result."""
    loop = VirtualLoop()

    async def end() -> None:
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)

    try:
        return loop.run_until_complete(story())
    finally:
        loop.run_until_complete(end())
        loop.close()


def now() -> float:
    """Return the loop's time in seconds."""
    return asyncio.get_running_loop().time()


def _text(request: Any) -> str:
    content = request.content if hasattr(request, "content") else request.body
    return content.decode() if isinstance(content, bytes) else str(content)


def _listed(messages: list[Message]) -> str:
    at = formatdate(0, usegmt=True)
    each = "".join(
        f"<QueueMessage><MessageId>{one.id}</MessageId><InsertionTime>{at}</InsertionTime>"
        f"<ExpirationTime>{at}</ExpirationTime><PopReceipt>{one.receipt}</PopReceipt>"
        f"<TimeNextVisible>{at}</TimeNextVisible><DequeueCount>{one.count}</DequeueCount>"
        f"<MessageText>{escape(one.text)}</MessageText></QueueMessage>"
        for one in messages
    )
    return f'<?xml version="1.0" encoding="utf-8"?><QueueMessagesList>{each}</QueueMessagesList>'
