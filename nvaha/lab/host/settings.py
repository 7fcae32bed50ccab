"""What the local host reads: host.json and the application settings."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,7})?)")
_REFERENCE = re.compile(r"%([^%]+)%")
# The emulator's published connection, which the setting `UseDevelopmentStorage=true` is short for.
_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)


class HostError(Exception):
    """The local host cannot run this app; the message says why and what to do."""


def time_span_s(value: object) -> float:
    """Return the seconds of a .NET TimeSpan such as `00:00:00.500`; ValueError if it is none."""
    match = _TIME_SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a time span; write hh:mm:ss or hh:mm:ss.fff")
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400.0 + int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds)


def _timeout_s(value: object) -> float | None:
    return None if value == "-1" else time_span_s(value)


Seconds = Annotated[float, BeforeValidator(time_span_s)]


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class QueueSettings(_Section):
    """`extensions.queues`, with the platform's own defaults (azure-facts A2)."""

    max_polling_interval: Annotated[Seconds, Field(ge=0.1)] = 60.0
    visibility_timeout: Seconds = 0.0
    batch_size: Annotated[int, Field(ge=1, le=32)] = 16
    new_batch_threshold: Annotated[int, Field(ge=0)] | None = None
    max_dequeue_count: Annotated[int, Field(ge=1)] = 5
    message_encoding: Annotated[str, Field(pattern="(?i)^(base64|none)$")] = "base64"

    @property
    def threshold(self) -> int:
        """How many messages may still be in work when the next batch is fetched."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class HttpSettings(_Section):
    """`extensions.http`."""

    route_prefix: str = "api"


class _Extensions(_Section):
    queues: QueueSettings = QueueSettings()
    http: HttpSettings = HttpSettings()


class SingletonSettings(_Section):
    """`singleton`: how the one host is chosen whose timers run (azure-facts A1)."""

    listener_lock_period: Annotated[Seconds, Field(ge=15, le=60)] = 60.0
    listener_lock_recovery_polling_interval: Annotated[Seconds, Field(ge=15)] = 60.0


class HostSettings(_Section):
    """host.json, as far as the local host follows it; all durations in seconds."""

    function_timeout: Annotated[float | None, BeforeValidator(_timeout_s)] = 1800.0
    singleton: SingletonSettings = SingletonSettings()
    extensions: _Extensions = _Extensions()

    @property
    def queues(self) -> QueueSettings:
        """How queues are listened to."""
        return self.extensions.queues


def read_host_settings(folder: Path) -> HostSettings:
    """Read the host.json of an app's folder; HostError if there is none or it cannot be used."""
    path = folder / "host.json"
    try:
        return HostSettings.model_validate_json(path.read_text())
    except OSError as error:
        raise HostError(f"{path} cannot be read ({error.strerror}); give the app's folder") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise HostError("\n".join([f"{path} cannot be used:", *lines])) from error


def read_app_settings(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the application settings: the environment, and local.settings.json for what it lacks.

    The environment wins, as with Core Tools. HostError if the file is there and cannot be used.
    """
    path = folder / "local.settings.json"
    if not path.exists():
        return dict(environ)
    try:
        content: Any = json.loads(path.read_text())
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from error
    values = content.get("Values", {}) if isinstance(content, dict) else None
    if not isinstance(values, dict) or content.get("IsEncrypted"):
        raise HostError(f"{path} needs an object `Values` of plain settings, not encrypted")
    return {**{name: str(value) for name, value in values.items()}, **environ}


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Put settings in for `%NAME%`; HostError if one is not set."""

    def value(match: re.Match[str]) -> str:
        found = _lookup(match[1], settings)
        if found is None:
            raise HostError(f"%{match[1]}% in a binding does not resolve: set {match[1]}")
        return found

    return _REFERENCE.sub(value, text)


def connection_string(name: str, settings: Mapping[str, str]) -> str:
    """Return the connection string of a storage connection; HostError if there is none."""
    found = _lookup(name, settings) or _lookup(f"AzureWebJobs{name}", settings)
    if not found:
        raise HostError(
            f"{name} is not set: the local host needs a storage connection string there, such as Azurite's"
        )
    if found.replace(" ", "").rstrip(";").casefold() == "usedevelopmentstorage=true":
        return _DEVELOPMENT_STORAGE
    return found


def _lookup(name: str, settings: Mapping[str, str]) -> str | None:
    if name in settings:
        return settings[name]
    return next((value for each, value in settings.items() if each.casefold() == name.casefold()), None)
