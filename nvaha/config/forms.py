"""The shapes of the native file, one flat form for each mapping in it, and the fields' own limits.

Forms are flat, and nested parts are read one by one, so that a mistake in one part never hides the others.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import durationpy
from azure.mgmt.core.tools import is_valid_resource_id, parse_resource_id
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from nvaha.config.problems import Findings, Unshown, at, show

_DURATION = re.compile(r"(\d{1,9}(\.\d{1,6})?(us|ms|s|m|h|d))+", re.ASCII)
_ID_PART = re.compile(r"[\w.()-]{1,128}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STATUS_RANGE = re.compile(r"(\d{3})(?:\s*-\s*(\d{3}))?", re.ASCII)


def refusal(message: str, remedy: str) -> PydanticCustomError:
    """Return a pydantic error that says what is wrong and what to do."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "remedy": remedy})


def write_duration(seconds: float) -> str:
    """Return seconds as the file writes them, such as `1m30s`."""
    text: str = durationpy.to_str(timedelta(seconds=seconds))
    if not seconds:
        return "0s"
    return re.sub(r"(?<=[hm])0s$", "", re.sub(r"(?<=h)0m(?=0s$)", "", text))  # 1h, where Go writes 1h0m0s


def read_duration(text: str) -> float:
    """Return the seconds of a duration as the file writes it; PydanticCustomError if it is none."""
    return _seconds(text)


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refusal(
            "is a number without a unit", f"write {show(value)}s, or {show(value)}ms for milliseconds"
        )
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise refusal("is not a duration", "write a number with its unit: 500ms, 1s, 1m30s")
    try:
        duration: timedelta = durationpy.from_str(value)
    except durationpy.DurationError:
        raise refusal("is not a duration", "write a number with its unit: 500ms, 1s, 1m30s") from None
    return duration.total_seconds()


def _between_durations(low: float, high: float) -> AfterValidator:
    def check(value: float) -> float:
        if low <= value <= high:
            return value
        bounds = f"{write_duration(low)} to {write_duration(high)}"
        raise refusal(f"is outside {bounds}", f"write a duration from {bounds}")

    return AfterValidator(check)


def _between(low: int, high: int) -> AfterValidator:
    def check(value: int) -> int:
        if low <= value <= high:
            return value
        raise refusal(f"is outside {low} to {high}", f"write a number from {low} to {high}")

    return AfterValidator(check)


def _like(pattern: str, message: str, remedy: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        raise refusal(message, remedy)

    return AfterValidator(check)


def _ip_address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise refusal(
            "is not an IP address", "write an IPv4 or IPv6 address, such as 10.0.0.4 or fd00::4"
        ) from None
    if address.is_unspecified or address.is_multicast or "%" in value:
        raise refusal("is not the address of one host", "write the address of a network interface")
    return str(address)


def _status_codes(value: object) -> tuple[int, ...]:
    remedy = "write HTTP status codes from 100 to 599: 200, [200, 401] or 200-399"
    codes: list[int] = []
    for item in value if isinstance(value, list | tuple) else [value]:
        match = _STATUS_RANGE.fullmatch(item) if isinstance(item, str) else None
        if match:
            low, high = int(match[1]), int(match[2] or match[1])
        elif isinstance(item, int) and not isinstance(item, bool):
            low = high = item
        else:
            raise refusal("is not a status code", remedy)
        if not 100 <= low <= high <= 599:
            raise refusal("is not a range of status codes", remedy)
        codes.extend(code for code in range(low, high + 1) if code not in codes)
    if not codes:
        raise refusal("names no status code", remedy)
    return tuple(codes)


Port = Annotated[int, _between(1, 65535)]
Address = Annotated[str, AfterValidator(_ip_address)]
_LABEL = r"[A-Za-z0-9._-]{1,64}"
GroupName = Annotated[
    str,
    _like(
        r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?",
        "is no name for a group",
        "use 1 to 42 small letters, digits and -, with a letter or digit at both ends",
    ),
]
NvaName = Annotated[str, _like(_LABEL, "is no name for an NVA", "use 1 to 64 letters, digits, . _ and -")]
NO_ROLE = ("is no name for a role", "use 1 to 64 letters, digits, . _ and -")
RoleName = Annotated[str, _like(_LABEL, *NO_ROLE)]
IpConfigurationName = Annotated[
    str,
    _like(
        r"[A-Za-z0-9_][\w.-]{0,79}", "is no name of an IP configuration", "write its name as the NIC shows it"
    ),
]


class Form(BaseModel):
    """One mapping of the file. A key left out, or left empty, is None; `REQUIRED` ones must be there."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
    REQUIRED: ClassVar[tuple[str, ...]] = ()


class FileForm(Form):
    """The whole file."""

    REQUIRED = ("groups",)
    groups: list[Any] | None = None
    control_targets: list[Any] | None = None
    canary: dict[str, Any] | None = None


class CanaryForm(Form):
    """`canary`: a route table that is switched to see that switching works."""

    REQUIRED = ("route_table",)
    route_table: str | None = None
    every: Annotated[float, BeforeValidator(_seconds), _between_durations(600, 604800)] | None = None
    slow: Annotated[float, BeforeValidator(_seconds), _between_durations(1, 300)] | None = None


class GroupForm(Form):
    """One entry of `groups`."""

    REQUIRED = ("name", "nvas")
    name: GroupName | None = None
    nvas: list[Any] | None = None
    route_tables: list[Any] | None = None
    public_ips: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None
    policy: dict[str, Any] | None = None


class NvaForm(Form):
    """One entry of `nvas`."""

    REQUIRED = ("name", "interfaces")
    name: NvaName | None = None
    interfaces: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None


class PublicIpForm(Form):
    """One public IP, written out."""

    REQUIRED = ("id",)
    id: str | None = None
    ip_configuration: IpConfigurationName | None = None


class TargetForm(Form):
    """One control target, written out."""

    REQUIRED = ("address", "port")
    address: Address | None = None
    port: Port | None = None


class ProbeForm(Form):
    """`probe`, of a group or of one NVA."""

    type: Literal["tcp", "http", "https"] | None = None
    port: Port | None = None
    interface: RoleName | None = None
    address: Address | None = None
    path: Annotated[str, _like(r"/[!-~]{0,2047}", "is no path", "start it with /, without spaces")] | None = (
        None
    )
    expect: Annotated[tuple[int, ...], BeforeValidator(_status_codes)] | None = None
    host: (
        Annotated[
            str, _like(r"[\w.-]{1,253}(:\d{1,5})?", "is no host name", "write it as the Host header has it")
        ]
        | None
    ) = None
    verify_tls: bool | None = None
    interval: Annotated[float, BeforeValidator(_seconds), _between_durations(0.1, 60)] | None = None
    fast_interval: Annotated[float, BeforeValidator(_seconds), _between_durations(0.1, 60)] | None = None
    timeout: Annotated[float, BeforeValidator(_seconds), _between_durations(0.1, 10)] | None = None
    fall: Annotated[int, _between(1, 20)] | None = None
    rise: Annotated[int, _between(1, 20)] | None = None


class PolicyForm(Form):
    """`policy` of a group."""

    automatic: bool | None = None
    select: Literal["order", "cycle"] | None = None
    failback: Literal["manual", "automatic"] | None = None
    failback_after: Annotated[float, BeforeValidator(_seconds), _between_durations(10, 86400)] | None = None
    hold_down: Annotated[float, BeforeValidator(_seconds), _between_durations(0, 86400)] | None = None
    max_switches_per_hour: Annotated[int, _between(1, 60)] | None = None
    drift: Literal["repair", "report", "off"] | None = None
    adopt: Literal["wait", "repair"] | None = None
    unsteady: Literal["report", "down"] | None = None
    drift_interval: Annotated[float, BeforeValidator(_seconds), _between_durations(60, 86400)] | None = None
    deadline: Annotated[float, BeforeValidator(_seconds), _between_durations(30, 840)] | None = None


_HOMES: Mapping[str, type[Form]] = {
    "the top level": FileForm,
    "an entry of groups": GroupForm,
    "an entry of nvas": NvaForm,
    "canary": CanaryForm,
    "probe": ProbeForm,
    "policy": PolicyForm,
}
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
                message, remedy = "is not a known key", _where_instead(name, form)
                findings.error(at(path, name), Unshown.HIDDEN, message, remedy)
            else:
                findings.error(at(path, name), value.get(name), *_explain(detail))
            broken.add(name)
            near = _closest(name, form)
            if near and near not in value:  # what was meant is broken, not missing
                broken.add(near)
    good = {key: item for key, item in written.items() if key not in broken}
    return Part(form.model_validate(good), frozenset(broken))


def _misspells(key: str, name: str, form: type[Form]) -> bool:
    return key not in form.model_fields and _closest(key, form) == name


def _closest(key: str, form: type[Form]) -> str | None:
    plain = {field.replace("_", ""): field for field in form.model_fields}
    wanted = re.sub(r"[^a-z0-9]", "", key.lower())[:64]
    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.7)
    return plain[near[0]] if near else None


def _where_instead(key: str, form: type[Form]) -> str:
    if near := _closest(key, form):
        return f"did you mean {near}?"
    homes = [home for home, other in _HOMES.items() if key in other.model_fields]
    if homes:
        return f"it is a key of {' and of '.join(homes)}: move it there"
    return f"delete it; the keys here are {', '.join(form.model_fields)}"


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
    return re.fullmatch(_LABEL, name, re.ASCII) is not None


def read_id(value: object, kind: str, path: str, findings: Findings) -> str | None:
    """Return a resource id of type `Microsoft.Network/<kind>`, or None after saying what is wrong."""
    expected = f"Microsoft.Network/{kind}"
    remedy = f"write it as /subscriptions/…/resourceGroups/…/providers/{expected}/NAME"
    if not isinstance(value, str):
        findings.error(path, value, f"is not the id of a {expected}", remedy)
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
        findings.warn(
            path,
            value,
            f"has a subscription that is not a GUID: {show(names[0])}",
            "use the subscription's id",
        )
    return value


def _type_of(parts: Mapping[str, Any]) -> str:
    names = [str(parts.get("namespace", "no resource type")), str(parts.get("type", ""))]
    names += [str(parts[f"child_type_{level}"]) for level in range(1, 9) if f"child_type_{level}" in parts]
    return "/".join(name for name in names if name)
