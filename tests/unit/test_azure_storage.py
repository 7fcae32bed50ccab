"""Where the storage clients go, and what the credentials are, without asking anybody."""

from __future__ import annotations

import asyncio
import errno
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from nvaha.azure.clock import ServiceClock
from nvaha.azure.clouds import ENDPOINTS
from nvaha.azure.credentials import arm_credential, storage_credential
from nvaha.azure.storage.connection import Storage, describe, service_uris
from nvaha.config.settings import Cloud, Settings, SettingsError, StorageSettings


def settings(**environ: str) -> Settings:
    """Return settings of a connection by identity."""
    return Settings.from_environ({"AzureWebJobsStorage__accountName": "account", **environ})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceRequestTimeoutError("slow"), "no answer from storage"),
        (ServiceResponseTimeoutError("slow"), "no answer from storage"),
        (
            ServiceRequestError("raw", error=ConnectionRefusedError(errno.ECONNREFUSED, "raw")),
            "no answer from storage: connection refused",
        ),
        (ServiceRequestError("raw", error=ssl.SSLError(1, "bad")), "no answer from storage: raw"),
        (ServiceRequestError("no such name", error=OSError(-2, "")), "no answer from storage: no such name"),
        (ServiceResponseError("disconnected"), "no answer from storage: disconnected"),
        (CredentialUnavailableError("no token for storage: out"), "no token for storage: out"),
        (AzureError("else"), "AzureError: else"),
    ],
)
def test_silence_is_told_in_one_voice(error: AzureError, said: str) -> None:
    """With the system's reason where it has one, and what was read where it has none."""
    assert describe(error) == said


@pytest.mark.parametrize(
    ("cloud", "suffix", "scope"),
    [
        (Cloud.PUBLIC, "core.windows.net", "https://management.azure.com/.default"),
        (Cloud.US_GOVERNMENT, "core.usgovcloudapi.net", "https://management.usgovcloudapi.net/.default"),
        (Cloud.CHINA, "core.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
    ],
)
def test_each_cloud_has_its_own_addresses(cloud: Cloud, suffix: str, scope: str) -> None:
    """By identity, the clients go to the account in the cloud that was set."""

    async def run() -> None:
        async with Storage(settings(NVAHA_CLOUD=cloud.value), ServiceClock()) as storage:
            urls = (storage.blobs.url, storage.queues.url, storage.tables.url)
            expected = tuple(f"https://account.{service}.{suffix}" for service in ("blob", "queue", "table"))
            assert tuple(url.rstrip("/") for url in urls) == expected

    asyncio.run(run())
    assert ENDPOINTS[cloud].arm_scope == scope


def test_a_service_uri_wins_over_the_account() -> None:
    """A URI that was set for one service is taken as it is; the others follow the account's name."""
    storage = StorageSettings(account_name="account", table_uri="https://private.example/table")
    assert service_uris(storage, "core.windows.net") == (
        "https://account.blob.core.windows.net",
        "https://account.queue.core.windows.net",
        "https://private.example/table",
    )


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "UseDevelopmentStorage=true;"])
def test_development_storage_is_the_local_one(text: str) -> None:
    """The tools' short form for the local emulator leads to its well-known ports."""

    async def run() -> None:
        local = Settings.from_environ({"AzureWebJobsStorage": text})
        async with Storage(local, ServiceClock()) as storage:
            assert storage.blobs.url.startswith("http://127.0.0.1:10000/")
            assert storage.queues.url.startswith("http://127.0.0.1:10001/")
            assert storage.tables.url.startswith("http://127.0.0.1:10002/")

    asyncio.run(run())


@pytest.mark.parametrize(
    "text", ["AccountName=a", "AccountKey=c2VjcmV0;x=y", "BlobSecondaryEndpoint=http://x"]
)
def test_an_unusable_connection_string_is_told_without_its_value(text: str) -> None:
    """A connection string that the SDK refuses names the setting and shows nothing of it."""
    unusable = Settings.from_environ({"AzureWebJobsStorage": text})

    async def run() -> None:
        with pytest.raises(SettingsError) as caught:
            Storage(unusable, ServiceClock())
        assert "AzureWebJobsStorage" in str(caught.value)
        assert text not in str(caught.value)

    asyncio.run(run())


def test_credentials_follow_the_settings() -> None:
    """A connection that says managedidentity gets just that; everything else the default chain."""

    async def run() -> None:
        managed = settings(AzureWebJobsStorage__credential="managedidentity")
        for given, expected in (
            (storage_credential(managed), ManagedIdentityCredential),
            (storage_credential(settings()), DefaultAzureCredential),
            (arm_credential(managed), DefaultAzureCredential),
        ):
            assert isinstance(given, expected)
            await given.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("date", "learnt"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", True),
        ("Sun, 01 Mar 2026 12:00:00 -0000", False),
        ("yesterday", False),
        ("", False),
        (None, False),
    ],
)
def test_only_a_good_date_sets_the_clock(date: str | None, learnt: bool) -> None:
    """A missing or senseless Date header leaves the clock as it was."""
    clock = ServiceClock(monotonic=lambda: 5.0)

    async def run() -> None:
        async with Storage(settings(), clock) as storage:
            headers = {} if date is None else {"Date": date}
            transport: Any = storage._transport
            transport._inner = Answering(headers)
            await transport.send(object())

    asyncio.run(run())
    assert clock.synchronized is learnt
    if learnt:
        assert abs((clock.now() - datetime(2026, 3, 1, 12, tzinfo=UTC)).total_seconds()) <= 1


class Answering:
    """Stands in for the SDK's transport and answers with these headers."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    async def send(self, *_: object, **__: object) -> Answering:
        """Answer at once."""
        return self

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
