"""What others say cannot be taken for an event, nor move a terminal, wherever it is told."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from nvaha.model import Notice
from nvaha.model.events import EVENTS
from nvaha.notify import LogNotifier
from tests.infra.stories import ATTACKS, EXTRACTED, FORGED

STORED = 32_768
"""So many characters Application Insights stores of a message."""

PIECES = [FORGED, FORGED[:-1], '{"event":', "}", "\n", '"', "\\", " ", "x"]
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Making an example of sixty thousand characters smaller would take minutes."""
words = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(st.characters(codec="utf-8") | st.sampled_from("\n\r\x1b\x00\u2028\u202e\x85"), max_size=60),
    st.lists(
        st.sampled_from([FORGED, FORGED[:-1], '{"event":', "}", "\n", '"', "\\", " ", "x"]), max_size=6
    ).map("".join),
)


@contextmanager
def lines() -> Iterator[list[str]]:
    """Collect what is logged while this lasts, each record as the host stores it."""
    into: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(self.format(record)[:STORED])

    handler, logger, factory = Collector(), logging.getLogger("nvaha"), logging.getLogRecordFactory()
    level, spreads = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield into
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = spreads
        logging.setLogRecordFactory(factory)


def event_of(message: str) -> dict[str, Any] | None:
    """Return the event that the queries find in a message."""
    found = re.search(EXTRACTED, message)
    if found is None:
        return None
    try:
        fields: Any = json.loads(found[1])
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


@settings(max_examples=60, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(words, words, words, st.sampled_from(sorted(EVENTS)))
@example(ATTACKS[0], ATTACKS[1], ATTACKS[2], "nva_up")
def test_a_notice_is_one_line_with_its_own_event(sentence: str, reason: str, name: str, event: str) -> None:
    """Whatever stands in a sentence, a value or a name: one line, on which nothing acts, with its event."""
    with lines() as logged:
        fields = {"group": "g", "reason": reason, name: reason, "nva": [name], "active": True}
        LogNotifier().notify(Notice(event, "error", sentence, fields))
    [line] = logged
    found = event_of(line)
    assert line.isprintable()
    assert found is not None
    assert (found["event"], found["active"]) == (event, True)
    assert all(str(each).isprintable() for each in found.values())


@settings(max_examples=20, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(words, words)
def test_no_other_line_has_an_event(text: str, cause: str) -> None:
    """What a library logs, its exception included, is no event, and each line of it is printable."""
    with lines() as logged:
        notifier, library = LogNotifier(), logging.getLogger("nvaha.library")
        library.warning("%s", text)
        library.error("at %r and %s", text, cause, exc_info=ValueError(cause))
        del notifier
    for line in logged:
        assert event_of(line) is None
        assert all(each.isprintable() for each in line.split("\n"))
    assert "\n" not in logged[0]


def test_a_short_notice_is_told_whole() -> None:
    """Sentence and fields come through as they are: letters of all scripts, paths, numbers."""
    into = io.StringIO()
    handler = logging.StreamHandler(into)
    logger = logging.getLogger("nvaha")
    logger.addHandler(handler)
    fields = {"group": "g", "resource_id": "/subscriptions/s/x", "seconds": 1.5, "late": 0, "active": False}
    try:
        LogNotifier().notify(Notice("switch_done", "warning", "g: auf b geschaltet → fertig ✓", fields))
    finally:
        logger.removeHandler(handler)
    expected = json.dumps({"event": "switch_done", **fields})
    assert into.getvalue() == f"g: auf b geschaltet → fertig ✓ {expected}\n"
