"""In the test environment packets find their way: to the page and back, out, and from the monitor."""

from __future__ import annotations

from typing import Any

import pytest

from .azure_types import needs_types
from .rules.environment import environment_problems
from .rules.every import type_problems
from .rules.sent import World
from .template.source import Files

KEY = "ssh-ed25519 AAAA"
WAYS: dict[str, dict[str, Any]] = {
    "flex": {},
    "dedicated": {"hosting": "dedicated"},
    "zones": {"useZones": True},
    "no Bastion": {"bastion": False},
}


def world(way: str, files: Files | None = None) -> World:
    """Return the test environment deployed in one way."""
    given = {"location": "westeurope", "sshPublicKey": KEY, **WAYS[way]}
    return World(files or Files(), "test-environment/main.bicep", given, group="rg-test")


@pytest.mark.parametrize("way", WAYS)
def test_packets_arrive(way: str) -> None:
    """Page, answers, ways out and probes work with either NVA active, and the scripts name what is there."""
    assert list(environment_problems(world(way))) == []


@needs_types
@pytest.mark.parametrize("way", WAYS)
def test_azure_knows_every_property(way: str) -> None:
    """Every property that is sent exists at that API version, may be written, and takes that value."""
    assert list(type_problems(world(way))) == []
