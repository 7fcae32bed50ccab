"""What the pages tell people to call is there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from nvaha.config import ConfigError, parse
from nvaha.core.findings import KINDS
from nvaha.web.bodies import FailoverBody, NotifyTestBody, PauseBody
from nvaha.web.openapi import CALLS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "nvaha.sample.yaml", *sorted((ROOT / "docs").glob("*.md"))]
CALL = re.compile(r"/api((?:/[\w{}.-]+)+)|\b(?:GET|POST) ((?:/[\w{}.-]+)+)")


KEY, MASTER_KEY = "x-functions-key: $NVAHA_KEY", "x-functions-key: $NVAHA_MASTER_KEY"
KEYLESS = {f"/{call.path}" for call in CALLS if call.level == "anonymous"}


def methods() -> list[tuple[re.Pattern[str], str]]:
    """Return the routes of the app's functions, each as the paths that it takes, and its method."""
    found = []
    for node in ast.walk(ast.parse((ROOT / "function_app.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.route":
            parts = re.split(r"\{\w+\}", ast.literal_eval(node.args[0]))
            [taken] = [ast.literal_eval(each.value) for each in node.keywords if each.arg == "methods"]
            found += [(re.compile("/" + "[^/]+".join(map(re.escape, parts))), each) for each in taken]
    return found


def routes() -> list[re.Pattern[str]]:
    """Return the routes of the app's functions, each as the paths that it takes."""
    return [route for route, _ in methods()]


def curls(text: str) -> Iterator[list[str]]:
    """Yield the words of each call by curl on a page, in blocks or in `code`."""
    for line in re.sub(r"\\\n *", " ", text).splitlines():
        for found in re.findall(r"^ *(curl .*)$|`(curl [^`]*)`", line):
            yield shlex.split("".join(found), comments=True)


def curl_problems(words: list[str]) -> Iterator[str]:
    """Report a call that the app would not answer: another path or method, no key, a body that it refuses."""
    [address] = [word for word in words if "://" in word or word.startswith("$NVAHA_URL")]
    if "/admin/" in address:  # the host's own, and locally only
        if not re.fullmatch(r"http://localhost:\d+/admin/functions/(probe|switch|poison)", address):
            yield f"{address} is no function that the host can be told to run"
        return
    given = dict(zip(words, [*words[1:], ""], strict=True))
    method = given.get("-X", "POST" if "-d" in given else "GET")
    path = address.partition("/api")[2].partition("?")[0]
    if not any(route.fullmatch(path) and taken == method for route, taken in methods()):
        yield f"{method} {path} is no route"
    key = MASTER_KEY if path.partition("/state")[0] == "" else KEY
    if path not in KEYLESS and "//localhost" not in address and given.get("-H") != key:
        yield f"{address} is called without its key"
    try:
        if "-d" in given:
            last = path.rpartition("/")[2]
            models: dict[str, type[BaseModel]] = {"failover": FailoverBody, "test": NotifyTestBody}
            body = models.get(last, PauseBody)
            body.model_validate_json(given["-d"])
    except ValidationError as error:
        yield f"{address}: {error}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_call_by_curl_would_be_answered(page: Path) -> None:
    """Method, path, key and body of a call to paste are those that the app takes."""
    assert [each for words in curls(page.read_text("utf-8")) for each in curl_problems(words)] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("x-functions-key: $NVAHA_KEY", "x-function-key: $NVAHA_KEY"),
        ('-H "x-functions-key: $NVAHA_KEY" ', ""),
        ('"request_id"', '"requestId"'),
        ("/edge/failover", "/edge/fail-over"),
        ("-d '{", "-X GET -d '{"),
    ],
)
def test_the_check_sees_a_call_that_fails(right: str, wrong: str) -> None:
    """A header, a body, a path or a method of another name is found on the page for the night."""
    page = (ROOT / "docs" / "manual-failover.md").read_text("utf-8")
    calls = [words for words in curls(page.replace(right, wrong)) if any("fail" in word for word in words)]
    assert right in page
    assert len(calls) == 1
    assert list(curl_problems(calls[0])) != []


def called(text: str) -> set[str]:
    """Return the paths below /api that a page names, with or without it in front."""
    text = re.sub(r"https://[\w.-]+\.azure\.\w+/\S*", "", text)  # a service of Azure's, not the app
    paths = (match[1] or match[2].removeprefix("/api") for match in CALL.finditer(text))
    return {path.rstrip(".") for path in paths}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_call_that_a_page_names_is_a_route(page: Path) -> None:
    """No page promises a path below /api that the app does not answer."""
    there = routes()
    assert len(there) > 5
    unknown = [path for path in called(page.read_text("utf-8")) if not any(r.fullmatch(path) for r in there)]
    assert unknown == []


def test_what_the_page_on_ha_nva_deletes_are_all_its_secrets() -> None:
    """Without the keys that the page says to delete, nothing in ha-nva's file is refused as a secret."""
    page = (ROOT / "docs" / "migrate-from-ha-nva.md").read_text("utf-8")
    [deleted] = re.findall(r"del\((.*?)\)", page)
    text = (ROOT / "tests/unit/config_cases/bad/hanva_secrets.yaml").read_text("utf-8")
    for key in deleted.split(", "):
        text, count = re.subn(rf'"{key.removeprefix(".")}": *"[^"]*",?', "", text)
        assert count
    text = re.sub(r",(\s*})", r"\1", text)
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert [each.path for each in refused.value.problems if "secret" in each.message] == []


def test_the_check_sees_what_is_not_there() -> None:
    """A call that no function answers is found, however it is written."""
    text = "`GET /api/gauges`, [page](https://a.example/api/ux), `POST /groups/{group}/explode`; not /gauges"
    unknown = {path for path in called(text) if not any(route.fullmatch(path) for route in routes())}
    assert unknown == {"/gauges", "/ux", "/groups/{group}/explode"}


def test_every_kind_of_finding_is_on_the_page_of_the_doctor() -> None:
    """With its level; and no other is."""
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.M))
    assert told == {code: str(level) for code, (level, _) in KINDS.items()}
