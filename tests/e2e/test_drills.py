"""Drills, really: what `nvaha lab drill` goes through, told and judged."""

from __future__ import annotations

import re

import pytest

from nvaha.lab.drill import perform
from nvaha.lab.drills import DRILLS
from nvaha.lab.rehearsals import REHEARSALS
from nvaha.lab.runbook import Over, Shows
from nvaha.lab.scene import WIDTH
from nvaha.lab.screen import Record

from .story import quick_lab

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
