"""Which messages a worker carries out, and which do nothing and say so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nvaha.model import Configuration, GroupState, Phase, Status
from nvaha.model.messages import SwitchMessage
from nvaha.ports import LEASE_S, NetworkError, NetworkFault
from nvaha.state.lease import HeldLease
from nvaha.switch.attempt import OtherConfiguration, SwitchIncomplete
from nvaha.switch.worker import TAKE_S, Switcher
from tests.builders import later, request_to, steady, switching, table_id
from tests.fakes import Outside, after
from tests.unit.switch.stage import GROUP, MESSAGE


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


async def test_a_worker_with_another_configuration_than_the_leader_moves_nothing(out: Outside) -> None:
    """What it would write is not what was decided on; the message comes again, perhaps to another."""
    out.store.put(switching(fingerprint="another"))
    with pytest.raises(OtherConfiguration):
        await worker(out).run(MESSAGE)
    assert (out.network.tried, out.state().phase) == ([], Phase.SWITCHING)


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
    after(15.0, lambda: out.store.put(switching(progress_at=later(15.0 if tries else 0.0), tries=tries)))
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


class TestGivenUp:
    """A message that was delivered as often as the queue allows, and never worked off."""

    async def test_its_switch_ends_as_failed(self, out: Outside) -> None:
        """The leader may decide afresh; history and operators hear why."""
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
        assert (out.state(), out.store.operations) == (switching(), {})
        assert out.told.events == ["message_refused"]
