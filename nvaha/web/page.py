"""The status page: a fixed set of files, and nothing that anybody needs a key for.

All that the page shows, it asks the API for, from the browser and with the key that its reader has entered.
So whoever reaches the app is given these files, which are the same for everybody, and the words by which the
history would call him.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from html import escape
from pathlib import Path

import azure.functions as func

FOLDER = Path(__file__).parent / "ui"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""What is sent, by the end of its name; the folder's other files are not."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text becomes HTML but the templates of the one library that draws the page.
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_A_YEAR = "public, max-age=31536000, immutable"


class Page:
    """Answers for the page and its files.

    Args:
        caller: returns who asks, as the history would have it.
        folder: where the files are; they are read at the first request and not again.
    """

    def __init__(self, caller: Callable[[func.HttpRequest], str], folder: Path = FOLDER) -> None:
        self._caller = caller
        self._folder = folder

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        """Every file that is sent, by its name: what is not in here cannot be asked for."""
        there = sorted(self._folder.iterdir())
        return {each.name: each.read_bytes() for each in there if each.suffix in TYPES}

    @cached_property
    def _version(self) -> str:
        """Return what the files' addresses bear: another for any other content of any of them."""
        content = hashlib.sha256()
        for name, body in self._files.items():
            content.update(f"{name} {len(body)}\n".encode() + body)
        return content.hexdigest()[:20]

    @cached_property
    def _html(self) -> str:
        return (self._folder / "index.html").read_text(encoding="utf-8")

    async def index(self, request: func.HttpRequest) -> func.HttpResponse:
        """Return the page; never kept, since it names the files of one release and who asked."""
        slash = request.url.partition("?")[0].partition("#")[0].endswith("/")
        files = f"{self._version}/" if slash else f"ui/{self._version}/"
        html = self._html.replace("{files}", files).replace("{caller}", escape(self._caller(request)))
        return _sent(200, html.encode(), "text/html", "no-store")

    async def file(self, request: func.HttpRequest) -> func.HttpResponse:
        """Return one file of this very release, to be kept for ever; 404 for any other."""
        name = str(request.route_params.get("name", ""))
        body = self._files.get(name)
        if body is None or request.route_params.get("version") != self._version:
            return _sent(
                404, b"there is no such file in this release: load the page again\n", "text/plain", "no-store"
            )
        return _sent(200, body, TYPES[Path(name).suffix], _A_YEAR)


def _sent(status: int, body: bytes, mimetype: str, kept: str) -> func.HttpResponse:
    headers = {**_ALWAYS, "Cache-Control": kept}
    return func.HttpResponse(body, status_code=status, headers=headers, mimetype=mimetype, charset="utf-8")
