"""The release before this one, as code: imported beside today's, under the same name and apart from it.

`nvaha-0.1.0.zip` is the package as it stands in the commit of that release (README.md says which). Its
modules live in a world of their own: while they are imported, `nvaha` means theirs, and never after.
"""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

RELEASE = "0.1.0"
COMMIT = "0a51983dfe088b4fb12af31be3f84dcdc03269fe"
ARCHIVE = Path(__file__).parent / f"nvaha-{RELEASE}.zip"
INCLUDED = ("nvaha", "function_app.py", "host.json")
"""What is published."""
EXCLUDED = ("nvaha/lab", "nvaha/cli")
"""What no monitor runs."""


class Previous:
    """The modules of a release, by their names without `nvaha.`."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._modules: dict[str, ModuleType] = {}

    def __call__(self, name: str) -> Any:
        """Return one of its modules, such as `azure.entities`."""
        full = f"nvaha.{name}"
        if full not in self._modules:
            with self.in_place():
                importlib.import_module(full)
        return self._modules[full]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let `nvaha` mean this release's package, as its annotations do when they are looked up."""
        todays = _taken()
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self._archive))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(self._archive))
            self._modules |= _taken()
            sys.modules.update(todays)


def _taken() -> dict[str, ModuleType]:
    """Take all modules of whatever is called `nvaha` out of what is imported."""
    names = [name for name in sys.modules if name == "nvaha" or name.startswith("nvaha.")]
    return {name: sys.modules.pop(name) for name in names}


@cache
def previous() -> Previous:
    """Return the release before this one."""
    return Previous(ARCHIVE)


def unpacked(folder: Path) -> Path:
    """Unpack the app of that release into a folder, which must not be there yet; return it."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder
