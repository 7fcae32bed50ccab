"""Talks to the app: one request, one bounded answer, or a Failure that says what to do about it."""

from __future__ import annotations

import getpass
import json
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import requests
import urllib3
from pydantic import ValidationError

from nvaha import __version__
from nvaha.cli.address import Address
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.cli.no_answer import NoAnswer, from_exception, from_status
from nvaha.cli.replies import ErrorReply, Reply
from nvaha.text import HIDDEN, has_secret, in_texts, safe, shown, without_secrets

CONNECT_S, READ_S = 5.0, 30.0
LARGEST_ANSWER = 16 * 1024 * 1024
_PIECE = 64 * 1024
TRIES_AFTER_S = (0.0, 1.0, 2.0, 4.0)
"""When a request whose reply was lost is repeated, the first try included."""

R = TypeVar("R", bound=Reply)


class AppRefused(Failure):
    """The app answered, and said no."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """What the app said.

    Args:
        view: checked, and safe to print.
        text: the same as one JSON document, in ASCII.
        now: the app's clock, so that a wrong clock on this machine makes no wrong ages.
    """

    view: R
    text: str
    now: datetime


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)


class App:
    """The app at an address; a context manager."""

    def __init__(self, where: Address) -> None:
        self.where = where
        self._session = requests.Session()
        # A password from .netrc is for no app; the environment's proxy is not for this machine itself.
        self._session.auth = _nothing_added
        self._proxies = {"no_proxy": where.host} if where.loopback else None
        self._session.headers.update(
            {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _who()}
        )
        if where.key is not None:
            self._session.headers["x-functions-key"] = where.key

    def get(self, kind: type[R], *path: str, **query: str | int) -> Answer[R]:
        """Ask for something.

        Args:
            kind: what the answer should be.
            path: the parts of the path, unquoted.
            query: the parameters.

        Raises:
            AppRefused: the app said no.
            NoAnswer: it did not answer, or not properly.
        """
        return self._call("GET", kind, path, query=query)

    def post(self, kind: type[R], *path: str, body: Mapping[str, object]) -> Answer[R]:
        """Ask for something to be done, once. Raises as `get` does."""
        return self._call("POST", kind, path, body=body)

    def post_surely(
        self,
        kind: type[R],
        *path: str,
        body: Mapping[str, object],
        tell: Callable[[str], None],
        wait: Callable[[float], None] = pause,
    ) -> Answer[R]:
        """Ask for something to be done, and ask the very same again if the reply is lost.

        Only for requests that change nothing the second time. Raises as `get` does; NoAnswer with
        `maybe_done` means that the outcome is not known.
        """
        lost: NoAnswer | None = None
        for number, after_s in enumerate(TRIES_AFTER_S, start=1):
            if lost is not None:
                tell(f"{lost.message}. Asking the same again ({number} of {len(TRIES_AFTER_S)}).")
                wait(after_s)
            try:
                return self.post(kind, *path, body=body)
            except NoAnswer as failure:
                if lost is None and not failure.maybe_done:
                    raise
                lost = failure
        text = lost.message if lost else ""
        raise NoAnswer("outcome_unknown", text, passing=True, maybe_done=True)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(
        self,
        method: str,
        kind: type[R],
        path: tuple[str, ...],
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer[R]:
        url = "/".join((self.where.base, *map(_segment, path)))
        status, headers, content = self._send(method, url, query, body)
        if self.where.key is not None:
            # Whatever stands in the app's place may repeat what it was sent.
            content = content.replace(self.where.key.encode(), HIDDEN.encode())
        document = _json_object(content)
        if not 200 <= status < 300:
            raise self._complaint(status, headers, document)
        if document is None:
            raise from_status(self.where, status, headers)
        try:
            view = kind.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            text = f"the answer of {self.where.host} is not one that nvaha {__version__} understands"
            raise NoAnswer(
                "not_understood", f"{text}: {place}: {safe(first['msg'])}", passing=False, maybe_done=True
            ) from None
        return Answer(view, _dump(document) or "{}", _clock(headers))

    def _complaint(self, status: int, headers: Mapping[str, str], document: dict[str, Any] | None) -> Failure:
        try:
            error = ErrorReply.model_validate(document).error
        except ValidationError:
            return from_status(self.where, status, headers)
        if status in {401, 403} or status < 400:
            return from_status(self.where, status, headers)
        details = [{"path": each.path, "message": each.message} for each in error.details]
        if status < 500:
            return AppRefused(ExitCode.REFUSED, error.code, error.message, details=details)
        # The app is there, but could not reach Azure or its storage, or cannot use its settings.
        unusable = error.code in {"configuration", "settings"}
        return NoAnswer(
            error.code, error.message, details=details, passing=not unusable, maybe_done=not unusable
        )

    def _send(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int] | None,
        body: Mapping[str, object] | None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        until = time.monotonic() + READ_S
        try:
            with self._session.request(
                method,
                url,
                params=dict(query or {}),
                json=body,
                timeout=(CONNECT_S, READ_S),
                proxies=self._proxies,
                allow_redirects=False,  # the key must not follow to another host
                stream=True,
            ) as response:
                return response.status_code, response.headers, self._read(response.raw, until)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise from_exception(self.where, error, CONNECT_S, READ_S) from None

    def _read(self, raw: Any, until: float) -> bytes:
        content = bytearray()
        while piece := raw.read1(_PIECE):
            content += piece
            if len(content) > LARGEST_ANSWER or time.monotonic() > until:
                text = f"the answer of {self.where.host} has no end: {len(content)} bytes so far"
                raise NoAnswer("no_end", text, passing=False, maybe_done=True)
        return bytes(content)


def _nothing_added(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _who() -> str:
    """Return what the app records as the one who asked: a key has no name."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = "someone"
    text = f"nvaha/{__version__} ({name} on {platform.node()})"
    return "".join(each for each in text if each.isascii() and each.isprintable())[:100]


def _segment(part: str) -> str:
    if not part.strip(".") or not part.isprintable() or len(part) > 200 or has_secret(part):
        raise usage(f"'{shown(part, 80)}' is not a name")
    return quote(part, safe="")


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        document = in_texts(json.loads(content), without_secrets)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and _dump(document) else None


def _dump(document: dict[str, Any]) -> str | None:
    """Return a document as JSON in ASCII, or None if it cannot be written: too deep, or infinite figures."""
    try:
        return json.dumps(document, indent=2, allow_nan=False)
    except (ValueError, RecursionError):
        return None


def _clock(headers: Mapping[str, str]) -> datetime:
    try:
        time_there = parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError):
        return datetime.now(UTC)
    return time_there if time_there.tzinfo else time_there.replace(tzinfo=UTC)
