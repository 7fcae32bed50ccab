"""No record is lost or told twice under the arrangements that Azure's Python workers make for logs.

Both workers, the one for 3.11 and 3.12 and the one from 3.13 on, put a handler on the root logger that sends
each formatted record to the host with the invocation of the task that logs; what has none, or one that has
ended, the host drops. With OpenTelemetry a second handler stands beside it (docs/azure-facts.md A5).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Configuration, Notice
from nvaha.notify import LogNotifier
from nvaha.state.commit import Committer
from nvaha.switch.worker import Switcher
from nvaha.tracing import begin, within
from nvaha.watch.monitor import Monitor
from tests.builders import azure_of
from tests.fakes import Outside, run
from tests.infra.stories import EXTRACTED
from tests.tracing import Traces, traces
from tests.unit.watch.stage import A, Leader, known, outside, watched_group

__all__ = ["traces"]

SECRET = "AccountKey=c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
INVOCATION = "_invocation"


class Worker(logging.Handler):
    """The root handler of a worker; `sent` are its lines with the invocation of the task that logged."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str | None]] = []
        self.running: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        self.sent.append((self.format(record), getattr(task, INVOCATION, None)))

    @property
    def stored(self) -> list[str]:
        """What the host makes rows of."""
        return [line for line, invocation in self.sent if invocation in self.running]

    async def invoke(self, name: str, function: Coroutine[Any, Any, object]) -> None:
        """Run a function as an invocation, whose tasks are known by it."""
        loop = asyncio.get_running_loop()

        def inherits(loop: asyncio.AbstractEventLoop, duty: Any, **more: Any) -> asyncio.Task[Any]:
            task = asyncio.Task(duty, loop=loop, **more)
            parent = asyncio.current_task(loop)
            setattr(task, INVOCATION, getattr(parent, INVOCATION, None))
            return task

        before = loop.get_task_factory()
        loop.set_task_factory(inherits)
        self.running.add(name)
        task = loop.create_task(function)
        setattr(task, INVOCATION, name)
        try:
            await task
        finally:
            loop.set_task_factory(before)


@contextmanager
def root_handlers(*handlers: logging.Handler) -> Iterator[None]:
    """Let the root logger have these handlers and no others."""
    root, factory, levels = logging.getLogger(), logging.getLogRecordFactory(), {}
    for name in ("", "nvaha", "azure"):
        levels[name] = logging.getLogger(name).level
    before, root.handlers = root.handlers, list(handlers)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = before
        logging.setLogRecordFactory(factory)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def events(lines: list[str]) -> list[str]:
    """Return the events that the queries find in lines."""
    found = [re.match(EXTRACTED, line) for line in lines]
    return [json.loads(each[1])["event"] for each in found if each]


def test_every_line_of_a_monitor_and_of_a_worker_is_within_an_invocation() -> None:
    """What is told outside of one, or by a task that outlives it, the host would drop."""
    group = watched_group()

    class Both(LogNotifier):
        told = 0

        def notify(self, notice: Notice) -> None:
            Both.told += 1
            super().notify(notice)

    async def story(worker: Worker) -> None:
        out: Outside = outside(known())
        out.network.put_there(*azure_of(group, "a"))
        ports = replace(out.ports, notifier=Both())
        monitor = Monitor(Configuration((group,)), ports, "one")
        await worker.invoke("tick 1", monitor.tick(9.5))
        out.prober.silent.add(A)
        for number in range(2, 5):
            await worker.invoke(f"tick {number}", monitor.tick(9.5))
        for request in out.queue.sent:
            body = json.dumps(
                {"v": 1, "group": "g", "generation": request.generation, "operation": request.operation}
            )
            switcher = Switcher(Configuration((group,)), ports, "two")
            await worker.invoke(request.operation, switcher.take(body.encode()))

    worker = Worker()
    with root_handlers(worker):
        run(story(worker))
    told = events([line for line, _ in worker.sent])
    assert {"leader_elected", "heartbeat", "switch_requested", "switch_done"} <= set(told)
    assert events(worker.stored) == told
    assert len(told) == Both.told


class OpenTelemetry:
    """OpenTelemetry's SDK with its handler of log records; `records` are what it sends."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider()
        provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        with pytest.warns(DeprecationWarning, match="LoggingHandler"):
            # Of the two handlers that there are the one that takes records apart the most.
            self.handler = LoggingHandler(logger_provider=provider)

    @property
    def records(self) -> list[Any]:
        """All records so far."""
        return [each.log_record for each in self._exporter.get_finished_logs()]


def tell() -> None:
    """Log what the app may log: a notice, and a library's words with a secret in each part of them."""
    fields = {
        "group": "edge",
        "operation": "edge-1-5",
        "generation": 1,
        "resource_id": "/subscriptions/s/r",
        SECRET: SECRET,
    }
    LogNotifier().notify(Notice("step_done", "info", f"edge-1-5: moved ({SECRET})", fields))
    library = logging.getLogger("library")
    library.warning("%s", SECRET)
    library.warning(ValueError(SECRET))
    library.warning("%s and %s", "too few")
    try:
        raise ValueError(SECRET)  # noqa: TRY301 - to have a traceback
    except ValueError:
        library.exception("it failed")


def test_both_handlers_are_given_the_same_words() -> None:
    """So the alerts read the same, whichever carries the logs; and neither is given a secret."""
    worker, otel = Worker(), OpenTelemetry()
    with root_handlers(worker, otel.handler):
        tell()
    bodies = [each.body for each in otel.records]
    assert bodies == [line for line, _ in worker.sent]
    assert len(bodies) == 5
    assert events(bodies) == ["step_done"]
    assert "Traceback" in bodies[-1]
    everything = repr([(each.body, dict(each.attributes or {})) for each in otel.records])
    assert "c2VjcmV0" not in everything


def test_a_record_says_of_what_it_is() -> None:
    """Where the fields of a record are carried they are there without reading its text."""
    otel = OpenTelemetry()
    with root_handlers(otel.handler):
        tell()
    said = {name: each for name, each in otel.records[0].attributes.items() if not name.startswith("code.")}
    assert said == {
        "nvaha.event": "step_done",
        "nvaha.group": "edge",
        "nvaha.operation": "edge-1-5",
        "nvaha.generation": 1,
        "nvaha.resource_id": "/subscriptions/s/r",
    }


def _distro(monkeypatch: pytest.MonkeyPatch, otel: OpenTelemetry) -> None:
    """Let Azure Monitor's package be there, as far as it goes by its settings for logs."""

    def configure_azure_monitor(*, logger_name: str, connection_string: str) -> None:
        if os.environ.get("OTEL_LOGS_EXPORTER") != "none":
            logging.getLogger(logger_name).addHandler(otel.handler)

    package = ModuleType("azure.monitor.opentelemetry")
    vars(package)["configure_azure_monitor"] = configure_azure_monitor
    # The runtime sets this one, which must not outlive the test.
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel")
    monkeypatch.setitem(sys.modules, "azure.monitor", ModuleType("azure.monitor"))
    monkeypatch.setitem(sys.modules, package.__name__, package)


@pytest.mark.parametrize(("exporter", "by_the_worker"), [("none", 0), (None, 1)])
def test_with_the_settings_of_the_template_each_record_has_one_sender(
    monkeypatch: pytest.MonkeyPatch, exporter: str | None, by_the_worker: int
) -> None:
    """The real runtime sets OpenTelemetry up, and logs stay the host's; else they are there twice."""
    otel_of = pytest.importorskip("azure_functions_runtime.otel", reason="the runtime needs Python 3.13")
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=0")
    if exporter:
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", exporter)
    worker, otel = Worker(), OpenTelemetry()
    _distro(monkeypatch, otel)
    with root_handlers(worker):
        otel_of.initialize_azure_monitor()
        assert otel_of.otel_manager.get_azure_monitor_available()
        LogNotifier().notify(Notice("step_done", "info", "edge-1-5: moved", {"group": "edge"}))
    otel_of.otel_manager.set_azure_monitor_available(False)
    assert events([line for line, _ in worker.sent]) == ["step_done"]
    assert events([each.body for each in otel.records]) == ["step_done"] * by_the_worker


def test_without_the_package_everything_goes_on_as_without_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The runtime says so once, and announces nothing for which the host would drop what is logged."""
    otel_of = pytest.importorskip("azure_functions_runtime.otel", reason="the runtime needs Python 3.13")
    monkeypatch.setitem(sys.modules, "azure.monitor.opentelemetry", None)
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel")
    worker = Worker()
    with root_handlers(worker):
        otel_of.initialize_azure_monitor()
        assert not otel_of.otel_manager.get_azure_monitor_available()
        LogNotifier().notify(Notice("step_done", "info", "edge-1-5: moved", {"group": "edge"}))
    assert [line.split(".")[0] for line, _ in worker.sent[:-1]] == ["Cannot import Azure Monitor distro"]
    assert events([line for line, _ in worker.sent]) == ["step_done"]


def test_a_failover_is_a_trace_of_its_own_and_a_command_goes_on_with_its_callers(traces: Traces) -> None:
    """The worker attaches the host's context to each invocation: a tick's is no switch's, a request's is."""
    run(_tick_and_command())
    of_leader, of_request = traces.named("nvaha.decide")
    (incident,) = traces.named("nvaha.incident")
    assert of_leader.context
    assert of_request.context
    assert f"{of_request.context.trace_id:x}" == "a" * 32
    assert of_leader.context.trace_id != of_request.context.trace_id
    assert [f"{each.context.trace_id:x}" for each in incident.links] == ["a" * 32]


async def _tick_and_command() -> None:
    host = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with within(begin("nvaha.host", parent=host)):
        out = outside(known())
        leader = Leader(out)
        await leader.lead()
        out.prober.silent.add(A)
        await leader.rounds.run(9.0)
        command = FailoverCommanded(to="b", by="me", force=True)
        await Committer(outside(known()).ports).commit(watched_group(), command)
