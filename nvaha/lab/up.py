"""`nvaha lab up`: the lab kept running, to play with."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from nvaha.config import ConfigError, Loaded, describe, load
from nvaha.lab.acts import VERBS, Acts
from nvaha.lab.program import program
from nvaha.lab.screen import QUIET, STYLES, Screen
from nvaha.lab.stage.azurite import FETCHING, LabError, installed
from nvaha.lab.stage.own import not_stood_in
from nvaha.lab.stage.process import HostEvent, News
from nvaha.lab.stage.stage import Lab

_LOOK_S = 0.2
_LONG_AGO_S = 1000.0
_OWN = {
    "status": "what the app says of its group, and whether traffic flows",
    "help": "this list",
    "quit": "stop everything",
}


class Up:
    """One lab that is kept running, and the commands typed at it.

    Args:
        profile: how long the simulated Azure takes.
        hosts: how many monitors.
        port: the first monitor's.
        key: the function key to ask for, if any.
        own: somebody's own configuration, instead of the sample with a canary.
    """

    def __init__(self, *, profile: str, hosts: int, port: int, key: str | None, own: Loaded | None) -> None:
        self._screen = Screen(Console(highlight=False))
        self._own = own
        of: dict[str, Any] = (
            {"configuration": own.configuration} if own else {"canary": True, "control": True}
        )
        self._lab = Lab(
            self._say, profile=profile, hosts=hosts, port=port, key=key, outside=True, persist=True, **of
        )
        self._acts = Acts(self._lab)
        self._ended: set[str] = set()
        self._done_at: float | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until `quit`, SIGINT or SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        if self._own:
            self._tell_own(self._own)
        self._print("Starting …", "bold")
        if not installed():
            self._print(FETCHING)
        async with self._lab:
            self._introduce()
            works = (self._read_commands, self._tell_events, self._tell_ready)
            tasks = [asyncio.create_task(work()) for work in works]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()
            self._print("Stopping …", "bold")
        return 0

    def _tell_own(self, own: Loaded) -> None:
        if own.warnings:
            self._screen.show(f"Warnings of the file:\n\n{describe(own.warnings)}")
        for line in not_stood_in(own.configuration):
            self._screen.tell(line, head="  · ")

    def _introduce(self) -> None:
        lab, screen = self._lab, self._screen
        first, group = lab.hosts[0], lab.configuration.groups[0]
        file = lab.folder / "core-tools.env"
        nvaha = program()
        values = lab.settings("core-tools").items()
        file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in values))
        screen.tell("")
        screen.tell("The status page, in a browser on this machine:", style="bold")
        screen.command(f"{first.url}/api/ui")
        key = lab.options.key
        asked = f"it asks for the function key, which is {key}" if key else "it asks for no key"
        screen.tell(f"{asked}; choose {group.name}, then Move to {group.names[1]}", head="  ")
        screen.tell("")
        screen.tell("The same from a shell, in another terminal:", style="bold")
        screen.command(f"export NVAHA_URL={first.url}")
        if key:
            screen.command(f"export NVAHA_KEY={shlex.quote(key)}")
        screen.command(f"{nvaha} status --watch")
        screen.command(f"{nvaha} plan {group.name} --to {group.names[1]}")
        screen.command(f"{nvaha} failover {group.name} --to {group.names[1]} --wait")
        screen.command(f"{nvaha} history {group.name}")
        screen.tell("")
        screen.tell("The same app in Azure Functions Core Tools, as one more monitor:", style="bold")
        screen.command(f"source {file} && func start --port 7072")
        screen.tell("")
        screen.tell("A first configuration from this Azure, as if there were none:", style="bold")
        subscription = next(iter(group.nvas[0].interfaces.values())).split("/")[2]
        screen.command(f"source {file} && {nvaha} init --subscription {subscription} --output first.yaml")
        screen.tell("")
        screen.tell(f"Configuration and logs: {lab.folder}")
        screen.tell(f"Type here: kill {lab.nvas[0].name}, status, help, quit", style="bold")
        screen.tell("")

    def _help(self) -> None:
        width = max(map(len, typed()))
        for usage, about in typed().items():
            self._screen.tell(about, head=f"  {usage.ljust(width)}  ")
        self._screen.tell("")
        for kind, names in self._acts.names().items():
            self._screen.tell(", ".join(names), head=f"  {kind.ljust(width)}  ")
        self._screen.tell("")

    async def _read_commands(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        except (ValueError, OSError):
            return  # standard input is a file or nothing: there is nobody to type
        while line := await reader.readline():
            typed_line = line.decode(errors="replace").strip()
            if not typed_line:
                continue
            try:
                await self._obey(typed_line)
            except (LabError, OSError, aiohttp.ClientError, TimeoutError) as error:
                self._print(str(error) or type(error).__name__, "red")

    async def _obey(self, line: str) -> None:
        match line.split():
            case ["status"]:
                await self._status()
            case ["quit"]:
                self._stopping.set()
            case ["help"]:
                self._help()
            case _:
                before, self._done_at = self._done_at, time.time()
                try:
                    done = await self._acts.obey(line)
                except BaseException:
                    self._done_at = before
                    raise
                self._print(done, "yellow")

    async def _status(self) -> None:
        running = [number for number, host in enumerate(self._lab.hosts) if host.running]
        if not running:
            raise LabError("no monitor runs that could be asked")
        number = running[0]
        _, monitors = await self._lab.call("GET", "/groups", host=number)
        leader, standbys = monitors.get("leader"), monitors.get("standbys", 0)
        led_by = leader["instance"] if leader else "nobody"
        self._print(f"  led by {led_by}, {standbys} standing by")
        for name in self._lab.samples:
            group = await self._lab.group(name, host=number)
            nvas = ", ".join(map(_health, group["nvas"]))
            parts = (f"{group['phase']}, active {group['active']}", nvas, *self._traffic(name))
            self._print(f"  {name}: {'; '.join(parts)}", "bold")

    def _traffic(self, group: str) -> Iterator[str]:
        """Yield which of a group's ways in are answered through whom, and which are not."""
        ways: dict[str, list[str]] = {}
        for flow in self._lab.traffic.flows:
            if flow.group == group:
                _, answered, nva = flow.samples[-1] if flow.samples else (0.0, False, None)
                how = f"answered through {nva}" if answered else "not answered"
                ways.setdefault(how, []).append(flow.name)
        for how, names in ways.items():
            yield f"{', '.join(names)}: {how}"

    async def _tell_events(self) -> None:
        news = News()
        while True:
            for event in news.among(self._lab.events()):
                if event.event not in QUIET:
                    self._print(self._said(event), STYLES.get(event.event, ""), event.at)
            self._tell_ends()
            await asyncio.sleep(_LOOK_S)

    async def _tell_ready(self) -> None:
        with suppress(LabError):
            for name in self._lab.samples:
                await self._lab.ready(name)
            if self._done_at is None:
                self._say("a leader probes, and every NVA is up")

    def _said(self, event: HostEvent) -> str:
        """Return an event's text with the names that people know."""
        operation, group = event.fields.get("operation"), event.fields.get("group")
        text = event.text
        if operation and text.startswith(f"{operation}: "):
            # Its history has the id: here it would only make each step's line longer.
            text = f"{group}: {text.removeprefix(f'{operation}: ')}"
        for what, instead in self._lab.scenery.shown.items():
            text = text.replace(what, instead)
        return f"{event.host}: {text}"

    def _tell_ends(self) -> None:
        """Say once of each part that it has ended, by whatever, and how it is started again."""
        parts = {host.name: (host.running, f"start {host.name}") for host in self._lab.hosts}
        parts["storage"] = (self._lab.azurite.running, "storage on")
        for name, (runs, remedy) in parts.items():
            if runs:
                self._ended.discard(name)
            elif name not in self._ended:
                self._ended.add(name)
                self._print(f"{name} has ended; to start it again: {remedy}", "yellow")

    def _say(self, text: str) -> None:
        self._print(f"✓ {text}", "green")

    def _print(self, text: str, style: str = "", at: float | None = None) -> None:
        for line in text.splitlines():
            self._screen.tell(line, head=clock(time.time() if at is None else at, self._done_at), style=style)


def clock(at: float, since: float | None) -> str:
    """Return what stands before a line.

    Args:
        at: when it was, in seconds since 1970.
        since: when something was last done to the lab; None: nothing was yet.
    """
    passed = "" if since is None or at - since >= _LONG_AGO_S else f"{at - since:+.1f}"
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M:%S} {passed:>6}  "


def _health(nva: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (nva["name"], nva["health"], nva["last_error"])))


def typed() -> dict[str, str]:
    """Return all that can be typed, and what it does."""
    return {**{each.usage: each.about for each in VERBS.values()}, **_OWN}


def _load(file: Path) -> Loaded:
    return load(str(file.absolute()), Path())


async def run(*, profile: str, hosts: int, port: int, key: str | None, file: Path | None = None) -> int:
    """Keep a lab running; returns the exit code, having said what went wrong if it is not 0."""
    with suppress(asyncio.CancelledError):
        try:
            own = _load(file) if file else None
            return await Up(profile=profile, hosts=hosts, port=port, key=key, own=own).run()
        except ConfigError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"Error: {str(error).rstrip()}"))
        except LabError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="red"))
    return 1
