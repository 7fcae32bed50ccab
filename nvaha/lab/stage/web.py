"""An NVA's web server, for HTTP and HTTPS probes: one status to whatever is asked."""

from __future__ import annotations

import asyncio
import socket
import ssl


class Web:
    """Answers one request on each connection.

    Args:
        status: what it answers with; may be changed at any time.
        context: its certificate; None for plain HTTP.
    """

    def __init__(self, status: int, context: ssl.SSLContext | None = None) -> None:
        self.status = status
        self._context = context

    async def answer(self, connection: socket.socket) -> None:
        """Read the head of a request and answer it; OSError if the other end goes away."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            # The transport closes what it is given, and the connection is not ours.
            connection.dup(),
            ssl=self._context,
        )
        try:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {self.status} Lab\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            transport.write(head.encode("ascii"))
        except (EOFError, asyncio.LimitOverrunError) as error:
            raise ConnectionError("no request") from error
        finally:
            transport.close()
