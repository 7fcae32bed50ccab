"""Telling operators: one log line and one count for every notice, and what any line of the log may hold."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import dataclass
from functools import partial
from typing import Any

from nvaha.model import Notice
from nvaha.model.events import FIELDS
from nvaha.ports import Meter, NoMeter
from nvaha.text import in_texts, safe, shortened
from nvaha.tracing import named

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
    """A log record of whatever library: no secret, one line but for its traceback, and no event in it.

    Its text is final, and nothing else is left of it: some handlers take message, arguments and exception
    apart, and would send what they find there as it is. Only a notice's own line is an event.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not isinstance(self.msg, EventLine):
            self.msg = _tame(_safe(self._said()))
        self.args = None
        if self.exc_info and self.exc_info[1] is not None:
            lines = "".join(traceback.format_exception(self.exc_info[1])).splitlines()
            self.msg = "\n".join((str(self.msg), *(_tame(_safe(line)) for line in lines)))
        self.exc_info = None

    def _said(self) -> str:
        try:
            return super().getMessage()
        except Exception:  # noqa: BLE001 - whoever logs wrongly has something to say all the same
            return f"{self.msg!r} {self.args!r}"


def _safe(text: str) -> str:
    return safe(text[:_LONGEST_READ])


def _tame(text: str) -> str:
    return text.replace(BEGINS, BEGINS.replace("{", "{ "))


def _attributes(notice: Notice) -> dict[str, str | int | float | bool]:
    """Return a notice's fields as attributes; a name that is not ours is anybody's words."""
    fields = {"event": notice.event, **notice.fields}
    return named(
        {
            name: value if isinstance(value, str | int | float) else json.dumps(value, default=str)
            for name, value in fields.items()
            if name in FIELDS and value is not None
        }
    )


class LogNotifier:
    """Logs each notice as `<sentence> {json}` and counts it by event.

    The Functions host forwards the text of a log record and none of its other fields, so what a query needs
    stands in the text (azure-facts A5). To OpenTelemetry's handlers the fields go as attributes as well.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter or NoMeter()
        logging.setLogRecordFactory(SafeRecord)
        self._logger = logging.getLogger("nvaha")
        # The Functions worker lets every INFO record through, and the SDKs write some for each request.
        logging.getLogger("azure").setLevel(logging.WARNING)

    def notify(self, notice: Notice) -> None:
        """Log and count a notice."""
        self._logger.log(LEVELS[notice.level], EventLine(notice), extra=_attributes(notice))
        self._meter.count("nvaha_notices_total", event=notice.event)
