"""Microsoft's OpenAPI description of Microsoft.Network, as a check on requests and answers.

The description and its examples lie beside the repository, in ../shared/arm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

Json = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "shared" / "arm"
DESCRIPTION = FOLDER / "network.json"
needs_description = pytest.mark.skipif(
    not DESCRIPTION.is_file(), reason=f"Microsoft's OpenAPI file is not there: {DESCRIPTION}"
)


@dataclass(frozen=True, slots=True)
class Example:
    """One of Microsoft's examples: the operation it shows, its parameters and its answers by status."""

    name: str
    operation: str
    parameters: Json
    responses: Json


class Description:
    """Checks exchanges against the description."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._definitions = _by_name(document["definitions"])
        self._paths = [(_pattern(path), methods) for path, methods in document["paths"].items()]

    def check(self, definition: str, body: object) -> None:
        """Raise jsonschema.ValidationError unless a body is what a definition says."""
        self._check({"$ref": f"#/definitions/{definition}"}, body)

    def check_request(self, method: str, url: str, body: object) -> None:
        """Raise unless a request's parameters and body are what the description asks for."""
        operation = self._operation(method, url)
        if operation is None:
            return
        for parameter in self._parameters(operation):
            if parameter.get("in") == "body":
                self._check(parameter["schema"], body)
            elif parameter.get("in") == "query" and parameter.get("required"):
                assert parameter["name"] in parse_qs(urlsplit(url).query), (
                    f"{parameter['name']} lacks in {url}"
                )

    def check_response(self, method: str, url: str, status: int, body: object) -> None:
        """Raise unless an answer is one that the description allows."""
        operation = self._operation(method, url)
        if operation is None:
            if status >= 400:
                self.check("CloudError", body)
            return
        responses = operation["responses"]
        if str(status) not in responses:
            assert status >= 400, f"{method} may not answer {status}"
        self._check(responses.get(str(status), responses["default"])["schema"], body)

    def examples(self) -> Iterator[Example]:
        """Yield every example of the description."""
        for methods in self._document["paths"].values():
            for operation in methods.values():
                for name, file in operation["x-example-files"].items():
                    read = json.loads((FOLDER / file).read_text())
                    yield Example(name, operation["operationId"], read["parameters"], read["responses"])

    def _operation(self, method: str, url: str) -> Json | None:
        path = urlsplit(url).path
        for pattern, methods in self._paths:
            if pattern.fullmatch(path):
                found: Json | None = methods.get(method.lower())
                return found
        return None

    def _parameters(self, operation: Json) -> Iterator[Json]:
        for parameter in operation["parameters"]:
            reference = parameter.get("$ref")
            yield self._document["parameters"][reference.rpartition("/")[2]] if reference else parameter

    def _check(self, schema: Json, body: object) -> None:
        whole = {**_to_json_schema(schema), "definitions": self._definitions}
        jsonschema.Draft4Validator(whole).validate(body)


@cache
def description() -> Description:
    """Return Microsoft's description."""
    return Description(json.loads(DESCRIPTION.read_text()))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"\{[^}]+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")), re.I
    )


def _to_json_schema(schema: Any) -> Any:
    """Return a Swagger 2.0 schema as JSON schema draft 4: what only Swagger knows is dropped."""
    if isinstance(schema, list):
        return [_to_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # An `enum` that Azure may extend (modelAsString) binds nobody.
    extensible = schema.get("x-ms-enum", {}).get("modelAsString", False)
    dropped = {"readOnly", "discriminator", "description", "format", *(["enum"] if extensible else [])}
    plain = {
        key: _by_name(value) if key == "properties" else _to_json_schema(value)
        for key, value in schema.items()
        if not key.startswith("x-") and key not in dropped
    }
    # Swagger means an object wherever it names properties; JSON schema has to be told.
    return {"type": "object", **plain} if "properties" in plain else plain


def _by_name(schemas: Json) -> Json:
    return {name: _to_json_schema(schema) for name, schema in schemas.items()}
