"""Checkov finds nothing in the Bicep files but what is excepted with a reason."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from .tools import INFRA, missing, program, run

CHECKOV = "checkov==3.3.30"
EXCEPTION = re.compile(r"checkov:skip=(\w+)(?::\s*(.*))?")


@pytest.mark.slow
def test_checkov_is_clean(tmp_path: Path) -> None:
    """Every check passes or is excepted with a reason, every exception is used, and every file is read."""
    uv = program("uv")
    if uv is None:
        missing("infra by checkov; uv is not installed")
    # Checkov pins many libraries; uv keeps them in an environment of their own.
    folder = tmp_path / "infra"
    shutil.copytree(INFRA, folder)
    for path in folder.rglob("*.bicep"):
        # Checkov's parser does not know the function fail and would leave out the whole file.
        path.write_text(path.read_text(encoding="utf-8").replace("fail(", "string("), encoding="utf-8")
    command: list[str | Path] = [uv, "tool", "run", "--quiet", "--from", CHECKOV, "checkov"]
    options: list[str | Path] = ["--framework", "bicep", "--skip-download", "--output", "json"]
    # The first time it has to be fetched.
    done = run([*command, "--directory", folder, *options], cwd=tmp_path, timeout_s=600.0)
    if not done.stdout.lstrip().startswith("{"):
        missing(f"infra by checkov; it did not run: {done.stderr.strip()[-300:]}")
    report = json.loads(done.stdout)
    results = report["results"]
    assert [(check["check_id"], check["file_path"]) for check in results["failed_checks"]] == []
    assert results["parsing_errors"] == []
    assert report["summary"]["passed"] >= 40
    used = {(check["check_id"], Path(check["file_path"]).name) for check in results["skipped_checks"]}
    written = set()
    for path in INFRA.rglob("*.bicep"):
        for check, reason in EXCEPTION.findall(path.read_text(encoding="utf-8")):
            assert len(reason) > 20, f"{path.name}: {check} has no reason"
            written.add((check, path.name))
    assert written == used
