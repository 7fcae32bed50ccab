"""What the pages tell people to call is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from nvaha.config import ConfigError, parse

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "nvaha.sample.yaml", *sorted((ROOT / "docs").glob("*.md"))]
CALL = re.compile(r"/api((?:/[\w{}.-]+)+)|\b(?:GET|POST) ((?:/[\w{}.-]+)+)")


def routes() -> list[re.Pattern[str]]:
    """Return the routes of the app's functions, each as the paths that it takes."""
    found = []
    for node in ast.walk(ast.parse((ROOT / "function_app.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.route":
            parts = re.split(r"\{\w+\}", ast.literal_eval(node.args[0]))
            found.append(re.compile("/" + "[^/]+".join(map(re.escape, parts))))
    return found


def called(text: str) -> set[str]:
    """Return the paths below /api that a page names, with or without it in front."""
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
    text = (
        "`GET /api/metrics`, [page](https://a.example/api/ui), `POST /groups/{group}/explode`; not /metrics"
    )
    unknown = {path for path in called(text) if not any(route.fullmatch(path) for route in routes())}
    assert unknown == {"/metrics", "/ui", "/groups/{group}/explode"}
