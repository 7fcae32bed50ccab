"""The HTTP interface: unpack, call, map errors."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

import azure.functions as func
from pydantic import ValidationError

from nvaha import __version__
from nvaha.app.holder import AppHolder
from nvaha.concurrency import aside
from nvaha.config import ConfigError
from nvaha.config.forms import read_duration
from nvaha.config.settings import SettingsError
from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.refusal import RefusalCode
from nvaha.operate.control import MAX_HISTORY, Aside, Control, Refused
from nvaha.operate.recovery import Recovery
from nvaha.ports import StateUnreadable, StoreUnavailable
from nvaha.text import in_texts, safe, shown
from nvaha.web.bodies import (
    MAX_BYTES,
    MAX_STATE_BYTES,
    AdoptBody,
    FailoverBody,
    NotifyTestBody,
    PauseBody,
    ReasonBody,
    complaints,
)
from nvaha.web.lanes import RETRY_AFTER_S, Crowded, Lane

if TYPE_CHECKING:
    from nvaha.app.wiring import App

Request = func.HttpRequest
Response = func.HttpResponse
Body = TypeVar("Body", FailoverBody, PauseBody, ReasonBody, AdoptBody, NotifyTestBody)
Part = TypeVar("Part")
Call = Callable[[Part], Awaitable[Mapping[str, object]]]
_MIMETYPE = "application/json"
_LONGEST_ACCEPT = 500
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


STATUS = dict.fromkeys(RefusalCode, 412) | {
    RefusalCode.UNKNOWN_NVA: 400,
    RefusalCode.BAD_TIME: 400,
    RefusalCode.UNKNOWN_GROUP: 404,
    RefusalCode.UNKNOWN_OPERATION: 404,
    RefusalCode.UNKNOWN_RECEIVER: 404,
    RefusalCode.SWITCHING: 409,
    RefusalCode.SCHEDULED: 409,
    RefusalCode.NOT_SCHEDULED: 409,
    RefusalCode.NEWER_STATE: 409,
    RefusalCode.NO_EXPORT: 400,
    RefusalCode.OTHER_CONFIGURATION: 409,
    RefusalCode.AZURE_UNREAD: 502,
    RefusalCode.BUSY: 503,
}
"""What a refusal is over HTTP: not possible as things stand, unless something else is said here."""


PLAN_KEPT_S = 2.0
EXAMINED_KEPT_S = 10.0
CLAIMED = " (claimed)"
"""Stands after the name of a caller who only says it himself."""


def _control(app: App) -> Any:
    return app.control


def _recovery(app: App) -> Recovery:
    return app.recovery


class BadRequestError(Exception):
    """A body that cannot be used."""

    def __init__(self, message: str, details: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.details = details or []


class Api:
    """Answers HTTP requests from the app that `holder` holds.

    Args:
        holder: holds the app.
        signed_in: whether App Service authentication stands before the app, so that the caller's
            `x-ms-client-principal-*` are the platform's words and not the caller's own.
        aside: where long answers are written, so that the event loop can go on.
    """

    def __init__(self, holder: AppHolder, *, signed_in: bool = False, aside: Aside = aside) -> None:
        self._holder = holder
        self._aside = aside
        self._signed_in = signed_in
        self._document: bytes | None = None
        # Together no more than the host carries out at once: what is asked leaves room for what is commanded.
        self._reads = Lane[Response](at_once=4, asking=16)
        self._plans = Lane[Response](at_once=2, asking=8, kept_s=PLAN_KEPT_S)
        self._commands = Lane[Response](at_once=4, asking=8)
        self._examinations = Lane[Response](at_once=1, asking=4, kept_s=EXAMINED_KEPT_S)

    async def health(self, request: Request) -> Response:
        """200 while all of the app's groups are watched, else 503; no detail, since it asks for no key.

        With `?self` it is about this app alone, whoever leads: whether it runs the release that answers, or
        the one that `?self=VERSION` names, and could lead.
        """
        version = _asked(request, "self")
        try:
            async with self._holder.using() as app:
                if version is None:
                    healthy = await app.control.healthy()
                else:
                    healthy = await app.control.campaigns(version or __version__)
        except (StoreUnavailable, SettingsError, ConfigError):
            healthy = False
        return _json(200 if healthy else 503, {"status": "healthy" if healthy else "unhealthy"})

    async def openapi(self, request: Request) -> Response:  # noqa: ARG002 - as all calls
        """All of this as a document; needs no key, and says nothing of any group."""
        if self._document is None:
            # Only who asks for it pays for it.
            from nvaha.web.openapi import document  # noqa: PLC0415

            self._document = (await self._aside(_json, 200, document())).get_body()
        return func.HttpResponse(self._document, headers=_HEADERS, mimetype=_MIMETYPE)

    async def groups(self, request: Request) -> Response:
        """The leader and all groups."""
        return await self._read(request, ("groups",), lambda control: control.groups())

    async def group(self, request: Request) -> Response:
        """One group with its last operation."""
        name = _group(request)
        return await self._read(request, ("group", name), lambda control: control.group(name))

    async def plan(self, request: Request) -> Response:
        """What a failover would change, and what forbids it; perhaps read for another who asked the same."""
        name, to = _group(request), (request.params.get("to") or "")[:100]
        if not to:
            return _error(400, "bad_request", "say where to: ?to=NVA")

        async def read() -> Response:
            return await self._answer(request, lambda control: control.plan(name, shown(to, 100)), large=True)

        try:
            response, age_s = await self._plans.shared((name, to), read)
        except Crowded:
            return _crowded()
        body, headers = response.get_body(), {**response.headers, "Age": str(math.floor(age_s))}
        return func.HttpResponse(body, status_code=response.status_code, headers=headers, mimetype=_MIMETYPE)

    async def check(self, request: Request) -> Response:
        """How a group stands in Azure now, against its record."""
        name = _group(request)
        return await self._planned(request, (name, None), lambda control: control.check(name))

    async def break_glass(self, request: Request) -> Response:
        """How a group is moved by hand, to each of its NVAs."""
        name = _group(request)
        return await self._planned(request, (name,), lambda control: control.break_glass(name))

    async def doctor(self, request: Request) -> Response:
        """All that this app needs, tried from where it runs; perhaps for another who asked just before."""
        group = request.params.get("group") or None

        async def examine() -> Response:
            try:
                content = await self._holder.examine(group)
            except Refused as refused:
                return _refused(refused)
            response: Response = await self._aside(_json, 200, content)
            return response

        try:
            response, _ = await self._examinations.shared((group,), examine)
        except Crowded:
            return _crowded()
        return response

    async def metrics(self, request: Request) -> Response:
        """What this process counts and what is stored, as Prometheus reads it."""
        accept = (request.headers.get("accept") or "")[:_LONGEST_ACCEPT]

        async def read() -> Response:
            async with self._holder.using() as app:
                body, content_type = await app.metrics(accept)
            return func.HttpResponse(body, headers={**_HEADERS, "Content-Type": content_type})

        try:
            answer, _ = await self._reads.shared(("metrics", accept), lambda: self._told(read))
        except Crowded:
            return _crowded()
        return answer

    async def history(self, request: Request) -> Response:
        """The group's operations, newest first; those of all groups where none is named."""
        text = request.params.get("limit") or "20"
        if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MAX_HISTORY:
            return _error(
                400, "bad_request", f"limit is '{shown(text, 20)}'; it goes from 1 to {MAX_HISTORY}"
            )
        name, limit = _group(request) or None, int(text)
        return await self._read(
            request, ("history", name, limit), lambda control: control.history(name, limit)
        )

    async def operation(self, request: Request) -> Response:
        """One operation."""
        name = str(request.route_params.get("id", ""))
        return await self._read(request, ("operation", name), lambda control: control.operation(name))

    async def failover(self, request: Request) -> Response:
        """Start a failover: 202 with the operation and where to follow it; scheduled, with the group."""

        async def call(control: Control) -> Mapping[str, object]:
            body = _body(request, FailoverBody, may_be_empty=False)
            command = FailoverCommanded(
                to=body.to,
                by=self._caller(request),
                reason=body.reason,
                force=body.force,
                request_id=body.request_id,
                source=body.from_,
                at=body.at,
            )
            return await control.failover(_group(request), command)

        return await self._command(request, call, status=202)

    async def cancel(self, request: Request) -> Response:
        """Let a scheduled failover not be begun."""

        async def call(control: Control) -> Mapping[str, object]:
            body = _body(request, ReasonBody, may_be_empty=True)
            command = CancelCommanded(by=self._caller(request), reason=body.reason)
            return await control.cancel(_group(request), command)

        return await self._command(request, call)

    async def export(self, request: Request) -> Response:
        """All states, to be kept or taken over elsewhere."""
        return await self._command(request, lambda recovery: recovery.export(), of=_recovery)

    async def adopt(self, request: Request) -> Response:
        """Take one group's state over from an export."""

        async def call(recovery: Recovery) -> Mapping[str, object]:
            body = _body(request, AdoptBody, may_be_empty=False, at_most=MAX_STATE_BYTES)
            return await recovery.adopt(_group(request), body.epoch, body.state, self._caller(request))

        return await self._command(request, call, of=_recovery)

    async def notify_test(self, request: Request) -> Response:
        """Send a test to one receiver, or to all."""

        async def call(control: Control) -> Mapping[str, object]:
            body = _body(request, NotifyTestBody, may_be_empty=True)
            return await control.notify_test(body.receiver, self._caller(request))

        return await self._command(request, call)

    async def pause(self, request: Request) -> Response:
        """Stop what the leader does to a group by itself, for a while or until somebody resumes it."""

        async def call(control: Control) -> Mapping[str, object]:
            body = _body(request, PauseBody, may_be_empty=True)
            for_s = None if body.for_ is None else read_duration(body.for_)
            command = PauseCommanded(paused=True, by=self._caller(request), reason=body.reason, for_s=for_s)
            return await control.pause(_group(request), command)

        return await self._command(request, call)

    async def resume(self, request: Request) -> Response:
        """Let it go on."""

        async def call(control: Control) -> Mapping[str, object]:
            body = _body(request, ReasonBody, may_be_empty=True)
            command = PauseCommanded(paused=False, by=self._caller(request), reason=body.reason)
            return await control.pause(_group(request), command)

        return await self._command(request, call)

    def caller(self, request: Request) -> str:
        """Return who asks, as the history would have it."""
        return self._caller(request)

    def _caller(self, request: Request) -> str:
        """Return who asks, by the platform's word if there is one, else what it claims to be.

        A function key has no name: the host knows it and does not pass it on (azure-facts A12). The status
        page says in `x-nvaha-caller`, percent-encoded, what its reader has called himself.
        """

        def said(header: str, longest: int) -> str:
            return safe(request.headers.get(f"x-ms-client-principal-{header}") or "")[:longest]

        if self._signed_in and (principal := said("id", 50)):
            by = {"aad": "Entra"}.get(provider := said("idp", 20), provider or "sign-in")
            return f"{said('name', 80) or 'no name'} ({by} {principal})"
        named = unquote(request.headers.get("x-nvaha-caller") or "")
        claim = named or request.headers.get("user-agent") or "HTTP"
        return f"{safe(claim)[:90]}{CLAIMED}"

    async def _planned(self, request: Request, question: tuple[object, ...], call: Call[Control]) -> Response:
        """Answer what Azure is read for; whoever has just asked the same gets the same answer."""
        try:
            response, _ = await self._plans.shared(question, lambda: self._answer(request, call, large=True))
        except Crowded:
            return _crowded()
        return response

    async def _read(self, request: Request, question: tuple[object, ...], call: Call[Control]) -> Response:
        """Answer a question; whoever asks the same at the same time gets the same answer."""
        try:
            answer, _ = await self._reads.shared(question, lambda: self._answer(request, call, large=True))
        except Crowded:
            return _crowded()
        return answer

    async def _command(
        self, request: Request, call: Call[Part], *, status: int = 200, of: Callable[[App], Part] = _control
    ) -> Response:
        try:
            return await self._commands.alone(lambda: self._answer(request, call, status=status, of=of))
        except Crowded:
            return _crowded()

    async def _answer(
        self,
        request: Request,
        call: Call[Part],
        *,
        status: int = 200,
        large: bool = False,
        of: Callable[[App], Part] = _control,
    ) -> Response:
        """Call and make an answer of what comes of it; of what may be `large` beside the event loop."""

        async def answer() -> Response:
            async with self._holder.using() as app:
                content = await call(of(app))
            headers = {}
            if status == 202 and "id" in content:
                base = request.url.partition("/groups/")[0]
                headers["Location"] = f"{base}/operations/{content['id']}"
            if large:
                response: Response = await self._aside(_json, status, content)
                return response
            return _json(status, content, headers)

        return await self._told(answer)

    async def _told(self, answer: Callable[[], Awaitable[Response]]) -> Response:
        """Answer, or say why not."""
        try:
            return await answer()
        except Refused as refused:
            return _refused(refused)
        except BadRequestError as bad:
            return _error(400, "bad_request", str(bad), bad.details)
        except StateUnreadable as error:
            return _error(503, "state_unreadable", str(error))
        except StoreUnavailable as error:
            return _error(503, "storage_unavailable", f"storage did not answer: {error}")
        except ConfigError as error:
            details = [
                {"path": each.where, "message": f"{each.message}; {each.remedy}"} for each in error.problems
            ]
            return _error(503, "configuration", "the configuration cannot be used", details)
        except SettingsError as error:
            details = [{"path": "settings", "message": each} for each in error.problems]
            return _error(503, "settings", "the application settings cannot be used", details)


def _asked(request: Request, name: str) -> str | None:
    """Return a parameter, empty without a value: the host leaves such out of `params` (azure-facts A13)."""
    query = request.url.partition("?")[2].partition("#")[0]
    return next((value for each, value in parse_qsl(query, keep_blank_values=True) if each == name), None)


def _group(request: Request) -> str:
    return str(request.route_params.get("group", ""))


def _body(request: Request, kind: type[Body], *, may_be_empty: bool, at_most: int = MAX_BYTES) -> Body:
    raw = request.get_body() or b""
    if len(raw) > at_most:
        raise BadRequestError(f"the body has {len(raw)} bytes; at most {at_most} are read")
    if not raw.strip():
        if not may_be_empty:
            raise BadRequestError('the body is empty; say where to: {"to": "NVA"}')
        raw = b"{}"
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise BadRequestError("the body cannot be used", complaints(error)) from None


def _refused(refused: Refused) -> Response:
    refusal, after_s = refused.refusal, refused.retry_after_s
    return _error(STATUS[refusal.code], refusal.code, refusal.message, retry_after_s=after_s)


def _crowded() -> Response:
    text = "too much is asked for at once; this was not done: ask again in a moment"
    return _error(503, RefusalCode.BUSY, text, retry_after_s=RETRY_AFTER_S)


def _error(
    status: int,
    code: str,
    message: str,
    details: list[dict[str, str]] | None = None,
    *,
    retry_after_s: float | None = None,
) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
    return _json(status, {"error": {"code": code, "message": message, "details": details or []}}, headers)


def _json(status: int, content: Mapping[str, object], headers: dict[str, str] | None = None) -> Response:
    sent = {**_HEADERS, **(headers or {})}
    text = json.dumps(in_texts(content, safe), ensure_ascii=False, indent=2) + "\n"
    return func.HttpResponse(text, status_code=status, headers=sent, mimetype=_MIMETYPE)
