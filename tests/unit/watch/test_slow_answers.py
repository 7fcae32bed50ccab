"""Many groups want to know at the same time whether the monitor can see."""

from __future__ import annotations

import asyncio

from nvaha.model import ControlTarget
from nvaha.watch.blindness import TIMEOUT_S, Blindness, Probe
from tests.builders import BAD, SPEC, group_of
from tests.fakes import Outside, run


def test_whoever_waits_for_a_slow_answer_gets_that_one() -> None:
    """Control targets that use up the whole timeout are asked once, not once for every group."""
    outside = Outside()
    outside.prober.silent.add("10.9.9.9")
    blindness = Blindness(outside.ports, (ControlTarget("10.9.9.9", 53),))

    async def asked() -> tuple[list[bool], float]:
        began_at = outside.clock.monotonic()
        probes = [Probe("10.0.0.4", SPEC, BAD)]
        answers = await asyncio.gather(
            *(blindness.is_blind(group_of(), probes, began_at) for _ in range(10)),
        )
        return answers, outside.clock.monotonic() - began_at

    answers, took_s = run(asked())
    assert answers == [True] * 10
    assert took_s < 2 * TIMEOUT_S
