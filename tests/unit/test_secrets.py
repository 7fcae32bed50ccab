"""A secret in the wrong place is refused or used, and seen nowhere: log, HTTP, command, exceptions."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import azure.functions as func
import pytest
import yaml
from azure.core.exceptions import ServiceResponseError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from yarl import URL

from nvaha.app.holder import AppHolder
from nvaha.azure.storage.connection import answering
from nvaha.cli import client
from nvaha.cli.main import app as command
from nvaha.config import ConfigError, load, parse
from nvaha.config.settings import Settings, SettingsError, for_triggers
from nvaha.model import Configuration, Notice
from nvaha.notify import LogNotifier
from nvaha.operate.control import Control
from nvaha.ports import StoreUnavailable
from nvaha.text import _SECRETS, fit_to_raise, has_secret, safe, shown, without_secrets
from nvaha.web.api import Api
from tests import fakes
from tests.builders import group_of
from tests.secrets_planted import FORMS, planted, seen

from .cli_fake_app import FakeApp, Reply, error, group, groups, operation, running

STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
NAMES = (
    "NVAHA_CONFIG",
    "NVAHA_SCHEDULE",
    "NVAHA_STORAGE",
    "NVAHA_CLOUD",
    "NVAHA_ARM_ENDPOINT",
    "NVAHA_ARM_CA",
    "NVAHA_ARM_API_VERSION",
    "NVAHA_INSTANCE",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "AzureWebJobsStorage",
    *(
        f"AzureWebJobsStorage__{part}"
        for part in (
            "accountName",
            "blobServiceUri",
            "queueServiceUri",
            "tableServiceUri",
            "clientId",
            "credential",
        )
    ),
)
CASES = Path(__file__).parent / "config_cases" / "good"
FILES = {
    name: yaml.safe_load((CASES / name).read_text("utf-8"))
    for name in ("everything.yaml", "hanva_remote.yaml")
}


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect everything that any logger of this process writes, tracebacks included."""
    into = io.StringIO()
    handler = logging.StreamHandler(into)
    root, before = logging.getLogger(), logging.getLogRecordFactory()
    level = root.level
    LogNotifier()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield into
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.setLogRecordFactory(before)


def raised(problem: BaseException) -> str:
    """Return an exception as the Functions host logs it: with its causes."""
    return "".join(traceback.format_exception(problem))


@settings(max_examples=200)
@given(planted(), st.sampled_from(NAMES))
def test_no_setting_is_echoed(plant: tuple[str, str], name: str) -> None:
    """Whatever setting a secret was pasted into: no problem shows it, nor the settings' own text."""
    text, secret = plant
    environ = {**STORAGE, name: text}
    problems: tuple[str, ...] = (name,)
    try:
        outcome: object = repr(Settings.from_environ(environ))
    except SettingsError as refused:
        outcome, problems = raised(refused), refused.problems
    assert seen(secret, outcome, for_triggers(environ)) == []
    assert all(name in each for each in problems), "who reads a problem has to know where it is"


@pytest.mark.parametrize("text", FORMS)
def test_a_connection_string_is_no_name(text: str) -> None:
    """A connection string where the name of its setting belongs is refused; triggers get the default."""
    environ = {"NVAHA_STORAGE": text.format(word="w0rdw0rdw0rd", key="a2V5" * 20 + "aw==")}
    with pytest.raises(SettingsError, match="NVAHA_STORAGE"):
        Settings.from_environ(environ)
    assert for_triggers(environ)[0] == "AzureWebJobsStorage"


@pytest.mark.parametrize("url", ["https://user:w0rdw0rd/x@host", "https://h:w0rdw0rd", "//user:w0rdw0rd@h"])
def test_an_endpoint_that_no_library_can_read_is_refused(url: str) -> None:
    """Libraries quote what they cannot read of a URL, so a connection string with such a one is refused."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"AzureWebJobsStorage": f"AccountName=a;AccountKey=a2V5;BlobEndpoint={url}"})
    assert seen("w0rdw0rd", raised(refused.value)) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(planted(), st.sampled_from(NAMES))
def test_the_app_echoes_no_setting(plant: tuple[str, str], name: str) -> None:
    """Started with a secret in any setting, the app shows it in no log line, answer or exception."""
    text, secret = plant
    here = "http://127.0.0.1:1/devstoreaccount1"
    storage = (
        f"AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint={here};QueueEndpoint={here};"
        f"TableEndpoint={here}"
    )
    environ = {
        "AzureWebJobsStorage": storage,
        "NVAHA_CONFIG": json.dumps(FILES["everything.yaml"]),
        name: text,
    }
    # Nothing is asked that is not on this machine.
    environ |= {"NVAHA_ARM_ENDPOINT": "https://127.0.0.1:1"} if name != "NVAHA_ARM_ENDPOINT" else {}
    if "blob.core" in environ["AzureWebJobsStorage"] or "host.example" in text:
        return
    if "AccountName=acct" in environ["AzureWebJobsStorage"]:
        environ["AzureWebJobsStorage"] += f";BlobEndpoint={here};QueueEndpoint={here};TableEndpoint={here}"

    async def use() -> list[str]:
        holder = AppHolder(Path(tempfile.gettempdir()), environ)
        response = await Api(holder).groups(_request())
        outputs = [response.get_body().decode()]
        try:
            async with holder.using() as app:
                await app.close()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the host would log it
            outputs.append(raised(problem))
        return outputs

    with logged() as log:
        outputs = asyncio.run(use())
    assert seen(secret, log.getvalue(), *outputs) == []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each scalar in a tree, and of each mapping, to take another key."""
    if isinstance(value, dict):
        yield (*path, "")
        for key, below in value.items():
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from places(below, (*path, index))
    else:
        yield path


@st.composite
def planted_file(draw: st.DrawFn) -> tuple[str, str]:
    """Return a configuration with a secret in the place of one value, or as a key, and the secret."""
    tree = copy.deepcopy(draw(st.sampled_from(list(FILES.values()))))
    text, secret = draw(planted())
    *parents, last = draw(st.sampled_from(list(places(tree))))
    holder: Any = tree
    for key in parents:
        holder = holder[key]
    if last == "":
        holder[text] = draw(st.sampled_from([1, "x", {}]))
    else:
        holder[last] = text
    return json.dumps(tree), secret


@settings(max_examples=200)
@given(planted_file())
def test_no_file_is_echoed(plant: tuple[str, str]) -> None:
    """A secret anywhere in either kind of file is in no error, warning or document of the command."""
    text, secret = plant
    try:
        outcome: object = parse(text).warnings
    except ConfigError as refused:
        outcome = raised(refused), refused.problems, refused.warnings
    assert seen(secret, outcome) == []


@settings(max_examples=40)
@given(planted_file(), st.sampled_from(["validate", "import"]), st.booleans())
def test_the_command_echoes_no_file(plant: tuple[str, str], name: str, as_json: bool) -> None:
    """`validate` and `import` print none either, be the file accepted or refused."""
    text, secret = plant
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nvaha.json"
        file.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(command, [name, str(file), *(["--json"] if as_json else [])])
    assert seen(secret, result.output) == []


@given(planted(), st.sampled_from(["Connection reset", "timed out", "401"]))
def test_a_url_that_cannot_be_read_is_not_echoed(plant: tuple[str, str], why: str) -> None:
    """NVAHA_CONFIG, whatever it holds and however reading fails, names the place and no secret."""
    text, secret = plant

    def read(url: str) -> str:
        raise OSError(0, why, url)

    with pytest.raises(ConfigError) as caught:
        load(text, Path(tempfile.gettempdir()), read)
    assert seen(secret, raised(caught.value)) == []


def _request(body: Mapping[str, Any] | None = None, **more: Any) -> func.HttpRequest:
    return func.HttpRequest(
        method="POST",
        url="https://app.example/api/groups/g/failover",
        params=more.get("params", {}),
        route_params=more.get("route", {}),
        headers=more.get("headers", {}),
        body=json.dumps(body or {}).encode(),
    )


class _Holder:
    """Holds an app of ports in memory."""

    def __init__(self, outside: fakes.Outside) -> None:
        self.control = Control(Configuration((group_of(),)), outside.ports)

    @asynccontextmanager
    async def using(self) -> AsyncIterator[_Holder]:
        """Return this app, as the holder does."""
        yield self


async def _here(work: Callable[..., Any], *args: object) -> Any:
    """Compute where virtual time passes; it does not in another thread."""
    return work(*args)


@settings(max_examples=100)
@given(
    planted(),
    st.sampled_from(
        ["group", "to", "limit", "id", "agent", "principal", "reason", "request_id", "name", "key"]
    ),
)
def test_no_request_is_echoed(plant: tuple[str, str], where: str) -> None:
    """A secret in whatever a caller sends is in no answer, no notice and nothing that is kept."""
    text, secret = plant
    outside = fakes.Outside()
    api = Api(cast("AppHolder", _Holder(outside)), signed_in=where == "principal", aside=_here)
    route = {"group": text if where == "group" else "g", "id": text if where == "id" else "x"}
    headers = (
        {"user-agent": text}
        if where == "agent"
        else dict.fromkeys((f"x-ms-client-principal-{part}" for part in ("name", "id", "idp")), text)
    )
    body = {"to": text if where == "name" else "b", "reason": text if where == "reason" else "drill"}
    if where == "request_id":
        body["request_id"] = text
    if where == "key":
        body[text] = text

    async def ask() -> list[str]:
        answers = [
            await api.plan(_request(params={"to": text}, route=route)),
            await api.history(_request(params={"limit": text}, route=route)),
            await api.operation(_request(route=route)),
            await api.group(_request(route=route)),
            await api.pause(_request({"reason": text}, route=route, headers=headers)),
            await api.failover(_request({**body, "force": True}, route=route, headers=headers)),
            await api.group(_request(route=route)),
        ]
        return [each.get_body().decode() + str(dict(each.headers)) for each in answers]

    with logged() as log:
        answers = fakes.run(ask())
        for notice in outside.told.notices:
            LogNotifier().notify(notice)
    assert seen(secret, log.getvalue(), *answers) == []
    kept = repr([each.state for each in outside.store.states.values()]) if where == "reason" else ""
    assert seen(secret, kept) == []


ARGUMENTS = (
    ("status", "{}"),
    ("status", "--url", "{}"),
    ("status", "--key", "{}"),
    ("status", "edge", "{}"),
    ("{}",),
    ("status", "{}", "--json"),
    ("status", "--{}"),
    ("history", "edge", "--limit", "{}"),
    ("plan", "edge", "--to", "{}"),
    ("pause", "edge", "--reason", "{}"),
    ("pause", "{}"),
    ("failover", "edge", "--to", "{}", "--yes"),
    ("failover", "edge", "--to", "nva2", "--yes", "--request-id", "{}"),
    ("failover", "edge", "--to", "nva2", "--yes", "--reason", "{}", "--json"),
    ("failover", "edge", "--to", "nva2", "--yes", "--timeout", "{}"),
    ("failover", "{}"),
    ("validate", "{}"),
    ("import", "{}", "--json"),
)
ENVIRONMENT = ("NVAHA_URL", "NVAHA_KEY", "HTTPS_PROXY", "HTTP_PROXY", "REQUESTS_CA_BUNDLE")


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeApp]:
    """Serve one fake app for all examples."""
    with pytest.MonkeyPatch.context() as patch, running() as served:
        patch.setattr(client, "TRIES_AFTER_S", (0.0, 0.0))
        yield served


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planted(), st.sampled_from([*ARGUMENTS, *ENVIRONMENT]), st.sampled_from(["no", "odd", "yes", "gone"]))
def test_no_argument_is_echoed(
    fake: FakeApp, plant: tuple[str, str], where: tuple[str, ...] | str, answer: str
) -> None:
    """In whatever argument or variable a secret is, and whatever the app answers, nothing shows it."""
    text, secret = plant
    if "host.example" in text and where in ENVIRONMENT:
        return  # nothing is looked up that is not on this machine
    url = "http://127.0.0.1:1" if answer == "gone" else fake.url
    environ = {"NVAHA_URL": url, "COLUMNS": "70", "NO_PROXY": "", "no_proxy": ""}
    if isinstance(where, str):
        args, environ = ["status"], {**environ, where: text}
        if where.endswith("PROXY"):
            environ["NVAHA_URL"] = (
                "http://10.255.255.1:1" if where == "HTTP_PROXY" else "https://10.255.255.1:1"
            )
            if "127.0.0.1:1" not in text and "://" in text:
                return
    else:
        args = [each.format(text) if "{}" in each else each for each in where]
    fake.seen.clear()
    # The app's own sentences quote what they are about; those of whatever stands in its place more still.
    replies = {
        "no": Reply(
            error("unknown_group", f"there is no group {text!r}", [{"path": text, "message": text}]), 404
        ),
        "odd": Reply(f"<html>{text}</html>".encode(), 500, {"Location": "https://elsewhere.example"}),
        "yes": Reply(operation(request_id=text)),
        "gone": Reply(groups()),
    }
    fake.says("*", replies[answer])
    with logged() as log:
        result = CliRunner().invoke(command, args, env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert seen(secret, result.output, log.getvalue()) == []


def test_a_key_that_comes_back_is_not_shown(fake: FakeApp) -> None:
    """Whatever stands in the app's place and repeats what it was sent, the key is printed nowhere."""
    key = "plainfunctionkeywithoutanyform"
    fake.says("*", Reply(group(blocked=f"was sent {key}")))
    for args in (["status", "edge", "--json"], ["pause", "edge", "--json"]):
        result = CliRunner().invoke(command, args, env={"NVAHA_URL": fake.url, "NVAHA_KEY": key})
        assert key not in result.output


@given(planted())
def test_errors_of_libraries_are_not_echoed(plant: tuple[str, str]) -> None:
    """What yarl, aiohttp and Azure's libraries say of a request is in no error, log line or traceback."""
    text, secret = plant
    try:
        url, own = URL(text), ValueError(text)
    except ValueError as problem:
        # Its cause quotes a password that was taken for a port: no such URL may come so far (settings).
        url, own = URL("http://h/"), ValueError(str(problem))
    info = aiohttp.RequestInfo(url, "GET", cast("Any", {}), url)
    causes = [
        aiohttp.ClientResponseError(info, (), status=400, message=text),
        aiohttp.InvalidURL(text),
        own,
        OSError(0, text),
    ]
    for cause in causes:

        async def ask(cause: Exception = cause) -> None:
            async with answering("read the table"):
                raise ServiceResponseError(f"{cause}", error=cause) from cause

        with pytest.raises(StoreUnavailable) as caught:
            asyncio.run(ask())
        assert seen(secret, str(caught.value)) == []
        assert seen(secret, raised(fit_to_raise(caught.value))) == []
        with logged() as log:
            logging.getLogger("asyncio").error("of %s", cause, exc_info=caught.value)
            LogNotifier().notify(Notice("round_failed", "error", f"{cause!r}", {"reason": cause}))
        assert seen(secret, log.getvalue()) == []


WORD = "w0rd" * 4


def caused(cause: Exception) -> StoreUnavailable:
    """Return an error of ours with a cause."""
    error = StoreUnavailable("storage is away")
    error.__cause__ = cause
    return error


def test_an_error_is_raised_as_it_is_unless_it_tells() -> None:
    """An error without a secret keeps its causes; one whose cause tells loses that, and not its kind."""
    fine, telling = caused(ValueError("a cause")), caused(ValueError("password=hunter2hunter2"))
    assert fit_to_raise(fine) is fine
    assert "a cause" in raised(fine)
    assert fit_to_raise(telling) is telling
    assert "hunter2" not in raised(telling)
    told = fit_to_raise(ExceptionGroup("several", [ValueError("password=hunter2hunter2")]))
    assert "hunter2" not in raised(told)
    assert "ExceptionGroup" in str(told)


class _Failing(AppHolder):
    """A holder whose app meets a library that quotes what it was given."""

    error: Exception

    async def _build(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (caused(ValueError(f"InvalidURL: https://user:{WORD}@host/")), StoreUnavailable),
        (ValueError(f"InvalidURL: https://user:{WORD}@host/"), RuntimeError),
        (ExceptionGroup("several", [caused(ValueError(f"password={WORD}"))]), RuntimeError),
    ],
)
def test_what_the_host_logs_of_a_failed_function_tells_nothing(
    error: Exception, kind: type[Exception]
) -> None:
    """An error that leaves a function, which the host logs with its causes, tells no secret."""
    holder = _Failing(Path(), {})
    holder.error = error
    with pytest.raises(kind) as caught:
        asyncio.run(holder.switch(b"{}"))
    assert seen(WORD, raised(caught.value)) == []


def test_a_long_value_is_cut_after_its_secret_was_found() -> None:
    """A secret whose mark stands where a value is cut off is not shown in half."""
    text = "user:" + "w0rd" * 40 + "@host"
    assert seen("w0rdw0rd", shown(text, 80)) == []


ORDINARY = (
    "edge: nva1 is down: its probe failed 3 times in a row (refused)",
    "The client 'alice@contoso.com' with object id '1' may not write at '/subscriptions/s'",
    "live.com#alice@contoso.com asked at 12:30:00",
    "route table ha-nva-udr: default (0.0.0.0/0) from 10.0.0.100 to 10.0.0.101",
    "https://management.azure.com/subscriptions/s/routeTables/udr?api-version=2023-09-01",
    'W/"11111111-2222-3333-4444-555555555555" and a key: value line',
    "nvaha/0.1.0 (alice on jump1)",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_no_secret_is_told(text: str) -> None:
    """Sentences, resource ids and names of people come through as they are."""
    assert without_secrets(text) == text


@given(st.text() | planted().map(lambda plant: plant[0]))
@example("https://user:a/b@c@d")
def test_what_is_safe_stays_so(text: str) -> None:
    """Making safe a second time changes nothing, and what is safe is printable."""
    once = safe(text)
    assert safe(once) == once
    assert once.isprintable()
    assert not has_secret(once)
    assert all(pattern.sub(told, once) == once for pattern, told in _SECRETS), "no mark, so nobody looked"


@pytest.mark.parametrize(
    "piece",
    [
        "a:",
        "://",
        "x",
        "x=",
        "key='",
        "?code=",
        "eyJ",
        "eyJ-.",
        "-----BEGIN PRIVATE KEY",
        "password: ",
        "'a ",
        "8Q~",
        "@:",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """However a text is made, looking through sixteen thousand characters of it takes moments."""
    started = time.process_time()
    safe(piece * (16_000 // len(piece)))
    assert time.process_time() - started < 2.0
