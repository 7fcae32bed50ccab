"""The pure parts of the local host: settings, schedules, back-off, indexing and invocation."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient
from hypothesis import given
from hypothesis import strategies as st

import nvaha
from nvaha.lab.host.functions import (
    FunctionTimeoutError,
    IndexedFunction,
    Invoker,
    Outcome,
    index,
)
from nvaha.lab.host.host import host_id, is_disabled
from nvaha.lab.host.lifetime import Lifetime, listen
from nvaha.lab.host.queue import BackOff, QueueListener
from nvaha.lab.host.settings import (
    HostError,
    QueueSettings,
    SingletonSettings,
    connection_string,
    read_app_settings,
    read_host_settings,
    resolve,
    time_span_s,
)
from nvaha.lab.host.storage import Trouble, connect
from nvaha.lab.host.timer import ListenerLock, Schedule

MIDNIGHT = 1_800_000_000.0 - 1_800_000_000.0 % 86400


class TestSettings:
    """host.json and the application settings."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("00:00:00.500", 0.5), ("00:01:00", 60.0), ("1.02:00:00", 93600.0), ("00:00:00.1000000", 0.1)],
    )
    def test_a_time_span_is_read_as_net_writes_it(self, text: str, seconds: float) -> None:
        """A .NET TimeSpan becomes seconds."""
        assert time_span_s(text) == seconds

    @pytest.mark.parametrize("text", ["500", "5s", "", "00:00", "00:00:00.", 5])
    def test_a_bare_number_is_no_time_span(self, text: object) -> None:
        """What the real host would take for days or refuse is refused."""
        with pytest.raises(ValueError, match="time span"):
            time_span_s(text)

    def test_the_projects_own_host_json_is_followed(self) -> None:
        """The settings that shape switching and take-over are read from host.json."""
        settings = read_host_settings(Path(__file__).parents[2])
        assert settings.singleton.listener_lock_period == 15.0
        assert settings.queues.max_polling_interval <= 2.0
        assert settings.queues.visibility_timeout < 60.0
        assert settings.extensions.http.route_prefix == "api"

    def test_an_empty_host_json_means_the_platforms_defaults(self, tmp_path: Path) -> None:
        """Without a word the platform's defaults apply."""
        (tmp_path / "host.json").write_text('{"version": "2.0"}')
        settings = read_host_settings(tmp_path)
        assert settings.queues.max_polling_interval == 60.0
        assert settings.queues.visibility_timeout == 0.0
        assert settings.queues.max_dequeue_count == 5
        assert settings.queues.threshold == 8
        assert settings.singleton.listener_lock_recovery_polling_interval == 60.0

    def test_every_mistake_in_host_json_is_named(self, tmp_path: Path) -> None:
        """A host.json that cannot be used is refused with each place."""
        (tmp_path / "host.json").write_text(
            '{"functionTimeout": "5m", "extensions": {"queues": {"batchSize": 99, "maxPollingInterval": 2}}}'
        )
        with pytest.raises(HostError) as caught:
            read_host_settings(tmp_path)
        for place in ("functionTimeout", "batchSize", "maxPollingInterval"):
            assert place in str(caught.value)

    def test_no_host_json_is_said_so(self, tmp_path: Path) -> None:
        """A folder without an app is refused."""
        with pytest.raises(HostError, match=r"host\.json"):
            read_host_settings(tmp_path)

    def test_the_environment_wins_over_local_settings(self, tmp_path: Path) -> None:
        """local.settings.json fills in what the environment lacks."""
        (tmp_path / "local.settings.json").write_text('{"Values": {"A": "file", "B": "file"}}')
        assert read_app_settings(tmp_path, {"A": "environment"}) == {"A": "environment", "B": "file"}

    def test_references_to_settings_are_put_in(self) -> None:
        """%NAME% becomes the setting, without regard to case."""
        assert resolve("%nvaha_schedule%", {"NVAHA_SCHEDULE": "* * * * * *"}) == "* * * * * *"
        with pytest.raises(HostError, match="MISSING"):
            resolve("%MISSING%", {})

    def test_development_storage_is_azurite_at_its_usual_ports(self) -> None:
        """The short form of Azurite's connection is known; none at all is refused."""
        found = connection_string("Storage", {"Storage": "UseDevelopmentStorage=true"})
        assert "127.0.0.1:10001" in found
        with pytest.raises(HostError, match="Storage"):
            connection_string("Storage", {})

    def test_hosts_of_one_folder_share_a_host_id(self, tmp_path: Path) -> None:
        """The host id is the setting, or else depends on the folder alone."""
        assert host_id(tmp_path, {}) == host_id(tmp_path, {})
        assert host_id(tmp_path, {}) != host_id(tmp_path / "other", {})
        assert host_id(tmp_path, {"AzureFunctionsWebHost__hostid": "Mine"}) == "mine"

    @pytest.mark.parametrize(("value", "disabled"), [("true", True), ("1", True), ("false", False)])
    def test_a_setting_disables_a_function(self, value: str, *, disabled: bool) -> None:
        """`AzureWebJobs.NAME.Disabled` stops that function and no other."""
        settings = {"AzureWebJobs.probe.Disabled": value}
        assert is_disabled("probe", settings) is disabled
        assert not is_disabled("switch", settings)


class TestSchedule:
    """When a timer is due."""

    def test_seconds_come_first(self) -> None:
        """An expression of six fields is due at the next matching second."""
        assert Schedule("*/10 * * * * *").due_after(0.0, MIDNIGHT + 3.2) == MIDNIGHT + 10
        assert Schedule("0 */5 * * * *").due_after(0.0, MIDNIGHT + 1) == MIDNIGHT + 300

    def test_ticks_missed_during_a_long_run_collapse_into_one_that_is_late(self) -> None:
        """After a run of 35 s the next is due in the past, and the one after that on the schedule again."""
        schedule = Schedule("*/10 * * * * *")
        late = schedule.due_after(MIDNIGHT, MIDNIGHT + 0.01)
        assert late == MIDNIGHT + 10
        started = MIDNIGHT + 35.0
        assert schedule.due_after(late, started) == MIDNIGHT + 40

    def test_a_run_that_starts_early_is_not_repeated(self) -> None:
        """A clock that runs a little behind does not fire one tick twice."""
        assert Schedule("*/10 * * * * *").due_after(MIDNIGHT + 10, MIDNIGHT + 9.999) == MIDNIGHT + 20

    def test_a_time_span_counts_from_run_to_run(self) -> None:
        """A time span is accepted in place of an expression."""
        assert Schedule("00:00:30").due_after(0.0, MIDNIGHT + 1) == MIDNIGHT + 31

    @pytest.mark.parametrize("text", ["*/10 * * * *", "61 * * * * *", "nonsense", "00:61"])
    def test_anything_else_is_refused(self, text: str) -> None:
        """An expression without seconds, or out of range, is refused at the start."""
        with pytest.raises(HostError, match="schedule"):
            Schedule(text)

    @given(st.floats(0, 1e5), st.floats(0, 100))
    def test_the_next_run_is_always_after_the_last_one(self, offset: float, run: float) -> None:
        """Whenever a run started, the next one is due after its start."""
        started = MIDNIGHT + offset
        due = Schedule("*/7 * * * * *").due_after(started - run, started)
        assert started < due <= started + 7


class TestBackOff:
    """How often an empty queue is looked at."""

    def test_it_starts_at_100_ms_grows_and_is_bounded(self) -> None:
        """Empty looks wait 200 ms, then more, up to the limit; a message brings 100 ms back."""
        back_off = BackOff(2.0, lambda low, high: (low + high) / 2)
        waits = [round(back_off.after(found=False), 3) for _ in range(6)]
        assert waits == [0.2, 0.3, 0.5, 0.9, 1.7, 2.0]
        assert back_off.after(found=True) == 0.1
        assert round(back_off.after(found=False), 3) == 0.2

    @given(st.floats(0.1, 60), st.lists(st.booleans(), max_size=200))
    def test_it_never_leaves_its_bounds(self, longest: float, looks: list[bool]) -> None:
        """Whatever is found, a wait lies between 100 ms and the limit."""
        back_off = BackOff(longest, lambda low, _: low)
        for found in looks:
            assert 0.1 <= back_off.after(found=found) <= max(longest, 0.1)


APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.timer_trigger(arg_name="timer", schedule="%WHEN%", use_monitor=False)
async def tick(timer: func.TimerRequest) -> None: ...

@app.route("things/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def thing(req: func.HttpRequest, context: func.Context) -> str:
    return context.function_name
"""


@pytest.fixture
def _unimported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget afterwards what was imported from a test's folder, and know again what it made way for."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "nvaha"}
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] in {"function_app", "nvaha"}]:
        del sys.modules[name]
    sys.modules.update(ours)


@pytest.mark.usefixtures("_unimported")
class TestIndexing:
    """What the app says of itself."""

    def test_functions_come_with_their_resolved_bindings(self, tmp_path: Path) -> None:
        """Name, kind, schedule and route are those that the app declares."""
        (tmp_path / "function_app.py").write_text(APP)
        tick, thing = index(tmp_path, {"WHEN": "*/3 * * * * *"})
        assert (tick.name, tick.kind, tick.binding["schedule"]) == ("tick", "timerTrigger", "*/3 * * * * *")
        assert (thing.name, thing.kind, thing.binding["route"]) == ("thing", "httpTrigger", "things/{id}")
        assert thing.wants_context
        assert not tick.wants_context

    def test_a_binding_that_the_host_lacks_is_refused(self, tmp_path: Path) -> None:
        """A function with a blob input is refused by name, not left out."""
        text = textwrap.dedent(
            """
            import azure.functions as func
            app = func.FunctionApp()

            @app.route("x")
            @app.blob_input(arg_name="blob", path="a/b", connection="C")
            def reads(req: func.HttpRequest, blob: str) -> str: ...
            """
        )
        (tmp_path / "function_app.py").write_text(text)
        with pytest.raises(HostError, match="reads"):
            index(tmp_path, {})

    def test_an_app_gets_the_package_beside_it_and_never_the_hosts(self, tmp_path: Path) -> None:
        """Another release is run as under any host: whole, now and in what it imports later."""
        text = """
            import azure.functions as func
            import nvaha
            app = func.FunctionApp()

            @app.route("x")
            def release(req: func.HttpRequest) -> tuple[str, str]:
                from nvaha.lab import WHERE
                return nvaha.__version__, WHERE
            """
        (tmp_path / "function_app.py").write_text(textwrap.dedent(text))
        (tmp_path / "nvaha" / "lab").mkdir(parents=True)
        (tmp_path / "nvaha" / "__init__.py").write_text("__version__ = 'of the app'")
        (tmp_path / "nvaha" / "lab" / "__init__.py").write_text("WHERE = 'in the app'")
        (function,) = index(tmp_path, {})
        assert asyncio.run(Invoker(tmp_path, 5.0).invoke(function, None, "test")).value == (
            "of the app",
            "in the app",
        )

    def test_an_app_without_a_package_has_the_one_that_is_installed(self, tmp_path: Path) -> None:
        """As the projects own, and those of tests: nothing is forgotten, nothing is there twice."""
        (tmp_path / "function_app.py").write_text(
            APP.replace("import azure", "import nvaha\nimport azure", 1)
        )
        index(tmp_path, {"WHEN": "*/3 * * * * *"})
        assert sys.modules["function_app"].nvaha is nvaha
        assert sys.modules["nvaha.lab.host.functions"].Invoker is Invoker

    def test_a_folder_without_an_app_is_refused(self, tmp_path: Path) -> None:
        """No function_app.py, no host."""
        with pytest.raises(HostError, match=r"function_app\.py"):
            index(tmp_path, {})


def invoke(call: Callable[..., Any], timeout_s: float | None = 5.0) -> Outcome:
    """Invoke a function with the trigger value 41."""
    function = IndexedFunction("f", "timerTrigger", {"name": "value"}, call, wants_context=False)

    async def run() -> Outcome:
        return await Invoker(Path(), timeout_s).invoke(function, 41, "test")

    return asyncio.run(run())


class TestInvocation:
    """What becomes of a function's result."""

    def test_coroutine_and_plain_functions_are_called_alike(self) -> None:
        """Both get the trigger's value under the binding's name."""

        async def later(value: int) -> int:
            return value + 1

        assert invoke(later) == Outcome(42)
        assert invoke(lambda value: value + 1) == Outcome(42)

    def test_what_a_function_raises_is_told_not_thrown(self) -> None:
        """An error ends the invocation, not the host."""

        def fails(value: int) -> None:
            raise LookupError(str(value))

        assert isinstance(invoke(fails).error, LookupError)

    def test_a_function_that_runs_too_long_is_ended(self) -> None:
        """The setting functionTimeout cancels the function and counts as a failure."""
        ended: list[bool] = []

        async def hangs(value: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        assert isinstance(invoke(hangs, 0.01).error, FunctionTimeoutError)
        assert ended == [True]


def test_the_trigger_classes_are_concrete() -> None:
    """The classes that stand for triggers can be made on every supported version of the SDK."""
    timer: Any = func.timer.TimerRequest
    message: Any = func.queue.QueueMessage
    assert timer(past_due=False).past_due is False
    made = message(body=b"x", dequeue_count=2)
    assert (made.get_body(), made.dequeue_count) == (b"x", 2)


class TestStorage:
    """What the host says when storage cannot be used."""

    @pytest.mark.parametrize("text", ["garbage", "a=b", "AccountKey=aHVudGVyMg=="])
    def test_what_is_no_connection_string_is_refused(self, text: str) -> None:
        """The setting is named, and its value, which may hold a key, is not shown."""
        with pytest.raises(HostError, match="AzureWebJobsStorage") as refused:
            connect(QueueServiceClient, "AzureWebJobsStorage", {"AzureWebJobsStorage": text})
        assert text not in str(refused.value)
        with pytest.raises(HostError, match="AzureWebJobsStorage"):
            connect(BlobServiceClient, "AzureWebJobsStorage", {"AzureWebJobsStorage": text})

    def test_trouble_is_told_on_change(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each change between answer, silence and refusal is one line, however often it is met."""
        caplog.set_level(logging.INFO)
        trouble = Trouble(logging.getLogger("test"), "the queue q")
        trouble.over()
        for _ in range(3):
            trouble.met(ServiceRequestError("cannot connect"))
        for number in range(3):
            refusal = HttpResponseError(f"no\nRequestId: {number}")
            refusal.status_code = 403
            trouble.met(refusal)
        for _ in range(3):
            trouble.over()
        assert [record.levelno for record in caplog.records] == [
            logging.WARNING,
            logging.WARNING,
            logging.INFO,
        ]
        assert all("the queue q" in record.getMessage() for record in caplog.records)
        assert "403" in caplog.records[1].getMessage()
        assert "RequestId" not in caplog.text

    def test_listeners_take_silence_for_no_other_host(self, caplog: pytest.LogCaptureFixture) -> None:
        """While storage is down, timer and queue say that once, and nothing of another host."""
        caplog.set_level(logging.INFO, "Host")
        asyncio.run(self.listen_in_vain())
        texts = [record.getMessage() for record in caplog.records]
        assert len(texts) == 2
        assert all("does not answer" in text for text in texts)

    async def listen_in_vain(self) -> None:
        """Listen for a moment where nobody answers."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            at = f"http://127.0.0.1:{nobody.getsockname()[1]}/a"
            text = f"AccountName=a;AccountKey=YQ==;BlobEndpoint={at};QueueEndpoint={at}"
            life = Lifetime()

            async def work(_: Lifetime) -> None:
                raise AssertionError("there is no lock to work under")

            function = IndexedFunction(
                "f", "queueTrigger", {"name": "m", "queueName": "q"}, print, wants_context=False
            )
            async with (
                connect(BlobServiceClient, "S", {"S": text}) as blobs,
                connect(QueueServiceClient, "S", {"S": text}) as queues,
            ):
                lock = ListenerLock(blobs, "host", "f", SingletonSettings())
                queue = QueueListener(function, Invoker(Path(), None), queues, QueueSettings())
                listening = listen([partial(lock.hold, work=work), queue.run], life)
                asyncio.get_running_loop().call_later(0.3, life.stop)
                await listening
                assert life.error is None
