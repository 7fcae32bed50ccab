"""Where the app is, and what may be sent there: a key travels in a header, over TLS, to that host only."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from nvaha.cli import targets
from nvaha.cli.failure import usage
from nvaha.text import has_secret

_LONGEST_KEY = 512


@dataclass(frozen=True, slots=True)
class Address:
    """An app's address, checked.

    Args:
        base: everything before the call, such as `https://app.azurewebsites.net/api`.
        host: its host, for sentences.
        loopback: whether that is this machine.
        key: the function key, or None.
    """

    base: str
    host: str
    loopback: bool
    key: str | None = field(default=None, repr=False)


def address(url: str | None, key: str | None) -> Address:
    """Return where to send requests: to the target that is chosen, else to what is given.

    Raises:
        Failure: the address or the key cannot be used; neither a key nor a query is repeated in it.
    """
    url, key = targets.connection(url, key)
    if not (url or "").strip():
        raise usage(
            "the app's address is not known",
            hints=[
                "export NVAHA_URL=https://YOUR-APP.azurewebsites.net (or give --url, or --target)",
                "in PowerShell: $env:NVAHA_URL = 'https://YOUR-APP.azurewebsites.net'",
            ],
        )
    url = (url or "").strip()
    parts = _split(url)
    if "@" in url or parts.query or parts.fragment or has_secret(url):
        raise usage(
            "the address may hold nothing but scheme, host and path: a key belongs in NVAHA_KEY, "
            "and is sent in a header"
        )
    host = parts.hostname or ""
    loopback = _is_loopback(host)
    secret = _checked((key or "").strip())
    if secret is not None and parts.scheme == "http" and not loopback:
        raise usage(f"a key is not sent to {host} over plain http: write https://")
    path = parts.path.rstrip("/").removesuffix("/api")
    return Address(f"{parts.scheme}://{parts.netloc}{path}/api", host, loopback, secret)


def _split(url: str) -> SplitResult:
    wrong = usage("the address is not a URL: write https://YOUR-APP.azurewebsites.net")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable:
        raise wrong
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked(key: str) -> str | None:
    if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise usage("the key holds characters that no function key has: copy it again")
    return key or None
