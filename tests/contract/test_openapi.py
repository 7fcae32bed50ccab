"""The API's own document says what the API does: its routes, what it takes, and what it answers."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from nvaha.app.doctor import examine
from nvaha.app.holder import AppHolder
from nvaha.azure.storage.rows import StateDocuments
from nvaha.lab.host.functions import IndexedFunction, Invoker
from nvaha.lab.host.http import application
from nvaha.metrics import Metrics
from nvaha.model import Configuration, LeaderRecord
from nvaha.operate.answers import DoctorAnswer
from nvaha.operate.control import Control
from nvaha.operate.doctor import Doctor
from nvaha.operate.measured import Stored
from nvaha.operate.recovery import Recovery
from nvaha.web.api import Api
from nvaha.web.openapi import CALLS, Call, document
from tests.builders import azure_of, group_of, later, steady
from tests.fakes import FakeTrials, Outside

from .answers import problems
from .test_function_app import HTTP, ROOT

KEY = "k"
SHARED = {"history_of_all": "history"}
"""Functions that share a method of the API."""
PAGE = {"ui", "ui_file"}
EXPLAINED = {"for", "at", "body"}
"""What may be refused although it fits: the document cannot say how long, when, or what goes together."""
GROUP = group_of()


def test_every_function_over_http_is_in_the_document() -> None:
    """With its route, its method and who may ask, but for the page's files; no function, no call."""
    calls = {name: call for name, call in HTTP.items() if name not in PAGE}
    assert {each.name: (each.path, each.method, each.level) for each in CALLS} == calls


def test_every_schema_is_one() -> None:
    """And every reference leads somewhere."""
    whole = document()
    for name, schema in whole["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name
    for ref in set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(whole))):
        assert ref in whole["components"]["schemas"]


def test_every_code_is_explained_on_the_page() -> None:
    """The page for people and the document name the same codes with the same statuses."""
    page = (ROOT / "docs" / "http-api.md").read_text()
    rows = re.findall(r"^\| (\d{3}) \| (`[^|]+`) \|", page, re.M)
    explained = {(status, code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    named = {
        (status, code)
        for path in document()["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if status[0] in "45" and status not in {"401"} and operation["operationId"] != "health"
        for code in answer["description"].split(", ")
    }
    assert named == explained


def test_an_answer_that_is_not_documented_is_found() -> None:
    """A status, a key too many, one too few and a code of another status are told."""
    good = {"status": "healthy"}
    assert problems("health", 200, good) == []
    assert problems("health", 404, good)
    assert problems("health", 200, {})
    assert problems("health", 200, {**good, "more": 1})
    error = {"error": {"code": "not_up", "message": "", "details": []}}
    assert problems("failover", 412, error) == []
    assert problems("failover", 409, error)


class _Served:
    """The real API on ports in memory, with the state of one group, behind the routes of the local host."""

    def __init__(self) -> None:
        self.out = Outside(steady())
        self.out.network.put_there(*azure_of(GROUP, "a"))
        # The clock goes by the loop's seconds, which are the machine's here.
        self.loop = asyncio.new_event_loop()
        now_s = self.loop.time()
        self.out.store.put(steady(probed_at=later(now_s)))
        self.out.store.leader = LeaderRecord("leader", 1, later(now_s))
        configuration = Configuration((GROUP,))
        self.control = Control(configuration, self.out.ports)
        self.recovery = Recovery(configuration, self.out.ports, StateDocuments())
        self.doctor = Doctor(configuration, self.out.ports, FakeTrials())
        self.instance, self.warnings, self.named_settings = "leader", (), ()
        self._stored = Stored(configuration, self.out.ports)
        self._metrics = Metrics("one")
        self._thread = threading.Thread(target=self.loop.run_forever)

    @asynccontextmanager
    async def using(self) -> AsyncIterator[_Served]:
        yield self

    async def examine(self, name: str | None) -> DoctorAnswer:
        return await examine(ROOT, {}, cast("Any", self.using), name)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Show metrics as the app does."""
        return self._metrics.exposition(accept, await self._stored.samples())

    async def _begin(self) -> str:
        api = Api(cast("AppHolder", self))
        functions = [
            IndexedFunction(
                call.name, "httpTrigger",
                {"name": "request", "route": call.path, "methods": [call.method], "authLevel": call.level},
                getattr(api, SHARED.get(call.name, call.name)), wants_context=False,
            )
            for call in CALLS
        ]  # fmt: skip
        served = application(functions, Invoker(Path(), None), prefix="api", key=KEY)
        self._runner = web.AppRunner(served, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/api"

    def start(self) -> str:
        """Serve until stopped; return where."""
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._begin(), self.loop).result(30)

    def stop(self) -> None:
        """Stop serving."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve the API."""
    served = _Served()
    yield served.start()
    served.stop()


load_all_checks()
CHECKS: list[Any] = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "status_code_conformance", "content_type_conformance",
        "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    )
]  # fmt: skip

KNOWN = {"group": "g", "id": "g-1-1"}
SCHEMA = schemathesis.openapi.from_dict(document())
FEW = settings(
    max_examples=5, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def _fitting(call: Call) -> st.SearchStrategy[Any]:
    """Return requests as the document allows them, most of them for what is there."""
    path = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in call.path}
    operation = SCHEMA[f"/{call.path}"][call.method]

    def towards(case: Any, to: str) -> Any:
        for part in (case.body, case.query):
            if isinstance(part, dict) and "to" in part:
                part["to"] = to
        return case

    there = st.builds(towards, operation.as_strategy(path_parameters=path), st.sampled_from(["a", "b"]))
    return there | operation.as_strategy() if path else there


@pytest.mark.parametrize("call", CALLS, ids=[each.name for each in CALLS])
def test_whatever_fits_the_document_is_answered_as_it_says(url: str, call: Call) -> None:
    """Status, type, headers and shape of every answer are those of the document; no body is found wanting."""

    @FEW
    @given(_fitting(call))
    def asked(case: Any) -> None:
        response = case.call(base_url=url, headers={"x-functions-key": KEY})
        case.validate_response(response, checks=CHECKS)
        assert response.status_code < 500 or call.also
        if call.answer is None:
            assert response.json() == document()
        elif call.answer is str and response.status_code == 200:
            assert [each.name for each in text_string_to_metric_families(response.text)]
        else:
            assert problems(call.name, response.status_code, response.json()) == []
        if response.status_code == 400 and (error := response.json()["error"])["code"] == "bad_request":
            assert {each["path"] for each in error["details"]} <= EXPLAINED, (case.body, error)
            assert error["details"]

    asked()


BODIED = [each for each in CALLS if each.body]


@pytest.mark.parametrize("call", BODIED, ids=[each.name for each in BODIED])
def test_whatever_does_not_fit_the_document_is_refused(url: str, call: Call) -> None:
    """A body that the document does not allow is refused in the one shape of errors."""
    operation = SCHEMA[f"/{call.path}"][call.method]

    @FEW
    @given(operation.as_strategy(GenerationMode.NEGATIVE, path_parameters={"group": "g"}, query={}))
    def asked(case: Any) -> None:
        response = case.call(base_url=url, headers={"x-functions-key": KEY})
        case.validate_response(response, checks=CHECKS)

    asked()


@pytest.mark.parametrize("call", CALLS, ids=[each.name for each in CALLS])
def test_without_a_key_only_that_is_answered_which_needs_none(url: str, call: Call) -> None:
    """As the document says by operation."""
    operation: Any = SCHEMA[f"/{call.path}"][call.method]
    case = operation.Case(path_parameters=KNOWN, **({"body": {}} if call.body else {}))
    response = case.call(base_url=url)
    assert (response.status_code == 401) is (call.level != "anonymous")
