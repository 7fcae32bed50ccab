"""What is recorded: each picture by the name of its file, and what makes it."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import nvaha
from nvaha.lab.stage.stage import Lab
from tests.page.__main__ import PICTURES as PAGE
from tests.page.__main__ import take
from tests.recordings.terminal import Line, after, picture, prompt, run

ROOT = Path(nvaha.__file__).parent.parent
# The program as people type it, on a machine that is anybody's.
_PROGRAM = "import platform; platform.node = lambda: 'lab'; from nvaha.cli.start import main; main()"


def demo(folder: Path) -> None:
    """The first half of what `make demo` shows."""
    command = "nvaha lab demo --no-back"
    _keep(folder, "terminal-demo", "The demo", after(prompt(command), _typed(command)))


def failover(folder: Path) -> None:
    """A failover by hand, from the first look to the history."""
    lines = asyncio.run(_by_hand((
        "nvaha status", "nvaha plan edge --to ha-nva-vm2",
        "nvaha failover edge --to ha-nva-vm2 --reason 'upgrade of vm1' --yes --wait", "nvaha history edge",
    )))  # fmt: skip
    _keep(folder, "terminal-failover", "A failover by hand", lines)


def drill(folder: Path) -> None:
    """A drill: both NVAs die."""
    command = "nvaha lab drill both-down"
    _keep(folder, "terminal-drill", "A drill", after(prompt(command), _typed(command)))


def lab(folder: Path) -> None:
    """The lab's prompt, on somebody's own configuration."""
    command = "nvaha lab up --config nvaha.sample.yaml --port 0"
    typed = [
        ("every NVA is up", "kill nva1"), ("is active (failover", "crash monitor-a"),
        ("has ended", "start monitor-a"), ("leads with", "status"), ("answered through", "quit"),
    ]  # fmt: skip
    lines = after(prompt(command), _typed(command, typed))
    _keep(folder, "terminal-lab", "The lab on your own configuration", lines)


PICTURES: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(PAGE, take),
    "terminal-demo.svg": demo,
    "terminal-failover.svg": failover,
    "terminal-drill.svg": drill,
    "terminal-lab.svg": lab,
}


async def _by_hand(commands: Sequence[str]) -> list[Line]:
    """Return what a terminal shows in which commands are typed at the app of a lab."""
    lines: list[Line] = []
    async with Lab(canary=True, traffic=False) as stage:
        await stage.ready()
        for command in commands:
            said = await asyncio.to_thread(partial(_typed, command, NVAHA_URL=stage.hosts[0].url))
            lines = after(lines, after([*([Line(1.0, "")] if lines else []), *prompt(command)], said))
    return lines


def _typed(command: str, typed: Sequence[tuple[str, str]] = (), **environ: str) -> list[Line]:
    words = [sys.executable, "-c", _PROGRAM, *shlex.split(command)[1:]]
    own = {"PYTHONPATH": str(ROOT), "LOGNAME": "you", "NO_PROXY": "127.0.0.1", **environ}
    return run(words, {**os.environ, **own}, typed)


def _keep(folder: Path, name: str, title: str, lines: Sequence[Line]) -> None:
    (folder / f"{name}.svg").write_text(picture(lines, title, name), encoding="utf-8")
