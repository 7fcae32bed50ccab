"""Why no proper answer came, in sentences that say what to look at."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
import urllib3

from nvaha.cli.address import Address
from nvaha.cli.failure import Details, ExitCode, Failure
from nvaha.text import safe


class NoAnswer(Failure):
    """The app could not be reached, or did not answer properly; that says nothing about its groups.

    Args:
        code: a short name for programs.
        message: the sentence.
        passing: whether asking again later may help without anybody mending anything.
        maybe_done: whether what was asked for may have been done all the same.
        details: what is wrong where.
    """

    def __init__(
        self, code: str, message: str, *, passing: bool, maybe_done: bool, details: Details = ()
    ) -> None:
        super().__init__(ExitCode.NO_ANSWER, code, message, details=details)
        self.passing = passing
        self.maybe_done = maybe_done


def from_exception(where: Address, error: Exception, connect_s: float, read_s: float) -> NoAnswer:
    """Return the failure for a request without an answer."""
    origin = where.base.removesuffix("/api")
    causes = _causes(error)
    if _any(causes, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        text = f"the proxy on the way to {origin} refuses or does not answer: see HTTPS_PROXY and NO_PROXY"
        return NoAnswer("proxy", text, passing=True, maybe_done=False)
    if _any(causes, requests.exceptions.SSLError, urllib3.exceptions.SSLError):
        reason = _tls_reason(causes)
        text = f"no TLS connection to {origin}: {reason}; REQUESTS_CA_BUNDLE names another CA file to trust"
        return NoAnswer("tls", text, passing=False, maybe_done="certificate" not in reason.casefold())
    if _any(causes, urllib3.exceptions.NameResolutionError):
        text = f"there is no host {where.host}: check NVAHA_URL (or --url), and this machine's DNS"
        return NoAnswer("no_host", text, passing=True, maybe_done=False)
    # A refused connection is one of urllib3's timeouts too, so it is looked for first.
    if _any(causes, urllib3.exceptions.NewConnectionError):
        text = (
            f"{origin} takes no connection ({_os_reason(causes)}): check the address, and that the app runs"
        )
        return NoAnswer("unreachable", text, passing=True, maybe_done=False)
    if _any(causes, requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        text = (
            f"{origin} does not take a connection within {connect_s:g} s: check the address and the way there"
        )
        return NoAnswer("unreachable", text, passing=True, maybe_done=False)
    if _any(causes, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
        text = f"{origin} took the request and did not answer within {read_s:g} s"
        return NoAnswer("timeout", text, passing=True, maybe_done=True)
    if _any(causes, requests.exceptions.InvalidURL, UnicodeError):
        text = f"{where.host} is no name for a host: check NVAHA_URL (or --url)"
        return NoAnswer("no_host", text, passing=False, maybe_done=False)
    text = f"{origin} closed the connection without a whole answer"
    return NoAnswer("connection_lost", text, passing=True, maybe_done=True)


def from_status(where: Address, status: int, headers: Mapping[str, str]) -> NoAnswer:
    """Return the failure for an answer that is not the app's own."""
    origin = where.base.removesuffix("/api")
    if status == 401:
        if where.key is None:
            text = f"{origin} asks for a function key (401): set NVAHA_KEY (or give --key)"
        else:
            text = f"{origin} does not accept this function key (401): check NVAHA_KEY (or --key)"
        return NoAnswer("key", text, passing=False, maybe_done=False)
    if status == 403:
        text = (
            f"{origin} lets nobody in from here (403): the app is stopped, or its access restrictions "
            "do not know this machine"
        )
        return NoAnswer("forbidden", text, passing=False, maybe_done=False)
    if status == 404:
        text = (
            f"there is no nvaha at {origin} (404): check NVAHA_URL (or --url), and that the app is deployed"
        )
        return NoAnswer("not_found", text, passing=False, maybe_done=False)
    if status == 429:
        text = f"{origin} asks to come again later (429): too many requests"
        return NoAnswer("too_many_requests", text, passing=True, maybe_done=False)
    if 300 <= status < 400:
        text = (
            f"{origin} points to {_elsewhere(headers)} ({status}); the key is not sent there: set NVAHA_URL"
        )
        return NoAnswer("redirect", text, passing=False, maybe_done=False)
    if status >= 500:
        text = f"{origin} answered {status} without a word: the app is starting, overloaded or broken"
        return NoAnswer("server_error", text, passing=True, maybe_done=True)
    text = f"{origin} answered {status} with something that is not nvaha's JSON: check NVAHA_URL (or --url)"
    return NoAnswer("not_json", text, passing=False, maybe_done=status < 300)


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error with what is wrapped in it."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        each = todo.pop(0)
        if not isinstance(each, BaseException) or each in found:
            continue
        found.append(each)
        todo += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
    return found


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(each, kinds) for each in causes)


def _os_reason(causes: list[BaseException]) -> str:
    reasons = (each.strerror for each in causes if isinstance(each, OSError))
    return next((reason.lower() for reason in reasons if isinstance(reason, str)), "no reason given")


def _tls_reason(causes: list[BaseException]) -> str:
    said = [getattr(each, "verify_message", None) for each in causes]
    verify = next((text for text in said if isinstance(text, str) and text), None)
    if verify:
        return f"its certificate is not trusted ({safe(verify)})"
    reasons = [getattr(each, "reason", None) for each in causes]
    reason = next((text for text in reasons if isinstance(text, str) and text), None)
    return safe(reason).lower().replace("_", " ") if reason else "the handshake failed"


def _elsewhere(headers: Mapping[str, str]) -> str:
    try:
        host = urlsplit(headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return safe(host)[:100] if host else "another address"
