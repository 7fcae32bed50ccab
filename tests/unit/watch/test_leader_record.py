"""What the leader tells of itself, to other monitors and to operators."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from unittest import mock

from nvaha.core.lifecycle import UNATTENDED_S
from nvaha.model import SIGN_EVERY_S, STALE_AFTER_S, WRITTEN_EVERY_S, LeaderRecord, Notice, Reading
from tests.builders import later, switching
from tests.fakes import Told, after
from tests.unit.watch.stage import CONTROL, Leader, known, outside


async def recorded(leader: Leader, seconds: float) -> None:
    """Lead, and write the record for so long."""

    await leader.lead()
    await leader.beside(leader.record.run(), seconds)


async def test_a_new_leader_says_so_at_once() -> None:
    """Its name, its epoch and the time are in the table within a second."""
    out = outside(known())
    await recorded(Leader(out), 1.0)
    assert out.store.leader == LeaderRecord("one", 2, later(0))


async def test_a_switch_without_a_worker_is_in_the_record_and_out_of_it_again() -> None:
    """Whoever asks for the app's health hears of it within one more writing of the record."""
    out = outside(switching(progress_at=None))
    leader = Leader(out)
    seen: dict[int, int] = {}

    def look(second: int) -> None:
        assert out.store.leader is not None
        seen[second] = out.store.leader.unattended

    def taken_up() -> None:
        for each in leader.watched:
            each.held = replace(each.held, state=switching(progress_at=later(50)))

    await leader.lead()
    for second in (int(UNATTENDED_S) - 1, int(UNATTENDED_S + WRITTEN_EVERY_S) + 1, 65):
        after(second, partial(look, second))
    after(50, taken_up)
    await leader.beside(leader.record.run(), 70.0)
    assert list(seen.values()) == [0, 1, 0]


async def test_a_heartbeat_is_told_at_once_and_now_and_then() -> None:
    """It carries what a query needs: who, which epoch, how many groups, whether it sees."""
    out = outside(known())
    await recorded(Leader(out), 2 * SIGN_EVERY_S + 5.0)
    beats = [each.fields for each in out.told.notices if each.event == "heartbeat"]
    assert len(beats) == 3
    assert beats[0] == {
        "instance": "one",
        "epoch": 2,
        "groups": 1,
        "blind": False,
        "round_ms": 0,
        "standbys": 0,
    }


async def test_a_record_is_never_as_old_as_stale_while_rounds_are_done() -> None:
    """Other monitors and `status` can rely on its age."""
    out = outside(known())
    leader = Leader(out)
    ages: list[float] = []

    def look() -> None:
        assert out.store.leader is not None
        ages.append((out.clock.now() - out.store.leader.round_at).total_seconds())

    await leader.lead()
    for second in range(1, 120):
        after(second, look)
        after(second, leader.record.round_ended)
    await leader.beside(leader.record.run(), 120.0)
    assert max(ages) < STALE_AFTER_S / 2


async def test_the_longest_round_and_the_late_ones_are_told_once() -> None:
    """The next heartbeat counts from zero."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    leader.record.round_took(0.2, late=False)
    leader.record.round_took(3.5, late=True)
    await leader.beside(leader.record.run(), SIGN_EVERY_S + 5.0)
    beats = [each.fields["round_ms"] for each in out.told.notices if each.event == "heartbeat"]
    assert beats == [3500, 0]
    assert out.told.events.count("round_late") == 1


async def test_what_changes_is_in_a_heartbeat_within_seconds() -> None:
    """An alert that goes by it hears of it as soon as it is written down, however long ago the last was."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    after(35.0, lambda: asyncio.ensure_future(leader.record.tell_blindness(blind=True)))
    await leader.beside(leader.record.run(), 45.0)
    beats = [each.fields["blind"] for each in out.told.notices if each.event == "heartbeat"]
    assert beats == [False, True]


async def test_going_blind_and_seeing_again_is_written_at_once_and_told_once() -> None:
    """Others read it from the record; the log has one line for each."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    written = []
    for blind in (False, True, True, False):
        await leader.record.tell_blindness(blind=blind)
        written.append(out.store.leader and out.store.leader.blind)
    assert written == [None, True, True, False]
    assert [each for each in out.told.events if each.startswith("blind")] == ["blind", "blind_over"]


async def test_a_control_target_that_goes_is_told_before_it_is_needed() -> None:
    """Once when it goes and once when it comes back, whatever the NVAs do."""
    out = outside(known())
    leader = Leader(out, control_targets=(CONTROL,))
    out.prober.silent.add(CONTROL.address)

    await leader.lead()
    after(25.0, out.prober.silent.clear)
    await leader.beside(leader.record.run(), 45.0)
    told = [each for each in out.told.notices if each.event.startswith("control")]
    assert [each.event for each in told] == ["control_down", "control_up"]
    assert told[0].fields["target"] == "192.0.2.1:443"


async def test_a_record_that_storage_does_not_take_is_told_and_written_later() -> None:
    """The leader leads on as long as its lease lasts."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    out.store.answers = False
    after(5.0, lambda: setattr(out.store, "answers", True))
    await leader.beside(leader.record.run(), 12.0)
    assert out.told.events.count("store_unavailable") == 1
    assert out.store.leader is not None


async def test_an_election_makes_the_next_record_due_at_once() -> None:
    """Whoever led before within ten seconds has to say so again."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    await leader.beside(leader.record.run(), 1.0)
    out.store.leader = None
    await leader.beside(leader.record.run(), 1.0)
    assert out.store.leader is None
    leader.record.elected()
    await leader.beside(leader.record.run(), 1.0)
    assert out.store.leader is not None


async def test_a_group_is_told_at_once_when_it_changes_and_seldom_when_it_does_not() -> None:
    """Within ten seconds of a change, each minute in trouble, each ten minutes without."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    leader.record.elected()

    def set_down(*, down: bool) -> None:
        for each in leader.watched:
            each.held = replace(
                each.held, state=replace(each.state, all_down=down, probed_at=out.clock.now())
            )

    def keep_probed() -> None:
        for each in leader.watched:
            each.held = replace(each.held, state=replace(each.state, probed_at=out.clock.now()))

    for second in range(5, 2000, 5):
        after(second, keep_probed)
    after(1000, partial(set_down, down=True))
    after(1100, partial(set_down, down=False))
    times = await lines_of(leader, 2000.0)
    well = [at_s for at_s, down in times if not down]
    ill = [at_s for at_s, down in times if down]
    assert [round(at_s, -1) for at_s in well] == [0, 600, 1100, 1700]
    assert len(ill) == 2
    assert 1000 <= ill[0] <= 1010


async def test_how_long_probes_took_is_told_and_makes_no_line_of_its_own() -> None:
    """They are never the same twice; the line is told when it would be, with what came since."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    [watched] = leader.watched

    def answer(ms: float) -> None:
        watched.paces.add({"a": Reading(ok=True, latency_ms=ms)})
        watched.held = replace(watched.held, state=replace(watched.state, probed_at=out.clock.now()))

    for second in range(5, 700, 5):
        after(second, partial(answer, float(second)))
    await leader.beside(leader.record.run(), 700.0)
    lines = [each.fields for each in out.told.notices if each.event == "group_state"]
    assert [each.get("probes") for each in lines] == [None, [{"nva": "a", "ms": 302.5, "most_ms": 600.0}]]


async def lines_of(leader: Leader, seconds: float) -> list[tuple[float, bool]]:
    """Lead for so long; returns when a group was told of, and whether all its NVAs were down."""
    out, times = leader.out, list[tuple[float, bool]]()
    before = out.told.notify

    def notify(notice: Notice) -> None:
        before(notice)
        if notice.event == "group_state":
            times.append((out.clock.monotonic(), "all_down" in notice.fields))

    with mock.patch.object(Told, "notify", lambda _, notice: notify(notice)):
        await leader.beside(leader.record.run(), seconds)
    return times


async def test_a_group_that_cannot_be_read_is_told_though_nobody_watches_it() -> None:
    """It is configured, so the log says that nobody probes it."""
    out = outside(known())
    out.store.unreadable.add("g")
    await recorded(Leader(out), 1.0)
    [line] = [each.fields for each in out.told.notices if each.event == "group_state"]
    assert line["unreadable"]
    assert line["unwatched"]


async def test_what_a_new_leader_tells_is_as_old_as_its_election() -> None:
    """It ran as a follower for an hour, or led and was blind before: neither says anything about now."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    await leader.record.tell_blindness(blind=True)
    await out.clock.sleep(3600.0)
    leader.record.elected()
    await leader.beside(leader.record.run(), 1.0)
    assert out.store.leader == LeaderRecord("one", 2, later(3600))


async def test_a_leader_whose_rounds_do_not_end_is_stale_all_the_same() -> None:
    """Its election makes it fresh for as long as a round would, and no longer."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    leader.record.elected()
    await leader.beside(leader.record.run(), 3 * STALE_AFTER_S)
    assert out.store.leader is not None
    assert out.store.leader.round_at == later(0)
