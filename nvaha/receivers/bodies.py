"""What a receiver is sent, in the form that it takes: pure.

Sources: CloudEvents 1.0.2, JSON event format (structured mode); Standard Webhooks (signature); Microsoft
Learn, "Create and send messages" (Teams); Slack, "Reference: blocks"; PagerDuty, "Send an alert event".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from nvaha import __version__
from nvaha.model import Receiver, ReceiverKind, Unsent
from nvaha.model.events import CONDITIONS
from nvaha.text import shortened

Json = dict[str, Any]
CLOUDEVENTS = "application/cloudevents+json; charset=utf-8"
_PREFIX = "whsec_"
_LONGEST_SUMMARY, _LONGEST_KEY, _MOST_FACTS = 1024, 255, 12
_SEVERITY = {"info": "info", "warning": "warning", "error": "error"}
_COLOUR = {"info": "good", "warning": "warning", "error": "attention"}
_TOLD = ("event", "id")
_FREE = ("event", "reason")
"""What is not among the facts: said already, or what people wrote."""


def body(receiver: Receiver, unsent: Unsent, source: str, key: str | None) -> bytes:
    """Return the request's body.

    Args:
        receiver: whom it is for.
        unsent: what it says.
        source: who says it: the same for all monitors that share their state.
        key: the receiver's.
    """
    match receiver.kind:
        case ReceiverKind.WEBHOOK | ReceiverKind.EVENT_GRID:
            content = cloud_event(unsent, source)
        case ReceiverKind.TEAMS:
            content = teams(unsent, source)
        case ReceiverKind.SLACK:
            content = slack(unsent, source)
        case ReceiverKind.PAGERDUTY:
            content = pagerduty(unsent, source, key or "")
    return json.dumps(content, ensure_ascii=False).encode()


def cloud_event(unsent: Unsent, source: str) -> Json:
    """Return a notice as a CloudEvent."""
    notice = unsent.notice
    fields = {name: value for name, value in notice.fields.items() if name not in _TOLD}
    event: Json = {
        "specversion": "1.0",
        "id": unsent.id,
        "source": source,
        "type": f"nvaha.{notice.event}",
        "time": _time(unsent.at),
        "datacontenttype": "application/json",
        "data": {"event": notice.event, "level": notice.level, "text": notice.text, **fields},
    }
    if group := notice.fields.get("group"):
        event["subject"] = str(group)
    return event


def signature(key: str, message_id: str, timestamp: int, content: bytes) -> str:
    """Return what proves that a body is ours: HMAC-SHA256 of id, time and body, as Standard Webhooks have it.

    Args:
        key: the shared key: base64 behind `whsec_`, or any other text as it is.
        message_id: the event's id.
        timestamp: when it is sent, in seconds since 1970.
        content: the body as it is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + content
    digest = hmac.new(_bytes(key), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _bytes(key: str) -> bytes:
    if key.startswith(_PREFIX):
        try:
            return base64.b64decode(key.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return key.encode()


def teams(unsent: Unsent, source: str) -> Json:
    """Return a notice as a message with an Adaptive Card, as a Teams workflow takes it."""
    facts = [{"title": name, "value": value} for name, value in _facts(unsent, source)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock",
                "text": unsent.notice.event,
                "weight": "bolder",
                "color": _COLOUR[unsent.notice.level],
            },
            # Not a TextBlock, which takes what others wrote for Markdown, links among it.
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": unsent.notice.text}]},
            {"type": "FactSet", "facts": facts},
        ],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def slack(unsent: Unsent, source: str) -> Json:
    """Return a notice as blocks; `text` is what a notification on a telephone shows."""
    text = f"{unsent.notice.event}: {unsent.notice.text}"
    facts = ", ".join(f"{name} {value}" for name, value in _facts(unsent, source))
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        # Here, and not in the blocks, angle brackets would call people or make links.
        "text": escaped,
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}},
            {"type": "context", "elements": [{"type": "plain_text", "text": facts, "emoji": False}]},
        ],
    }


def pagerduty(unsent: Unsent, source: str, routing_key: str) -> Json:
    """Return a notice as an event: one alert for each condition of each group, or NVA, which ends with it."""
    notice = unsent.notice
    condition, begins = CONDITIONS[notice.event]
    about = [str(notice.fields[name]) for name in ("group", "nva") if notice.fields.get(name)]
    if "group" not in notice.fields:
        about.append(str(notice.fields.get("instance", "")))
    key = "/".join(("nvaha", source, condition, *about))
    event: Json = {
        "routing_key": routing_key,
        "event_action": "trigger" if begins else "resolve",
        "dedup_key": key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest(),
    }
    if begins:
        event["client"] = f"nvaha {__version__}"
        event["payload"] = {
            "summary": shortened(notice.text, _LONGEST_SUMMARY),
            "source": source,
            "severity": _SEVERITY[notice.level],
            "timestamp": _time(unsent.at),
            "class": notice.event,
            "custom_details": dict(notice.fields),
        }
        if group := notice.fields.get("group"):
            event["payload"]["group"] = str(group)
    return event


def _facts(unsent: Unsent, source: str) -> list[tuple[str, str]]:
    fields = [(name, str(value)) for name, value in unsent.notice.fields.items() if value not in (None, "")]
    told = [("time", _time(unsent.at)), *fields[:_MOST_FACTS], ("source", source)]
    return [(name, value) for name, value in told if name not in _FREE]


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
