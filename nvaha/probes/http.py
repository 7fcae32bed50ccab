"""The HTTP probe: alive is who answers with an expected status.

Written on the socket itself, since an NVA may say anything: a client library reads as much as it is sent (an
endless row of interim answers took a whole core until the timeout), while here every byte is counted.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

from nvaha.model import ProbeKind, ProbeSpec
from nvaha.probes import tcp
from nvaha.probes.words import OddAnswer

MOST_BYTES = 128 * 1024
"""All that is read from one connection, TLS included; its certificates may be large."""
MOST_HEAD = 32 * 1024
"""Of an answer's head, the interim ones before it included."""
MOST_INTERIM = 10
_PIECE = 16 * 1024

_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_SENDABLE = re.compile(r"[!-~]+", re.ASCII)
_SWITCHING_PROTOCOLS = 101

_Result = TypeVar("_Result")


class _Channel(Protocol):
    """What a request goes out by, and its answer comes in."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        ...

    async def receive(self) -> bytes:
        """Return what comes next, nothing at the end."""
        ...


class HttpProbe:
    """Asks over HTTP or HTTPS, each time on a new connection: one that is kept would say less."""

    def __init__(self) -> None:
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def ask(self, address: str, spec: ProbeSpec) -> str | None:
        """Send one GET and read the head of the answer; nothing is followed, and no body read.

        Returns:
            None if the status is an expected one, else what is wrong in few words.

        Raises:
            OSError: there was no answer.
            ValueError: there was something else, or no request can be made of the spec.
        """
        with await tcp.opened(address, spec.port) as connection:
            channel: _Channel = _Wire(connection)
            if spec.kind is ProbeKind.HTTPS:
                channel = _Tls(channel, self._context(verify=spec.verify_tls), _host_of(address, spec))
            await channel.send(request_of(address, spec))
            status = await _final_status(channel)
        return None if status in spec.expect else f"status {status}"

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        # Made late and once: reading the machine's certificates takes longer than a probe.
        if verify not in self._contexts:
            context = ssl.create_default_context()
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._contexts[verify] = context
        return self._contexts[verify]


def request_of(address: str, spec: ProbeSpec) -> bytes:
    """Return the request of a probe; the path goes out exactly as written.

    Raises:
        ValueError: address, path or host hold what cannot stand in a request.
    """
    path = spec.path if spec.path.startswith("/") else f"/{spec.path}"
    usual = {ProbeKind.HTTP: 80, ProbeKind.HTTPS: 443}[spec.kind]
    name = f"[{address}]" if ":" in address else address
    host = spec.host or (name if spec.port == usual else f"{name}:{spec.port}")
    if not _SENDABLE.fullmatch(path) or not _SENDABLE.fullmatch(host):
        raise OddAnswer("no request can be made of its path and host")
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: nvaha-probe\r\nAccept: */*\r\n"
    return f"{head}Connection: close\r\n\r\n".encode("ascii")


def _host_of(address: str, spec: ProbeSpec) -> str:
    """Return the name to ask for in TLS: the configured host without its port, else the address."""
    return (spec.host or "").partition(":")[0] or address


async def _final_status(channel: _Channel) -> int:
    """Read heads until one is not interim; each byte and each head counts."""
    buffer = bytearray()
    read = 0
    for _ in range(MOST_INTERIM + 1):
        looked_at = 0
        while (end := _END.search(buffer, max(looked_at - 3, 0))) is None:
            looked_at = len(buffer)
            if buffer and not _may_become_http(buffer):
                raise OddAnswer("not an HTTP answer")
            piece = await channel.receive()
            if not piece:
                raise OddAnswer("not an HTTP answer" if buffer else "closed without an answer")
            read += len(piece)
            if read > MOST_HEAD:
                raise OddAnswer(f"no end of the answer's head in {MOST_HEAD // 1024} KiB")
            buffer += piece
        status = _STATUS.match(buffer)
        if status is None:
            raise OddAnswer("not an HTTP answer")
        code = int(status[1])
        if code >= 200 or code == _SWITCHING_PROTOCOLS:
            return code
        del buffer[: end.end()]
    raise OddAnswer(f"more than {MOST_INTERIM} interim answers")


def _may_become_http(buffer: bytearray) -> bool:
    start = b"HTTP/1."
    return bytes(buffer[: len(start)]) == start[: len(buffer)]


class _Wire:
    """A connection as it is, of which no more than `MOST_BYTES` are read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = MOST_BYTES

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def receive(self) -> bytes:
        if self._left <= 0:
            raise OddAnswer(f"no answer in {MOST_BYTES // 1024} KiB")
        data = await asyncio.get_running_loop().sock_recv(self._connection, min(_PIECE, self._left))
        self._left -= len(data)
        return data


class _Tls:
    """TLS over another channel, so that what the NVA sends is counted before it is looked at."""

    def __init__(self, wire: _Channel, context: ssl.SSLContext, name: str) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._ready = False

    async def send(self, data: bytes) -> None:
        if not self._ready:
            await self._through(self._tls.do_handshake)
            self._ready = True
        await self._through(lambda: self._tls.write(data))

    async def receive(self) -> bytes:
        try:
            return await self._through(lambda: self._tls.read(_PIECE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def _through(self, step: Callable[[], _Result]) -> _Result:
        """Take a step of TLS as soon as enough has come for it."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._wire.receive()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._wire.send(self._outgoing.read())
