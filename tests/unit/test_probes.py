"""Probes against listeners on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.lab.stage.certificates import make_certificates
from nvaha.model import ControlTarget, ProbeKind, ProbeSpec, Reading
from nvaha.ports import Prober
from nvaha.probes import NetworkProber
from nvaha.probes.http import probe_url


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
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", (200,), "not an HTTP answer"),
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
    ("address", "path", "expected"),
    [
        ("10.0.0.4", "/", "http://10.0.0.4:8080/"),
        ("10.0.0.4", "health", "http://10.0.0.4:8080/health"),
        ("fd00::4", "/a%20b", "http://[fd00::4]:8080/a%20b"),
    ],
)
def test_the_url_is_built_from_the_spec(address: str, path: str, expected: str) -> None:
    """Address, port and path make the URL."""
    assert str(probe_url(address, ProbeSpec(kind=ProbeKind.HTTP, port=8080, path=path))) == expected
