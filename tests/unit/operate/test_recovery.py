"""States taken out of one account and into another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nvaha.azure.storage.rows import StateDocuments
from nvaha.core.recovery import RAISED_BY
from nvaha.core.refusal import RefusalCode
from nvaha.model import Configuration, GroupState, LeaderRecord, Phase
from nvaha.operate.control import Refused
from nvaha.operate.recovery import Recovery
from nvaha.ports import StateUnreadable, StoreUnavailable
from nvaha.watch.monitor import Monitor
from tests.builders import NOON, azure_of, group_of, probed_apart, steady, switching
from tests.fakes import FakeStore, Outside

GROUP = probed_apart(group_of())


def recovery(out: Outside) -> Recovery:
    """Return what exports and adopts."""
    return Recovery(Configuration((GROUP,)), out.ports, StateDocuments())


async def exported(*states: GroupState) -> dict[str, Any]:
    """Return the export of an account with these states, as it comes out of a file."""
    out = Outside(*states)
    out.store.leader = LeaderRecord("old", 5, NOON)
    found: dict[str, Any] = json.loads(json.dumps(await recovery(out).export()))
    return found


def new_account() -> Outside:
    """Return an account without any state, in which all is on `a`."""
    out = Outside()
    out.store.states.clear()
    out.network.put_there(*azure_of(GROUP, "a"))
    return out


async def adopt(out: Outside, export: dict[str, Any], name: str = "g") -> dict[str, Any]:
    """Adopt one group of an export."""
    return {**await recovery(out).adopt(name, export["epoch"], export["groups"][name])}


async def test_an_export_says_what_and_when() -> None:
    """All states, and the highest epoch that anything has."""
    export = await exported(steady(epoch=3))
    assert (export["schema"], export["epoch"], export["exported_at"]) == (1, 5, "2026-03-01T12:00:00Z")
    assert export["groups"]["g"]["active"] == "a"
    assert export["unreadable"] == {}


class IllegibleLeader(FakeStore):
    """A store whose leader's record nobody can read."""

    async def load_leader(self) -> LeaderRecord | None:
        """Say so."""
        raise StateUnreadable("not JSON")


async def test_what_cannot_be_read_is_named() -> None:
    """It is missing in the export, and that is said; the leader's own record is nothing that is missed."""
    out = Outside(steady())
    store = IllegibleLeader()
    store.put(steady(epoch=3))
    store.put(replace(steady(), group="h"))
    store.unreadable.add("h")
    ports = replace(out.ports, store=store)
    export = await Recovery(Configuration((GROUP,)), ports, StateDocuments()).export()
    assert (list(export["groups"]), list(export["unreadable"]), export["epoch"]) == (["g"], ["h"], 3)


async def test_a_new_account_goes_on_above_the_old_one() -> None:
    """Adopted under a leader that sits there already: it is elected anew, above, and looks."""
    out = new_account()
    monitor = Monitor(Configuration((GROUP,)), out.ports, "new")
    await monitor.tick(10.0)
    assert out.state().epoch == 1
    view = await adopt(out, await exported(switching("b", epoch=5, paused=True)))
    assert (view["generation"], view["epoch"], view["paused"]) == (1 + RAISED_BY, 5 + RAISED_BY, True)
    assert out.state().phase is Phase.UNKNOWN
    for _ in range(4):
        await monitor.tick(10.0)
    state = out.state()
    assert (state.phase, state.active, state.paused) == (Phase.STEADY, "a", True)
    assert state.epoch > 5 + RAISED_BY
    assert (out.network.tried, out.queue.sent) == ([], [])


async def test_to_adopt_twice_changes_nothing() -> None:
    """An answer that was lost is asked for again."""
    out, export = new_account(), await exported(steady(epoch=2))
    first = await adopt(out, export)
    saves = out.store.saves
    assert await adopt(out, export) == first
    assert out.store.saves == saves
    assert out.told.events == ["state_adopted"]


async def test_a_newer_state_is_refused_by_name() -> None:
    """And left as it is."""
    out = Outside(steady(generation=4))
    before = out.store.states["g"]
    with pytest.raises(Refused) as raised:
        await adopt(out, await exported(steady(epoch=2)))
    assert raised.value.refusal.code is RefusalCode.NEWER_STATE
    assert "g: " in str(raised.value)
    assert out.store.states["g"] == before


@pytest.mark.parametrize(
    "change", [{"schema": 2}, {"epoch": -1}, {"phase": "odd"}, {"group": "h"}, {"x": "y" * 500_000}]
)
async def test_what_is_no_export_of_the_group_is_refused(change: dict[str, Any]) -> None:
    """A newer release's, a number that cannot be, another group's, one that no row can hold."""
    out, export = new_account(), await exported(steady())
    export["groups"]["g"] |= change
    with pytest.raises(Refused) as raised:
        await adopt(out, export)
    assert raised.value.refusal.code is RefusalCode.NO_EXPORT
    assert out.store.states == {}


async def test_a_group_that_is_not_configured_is_not_adopted() -> None:
    """It would be nobody's."""
    out = new_account()
    with pytest.raises(Refused) as raised:
        await recovery(out).adopt("h", 1, {})
    assert raised.value.refusal.code is RefusalCode.UNKNOWN_GROUP


async def test_a_lost_race_is_run_again() -> None:
    """A leader stamps the group meanwhile; one that never ends is no answer."""
    out, export = new_account(), await exported(steady(epoch=2))
    out.store.before_save = lambda: out.store.put(steady(epoch=1))
    with pytest.raises(StoreUnavailable):
        await adopt(out, export)
    out.store.before_save = lambda: None
    assert (await adopt(out, export))["group"] == "g"
