"""A client that sends traffic along the effective route, and counts how long it got no answer.

Each flow is one way into the NVAs: a route table's route, or a public IP. A request goes to the NVA that
holds the private address to which the data path leads at that moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from nvaha.lab.stage.nva import FakeNva

INTERVAL_S = 0.05
TIMEOUT_S = 0.25
IN_A_ROW = 3
"""So many answers in a row end an outage, which then ended with the first of them."""
_KEPT = 20_000


@dataclass(slots=True)
class Flow:
    """One way in.

    Args:
        name: what is shown.
        direction: `route` or `public_ip`.
        target: asks the data path for the private address to which it leads; None for nowhere.
        group: whose NVAs it is meant for.
        samples: (when it was sent, in monotonic seconds; whether it was answered; by which NVA).
    """

    name: str
    direction: str
    target: Callable[[], str | None]
    group: str = ""
    samples: list[tuple[float, bool, str | None]] = field(default_factory=list)

    def restored_at(self, since: float) -> float | None:
        """Return when the first of `IN_A_ROW` answers came after the last failure since then.

        Args:
            since: when the NVA stopped, in monotonic seconds; a flow that never failed was restored then.

        Returns:
            None while it is not restored.
        """
        start: float | None = None
        failed = False
        run = 0
        for sent_at, ok, _ in self.samples:
            if sent_at < since:
                continue
            if not ok:
                start, run, failed = None, 0, True
                continue
            start = sent_at if start is None else start
            run += 1
        if run < IN_A_ROW:
            return None
        return start if failed else since


@dataclass(frozen=True, slots=True)
class Outage:
    """How long a client got no answer, in seconds, by direction and for everything together."""

    by_direction: Mapping[str, float]
    total_s: float


class Traffic:
    """Sends along every flow until closed; an async context manager.

    Args:
        flows: the ways in.
        nvas: who answers.
        interval_s: seconds between two requests of one flow.
    """

    def __init__(
        self, flows: Sequence[Flow], nvas: Sequence[FakeNva], *, interval_s: float = INTERVAL_S
    ) -> None:
        self.flows = tuple(flows)
        self._by_address = {address: nva for nva in nvas for address in nva.private_addresses}
        self._interval_s = interval_s
        self._tasks: list[asyncio.Task[None]] = []

    def outage(self, since: float) -> Outage | None:
        """Return the outage that began at a time in monotonic seconds; None while it is not over."""
        by_direction: dict[str, float] = {}
        for flow in self.flows:
            at = flow.restored_at(since)
            if at is None:
                return None
            by_direction[flow.direction] = max(by_direction.get(flow.direction, 0.0), at - since)
        return Outage(by_direction, max(by_direction.values(), default=0.0))

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send_along(flow)) for flow in self.flows]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_along(self, flow: Flow) -> None:
        while True:
            sent_at = time.monotonic()
            private = flow.target()
            nva = self._by_address.get(private) if private else None
            ok = nva is not None and await _answered(nva)
            flow.samples.append((sent_at, ok, nva.name if nva else None))
            if len(flow.samples) > _KEPT:
                del flow.samples[: _KEPT // 2]
            await asyncio.sleep(max(0.0, sent_at + self._interval_s - time.monotonic()))


async def _answered(nva: FakeNva) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(nva.address, nva.forward_port)
            try:
                writer.write(b"?\n")
                return await reader.readline() == b"?\n"
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
