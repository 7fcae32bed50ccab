"""`nvaha lab up`: the lab kept running, to play with."""

from __future__ import annotations

import asyncio
import inspect
import shlex
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.text import Text

from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.nva import Down
from nvaha.lab.stage.process import HostEvent, News
from nvaha.lab.stage.stage import GROUP, Lab

_LOOK_S = 0.2
_STYLES = {
    "switch_done": "bold green",
    "nva_up": "green",
    "nva_down": "bold red",
    "switch_failed": "bold red",
}
_QUIET = frozenset({"heartbeat"})
_HELP = """\
  status                  what the app says of its group, and whether traffic flows
  kill nva1 [silent]      stop an NVA: connections are refused, or never answered
  revive nva1             start it again
  crash NAME, start NAME  end a monitor as a crash would; start it again
  start NAME FOLDER       start it as the release whose app is in a folder
  quit                    stop everything"""


class Up:
    """One lab that is kept running, and the commands typed at it.

    Args:
        profile: how long the simulated Azure takes.
        hosts: how many monitors.
        port: the first monitor's.
        key: the function key to ask for, if any.
    """

    def __init__(self, *, profile: str, hosts: int, port: int, key: str | None) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._lab = Lab(self._say, profile=profile, hosts=hosts, port=port, key=key, canary=True)
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
        self._console.print(
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
            f"\nConfiguration and logs: {lab.folder}\n"
            f"\nType here:\n{_HELP}\n",
            markup=False,
        )

    async def _read_commands(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        except (ValueError, OSError):
            return  # standard input is a file or nothing: there is nobody to type
        while line := await reader.readline():
            words = line.decode(errors="replace").split()
            if not words:
                continue
            try:
                await self._obey(words[0], words[1:])
            except (LabError, OSError, aiohttp.ClientError, TimeoutError) as error:
                self._print(f"  {error or type(error).__name__}", "red")

    async def _obey(self, command: str, words: list[str]) -> None:
        commands: dict[str, Callable[..., Awaitable[None]]] = {
            "status": self._status,
            "kill": self._kill,
            "revive": self._revive,
            "crash": self._crash,
            "start": self._start,
            "quit": self._quit,
        }
        called = commands.get(command)
        if called is None or not _fits(called, words):
            self._print(_HELP, "")
        else:
            await called(*words)

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

    async def _kill(self, name: str, mode: str = Down.REFUSE) -> None:
        if mode not in set(Down):
            raise LabError(
                f"{mode!r} is no way to stop an NVA: after kill NVA write {Down.SILENT} for one that never "
                f"answers, or {Down.REFUSE} or nothing for one that refuses connections"
            )
        nva = self._lab.nva(name)
        nva.stop(Down(mode))
        self._print(f"  {nva.name} is gone", "yellow")

    async def _revive(self, name: str) -> None:
        nva = self._lab.nva(name)
        nva.start()
        self._print(f"  {nva.name} is back", "yellow")

    async def _crash(self, name: str) -> None:
        await self._lab.host(name).kill()
        self._print(f"  {name} has crashed", "yellow")

    async def _start(self, name: str, app: str = "") -> None:
        host = self._lab.host(name)
        if app or not host.running:
            await host.start(Path(app) if app else None)
        self._print(f"  {name} runs", "yellow")

    async def _quit(self) -> None:
        self._stopping.set()

    async def _tell_events(self) -> None:
        news = News()
        while True:
            for event in news.among(self._lab.events()):
                if event.event not in _QUIET:
                    self._tell(event)
            await asyncio.sleep(_LOOK_S)

    def _tell(self, event: HostEvent) -> None:
        self._console.print(Text(f"  {event.host}: {event.text}", style=_STYLES.get(event.event, "")))

    def _say(self, text: str) -> None:
        self._console.print(Text.assemble(("  ✓ ", "green"), text))

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style))


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


def _fits(called: Callable[..., Awaitable[None]], words: list[str]) -> bool:
    try:
        inspect.signature(called).bind(*words)
    except TypeError:
        return False
    return True


async def run(*, profile: str, hosts: int, port: int, key: str | None) -> int:
    """Keep a lab running; returns the exit code, having said what went wrong if it is not 0."""
    with suppress(asyncio.CancelledError):
        try:
            return await Up(profile=profile, hosts=hosts, port=port, key=key).run()
        except LabError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="red"))
    return 1
