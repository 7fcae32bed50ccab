"""Goes through drills, each in a lab of its own, some at a time, and keeps their records."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

import nvaha
from nvaha.concurrency import unwrapped
from nvaha.lab.drill import Drill, perform
from nvaha.lab.record import Outcome, write
from nvaha.lab.scene import WIDTH, names_of
from nvaha.lab.screen import Record, Screen
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.stage import Lab

# Hold-down is a minute by default, which nobody need wait for here.
_LAB: Mapping[str, Any] = {"policy": {"hold_down": "5s"}}


async def run(
    drills: Sequence[Drill], console: Console, *, profile: str, page: Path | None = None, at_once: int = 1
) -> int:
    """Go through drills, each in a lab of its own; returns the exit code.

    Args:
        drills: which, in order.
        console: where they are told; of several at once, each when it has ended.
        profile: how long the simulated Azure takes.
        page: what the records of those that went well are written into, if any: a page, or a folder of them.
        at_once: how many labs run at a time.

    Raises:
        LabError: the page cannot be written, or has no place for a record.
    """
    failed, places = [], asyncio.Semaphore(at_once)

    async def go(drill: Drill) -> None:
        async with places:
            # Lines of two drills between each other are no story.
            kept = Console(
                file=io.StringIO(), force_terminal=console.is_terminal, width=console.width, highlight=False
            )
            screen = Screen(console if at_once == 1 else kept)
            screen.tell("")
            screen.tell(f"{drill.name}: {drill.purpose}", style="bold")
            lab = Lab(**{"profile": profile, **_LAB, **drill.lab})
            outcome = await _outcome(drill, lab, screen)
            if isinstance(kept.file, io.StringIO):
                console.file.write(kept.file.getvalue())
            if outcome is None:
                failed.append(drill.name)
            elif page is not None:
                write(page, {drill.name: outcome})

    async with unwrapped(), asyncio.TaskGroup() as tasks:
        for drill in drills:
            tasks.create_task(go(drill))
    if len(drills) > 1:
        screen = Screen(console)
        text = f"{len(drills) - len(failed)} of {len(drills)} drills went as they should"
        screen.tell("")
        screen.tell(f"{text}; not: {', '.join(failed)}" if failed else text, style="bold")
    return 1 if failed else 0


async def _outcome(drill: Drill, lab: Lab, screen: Screen) -> Outcome | None:
    """Go through a drill; return its record, or None if it did not go as it should, or no lab came up."""
    record = Record(WIDTH, names_of(lab))
    try:
        async with lab:
            began = time.monotonic()
            if await perform(drill, lab, screen, record):
                seconds = time.monotonic() - began
                words = f"{datetime.now(UTC):%Y-%m-%d}, {nvaha.__version__}: as it should be, {seconds:.0f} s"
                return Outcome(words, record.text)
            lab.keep_folder()
    except LabError as error:
        screen.tell(str(error), style="bold red")
    screen.tell(f"Not as it should be; the logs are in {lab.folder}", style="bold red")
    return None
