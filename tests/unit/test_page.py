"""The status page as it is served: a fixed set of files, to anybody, that tell nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from pathlib import Path
from typing import cast

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.app.holder import AppHolder
from nvaha.web.api import Api
from nvaha.web.page import FOLDER, Page

NOT_THERE = b"there is no such file in this release: load the page again\n"
AGENT = {"user-agent": 'x"><script>alert(1)</script>{files}'}


def page(*, signed_in: bool = False) -> Page:
    """Return the page of an app."""
    return Page(Api(cast("AppHolder", None), signed_in=signed_in).caller)


PAGE = page()


def asked(
    url: str = "https://app.example/api/ui", headers: dict[str, str] | None = None, **route: str
) -> func.HttpRequest:
    """Return a request."""
    return func.HttpRequest(method="GET", url=url, headers=headers or {}, route_params=route, body=b"")


def index(
    of: Page, url: str = "https://app.example/api/ui", headers: dict[str, str] | None = None
) -> tuple[str, func.HttpResponse]:
    """Return the page's text, and the whole answer."""
    response = asyncio.run(of.index(asked(url, headers)))
    return response.get_body().decode(), response


def file(of: Page, version: str, name: str) -> func.HttpResponse:
    """Return the answer to a request for a file."""
    return asyncio.run(of.file(asked(version=version, name=name)))


def version_of(of: Page) -> str:
    """Return what the addresses of the page's files bear."""
    [found] = set(re.findall(r'"ui/(\w+)/', index(of)[0]))
    return str(found)


def assert_closed(response: func.HttpResponse) -> None:
    """Hold an answer against what a browser must be told with each of them."""
    policy = dict(each.split(" ", 1) for each in response.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy.pop("trusted-types") == "lit-html"
    own = {name for name, sources in policy.items() if sources == "'self'"}
    assert own == {"script-src", "style-src", "img-src", "connect-src"}
    closed = {name for name, sources in policy.items() if sources == "'none'"}
    assert closed == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert own | closed == set(policy)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_every_file_that_the_page_needs_is_there_to_be_kept() -> None:
    """What the HTML names, and what a module imports, is sent under its type, for a year."""
    of = page()
    text, response = index(of)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.mimetype == "text/html"
    assert_closed(response)
    todo, seen = set(re.findall(r'"ui/\w+/([\w.-]+)"', text)), set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        found = file(of, version_of(of), name)
        assert found.status_code == 200, name
        assert_closed(found)
        assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[name.rpartition(".")[2]]
        assert found.mimetype == kind
        if kind == "text/javascript":
            todo |= set(re.findall(r'from ?"\./([\w.-]+)"', found.get_body().decode())) - seen
    assert seen == {each.name for each in FOLDER.iterdir() if each.suffix in {".js", ".css", ".svg"}}


def test_an_address_that_ends_in_a_slash_leads_to_the_same_files() -> None:
    """Addresses on the page are relative, so that it works behind whatever stands before the app."""
    of = page()
    text, _ = index(of, "https://app.example/api/ui/?x=1")
    assert f'src="{version_of(of)}/app.js"' in text


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "index.html", "lit-html.json", "lit-html.LICENSE", "../page.py", "../../../host.json",
     "/etc/passwd", "app.js/", "APP.JS", "x\0", "%2e%2e%2fapi.py", "..\\page.py", "app.js/../../page.py"],
)  # fmt: skip
def test_no_name_leads_to_another_file(name: str) -> None:
    """There is no path made of what was asked: a name is one of the files', or it is nothing."""
    of = page()
    found = file(of, version_of(of), name)
    assert (found.status_code, found.headers["Cache-Control"]) == (404, "no-store")
    assert_closed(found)


PIECES = st.sampled_from(["..", "/", "\\", "%2f", "app.js", "style.css", "page.py", "ui", ".", "\0"])


@given(st.text(max_size=20) | st.lists(PIECES, max_size=5).map("".join))
def test_whatever_is_asked_is_one_of_the_files_or_nothing(name: str) -> None:
    """By its very name, and no other."""
    there = {each.name: each.read_bytes() for each in FOLDER.iterdir()}
    found = file(PAGE, version_of(PAGE), name)
    assert found.status_code == (200 if name in {"app.js", "style.css"} else 404)
    assert found.get_body() == there.get(name, NOT_THERE)


def test_the_files_of_another_release_are_not_there(tmp_path: Path) -> None:
    """Another content of any file is another address of all, so no browser mixes two releases."""
    for each in FOLDER.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    with (tmp_path / "words.js").open("a") as words:
        words.write("// more\n")
    older, newer = page(), Page(lambda _: "", tmp_path)
    assert version_of(older) != version_of(newer)
    assert file(newer, version_of(older), "app.js").status_code == 404


def test_a_stranger_learns_nothing() -> None:
    """All answers are the release's files and what the caller said of himself, whoever he is."""
    text, _ = index(page(), headers={"user-agent": "somebody"})
    assert text == index(page())[0].replace("HTTP (claimed)", "somebody (claimed)")


def test_what_a_caller_calls_himself_is_text() -> None:
    """It stands in an attribute, and ends there; nothing in it is taken for a part of the page."""
    text, _ = index(page(), headers=AGENT)
    assert "<script>alert" not in text
    [content] = re.findall(r'name="nvaha-caller" content="([^"]*)"', text)
    assert "&lt;script&gt;" in content


def test_nothing_on_the_page_stands_in_the_html_itself() -> None:
    """No script, style or handler is inline, and nothing comes from elsewhere: the policy holds for it."""
    text = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>(?=[^<])|<style|\sstyle=|\son\w+=|https?:|//", text) == []
    for each in [*FOLDER.glob("*.css"), *FOLDER.glob("*.js")]:
        if each.name != "lit-html.js":
            own = each.read_text("utf-8")
            assert re.findall(r"\sstyle=|innerHTML|unsafe|eval\(|@import|url\(", own) == [], each.name


def test_the_library_is_the_one_that_was_published() -> None:
    """Byte for byte, its licence too; whoever changes either is told that it is that one no more."""
    record = json.loads((FOLDER / "lit-html.json").read_text("utf-8"))
    found = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in record["files"]}
    assert found == {name: each["sha256"] for name, each in record["files"].items()}
    assert set(record["files"]) == {"lit-html.js", "lit-html.LICENSE"}
    assert f'"{record["version"]}"' in (FOLDER / "lit-html.js").read_text("utf-8")
