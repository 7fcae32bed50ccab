"""The local host as a process of its own, and what it logs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from nvaha.lab.host.lifetime import SHUT_DOWN, STOP_S
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.child import end

READY_S = 60.0
PAUSE_S = 1.0
"""So long a host that shut itself down stays away; how long it is on Azure is not known (azure-facts E3)."""
_STOP_S = STOP_S + 3.0
_LOOK_S = 0.02
_LAST_WORDS = 2000
_LINE = re.compile(r"\[([^\]]+Z)\] (.*)")
# A developer's own settings must not decide what the lab's app does, nor with which identity.
_FOREIGN = ("AZURE", "NVAHA_", "IDENTITY_", "MSI_", "FUNCTIONS_", "WEBSITE_")


@dataclass(frozen=True, slots=True)
class HostEvent:
    """An event of `nvaha.model.events` as a host logged it; `at` is wall-clock seconds since 1970."""

    at: float
    host: str
    event: str
    text: str
    fields: Mapping[str, Any]


class News:
    """What is new among events that are read again and again, each told once.

    A crash has a notice told twice, by one host or by two, with the same `id`; and with several hosts a later
    reading brings events that are older than some of the last one.
    """

    def __init__(self) -> None:
        self._known: set[object] = set()

    def among(self, events: Iterable[HostEvent]) -> list[HostEvent]:
        """Return the events that no earlier call was given, in the order of these."""
        new = []
        for each in events:
            key = each.fields.get("id") or (each.at, each.host, each.text)
            if key not in self._known:
                self._known.add(key)
                new.append(each)
        return new


def read_event(line: str, host: str) -> HostEvent | None:
    """Read a host's log line; None if it holds no event."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    text, brace, rest = match[2].partition(' {"event": ')
    if not brace:
        return None
    try:
        fields = json.loads('{"event": ' + rest)
    except ValueError:
        return None
    return HostEvent(datetime.fromisoformat(match[1]).timestamp(), host, fields["event"], text, fields)


class HostProcess:
    """One local host running an app; an async context manager that starts it and kills it at the end.

    A host that shuts itself down is started again after a pause, as the platform does; one that is killed,
    stopped or cannot run the app is not.

    Args:
        name: shown, and part of the log file's name.
        app: the app's folder; which release it is does not matter.
        settings: its application settings.
        folder: where its log goes.
        arguments: more arguments for `nvaha lab host`.
        port: for HTTP; 0 for a free one, which a restart takes again.
        pause_s: how long it stays away after it shut itself down.
        say: told, in words, each time it was started again.
    """

    def __init__(
        self,
        name: str,
        app: Path,
        settings: Mapping[str, str],
        folder: Path,
        *,
        arguments: Sequence[str] = (),
        port: int = 0,
        pause_s: float = PAUSE_S,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.settings = dict(settings)
        self.log = folder / f"{name}.log"
        self.url = ""
        self._app = app
        self._arguments = tuple(arguments)
        self._port = port
        self._pause_s = pause_s
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._minding: asyncio.Task[None] | None = None
        self.shut_downs = 0
        self._read = 0
        self._events: list[HostEvent] = []

    @property
    def pid(self) -> int:
        """The process id; LabError if it was not started."""
        if self._process is None:
            raise LabError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not, or is about to be started again."""
        return self._minding is not None and not self._minding.done()

    async def start(self, app: Path | None = None) -> None:
        """Start it, at its old port if it had one, and wait until it listens.

        Args:
            app: the folder of the app that it runs from now on, such as another release; else the same again.

        Raises:
            LabError: it runs, there is no app in that folder, or it does not come up; with its last words.
        """
        if self.running:
            raise LabError(f"{self.name} runs: end it before it is started again")
        self._app = app_folder(app or self._app)
        await self._come_up()
        self._minding = asyncio.create_task(self._mind())

    async def _mind(self) -> None:
        """Start it again whenever it has shut itself down."""
        while self._process is not None:
            if self._process.poll() is None:
                await asyncio.sleep(_LOOK_S)
                continue
            if self._process.returncode != SHUT_DOWN:
                return
            self.shut_downs += 1
            await asyncio.sleep(self._pause_s)
            try:
                await self._come_up()
            except LabError as error:
                self._say(str(error))
                return
            self._say(f"{self.name} had shut itself down, as on Azure, and is up again; why: {self.log}")

    async def _come_up(self) -> None:
        process = self._launch()
        reading = asyncio.ensure_future(asyncio.to_thread(_first_line, process))
        done, _ = await asyncio.wait({reading}, timeout=READY_S)
        if not done:
            await end(self._process, asking_s=0)
        line = await reading
        if not line:
            await end(self._process, asking_s=0)
            raise LabError(f"the host {self.name} does not come up; {self.log} ends:\n{self._last_words()}")
        self.url = json.loads(line)["url"]
        self._port = int(self.url.rpartition(":")[2])

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nvaha.lab", "host", "--port", str(self._port), "--json-ready"]
        command += ["--no-local-settings", "--folder", str(self._app), *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=_environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C is for whoever started the lab, who then stops this one in order.
                start_new_session=True,
            )
        return self._process

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        await self._leave_alone()
        await end(self._process, asking_s=0)

    async def stop(self) -> None:
        """Ask it to end; running invocations get their ten seconds."""
        await self._leave_alone()
        await end(self._process, asking_s=_STOP_S)

    async def _leave_alone(self) -> None:
        if self._minding is not None:
            self._minding.cancel()
            with suppress(asyncio.CancelledError):
                await self._minding

    def freeze(self) -> None:
        """Let it stand still, as a virtual machine does that is being moved."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    def events(self) -> list[HostEvent]:
        """Return every event logged so far, oldest first."""
        if self.log.exists():
            with self.log.open("rb") as log:
                log.seek(self._read)
                # The last line may be half written: it is left for the next time.
                whole, newline, _ = log.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            lines = whole.decode(errors="replace").splitlines()
            self._events += [each for line in lines if (each := read_event(line, self.name))]
        return list(self._events)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-_LAST_WORDS:].strip() if self.log.exists() else "(none)"


def app_folder(folder: Path) -> Path:
    """Return a folder if it holds an app to run; LabError if it does not."""
    if not (folder / "function_app.py").is_file():
        raise LabError(
            f"{folder} holds no function_app.py: the lab runs the app of a checkout, by default of the one "
            "that it is installed from (there, type pip install --editable '.[lab]'), or an unpacked release"
        )
    return folder.resolve()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        return b""
    with process.stdout:
        return process.stdout.readline()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    # Everything is on loopback, where no proxy can help.
    without_proxy = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    return {**kept, **without_proxy, **settings}
