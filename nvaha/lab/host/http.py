"""The HTTP trigger of the local host: routes, methods and keys."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

import azure.functions as func
from aiohttp import web
from aiohttp.typedefs import Handler

from nvaha.lab.host.functions import IndexedFunction, Invoker

_MAX_BODY = 100 * 2**20
_PARAMETER = re.compile(r"\{(\*?)(\w+)[^}]*\}")


def application(
    functions: Iterable[IndexedFunction], invoker: Invoker, *, prefix: str, key: str | None
) -> web.Application:
    """Return a server for the functions with an HTTP trigger.

    Args:
        functions: those.
        invoker: calls them.
        prefix: host.json's routePrefix, which may be empty.
        key: the one function key; None asks for none, as Core Tools do.
    """
    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_unknown_method_is_not_found])
    for function in sorted(functions, key=lambda each: _route(each).count("{")):
        path = "/" + "/".join(part for part in (prefix.strip("/"), _route(function)) if part)
        for method in function.binding.get("methods") or ["*"]:
            app.router.add_route(method.upper(), _template(path), _Handler(function, invoker, key).handle)
    return app


def _route(function: IndexedFunction) -> str:
    route = function.binding.get("route")
    return (function.name if route is None else str(route)).strip("/")


def _template(path: str) -> str:
    """Turn a Functions route template into aiohttp's; constraints such as `{id:int}` are not checked."""
    return _PARAMETER.sub(lambda match: f"{{{match[2]}:.*}}" if match[1] else f"{{{match[2]}}}", path)


@web.middleware
async def _unknown_method_is_not_found(request: web.Request, handler: Handler) -> web.StreamResponse:
    # The host's routes know only their methods: any other is 404 there, not 405.
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        raise web.HTTPNotFound from None


class _Handler:
    """Answers the requests for one function."""

    def __init__(self, function: IndexedFunction, invoker: Invoker, key: str | None) -> None:
        self._function = function
        self._invoker = invoker
        level = str(function.binding.get("authLevel") or "function").casefold()
        self._key = None if level == "anonymous" else key

    async def handle(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return web.Response(status=401)
        sent = func.HttpRequest(
            request.method,
            str(request.url),
            headers=dict(request.headers),
            # The Functions host leaves out what has no value (azure-facts A13).
            params={name: value for name, value in request.query.items() if value},
            route_params=dict(request.match_info),
            body=await request.read(),
        )
        reason = "This function was programmatically called via the host APIs."
        outcome = await self._invoker.invoke(self._function, sent, reason)
        return web.Response(status=500) if outcome.error is not None else _response(outcome.value)

    def _admitted(self, request: web.Request) -> bool:
        if self._key is None:
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return hmac.compare_digest(given.encode(), self._key.encode())


def _response(value: object) -> web.Response:
    if value is None:
        return web.Response(status=204)
    if not isinstance(value, func.HttpResponse):
        return web.Response(text=str(value))
    response = web.Response(
        status=value.status_code, body=value.get_body(), content_type=value.mimetype, charset=value.charset
    )
    for name, header in value.headers.items():
        if name.casefold() != "content-type":
            response.headers[name] = header
        else:
            response.headers["Content-Type"] = header
    return response
