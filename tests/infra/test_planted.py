"""Each check finds the mistake that it is there for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from .bicep import BicepFile, parse
from .checks import Known, all_problems, role_problems
from .test_queries import COLUMNS, answers, field_problems
from .test_roles import NEEDED
from .tools import INFRA


@dataclass(frozen=True)
class Mistake:
    """One change of a file, and what the problem found must name."""

    name: str
    file: str
    right: str
    wrong: str
    named: str


MISTAKES = [
    Mistake(
        "wrong property name",
        "app/storage.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAcces: false",
        "allowSharedKeyAcces",
    ),
    Mistake(
        "wrong API version",
        "app/function-app.bicep",
        "Microsoft.Web/sites@2024-11-01'",
        "Microsoft.Web/sites@2099-01-01'",
        "Microsoft.Web/sites@2099-01-01",
    ),
    Mistake(
        "missing description",
        "app/identity.bicep",
        "@description('Name of the identity.')\n",
        "",
        "parameter name",
    ),
    Mistake(
        "secret literal",
        "app/function-app.bicep",
        "NVAHA_CLOUD: cloud",
        "NVAHA_CLOUD: cloud\n  AZURE_CLIENT_SECRET: 'not-a-real-one'",
        "AZURE_CLIENT_SECRET",
    ),
    Mistake(
        "key read",
        "app/storage.bicep",
        "output id string = account.id",
        "output id string = account.listKeys().keys[0].value",
        "account.listKeys",
    ),
    Mistake(
        "unused output",
        "app/identity.bicep",
        "output id string = identity.id",
        "output id string = identity.id\n\n@description('Spare.')\noutput spare string = identity.name",
        "output spare",
    ),
    Mistake(
        "unused parameter",
        "app/identity.bicep",
        "  tags: tags\n",
        "",
        "parameter tags",
    ),
    Mistake(
        "wrong readable property",
        "app/identity.bicep",
        "identity.properties.clientId",
        "identity.properties.clientID",
        "clientID",
    ),
    Mistake(
        "wrong module parameter",
        "main.bicep",
        "principalId: identity.outputs.principalId",
        "principal: identity.outputs.principalId",
        "principal",
    ),
    Mistake(
        "wrong module output",
        "main.bicep",
        "identity.outputs.clientId",
        "identity.outputs.clientid",
        "clientid",
    ),
    Mistake("undeclared name", "main.bicep", "  tags: tags\n}", "  tags: labels\n}", "labels"),
    Mistake("unknown function", "main.bicep", "= toLower(", "= lower(", "lower"),
    Mistake("missing file", "app/alerts.bicep", "no-leader.kql", "no-leaders.kql", "no-leaders.kql"),
    Mistake("syntax error", "app/subnet.bicep", "parent: virtualNetwork", "parent virtualNetwork", "parsed"),
    Mistake(
        "loop where none is allowed",
        "main.bicep",
        "var roleActions = union(role.Actions, referenceActions)",
        "var roleActions = union(role.Actions, [for each in referenceActions: each])",
        "loop",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_is_found(bicep_files: dict[Path, BicepFile], known: Known, mistake: Mistake) -> None:
    """A mistake in a file is reported with the thing that is wrong."""
    path = INFRA / mistake.file
    source = path.read_text(encoding="utf-8")
    assert mistake.right in source
    broken = {**bicep_files, path: parse(path, source.replace(mistake.right, mistake.wrong, 1))}
    assert any(mistake.named in problem for problem in all_problems(broken, known))


def test_extra_action_is_found() -> None:
    """A role that grants more than the code needs is reported."""
    role = json.loads((INFRA / "roles" / "nva-operator.json").read_text(encoding="utf-8"))
    role["Actions"].append("Microsoft.Network/routeTables/delete")
    assert any("routeTables/delete" in problem for problem in role_problems(role, NEEDED))


def test_wrong_column_is_found() -> None:
    """A query that names a column the table does not have is reported."""
    assert "Mesage" in str(answers({"wrong": "AppTraces | where Mesage has 'x'"})["wrong"].problems)
    assert "Message" in COLUMNS


def test_unknown_field_is_found() -> None:
    """A query that reads a field no event carries is reported."""
    query = 'AppTraces | extend Fields = parse_json(Message) | where Fields.grp == "edge"'
    assert field_problems(answers({"wrong": query})["wrong"].fields) == ["grp is no field of any event"]
