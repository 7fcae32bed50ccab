"""An Event Grid custom topic as a receiver: sent to with a token of the app's identity, never with a key.

Source: azure-facts F1.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nvaha.text import one_line, safe, shortened

API_VERSION = "2018-01-01"
CONTENT_TYPE = "application/cloudevents-batch+json; charset=utf-8"
LONGEST_ANSWER = 8192
_LONGEST_REASON = 300
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ROLE = (
    "give the app's identity the role EventGrid Data Sender on the topic (eventGridTopicId of the template), "
    "and ten minutes to arrive"
)
_REMEDIES = {
    400: "the topic has to be made with the input schema CloudEventSchemaV1_0",
    401: _ROLE,
    403: f"{_ROLE}; or let the app through the topic's firewall, or reach it by a private endpoint",
    404: "no topic has this endpoint: copy it from the topic's overview",
    413: "it takes no event of this size",
    429: "more is sent to it than it takes; this is sent again later",
}


@dataclass(frozen=True, slots=True)
class TopicAccess:
    """How this app reaches Event Grid in its cloud.

    Args:
        domain: that endpoints of topics are in: a token is sent to no other host, for it is good for every
            topic that the identity may send to.
        token: returns a token; NotTaken if none can be had.
    """

    domain: str
    token: Callable[[], Awaitable[str]] = field(repr=False)


def trouble(endpoint: str, access: TopicAccess) -> str | None:
    """Return why no token may be sent to an endpoint; None if it may."""
    host = urlsplit(endpoint).hostname or ""
    if host in _LOOPBACK or host.endswith(f".{access.domain}"):
        return None
    return f"its endpoint is not in {access.domain}, where this cloud's topics are (NVAHA_CLOUD)"


def url(endpoint: str) -> str:
    """Return where to send to."""
    return f"{endpoint}?api-version={API_VERSION}"


def batch(event: bytes) -> bytes:
    """Return a batch of one CloudEvent, the form in which Microsoft's own clients send."""
    return b"[" + event + b"]"


def refused(status: int, answer: bytes) -> str:
    """Return why a topic did not take an event, in its own words, and what to do."""
    said = _reason(answer)
    remedy = _REMEDIES.get(status)
    return "; ".join(
        filter(None, (f"it answers with status {status}" + (f": {said}" if said else ""), remedy))
    )


def _reason(answer: bytes) -> str:
    try:
        told = json.loads(answer)["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    # Its last sentence asks to be reported to a forum.
    reason = str(told).partition(" Report '")[0]
    return shortened(safe(one_line(reason)).rstrip(". "), _LONGEST_REASON)
