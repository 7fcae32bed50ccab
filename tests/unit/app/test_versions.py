"""What a process sees of what it runs on; what it cannot see it does not name."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

import nvaha
from nvaha.app.versions import versions

BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"


def test_a_plain_process_names_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a host there is neither host, nor platform, nor worker, nor bundle."""
    for name in [each for each in sys.modules if each.endswith(".version")]:
        # Another test may have loaded the runtime to have it index the functions.
        monkeypatch.delitem(sys.modules, name)
    found = versions({}, tmp_path)
    assert found["nvaha"] == nvaha.__version__
    assert found["python"] == platform.python_version()
    assert found.keys() == {"nvaha", "python", "azure-functions"}


def test_the_newest_bundle_counts_wherever_it_is(tmp_path: Path) -> None:
    """Ten is newer than nine, and what is no version is none."""
    for folder in (tmp_path / "FuncExtensionBundles", tmp_path / "home/data/Functions/ExtensionBundles"):
        for version in ("4.9.1", "staging"):
            (folder / BUNDLE / version).mkdir(parents=True)
    fetched = tmp_path / "fetched"
    (fetched / "4.22.0").mkdir(parents=True)
    environ = {
        "HOME": str(tmp_path / "home"),
        "AzureFunctionsJobHost__extensionBundle__downloadPath": str(fetched),
    }
    assert versions(environ, tmp_path)["bundle"] == "4.22.0"
    assert versions({"HOME": str(tmp_path / "home")}, tmp_path)["bundle"] == "4.9.1"


def test_host_and_worker_say_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the platform, and the worker that has loaded this process's functions."""
    monkeypatch.setitem(sys.modules, "azure_functions_worker.version", SimpleNamespace(VERSION="4.34.0"))
    environ = {"FUNCTIONS_EXTENSION_VERSION": "~4", "WEBSITE_PLATFORM_VERSION": "104.0.7.1" * 20}
    found = versions(environ, tmp_path)
    assert (found["host"], found["worker"]) == ("~4", "4.34.0")
    assert len(found["platform"]) == 64


def test_a_package_that_is_not_installed_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app answers all the same."""

    def gone(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("nvaha.app.versions.metadata.version", gone)
    assert "azure-functions" not in versions({}, tmp_path)
