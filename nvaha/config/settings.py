"""The application settings: the one place that reads the environment.

Every setting is optional but the storage connection; errors are collected and raised together, each with
the setting's name, its value (never that of a secret) and the remedy.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from nvaha.text import has_secret, safe, shown

DEFAULT_SCHEDULE = "*/10 * * * * *"
DEFAULT_CONNECTION = "AzureWebJobsStorage"

NAMES = (
    "NVAHA_CONFIG",
    "NVAHA_SCHEDULE",
    "NVAHA_STORAGE",
    "NVAHA_CLOUD",
    "NVAHA_ARM_ENDPOINT",
    "NVAHA_ARM_CA",
    "NVAHA_ARM_API_VERSION",
    "NVAHA_INSTANCE",
    "NVAHA_PING_URL",
)
"""Every setting of nvaha's own that is read here."""

_API_VERSION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(-preview)?")
_CONNECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}")
_ACCOUNT = re.compile(r"[A-Za-z0-9-]{1,63}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_LONGEST_INSTANCE = _LONGEST_SHOWN = 100
_LONGEST_APP = 200


class Cloud(StrEnum):
    """The Azure that everything lives in."""

    PUBLIC = "AzurePublic"
    US_GOVERNMENT = "AzureUSGovernment"
    CHINA = "AzureChina"


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """A storage connection: a connection string, or an account reached with an identity.

    The names and their meaning are those of the Functions host (azure-docs,
    functions-reference.md, "Configure an identity-based connection").
    """

    name: str = DEFAULT_CONNECTION
    connection_string: str | None = field(default=None, repr=False)
    account_name: str | None = None
    blob_uri: str | None = None
    queue_uri: str | None = None
    table_uri: str | None = None
    managed_identity_only: bool = False
    client_id: str | None = None

    @property
    def missing(self) -> bool:
        """Whether nothing says where storage is."""
        uris = (self.blob_uri, self.queue_uri, self.table_uri)
        return not self.connection_string and not self.account_name and not all(uris)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the application settings say, checked.

    Args:
        config: the groups: a file, inline JSON, or a blob's URL; empty for the default files.
        schedule: NCRONTAB expression of the tick, six fields.
        storage: where state, leases and the queue live.
        arm_endpoint: another ARM endpoint than the cloud's, without a trailing slash.
        arm_ca: the CA file to trust for `arm_endpoint`.
        arm_api_version: the API version of Microsoft.Network to use; None for the cloud's default.
        instance: this monitor's name in status and history.
        app: the function app that this process is a part of; None where no platform says so, which also means
            that timer and HTTP are one process.
        ping_url: asked once a minute while the leader watches everything; it may be a secret.
    """

    storage: StorageSettings
    instance: str
    app: str | None = None
    config: str = field(default="", repr=False)
    schedule: str = DEFAULT_SCHEDULE
    cloud: Cloud = Cloud.PUBLIC
    arm_endpoint: str | None = None
    arm_ca: str | None = None
    arm_api_version: str | None = None
    ping_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, storage_required: bool = True) -> Self:
        """Read the settings.

        Args:
            environ: the environment, such as `os.environ`.
            storage_required: whether a missing storage connection is an error.

        Raises:
            SettingsError: with every problem at once.
        """
        reader = _Reader(environ)
        settings = cls(
            config=reader.text("NVAHA_CONFIG") or "",
            schedule=reader.schedule("NVAHA_SCHEDULE"),
            storage=reader.storage("NVAHA_STORAGE", required=storage_required),
            cloud=reader.cloud("NVAHA_CLOUD"),
            arm_endpoint=reader.https_url("NVAHA_ARM_ENDPOINT"),
            arm_ca=reader.file("NVAHA_ARM_CA"),
            arm_api_version=reader.api_version("NVAHA_ARM_API_VERSION"),
            instance=reader.instance("NVAHA_INSTANCE"),
            app=reader.app(),
            ping_url=reader.ping_url("NVAHA_PING_URL"),
        )
        reader.one_process("FUNCTIONS_WORKER_PROCESS_COUNT")
        if reader.problems:
            raise SettingsError(tuple(reader.problems))
        return settings


def for_triggers(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return connection and schedule of the triggers, which the Functions host reads, and repeats in its log.

    What cannot be one has its default there: `Settings.from_environ` says what is wrong with it.
    """
    connection = environ.get("NVAHA_STORAGE", "").strip()
    schedule = environ.get("NVAHA_SCHEDULE", "").strip()
    return (
        connection if _CONNECTION.fullmatch(connection) else DEFAULT_CONNECTION,
        schedule if schedule and not has_secret(schedule) else DEFAULT_SCHEDULE,
    )


def not_a_connection_string(name: str) -> str:
    """Return the problem of a setting whose connection string cannot be used; it never shows the value."""
    return (
        f"{name} is not a storage connection string (its value is not shown); "
        "copy it from the account's access keys, or use an identity instead"
    )


class _Reader:
    """Reads one setting after the other and gathers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        # The host looks connections up without regard to case; so must we.
        self._folded = {name.casefold(): value for name, value in environ.items()}
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def one_process(self, name: str) -> None:
        """Refuse several worker processes: ticks go to them in turn, and each would be half a leader."""
        value = self.text(name) or "1"
        if value != "1":
            self.problems.append(f"{name} is {_shown(value)}; nvaha needs 1: remove the setting")

    def schedule(self, name: str) -> str:
        value = self.text(name) or DEFAULT_SCHEDULE
        # croniter takes a while to import, which indexing the functions need not wait for.
        from nvaha.config.ncrontab import Ncrontab  # noqa: PLC0415

        try:
            Ncrontab(value)
        except ValueError as error:
            # It quotes a part, by which a secret would not be known any more.
            why = "is none" if has_secret(value) else str(error)
            self.problems.append(
                f"{name} is {_shown(value)}, which {why}; "
                f"give NCRONTAB: six fields, seconds first, such as {DEFAULT_SCHEDULE!r}"
            )
        return value

    def cloud(self, name: str) -> Cloud:
        value = self.text(name) or Cloud.PUBLIC.value
        for cloud in Cloud:
            if cloud.value.casefold() == value.casefold():
                return cloud
        known = ", ".join(cloud.value for cloud in Cloud)
        self.problems.append(f"{name} is {_shown(value)}: no such cloud; give one of {known}")
        return Cloud.PUBLIC

    def https_url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if not _is_url(value, ("https",)):
            self.problems.append(
                f"{name} is {_shown(value)}: tokens are sent there, so it must be https://host[:port]"
            )
        return value.rstrip("/")

    def ping_url(self, name: str) -> str | None:
        value = self.text(name)
        # A reference that could not be resolved now is no reason not to watch: the ping fails, and says so.
        if value is None or value.startswith("@Microsoft.KeyVault("):
            return value
        if not may_be_sent_to(value):
            self.problems.append(
                f"{name} is not a URL to ping (its value is not shown): give https://host/path, "
                "or http:// on a loopback address, without a user part"
            )
        return value

    def file(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not Path(value).is_file():
            self.problems.append(f"{name} is {_shown(value)}: no such file; give the path of a PEM file")
        return value

    def api_version(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        match = _API_VERSION.fullmatch(value)
        if not match or not _is_date(match[1]):
            self.problems.append(
                f"{name} is {_shown(value)}: not an API version of Microsoft.Network; "
                "give its date, such as 2023-09-01, or remove the setting"
            )
        return value

    def instance(self, name: str) -> str:
        value = self.text(name) or self.text("WEBSITE_INSTANCE_ID") or f"{socket.gethostname()}-{os.getpid()}"
        if len(value) > _LONGEST_INSTANCE or not value.isprintable() or has_secret(value):
            self.problems.append(
                f"{name} is {_shown(value)}: give at most {_LONGEST_INSTANCE} printable characters; "
                "it stands in status and history, so it may hold no secret"
            )
        return value

    def app(self) -> str | None:
        """Return the app's name, with its region: names need not be unique any more (azure-facts A14)."""
        site, region = self.text("WEBSITE_SITE_NAME"), self.text("REGION_NAME")
        if site is None:
            return None
        return safe(f"{site}/{region}" if region else site)[:_LONGEST_APP]

    def storage(self, name: str, *, required: bool) -> StorageSettings:
        connection = self.text(name) or DEFAULT_CONNECTION
        if not _CONNECTION.fullmatch(connection):
            # A connection string itself, most often; who reads problems must not read that.
            self.problems.append(
                f"{name} is not the name of a setting (its value is not shown): it names the one that "
                f"holds the connection; put the connection string there, such as in {DEFAULT_CONNECTION}, "
                f"and remove {name}"
            )
            return StorageSettings()
        settings = StorageSettings(
            name=connection,
            connection_string=self._connection_string(connection),
            account_name=self._named(connection, "accountName", _ACCOUNT, "the account's name alone"),
            blob_uri=self._uri(connection, "blobServiceUri"),
            queue_uri=self._uri(connection, "queueServiceUri"),
            table_uri=self._uri(connection, "tableServiceUri"),
            managed_identity_only=self._managed_identity(connection),
            client_id=self._named(connection, "clientId", _CLIENT_ID, "the identity's client id, a GUID"),
        )
        if required and settings.missing:
            self.problems.append(
                f"{connection} is not set: it names the storage account ({name} may name another setting); "
                f"give a connection string there, or {connection}__accountName, or all of "
                f"{connection}__blobServiceUri, __queueServiceUri and __tableServiceUri"
            )
        return settings

    def _connection_string(self, connection: str) -> str | None:
        value = self._folded.get(connection.casefold(), "").strip()
        if not value:
            return None
        parts = [part.partition("=") for part in value.rstrip(";").split(";")]
        endpoints = [end for name, _, end in parts if name.strip().casefold().endswith("endpoint")]
        # Asked of a URL that it cannot read, a library quotes what it could be: a password, for instance.
        if not all(equals for _, equals, _ in parts) or not all(map(_is_endpoint, endpoints)):
            self.problems.append(not_a_connection_string(connection))
        return value

    def _part(self, connection: str, part: str) -> str | None:
        return self._folded.get(f"{connection}__{part}".casefold(), "").strip() or None

    def _named(self, connection: str, part: str, form: re.Pattern[str], remedy: str) -> str | None:
        value = self._part(connection, part)
        if value is not None and not form.fullmatch(value):
            self.problems.append(f"{connection}__{part} is {_shown(value)}: give {remedy}")
        return value

    def _uri(self, connection: str, part: str) -> str | None:
        value = self._part(connection, part)
        if value is not None and not _is_url(value, ("https", "http")):
            self.problems.append(
                f"{connection}__{part} is {_shown(value)}: give a URL "
                "such as https://account.blob.core.windows.net"
            )
        return value

    def _managed_identity(self, connection: str) -> bool:
        value = self._part(connection, "credential")
        if value is not None and value.casefold() != "managedidentity":
            self.problems.append(
                f"{connection}__credential is {_shown(value)}: "
                "only managedidentity is known; leave it out for any other credential"
            )
        return value is not None


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        port_is_fine = parts.port != 0
    except ValueError:
        return False
    if parts.query or parts.fragment or "@" in value or has_secret(value) or not value.isprintable():
        return False
    return port_is_fine and parts.scheme in schemes and bool(parts.hostname)


def may_be_sent_to(value: str) -> bool:
    """Tell whether a URL is one that something may be sent to: https, or http on loopback, no user part."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    loopback = host in {"localhost", "127.0.0.1", "::1"}
    fine = bool(host) and parts.username is None and value.isprintable() and " " not in value
    return fine and (parts.scheme == "https" or (parts.scheme == "http" and loopback))


def _is_endpoint(value: str) -> bool:
    return _is_url(value.strip().partition("?")[0], ("https", "http"))


def _shown(value: str) -> str:
    return f"'{shown(value, _LONGEST_SHOWN)}'"
