"""The evaluator of the other tests says what the real Bicep compiler and Azure's own evaluator say.

They were asked about the templates of one commit; what they answered lies beside the repository.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .azure_types import FOLDER
from .checks import loop_problems
from .template.deployment import Deployment
from .template.functions import TemplateError
from .template.scope import SUBSCRIPTION, Scope
from .template.snapshot import by_id, read_parameters, snapshot
from .template.source import Files
from .tools import missing, program, run

COMMIT = "0a51983"
SNAPSHOTS = FOLDER / "snapshots"
NAMES = sorted(path.stem for path in SNAPSHOTS.glob("*.bicepparam"))
needs_snapshots = pytest.mark.skipif(not NAMES, reason=f"Bicep's snapshots are not there: {SNAPSHOTS}")
CENTRAL_ZONES = "/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups/rg-dns"


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates as they stood when the compiler was asked."""
    git = program("git")
    if git is None:
        missing("the evaluator against the compiler's snapshots; git is not installed")
    folder = tmp_path_factory.mktemp("templates")
    archive = folder / "infra.tar"
    done = run([git, "archive", "--output", archive, COMMIT, "infra"])
    if done.returncode:
        missing(f"the evaluator against the compiler's snapshots: {done.stderr.strip()}")
    run(["tar", "-x", "-f", archive, "-C", folder])
    return folder / "infra"


@needs_snapshots
@pytest.mark.parametrize("name", NAMES or ["none"])
def test_evaluator_equals_the_compiler(templates: Path, name: str) -> None:
    """Every resource and output of a deployment is what the real compiler and evaluator make of it."""
    template, given = read_parameters(SNAPSHOTS / f"{name}.bicepparam")
    scope = Scope(SUBSCRIPTION, "rg-test" if template.startswith("test-environment") else None)
    real = json.loads((SNAPSHOTS / f"{name}.snapshot.json").read_text(encoding="utf-8"))
    ours = snapshot(Deployment(Files(templates), templates / template, scope, given))
    assert ours["outputs"] == real["outputs"]
    assert ours["predictedResources"] == by_id(real["predictedResources"])


def test_evaluator_stops_where_azure_did(templates: Path) -> None:
    """A loop that refers to a loop over another, empty list stops the deployment, as Azure said it does."""
    given = {"environmentName": "prod", "location": "westeurope", "existingDnsZonesGroupId": CENTRAL_ZONES}
    deployment = Deployment(Files(templates), templates / "main.bicep", Scope(SUBSCRIPTION), given)
    with pytest.raises(TemplateError, match="out of bounds"):
        list(deployment.resources())


def test_fault_is_seen_without_deploying(templates: Path) -> None:
    """The loop that stopped that deployment is reported from the source alone."""
    source = Files(templates).source(templates / "app" / "private-endpoints.bicep")
    assert [problem for problem in loop_problems(source) if "records refers to zones" in problem]
