"""The application settings as the environment gives them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.config import DEFAULT_FILES
from nvaha.config.settings import Cloud, Settings, SettingsError

ROOT = Path(__file__).parents[2]
STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    """Return what is wrong with these settings."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    return caught.value.problems


def test_the_sample_has_the_defaults() -> None:
    """The settings to copy are known ones, mean Azurite, and change nothing but the instance's name."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))["Values"]
    assert sample.pop("FUNCTIONS_WORKER_RUNTIME") == "python"
    found, plain = Settings.from_environ(sample), Settings.from_environ(STORAGE)
    assert found.config == DEFAULT_FILES[0]
    assert replace(found, instance=plain.instance, config=plain.config) == plain
    known = re.findall(r"\"(NVAHA_\w+)\"", (ROOT / "nvaha/config/settings.py").read_text("utf-8"))
    assert set(sample) <= {*known, *STORAGE}


def test_only_storage_is_needed() -> None:
    """With a storage connection and nothing else, everything has its documented default."""
    settings = Settings.from_environ(STORAGE)
    assert settings.config == ""
    assert settings.schedule == "*/10 * * * * *"
    assert settings.cloud is Cloud.PUBLIC
    assert settings.storage.name == "AzureWebJobsStorage"
    assert settings.storage.connection_string == "UseDevelopmentStorage=true"
    assert (settings.arm_endpoint, settings.arm_ca, settings.arm_api_version) == (None, None, None)
    assert settings.instance


def test_every_setting_is_read(tmp_path: Path) -> None:
    """Each setting reaches its field."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    settings = Settings.from_environ(
        {
            "NVAHA_CONFIG": '{"groups": []}',
            "NVAHA_SCHEDULE": "0,30 * * * * *",
            "NVAHA_STORAGE": "Mine",
            "Mine__accountName": "account",
            "Mine__credential": "managedidentity",
            "Mine__clientId": "11111111-2222-3333-4444-555555555555",
            "NVAHA_CLOUD": "azureusgovernment",
            "NVAHA_ARM_ENDPOINT": "https://127.0.0.1:8443/",
            "NVAHA_ARM_CA": str(ca),
            "NVAHA_ARM_API_VERSION": " 2023-09-01-preview ",
            "NVAHA_INSTANCE": "west",
            "NVAHA_PING_URL": "https://hc.example/0c5e",
        }
    )
    assert settings.config == '{"groups": []}'
    assert settings.schedule == "0,30 * * * * *"
    assert settings.cloud is Cloud.US_GOVERNMENT
    assert settings.arm_endpoint == "https://127.0.0.1:8443"
    assert settings.arm_ca == str(ca)
    assert settings.arm_api_version == "2023-09-01-preview"
    assert settings.instance == "west"
    assert settings.ping_url == "https://hc.example/0c5e"
    storage = settings.storage
    assert (storage.name, storage.account_name, storage.managed_identity_only) == ("Mine", "account", True)
    assert storage.client_id == "11111111-2222-3333-4444-555555555555"


def test_service_uris_are_a_connection() -> None:
    """Three service URIs are enough, and the host's disregard of case is shared."""
    settings = Settings.from_environ(
        {
            "AZUREWEBJOBSSTORAGE__BLOBSERVICEURI": "https://a.blob.core.windows.net",
            "AzureWebJobsStorage__queueServiceUri": "https://a.queue.core.windows.net",
            "AzureWebJobsStorage__tableServiceUri": "https://a.table.core.windows.net",
        }
    )
    assert settings.storage.blob_uri == "https://a.blob.core.windows.net"
    assert not settings.storage.missing


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "AzureWebJobsStorage"),
        ({"NVAHA_STORAGE": "Mine"}, "Mine"),
        ({"AzureWebJobsStorage__blobServiceUri": "https://a.blob.core.windows.net"}, "AzureWebJobsStorage"),
        (STORAGE | {"NVAHA_SCHEDULE": "* * * * *"}, "NVAHA_SCHEDULE"),
        (STORAGE | {"NVAHA_SCHEDULE": "every ten seconds or so, please !"}, "NVAHA_SCHEDULE"),
        (STORAGE | {"NVAHA_CLOUD": "AzureGermany"}, "NVAHA_CLOUD"),
        (STORAGE | {"NVAHA_ARM_ENDPOINT": "http://127.0.0.1:1"}, "NVAHA_ARM_ENDPOINT"),
        (STORAGE | {"NVAHA_ARM_ENDPOINT": "https://127.0.0.1:99999"}, "NVAHA_ARM_ENDPOINT"),
        (STORAGE | {"NVAHA_ARM_CA": "/no/such/file.pem"}, "NVAHA_ARM_CA"),
        (STORAGE | {"NVAHA_ARM_API_VERSION": "latest"}, "NVAHA_ARM_API_VERSION"),
        (STORAGE | {"NVAHA_ARM_API_VERSION": "2023-02-30"}, "NVAHA_ARM_API_VERSION"),
        (STORAGE | {"NVAHA_ARM_API_VERSION": "2023-09-01&x=y"}, "NVAHA_ARM_API_VERSION"),
        (STORAGE | {"NVAHA_ARM_API_VERSION": "２０２３-09-01"}, "NVAHA_ARM_API_VERSION"),
        (STORAGE | {"NVAHA_INSTANCE": "x" * 200}, "NVAHA_INSTANCE"),
        (
            {"AzureWebJobsStorage__credential": "secret", "AzureWebJobsStorage__accountName": "a"},
            "credential",
        ),
        ({"AzureWebJobsStorage__tableServiceUri": "account", **STORAGE}, "tableServiceUri"),
    ],
)
def test_a_bad_setting_is_named(environ: dict[str, str], named: str) -> None:
    """One bad setting gives one problem that names it."""
    found = problems(environ)
    assert len(found) == 1
    assert named in found[0]


def test_all_problems_come_at_once() -> None:
    """Every bad setting is reported in one go."""
    found = problems({"NVAHA_CLOUD": "x", "NVAHA_ARM_ENDPOINT": "x", "NVAHA_SCHEDULE": "x"})
    assert len(found) == 4


@given(st.text("0123456789+/~", min_size=12))
def test_a_connection_string_never_shows(secret: str) -> None:
    """Neither an error nor the settings' own text holds any of a connection string."""
    malformed = {"AzureWebJobsStorage": f"AccountKey={secret};{secret}"}
    assert all(secret not in problem for problem in problems(malformed))
    fine = Settings.from_environ({"AzureWebJobsStorage": f"AccountName=a;AccountKey={secret}"})
    assert secret not in repr(fine)


def test_a_token_in_a_url_never_shows() -> None:
    """A signature in a URL's query does not reach the error."""
    environ = STORAGE | {"NVAHA_ARM_ENDPOINT": "https://user:word@127.0.0.1/?sig=signature"}
    assert "signature" not in problems(environ)[0]
    assert "word" not in problems(environ)[0]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"WEBSITE_INSTANCE_ID": "abc"}, "abc"), ({"WEBSITE_INSTANCE_ID": "abc", "NVAHA_INSTANCE": "m"}, "m")],
)
def test_the_instance_has_a_name(environ: dict[str, str], expected: str) -> None:
    """The platform's instance id names the monitor unless a setting does."""
    assert Settings.from_environ(STORAGE | environ).instance == expected


def test_storage_may_be_left_out_where_it_is_not_needed() -> None:
    """A command that never touches storage runs without a connection."""
    assert Settings.from_environ({}, storage_required=False).storage.missing


@pytest.mark.parametrize(
    ("environ", "app"),
    [
        ({}, None),
        ({"WEBSITE_SITE_NAME": "nvaha-b"}, "nvaha-b"),
        ({"WEBSITE_SITE_NAME": "nvaha-b", "REGION_NAME": "West Europe"}, "nvaha-b/West Europe"),
        ({"REGION_NAME": "West Europe", "NVAHA_INSTANCE": "one"}, None),
    ],
)
def test_every_process_of_an_app_calls_it_the_same(environ: dict[str, str], app: str | None) -> None:
    """Whichever machine it is on, and whatever this monitor is called."""
    here, there = (
        Settings.from_environ({**STORAGE, **environ, "WEBSITE_INSTANCE_ID": machine}).app
        for machine in ("a1", "b2")
    )
    assert here == there == app


@pytest.mark.parametrize(
    "url",
    [
        "https://hc.example/ping/0c5e",
        "https://hc.example/ping?token=abc",
        "http://127.0.0.1:8000/x",
        "http://localhost/x",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/ping)",
    ],
)
def test_a_url_to_ping_is_taken_and_never_shown(url: str) -> None:
    """It may be a secret as it stands; one that the platform could not resolve keeps no app from watching."""
    settings = Settings.from_environ({**STORAGE, "NVAHA_PING_URL": url})
    assert settings.ping_url == url
    assert url not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "http://hc.example/0c5e",
        "ftp://hc.example/0c5e",
        "https:///0c5e",
        "https://me:0c5e@hc.example",
        "0c5e",
        "https://[0c5e",
        "https://hc.example/0c 5e",
        "https://hc.example:0c5e/",
    ],
)
def test_what_cannot_be_pinged_is_refused_without_showing_it(url: str) -> None:
    """Over plain HTTP it would be anybody's."""
    [said] = problems({**STORAGE, "NVAHA_PING_URL": url})
    assert "NVAHA_PING_URL" in said
    assert "0c5e" not in said
