"""What a receiver is sent has the form that it takes, whatever stands in it; and who is sent what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from nvaha.core.sending import owed
from nvaha.model import Notice, Receiver, ReceiverKind, Unsent
from nvaha.model.events import CONDITIONS, EVENTS
from nvaha.receivers.bodies import cloud_event, pagerduty, slack, teams

NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
FELL = Unsent(
    Notice("nva_down", "error", "edge: nva1 is down: refused", {"group": "edge", "nva": "nva1", "id": "w.0"}),
    NOON,
    ("it",),
)
SOURCE = "/nvaha/stnvaha"
HOOK = Receiver("it", ReceiverKind.WEBHOOK, "IT_URL", "IT_KEY")

CLOUD_EVENT = {
    # What CloudEvents 1.0 asks for in JSON: the required attributes, their types, and names of lower-case
    # letters and digits only.
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "minLength": 1},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
}
TEXT = {"type": "string", "minLength": 1}
SLACK = {
    # Slack, "Reference: blocks": a section's text has at most 3000 characters, a context at most 10 elements.
    "type": "object",
    "required": ["text", "blocks"],
    "additionalProperties": False,
    "properties": {
        "text": TEXT,
        "blocks": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": {"enum": ["section", "context"]},
                    "text": {"$ref": "#/$defs/plain"},
                    "elements": {"type": "array", "maxItems": 10, "items": {"$ref": "#/$defs/plain"}},
                },
            },
        },
    },
    "$defs": {
        "plain": {
            "type": "object",
            "required": ["type", "text"],
            "properties": {"type": {"const": "plain_text"}, "text": {**TEXT, "maxLength": 3000}},
        }
    },
}
TEAMS = {
    # Microsoft Learn: a message with exactly one Adaptive Card.
    "type": "object",
    "required": ["type", "attachments"],
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "content": {
                        "type": "object",
                        "required": ["type", "version", "body"],
                        "properties": {
                            "type": {"const": "AdaptiveCard"},
                            "version": {"pattern": r"^1\.[0-5]$"},
                            "body": {
                                "type": "array",
                                "items": {
                                    "oneOf": [
                                        {"properties": {"type": {"const": "TextBlock"}, "text": TEXT},
                                         "required": ["type", "text"]},
                                        {"properties": {"type": {"const": "RichTextBlock"},
                                                        "inlines": {"type": "array", "minItems": 1}},
                                         "required": ["type", "inlines"]},
                                        {"properties": {
                                            "type": {"const": "FactSet"},
                                            "facts": {"type": "array", "items": {
                                                "type": "object", "required": ["title", "value"],
                                                "additionalProperties": {"type": "string"}}}},
                                         "required": ["type", "facts"]},
                                    ]
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
PAGERDUTY = {
    # PagerDuty, "Send an alert event": what each action needs, and the limits.
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 1},
        "event_action": {"enum": ["trigger", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}


@cache
def _notices() -> list[Unsent]:
    """Return every event, with texts that are as bad as they come, as a state holds it."""
    everybody = (Receiver("it", ReceiverKind.WEBHOOK, events=tuple(EVENTS)),)
    text = "<!channel> [x](http://e) & \u202e\n" + 5000 * "x"
    fields = {"group": "edge", "nva": "nva1", "id": "w.0", "reason": text, "seconds": 1.5, "active": True}
    found = [
        owed(everybody, Notice(event, level, text, more), NOON)
        for event in EVENTS
        for level, more in (("error", fields), ("info", {"id": "x", "instance": "one"}))
    ]
    return [each for each in found if each is not None]


@pytest.mark.parametrize(
    ("schema", "make"),
    [
        (CLOUD_EVENT, lambda unsent: cloud_event(unsent, SOURCE)),
        (SLACK, lambda unsent: slack(unsent, SOURCE)),
        (TEAMS, lambda unsent: teams(unsent, SOURCE)),
        (
            PAGERDUTY,
            lambda unsent: pagerduty(unsent, SOURCE, "key") if unsent.notice.event in CONDITIONS else None,
        ),
    ],
    ids=["cloudevents", "slack", "teams", "pagerduty"],
)
def test_whatever_is_told_has_the_form_that_a_receiver_takes(
    schema: Any, make: Callable[[Unsent], Any]
) -> None:
    """Every event at every level, with texts that would break a message, is valid and far below 28 KB."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    notices = _notices()
    assert len(notices) == 2 * len(EVENTS)
    for each in notices:
        body = make(each)
        if body is not None:
            assert [error.message for error in validator.iter_errors(body)] == []
            assert len(json.dumps(body)) < 8000


def test_a_form_that_a_receiver_would_refuse_is_found() -> None:
    """The schemas above are none that let everything through."""
    assert not Draft202012Validator(CLOUD_EVENT).is_valid({**cloud_event(FELL, SOURCE), "Level": 1})
    assert not Draft202012Validator(SLACK).is_valid({"text": "x"})
    assert not Draft202012Validator(TEAMS).is_valid({**teams(FELL, SOURCE), "attachments": []})
    event = pagerduty(FELL, SOURCE, "key")
    del event["payload"]
    assert not Draft202012Validator(PAGERDUTY).is_valid(event)


def test_a_cloud_event_says_what_happened_where_and_when() -> None:
    """Its id is the notice's, so that who is told twice knows."""
    assert cloud_event(FELL, SOURCE) == {
        "specversion": "1.0",
        "id": "w.0",
        "source": SOURCE,
        "type": "nvaha.nva_down",
        "subject": "edge",
        "time": "2026-03-01T12:00:00.123Z",
        "datacontenttype": "application/json",
        "data": {
            "event": "nva_down",
            "level": "error",
            "text": "edge: nva1 is down: refused",
            "group": "edge",
            "nva": "nva1",
        },
    }


def test_what_others_wrote_calls_nobody_and_links_nowhere() -> None:
    """Slack's mentions and Teams' Markdown are text only."""
    sly = replace(FELL, notice=replace(FELL.notice, text="<!channel> [here](http://e)"))
    assert "<" not in slack(sly, SOURCE)["text"]
    card = teams(sly, SOURCE)["attachments"][0]["content"]
    assert not [each for each in card["body"] if each["type"] == "TextBlock" and "here" in each["text"]]


def test_an_alert_ends_with_its_condition_and_with_no_other() -> None:
    """PagerDuty knows them by group, NVA and condition."""

    def key(event: str, **fields: str) -> tuple[str, str]:
        unsent = Unsent(Notice(event, "error", "text", {"id": "x", **fields}), NOON, ("it",))
        found = pagerduty(unsent, SOURCE, "key")
        return found["event_action"], found["dedup_key"]

    begins = {
        key("nva_down", group="edge", nva="nva1"),
        key("nva_down", group="edge", nva="nva2"),
        key("nva_unsteady", group="edge", nva="nva1"),
        key("all_down", group="edge"),
        key("all_down", group="core"),
        key("blind", instance="one"),
        key("blind", instance="two"),
    }
    assert len(begins) == 7
    assert key("nva_up", group="edge", nva="nva1") == (
        "resolve",
        key("nva_down", group="edge", nva="nva1")[1],
    )
    assert key("switch_done", group="edge") == ("resolve", key("switch_failed", group="edge")[1])
    assert len(key("all_down", group=300 * "g")[1]) <= 255
