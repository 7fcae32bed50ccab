"""Storage or Azure Resource Manager is gone for a while: nothing is moved wrongly, and all is well after."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from nvaha.lab.arm import Fault, FaultKind, Pause
from nvaha.lab.stage.stage import Lab

from .story import (
    Json,
    active,
    external_nics,
    group_is,
    measured,
    one_switch,
    quick_lab,
    requests,
    settled,
    switching,
    until,
    written,
)

pytestmark = pytest.mark.slow

STORAGE_GONE_S = 30.0
ARM_GONE_S = 12.0
FIRST_LOOK_S = 60.0
"""Within this all is well again: the platform restarts the host, which waits for its timer lock (15 s)."""


@asynccontextmanager
async def no_storage(lab: Lab) -> AsyncIterator[None]:
    """Be without storage for a while, from the body on, and check that nothing was written meanwhile."""
    await lab.azurite.shut_down()
    gone_at = time.monotonic()
    yield
    await asyncio.sleep(gone_at + STORAGE_GONE_S - time.monotonic())
    assert [each for each in requests(lab, "PUT") if each.time > gone_at] == []
    await lab.azurite.start()


def all_but_the_attach(lab: Lab) -> Counter[str]:
    """Return what a switch has written by the time it waits for the end of the detach."""
    return one_switch(lab) - Counter([external_nics(lab.sample)[1].casefold()])


def probed_since(wall_s: float, group: Json) -> bool:
    """Tell whether a leader has probed the group since a wall-clock time."""
    at = group["probed_at"]
    return at is not None and datetime.fromisoformat(at).timestamp() > wall_s


async def test_storage_gone_while_all_is_well_moves_nothing() -> None:
    """Both hosts lose storage and find it again: somebody leads, and nothing was moved."""
    async with quick_lab(persist=True) as lab:
        await lab.add_host("one")
        await lab.add_host("two")
        await lab.ready()
        async with no_storage(lab):
            pass
        back_at, wall_s = time.monotonic(), time.time()
        await group_is(lab, lambda group: probed_since(wall_s, group), "probed again", within_s=FIRST_LOOK_S)
        measured("storage gone 30 s while healthy: return to probed again", back_at)
        await lab.ready()
        assert await settled(lab, 0) == []
        assert not requests(lab, "PUT")


async def test_storage_gone_when_an_nva_dies() -> None:
    """The active NVA dies while nobody can write that down: it is switched away from after the return."""
    async with quick_lab(persist=True) as lab:
        await lab.add_host("one")
        await lab.ready()
        async with no_storage(lab):
            lab.nvas[0].stop()
        back_at = time.monotonic()
        await active(lab, 1, within_s=FIRST_LOOK_S)
        measured("storage gone 30 s, an NVA dies: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


async def test_storage_gone_between_detach_and_attach() -> None:
    """With the public IP detached and storage gone, nothing more is written until storage is back."""
    async with quick_lab(persist=True) as lab:
        await lab.add_host("one")
        await lab.ready()
        detached, _ = external_nics(lab.sample)
        lab.simulator.faults.add(
            Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=3.0)
        )
        lab.nvas[0].stop()
        await until(lambda: written(lab) == all_but_the_attach(lab), "all but the attach")
        async with no_storage(lab):
            pass
        back_at = time.monotonic()
        await active(lab, 1, within_s=FIRST_LOOK_S)
        measured("storage gone 30 s between detach and attach: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


async def test_storage_hanging_when_an_nva_dies() -> None:
    """Storage takes every request and answers none, for a while; then it answers them all, late."""
    async with quick_lab(persist=True) as lab:
        await lab.add_host("one")
        await lab.add_host("two")
        await lab.ready()
        lab.azurite.freeze()
        hung_at = time.monotonic()
        lab.nvas[0].stop()
        await asyncio.sleep(STORAGE_GONE_S)
        assert [each for each in requests(lab, "PUT") if each.time > hung_at] == []
        lab.azurite.thaw()
        back_at = time.monotonic()
        await active(lab, 1, within_s=FIRST_LOOK_S)
        measured("storage hung 30 s, an NVA dies: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


async def test_storage_and_arm_gone_when_an_nva_dies() -> None:
    """Storage and ARM are gone when an NVA dies; with both back the group is switched."""
    async with quick_lab(persist=True) as lab:
        await lab.add_host("one")
        await lab.ready()
        await lab.simulator.pause(Pause.REFUSE)
        async with no_storage(lab):
            lab.nvas[0].stop()
        await lab.simulator.resume()
        back_at = time.monotonic()
        await active(lab, 1, within_s=FIRST_LOOK_S)
        measured("storage and ARM gone 30 s, an NVA dies: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


@pytest.mark.parametrize("mode", [Pause.REFUSE, Pause.HANG], ids=["refusing", "hanging"])
async def test_arm_gone_when_an_nva_dies(mode: Pause) -> None:
    """The state says `switching` and nothing can be written; the switch ends well once ARM is back."""
    async with quick_lab() as lab:
        await lab.add_host("one")
        await lab.ready()
        await lab.simulator.pause(mode)
        lab.nvas[0].stop()
        await switching(lab)
        await asyncio.sleep(ARM_GONE_S)
        assert not written(lab)
        await lab.simulator.resume()
        back_at = time.monotonic()
        await active(lab, 1)
        measured(f"ARM gone 12 s ({mode}), an NVA dies: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)


async def test_arm_gone_between_detach_and_attach() -> None:
    """ARM is gone between detach and attach; the public IP is attached once it is back."""
    async with quick_lab() as lab:
        await lab.add_host("one")
        await lab.ready()
        detached, _ = external_nics(lab.sample)
        lab.simulator.faults.add(
            Fault(FaultKind.OPERATION_SLOW, method="PUT", resource=detached, delay_s=2.0)
        )
        lab.nvas[0].stop()
        await until(lambda: written(lab) == all_but_the_attach(lab), "all but the attach")
        await lab.simulator.pause(Pause.REFUSE)
        await asyncio.sleep(ARM_GONE_S)
        await lab.simulator.resume()
        back_at = time.monotonic()
        await active(lab, 1)
        measured("ARM gone 12 s between detach and attach: return to switched", back_at)
        assert [each["status"] for each in await settled(lab, 1)] == ["done"]
        assert written(lab) == one_switch(lab)
