"""What this process runs on, as far as it can see that itself.

The host tells its exact version to the worker, which keeps it to itself, and no worker is told which
extension bundle was taken: what is seen is the newest where the host looks for bundles.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import nvaha

_BUNDLE: Final = "Microsoft.Azure.Functions.ExtensionBundle"
_SETTINGS: Final = {"host": "FUNCTIONS_EXTENSION_VERSION", "platform": "WEBSITE_PLATFORM_VERSION"}
_WORKERS: Final = (
    "azure_functions_worker.version",
    "azure_functions_runtime.version",
    "proxy_worker.version",
)
_NUMBERS: Final = re.compile(r"[0-9]+(\.[0-9]+){1,3}")
_LONGEST: Final = 64


def versions(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> dict[str, str]:
    """Return {what: version}; what cannot be seen is not there.

    Args:
        environ: the process's environment.
        root: of the file system.
    """
    found: dict[str, str | None] = {
        "nvaha": nvaha.__version__,
        "python": platform.python_version(),
        "azure-functions": _installed("azure-functions"),
        "worker": next(_workers(), None),
        "bundle": max(_bundles(environ, root), key=_numbers, default=None),
    }
    found |= {what: environ.get(setting) for what, setting in _SETTINGS.items()}
    return {what: version[:_LONGEST] for what, version in found.items() if version}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _workers() -> Iterator[str]:
    for name in _WORKERS:
        version = getattr(sys.modules.get(name), "VERSION", None)
        if isinstance(version, str):
            yield version


def _bundles(environ: Mapping[str, str], root: Path) -> Iterator[str]:
    """Return the extension bundles that were installed with the host, or fetched by it."""
    folders = [root / "FuncExtensionBundles" / _BUNDLE]
    if home := environ.get("HOME"):
        folders.append(Path(home) / "data" / "Functions" / "ExtensionBundles" / _BUNDLE)
    if fetched := environ.get("AzureFunctionsJobHost__extensionBundle__downloadPath"):
        folders.append(Path(fetched))
    for folder in folders:
        try:
            yield from (each.name for each in folder.iterdir() if _NUMBERS.fullmatch(each.name))
        except OSError:
            continue


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
