"""What this machine can tell of an app that does not answer as it should: name, connection, TLS, host."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from nvaha.cli.address import Address
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.replies import FindingReply
from nvaha.text import safe

CONNECT_S = 3.0
_ADDRESSES = 4
AREA = "the way to the app"


def at_the_door(where: Address, failure: NoAnswer) -> list[FindingReply]:
    """Return how far one comes, step by step, up to what the failure says.

    Args:
        where: the app.
        failure: how asking it ended.
    """
    return list(_steps(where, failure))


def _steps(where: Address, failure: NoAnswer) -> Iterator[FindingReply]:
    parts = urlsplit(where.base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not where.loopback and requests.utils.get_environ_proxies(where.base):
        yield _told("info", "proxy", "a proxy stands between: name and connection are its own business")
    else:
        addresses, told = _named(where.host, port)
        yield told
        if not addresses:
            return
        connection, told = _connected(addresses, port)
        yield told
        if connection is None:
            return
        with connection:
            if parts.scheme == "https":
                told = _trusted(connection, where.host)
                yield told
                if told.level != "ok":
                    return
    yield from _answered(where, failure)


def _named(host: str, port: int) -> tuple[list[str], FindingReply]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        remedy = (
            "check NVAHA_URL (or --url); behind a private endpoint: is its DNS zone linked to your network?"
        )
        return [], _told("error", "name", f"{host} has no address: {safe(str(error))}", remedy)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))[:_ADDRESSES]
    return addresses, _told("ok", "name", f"{host} is {', '.join(addresses)}")


def _connected(addresses: list[str], port: int) -> tuple[socket.socket | None, FindingReply]:
    why = ""
    for each in addresses:
        try:
            connection = socket.create_connection((each, port), CONNECT_S)
        except OSError as error:
            why = safe(str(error.strerror or error)).lower()
            continue
        return connection, _told("ok", "connection", f"{each} takes a connection at port {port}")
    remedy = "check the address, and what lies between: firewall, VPN, private endpoint"
    text = f"no connection to {' or '.join(addresses)} at port {port}: {why}"
    return None, _told("error", "connection", text, remedy)


def _trusted(connection: socket.socket, host: str) -> FindingReply:
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    try:
        with context.wrap_socket(connection, server_hostname=host) as secure:
            return _told("ok", "TLS", f"{secure.version()}, its certificate is trusted")
    except ssl.SSLCertVerificationError as error:
        remedy = "something between may open TLS: REQUESTS_CA_BUNDLE names another CA file to trust"
        return _told("error", "TLS", f"its certificate is not trusted: {safe(error.verify_message)}", remedy)
    except OSError as error:
        return _told("error", "TLS", f"no TLS: {safe(str(error))}", "is it https that answers at that port?")


def _answered(where: Address, failure: NoAnswer) -> Iterator[FindingReply]:
    """Say what the app answers where no key is needed, and what follows with the failure."""
    try:
        proxies = {"no_proxy": where.host} if where.loopback else None
        answer = requests.get(
            f"{where.base}/health", timeout=(CONNECT_S, 10.0), allow_redirects=False, proxies=proxies
        )
    except requests.RequestException as error:
        remedy = "the host may be starting, or ends again and again: see its log (AppTraces)"
        yield _told("error", "health", f"no answer: {type(error).__name__}", remedy)
        return
    ours = _is_ours(answer)
    if ours and answer.status_code == 200:
        yield _told("ok", "health", "the app answers, and all of its groups are watched")
    elif ours:
        remedy = "nobody leads, or the app cannot use its settings: see nvaha status, and AppTraces"
        yield _told("error", "health", "the app answers that not all of its groups are watched", remedy)
    else:
        remedy = {
            401: "this is no nvaha, or stands behind a sign-in",
            403: "start the app in the portal, or let this machine in (access restrictions)",
            404: "no function is there: the package did not build (docs/deploy.md#3c-what-you-should-see)",
        }.get(answer.status_code, "the host is starting, or ends again and again: see its log (AppTraces)")
        text = f"{answer.status_code}, and not by nvaha"
        yield _told("error", "health", text, remedy)
    if ours and failure.code == "not_found":
        remedy = "deploy this command's release, or use nvaha status and nvaha check"
        yield _told("error", "release", "the app is of a release that has no doctor yet", remedy)
    elif ours:
        text, _, remedy = (
            failure.message.rpartition(": ") if failure.code == "key" else (failure.message, "", "")
        )
        yield _told("error", "key" if remedy else "answer", text, remedy)


def _is_ours(answer: requests.Response) -> bool:
    try:
        return answer.json().get("status") in {"healthy", "unhealthy"}
    except (ValueError, AttributeError):
        return False


def _told(level: str, subject: str, text: str, remedy: str = "") -> FindingReply:
    return FindingReply(area=AREA, level=level, subject=subject, text=text, remedy=remedy)
