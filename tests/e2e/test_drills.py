"""Drills, really: what `nvaha lab drill` goes through, told and judged."""

from __future__ import annotations

import re

import pytest

from nvaha.lab.drill import perform
from nvaha.lab.drills import DRILLS
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
