"""Probes against listeners on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.lab.stage.certificates import make_certificates
from nvaha.model import ControlTarget, ProbeKind, ProbeSpec, Reading
from nvaha.ports import Prober
from nvaha.probes import NetworkProber
from nvaha.probes.http import MOST_BYTES, request_of

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def as_port(prober: Prober) -> Prober:
    """Let the type checker compare the class with its port."""
    return prober


@asynccontextmanager
async def listening(
    answer: bytes | None = b"", *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Listen; answer each request's head with these bytes, or never; yield port and heads received."""
    heads: list[bytes] = []
    over = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if answer is None:
                await over.wait()
            elif answer:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        over.set()
        server.close()
        await server.wait_closed()


@contextmanager
def deaf() -> Iterator[int]:
    """Hold a port whose queue of connections is full, so that a new one is neither taken nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        try:
            for _ in range(8):
                filler = socket.socket()
                filler.setblocking(False)  # noqa: FBT003 - the socket module takes it by position only
                filler.connect_ex(listener.getsockname())
                fillers.append(filler)
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


async def read(spec: ProbeSpec, address: str = "127.0.0.1") -> Reading:
    """Probe once."""
    async with NetworkProber() as prober:
        return await as_port(prober).probe(address, spec)


def http(port: int, **more: Any) -> ProbeSpec:
    """Return an HTTP probe."""
    return dataclasses.replace(ProbeSpec(kind=ProbeKind.HTTP, port=port), **more)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost")])
def test_who_accepts_a_connection_is_alive(host: str, address: str) -> None:
    """A TCP probe of a listener is ok, by address and by name."""

    async def run() -> None:
        async with listening(host=host) as (port, _):
            reading = await read(ProbeSpec(port=port), address)
            assert (reading.ok, reading.error) == (True, None)
            assert 0 < reading.latency_ms < 1000

    asyncio.run(run())


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_is_probed() -> None:
    """An NVA with an IPv6 address is probed there, over TCP and HTTP."""

    async def run() -> None:
        try:
            async with listening(b"HTTP/1.1 200 OK\r\n\r\n", host="::1") as (port, _):
                assert (await read(ProbeSpec(port=port), "::1")).ok
                assert (await read(http(port), "::1")).ok
        except OSError as error:
            pytest.skip(f"no IPv6 loopback: {error}")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "error"), [("127.0.0.1", "refused"), ("no such host.invalid", "name not found")]
)
@pytest.mark.parametrize("kind", [ProbeKind.TCP, ProbeKind.HTTP])
def test_who_does_not_is_not(address: str, error: str, kind: ProbeKind) -> None:
    """A refused connection and an unknown name are failures in few words."""

    async def run() -> None:
        reading = await read(ProbeSpec(kind=kind, port=closed_port(), timeout_s=5.0), address)
        assert (reading.ok, reading.error) == (False, error)

    asyncio.run(run())


@pytest.mark.parametrize("kind", [ProbeKind.TCP, ProbeKind.HTTP])
def test_silence_ends_with_the_timeout(kind: ProbeKind) -> None:
    """An NVA that drops packets is read as timed out, not before and not long after its timeout."""

    async def run() -> None:
        with deaf() as port:
            reading = await read(ProbeSpec(kind=kind, port=port, timeout_s=0.3))
        assert (reading.ok, reading.error) == (False, "timed out after 0.3 s")
        assert 290 <= reading.latency_ms < 800

    asyncio.run(run())


def test_a_connection_without_an_answer_is_alive_to_tcp_only() -> None:
    """Who accepts and says nothing passes the TCP probe and fails the HTTP probe."""

    async def run() -> None:
        async with listening(None) as (port, _):
            assert (await read(ProbeSpec(port=port))).ok
            assert (await read(http(port, timeout_s=0.3))).error == "timed out after 0.3 s"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "expect", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200,), None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (200, 204), None),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n", (301,), None),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n", (200,), "status 301"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", (200,), "status 500"),
        # A body without end, and a compressed one that is no such thing: nobody reads them.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", (200,), None),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", (200,), None),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", (200,), "not an HTTP answer"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            (200,),
            "no end of the answer's head in 32 KiB",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            (200,),
            None,
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", (101,), None),
        (b"HTTP/1.0 200 OK\n\n", (200,), None),
        (b"HTTP/1.1 200\r\n\r\n", (200,), None),
        (b"HTTP/1.1 200 OK\r\nX: y", (200,), "not an HTTP answer"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", (200,), "not an HTTP answer"),
        (b"HTTP/1.1 099 OK\r\n\r\n", (99,), "not an HTTP answer"),
        (b"HTTP/1.1  200 OK\r\n\r\n", (200,), "not an HTTP answer"),
    ],
)
def test_an_http_answer_is_judged_by_its_status(
    answer: bytes, expect: tuple[int, ...], error: str | None
) -> None:
    """An expected status is ok, any other and anything but HTTP is not; redirects are not followed."""

    async def run() -> None:
        async with listening(answer) as (port, _):
            reading = await read(http(port, expect=expect))
            assert (reading.ok, reading.error) == (error is None, error)

    asyncio.run(run())


def test_a_server_that_hangs_up_has_not_answered() -> None:
    """A connection closed without a word is a failure to HTTP."""

    async def run() -> None:
        async with listening(b"") as (port, _):
            reading = await read(http(port))
            assert not reading.ok
            assert reading.error in {"closed without an answer", "reset"}

    asyncio.run(run())


def test_path_and_host_go_out_as_written() -> None:
    """The request asks for exactly the path that was configured, under the configured host."""

    async def run() -> None:
        async with listening(b"HTTP/1.1 200 OK\r\n\r\n") as (port, heads):
            assert (await read(http(port, path="/h%2Fealth?deep=1", host="nva.example"))).ok
            lines = heads[0].decode().split("\r\n")
            assert lines[0] == "GET /h%2Fealth?deep=1 HTTP/1.1"
            assert "Host: nva.example" in lines

    asyncio.run(run())


@pytest.mark.parametrize(("verify", "ok"), [(False, True), (True, False)])
def test_a_certificate_is_checked_only_if_asked(tmp_path: Path, verify: bool, ok: bool) -> None:
    """Over HTTPS a certificate that nobody vouches for fails the probe, unless it is not to be checked."""
    certificates = make_certificates(tmp_path, datetime.fromtimestamp(time.time(), UTC))

    async def run() -> None:
        answer = b"HTTP/1.1 200 OK\r\n\r\n"
        async with listening(answer, tls=certificates.server_context()) as (port, _):
            reading = await read(http(port, kind=ProbeKind.HTTPS, verify_tls=verify))
            assert reading.ok is ok
            assert (reading.error or "").startswith("" if ok else "certificate not trusted")

    asyncio.run(run())


def test_plain_text_where_tls_is_expected_fails() -> None:
    """An HTTPS probe of a plain HTTP server is a failure, not an error of the monitor."""

    async def run() -> None:
        async with listening(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _):
            assert not (await read(http(port, kind=ProbeKind.HTTPS, timeout_s=0.5))).ok

    asyncio.run(run())


def test_a_control_target_is_reachable_or_not() -> None:
    """A control target that accepts a connection is reachable; one that refuses or is silent is not."""

    async def run() -> None:
        with deaf() as silent:
            async with listening() as (port, _), NetworkProber() as prober:
                assert await prober.reachable(ControlTarget("127.0.0.1", port), 1.0)
                assert not await prober.reachable(ControlTarget("127.0.0.1", closed_port()), 1.0)
                assert not await prober.reachable(ControlTarget("127.0.0.1", silent), 0.2)

    asyncio.run(run())


def test_waiting_for_a_place_does_not_count() -> None:
    """Behind others, a probe's timeout and latency count only from its own start."""

    async def run() -> None:
        with deaf() as silent:
            async with listening() as (port, _), NetworkProber(concurrency=1) as prober:
                blocked = [prober.probe("127.0.0.1", ProbeSpec(port=silent, timeout_s=0.5)) for _ in range(4)]
                live = prober.probe("127.0.0.1", ProbeSpec(port=port, timeout_s=0.05))
                *timed_out, reading = await asyncio.gather(*blocked, live)
                assert reading.ok
                assert reading.latency_ms < 50
                assert all(each.error == "timed out after 0.5 s" for each in timed_out)

    asyncio.run(run())


def test_the_silent_do_not_hold_up_the_living() -> None:
    """With twice as many silent NVAs as places, the living are still probed well within the timeout."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with deaf() as silent:
            async with listening() as (port, _), NetworkProber(concurrency=10) as prober:
                spec = ProbeSpec(port=silent, timeout_s=2.0)
                waiting = [asyncio.ensure_future(prober.probe("127.0.0.1", spec)) for _ in range(20)]
                started = loop.time()
                probes = (prober.probe("127.0.0.1", ProbeSpec(port=port)) for _ in range(20))
                assert all(reading.ok for reading in await asyncio.gather(*probes))
                assert loop.time() - started < 1.5
                for each in waiting:
                    each.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())


def test_a_cancelled_probe_gives_its_place_back() -> None:
    """A probe that is cancelled raises that, and the next one finds a free place."""

    async def run() -> None:
        with deaf() as silent:
            async with listening() as (port, _), NetworkProber(concurrency=1) as prober:
                task = asyncio.ensure_future(
                    prober.probe("127.0.0.1", ProbeSpec(port=silent, timeout_s=60.0))
                )
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert (await prober.probe("127.0.0.1", ProbeSpec(port=port))).ok

    asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ProbeKind),
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=10) | st.none(),
)
def test_no_configuration_makes_a_probe_raise(
    kind: ProbeKind, address: str, path: str, host: str | None
) -> None:
    """Whatever stands in address, path or host, a probe gives a reading."""

    async def run() -> None:
        spec = ProbeSpec(kind=kind, port=1, path=path, host=host, timeout_s=0.05)
        # Only what cannot be a name: a test must not ask the machine's resolver.
        assert not (await read(spec, f"127.0.0.1/{address}")).ok
        assert not (await read(spec)).ok

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "port", "path", "line", "host"),
    [
        ("10.0.0.4", 80, "/", "GET / HTTP/1.1", "10.0.0.4"),
        ("10.0.0.4", 8080, "health", "GET /health HTTP/1.1", "10.0.0.4:8080"),
        ("fd00::4", 8080, "/a%20b?c=d", "GET /a%20b?c=d HTTP/1.1", "[fd00::4]:8080"),
    ],
)
def test_the_request_is_built_from_the_spec(address: str, port: int, path: str, line: str, host: str) -> None:
    """Address, port and path make the request."""
    lines = request_of(address, http(port, path=path)).decode().split("\r\n")
    assert lines[0] == line
    assert f"Host: {host}" in lines


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_path_or_host_adds_a_header(path: str, host: str) -> None:
    """Whatever stands in path and host, the request has its four headers, or is not made."""
    try:
        request = request_of("10.0.0.4", http(80, path=path, host=host))
    except ValueError:
        return
    assert request.count(b"\n") == 6
    assert request.endswith(b"\r\n\r\n")


def again(piece: bytes) -> Iterator[bytes]:
    """Yield a piece for ever."""
    while True:
        yield piece


def after(start: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what sends a start, and then a piece for ever."""
    return lambda: chain([start], again(piece))


OK = b"HTTP/1.1 200 OK\r\n"
HOSTILE: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "interim answers": (after(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 500), "more than 10 interim answers"),
    "interim answers, one by one": (
        after(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "more than 10 interim answers",
    ),
    "headers": (after(OK, b"X: y\r\n" * 500), "no end of the answer's head in 32 KiB"),
    "one header": (after(OK + b"X: ", b"y" * 4096), "no end of the answer's head in 32 KiB"),
    "a status line": (after(b"HTTP/1.1 200 ", b"O" * 4096), "no end of the answer's head in 32 KiB"),
    "an interim answer's header": (
        after(b"HTTP/1.1 100 Continue\r\nX: ", b"y" * 4096),
        "no end of the answer's head in 32 KiB",
    ),
    "noise": (after(b"", b"\x00\xff\r\n" * 1000), "not an HTTP answer"),
    "line ends": (after(b"", b"\r\n" * 2000), "not an HTTP answer"),
    "redirects": (
        after(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"HTTP/1.1 302 Found\r\n\r\n"),
        "status 302",
    ),
}


@asynccontextmanager
async def flooding(
    pieces: Callable[[], Iterator[bytes]], *, tls: ssl.SSLContext | None = None, pause_s: float | None = None
) -> AsyncIterator[int]:
    """Send pieces to whoever connects, as fast as they are taken or one each so often; yield the port."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in pieces():
                writer.write(piece)
                await writer.drain()
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def counted(loop: asyncio.AbstractEventLoop) -> list[int]:
    """Count what is read from every connection from now on, piece by piece."""
    sizes: list[int] = []
    receive = loop.sock_recv

    async def counting(connection: socket.socket, most: int) -> bytes:
        data = await receive(connection, most)
        sizes.append(len(data))
        return data

    loop.sock_recv = counting  # type: ignore[method-assign, assignment]
    return sizes


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("kind", [ProbeKind.HTTP, ProbeKind.HTTPS])
def test_an_nva_that_never_ends_is_read_a_little(what: str, kind: ProbeKind, tmp_path: Path) -> None:
    """However an NVA floods its probe, that ends with the reason after few bytes, and takes few steps."""
    pieces, error = HOSTILE[what]
    tls = None
    if kind is ProbeKind.HTTPS:
        tls = make_certificates(tmp_path, datetime.fromtimestamp(time.time(), UTC)).server_context()

    async def run() -> None:
        async with flooding(pieces, tls=tls) as port:
            sizes = counted(asyncio.get_running_loop())
            reading = await read(http(port, kind=kind, verify_tls=False, timeout_s=10.0))
            assert (reading.ok, reading.error) == (False, error)
            assert sum(sizes) <= MOST_BYTES
            assert len(sizes) < 1000

    asyncio.run(run())


@pytest.mark.parametrize(
    ("what", "pieces"),
    [
        ("handshake records", after(b"", b"\x16\x03\x03\x40\x00" + b"\x0e\x00\x00\x00" * 4096)),
        ("empty records", after(b"", b"\x16\x03\x03\x00\x00" * 500)),
        ("warnings", after(b"", b"\x15\x03\x03\x00\x02\x01\x5a" * 500)),
        ("half a record", after(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff", b"\x00" * 4096)),
        ("noise", after(b"", b"\xff" * 4096)),
    ],
)
def test_tls_that_never_ends_is_read_a_little(what: str, pieces: Callable[[], Iterator[bytes]]) -> None:
    """Whatever is sent in the place of a handshake, the probe fails with TLS's reason after few bytes."""

    async def run() -> None:
        async with flooding(pieces) as port:
            sizes = counted(asyncio.get_running_loop())
            reading = await read(http(port, kind=ProbeKind.HTTPS, verify_tls=False, timeout_s=10.0))
            assert not reading.ok
            assert "TLS" in str(reading.error) or "KiB" in str(reading.error), what
            assert sum(sizes) <= MOST_BYTES
            assert len(sizes) < 1000

    asyncio.run(run())


@pytest.mark.parametrize("kind", [ProbeKind.HTTP, ProbeKind.HTTPS])
def test_a_drip_ends_with_the_timeout(kind: ProbeKind) -> None:
    """An NVA that sends a byte now and then, an answer or a handshake, has not answered in time."""
    start = b"HTTP/1.1 200 OK\r\nX: " if kind is ProbeKind.HTTP else b"\x16\x03\x03\x40\x00"

    async def run() -> None:
        async with flooding(
            lambda: (bytes([each]) for each in start + b"\x02" * 10_000), pause_s=0.01
        ) as port:
            reading = await read(http(port, kind=kind, verify_tls=False, timeout_s=0.5))
            assert (reading.ok, reading.error) == (False, "timed out after 0.5 s")
            assert 490 <= reading.latency_ms < 2000

    asyncio.run(run())


def test_the_hostile_do_not_hold_up_the_living() -> None:
    """Among many NVAs that flood their probes in every way, those that answer are read as up."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            ways = [pieces for what, (pieces, _) in HOSTILE.items() if "one by one" not in what]
            floods = [await stack.enter_async_context(flooding(pieces)) for pieces in ways]
            port, _ = await stack.enter_async_context(listening(b"HTTP/1.1 200 OK\r\n\r\n"))
            prober = await stack.enter_async_context(NetworkProber())
            hostile = [prober.probe("127.0.0.1", http(each, timeout_s=5.0)) for each in floods]
            living = [prober.probe("127.0.0.1", http(port, timeout_s=30.0)) for _ in range(10)]
            readings = await asyncio.gather(*hostile, *living)
            assert all(reading.ok for reading in readings[len(hostile) :])
            assert not any(reading.ok for reading in readings[: len(hostile)])

    asyncio.run(run())


@pytest.mark.parametrize("last", range(1, len(OK) + 2))
def test_an_answer_may_come_in_two_pieces(last: int) -> None:
    """Wherever the network cuts it, it is the same answer."""

    async def run() -> None:
        whole = OK + b"\r\n"
        async with flooding(lambda: iter((whole[:-last], whole[-last:])), pause_s=0.05) as port:
            assert (await read(http(port))).error is None

    asyncio.run(run())
