"""Connections that get no proper answer: reset, left hanging, or held while ARM is paused."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

_LOOK_AGAIN_S = 0.1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class NoAnswer(Exception):
    """The client gets no answer: the connection was reset, or left hanging until one side went away."""


class Gate:
    """Holds requests back while ARM is paused, and lets them go when the simulator stops."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._stopping = asyncio.Event()

    def shut(self) -> None:
        """Hold every request from now on."""
        self._open.clear()

    def open(self) -> None:
        """Let requests pass."""
        self._open.set()

    def stop(self) -> None:
        """Give every held request up."""
        self._stopping.set()
        self._open.set()

    async def wait(self, request: web.Request) -> None:
        """Wait until requests pass; NoAnswer if the client or the simulator has gone by then."""
        await self._open.wait()
        if self._stopping.is_set() or _gone(request):
            raise NoAnswer

    async def hang(self, request: web.Request) -> None:
        """Leave the client without an answer until it goes away, or the simulator stops."""
        while not self._stopping.is_set() and not _gone(request):
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._stopping.wait()
            except TimeoutError:
                continue


def reset(request: web.Request) -> None:
    """Reset the connection, as a load balancer or a crashing server does."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
