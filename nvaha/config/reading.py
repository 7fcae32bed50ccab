"""Reads mappings of the native file by their forms: what is good of each is kept, all that is not is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from azure.mgmt.core.tools import is_valid_resource_id, parse_resource_id
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nvaha.config.forms import LABEL, Form
from nvaha.config.misplaced import belongs, closest
from nvaha.config.problems import Findings, Unshown, at, show
from nvaha.config.slips import odd_character, slipped

_ID_PART = re.compile(r"[\w.()-]{1,128}")
_PLACEHOLDER = re.compile(r"<.*>?|\$?\{.*\}", re.DOTALL)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KINDS = {
    "string_type": ("is not text", "write text; put a number in quotes"),
    "int_type": ("is not a whole number", "write a whole number, without quotes or unit"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "list_type": ("is not a list", "write [a, b], or each entry on a line that starts with -"),
    "dict_type": ("is not a mapping", "write key: value lines, indented"),
}

F = TypeVar("F", bound=Form)


@dataclass(frozen=True, slots=True)
class Part(Generic[F]):
    """What could be read of a mapping: its good fields, and the names of those with an error."""

    form: F
    broken: frozenset[str]

    @property
    def given(self) -> dict[str, Any]:
        """The good fields that were written."""
        return {name: getattr(self.form, name) for name in self.form.model_fields_set}


def read(form: type[F], value: object, path: str, findings: Findings) -> Part[F]:
    """Check one mapping against its form, and keep what is good of it."""
    if not isinstance(value, dict):
        findings.error(path, value, *_KINDS["dict_type"])
        return Part(form(), frozenset(form.model_fields))
    broken = {name for name in form.REQUIRED if value.get(name) is None}
    for name in form.REQUIRED:
        if name in broken and not any(_misspells(key, name, form) for key in value):
            findings.error(at(path, name), Unshown.NONE, "is missing", f"add the key {name}")
    written = {key: item for key, item in value.items() if item is not None or key not in form.model_fields}
    try:
        return Part(form.model_validate(written), frozenset(broken))
    except ValidationError as refused:
        for detail in refused.errors(include_url=False, include_input=False):
            name = str(detail["loc"][0])
            if detail["type"] == "extra_forbidden":
                wrong = odd_character(name) or belongs(name, value[name], form, path, findings)
                findings.error(at(path, name), Unshown.HIDDEN, *wrong)
            else:
                # Where the name of a setting belongs, what is written is its secret, most often.
                told = Unshown.HIDDEN if name.endswith("_setting") else value.get(name)
                index = detail.get("ctx", {}).get("index")
                if index is None:
                    findings.error(at(path, name), told, *_explain(detail))
                else:
                    findings.error(at(at(path, name), index), value[name][index], *_explain(detail))
            broken.add(name)
            near = closest(name, form)
            if near and near not in value:  # what was meant is broken, not missing
                broken.add(near)
    good = {key: item for key, item in written.items() if key not in broken}
    return Part(form.model_validate(good), frozenset(broken))


def read_in(part: Part[Any], name: str, form: type[F], path: str, findings: Findings) -> Part[F]:
    """Check the mapping in a field of another; where that cannot be read, none of its own fields can.

    Args:
        part: what could be read of the other.
        name: the field, which may be left out.
        form: the mapping's form.
        path: the path of the other.
        findings: where errors go.
    """
    if name in part.broken:
        return Part(form(), frozenset(form.model_fields))
    return read(form, getattr(part.form, name) or {}, at(path, name), findings)


def _misspells(key: str, name: str, form: type[Form]) -> bool:
    return key not in form.model_fields and closest(key, form) == name


def _explain(detail: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong and the remedy, for an error of pydantic or one of ours."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "refusal":
        return str(context["message"]), str(context["remedy"])
    if kind == "literal_error":
        return "is not one of the choices", f"write {str(context['expected']).replace(chr(39), '')}"
    return _KINDS.get(kind, (detail["msg"], "see docs/configuration.md"))


def is_role(name: str) -> bool:
    """Tell whether a mapping's key can name a role."""
    return re.fullmatch(LABEL, name, re.ASCII) is not None


def read_id(value: object, kind: str, path: str, findings: Findings) -> str | None:
    """Return a resource id of type `Microsoft.Network/<kind>`, or None after saying what is wrong."""
    expected = f"Microsoft.Network/{kind}"
    remedy = f"write it as /subscriptions/…/resourceGroups/…/providers/{expected}/NAME"
    if not isinstance(value, str):
        findings.error(path, value, f"is not the id of a {expected}", remedy)
        return None
    if (slip := slipped(value)) is not None:
        wrong, meant = slip
        findings.error(path, value, wrong, f"write {meant}" if _is_id_of(meant, expected) else remedy)
        return None
    if _ID_PART.fullmatch(value) or _PLACEHOLDER.fullmatch(value):
        wrong = f"is a {'name' if _ID_PART.fullmatch(value) else 'placeholder'}, not a resource id"
        findings.error(path, value, f"{wrong}; a {expected} is expected", remedy)
        return None
    if value.startswith("/") and " " in value:
        findings.error(path, value, "holds a space, and no resource id does", remedy)
        return None
    if len(value) > 1024 or not is_valid_resource_id(value):
        findings.error(path, value, f"is not a resource id; a {expected} is expected", remedy)
        return None
    parts = parse_resource_id(value)
    found = _type_of(parts)
    if found.casefold() != expected.casefold():
        findings.error(path, value, f"is a {found}, where a {expected} is expected", remedy)
        return None
    names = [str(parts.get(key, "")) for key in ("subscription", "resource_group", "name")]
    if not all(_ID_PART.fullmatch(name) for name in names):
        findings.error(path, value, f"is not a resource id; a {expected} is expected", remedy)
        return None
    if not _GUID.fullmatch(names[0]):
        findings.error(
            path,
            value,
            f"has a subscription that is not a GUID: {show(names[0])}",
            "use the subscription's id",
        )
    return value


def _is_id_of(text: str, expected: str) -> bool:
    return is_valid_resource_id(text) and _type_of(parse_resource_id(text)).casefold() == expected.casefold()


def _type_of(parts: Mapping[str, Any]) -> str:
    names = [str(parts.get("namespace", "no resource type")), str(parts.get("type", ""))]
    names += [str(parts[f"child_type_{level}"]) for level in range(1, 9) if f"child_type_{level}" in parts]
    return "/".join(name for name in names if name)
