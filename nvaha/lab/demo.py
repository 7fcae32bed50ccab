"""`nvaha lab demo`: kills the active NVA before your eyes, measures what follows, and checks the result."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nvaha.lab.program import program
from nvaha.lab.stage.azurite import FETCHING, LabError, installed
from nvaha.lab.stage.nva import FakeNva
from nvaha.lab.stage.stage import Lab
from nvaha.lab.timeline import Figures, Line, Timeline

HOLD_DOWN_S = 5
WITHIN_S = {"fast": 30.0, "typical": 60.0, "slow": 240.0}
_RISE_S = 20.0
_SPARE_S = 0.5
_STYLES = {"write sent": "dim", "traffic back": "green", "done": "bold green", "down": "bold red"}
_STYLES |= {"first failed probe": "yellow", "switch requested": "bold yellow", "failed": "bold red"}


class Demo:
    """One run of the demo.

    Args:
        profile: how long the simulated Azure takes.
        back: whether the second NVA is killed as well, so that everything moves back.
        as_json: print the figures and nothing else.
        port: the function app's; 0 for a free one.
    """

    def __init__(self, *, profile: str, back: bool, as_json: bool, port: int) -> None:
        self._profile = profile
        self._back = back
        self._as_json = as_json
        self._port = port
        self._console = Console(quiet=as_json, highlight=False)
        # A terminal folds between words, where nobody reads a file's long lines by eye.
        self._console.soft_wrap = not self._console.is_terminal

    async def run(self) -> int:
        """Run it; returns the exit code, having said what went wrong if it is not 0."""
        self._print("Starting a small Azure, two NVAs and the function app on this machine …", "bold")
        if not installed():
            self._print(f"  {FETCHING}", "dim")
        policy = {"hold_down": f"{HOLD_DOWN_S}s"}
        lab = Lab(self._say, profile=self._profile, policy=policy, port=self._port)
        try:
            return await self._run(lab)
        except LabError as error:
            where = "" if str(lab.folder) in str(error) else f"\nLogs: {lab.folder}"
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            console.print(Text(f"{error}{where}", style="red"))
            return 1

    async def _run(self, lab: Lab) -> int:
        async with lab:
            self._print("  waiting for the leader's first rounds …", "dim")
            await lab.ready()
            first, second = lab.nvas
            self._say(f"a leader probes, both NVAs are up, {first.name} is active")
            figures, problems = await self._fail_over(lab, first, second)
            shown = _shown(figures)
            if self._back and not problems:
                back, problems = await self._move_back(lab, first, second)
                shown["back"] = _shown(back)
            if problems:
                lab.keep_folder()
                self._print(f"Not as it should be; the logs are in {lab.folder}", "bold red")
            else:
                self._print(
                    f"\nTo play on, and fail over by hand on the status page: {program()} lab up", "bold"
                )
        if self._as_json:
            print(json.dumps({**shown, "verified": not problems}))
        return 1 if problems else 0

    async def _fail_over(self, lab: Lab, down: FakeNva, up: FakeNva) -> tuple[Figures, list[str]]:
        self._print(f"\n{down.name} dies now. Seconds since then:", "bold")
        figures = await Timeline(lab, down, self._show).follow(within_s=WITHIN_S[self._profile])
        problems = await lab.problems(up)
        self._sum_up(figures, up, problems)
        return figures, problems

    async def _move_back(self, lab: Lab, first: FakeNva, second: FakeNva) -> tuple[Figures, list[str]]:
        done_at = time.monotonic()
        first.start()
        self._print(f"\n{first.name} is revived; traffic stays where it is (failback is manual).", "bold")

        def risen(group: dict[str, Any]) -> bool:
            return all(nva["health"] == "up" for nva in group["nvas"])

        await lab.until(risen, within_s=_RISE_S, what=f"{first.name} up again")
        self._say(f"{first.name} is up again")
        self._print(
            f"  waiting out the hold-down: {HOLD_DOWN_S} s for the demo, 60 s by default, in which no "
            "automatic switch follows another",
            "dim",
        )
        await asyncio.sleep(max(0.0, done_at + HOLD_DOWN_S + _SPARE_S - time.monotonic()))
        return await self._fail_over(lab, second, first)

    def _sum_up(self, figures: Figures, active: FakeNva, problems: list[str]) -> None:
        ways = ", ".join(f"{_WAYS[way]} {seconds:.1f} s" for way, seconds in figures.by_direction.items())
        self._print(
            f"\n  The client was not answered for {figures.outage_s:.1f} s ({ways}): "
            f"detected after {figures.detected_s:.1f} s, first write after {figures.first_write_s:.1f} s, "
            f"done after {figures.done_s:.1f} s.",
            "bold",
        )
        for problem in problems:
            self._print(f"  ✗ {problem}", "red")
        if not problems:
            self._say(f"every route and public IP leads to {active.name}, which is recorded as active")
            self._say("nothing else was changed: every other property of every resource is as before")

    def _say(self, text: str) -> None:
        self._console.print(Text.assemble(("  ✓ ", "green"), text))

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style))

    def _show(self, line: Line) -> None:
        head = Text.assemble(f"  {line.at_s:6.2f}  ", (f"{line.title:<19}", _STYLES.get(line.title, "")))
        if not self._console.is_terminal:
            self._console.print(head + Text(line.text))
            return
        row = Table.grid()
        row.add_column(width=head.cell_len, no_wrap=True)
        row.add_row(head, Text(line.text))
        self._console.print(row)


_WAYS = {"route": "routes", "public_ip": "public IP"}


def _shown(figures: Figures) -> dict[str, Any]:
    shown = asdict(figures)
    del shown["by_direction"]
    return shown


async def run(*, profile: str, back: bool, as_json: bool, port: int = 0) -> int:
    """Run the demo; returns the exit code."""
    return await Demo(profile=profile, back=back, as_json=as_json, port=port).run()
