"""Many probes at once, each with its own exact timeout."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Self

from nvaha.model import ControlTarget, ProbeKind, ProbeSpec, Reading
from nvaha.probes import tcp, words
from nvaha.probes.http import HttpProbe

# A probe that is still unanswered by then only waits, which costs the event loop nothing.
_BUSY_S = 0.1
_MOST_OPEN = 500


class NetworkProber:
    """The `Prober` of ports.py; an async context manager, or `close` it.

    Args:
        concurrency: how many probes are being started at once. With more, they wait for the event loop
            instead of the network, and their latency says nothing: at 2,000 at once the median connection
            on loopback took 357 ms, at 50 it took 6 ms.
        monotonic: seconds on a clock that is never set.
    """

    def __init__(self, concurrency: int = 50, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._starting = asyncio.Semaphore(concurrency)
        self._open = asyncio.Semaphore(max(concurrency, _MOST_OPEN))
        self._monotonic = monotonic
        self._http = HttpProbe()

    async def probe(self, address: str, spec: ProbeSpec) -> Reading:
        """Return the reading within the spec's timeout, counted from when the probe really starts."""
        match spec.kind:
            case ProbeKind.TCP:
                return await self._reading(lambda: _accepts(address, spec.port), spec.timeout_s)
            case ProbeKind.HTTP | ProbeKind.HTTPS:
                return await self._reading(lambda: self._http.ask(address, spec), spec.timeout_s)

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Tell whether a control target accepts a TCP connection."""
        reading = await self._reading(lambda: _accepts(target.address, target.port), timeout_s)
        return reading.ok

    async def _reading(
        self, ask: Callable[[], Coroutine[object, object, str | None]], timeout_s: float
    ) -> Reading:
        async with self._place():
            started = self._monotonic()
            try:
                async with asyncio.timeout(timeout_s):
                    error = await ask()
            except TimeoutError:
                error = words.timed_out(timeout_s)
            except (OSError, ValueError) as problem:
                # ValueError: no answer but something else, or an address that no request can be made of.
                error = words.of_error(problem)
            latency_ms = (self._monotonic() - started) * 1000
        return Reading(ok=error is None, latency_ms=latency_ms, error=error)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Hold a place among those starting, but not for longer than a live NVA takes to answer.

        So NVAs that are silent, each for its whole timeout, do not keep the others waiting.
        """
        async with self._open:
            await self._starting.acquire()
            held = True

            def give_back() -> None:
                nonlocal held
                if held:
                    held = False
                    self._starting.release()

            later = asyncio.get_running_loop().call_later(_BUSY_S, give_back)
            try:
                yield
            finally:
                later.cancel()
                give_back()

    async def close(self) -> None:
        """Do nothing: each probe closes what it opens."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _accepts(address: str, port: int) -> None:
    await tcp.connect(address, port)
