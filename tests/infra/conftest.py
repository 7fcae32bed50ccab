"""The Bicep files of this repository, parsed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bicep import BicepFile, parse
from .tools import INFRA


@pytest.fixture(scope="session")
def bicep_files() -> dict[Path, BicepFile]:
    """Every Bicep file by its path."""
    return {path: parse(path) for path in sorted(INFRA.rglob("*.bicep"))}
