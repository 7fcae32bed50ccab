"""The TCP probe: alive is who accepts a connection."""

from __future__ import annotations

import asyncio
import ipaddress
import socket


async def connect(address: str, port: int) -> None:
    """Open a TCP connection and close it at once.

    Args:
        address: an IPv4 or IPv6 address, or a name.
        port: the port.

    Raises:
        OSError: the connection was not accepted, or the name not found.
    """
    (await opened(address, port)).close()


async def opened(address: str, port: int) -> socket.socket:
    """Return a connected socket that does not block; it is the caller's to close. As `connect` otherwise."""
    loop = asyncio.get_running_loop()
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        family, _, _, _, target = found[0]
    else:
        # An address needs no resolver, which is a thread and, when that hangs, a lie about the NVA.
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        target = (address, port)
    # Not open_connection: its streams cost a third more on a probe that reads nothing.
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)  # noqa: FBT003 - the socket module takes it by position only
        await loop.sock_connect(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection
