"""The deployed package holds the app and nothing else, and runs on what requirements.txt installs."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pathspec
import pytest

from .tools import ROOT, missing, program, run

LARGEST_KB = 500
NEVER = ("nvaha/lab/", "nvaha/cli/", "tests/", "docs/", "infra/", "bench/", "requirements/", ".git", ".venv")


def package(target: Path) -> list[str]:
    """Zip the app as Core Tools do, .funcignore applied, and return the names inside."""
    ignored = pathspec.GitIgnoreSpec.from_lines(
        (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    )
    names = sorted(ignored.match_tree_files(ROOT, negate=True))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(ROOT / name, name)
    return names


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it would be deployed."""
    target = tmp_path_factory.mktemp("package") / "app.zip"
    package(target)
    return target


def test_package_holds_the_app_only(archive: Path, record_property: Callable[[str, object], None]) -> None:
    """The package has the app's files and no lab, CLI, tests, docs or local settings, and is small."""
    names = zipfile.ZipFile(archive).namelist()
    assert {"host.json", "requirements.txt", "function_app.py", "nvaha/core/decide.py"} <= set(names)
    assert [name for name in names if name.startswith(NEVER) or "local.settings" in name] == []
    assert [name for name in names if name.endswith((".pyc", ".kql", ".bicep"))] == []
    size_kb = archive.stat().st_size / 1024
    record_property("package_kb", round(size_kb))
    print(f"package: {size_kb:.0f} kB, {len(names)} files")
    assert size_kb < LARGEST_KB


def install(target: Path, *extra: str) -> None:
    """Install requirements.txt into a folder of its own."""
    uv = program("uv")
    if uv is None:
        missing("the package's requirements; uv is not installed")
    command = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", *extra]
    done = run([*command, "--target", str(target), "--requirement", str(ROOT / "requirements.txt")])
    if done.returncode:
        missing(f"the package's requirements: {done.stderr.strip()[-500:]}")


@pytest.mark.slow
def test_requirements_fit_the_runtime(tmp_path: Path) -> None:
    """Every requirement has a build for the Python and the Linux that the function app runs on."""
    install(tmp_path, "--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
    assert (tmp_path / "azure" / "functions").is_dir()
    size_mb = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) / 2**20
    print(f"requirements: {size_mb:.0f} MB")
    assert size_mb < 100


@pytest.mark.slow
def test_app_imports_from_the_package(archive: Path, tmp_path: Path) -> None:
    """The packaged app imports with its requirements alone and declares the functions probe and switch."""
    if not (ROOT / "function_app.py").is_file():
        missing("the app's import; function_app.py is not there")
    app, libraries = tmp_path / "app", tmp_path / "libraries"
    zipfile.ZipFile(archive).extractall(app)
    install(libraries, "--python", sys.executable)
    code = (
        f"import sys; sys.path[:0] = [{str(app)!r}, {str(libraries)!r}]; import function_app; "
        "print(sorted(f.get_function_name() for f in function_app.app.get_functions()))"
    )
    settings = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PYTHONDONTWRITEBYTECODE": "1"}
    # No path and no site-packages of this environment: what the package lacks must be missing here.
    done = run([sys.executable, "-I", "-S", "-c", code], cwd=app, env=settings)
    assert done.returncode == 0, done.stderr
    assert "'probe'" in done.stdout
    assert "'switch'" in done.stdout
