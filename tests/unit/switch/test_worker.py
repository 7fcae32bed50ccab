"""Which messages a worker carries out, and which do nothing and say so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import pytest

from nvaha.core.lifecycle import NO_PROGRESS_S
from nvaha.model import Configuration, GroupState, Phase, Status
from nvaha.model.messages import SwitchMessage
from nvaha.ports import LEASE_S, NetworkError, NetworkFault, StateUnreadable
from nvaha.state.lease import HeldLease
from nvaha.switch.attempt import OtherConfiguration, SwitchIncomplete
from nvaha.switch.known import SAID_EVERY_S
from nvaha.switch.worker import TAKE_S, Switcher
from tests.builders import later, request_to, steady, switching, table_id
from tests.fakes import Outside, after
from tests.unit.switch.stage import GROUP, MESSAGE

NEXT = replace(request_to("b"), operation="g-2-0", generation=2)


def body(**fields: object) -> bytes:
    """Return the body of the message, with other fields."""
    return json.dumps({**MESSAGE.model_dump(), **fields}).encode()


def worker(out: Outside, name: str = "worker") -> Switcher:
    """Return a worker of the group."""
    return Switcher(Configuration((GROUP,)), out.ports, name)


async def test_the_switch_under_way_is_carried_out(out: Outside) -> None:
    """The group is at rest on the target, and the switch lease is free again."""
    await worker(out).run(MESSAGE)
    assert (out.state().phase, out.state().active) == (Phase.STEADY, "b")
    assert out.leases.held == {}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (steady(), MESSAGE),
        (replace(switching(), phase=Phase.STEADY), MESSAGE),
        (switching(), MESSAGE.model_copy(update={"generation": 0})),
        (switching(), MESSAGE.model_copy(update={"generation": 2})),
        (switching(), MESSAGE.model_copy(update={"operation": "g-1-999"})),
        (switching(), MESSAGE.model_copy(update={"group": "another"})),
        (None, MESSAGE),
    ],
    ids=["at_rest", "done", "older", "newer", "other_operation", "other_group", "no_state"],
)
async def test_a_message_on_any_other_switch_does_nothing_and_says_so(
    out: Outside, state: GroupState | None, message: SwitchMessage
) -> None:
    """Stale, repeated and forged messages end well, and leave everything as it was."""
    out.store.states.clear()
    if state is not None:
        out.store.put(state)
    before = dict(out.store.states)
    await worker(out).run(message)
    assert (out.store.states, out.network.tried, out.store.operations) == (before, [], {})
    assert out.told.events == ["message_refused"]
    assert out.told.notices[0].fields["generation"] == message.generation


async def test_a_switch_that_nobody_has_watched_is_left_alone(out: Outside) -> None:
    """A message waited for a week: nothing is read or written, no lease is taken, and why is said."""
    out.store.put(switching(probed_at=later(-8 * 24 * 3600.0), progress_at=None))
    await out.clock.sleep(7 * 24 * 3600.0)
    before = dict(out.store.states)
    text = await worker(out).run(MESSAGE)
    assert "commanded anew" in text
    assert (out.store.states, out.network.reads, out.leases.epochs) == (before, [], {})
    assert out.told.events == ["message_refused"]


async def test_a_worker_with_another_configuration_than_the_leader_moves_nothing(out: Outside) -> None:
    """What it would write is not what was decided on; the message comes again, perhaps to another."""
    out.store.put(switching(fingerprint="another"))
    with pytest.raises(OtherConfiguration):
        await worker(out).run(MESSAGE)
    assert (out.network.tried, out.state().phase) == ([], Phase.SWITCHING)
    # Nor does it keep the lease, for a moment, from one who has the leader's.
    assert out.leases.asked == 0


async def test_a_worker_with_the_leaders_configuration_goes_on(out: Outside) -> None:
    """The fingerprint in the state is that of the group as configured here."""
    out.store.put(switching(fingerprint=GROUP.fingerprint))
    await worker(out).run(MESSAGE)
    assert out.state().active == "b"


async def test_a_message_that_comes_twice_is_carried_out_once(out: Outside) -> None:
    """The second worker waits for the lease of the first, and finds nothing left to do."""

    await asyncio.gather(worker(out, "one").run(MESSAGE), worker(out, "other").run(MESSAGE))
    assert sorted(out.network.puts) == sorted(set(out.network.puts))
    assert out.told.events.count("switch_done") == 1
    assert out.store.operations["g-1-0"].worker == "one"


async def test_a_switch_that_somebody_is_at_is_left_to_them(out: Outside) -> None:
    """A lease that stays held is waited for only a little longer than a dead holder's would last."""
    out.leases.steal("switch-g")

    def moves() -> None:
        out.store.put(switching(progress_at=out.clock.now()))

    after(TAKE_S - 5.0, moves)
    await worker(out).run(MESSAGE)
    assert LEASE_S < TAKE_S <= out.clock.monotonic() < TAKE_S + 1.0
    assert (out.network.tried, out.told.events) == ([], ["message_refused"])
    assert out.state().blocked is None


@pytest.mark.parametrize("tries", [0, 1])
async def test_a_switch_whose_lease_a_stranger_holds_says_so_once(out: Outside, tries: int) -> None:
    """By name of the blob, since when, and what to do; whether or not a leader asks for it again."""
    out.leases.steal("switch-g")
    after(15.0, lambda: out.store.put(switching(tries=tries, queued_at=later(15.0) if tries else None)))
    for _ in range(3):
        await worker(out).run(MESSAGE)
    (said,) = [each for each in out.told.notices if each.event == "switch_held_up"]
    blocked = out.state().blocked or ""
    assert blocked in said.text
    assert all(each in blocked for each in ("switch-g", "container nvaha", "12:00:00 UTC", "break"))
    assert out.network.tried == []


async def test_a_lease_that_is_broken_lets_the_switch_go_on(out: Outside) -> None:
    """What was said of it is over as soon as a worker moves."""
    out.leases.steal("switch-g")
    await worker(out).run(MESSAGE)
    assert out.state().blocked is not None
    out.leases.held.clear()
    out.network.operation_s = 3.0
    after(2.0, lambda: seen.append(out.state().blocked))
    seen: list[str | None] = []
    await worker(out).run(MESSAGE)
    assert (seen, out.state().active) == ([None], "b")


async def test_a_switch_that_is_over_by_the_time_is_not_held_up(out: Outside) -> None:
    """Somebody else has ended it: that is what is said of its message."""
    out.leases.steal("switch-g")
    after(5.0, lambda: out.store.put(steady("b")))
    assert "not under way" in await worker(out).run(MESSAGE)
    assert "switch_held_up" not in out.told.events


async def test_the_lease_of_a_worker_that_died_is_waited_for(out: Outside) -> None:
    """It runs out by itself, and the switch goes on."""

    assert await HeldLease(out.ports, "switch-g", "dead").acquire()
    await worker(out).run(MESSAGE)
    assert LEASE_S <= out.clock.monotonic() < TAKE_S
    assert out.state().active == "b"


async def test_a_switch_that_is_superseded_ends_as_a_message_refused(out: Outside) -> None:
    """Its message must not come again: the newer switch has one of its own."""
    out.network.operation_s = 3.0
    newer = switching("a", request=replace(request_to("a"), operation="g-2-0", generation=2), generation=2)

    after(1.5, lambda: out.store.put(newer))
    await worker(out).run(MESSAGE)
    assert out.told.events[-1] == "message_refused"
    assert (out.state(), out.leases.held) == (newer, {})


async def test_an_attempt_that_fails_gives_its_lease_back(out: Outside) -> None:
    """Whoever tries next need not wait for it."""
    out.network.refuse[table_id("table")] = [NetworkError(NetworkFault.DENIED, "/t", "403")] * 9
    with pytest.raises(SwitchIncomplete):
        await worker(out).run(MESSAGE)
    assert out.leases.held == {}


async def test_one_that_has_shown_himself_just_now_is_not_waited_for(out: Outside) -> None:
    """Copies of a message that is worked off hold up nothing; should he die, the leader asks again."""
    out.store.put(switching())
    out.leases.steal("switch-g")
    await worker(out).run(MESSAGE)
    assert out.clock.monotonic() < 0.1
    assert (out.network.tried, out.told.events) == ([], ["message_refused"])


async def test_an_attempt_that_has_failed_is_made_again_though_it_was_just_now(out: Outside) -> None:
    """Its lease is free: the message that comes again is no copy."""
    out.store.put(switching())
    await worker(out).run(MESSAGE)
    assert out.state().active == "b"


async def test_copies_in_one_process_wait_for_nothing_and_ask_for_nothing(out: Outside) -> None:
    """It knows what it is at; only one message at a time waits for a lease that somebody else holds."""
    one = worker(out)
    assert await HeldLease(out.ports, "switch-g", "dead").acquire()
    first = asyncio.create_task(one.run(MESSAGE))
    await asyncio.sleep(1.0)
    loads = out.store.loads
    for _ in range(100):
        await one.run(MESSAGE)
    assert (out.clock.monotonic(), out.store.loads) == (1.0, loads)
    await first
    assert out.state().active == "b"
    await one.run(MESSAGE)
    assert out.store.loads > loads


class TestMany:
    """Thousands of messages that nobody of us has written: they share reads, and log lines."""

    FORGED: ClassVar[dict[str, Callable[[int], bytes]]] = {
        "another group": lambda n: body(group=f"g{n}", operation=f"g{n}-1-0"),
        "another form": lambda n: body(operation=f"x{n}"),
        "another operation": lambda n: body(operation=f"g-1-{n + 1}"),
        "an older one": lambda n: body(generation=0, operation=f"g-0-{n}"),
        "garbage": lambda n: b"\xff" * n,
        "too long": lambda n: b"{" * 20_000,
        "another version": lambda n: body(v=n + 2),
    }

    @pytest.mark.parametrize("kind", sorted(FORGED))
    async def test_they_cost_a_few_reads_and_lines(self, out: Outside, kind: str) -> None:
        """All are told of: the first at once, the others by their number; nothing moves or is raised."""
        one, before = worker(out), out.state()
        out.store.loading_s = 0.01
        for number in range(100):
            await asyncio.gather(*(one.take(self.FORGED[kind](number * 10 + each)) for each in range(10)))
            await asyncio.sleep(0.001)
        assert out.store.loads <= 2
        assert out.told.events == ["message_refused"]
        await asyncio.sleep(SAID_EVERY_S)
        one.say_counted()
        assert out.told.events == ["message_refused"] * 2
        assert out.told.notices[1].fields["messages"] == 999
        await asyncio.sleep(SAID_EVERY_S)
        one.say_counted()
        assert len(out.told.notices) == 2
        assert (out.state(), out.network.tried) == (before, [])

    async def test_those_on_generations_to_come_share_reads(self, out: Outside) -> None:
        """Such a one may be real, so storage is asked, but not by each: hundreds at once are two reads."""
        out.store.loading_s = 0.01
        one = worker(out)
        many = [body(generation=2 + n, operation=f"g-{2 + n}-0") for n in range(500)]
        await asyncio.gather(*map(one.take, many))
        assert out.store.loads <= 2

    async def test_a_real_one_among_them_is_carried_out(self, out: Outside) -> None:
        """What was known a moment ago says nothing of a switch that was begun since."""
        one = worker(out)
        out.store.put(steady())
        await one.take(body())
        out.store.put(switching(progress_at=None, request=NEXT, generation=2))
        await one.take(body(generation=2, operation=NEXT.operation))
        assert out.state().active == "b"

    async def test_what_is_known_to_be_over_is_not_known_for_ever(self, out: Outside) -> None:
        """Where somebody deletes a group's row its generations begin anew."""
        one = worker(out)
        out.store.put(replace(steady(), generation=9))
        await one.take(body())
        out.store.put(switching(progress_at=None))
        await asyncio.sleep(10.0)
        await one.take(body())
        assert out.state().active == "b"

    async def test_a_silence_of_storage_is_shared_and_raised(self, out: Outside) -> None:
        """The messages come again; nothing is remembered of what was not answered."""
        one, messages = worker(out), [body(operation=f"g-1-{number}") for number in range(9)]
        out.store.loading_s = 4.0
        after(1.0, lambda: out.store.unreadable.add("g"))
        results = await asyncio.gather(*map(one.take, messages), return_exceptions=True)
        assert {type(each) for each in results} == {StateUnreadable}
        assert (out.clock.monotonic(), out.store.loads) == (4.0, 2)
        out.store.unreadable.clear()
        out.store.loading_s = 0.0
        await one.take(body())
        assert out.state().active == "b"

    async def test_what_is_said_of_one_kind_keeps_no_other_from_being_said(self, out: Outside) -> None:
        """Each kind has its own first line, with what it is about."""
        one = worker(out)
        for each in (body(v=2), body(group="x", operation="x-1-0"), body(generation=0, operation="g-0-0")):
            await one.take(each)
            await one.take(each)
        assert [each.level for each in out.told.notices] == ["error", "info", "info"]
        assert "version 2" in out.told.notices[0].text

    async def test_one_alone_is_said_once(self, out: Outside) -> None:
        """And the next one of its kind, after a minute, is the first again."""
        one = worker(out)
        await one.take(body(v=2))
        await asyncio.sleep(SAID_EVERY_S)
        await one.take(body(v=3))
        assert [each.fields.get("messages") for each in out.told.notices] == [None, None]


class TestGivenUp:
    """A message that was delivered as often as the queue allows, and never worked off."""

    @pytest.mark.parametrize("progress_at", [later(0), later(NO_PROGRESS_S - 0.1)])
    async def test_a_switch_that_is_carried_out_goes_on(self, out: Outside, progress_at: datetime) -> None:
        """It was a copy, or the leader has asked again meanwhile; that it was set aside is told."""
        before = switching(progress_at=progress_at)
        out.store.put(before)
        await asyncio.sleep(NO_PROGRESS_S - 0.1)
        await worker(out).give_up(MESSAGE)
        assert (out.state(), out.store.operations) == (before, {})
        assert out.told.events == ["message_poisoned"]

    async def test_a_switch_of_another_configuration_goes_on(self, out: Outside) -> None:
        """Who cannot carry it out does not end it, and says what to do."""
        await out.clock.sleep(NO_PROGRESS_S)
        out.store.put(switching(fingerprint="another"))
        before = out.state()
        await worker(out).give_up(MESSAGE)
        assert out.state() == before
        assert out.told.events == ["message_poisoned"]
        assert "another configuration" in out.told.notices[0].text

    async def test_what_cannot_be_read_is_told(self, out: Outside) -> None:
        """Of how many bytes it was, and why nobody can read it."""
        await worker(out).take_poison(b"\xff\xff")
        assert out.told.events == ["message_poisoned"]
        assert "2 bytes" in out.told.notices[0].text
        await worker(out).take_poison(body())
        assert out.state() == switching(progress_at=None)

    async def test_one_that_ends_in_this_very_moment_stays_ended(self, out: Outside) -> None:
        """Between the look and the write somebody else has ended it: the message was on nothing any more."""
        await asyncio.sleep(NO_PROGRESS_S)
        out.store.before_load = lambda: after(0.0, lambda: out.store.put(steady("b", generation=1)))
        out.store.loading_s = 0.01
        await worker(out).give_up(MESSAGE)
        assert out.state().active == "b"
        assert out.told.events == ["message_refused"]

    async def test_its_switch_ends_as_failed(self, out: Outside) -> None:
        """The leader may decide afresh; history and operators hear why."""
        await asyncio.sleep(NO_PROGRESS_S)
        await worker(out).give_up(MESSAGE)
        assert out.state().phase is Phase.UNKNOWN
        operation = out.store.operations["g-1-0"]
        assert operation.status is Status.FAILED
        assert "poison" in (operation.error or "")
        assert out.told.events == ["switch_failed", "message_poisoned"]

    @pytest.mark.parametrize(
        "message",
        [MESSAGE.model_copy(update={"generation": 2}), MESSAGE.model_copy(update={"group": "another"})],
        ids=["other_generation", "other_group"],
    )
    async def test_one_on_another_switch_ends_nothing(self, out: Outside, message: SwitchMessage) -> None:
        """A forged or stale message on the poison queue cannot end the switch under way."""
        await worker(out).give_up(message)
        assert (out.state(), out.store.operations) == (switching(progress_at=None), {})
        assert out.told.events == ["message_refused"]
