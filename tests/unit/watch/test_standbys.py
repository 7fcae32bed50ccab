"""What a leader makes of the other instances' rows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from nvaha.model import STALE_AFTER_S, Configuration, InstanceRecord, LeaderRecord
from nvaha.ports import LEASE_S
from nvaha.watch.blindness import Probe
from nvaha.watch.standbys import CHECK_S, LACKING_S, UNLED_S, Blinded
from tests.builders import BAD, OK, later
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, B, Leader, known, outside, watched_group

MINE = Configuration((watched_group(),)).fingerprint


def other(out: Outside, name: str = "two", **changes: Any) -> InstanceRecord:
    """Return what an instance that could lead, and has run for long, writes now."""
    now = out.clock.now()
    record = InstanceRecord(
        name,
        now,
        configuration=MINE,
        started_at=later(-3600),
        campaign_at=now,
        asked=2,
        answered=2,
        seen_at=now,
    )
    return replace(record, **changes)


async def standing_by(out: Outside, until_s: float, name: str = "two", **changes: Any) -> None:
    """Let another instance write its row every ten seconds until then."""
    while out.clock.monotonic() < until_s:
        await out.store.save_instance(other(out, name, **changes))
        await out.clock.sleep(10.0)


async def lead(out: Outside, seconds: float, others: Iterable[Any] = ()) -> Leader:
    """Lead for so long beside others, and write the leader's record."""
    leader = Leader(out)
    await leader.lead()
    beside = [asyncio.ensure_future(each) for each in others]
    recording = asyncio.ensure_future(leader.record.run())
    await leader.beside(leader.standbys.run(), seconds)
    for each in (recording, *beside):
        each.cancel()
    return leader


def told(out: Outside, *events: str) -> list[str]:
    """Return which of these events were told, in order."""
    return [each for each in out.told.events if each in events]


LACK = ("no_standby", "standby_back")


async def test_who_could_lead_is_counted_in_the_heartbeat() -> None:
    """Two that could, one with another configuration, one that is gone: two."""
    out = outside(known())
    for name in ("two", "three"):
        await out.store.save_instance(other(out, name))
    await out.store.save_instance(other(out, "four", configuration="x-y"))
    await out.store.save_instance(other(out, "five", written_at=later(-STALE_AFTER_S - 5)))
    await lead(out, 5.0)
    beats = [each.fields["standbys"] for each in out.told.notices if each.event == "heartbeat"]
    assert beats == [2]


async def test_a_standby_that_is_gone_is_told_once_and_that_it_is_back() -> None:
    """A minute after its row has become old, and as soon as there is another."""
    out = outside(known())
    seen: list[tuple[int, bool]] = []

    def look() -> None:
        seen.append((len(told(out, *LACK)), out.store.leader is not None and out.store.leader.alone))

    after(40 + STALE_AFTER_S + LACKING_S - 15, look)
    after(300.0, look)
    after(400.0, lambda: asyncio.ensure_future(standing_by(out, 470.0)))
    await lead(out, 500.0, [standing_by(out, 40.0)])
    assert seen == [(0, False), (1, True)]
    assert told(out, *LACK) == list(LACK)
    assert out.store.leader is not None
    assert not out.store.leader.alone
    lonely = [bool(each.fields.get("alone")) for each in out.told.notices if each.event == "heartbeat"]
    assert [each for each, _ in itertools.groupby(lonely)] == [False, True, False]


async def test_a_single_monitor_alarms_nobody() -> None:
    """There never was a standby; the row of a dead predecessor, which never stood by for long, is none."""
    out = outside(known())
    await out.store.save_instance(other(out, started_at=later(-5)))
    await lead(out, 600.0)
    assert told(out, *LACK) == []


async def test_after_a_day_nobody_is_missed() -> None:
    """Who took the second monitor away on purpose is told once, and a new leader does not begin again."""
    out = outside(known())
    out.store.leader = LeaderRecord("two", 1, later(-86_500), standby_at=later(-86_500))
    await lead(out, 300.0)
    assert told(out, *LACK) == []


@pytest.mark.parametrize(("alone", "expected"), [(False, ["no_standby"]), (True, [])])
async def test_a_new_leader_knows_what_the_one_before_knew(alone: bool, expected: list[str]) -> None:
    """Its predecessor is gone and nobody else is there; what was told already is not told again."""
    out = outside(known())
    out.store.leader = LeaderRecord("two", 1, later(-10), standby_at=later(-10), alone=alone)
    await lead(out, 300.0)
    assert told(out, *LACK) == expected


async def test_a_silence_of_storage_is_no_lack_of_standbys() -> None:
    """Rows that cannot be read, or that nobody could write meanwhile, tell nothing of who is there."""
    out = outside(known())
    after(45.0, lambda: setattr(out.store, "answers", False))

    async def back() -> None:
        await out.clock.sleep(200.0)
        out.store.answers = True
        await out.clock.sleep(10.0)
        await standing_by(out, 400.0)

    await lead(out, 350.0, [standing_by(out, 40.0), back()])
    assert told(out, *LACK) == []


async def test_another_configuration_is_told_once_for_each_that_has_one() -> None:
    """What differs is said; one that agrees again and differs anew is told anew."""
    out = outside(known())
    rest = MINE.partition("-")[0]

    async def four() -> None:
        await standing_by(out, 50.0, "two", configuration=f"{rest}-other")
        await standing_by(out, 80.0, "two")
        await standing_by(out, 120.0, "two", configuration=f"{rest}-other")

    await lead(out, 120.0, [four(), standing_by(out, 120.0, "three", configuration="x-y")])
    notices = [each for each in out.told.notices if each.event == "config_differs"]
    assert sorted(str(each.fields["standby"]) for each in notices) == ["three", "two", "two"]
    reasons = {str(each.fields["standby"]): str(each.fields["reason"]) for each in notices}
    assert "policies" in reasons["two"]
    assert "groups" in reasons["three"]


async def test_rows_of_instances_that_are_long_gone_are_removed() -> None:
    """Their names are such as never come back; one that was there yesterday evening is kept."""
    out = outside(known())
    await out.store.save_instance(other(out, "gone", written_at=later(-86_500)))
    await out.store.save_instance(other(out, "missed", written_at=later(-80_000)))
    await lead(out, 20.0)
    assert set(out.store.instance_rows) == {"missed"}


async def blind_for(leader: Leader, seconds: float) -> None:
    """Let the leader's rounds be blind for so long."""
    clock = leader.out.clock
    until = clock.monotonic() + seconds
    group = watched_group()
    probes = [Probe(each, group.nvas[0].probe, BAD) for each in (A, B)]
    while clock.monotonic() < until:
        await leader.blindness.is_blind(group, probes, clock.monotonic())
        await clock.sleep(1.0)


async def yields_at(out: Outside, seconds: float = 120.0, **changes: Any) -> tuple[float, str] | None:
    """Return after how long a blind leader gives up beside another instance, and for whom."""
    leader = Leader(out)
    await leader.lead()
    begun = out.clock.monotonic()
    beside = [
        asyncio.ensure_future(each)
        for each in (standing_by(out, begun + seconds, **changes), blind_for(leader, seconds))
    ]
    await out.clock.sleep(0.01)
    try:
        await leader.beside(leader.standbys.run(), seconds)
    except Blinded as error:
        return out.clock.monotonic() - begun, error.standby
    finally:
        for each in beside:
            each.cancel()
    return None


async def test_a_leader_that_is_blind_for_a_whole_lease_lets_one_that_sees_lead() -> None:
    """Not before a lease is over, and as soon as may be after."""
    given_up = await yields_at(outside(known()))
    assert given_up is not None
    at_s, standby = given_up
    assert LEASE_S <= at_s <= LEASE_S + CHECK_S + 0.1
    assert standby == "two"


@pytest.mark.parametrize(
    "changes",
    [
        {"answered": 0},
        {"configuration": "x-y"},
        {"abstains": True},
        {"campaign_at": None},
        {"seen_at": later(-1.0)},
        {"written_at": later(-40.0)},
    ],
)
async def test_a_blind_leader_stays_where_nobody_better_is_known(changes: dict[str, Any]) -> None:
    """Nobody sees, or who does would decide otherwise, could not lead, or saw before it all went dark."""
    assert await yields_at(outside(known()), **changes) is None


async def test_a_leader_that_sees_in_between_has_not_been_blind_for_a_lease() -> None:
    """Sight of a moment ends a blindness."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    group = watched_group()

    async def blinks() -> None:
        for _ in range(6):
            await blind_for(leader, LEASE_S - 3.0)
            probes = [Probe(A, group.nvas[0].probe, OK)]
            await leader.blindness.is_blind(group, probes, out.clock.monotonic())
            await out.clock.sleep(1.5)

    beside = [asyncio.ensure_future(each) for each in (standing_by(out, 80.0), blinks())]
    await leader.beside(leader.standbys.run(), 80.0)
    for each in beside:
        each.cancel()


async def test_a_leader_that_cannot_read_the_rows_stays() -> None:
    """What storage does not say is said by nobody."""
    out = outside(known())
    after(1.0, lambda: setattr(out.store, "answers", False))
    leader = Leader(out)
    await leader.lead()
    beside = asyncio.ensure_future(blind_for(leader, 40.0))
    await leader.beside(leader.standbys.run(), 40.0)
    beside.cancel()


@pytest.mark.parametrize(("gap_s", "gaps"), [(UNLED_S - 1, []), (UNLED_S, [60]), (400.0, [400])])
async def test_whoever_leads_after_a_gap_tells_how_long_nobody_did(gap_s: float, gaps: list[int]) -> None:
    """Nobody could while it lasted; a change of leader, and a second write of the record, are none."""
    out = outside()
    await out.store.save_leader(LeaderRecord("gone", 1, later(-gap_s)))
    await lead(out, 25.0)
    assert [each.fields["seconds"] for each in out.told.notices if each.event == "no_leader"] == gaps


async def test_the_first_leader_of_all_tells_no_gap() -> None:
    """Where nobody ever led, nobody is missed."""
    out = outside()
    await lead(out, 15.0)
    assert told(out, "no_leader") == []
