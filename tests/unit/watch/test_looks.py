"""The leader's looks at Azure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.marks import HOLD, mark_of
from nvaha.model import GroupState, Phase
from nvaha.ports import NetworkError, NetworkFault
from nvaha.watch.troubles import Deposed
from tests.builders import ACCOUNT, azure_of, table_id, up
from tests.fakes import after
from tests.unit.watch.stage import Leader, known, outside, watched_group

TABLE = table_id("table")
MARK = mark_of(watched_group(), ACCOUNT)
SILENCE = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone")


async def looks(leader: Leader, seconds: float) -> None:
    """Lead, and look for so long."""

    await leader.lead()
    await leader.beside(leader.looks.run(), seconds)


async def test_the_active_nva_of_a_new_group_is_read_from_azure() -> None:
    """With it come the addresses at which the NVAs can be probed and recognised."""
    out = outside(active="b")
    await looks(Leader(out), 1.0)
    state = out.state()
    assert (state.phase, state.active) == (Phase.STEADY, "b")
    assert state.nvas["a"].addresses["internal"] == {"ip": "10.0.1.97"}


async def test_at_rest_azure_is_read_seldom() -> None:
    """A quarter of an hour costs three looks at drift, and no read besides."""
    out = outside(known())
    await looks(Leader(out), 895.0)
    assert out.network.reads.count(TABLE) == 3


async def test_an_azure_that_cannot_be_read_is_told_once_and_again_when_it_was_read_between() -> None:
    """Operators hear before a failover needs it; nothing is decided on what is unknown."""
    out = outside()
    group = watched_group()
    out.network.unread = dict.fromkeys(group.resource_ids, SILENCE)
    leader = Leader(out, (group,))

    after(30.0, out.network.unread.clear)
    await leader.lead()
    await leader.beside(leader.looks.run(), 29.0)
    assert out.told.events.count("discovery_failed") == 1
    assert "503" in (out.state().unread or "")
    assert out.state().phase is Phase.UNKNOWN
    await leader.beside(leader.looks.run(), 10.0)
    assert (out.state().phase, out.state().unread) == (Phase.STEADY, None)


async def test_drift_is_seen_twice_before_it_is_told() -> None:
    """The second look follows soon."""
    out = outside(known(), active="b")
    await looks(Leader(out), 12.0)
    assert (out.state().drift.seen, out.told.events) == (2, ["drift_found"])


async def test_a_look_that_storage_does_not_take_is_told_and_made_again() -> None:
    """The next one follows at its interval."""
    out = outside()
    leader = Leader(out)

    await leader.lead()
    out.store.answers = False
    after(2.0, lambda: setattr(out.store, "answers", True))
    await leader.beside(leader.looks.run(), 10.0)
    assert "store_unavailable" in out.told.events
    assert out.state().active == "a"


async def test_a_look_that_a_switch_overtook_decides_nothing() -> None:
    """What was read before a group moved may be half of a switch."""
    out = outside(known())
    leader = Leader(out)
    out.network.read_s = 2.0

    def overtaken() -> None:
        out.store.put(replace(out.state(), active="b", generation=1))
        out.network.put_there(*azure_of(watched_group(), "b"))

    await leader.lead()
    after(1.0, overtaken)
    await leader.beside(leader.looks.run(), 4.0)
    assert (out.state().active, out.state().drift.seen) == ("b", 0)


async def test_many_groups_are_looked_at_a_few_at_a_time() -> None:
    """Eight groups take two rounds of four, and one that is slow holds up none of its round."""
    states = tuple(GroupState(f"g{number}", nvas={"a": up(), "b": up()}) for number in range(8))
    out = outside(*states)
    out.network.read_s = 2.0
    leader = Leader(out, tuple(watched_group(each.group) for each in states))

    await leader.lead()
    counts: list[int] = []

    def count() -> None:
        counts.append(sum(each.state.phase is Phase.STEADY for each in out.store.states.values()))

    for seconds in (1.9, 2.1, 3.9, 4.1):
        after(seconds, count)
    await leader.beside(leader.looks.run(), 5.0)
    assert counts == [0, 4, 4, 8]


async def test_looks_that_azure_refuses_are_told_once_and_that_it_is_over() -> None:
    """One refusal is none; two in a row are told, however many follow, and with how the group stands."""
    out = outside(known())
    group = watched_group()
    throttled = NetworkError(NetworkFault.THROTTLED, TABLE, "429", retry_after_s=5.0)
    leader = Leader(out, (group,))
    standing: list[bool] = []

    def see() -> None:
        lines = leader.watched.present(blind=False, fresh=True)
        standing.extend("throttled" in each.fields for each in lines)

    def refuse() -> None:
        out.network.unread.update(dict.fromkeys(group.resource_ids, throttled))

    await leader.lead()
    # A look each five minutes: one is answered, one refused, four are answered, three refused, one answered.
    for at_s in (200.0, 1600.0):
        after(at_s, refuse)
    for at_s in (400.0, 2600.0):
        after(at_s, out.network.unread.clear)
    after(2500.0, see)
    await leader.beside(leader.looks.run(), 3300.0)
    see()
    told = [each for each in out.told.events if each.startswith("throttled")]
    assert told == ["throttled", "throttled_over"]
    assert standing == [True, False]


async def test_a_fault_in_one_groups_look_is_told_and_the_looks_go_on() -> None:
    """Nobody expected it; the next look is made at its interval."""
    out = outside()
    out.network.unread[TABLE] = ZeroDivisionError("a fault of our own")
    leader = Leader(out)
    after(2.0, out.network.unread.clear)
    await leader.lead()
    await leader.beside(leader.looks.run(), 15.0)
    assert out.told.events.count("round_failed") == 1
    assert out.state().active == "a"


async def test_a_look_that_the_end_of_a_tick_cut_off_is_made_up_for_soon() -> None:
    """The next tick does not wait the whole interval for it."""
    out = outside(known(), active="b")
    out.network.read_s = 2.0
    leader = Leader(out)
    await leader.lead()
    await leader.beside(leader.looks.run(), 1.0)
    assert out.state().drift.seen == 0
    await leader.beside(leader.looks.run(), 15.0)
    assert out.state().drift.seen >= 1


async def test_a_look_of_a_leader_that_was_deposed_ends_its_looks() -> None:
    """Somebody else leads: it is for that one to look."""
    out = outside(known(), active="b")
    leader = Leader(out)
    await leader.lead()
    out.store.put(replace(out.state(), epoch=9))
    with pytest.raises(Deposed):
        await leader.beside(leader.looks.run(), 5.0)
    assert out.state().drift.seen == 0


@pytest.mark.parametrize(
    ("tag", "told"), [((HOLD, "upgrade"), "held"), ((MARK.name, "stother/g"), "rival")], ids=["hold", "mark"]
)
async def test_a_tag_is_found_within_the_interval_of_rest_and_gone_within_it(
    tag: tuple[str, str], told: str
) -> None:
    """Nothing is read more often for it: at rest it is noticed by the next look at drift."""
    out = outside(known())
    leader = Leader(out)
    await looks(leader, 10.0)
    out.network.edit(TABLE, lambda body: body["tags"].update([tag]))
    await leader.beside(leader.looks.run(), 300.0)
    assert out.told.events.count(told) == 1
    out.network.edit(TABLE, lambda body: body["tags"].pop(tag[0]))
    await leader.beside(leader.looks.run(), 300.0)
    assert out.told.events.count(f"{told}_over") == 1


async def test_what_waits_for_a_tag_to_go_is_looked_at_every_minute() -> None:
    """A failover that is due does not wait for the end of a long interval."""
    out = outside(known(blocked="held by a tag", hold="held by a tag"))
    out.network.edit(TABLE, lambda body: body["tags"].update({HOLD: "upgrade"}))
    leader = Leader(out)
    await looks(leader, 10.0)
    out.network.edit(TABLE, lambda body: body["tags"].pop(HOLD))
    await leader.beside(leader.looks.run(), 61.0)
    assert out.state().hold is None
