"""What a monitor that does not lead tells of who does, how often, and what it leaves to silence."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from nvaha.model import SIGN_EVERY_S, STALE_AFTER_S, Configuration, LeaderRecord, Notice
from nvaha.state.lease import HeldLease
from nvaha.watch.following import Following
from nvaha.watch.monitor import Monitor
from tests.builders import later
from tests.fakes import Outside, after
from tests.unit.watch.stage import known, outside, watched_group

GROUPS = (watched_group("g"), watched_group("h"))


def told(out: Outside, event: str) -> list[Notice]:
    """Return what was told of one kind."""
    return [each for each in out.told.notices if each.event == event]


async def follow(out: Outside, seconds: float, *, leads: bool = False) -> None:
    """Let a monitor that does not lead go on for so long."""
    lease = HeldLease(out.ports, "leader", "two")
    if leads:
        assert await lease.acquire()
    duty = asyncio.create_task(Following(out.ports, Configuration(GROUPS), lease, "two").run())
    await asyncio.wait({duty}, timeout=seconds)
    duty.cancel()


async def test_it_tells_whom_it_follows_once_in_a_while() -> None:
    """Each line has the leader, its epoch, and the age of its last round."""
    out = outside()
    out.store.leader = LeaderRecord("one", 7, later(-5))
    await follow(out, 3 * SIGN_EVERY_S)
    lines = [each.fields for each in told(out, "following")]
    assert [(each["instance"], each["leader"], each["epoch"]) for each in lines] == [("two", "one", 7)] * 3
    assert [each["age_s"] for each in lines] == [7.0, 97.0, 187.0]


async def test_groups_are_elsewhere_once_for_each_leader() -> None:
    """A line for each group ends what was told under the epochs before the leader's."""
    out = outside()
    out.store.leader = LeaderRecord("one", 7, later(0))
    after(250.0, lambda: setattr(out.store, "leader", LeaderRecord("three", 9, later(250))))
    await follow(out, 500.0)
    lines = [each.fields for each in told(out, "group_state")]
    assert [(each["group"], each["epoch"]) for each in lines] == [("g", 6), ("h", 6), ("g", 8), ("h", 8)]
    assert all(each["elsewhere"] is True for each in lines)


async def test_a_leader_that_is_gone_ends_nothing() -> None:
    """Who has not been heard of for long tells nothing anywhere: only its age is told."""
    out = outside()
    out.store.leader = LeaderRecord("one", 7, later(-STALE_AFTER_S - 1))
    await follow(out, 50.0)
    assert told(out, "group_state") == []
    assert [each.fields["age_s"] for each in told(out, "following")] == [STALE_AFTER_S + 3.0]


async def test_who_finds_nobody_on_record_says_so() -> None:
    """Such a line has no age, so it is no sign that anybody leads."""
    out = outside()
    await follow(out, 50.0)
    [line] = told(out, "following")
    assert line.fields == {"instance": "two"}


async def test_who_cannot_read_it_is_silent_until_it_can() -> None:
    """Nothing is told of what is not known; it is not put off for a minute either."""
    out = outside()
    out.store.leader = LeaderRecord("one", 7, later(0))
    out.storage_goes()
    after(100.0, out.storage_is_back)
    await follow(out, 115.0)
    [line] = told(out, "following")
    assert line.fields["age_s"] >= 100.0


async def test_what_nobody_expects_ends_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, once a minute at most, and the next minute is another try."""
    out = outside()

    async def odd(_: object) -> LeaderRecord:
        raise ValueError("odd")

    with monkeypatch.context() as patched:
        patched.setattr(type(out.store), "load_leader", odd)
        await follow(out, 2 * SIGN_EVERY_S)
    assert [each.level for each in told(out, "round_failed")] == ["warning"] * 2
    assert told(out, "following") == []


async def test_a_leader_follows_nobody() -> None:
    """While the lease is held its heartbeat says enough; once it is not, it follows like any other."""
    out = outside()
    out.store.leader = LeaderRecord("one", 7, later(0))
    await follow(out, 10.0, leads=True)
    assert told(out, "following") == []


async def test_who_led_a_moment_ago_ends_nothing_of_its_own() -> None:
    """The record that is found is its own until another leader writes one."""
    out = outside()
    out.store.leader = LeaderRecord("two", 7, later(0))
    await follow(out, 50.0)
    assert told(out, "group_state") == []
    assert len(told(out, "following")) == 1


async def test_two_monitors_at_rest_write_less_than_a_hundred_lines_an_hour() -> None:
    """One that leads and one that follows, tick after tick: signs of life, how the group stands, no more."""
    out = outside(known())
    monitors = [Monitor(Configuration((watched_group(),)), out.ports, name) for name in ("one", "two")]
    began, quarter_s = 0, 900.0
    while out.clock.monotonic() < 60.0 + quarter_s:
        if out.clock.monotonic() < 60.0:
            began = len(out.told.notices)
        await asyncio.gather(*(each.tick(9.5) for each in monitors))
    lines = Counter(each.event for each in out.told.notices[began:])
    assert lines.keys() == {"heartbeat", "following", "group_state"}
    assert min(lines["heartbeat"], lines["following"]) >= int(quarter_s / SIGN_EVERY_S) - 1
    assert lines.total() * 3600.0 / quarter_s < 100
