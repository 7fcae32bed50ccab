"""A row that nobody can read, met by a worker: its own record is written anew, a group's state ends it."""

from __future__ import annotations

import asyncio

import pytest

from nvaha.model import Operation, Phase, Status, Trigger
from nvaha.ports import NetworkError, NetworkFault, StateUnreadable
from nvaha.switch.attempt import SwitchIncomplete
from tests.builders import address, nic, pip, request_to, switching
from tests.fakes import Outside, after
from tests.unit.switch.stage import NEW_NIC, OLD_NIC, PIP, attempt, moved, record

REFUSED = NetworkError(NetworkFault.REFUSED, NEW_NIC, "400: a policy forbids it")


@pytest.fixture
def illegible(out: Outside) -> Outside:
    """Return an outside in which the record of the switch under way cannot be read."""
    out.store.operations["g-1-0"] = Operation(request_to("b"))
    out.store.illegible.add("g-1-0")
    return out


async def test_a_failover_goes_on_although_its_record_cannot_be_read(illegible: Outside) -> None:
    """What cannot be read is named, and there is a whole record of this attempt afterwards."""
    await attempt(illegible)
    assert moved(illegible) == (True, True)
    assert illegible.state().phase is Phase.STEADY
    assert record(illegible).status is Status.DONE
    assert record(illegible).steps
    assert "g-1-0" not in illegible.store.illegible
    (said,) = [each for each in illegible.told.notices if each.event == "state_unreadable"]
    assert said.fields["operation"] == "g-1-0"


async def test_what_an_illegible_record_may_have_begun_is_not_called_not_begun(illegible: Outside) -> None:
    """A planned move is whole or not begun: nobody knows that this one is not, so what can be moved is."""
    illegible.store.put(switching(trigger=Trigger.MANUAL))
    illegible.network.refuse[NEW_NIC] = [REFUSED] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(illegible)
    assert moved(illegible) == (True, False)


async def test_a_public_ip_that_an_illegible_record_may_have_taken_off_goes_back(illegible: Outside) -> None:
    """It hangs on nothing, and the target refuses it: the NVA that the switch comes from has it again."""
    illegible.network.put_there(nic("a", "external", {"ip": address("a", "external")}, {}), pip("p"))
    illegible.network.refuse[NEW_NIC] = [REFUSED] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(illegible)
    assert illegible.network.body(PIP)["properties"]["ipConfiguration"]["id"].startswith(OLD_NIC)


async def test_a_record_of_a_newer_release_is_left_to_its_workers(
    illegible: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is right, and knows more than this release could write: the attempt ends, nothing moves."""

    async def newer(*_: object) -> Operation:
        raise StateUnreadable("the schema is newer", newer=True)

    monkeypatch.setattr(type(illegible.store), "operation", newer)
    with pytest.raises(StateUnreadable):
        async with asyncio.timeout(60.0):
            await attempt(illegible)
    assert illegible.network.tried == []


async def test_a_groups_row_that_goes_bad_ends_the_attempt_at_once(out: Outside) -> None:
    """Whether the switch is still under way cannot be told: nothing more is written, nobody waits."""
    out.network.operation_s = 9.0
    after(1.0, lambda: out.store.unreadable.add("g"))
    with pytest.raises(StateUnreadable):
        async with asyncio.timeout(60.0):
            await attempt(out)
    assert out.clock.monotonic() < 9.0
    before = list(out.network.tried)
    await out.clock.sleep(30.0)
    assert out.network.tried == before
