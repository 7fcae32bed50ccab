"""The worker's part: what it writes is marked, and tags keep it from beginning."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.core.inputs import Tagged
from nvaha.core.marks import HOLD, mark_of
from nvaha.model import Operation, Phase, StepRecord, StepStatus, Trigger
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from tests.builders import ACCOUNT, azure_of, request_to, switching
from tests.fakes import Outside
from tests.unit.switch.stage import GROUP, NEW_NIC, OLD_NIC, TABLE, attempt, moved

MINE, THEIRS = mark_of(GROUP, ACCOUNT), mark_of(GROUP, "stother")
RIVAL, HELD = (THEIRS.name, THEIRS.value), (HOLD, "fw upgrade")
POLICY = NetworkError(NetworkFault.POLICY, TABLE, "403: RequestDisallowedByPolicy")


def tags(out: Outside, resource_id: str) -> dict[str, str]:
    """Return a resource's tags."""
    found: dict[str, str] = out.network.body(resource_id).get("tags", {})
    return found


def tag(out: Outside, resource_id: str, name: str, value: str) -> None:
    """Let somebody tag a resource."""
    out.network.edit(resource_id, lambda body: body.setdefault("tags", {}).update({name: value}))


def ask(out: Outside, trigger: Trigger = Trigger.FAILOVER, **more: Any) -> None:
    """Ask for a switch to `b`."""
    out.store.put(switching("b", progress_at=None, request=request_to("b", trigger, **more)))


async def test_what_a_switch_writes_is_marked_and_nothing_else_is_written(out: Outside) -> None:
    """Table and both NICs of the public IP, whose other tags stay; no write for the mark alone."""
    await attempt(out)
    assert moved(out) == (True, True)
    for each in (TABLE, OLD_NIC, NEW_NIC):
        assert tags(out, each) == {"owner": "somebody", MINE.name: "stnvaha/g"}
    assert sorted(set(out.network.puts)) == sorted({TABLE, OLD_NIC, NEW_NIC})
    assert len(out.network.puts) == 3


async def test_nothing_is_written_to_mark_what_is_right(out: Outside) -> None:
    """Azure has everything there: the switch ends without a write."""
    out.network.put_there(*azure_of(GROUP, "b"))
    await attempt(out)
    assert out.network.puts == []


@pytest.mark.parametrize(
    ("found", "trigger", "forced", "begins"),
    [
        (RIVAL, Trigger.FAILOVER, False, False),
        (RIVAL, Trigger.REPAIR, False, False),
        (RIVAL, Trigger.MANUAL, False, False),
        (RIVAL, Trigger.MANUAL, True, True),
        (HELD, Trigger.FAILOVER, False, False),
        (HELD, Trigger.FAILBACK, False, False),
        (HELD, Trigger.MANUAL, False, True),
        (HELD, Trigger.MANUAL, True, True),
    ],
)
async def test_a_tag_that_forbids_a_switch_keeps_it_from_beginning(
    out: Outside, found: tuple[str, str], trigger: Trigger, forced: bool, begins: bool
) -> None:
    """Nothing is written, not even asked, and the state hears why; people go on, over a rival by force."""
    ask(out, trigger, forced=forced)
    tag(out, NEW_NIC, *found)
    if begins:
        await attempt(out)
        assert moved(out) == (True, True)
        return
    with pytest.raises(SwitchIncomplete, match="not begun"):
        await attempt(out)
    assert out.network.tried == []
    state = out.state()
    assert (state.phase, state.active) == (Phase.STEADY, "a")
    said = Tagged(state.rival, state.hold)
    assert (said.rival is not None, said.hold is not None) == (found is RIVAL, found is HELD)


@pytest.mark.parametrize(("name", "value"), [RIVAL, HELD])
async def test_a_switch_that_has_begun_is_ended(out: Outside, name: str, value: str) -> None:
    """What is half moved is worse than what is moved: a tag that comes later stops what comes later."""
    done = StepRecord("routes:other", "routes", "other", "", StepStatus.DONE)
    out.store.operations["g-1-0"] = Operation(request_to("b"), steps=(done,))
    tag(out, OLD_NIC, name, value)
    await attempt(out)
    assert moved(out) == (True, True)
    assert tags(out, OLD_NIC)[name] == value


async def test_anothers_mark_that_comes_meanwhile_stays(out: Outside) -> None:
    """It is not written over: the next look finds it, and the other one finds ours."""
    out.network.before_put = lambda resource: (
        None if THEIRS.name in tags(out, TABLE) or resource.id != TABLE else tag(out, TABLE, *RIVAL)
    )
    await attempt(out)
    assert moved(out) == (True, True)
    assert tags(out, TABLE)[THEIRS.name] == THEIRS.value


async def test_force_takes_every_mark_over(out: Outside) -> None:
    """Also where everything is right already, so that the other one finds all of it marked."""
    ask(out, Trigger.MANUAL, forced=True)
    out.network.put_there(*azure_of(GROUP, "b"))
    for each in (TABLE, OLD_NIC, NEW_NIC):
        tag(out, each, *RIVAL)
    await attempt(out)
    assert [tags(out, each)[MINE.name] for each in (TABLE, OLD_NIC, NEW_NIC)] == [MINE.value] * 3
    assert out.state().phase is Phase.STEADY


async def test_a_mark_that_a_policy_denies_costs_nothing_but_the_mark(out: Outside) -> None:
    """The write is sent again without it, and the failover is done."""
    out.network.refuse[TABLE] = [POLICY]
    await attempt(out)
    assert moved(out) == (True, True)
    assert MINE.name not in tags(out, TABLE)


async def test_a_mark_of_old_that_a_policy_denies_now_is_taken_off(out: Outside) -> None:
    """A policy judges the whole body: what was written before it came would be refused for ever."""
    tag(out, TABLE, MINE.name, MINE.value)
    out.network.before_put = _denying(out)
    await attempt(out)
    assert moved(out) == (True, True)
    assert tags(out, TABLE) == {"owner": "somebody"}


async def test_a_policy_that_denies_more_than_the_mark_is_a_refusal(out: Outside) -> None:
    """Once with the mark, once without; then the rest moves, and this is left undone."""
    out.network.refuse[TABLE] = [POLICY] * 9
    with pytest.raises(SwitchIncomplete, match="RequestDisallowedByPolicy"):
        await attempt(out)
    assert moved(out) == (False, True)
    assert out.network.tried.count(TABLE) == 2


async def test_a_public_ip_is_asked_for_without_a_mark_that_is_denied(out: Outside) -> None:
    """Else every planned move would end for want of the mark."""
    ask(out, Trigger.MANUAL)
    out.network.before_put = _denying(out)
    await attempt(out)
    assert moved(out) == (True, True)
    assert all(MINE.name not in tags(out, each) for each in (TABLE, OLD_NIC, NEW_NIC))


def _denying(out: Outside) -> Any:
    """Return an organisation's policy: no tag of ours on anything."""

    def deny(resource: Any) -> None:
        if MINE.name in resource.body.get("tags", {}):
            raise NetworkError(NetworkFault.POLICY, resource.id, "403: RequestDisallowedByPolicy")

    return deny
