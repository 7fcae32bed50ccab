"""`nvaha lab up`: the lab kept running, to play with."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.text import Text

from nvaha.lab.acts import VERBS, Acts
from nvaha.lab.screen import QUIET, STYLES, Screen
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.process import News
from nvaha.lab.stage.sample import SUBSCRIPTION
from nvaha.lab.stage.stage import GROUP, Lab

_LOOK_S = 0.2
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
    """

    def __init__(self, *, profile: str, hosts: int, port: int, key: str | None) -> None:
        self._screen = Screen(Console(highlight=False))
        self._lab = Lab(
            self._say, profile=profile, hosts=hosts, port=port, key=key, canary=True, persist=True
        )
        self._acts = Acts(self._lab)
        self._ended: set[str] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until `quit`, SIGINT or SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        self._print("Starting …", "bold")
        async with self._lab:
            self._introduce()
            reading = asyncio.create_task(self._read_commands())
            telling = asyncio.create_task(self._tell_events())
            await self._stopping.wait()
            reading.cancel()
            telling.cancel()
            self._print("Stopping …", "bold")
        return 0

    def _introduce(self) -> None:
        lab = self._lab
        first = lab.hosts[0]
        key = f"  export NVAHA_KEY={lab.options.key}\n" if lab.options.key else ""
        other = lab.nvas[1].name
        file = lab.folder / "core-tools.env"
        nvaha = program()
        values = lab.settings("core-tools").items()
        file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in values))
        self._screen.show(
            f"\nThe app answers at {first.url}/api; try in another terminal:\n"
            f"  export NVAHA_URL={first.url}\n{key}"
            f"  {nvaha} status --watch\n"
            f"  {nvaha} plan {GROUP} --to {other}\n"
            f"  {nvaha} failover {GROUP} --to {other} --wait\n"
            f"  {nvaha} history {GROUP}\n"
            f"  curl {first.url}/api/health\n"
            f"or look at the status page: {first.url}/api/ui\n"
            f"\nThe same app in Azure Functions Core Tools, as one more monitor of this lab:\n"
            f"  source {file} && func start --port 7072\n"
            f"\nA first configuration, as if there were none, from this Azure:\n"
            f"  source {file} && {nvaha} init --subscription {SUBSCRIPTION} --output first.yaml\n"
            f"\nConfiguration and logs: {lab.folder}\n"
            f"\nType here:"
        )
        self._help()

    def _help(self) -> None:
        width = max(map(len, typed()))
        for usage, about in typed().items():
            self._screen.tell(about, head=f"  {usage.ljust(width)}  ")
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
                self._print(await self._acts.obey(line), "yellow")

    async def _status(self) -> None:
        group = await self._lab.group()
        _, monitors = await self._lab.call("GET", "/groups")
        leader, standbys = monitors.get("leader"), monitors.get("standbys", 0)
        led_by = leader["instance"] if leader else "nobody"
        text = f"{group['phase']}, active {group['active']}, led by {led_by}, {standbys} standing by"
        self._print(f"  {group['name']}: {text}", "bold")
        for nva in group["nvas"]:
            self._print(f"  {nva['name']}: {nva['health']} {nva['last_error'] or ''}", "")
        for flow in self._lab.traffic.flows:
            _, answered, nva = flow.samples[-1] if flow.samples else (0.0, False, None)
            self._print(f"  {flow.name}: {f'traffic through {nva}' if answered else 'no answer'}", "")

    async def _tell_events(self) -> None:
        news = News()
        while True:
            for event in news.among(self._lab.events()):
                if event.event not in QUIET:
                    style = STYLES.get(event.event, "")
                    self._screen.tell(f"{event.host}: {event.text}", head=_clock(event.at), style=style)
            self._tell_ends()
            await asyncio.sleep(_LOOK_S)

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
        self._screen.tell(text, head=f"{_clock()}✓ ", style="green")

    def _print(self, text: str, style: str = "") -> None:
        for line in text.splitlines():
            self._screen.tell(line, head=_clock(), style=style)


def _clock(at: float | None = None) -> str:
    time = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return f"{time.astimezone():%H:%M:%S}  "


def typed() -> dict[str, str]:
    """Return all that can be typed, and what it does."""
    return {**{each.usage: each.about for each in VERBS.values()}, **_OWN}


def program() -> str:
    """Return what to type in another terminal to run this very program's `nvaha`."""
    started = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).parent / "nvaha"
    ours = next((each for each in (started, beside) if each.stem == "nvaha" and each.is_file()), None)
    if ours is None:
        return f"{shlex.quote(sys.executable)} -m nvaha.cli"
    found = shutil.which("nvaha")
    if found is not None and Path(found).resolve() == ours.resolve():
        return "nvaha"
    return shlex.quote(str(ours))


async def run(*, profile: str, hosts: int, port: int, key: str | None) -> int:
    """Keep a lab running; returns the exit code, having said what went wrong if it is not 0."""
    with suppress(asyncio.CancelledError):
        try:
            return await Up(profile=profile, hosts=hosts, port=port, key=key).run()
        except LabError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="red"))
    return 1
