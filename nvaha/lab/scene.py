"""A drill under way: what is told of it, what was logged and written since it began, what is typed."""

from __future__ import annotations

import asyncio
import getpass
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nvaha
from nvaha.lab.acts import Acts
from nvaha.lab.arm import LogEntry
from nvaha.lab.screen import QUIET, STYLES, Screen
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.process import HostEvent, News
from nvaha.lab.stage.stage import GROUP, POLL_S, Lab

WIDTH = 110
_BESIDE = " " * 8
_SLOW = 4.0
_DATE = re.compile(r"\$\(date -ud '\+(\d+) seconds' \+%FT%TZ\)")
"""What a shell puts in for a time to come, in the one form that drills have it."""
_FIGURES = {"nva_down": "down", "switch_requested": "requested", "PUT": "first write", "switch_done": "done"}


class Scene:
    """A drill under way.

    Args:
        lab: a running lab.
        screens: where all is told.
    """

    def __init__(self, lab: Lab, *screens: Screen) -> None:
        self.lab = lab
        self.acts = Acts(lab)
        self.patience = _SLOW if lab.options.profile == "slow" else 1.0
        self.killed = time.monotonic()
        """When the last NVA was stopped, in monotonic seconds."""
        self.asked = 0
        """How many requests Azure had had when the last thing was done."""
        self.acted = self.killed
        """When the last thing was done, in monotonic seconds."""
        self.acted_told = 0
        """How many events had been told by then."""
        self.shown: dict[str, int] = {}
        """The runbook's sections that were shown, each with how many events had been told by then."""
        self.known: frozenset[str] = frozenset()
        """The operations that there were before the drill."""
        self._first = len(lab.simulator.log)
        self._screens = screens
        self._began = self._killed_at = time.time()
        self._news = News()
        self._news.among(lab.events())
        self._told: list[HostEvent] = []
        self._seen = 0

    def act(self, *, kills: bool = False) -> None:
        """Note that something is done now, to an NVA perhaps."""
        self.news()
        self.asked = len(self.lab.simulator.log)
        self.acted, self.acted_told = time.monotonic(), len(self._told)
        if kills:
            self.killed, self._killed_at = self.acted, time.time()

    def tell(self, text: str, *, at: float | None = None, style: str = "") -> None:
        """Print a line, with the seconds since the beginning if it has a time (wall clock)."""
        head = f"{at - self._began:6.1f}  " if at is not None else "\n  "
        for screen in self._screens:
            screen.tell(text, head=head, style=style)

    def pass_(self, text: str) -> None:
        """Print something that is as it should be."""
        for screen in self._screens:
            screen.tell(text, head="     ✓  ", style="green")

    def fail(self, text: str) -> None:
        """Print something that is not."""
        for screen in self._screens:
            screen.tell(text, head="     ✗  ", style="bold red")

    def show(self, block: str) -> None:
        """Print what a command has printed."""
        for screen in self._screens:
            for line in block.splitlines() or [""]:
                screen.tell(line.rstrip(), head=_BESIDE)

    def news(self) -> None:
        """Tell what was logged since the last time."""
        for event in self._news.among(self.lab.events()):
            self._told.append(event)
            if event.event not in QUIET:
                # The id of an operation before each of its steps would only make the lines longer.
                text = event.text.removeprefix(f"{event.fields.get('operation')}: ")
                self.tell(f"{event.host}: {text}", at=event.at, style=STYLES.get(event.event, ""))

    async def look_on(self, seconds: float) -> None:
        """Tell what is logged for a while."""
        until = time.monotonic() + seconds
        while True:
            self.news()
            left = until - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(POLL_S, left))

    def missing(self, events: Iterable[str], at: str, *, early: bool = False) -> list[str]:
        """Return those events that were not told after what was seen last, or (`early`) at all.

        If none is missing, they are seen now.
        """
        self.news()
        start = 0 if early else self._seen
        found: list[int] = []
        missing: list[str] = []
        for name in events:
            numbers = (
                number
                for number, each in enumerate(self._told[start:], start)
                if each.event == name and at in {"", each.host}
            )
            number = next(numbers, None)
            if number is None:
                missing.append(name)
            else:
                found.append(number)
        if not missing:
            self._seen = max(self._seen, *(number + 1 for number in found))
        return missing

    def logged(self, events: Iterable[str], at: str = "", since: int = 0) -> int | None:
        """Return the number behind the first of such events that were told from a number on, or None."""
        wanted = set(events)
        for number, each in enumerate(self._told[since:], since + 1):
            if each.event in wanted and at in {"", each.host}:
                return number
        return None

    @property
    def told(self) -> int:
        """How many events were told so far."""
        return len(self._told)

    def figures(self) -> Iterator[str]:
        """Yield after how many seconds each part of a failover was first seen since an NVA was stopped."""
        times = {
            each.event: each.at - self._killed_at
            for each in reversed(self._told)
            if each.at >= self._killed_at
        }
        puts = (each.time - self.killed for each in self.writes())
        first = next((at for at in puts if at >= 0), None)
        times |= {} if first is None else {"PUT": first}
        for event, name in _FIGURES.items():
            if event in times:
                yield f"{name} after {times[event]:.1f} s"

    def number(self, at: str) -> int:
        """Return the number of a monitor, the first without a name."""
        return self.lab.hosts.index(self.lab.host(at)) if at else 0

    def writes(self) -> list[LogEntry]:
        """Return the writes that were sent to Azure since the drill began."""
        return [each for each in self.lab.simulator.log[self._first :] if each.method == "PUT"]

    async def history(self, number: int) -> dict[str, str]:
        """Return {operation: status} as a monitor shows them, oldest first."""
        _, content = await self.lab.call("GET", f"/groups/{GROUP}/history?limit=50", host=number)
        return {each["id"]: each["status"] for each in reversed(content["operations"])}

    async def command(self, line: str, at: str) -> tuple[int, str]:
        """Run a `nvaha` command in the lab's folder; returns its exit code and what it printed."""
        words = shlex.split(_DATE.sub(_then, line))
        if words[0] != "nvaha":
            raise LabError(f"{words[0]} is no command that a drill can type")
        # A monitor of the lab asks for no key, but some commands do not go without.
        environ = {
            **os.environ,
            "NVAHA_URL": self.lab.hosts[self.number(at)].url,
            "NVAHA_KEY": "none-is-asked-for",
        }
        environ |= {
            "COLUMNS": str(WIDTH - len(_BESIDE)),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "NO_COLOR": "1",
        }
        environ["PYTHONPATH"] = str(Path(nvaha.__file__).parent.parent)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nvaha.cli", *words[1:]),
            env=environ,
            cwd=self.lab.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, failed = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, (said + failed).decode(errors="replace").strip("\n")


def _then(found: re.Match[str]) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=int(found[1])):%Y-%m-%dT%H:%M:%SZ}"


def names_of(lab: Lab) -> dict[str, str]:
    """Return what a record shows instead of this machine's names, its user's, and what begins every id."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError, ImportError):
        who = "someone"
    begin = lab.sample.route_tables[0].partition("/Microsoft.Network/")[0]
    return {f"{who} on {platform.node()}": "you on lab", str(lab.folder): "LAB", begin: "/…"}
