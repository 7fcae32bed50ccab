"""Azure's own types: what a resource's properties are called, and which values they take.

Made from Microsoft's published Bicep types; they lie beside the repository, in ../shared/bicep, and what is
not there in `types` here (Azure/bicep-types-az, generated: applicationinsights/microsoft.insights/2022-06-15,
operationalinsights/microsoft.operationalinsights/2025-02-01, portal/microsoft.portal/2022-12-01-preview).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .template.parameters import is_a
from .template.runtime import Runtime
from .tools import ROOT

FOLDER = ROOT.parent / "shared" / "bicep"
FOLDERS = (FOLDER / "types", Path(__file__).with_name("types"))
needs_types = pytest.mark.skipif(
    not (FOLDER / "types").is_dir(), reason=f"Azure's resource types are not there: {FOLDER / 'types'}"
)

Spec = Mapping[str, Any]
# The published list of these ends years ago.
OPEN = frozenset({".properties.hardwareProfile.vmSize"})

# Documented by Microsoft (azure-facts A3), and in no published type yet.
UNPUBLISHED = frozenset({".properties.functionAppConfig.siteUpdateStrategy"})

# The published type of a dashboard has one kind of tile, which shows text; the portal makes all of them.
UNLISTED = frozenset({"Extension/Microsoft_OperationsManagementSuite_Workspace/PartType/LogsDashboardPart"})


class ResourceType:
    """The type of one kind of resource at one API version."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._types: Mapping[str, Spec] = document["types"]
        self._body: Spec = document["body"]

    def problems(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Yield what Azure would refuse in the body of a resource."""
        yield from self._check(body, self._body, "")

    def has(self, path: str) -> bool:
        """Tell whether a property can be read by its dotted path."""
        spec = self._resolve(self._body, {})
        for name in path.split("."):
            known = spec.get("properties", {}).get(name, spec.get("additional"))
            if known is None:
                return False
            spec = self._resolve(known, {})
        return True

    def _resolve(self, spec: Spec, value: Mapping[str, Any]) -> Spec:
        """Follow references, and the property that decides between several types."""
        while "ref" in spec or "by" in spec:
            if "ref" in spec:
                spec = self._types[spec["ref"]]
            else:
                case = spec["cases"].get(value.get(spec["by"]))
                if case is None:
                    return spec
                spec = case
        return spec

    def _check(self, value: Any, spec: Spec, path: str) -> Iterator[str]:
        if value is None or isinstance(value, Runtime):
            return
        if isinstance(value, dict):
            inner = self._resolve(spec, value)
            if inner.get("type", "any") != "any":
                yield f"{path} is an object and must be of type {inner['type']}"
            elif "by" in inner and value.get(inner["by"]) in UNLISTED:
                return
            elif "by" in inner:
                yield f"{path}.{inner['by']} is {value.get(inner['by'])!r}, which is not known"
            elif "properties" in inner:
                yield from self._check_object(value, inner, path)
        else:
            yield from self._check_plain(value, self._resolve(spec, {}), path)

    def _check_object(self, value: Mapping[str, Any], spec: Spec, path: str) -> Iterator[str]:
        properties: Mapping[str, Spec] = spec["properties"]
        for key, each in value.items():
            known = properties.get(key, spec.get("additional"))
            if f"{path}.{key}" in UNPUBLISHED:
                continue
            if known is None:
                yield f"there is no property {path}.{key}"
            elif known.get("readOnly"):
                yield f"{path}.{key} can only be read"
            else:
                yield from self._check(each, known, f"{path}.{key}")
        for key, each in properties.items():
            if each.get("required") and value.get(key) is None:
                yield f"{path}.{key} is required"

    def _check_plain(self, value: Any, spec: Spec, path: str) -> Iterator[str]:
        wanted = spec.get("type", "object")
        if wanted == "any":
            return
        if not is_a(value, wanted):
            yield f"{path} is {value!r} and must be of type {wanted}"
            return
        # Azure takes others than the known ones, too; these templates have no use for them.
        choices = spec.get("allowed", None if path in OPEN else spec.get("known"))
        if choices is not None and value not in choices:
            yield f"{path} is {value!r} and must be one of {choices}"
        if "pattern" in spec and not re.search(spec["pattern"], value):
            yield f"{path} is {value!r} and must match {spec['pattern']}"
        plain = wanted in {"int", "bool"}
        lengths = ("min", "max") if plain else ("minLength", "maxLength")
        size = value if plain else len(value)
        if size < spec.get(lengths[0], size) or size > spec.get(lengths[1], size):
            yield f"{path} is {value!r}: {[spec.get(each) for each in lengths]}"
        if wanted == "array":
            for at, each in enumerate(value):
                yield from self._check(each, spec["items"], f"{path}[{at}]")


@cache
def resource_type(target: str) -> ResourceType | None:
    """Return a type by its name and API version; None where Azure has no such version, as far as is known."""
    name = target.removeprefix("Microsoft.").replace("/", ".").lower()
    found = next((file for folder in FOLDERS if (file := folder / f"{name}.json").is_file()), None)
    return ResourceType(json.loads(found.read_text(encoding="utf-8"))) if found else None
