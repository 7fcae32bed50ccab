"""Telling operators: one log line and one count for every notice, and what any line of the log may hold."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import dataclass
from functools import partial
from typing import Any

from opentelemetry import metrics

from nvaha.model import Notice
from nvaha.text import in_texts, safe, shortened

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
BEGINS = '{"event":'
"""What the queries look for (infra/queries): the last on a line is the event, and no other line has it."""
_LONGEST_SENTENCE, _TAIL = 4000, 1000
_LONGEST_READ = _LONGEST_LINE = 16_000
"""Half of what Application Insights stores of a message; what it cuts off would be the event."""


@dataclass(frozen=True, slots=True)
class EventLine:
    """The line of one notice: its sentence, then its JSON, which nothing in the sentence can imitate."""

    notice: Notice

    def __str__(self) -> str:
        sentence = shortened(_tame(_safe(self.notice.text)), _LONGEST_SENTENCE, tail=_TAIL)
        plain = json.dumps({"event": self.notice.event, **self.notice.fields}, default=str)
        fields = in_texts(json.loads(plain), _safe)
        line = ""
        for longest in (2000, 200, 20):
            told = in_texts(fields, partial(shortened, longest=longest))
            line = f"{sentence} {json.dumps(told)}"
            if len(line) <= _LONGEST_LINE:
                break
        return line


class SafeRecord(logging.LogRecord):
    """A log record of whatever library: no secret, one line but for its traceback, and no event in it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info and self.exc_info[1] is not None:
            lines = "".join(traceback.format_exception(self.exc_info[1])).splitlines()
            self.exc_text = "\n".join(_tame(_safe(line)) for line in lines)

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """Return the text; only a notice's own line is an event."""
        return str(self.msg) if isinstance(self.msg, EventLine) else _tame(_safe(super().getMessage()))


def _safe(text: str) -> str:
    return safe(text[:_LONGEST_READ])


def _tame(text: str) -> str:
    return text.replace(BEGINS, BEGINS.replace("{", "{ "))


class LogNotifier:
    """Logs each notice as `<sentence> {json}` and counts it by event.

    The Functions host forwards the text of a log record and, without OpenTelemetry, none of its other fields;
    so what a query needs stands in the text (azure-facts A5).
    """

    def __init__(self) -> None:
        logging.setLogRecordFactory(SafeRecord)
        self._logger = logging.getLogger("nvaha")
        # The Functions worker lets every INFO record through, and the SDKs write some for each request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        self._counter = metrics.get_meter("nvaha").create_counter("nvaha.notices")

    def notify(self, notice: Notice) -> None:
        """Log and count a notice."""
        self._logger.log(LEVELS[notice.level], EventLine(notice))
        counted = {"event": notice.event, "group": str(notice.fields.get("group", ""))}
        self._counter.add(1, counted)
