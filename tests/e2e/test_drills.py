"""Drills, really: what `nvaha lab drill` goes through, told and judged; and a lab of somebody's own file."""

from __future__ import annotations

import re
import time

import pytest

from nvaha.lab.drill import perform
from nvaha.lab.drills import DRILLS
from nvaha.lab.rehearsals import REHEARSALS
from nvaha.lab.runbook import Over, Shows
from nvaha.lab.scene import WIDTH
from nvaha.lab.screen import Record
from nvaha.lab.verify import check
from tests.unit.test_lab_own import OWN

from .story import quick_lab, until

pytestmark = pytest.mark.slow


async def test_two_drills_in_one_lab_go_as_they_should() -> None:
    """Commands are typed, events are seen, figures are told, and the lab's world is as it should be."""
    async with quick_lab(hosts=1, traffic=True) as lab:
        planned, failover = Record(WIDTH), Record(WIDTH)
        assert await perform(DRILLS["planned"], lab, planned), planned.text
        assert "Done: edge is on ha-nva-vm1" in planned.text
        assert await perform(DRILLS["failover"], lab, failover), failover.text
        told = " ".join(failover.text.split())
        assert re.search(r"done after \d+\.\d s; the client was not answered for \d+\.\d s", told)
        assert max(map(len, failover.text.splitlines())) <= WIDTH


async def test_a_group_of_somebodys_own_fails_over_and_nothing_else_moves() -> None:
    """Asked over HTTPS where the file says so; its share of a common table moves, another group's stays."""
    async with quick_lab(hosts=1, traffic=True, configuration=OWN) as lab:
        for name in lab.samples:
            await lab.ready(name)
        stopped_at = time.monotonic()
        lab.nva("hub/fw-a").stop()
        await lab.until(
            lambda group: bool(group["phase"] == "steady" and group["active"] == "fw-b"),
            within_s=60, what="fw-b active", name="hub",
        )  # fmt: skip
        await until(lambda: lab.traffic.outage(stopped_at) is not None, "the client is answered")
        assert check(lab.samples["hub"], lab.baseline, lab.simulator.snapshot(), "fw-b") == []
        assert (await lab.group("branch"))["active"] == "fw-a"


async def test_sections_of_the_runbook_are_seen_to_begin_and_to_end() -> None:
    """Every NVA dies, then the control target: what the status and the log say of it, and no more after."""
    drill = REHEARSALS["sight"]
    async with quick_lab(**drill.lab) as lab:
        told = Record(WIDTH)
        assert await perform(drill, lab, told), told.text
        for step in drill.steps:
            if isinstance(step, Shows | Over):
                how = ": in" if isinstance(step, Shows) else " is over after"
                assert f"✓  {step.section}{how}" in told.text
