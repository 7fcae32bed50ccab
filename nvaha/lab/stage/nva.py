"""Fake NVAs: a listener for the probe and one that forwards traffic, on a loopback address of their own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Self

_BACKLOG = 128
_FILLERS = 4
_FIRST_HOST = 11
_PER_NETWORK = 200
_TRIES = 20
_REMEMBERED = 10_000

Talk = Callable[[socket.socket], Awaitable[None]]
"""What is said on an accepted connection until its other end has done; OSError ends it, too."""


async def drain(connection: socket.socket) -> None:
    """Take everything and say nothing."""
    while await asyncio.get_running_loop().sock_recv(connection, 4096):
        pass


async def echo(connection: socket.socket) -> None:
    """Say everything back."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, 4096):
        await loop.sock_sendall(connection, data)


class Down(StrEnum):
    """How an NVA is gone."""

    REFUSE = "refuse"  # its ports are closed: connections are refused at once
    SILENT = "silent"  # its packets get lost: connections are never answered


class _Listener:
    """A TCP listener that can be closed, or fall silent.

    Silent means: the queue of connections that wait to be accepted is shrunk to its least, filled up by
    ourselves, and nobody accepts. Linux then drops every further SYN, as a firewall would. (Not so on every
    other system: macOS may refuse instead.)
    """

    def __init__(self, talk: Talk) -> None:
        self.accepted: deque[float] = deque(maxlen=_REMEMBERED)
        self._talk = talk
        self._socket: socket.socket | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._shuts_for_s: float | None = None
        self._reopening: asyncio.TimerHandle | None = None

    def bind(self, address: str, port: int) -> int:
        """Bind and listen; returns the port."""
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        listener.settimeout(0)
        self._socket = listener
        return int(listener.getsockname()[1])

    def accept(self) -> None:
        """Begin to accept connections."""
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def _accept(self, listener: socket.socket) -> None:
        # Not awaited: a task that is cancelled right after it accepted would lose the open connection.
        with contextlib.suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
            connection, _ = listener.accept()
            connection.settimeout(0)
            self.accepted.append(time.monotonic())
            self._open.add(connection)
            task = asyncio.create_task(self._answer(connection))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            if self._shuts_for_s is not None:
                self._shut(listener, self._shuts_for_s)

    def limp(self, for_s: float) -> None:
        """From now on refuse connections for so long after each one that was accepted."""
        self._shuts_for_s = for_s

    def _shut(self, listener: socket.socket, for_s: float) -> None:
        loop = asyncio.get_running_loop()
        where = listener.getsockname()[:2]
        loop.remove_reader(listener)
        listener.close()
        self._socket = None

        def reopen() -> None:
            # Somebody else may have taken the port meanwhile: then it is refused a while longer.
            try:
                self.bind(*where)
            except OSError:
                self._reopening = loop.call_later(for_s, reopen)
            else:
                self.accept()

        self._reopening = loop.call_later(for_s, reopen)

    async def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self._talk(connection)
        self._open.discard(connection)
        connection.close()

    def _stop_accepting(self) -> None:
        for task in self._answering:
            task.cancel()
        # Cancelling takes a turn of the loop, and by then a closed socket's number may be somebody else's.
        for each in (self._socket, *self._open):
            if each is not None and each.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(each)
                asyncio.get_running_loop().remove_writer(each)

    def silence(self) -> None:
        """Answer nothing any more; connections that are open stay open."""
        self._stop_accepting()
        if self._socket is None:
            return
        self._socket.listen(0)
        for _ in range(_FILLERS):
            filler = socket.socket()
            filler.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                filler.connect(self._socket.getsockname())
            self._fillers.append(filler)

    def close(self) -> None:
        """Refuse everything, and reset what is open."""
        self._shuts_for_s = None
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        self._stop_accepting()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for each in (*self._open, *self._fillers):
            # Without lingering, closing resets: what a machine that has just died would not even say.
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            each.close()
        self._open.clear()
        self._fillers.clear()


class FakeNva:
    """One appliance.

    Args:
        name: as in the configuration.
        private_addresses: its addresses in the simulated network, by which traffic finds it.
        answer: what it says to a probe whose connection it has accepted.
    """

    def __init__(self, name: str, private_addresses: Sequence[str], answer: Talk = drain) -> None:
        self.name = name
        self.private_addresses = tuple(private_addresses)
        self.address = ""
        self.probe_port = self.forward_port = 0
        self.down: Down | None = Down.REFUSE
        self._limps = False
        self._probe = _Listener(answer)
        self._forward = _Listener(echo)

    def place(self, address: str, probe_port: int = 0, forward_port: int = 0) -> None:
        """Bind to an address and ports, 0 for free ones; OSError if they cannot be had."""
        try:
            self.probe_port = self._probe.bind(address, probe_port)
            self.forward_port = self._forward.bind(address, forward_port)
        except OSError:
            self._probe.close()
            self._forward.close()
            raise
        self.address = address

    def start(self) -> None:
        """Answer probes and forward traffic, at the same ports as before; harmless if it does."""
        if self.down is None and not self._limps:
            return
        for listener in (self._probe, self._forward):
            listener.close()
        self.place(self.address, self.probe_port, self.forward_port)
        for listener in (self._probe, self._forward):
            listener.accept()
        self.down, self._limps = None, False

    def limp(self, for_s: float) -> None:
        """Fail some of its probes: refuse each for so long after one that it answered."""
        self.start()
        self._probe.limp(for_s)
        self._limps = True

    def stop(self, mode: Down = Down.REFUSE) -> None:
        """Be gone, in one of the ways of `Down`."""
        if self._limps:
            self.start()
        for listener in (self._probe, self._forward):
            if mode is Down.SILENT:
                listener.silence()
            else:
                listener.close()
        self.down = mode

    @property
    def probed(self) -> tuple[float, ...]:
        """When the last some thousand probes were answered, in monotonic seconds."""
        return tuple(self._probe.accepted)

    def close(self) -> None:
        """Free the ports."""
        self.stop(Down.REFUSE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def place_all(nvas: Sequence[FakeNva]) -> None:
    """Give each NVA its own loopback address and all the same ports, and start them.

    Where only 127.0.0.1 exists (macOS), they share it and each has ports of its own.

    Raises:
        OSError: no free ports were found.
    """
    for attempt in range(_TRIES):
        ports = (0, 0)
        try:
            for number, nva in enumerate(nvas):
                nva.place(loopback(number), *ports)
                ports = (nva.probe_port, nva.forward_port)
        except OSError as error:
            for nva in nvas:
                nva.close()
            if error.errno == errno.EADDRNOTAVAIL:
                _share_one_address(nvas)
                break
            if attempt + 1 == _TRIES:
                raise
        else:
            break
    for nva in nvas:
        nva.start()


def loopback(number: int) -> str:
    """Return the address of an NVA by its number."""
    return f"127.0.{number // _PER_NETWORK}.{_FIRST_HOST + number % _PER_NETWORK}"


def _share_one_address(nvas: Sequence[FakeNva]) -> None:
    for nva in nvas:
        nva.place("127.0.0.1")
