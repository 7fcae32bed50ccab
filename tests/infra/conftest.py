"""The Bicep files of this repository, parsed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bicep import BicepFile, parse
from .checks import Known, load_known
from .tools import INFRA


@pytest.fixture(scope="session")
def bicep_files() -> dict[Path, BicepFile]:
    """Every Bicep file by its path."""
    return {path: parse(path) for path in sorted(INFRA.rglob("*.bicep"))}


@pytest.fixture(scope="session")
def known() -> Known:
    """The resource types and properties that were checked against Azure's own types."""
    return load_known(Path(__file__).with_name("known_properties.json"))
