"""The package holds the app and nothing else, whichever tool makes it, and runs on requirements.txt."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .packages import TOOLS, azd, core_tools, files, package_problems
from .tools import ROOT, missing, program, run

LARGEST_KB = 500
IGNORE = (ROOT / ".funcignore").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=TOOLS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a tool would deploy it."""
    target = tmp_path_factory.mktemp("package") / "app.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in TOOLS[request.param](IGNORE, files(ROOT)):
            packed.write(ROOT / name, name)
    return target


def test_package_holds_the_app_only() -> None:
    """Both tools package the app, the user's own files beside it, and nothing else of a checkout at work."""
    assert package_problems(IGNORE, files(ROOT)) == []


def test_package_is_small(archive: Path, record_property: Callable[[str, object], None]) -> None:
    """The package is sent and unpacked in no time."""
    size_kb = archive.stat().st_size / 1024
    record_property("package_kb", round(size_kb))
    print(f"package: {size_kb:.0f} kB, {len(zipfile.ZipFile(archive).namelist())} files")
    assert 0 < size_kb < LARGEST_KB


@pytest.mark.parametrize(
    ("pattern", "name", "core_tools_takes", "azd_takes"),
    [
        ("requirements", "requirements.txt", True, False),
        ("requirements/", "requirements.txt", False, False),
        ("requirements/", "requirements/dev.txt", True, True),
        ("host", "host.json", True, False),
        ("host", "hosting.py", False, False),
        ("lab", "nvaha/lab/up.py", False, True),
        ("/nvaha/lab/", "nvaha/lab/up.py", True, True),
        ("__pycache__", "nvaha/__pycache__/a.pyc", False, True),
        ("**/__pycache__/", "nvaha/__pycache__/a.pyc", True, True),
        ("**/__pycache__/", "__pycache__/a.pyc", False, True),
        ("*.md", "docs/deploy.md", False, True),
        ("/*.md", "docs/deploy.md", False, True),
        ("/.*", ".venv/lib/a.py", True, True),
        ("/.*", "nvaha/.hidden", False, False),
        ("nvaha.*", "nvaha/core/plan.py", False, False),
    ],
)
def test_the_tools_read_patterns_in_their_own_ways(
    pattern: str, name: str, core_tools_takes: bool, azd_takes: bool
) -> None:
    """A pattern takes out what the tool's public source says that it takes."""
    assert (core_tools(pattern, [name]) == []) is core_tools_takes
    assert (azd(pattern, [name]) == []) is azd_takes


def test_what_is_brought_back_stays_out_of_a_folder_that_azd_does_not_enter() -> None:
    """For Core Tools `!` outranks everything; for azd only what stands before it, and no folder above."""
    ignore = "/docs/\n!/docs/deploy.md\n!/host.json\n/host.json\n"
    names = ["docs/deploy.md", "host.json"]
    assert core_tools(ignore, names) == names
    assert azd(ignore, names) == []


def install(target: Path, *extra: str) -> None:
    """Install requirements.txt into a folder of its own."""
    uv = program("uv")
    if uv is None:
        missing("the package's requirements; uv is not installed")
    command = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", *extra]
    done = run([*command, "--target", str(target), "--requirement", str(ROOT / "requirements.txt")])
    if done.returncode:
        missing(f"the package's requirements: {done.stderr.strip()[-500:]}")


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The requirements, installed for this Python."""
    target = tmp_path_factory.mktemp("libraries")
    install(target, "--python", sys.executable)
    return target


@pytest.mark.slow
def test_requirements_fit_the_runtime(tmp_path: Path) -> None:
    """Every requirement has a build for the Python and the Linux that the function app runs on."""
    install(tmp_path, "--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
    assert (tmp_path / "azure" / "functions").is_dir()
    size_mb = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) / 2**20
    print(f"requirements: {size_mb:.0f} MB")
    assert size_mb < 100


@pytest.mark.slow
def test_app_imports_from_the_package(archive: Path, libraries: Path, tmp_path: Path) -> None:
    """The packaged app imports with its requirements alone and declares the functions probe and switch."""
    zipfile.ZipFile(archive).extractall(tmp_path)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(libraries)!r}]; import function_app; "
        "print(sorted(f.get_function_name() for f in function_app.app.get_functions()))"
    )
    settings = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PYTHONDONTWRITEBYTECODE": "1"}
    # No path and no site-packages of this environment: what the package lacks must be missing here.
    done = run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, env=settings)
    assert done.returncode == 0, done.stderr
    assert "'probe'" in done.stdout
    assert "'switch'" in done.stdout
