"""What receivers are sent: all of it, from what is stored, and in nobody's way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from nvaha.core.inputs import PauseCommanded
from nvaha.core.sending import MOST_UNSENT
from nvaha.model import Configuration, GroupState, Notice, Receiver, ReceiverKind, Unsent
from nvaha.ports import NotTaken
from nvaha.state.commit import Committer
from nvaha.watch.deliveries import AGAIN_S, GIVE_UP_S, TOLD_AFTER
from nvaha.watch.monitor import Monitor
from tests.builders import later
from tests.fakes import Outside, after
from tests.unit.watch.stage import A, known, outside, watched_group

HOOK = Receiver("hook", ReceiverKind.WEBHOOK, "HOOK_URL")
CHAT = Receiver("chat", ReceiverKind.SLACK, "CHAT_URL")
WAITS = Unsent(
    Notice("all_down", "error", "every NVA is down", {"group": "g", "id": "w.0"}), later(0), ("hook",)
)


@dataclass(slots=True)
class FakeReceivers:
    """Receivers in memory.

    Args:
        known: the receivers.
        takes: called with the receiver's name for each thing that is sent: what it raises is the answer.
        answer_s: {receiver: how long it takes until it answers}.
        own: what this process has to say of itself.
    """

    known: tuple[Receiver, ...] = (HOOK,)
    takes: Callable[[str], None] = lambda _: None
    answer_s: dict[str, float] = field(default_factory=dict)
    own: list[Unsent] = field(default_factory=list)
    sent: list[tuple[str, str, str]] = field(default_factory=list)

    async def send(self, receiver: Receiver, unsent: Unsent) -> int:
        """Take something, or not."""
        self.sent.append((receiver.name, unsent.notice.event, unsent.id))
        await asyncio.sleep(self.answer_s.get(receiver.name, 0.0))
        self.takes(receiver.name)
        return 202

    def heard(self) -> tuple[Unsent, ...]:
        """Return what there is, once."""
        found = tuple(self.own)
        self.own.clear()
        return found

    def events(self, name: str = "hook") -> list[str]:
        """Return what a receiver was sent, in order."""
        return [event for to, event, _ in self.sent if to == name]


def sending(out: Outside, receivers: FakeReceivers, name: str = "one") -> Monitor:
    """Return a monitor that sends."""
    ports = replace(out.ports, receivers=receivers)
    return Monitor(Configuration((watched_group(),), receivers=receivers.known), ports, name)


def refuses(_: str) -> None:
    """Take nothing."""
    raise NotTaken("it answers with status 500", 500)


async def test_what_wakes_people_is_sent_once_and_forgotten() -> None:
    """An NVA falls and a switch is asked for: each is one message, and then nothing waits any more."""
    out, receivers = outside(known()), FakeReceivers()
    after(5.0, lambda: out.prober.silent.add(A))
    await sending(out, receivers).tick(12.0)
    assert receivers.events()[:2] == ["nva_down", "switch_requested"]
    assert len(receivers.sent) == len(set(receivers.sent))
    assert out.state().unsent == ()


async def test_without_receivers_nothing_waits() -> None:
    """It is off by default: no row holds what nobody is sent."""
    out = outside(known())
    after(5.0, lambda: out.prober.silent.add(A))
    await Monitor(Configuration((watched_group(),)), out.ports, "one").tick(20.0)
    assert out.queue.sent
    assert out.state().unsent == ()


async def requested_at(receivers: FakeReceivers) -> tuple[float, int]:
    """Return when a switch was asked for after an NVA died, and how many probes there were by the end."""
    out = outside(known())
    after(5.2, lambda: out.prober.silent.add(A))
    mine = sending(out, receivers)
    began = out.clock.now()
    for _ in range(3):
        await mine.tick(10.0)
    return (out.queue.sent[0].requested_at - began).total_seconds(), len(out.prober.asked)


@pytest.mark.parametrize("answer_s", [4.9, 3600.0])
async def test_a_receiver_that_hangs_delays_no_probe_and_no_switch(answer_s: float) -> None:
    """Whatever a receiver does, the switch is asked for in the same instant and every round is on time."""
    prompt = await requested_at(FakeReceivers())
    assert await requested_at(FakeReceivers(answer_s={"hook": answer_s})) == pytest.approx(prompt)


async def test_one_that_hangs_keeps_no_other_waiting() -> None:
    """Each has a line of its own."""
    out = outside(known())
    receivers = FakeReceivers((HOOK, CHAT), answer_s={"hook": 3600.0})
    after(5.0, lambda: out.prober.silent.add(A))
    await sending(out, receivers).tick(20.0)
    assert receivers.events("chat")[:2] == ["nva_down", "switch_requested"]
    assert receivers.events("hook") == ["nva_down"]


async def test_what_is_on_its_way_when_a_tick_ends_is_not_sent_twice() -> None:
    """The next tick hears what became of it."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers(answer_s={"hook": 4.0})
    mine = sending(out, receivers)
    for _ in range(3):
        await mine.tick(3.0)
    assert receivers.events() == ["all_down"]
    assert out.state().unsent == ()


async def test_what_was_not_taken_is_sent_again_and_told_once() -> None:
    """With longer and longer waits, always with the same id; what is new does not wait behind it for ever."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers(takes=refuses)
    after(sum(AGAIN_S[:3]) + 5.0, lambda: setattr(receivers, "takes", lambda _: None))
    await sending(out, receivers).tick(300.0)
    assert receivers.sent == [("hook", "all_down", "w.0")] * (TOLD_AFTER + 2)
    assert out.told.events.count("notify_failed") == 1
    assert out.state().unsent == ()


async def test_what_a_receiver_chokes_on_keeps_nothing_else_from_it() -> None:
    """What was tried least comes first."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers()

    def chokes(_: str) -> None:
        if receivers.sent[-1][2] == "w.0":
            raise NotTaken("it answers with status 400", 400)

    receivers.takes = chokes
    after(5.0, lambda: out.prober.silent.add(A))
    await sending(out, receivers).tick(60.0)
    assert {"nva_down", "switch_requested"} <= set(receivers.events())
    assert [each.id for each in out.state().unsent] == ["w.0"]


async def test_a_crash_before_it_was_sent_loses_nothing() -> None:
    """Whoever decided has written it down; whoever leads next sends it."""
    out = outside(known())
    dies = FakeReceivers()
    ports = replace(out.ports, receivers=dies)
    await Committer(ports).commit(watched_group(), PauseCommanded(paused=True, by="ann"))
    assert dies.sent == []
    dies.known = (replace(HOOK, events=("paused", "resumed")),)
    await Committer(ports).commit(watched_group(), PauseCommanded(paused=False, by="ann"))
    [owed] = out.state().unsent
    receivers = FakeReceivers()
    await sending(out, receivers).tick(5.0)
    assert receivers.sent == [("hook", "resumed", owed.id)]
    assert out.state().unsent == ()


async def test_a_crash_after_it_was_sent_sends_the_same_again() -> None:
    """With the same id, by which the receiver knows it."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers()
    # It is taken, and storage falls silent before that is written down.
    receivers.takes = lambda _: out.storage_goes()
    await sending(out, receivers).tick(10.0)
    assert [each.id for each in out.state().unsent] == ["w.0"]
    out.storage_is_back()
    second = FakeReceivers()
    await out.clock.sleep(20.0)
    await sending(out, second, "two").tick(10.0)
    assert receivers.sent == second.sent == [("hook", "all_down", "w.0")]
    assert out.state().unsent == ()


async def test_what_was_taken_is_not_sent_again_by_who_lives() -> None:
    """Although it could not be written down for a while."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers()
    receivers.takes = lambda _: setattr(out.store, "lose_answers", 2)
    await sending(out, receivers).tick(20.0)
    assert receivers.events() == ["all_down"]
    assert out.state().unsent == ()


async def test_what_nobody_took_for_a_day_is_given_up_and_told() -> None:
    """A row does not keep it for ever."""
    old = replace(WAITS, at=later(60.0 - GIVE_UP_S))
    out, receivers = outside(known(unsent=(old,))), FakeReceivers(takes=refuses)
    await sending(out, receivers).tick(90.0)
    assert out.state().unsent == ()
    assert "every NVA is down" in next(
        n.text for n in out.told.notices if n.level == "error" and n.event == "notify_failed"
    )


async def test_what_is_for_nobody_any_more_is_forgotten() -> None:
    """Its receiver is not configured any more; those that are get theirs."""
    both = replace(WAITS, to=("gone", "hook"))
    out, receivers = outside(known(unsent=(both,))), FakeReceivers()
    await sending(out, receivers).tick(5.0)
    assert (receivers.events(), out.state().unsent) == (["all_down"], ())
    out.store.put(replace(out.state(), unsent=(both,)))
    second = sending(out, FakeReceivers(()), "two")
    await out.clock.sleep(20.0)
    for _ in range(2):
        await second.tick(5.0)
    assert out.state().unsent == ()


async def test_only_who_leads_sends_what_is_stored() -> None:
    """A follower says what it has to say of itself."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers()
    out.leases.held["leader"] = "other", math.inf
    token = Unsent(Notice("no_token", "error", "no token", {"id": "own"}), later(0), ("hook",))
    receivers.own = [token]
    await sending(out, receivers).tick(10.0)
    assert receivers.sent == [("hook", "no_token", "own")]


async def test_what_was_taken_is_remembered_no_longer_than_it_waits() -> None:
    """A leader that runs for months keeps nothing of what it has sent."""
    out = outside(known(unsent=(WAITS,)))
    receivers = FakeReceivers()
    receivers.own = [replace(WAITS, notice=replace(WAITS.notice, fields={"id": "own"}))]
    mine = sending(out, receivers)
    await mine.tick(10.0)
    assert {each for _, _, each in receivers.sent} == {"w.0", "own"}
    assert mine._deliveries._done == set()


async def test_who_leads_no_longer_sends_no_more_of_it() -> None:
    """It stands in the state that another leader has: that one sends it."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers(takes=refuses)
    after(3.0, lambda: out.leases.steal("leader"))
    mine = sending(out, receivers)
    await mine.tick(20.0)
    tried = len(receivers.sent)
    await mine.tick(40.0)
    assert "leader_lost" in out.told.events
    assert 1 <= tried == len(receivers.sent)


async def test_a_group_keeps_a_few_and_says_what_it_drops() -> None:
    """The row stays small enough for every release that reads it."""
    waiting = tuple(
        replace(WAITS, notice=replace(WAITS.notice, fields={"group": "g", "id": f"w.{n}"}))
        for n in range(MOST_UNSENT)
    )
    out = outside(known(unsent=waiting))
    receivers = FakeReceivers((replace(HOOK, events=("paused",)),))
    ports = replace(out.ports, receivers=receivers)
    await Committer(ports).commit(watched_group(), PauseCommanded(paused=True, by="ann"))
    kept: GroupState = out.state()
    assert [each.id for each in kept.unsent[:-1]] == [f"w.{n}" for n in range(1, MOST_UNSENT)]
    assert kept.unsent[-1].notice.event == "paused"
    assert "notify_failed" in out.told.events


async def test_whatever_a_receiver_s_adapter_raises_the_watch_goes_on() -> None:
    """A fault of the program's own is a receiver that does not take it."""
    out, receivers = outside(known(unsent=(WAITS,))), FakeReceivers()

    def breaks(_: str) -> None:
        raise ZeroDivisionError

    receivers.takes = breaks
    await sending(out, receivers).tick(60.0)
    assert "leader_lost" not in out.told.events
    assert [each.id for each in out.state().unsent] == ["w.0"]
    assert any("ZeroDivisionError" in each.text for each in out.told.notices)
