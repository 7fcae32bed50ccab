"""Telling operators: one log line and one count for every notice."""

from __future__ import annotations

import json
import logging

from opentelemetry import metrics

from nvaha.model import Notice

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogNotifier:
    """Logs each notice as `<sentence> {json}` and counts it by event.

    The Functions host forwards the text of a log record and, without OpenTelemetry, none of its other fields;
    so what a query needs stands in the text (azure-facts A5).
    """

    def __init__(self) -> None:
        self._logger = logging.getLogger("nvaha")
        # The Functions worker lets every INFO record through, and the SDKs write some for each request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        self._counter = metrics.get_meter("nvaha").create_counter("nvaha.notices")

    def notify(self, notice: Notice) -> None:
        """Log and count a notice."""
        fields = {"event": notice.event, **notice.fields}
        self._logger.log(LEVELS[notice.level], "%s %s", notice.text, json.dumps(fields, default=str))
        counted = {"event": notice.event, "group": str(notice.fields.get("group", ""))}
        self._counter.add(1, counted)
