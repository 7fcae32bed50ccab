"""host.json and the settings beside nvaha's own, against what nvaha needs."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from nvaha.config import settings
from nvaha.config.settings import NAMES
from nvaha.core.findings import Finding, Level
from nvaha.core.hosting import NEEDS, of_host, of_settings, of_versions

ROOT = Path(__file__).parents[3]
SHIPPED: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
GOOD = {
    "NVAHA_CONFIG": "nvaha.yaml",
    "AzureWebJobsStorage__accountName": "account",
    "FUNCTIONS_EXTENSION_VERSION": "~4",
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "WEBSITE_SITE_NAME": "app",
    "WEBSITE_SKU": "FlexConsumption",
    "IDENTITY_ENDPOINT": "http://169.254.129.2:8081/msi/token",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=1",
}
WORSE: dict[str, Any] = {
    "version": "1.0",
    "extensionBundle.id": "Microsoft.Azure.Functions.ExtensionBundle.Preview",
    "extensionBundle.version": "[3.3.0, 4.0.0)",
    "functionTimeout": "00:05:00",
    "singleton.listenerLockPeriod": "00:01:00",
    "singleton.listenerLockRecoveryPollingInterval": "00:01:00",
    "extensions.http.routePrefix": "",
    "extensions.http.maxConcurrentRequests": 4,
    "extensions.queues.maxPollingInterval": 2,
    "extensions.queues.visibilityTimeout": "00:10:00",
    "extensions.queues.batchSize": 1,
    "extensions.queues.newBatchThreshold": 0,
    "extensions.queues.maxDequeueCount": 1,
    "extensions.queues.messageEncoding": "none",
    "logging.applicationInsights.samplingSettings.isEnabled": True,
}
"""A value for each need that does not do."""


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the shipped host.json with another value at a path, or with none."""
    host = copy.deepcopy(SHIPPED)
    *parents, last = path.split(".")
    place = host
    for each in parents:
        place = place[each]
    place.pop(last) if value is None else place.update({last: value})
    return host


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return code and subject of whatever is not well; each has a remedy."""
    wrong = [each for each in findings if each.level is not Level.OK]
    assert all(each.remedy and "{" not in each.remedy for each in wrong)
    return [(each.code, each.subject) for each in wrong]


def test_what_is_shipped_is_what_is_needed() -> None:
    """The host.json of this release has nothing against it."""
    assert bad(of_host(SHIPPED, {})) == []


def test_every_need_has_a_value_that_does_not_do() -> None:
    """So that none of the next tests' rows is missing."""
    assert set(WORSE) == {each.path for each in NEEDS}


@pytest.mark.parametrize("path", WORSE)
def test_each_value_that_does_not_do_is_found(path: str) -> None:
    """In the file, and in a setting that overrides it; by its place alone."""
    [(code, subject)] = bad(of_host(changed(path, WORSE[path]), {}))
    assert (code in {"host_differs", "host_breaks"}, subject) == (True, path)
    setting = f"AzureFunctionsJobHost__{path.replace('.', '__')}"
    [finding] = of_host(SHIPPED, {setting: str(WORSE[path])})
    assert finding.subject == path
    assert setting in finding.remedy


@pytest.mark.parametrize(
    "path", ["singleton.listenerLockPeriod", "extensions.queues.maxPollingInterval", "extensionBundle.id"]
)
def test_what_is_missing_has_the_host_s_default(path: str) -> None:
    """Which does not do for these."""
    assert [subject for _, subject in bad(of_host(changed(path, None), {}))] == [path]


@pytest.mark.parametrize("path", ["extensions.queues.messageEncoding", "extensions.http.routePrefix"])
def test_what_is_missing_and_as_needed_by_default_is_well(path: str) -> None:
    """The host takes base64 and `api` unasked."""
    assert bad(of_host(changed(path, None), {})) == []


def test_names_are_read_in_any_case_as_the_host_does() -> None:
    """In the file and in settings."""
    host = json.loads((ROOT / "host.json").read_text().replace("functionTimeout", "FUNCTIONTIMEOUT"))
    assert bad(of_host(host, {})) == []
    overridden = {"azurefunctionsjobhost__functiontimeout": "00:01:00"}
    assert bad(of_host(host, overridden)) == [("host_differs", "functionTimeout")]


@pytest.mark.parametrize("host", [None, {}])
def test_a_file_that_is_none_is_found(host: dict[str, Any] | None) -> None:
    """One that is missing or no object, and one with nothing in it."""
    assert Level.ERROR in {each.level for each in of_host(host, {})}


@pytest.mark.parametrize(
    ("category", "level"),
    [("Function.probe.User", "Warning"), ("function.PROBE.user", "None"), ("Function.switch.User", "Error")],
)
def test_events_that_are_not_kept_are_found(category: str, level: str) -> None:
    """Whatever their case; the queries and alerts live on them."""
    host = copy.deepcopy(SHIPPED)
    levels = host["logging"]["logLevel"]
    for name in [each for each in levels if each.casefold() == category.casefold()]:
        del levels[name]
    levels[category] = level
    [(code, subject)] = bad(of_host(host, {}))
    assert (code, subject.casefold()) == ("host_differs", f"logging.logLevel.{category}".casefold())


def test_settings_as_they_are_deployed_are_well() -> None:
    """With an identity, Application Insights and a plan that does not sleep."""
    assert bad(of_settings(GOOD, "AzureWebJobsStorage", NAMES, ())) == []
    local = {"AzureWebJobsStorage": "x", "NVAHA_URL": "http://127.0.0.1:7071", "NVAHA_KEY": "k"}
    assert bad(of_settings(local, "AzureWebJobsStorage", NAMES, ())) == []


@pytest.mark.parametrize(
    ("change", "named", "code", "subject"),
    [
        ({"AzureWebJobsStorage": "S=1"}, (), "connection_string_beside_identity", "AzureWebJobsStorage"),
        ({"azurewebjobsstorage": "S=1"}, (), "connection_string_beside_identity", "azurewebjobsstorage"),
        ({"NVAHA_SCHEDUEL": "1"}, (), "setting_unknown", "NVAHA_SCHEDUEL"),
        ({"NVAHA_PING_URL": "@Microsoft.KeyVault(x)"}, (), "setting_unresolved", "NVAHA_PING_URL"),
        ({"PAGER": "@Microsoft.KeyVault(x)"}, ("PAGER",), "setting_unresolved", "PAGER"),
        ({}, ("PAGER",), "setting_missing", "PAGER"),
        ({"AzureWebJobs.switch.Disabled": "true"}, (), "function_disabled", "AzureWebJobs.switch.Disabled"),
        ({"AzureWebJobs__probe__Disabled": "1"}, (), "function_disabled", "AzureWebJobs__probe__Disabled"),
        ({"FUNCTIONS_EXTENSION_VERSION": "~3"}, (), "runtime_unsuited", "FUNCTIONS_EXTENSION_VERSION"),
        ({"FUNCTIONS_WORKER_RUNTIME": "node"}, (), "runtime_unsuited", "FUNCTIONS_WORKER_RUNTIME"),
        ({"WEBSITE_SKU": "Dynamic"}, (), "plan_unsuited", "WEBSITE_SKU"),
        ({"IDENTITY_ENDPOINT": ""}, (), "no_identity", "IDENTITY_ENDPOINT"),
        (
            {"APPLICATIONINSIGHTS_CONNECTION_STRING": ""}, (),
            "no_telemetry", "APPLICATIONINSIGHTS_CONNECTION_STRING",
        ),
    ],
)  # fmt: skip
def test_each_setting_that_does_not_do_is_found(
    change: dict[str, str], named: tuple[str, ...], code: str, subject: str
) -> None:
    """And that one alone."""
    assert bad(of_settings(GOOD | change, "AzureWebJobsStorage", NAMES, named)) == [(code, subject)]


def test_the_state_s_own_connection_is_looked_at_too() -> None:
    """A second monitor has one for its host and one for the state that it shares."""
    change = {"NVAHASTATE": "S=1", "NVAHASTATE__accountName": "state"}
    found = bad(of_settings(GOOD | change, "NVAHASTATE", NAMES, ()))
    assert found == [("connection_string_beside_identity", "NVAHASTATE")]


def test_no_value_of_a_setting_is_shown() -> None:
    """A connection string, a key that is misnamed, and one behind a reference stay where they are."""
    secrets = {
        "AzureWebJobsStorage": "AccountKey=c2VjcmV0",
        "NVAHA_KEYS": "c2VjcmV0",
        "NVAHA_PING_URL": "@Microsoft.KeyVault(SecretUri=c2VjcmV0)",
    }
    assert "c2VjcmV0" not in str(of_settings(GOOD | secrets, "AzureWebJobsStorage", NAMES, ()))


def test_every_setting_that_is_read_is_known_by_name() -> None:
    """One that the reader asks for and that is not in NAMES would be called unknown."""
    text = Path(settings.__file__).read_text()
    assert set(re.findall(r'"(NVAHA_\w+)"', text)) == set(NAMES)


@pytest.mark.parametrize(
    ("versions", "subject"),
    [({"python": "3.10.9"}, "python"), ({"python": "3.15.0"}, "python"), ({"bundle": "3.39.0"}, "bundle")],
)
def test_a_version_that_is_not_supported_is_found(versions: dict[str, str], subject: str) -> None:
    """With those that are."""
    assert bad(of_versions({"python": "3.13.1", "bundle": "4.22.0"} | versions)) == [
        ("version_unsupported", subject)
    ]
    assert bad(of_versions({"python": "3.13.1", "bundle": "4.22.0", "nvaha": "1"})) == []
