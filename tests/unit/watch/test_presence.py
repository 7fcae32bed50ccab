"""Each instance's own row, and two monitors that go by each other's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from nvaha import __version__
from nvaha.model import (
    STALE_AFTER_S,
    WRITTEN_EVERY_S,
    Configuration,
    ControlTarget,
    InstanceRecord,
    LeaderRecord,
    NvaState,
)
from nvaha.ports import LEASE_S, StoreUnavailable
from nvaha.watch import abstention
from nvaha.watch.abstention import Abstention
from nvaha.watch.monitor import Monitor
from nvaha.watch.presence import FIRST_S
from nvaha.watch.sight import AT_MOST, KNOWN_S, Sight
from tests.builders import group_of, later, request_to, steady, up
from tests.fakes import FakeProber, FakeStore, Outside, after
from tests.unit.watch.stage import CONTROL, A, B, known, outside, watched_group

TICK_S = 55.0


def monitor(out: Outside, name: str = "one", **more: Any) -> Monitor:
    """Return a monitor of the group."""
    return Monitor(Configuration((watched_group(),)), out.ports, name, **more)


async def row(out: Outside, name: str = "one") -> InstanceRecord:
    """Return an instance's row."""
    return next(each for each in await out.store.instances() if each.instance == name)


async def test_a_leader_writes_its_row() -> None:
    """Who, of which app and release, since when, with which configuration, what it sees and could do."""
    out = outside(known())
    out.queue.sent.append(request_to("b"))
    await out.clock.sleep(100.0)
    token = later(7)
    await monitor(out, app="site", token_at=lambda: token).tick(15.0)
    record = await row(out)
    assert (record.app, record.version, record.leads) == ("site", __version__, True)
    assert record.configuration == Configuration((watched_group(),)).fingerprint
    assert (record.started_at, record.token_at) == (later(100), token)
    assert (record.asked, record.answered, record.messages) == (2, 2, 1)
    for at in (record.written_at, record.campaign_at, record.queue_at, record.seen_at):
        assert at is not None
        assert later(108) <= at <= later(113)


async def test_a_follower_writes_its_row_and_asks_a_few_gently() -> None:
    """Every ten seconds a connection to each of two NVAs, no reading that anything is decided on."""
    out = outside(known())
    out.leases.steal("leader")
    await monitor(out).tick(TICK_S)
    record = await row(out)
    assert not record.leads
    assert (record.asked, record.answered) == (2, 2)
    assert (later(TICK_S) - record.written_at).total_seconds() <= WRITTEN_EVERY_S
    assert out.prober.asked == []
    assert 10 <= len(out.prober.reached_for) <= 12


class Stops(FakeProber):
    """A process that stands still for half a minute after each answer of a look."""

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Ask, and go on much later."""
        answer = await super().reachable(target, timeout_s)
        await self.clock.sleep(30.0)
        return answer


async def test_who_stood_still_in_a_look_does_not_say_that_it_has_just_seen() -> None:
    """What was answered before is as old as the look's beginning."""
    out = outside(known())
    out.leases.steal("leader")
    configuration = Configuration((watched_group(),))
    await Monitor(configuration, replace(out.ports, prober=Stops(out.clock)), "one").tick(TICK_S)
    record = await row(out)
    assert record.answered == 2
    assert record.seen_at is not None
    assert (record.written_at - record.seen_at).total_seconds() >= 30.0


async def test_a_row_is_never_as_old_as_stale_from_tick_to_tick() -> None:
    """Ticks that are ten seconds apart write it as often as a long one does."""
    out = outside(known())
    mine, ages = monitor(out), []

    async def look() -> None:
        await out.clock.sleep(FIRST_S)
        while True:
            await out.clock.sleep(1.0)
            ages.append((out.clock.now() - (await row(out)).written_at).total_seconds())

    looking = asyncio.ensure_future(look())
    for _ in range(12):
        await mine.tick(9.7)
        await out.clock.sleep(0.3)
    looking.cancel()
    assert max(ages) < STALE_AFTER_S / 2


@pytest.mark.parametrize("what", ["save_instance", "instances", "forget_instances"])
async def test_a_row_that_cannot_be_written_or_read_is_said_once_and_stops_nothing(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader leads and switches whatever becomes of the rows, even if nobody thought of it."""
    out = outside(known())

    async def fails(*_: object) -> None:
        raise ValueError("nobody thought of this")

    if what == "save_instance":
        monkeypatch.setattr(FakeStore, what, fails)
    else:
        monkeypatch.setattr(FakeStore, what, unavailable)
    after(30.0, lambda: out.prober.silent.add(A))
    await monitor(out).tick(TICK_S)
    assert {each.target for each in out.queue.sent} == {"b"}
    assert out.told.events.count("leader_elected") == 1
    assert out.told.events.count("round_failed") == (1 if what == "save_instance" else 0)


async def unavailable(*_: object) -> None:
    """Give no answer."""
    raise StoreUnavailable("rows: no answer")


async def test_a_queue_that_does_not_answer_leaves_the_time_when_it_last_did() -> None:
    """The row is written all the same."""
    out = outside(known())
    after(20.0, lambda: setattr(out.queue, "answers", False))
    await monitor(out).tick(TICK_S)
    record = await row(out)
    assert record.queue_at is not None
    assert later(9) <= record.queue_at <= later(20)
    assert record.written_at > later(40)


class TestSight:
    """What a follower asks."""

    async def test_control_targets_are_what_a_leader_would_go_by(self) -> None:
        """Where there are any, no NVA is asked."""
        out = outside(known())
        sight = Sight(out.ports, Configuration((watched_group(),), (CONTROL,)))
        assert await sight.look() == (1, 1)
        out.prober.silent.add(CONTROL.address)
        assert await sight.look() == (1, 0)
        assert set(out.prober.reached_for) == {CONTROL.address}

    async def test_of_many_nvas_a_few_are_asked_each_time_and_all_in_turn(self) -> None:
        """A monitor of a thousand groups asks no more at a time than one of three."""
        out = outside()
        names = "abcdefgh"
        groups = tuple(
            replace(
                watched_group(name),
                nvas=tuple(at(each, f"{name}{number}") for number, each in enumerate(watched_group().nvas)),
            )
            for name in names
        )
        sight = Sight(out.ports, Configuration(groups))
        counts = []
        for _ in range(3):
            before = len(out.prober.reached_for)
            await sight.look()
            counts.append(len(out.prober.reached_for) - before)
        assert counts == [AT_MOST] * 3
        assert len(set(out.prober.reached_for)) == 16

    async def test_addresses_come_from_the_groups_state_which_is_read_seldom(self) -> None:
        """Who does not lead has not looked at Azure; without a state it asks nobody yet."""
        spec = replace(group_of().nvas[0].probe, address=None, interface="internal")
        group = group_of(spec=spec)
        out = outside()
        sight = Sight(out.ports, Configuration((group,)))
        assert await sight.look() == (0, 0)
        there = {"internal": {"ip": "10.0.0.7"}}
        out.store.put(
            steady(nvas={"a": replace(up(), addresses=there, primary={"internal": "ip"}), "b": NvaState()})
        )
        assert await sight.look() == (1, 1)
        loads = out.store.loads
        await sight.look()
        assert out.store.loads == loads
        out.store.answers = False
        await out.clock.sleep(KNOWN_S)
        assert await sight.look() == (1, 1)


def at(nva: Any, address: str) -> Any:
    """Return an NVA that is probed at an address."""
    return replace(nva, probe=replace(nva.probe, address=address))


class TestAbstention:
    """For how long a monitor does not ask for the lease."""

    async def led(self, out: Outside) -> None:
        """Let somebody lead from now on."""
        while True:
            out.store.leader = LeaderRecord("two", 9, out.clock.now())
            await out.clock.sleep(10.0)

    async def lengths(self, out: Outside, gaps: list[float]) -> list[float]:
        """Return how long each abstention took that began so long after the last one ended."""
        mine, found = Abstention(out.ports), []
        for gap in gaps:
            await out.clock.sleep(gap)
            mine.begin()
            begun = out.clock.monotonic()
            while not await mine.over():
                await out.clock.sleep(1.0)
            found.append(out.clock.monotonic() - begun)
        return found

    async def test_it_takes_twice_as_long_each_time_up_to_the_longest(self) -> None:
        """One that happens again soon is likely to happen again; after an hour it is forgotten."""
        out = outside(known())
        leading = asyncio.ensure_future(self.led(out))
        found = await self.lengths(out, [1.0, 20.0, 20.0, 20.0, 20.0, 20.0, 3600.0])
        leading.cancel()
        assert found == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 60.0]

    async def test_it_ends_when_nobody_leads(self) -> None:
        """A blind monitor is better than none; while storage says nothing it cannot tell."""
        out = outside(known())
        out.store.leader = LeaderRecord("two", 9, out.clock.now())
        [took_s] = await self.lengths(out, [0.0])
        assert STALE_AFTER_S <= took_s <= STALE_AFTER_S + abstention.LOOK_S + 1.0
        out.store.answers = False
        assert await self.lengths(out, [0.0]) == [60.0]


class _View:
    """One monitor's own network: its probes fail while it is cut off."""

    def __init__(self, out: Outside) -> None:
        self._prober = out.prober
        self.cut_off = False

    async def probe(self, address: str, spec: Any) -> Any:
        """Ask an address."""
        return await self._prober.probe("nowhere" if self.cut_off else address, spec)

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        """Ask a control target."""
        target = ControlTarget("nowhere", 1) if self.cut_off else target
        return await self._prober.reachable(target, timeout_s)


async def test_a_leader_whose_network_is_gone_lets_the_other_one_lead() -> None:
    """The other leads within a lease and a little, switches from a dead NVA, and keeps the lease after."""
    out = outside(known())
    out.prober.silent.add("nowhere")
    view = _View(out)
    first = Monitor(Configuration((watched_group(),)), replace(out.ports, prober=view), "one")
    leaders: list[tuple[str, float]] = []

    async def watch() -> None:
        while True:
            record = out.store.leader
            if record is not None and (not leaders or leaders[-1][0] != record.instance):
                leaders.append((record.instance, out.clock.monotonic()))
            await out.clock.sleep(0.5)

    async def ticks(mine: Monitor) -> None:
        while True:
            await mine.tick(9.7)
            await out.clock.sleep(0.3)

    watching = asyncio.ensure_future(watch())
    running = [asyncio.ensure_future(ticks(first))]
    await out.clock.sleep(1.0)
    running.append(asyncio.ensure_future(ticks(monitor(out, "two"))))
    after(60.0, lambda: setattr(view, "cut_off", True))
    after(90.0, lambda: out.prober.silent.add(A))
    after(100.0, lambda: setattr(view, "cut_off", False))
    await out.clock.sleep(600.0)
    for each in (watching, *running):
        each.cancel()
    await asyncio.gather(watching, *running, return_exceptions=True)
    assert [name for name, _ in leaders] == ["one", "two"]
    assert leaders[1][1] - 61.0 <= LEASE_S + 10.0
    assert [each.target for each in out.queue.sent][:1] == ["b"]
    lost = [each for each in out.told.notices if each.event == "leader_lost"]
    assert [each.fields.get("standby") for each in lost] == ["two"]


async def test_where_all_is_dark_nobody_gives_the_lease_up() -> None:
    """Every NVA is gone for both: the one that leads goes on to."""
    out = outside(known())
    out.prober.silent |= {A, B}

    async def ticks(mine: Monitor) -> None:
        for _ in range(12):
            await mine.tick(9.7)
            await out.clock.sleep(0.3)

    await asyncio.gather(ticks(monitor(out, "one")), ticks(monitor(out, "two")))
    assert [each for each in out.told.events if each.startswith("leader")] == ["leader_elected"]
