"""A planned move that cannot be whole: when it is not begun, and when it is no matter of choice any more."""

from __future__ import annotations

import pytest

from nvaha.model import Operation, StepRecord, StepStatus, Trigger
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from tests.builders import nic_id, request_to, switching, table_id
from tests.fakes import Outside, after
from tests.unit.switch.stage import NEW_NIC, TABLE, attempt, moved

REFUSED = NetworkError(NetworkFault.REFUSED, NEW_NIC, "400: a policy forbids it")


async def test_a_planned_move_with_a_problem_asks_azure_nothing(out: Outside) -> None:
    """A table may not be read: no write is sent, not even the question whether the public IP may go."""
    out.store.put(switching(trigger=Trigger.MANUAL))
    out.network.unread[TABLE] = NetworkError(NetworkFault.DENIED, TABLE, "403: no right")
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert out.network.tried == []


@pytest.mark.parametrize(
    ("trigger", "forced", "goes"),
    [
        (Trigger.MANUAL, False, False),
        (Trigger.FAILBACK, False, False),
        (Trigger.MANUAL, True, True),
        (Trigger.FAILOVER, False, True),
    ],
)
async def test_nobody_who_has_a_choice_is_moved_to_where_azure_drops_what_arrives(
    out: Outside, trigger: Trigger, forced: bool, goes: bool
) -> None:
    """IP forwarding was switched off after the leader last looked: the worker sees that for itself."""
    nic = nic_id("b", "internal")
    out.network.edit(nic, lambda body: body["properties"].update(enableIPForwarding=False))
    out.store.put(switching(trigger=trigger, request=request_to("b", trigger, forced=forced)))
    if goes:
        await attempt(out)
    else:
        with pytest.raises(SwitchIncomplete, match=r"not begun: NIC .*: IP forwarding is off"):
            await attempt(out)
        assert out.network.tried == []
    assert moved(out) == (goes, goes)


async def test_a_planned_move_that_an_earlier_attempt_began_goes_on(out: Outside) -> None:
    """What a worker that died has moved is not left half-way because of what cannot move."""
    request = request_to("b", Trigger.MANUAL)
    out.store.put(switching(trigger=Trigger.MANUAL))
    done = StepRecord("routes:other", "routes", table_id("other"), "", StepStatus.DONE)
    out.store.operations["g-1-0"] = Operation(request, steps=(done,))
    out.network.refuse[NEW_NIC] = [REFUSED] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (True, False)


@pytest.mark.parametrize("finishes", [True, False])
async def test_what_finishes_a_half_done_switch_moves_what_can_be_moved(out: Outside, finishes: bool) -> None:
    """A move of choice is whole or not begun; the rest of one that was begun is moved as far as it goes."""
    request = request_to("b", Trigger.MANUAL, finishes=finishes)
    out.store.put(switching(trigger=Trigger.MANUAL, request=request))
    out.network.refuse[NEW_NIC] = [REFUSED] * 9
    with pytest.raises(SwitchIncomplete):
        await attempt(out)
    assert moved(out) == (finishes, False)


async def test_a_report_of_progress_that_is_not_answered_ends_nothing(out: Outside) -> None:
    """The lease stands: the report is made again, and the switch is carried out."""
    out.network.operation_s = 9.0
    after(4.5, lambda: setattr(out.store, "answers", False))
    after(6.0, lambda: setattr(out.store, "answers", True))
    await attempt(out)
    assert moved(out) == (True, True)
