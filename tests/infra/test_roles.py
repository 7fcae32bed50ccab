"""The custom role grants what the code does, and no more."""

from __future__ import annotations

import json
import re

from .checks import reference_problems, role_problems
from .tools import INFRA

# The code reads and writes whole route tables and network interfaces and reads public IPs. Azure also asks
# for the join action on what a network interface's body refers to; every NVA's refers to these three.
NEEDED = frozenset(
    {
        "Microsoft.Network/routeTables/read",
        "Microsoft.Network/routeTables/write",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkInterfaces/write",
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.Network/publicIPAddresses/join/action",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "Microsoft.Network/networkSecurityGroups/join/action",
    }
)


def test_role_grants_what_is_needed() -> None:
    """The role grants exactly the actions that the code and Azure's linked checks need."""
    role = json.loads((INFRA / "roles" / "nva-operator.json").read_text(encoding="utf-8"))
    assert role_problems(role, NEEDED) == []


def test_further_references_are_joins() -> None:
    """What can be added to the role for a network interface's other references are join actions only."""
    references = json.loads((INFRA / "roles" / "nic-references.json").read_text(encoding="utf-8"))
    assert reference_problems(references, NEEDED) == []


def test_role_has_one_source() -> None:
    """The template takes the role from the file that is tested here and spells no action out itself."""
    for path in INFRA.rglob("*.bicep"):
        assert not re.search(
            r"Microsoft\.Network/[\w/]+/(read|write|action)'", path.read_text(encoding="utf-8")
        ), path
    assert "loadJsonContent('./roles/nva-operator.json')" in (INFRA / "main.bicep").read_text(
        encoding="utf-8"
    )
