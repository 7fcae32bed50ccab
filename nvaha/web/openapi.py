"""The API as a document: OpenAPI 3.1, made of the models that check bodies and of the shapes of the answers.

Imported when somebody asks for it: the monitor has no use for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from nvaha import __version__
from nvaha.core.refusal import RefusalCode as Code
from nvaha.operate import answers
from nvaha.operate.control import MAX_HISTORY
from nvaha.web.api import STATUS
from nvaha.web.bodies import AdoptBody, FailoverBody, NotifyTestBody, PauseBody, ReasonBody

Json = dict[str, Any]
Level = Literal["anonymous", "function", "admin"]

BAD_REQUEST = "bad_request"
OWN = {
    BAD_REQUEST: 400,
    "state_unreadable": 503,
    "storage_unavailable": 503,
    "configuration": 503,
    "settings": 503,
}
"""The codes of what is no refusal, each with its status."""
ALWAYS = ("state_unreadable", "storage_unavailable", "configuration", "settings", Code.BUSY)
"""What every call but `health` and `openapi` may be answered with."""
_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "Looks at and moves the groups that nvaha watches; docs/http-api.md explains every call. New properties, "
    "and new words of a choice, may be added to answers: ignore what you do not know. A path or method that "
    "is not here is answered by the Functions host: 404, without a body of ours."
)


class Detail(TypedDict):
    """What is wrong where."""

    path: str
    message: str


class Said(TypedDict):
    """Why something was not done: a code for programs, a sentence for people."""

    code: str
    message: str
    details: list[Detail]


class Error(TypedDict):
    """The one shape of all errors."""

    error: Said


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the API.

    Args:
        name: the function's.
        method: HTTP's.
        path: below `/api/`.
        summary: what it does.
        answer: the shape of a good answer; None for this document.
        codes: what it may be refused with, beside ALWAYS.
        level: who may ask.
        body: the model that its body is checked by; `empty` tells that none is needed.
        query: {parameter: (schema, whether it is needed, what it is)}.
        status: of a good answer.
        also: statuses beside it with the same answer.
        media: what a good answer may be, as who asks accepts it.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: object | None
    codes: tuple[str, ...] = ()
    level: Level = "function"
    body: type[object] | None = None
    empty: bool = False
    query: Mapping[str, tuple[object, bool, str]] | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    media: tuple[str, ...] = ("application/json",)


_GROUP = (Code.UNKNOWN_GROUP,)
_READ = (*_GROUP, Code.AZURE_UNREAD)
_PAUSE = (BAD_REQUEST, *_GROUP, Code.OTHER_CONFIGURATION)
_LIMIT = (Annotated[int, Field(ge=1, le=MAX_HISTORY)], False, "how many; without it 20")
CALLS = (
    Call(
        "health", "GET", "health", "Tell whether somebody watches all of this app's groups",
        answers.HealthAnswer, level="anonymous", also=(503,),
        query={"self": (str, False, "this app alone: of the release that answers, or of the one named")},
    ),
    Call("openapi", "GET", "openapi.json", "Show this document", None, level="anonymous"),
    Call("groups", "GET", "groups", "Show the leader, the instances and every group", answers.GroupsAnswer),
    Call(
        "group", "GET", "groups/{group}", "Show one group with its last operation",
        answers.GroupAnswer, _GROUP,
    ),
    Call(
        "plan", "GET", "groups/{group}/plan", "Show what a failover would change, and what forbids it",
        answers.PlanAnswer, (BAD_REQUEST, Code.UNKNOWN_NVA, *_READ),
        query={"to": (Annotated[str, Field(min_length=1)], True, "the NVA to move to")},
    ),
    Call(
        "check", "GET", "groups/{group}/check", "Show how the group stands in Azure now",
        answers.CheckAnswer, _READ,
    ),
    Call(
        "break_glass", "GET", "groups/{group}/break-glass", "Show how the group is moved by hand",
        answers.BreakGlassAnswer, _READ,
    ),
    Call(
        "doctor", "GET", "doctor", "Examine the app from where it runs; change nothing",
        answers.DoctorAnswer, _GROUP,
        query={"group": (str, False, "examine this group alone; without it all")},
    ),
    Call(
        "failover", "POST", "groups/{group}/failover", "Start a failover",
        answers.OperationAnswer | answers.GroupAnswer,
        (
            BAD_REQUEST, Code.UNKNOWN_NVA, Code.BAD_TIME, *_GROUP, Code.UNKNOWN_OPERATION, Code.SWITCHING,
            Code.OTHER_CONFIGURATION, Code.SCHEDULED, Code.NOT_SCHEDULED, Code.NOT_ACTIVE,
            Code.ALREADY_ACTIVE, Code.NOT_UP, Code.STALE, Code.RIVAL,
        ),
        body=FailoverBody, status=202,
    ),
    Call(
        "cancel", "POST", "groups/{group}/cancel", "Cancel a failover that is scheduled",
        answers.GroupAnswer, (*_PAUSE, Code.NOT_SCHEDULED), body=ReasonBody, empty=True,
    ),
    Call(
        "pause", "POST", "groups/{group}/pause", "Stop what is done to a group by itself",
        answers.GroupAnswer, _PAUSE, body=PauseBody, empty=True,
    ),
    Call(
        "resume", "POST", "groups/{group}/resume", "Let it go on",
        answers.GroupAnswer, _PAUSE, body=ReasonBody, empty=True,
    ),
    Call(
        "history", "GET", "groups/{group}/history", "Show the group's operations, newest first",
        answers.HistoryAnswer, (BAD_REQUEST, *_GROUP),
        query={"limit": _LIMIT},
    ),
    Call(
        "history_of_all", "GET", "history", "Show the operations of all groups, newest first",
        answers.HistoryAnswer, (BAD_REQUEST,), query={"limit": _LIMIT},
    ),
    Call(
        "metrics", "GET", "metrics", "Show metrics as Prometheus reads them", str,
        media=("text/plain", "application/openmetrics-text"),
    ),
    Call(
        "operation", "GET", "operations/{id}", "Show one operation",
        answers.OperationAnswer, (Code.UNKNOWN_OPERATION,),
    ),
    Call(
        "notify_test", "POST", "notify/test", "Send a test to one receiver, or to all",
        answers.NotifyTestAnswer, (BAD_REQUEST, Code.UNKNOWN_RECEIVER), body=NotifyTestBody, empty=True,
    ),
    Call("export", "GET", "state", "Export all states", answers.ExportAnswer, level="admin"),
    Call(
        "adopt", "POST", "state/{group}", "Begin a group with its part of an export",
        answers.AdoptedAnswer, (BAD_REQUEST, Code.NO_EXPORT, *_GROUP, Code.NEWER_STATE),
        level="admin", body=AdoptBody,
    ),
)  # fmt: skip
"""Every HTTP function of function_app.py."""


def document() -> Json:
    """Return the document."""
    schemas = _Schemas()
    paths: Json = {}
    for call in CALLS:
        paths.setdefault(f"/{call.path}", {})[call.method.lower()] = _operation(call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nvaha",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api"}],
        "security": [{"key": []}, {"code": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": "a function key or a host key of the app; for `state` the master key",
                },
                "code": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "code",
                    "description": "the same; addresses end up in logs, so better not",
                },
            },
            "schemas": schemas.all(),
        },
    }


class _Schemas:
    """All shapes, each under its own name."""

    def __init__(self) -> None:
        kinds = {call.answer for call in CALLS if call.answer} | {call.body for call in CALLS if call.body}
        wanted: Any = [(kind, "validation", _shape(kind)) for kind in (*kinds, Error)]
        refs, definitions = TypeAdapter.json_schemas(wanted, ref_template=_REF)
        self._refs = {kind: schema for (kind, _), schema in refs.items()}
        self._definitions = definitions["$defs"]

    def ref(self, kind: object) -> Json:
        return self._refs[cast("Any", kind)]

    def all(self) -> Json:
        return dict(sorted(self._definitions.items()))


def _operation(call: Call, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": call.name,
        "summary": call.summary,
        "parameters": [*_in_path(call.path), *_in_query(call.query or {}), *_in_headers(call)],
        "responses": dict(sorted(_responses(call, schemas))),
    }
    if call.level == "anonymous":
        operation["security"] = []
    if call.body is not None:
        content = {"application/json": {"schema": schemas.ref(call.body)}}
        operation["requestBody"] = {"required": not call.empty, "content": content}
    return operation


def _in_path(path: str) -> Iterator[Json]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(query: Mapping[str, tuple[object, bool, str]]) -> Iterator[Json]:
    for name, (kind, needed, what) in query.items():
        schema = _shape(kind).json_schema()
        yield {"name": name, "in": "query", "required": needed, "description": what, "schema": schema}


def _in_headers(call: Call) -> Iterator[Json]:
    if call.method == "POST":
        what = "who asks, percent-encoded, in place of the User-Agent; recorded as claimed"
        schema = {"type": "string"}
        yield {
            "name": "x-nvaha-caller",
            "in": "header",
            "required": False,
            "description": what,
            "schema": schema,
        }


def _responses(call: Call, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    good = {"type": "object"} if call.answer is None else schemas.ref(call.answer)
    for status in (call.status, *call.also):
        content = {media: {"schema": good} for media in call.media}
        answer: Json = {"description": call.summary, "content": content}
        if status == 202:
            where = {
                "description": "the operation, to be followed; without one where it is only scheduled",
                "schema": {"type": "string"},
            }
            answer["headers"] = {"Location": where}
        yield str(status), answer
    if call.level == "anonymous":
        return
    yield "401", {"description": "no key, or a wrong one: answered by the Functions host, without a body"}
    codes = (*call.codes, *ALWAYS)
    for status in {_status(code) for code in codes}:
        yield str(status), _refused([str(code) for code in codes if _status(code) == status], schemas)


def _refused(codes: Iterable[str], schemas: _Schemas) -> Json:
    """Return the answer of one status: the one shape of errors, with the codes that it may have."""
    codes = list(codes)
    code = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    answer: Json = {
        "description": ", ".join(codes),
        "content": {"application/json": {"schema": {"allOf": [schemas.ref(Error), code]}}},
    }
    if Code.BUSY in codes:
        text = "with `busy`: the seconds to wait"
        answer["headers"] = {"Retry-After": {"description": text, "schema": {"type": "integer"}}}
    return answer


def _shape(kind: object) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))


def _status(code: str) -> int:
    return OWN.get(code) or STATUS[Code(code)]
