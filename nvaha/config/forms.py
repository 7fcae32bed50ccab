"""The shapes of the native file, one flat form for each mapping in it, and the fields' own limits.

Forms are flat, and nested parts are read one by one, so that a mistake in one part never hides the others.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

import durationpy
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from nvaha.config.problems import show

_DURATION = re.compile(r"(\d{1,9}(\.\d{1,6})?(us|ms|s|m|h|d))+", re.ASCII)
_ID_PART = re.compile(r"[\w.()-]{1,128}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STATUS_RANGE = re.compile(r"(\d{3})(?:\s*-\s*(\d{3}))?", re.ASCII)


def refusal(message: str, remedy: str, index: int | None = None) -> PydanticCustomError:
    """Return a pydantic error that says what is wrong, in which entry if in one, and what to do."""
    context = {"message": message, "remedy": remedy} | ({} if index is None else {"index": index})
    return PydanticCustomError("refusal", "{message}", context)


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
    for number, item in enumerate(value if isinstance(value, list) else [value]):
        index = number if isinstance(value, list) else None
        match = _STATUS_RANGE.fullmatch(item) if isinstance(item, str) else None
        if match:
            low, high = int(match[1]), int(match[2] or match[1])
        elif isinstance(item, int) and not isinstance(item, bool):
            low = high = item
        else:
            raise refusal("is not a status code", remedy, index)
        if not 100 <= low <= high <= 599:
            raise refusal("is not a range of status codes", remedy, index)
        codes.extend(code for code in range(low, high + 1) if code not in codes)
    if not codes:
        raise refusal("names no status code", remedy)
    return tuple(codes)


Port = Annotated[int, _between(1, 65535)]
Address = Annotated[str, AfterValidator(_ip_address)]
LABEL = r"[A-Za-z0-9._-]{1,64}"
GroupName = Annotated[
    str,
    _like(
        r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?",
        "is no name for a group",
        "use 1 to 42 small letters, digits and -, with a letter or digit at both ends",
    ),
]
NvaName = Annotated[str, _like(LABEL, "is no name for an NVA", "use 1 to 64 letters, digits, . _ and -")]
ReceiverName = Annotated[
    str, _like(LABEL, "is no name for a receiver", "use 1 to 64 letters, digits, . _ and -")
]
SettingName = Annotated[
    str,
    _like(
        r"[A-Za-z_][A-Za-z0-9_]{0,99}",
        "is not the name of an application setting",
        "write the setting's name here, and its value, best as a Key Vault reference, into the setting",
    ),
]
TopicEndpoint = Annotated[
    str,
    _like(
        r"(?i)(https://([a-z0-9-]+\.)+eventgrid\.azure\.(net|us|cn)|http://(localhost|127\.0\.0\.1)(:\d{1,5})?)/api/events",
        "is not the endpoint of an Event Grid topic",
        "write it as the topic's overview shows it: https://NAME.REGION-1.eventgrid.azure.net/api/events",
    ),
]
NO_ROLE = ("is no name for a role", "use 1 to 64 letters, digits, . _ and -")
RoleName = Annotated[str, _like(LABEL, *NO_ROLE)]
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What is below a field: mappings of this form, each at the field's path and `at` behind it."""

    form: type[Form]
    at: str = ""


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


class PublicIpForm(Form):
    """One public IP, written out."""

    REQUIRED = ("id",)
    id: str | None = None
    ip_configuration: IpConfigurationName | None = None


class NvaForm(Form):
    """One entry of `nvas`."""

    REQUIRED = ("name", "interfaces")
    name: NvaName | None = None
    interfaces: dict[str, Any] | None = None
    probe: Annotated[dict[str, Any] | None, Parts(ProbeForm)] = None


class GroupForm(Form):
    """One entry of `groups`."""

    REQUIRED = ("name", "nvas")
    name: GroupName | None = None
    nvas: Annotated[list[Any] | None, Parts(NvaForm, "[]")] = None
    route_tables: list[Any] | None = None
    public_ips: Annotated[dict[str, Any] | None, Parts(PublicIpForm, ".ROLE")] = None
    probe: Annotated[dict[str, Any] | None, Parts(ProbeForm)] = None
    policy: Annotated[dict[str, Any] | None, Parts(PolicyForm)] = None


class TargetForm(Form):
    """One control target, written out."""

    REQUIRED = ("address", "port")
    address: Address | None = None
    port: Port | None = None


class CanaryForm(Form):
    """`canary`: a route table that is switched to see that switching works."""

    REQUIRED = ("route_table",)
    route_table: str | None = None
    every: Annotated[float, BeforeValidator(_seconds), _between_durations(600, 604800)] | None = None
    slow: Annotated[float, BeforeValidator(_seconds), _between_durations(1, 300)] | None = None


class ReceiverForm(Form):
    """One entry of `notify`: who is sent what people have to know."""

    REQUIRED = ("name", "type")
    name: ReceiverName | None = None
    type: Literal["webhook", "teams", "slack", "pagerduty", "event_grid"] | None = None
    endpoint: TopicEndpoint | None = None
    url_setting: SettingName | None = None
    key_setting: SettingName | None = None
    events: list[Any] | None = None
    level: Literal["info", "warning", "error"] | None = None
    groups: list[Any] | None = None


class FileForm(Form):
    """The whole file."""

    REQUIRED = ("groups",)
    groups: Annotated[list[Any] | None, Parts(GroupForm, "[]")] = None
    control_targets: Annotated[list[Any] | None, Parts(TargetForm, "[]")] = None
    canary: Annotated[dict[str, Any] | None, Parts(CanaryForm)] = None
    notify: Annotated[list[Any] | None, Parts(ReceiverForm, "[]")] = None
