"""The leader's rounds: who is probed, how often, and what of it is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Health, NvaState, Phase
from tests.builders import group_of, steady, up
from tests.fakes import after
from tests.unit.watch.stage import CONTROL, A, B, Leader, known, outside, watched_group


async def rounds(leader: Leader, seconds: float) -> None:
    """Lead, and do rounds for so long."""

    await leader.lead()
    leader.out.prober.asked.clear()
    await leader.beside(leader.rounds.run(leader.out.clock.monotonic() + seconds), seconds + 30.0)


async def test_at_rest_every_nva_is_probed_at_its_interval() -> None:
    """Ten seconds at an interval of one second are ten rounds of both."""
    out = outside(known())
    await rounds(Leader(out), 10.0)
    assert (out.prober.asked.count(A), out.prober.asked.count(B)) == (10, 10)


async def test_an_active_nva_that_falls_silent_is_left_within_four_seconds() -> None:
    """Three failures, each after its timeout, and the switch is on the queue."""
    out = outside(known())
    out.prober.silent.add(A)
    leader = Leader(out)

    await leader.lead()
    await leader.beside(leader.rounds.run(4.0), 4.0)
    assert (out.state().phase, out.state().target) == (Phase.SWITCHING, "b")
    assert [each.target for each in out.queue.sent] == ["b"]
    assert out.state().nvas["a"].health is Health.DOWN


async def test_an_nva_whose_health_is_in_doubt_is_probed_more_often() -> None:
    """After a failure, the next readings come at the fast interval until it is down."""
    out = outside(known())
    out.prober.silent.add(B)
    group = watched_group()
    hasty = [replace(nva, probe=replace(nva.probe, timeout_s=0.1, fast_interval_s=0.2)) for nva in group.nvas]
    await rounds(Leader(out, (replace(group, nvas=tuple(hasty)),)), 0.5)
    assert out.prober.asked.count(B) == 3


async def test_an_nva_is_probed_where_azure_says_its_interface_is() -> None:
    """Its address comes from the state; one that is not known yet is not probed, and stays unknown."""
    spec = replace(group_of().nvas[0].probe, address=None, interface="internal")
    group = group_of(spec=spec)
    a = up(addresses={"internal": {"ip": "10.9.9.9"}}, primary={"internal": "ip"})
    out = outside(steady(nvas={"a": a, "b": NvaState()}))
    await rounds(Leader(out, (group,)), 3.0)
    assert set(out.prober.asked) == {"10.9.9.9"}
    assert out.state().nvas["b"].health is Health.UNKNOWN


async def test_a_round_that_was_stopped_in_the_middle_is_not_believed() -> None:
    """A process that stands still sees time-outs everywhere: none of them is counted."""
    out = outside(known())
    out.prober.silent.add(A)
    out.prober.stalls_s = 7.0
    await rounds(Leader(out), 25.0)
    assert out.prober.asked.count(A) > 2
    assert out.state().nvas["a"].failures == 0
    assert out.queue.sent == []


async def test_a_round_that_has_waited_long_for_its_turn_is_dropped_and_counted() -> None:
    """While somebody writes for long, what was read grows old: it is not what the group is decided on."""
    out = outside(known())
    out.prober.silent.add(A)
    leader = Leader(out)
    await leader.lead()
    before = out.state()
    busy = leader.group().lock
    await busy.acquire()
    # Longer than a round is believed, and than the next round would take to say the same.
    after(9.0, busy.release)
    await leader.beside(leader.rounds.run(0.5), 9.2)
    assert out.state() == before
    await leader.beside(leader.record.run(), 1.0)
    [late] = [each for each in out.told.notices if each.event == "round_late"]
    assert late.fields["dropped"] == 1


async def test_what_a_silent_storage_could_not_take_is_told_and_the_rounds_go_on() -> None:
    """The failures that were read meanwhile are counted again from what is stored."""
    out = outside(known())
    out.prober.silent.add(A)
    leader = Leader(out)

    await leader.lead()
    out.store.answers = False
    after(1.5, lambda: setattr(out.store, "answers", True))
    await leader.beside(leader.rounds.run(8.0), 8.0)
    assert "store_unavailable" in out.told.events
    assert out.state().target == "b"


async def test_a_silence_everywhere_is_the_monitors_own() -> None:
    """Blind, it switches nothing and says so once; it says when it can see again, and then decides."""
    out = outside(known())
    leader = Leader(out, control_targets=(CONTROL,))
    out.prober.silent |= {A, CONTROL.address}

    seen: list[object] = []
    await leader.lead()
    after(20.0, lambda: out.prober.silent.discard(CONTROL.address))
    after(19.9, lambda: seen.append(list(out.queue.sent)))
    await leader.beside(leader.rounds.run(30.0), 30.0)
    assert seen == [[]]
    blindness = [each for each in out.told.events if each.startswith("blind")]
    assert blindness == ["blind", "blind_over"]
    assert out.state().target == "b"


async def test_a_group_is_as_blind_as_its_own_last_round() -> None:
    """What another group's round saw, perhaps a minute ago, says nothing of this one's."""
    seldom = watched_group("seldom")
    slow = [
        replace(nva, probe=replace(nva.probe, interval_s=60.0, fast_interval_s=60.0)) for nva in seldom.nvas
    ]
    out = outside(known(), known("seldom"))
    leader = Leader(
        out, groups=(watched_group(), replace(seldom, nvas=tuple(slow))), control_targets=(CONTROL,)
    )
    out.prober.silent |= {A, CONTROL.address}
    await leader.lead()
    after(3.0, lambda: out.prober.silent.discard(CONTROL.address))
    await leader.beside(leader.rounds.run(30.0), 30.0)
    assert leader.blindness.blind
    assert out.state().target == "b"


async def test_blindness_is_told_of_the_monitor_not_of_each_round() -> None:
    """A group whose NVAs answer does not end what another one's silence shows, nor tell it anew."""
    out = outside(known(), known("other"))
    other = watched_group("other")
    apart = [
        replace(nva, probe=replace(nva.probe, address=f"10.7.0.{number}"))
        for number, nva in enumerate(other.nvas)
    ]
    leader = Leader(out, (watched_group(), replace(other, nvas=tuple(apart))), (CONTROL,))
    out.prober.silent |= {A, CONTROL.address}
    await leader.lead()
    await leader.beside(leader.rounds.run(10.0), 10.0)
    assert [each for each in out.told.events if each.startswith("blind")] == ["blind"]


@pytest.mark.parametrize("trouble", ["raises", "stands still", "illegible"])
async def test_a_round_that_came_to_nothing_is_none(trouble: str) -> None:
    """Whoever asks how fresh the leader's rounds are is told of those that were decided on."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    began_at = out.clock.now()
    if trouble == "raises":
        out.prober.broken = ZeroDivisionError("a fault of our own")
    elif trouble == "stands still":
        out.prober.silent.add(A)
        out.prober.stalls_s = 7.0
    else:
        out.store.unreadable.add("g")
        leader.group().unsure = True
    await leader.beside(leader.rounds.run(20.0), 20.0)
    out.store.unreadable.clear()
    await leader.beside(leader.record.run(), 1.0)
    assert out.store.leader is not None
    assert out.store.leader.round_at == began_at


async def test_no_round_begins_once_the_tick_is_over() -> None:
    """The last one begins before `until`, however long it takes."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    await leader.rounds.run(out.clock.monotonic() + 3.0)
    assert out.clock.monotonic() <= 3.0
    assert out.prober.asked.count(A) == 3


async def test_the_next_tick_goes_on_at_the_pace_of_the_last() -> None:
    """A group whose next round is due in a moment is not probed early."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    for until in (2.5, 5.0):
        await leader.rounds.run(until)
    assert out.prober.asked.count(A) == 5


@pytest.mark.parametrize(("busy_s", "late"), [(0.5, False), (2.5, True)])
async def test_a_round_that_begins_late_is_told_with_the_heartbeat(busy_s: float, late: bool) -> None:
    """A process that has too much to do says so before it misses an NVA's death."""
    out = outside(known())
    leader = Leader(out)

    await leader.lead()
    loop_time = out.clock.sleep

    async def overslept(seconds: float) -> None:
        await loop_time(seconds + (busy_s if 0.9 < seconds <= 1.0 else 0.0))

    out.clock.sleep = overslept  # type: ignore[method-assign]
    await leader.rounds.run(9.0)
    out.clock.sleep = loop_time  # type: ignore[method-assign]
    await leader.beside(leader.record.run(), 1.0)
    assert ("round_late" in out.told.events) is late


async def test_a_fault_in_one_groups_round_is_told_and_the_rounds_go_on() -> None:
    """Nobody expected it; the other groups must not pay for it, nor this one's next rounds."""
    out = outside(known())
    out.prober.broken = ZeroDivisionError("a fault of our own")
    leader = Leader(out)
    await leader.lead()
    after(2.5, lambda: setattr(out.prober, "broken", None))
    await leader.beside(leader.rounds.run(6.0), 6.0)
    assert "round_failed" in out.told.events
    assert out.prober.asked.count(A) == 6
