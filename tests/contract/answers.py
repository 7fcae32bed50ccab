"""Whether an answer is what the API's document says: nothing is missing, and nothing is there beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from nvaha.web.openapi import CALLS, document

Json = dict[str, Any]


@cache
def _closed() -> Json:
    """Return the document with objects that have the named properties and no others.

    Clients are told to ignore what they do not know, so the published document leaves them open.
    """
    found = document()
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return found


@cache
def _validator(function: str, status: int) -> Draft202012Validator | None:
    whole = _closed()
    [call] = [each for each in CALLS if each.name == function]
    answers: Json = whole["paths"][f"/{call.path}"][call.method.lower()]["responses"]
    answer = answers.get(str(status))
    if answer is None or "content" not in answer:
        return None
    schema = answer["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": whole["components"]})


def problems(
    function: str, status: int, content: object, headers: Mapping[str, str] | None = None
) -> list[str]:
    """Return where an answer differs from the document.

    Args:
        function: the function of function_app.py that gave it.
        status: HTTP's.
        content: its JSON.
        headers: its headers, if they are to be looked at.
    """
    validator = _validator(function, status)
    if validator is None:
        return [f"{function}: no answer {status} is documented"]
    found = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(content)]
    made = status == 202 and isinstance(content, dict) and "id" in content
    if made and headers is not None and "Location" not in headers:
        found.append("Location: is missing")
    return found
