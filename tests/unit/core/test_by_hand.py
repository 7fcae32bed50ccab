"""What a person sets by hand, from a sheet that was made when everything was elsewhere."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.core.by_hand import Move, by_hand
from nvaha.core.plan import Step, plan
from nvaha.model import Group, PublicIp, Snapshot
from tests.builders import nic_id, pip, pip_id, table_id
from tests.unit.core.scenes import FOREIGN, address, apply, scene_of, scenes, unowned, write


def do(snapshot: Snapshot, move: Move) -> Snapshot:
    """Do one of the moves as Azure would."""
    if move.kind == "route":
        return write(snapshot, Step("", "routes", move.resource_id, "", next_hops={move.name: move.value}))
    value = None if move.kind == "detach" else move.value
    return write(snapshot, Step("", "nic", move.resource_id, "", public_ips={move.name: value}))


@settings(deadline=None)
@given(scenes(), st.integers())
def test_a_sheet_brings_all_there_from_wherever_it_is_by_then(
    scene: tuple[Group, Snapshot, str], seed: int
) -> None:
    """Another NVA may be active when it is used; what a plan could not bring there it does not either."""
    group, snapshot, target = scene
    rng = random.Random(seed)
    sheet = by_hand(group, snapshot, target, {})
    now = apply(snapshot, plan(group, snapshot, rng.choice(group.names), {}), rng)
    for move in sheet.moves:
        now = do(now, move)
    assert plan(group, now, target, {}).steps == ()
    assert unowned(now) == unowned(snapshot)
    again = now
    for move in sheet.moves:
        again = do(again, move)
    assert plan(group, again, target, {}).steps == ()


def test_routes_public_ips_off_public_ips_on() -> None:
    """What is there already is on the sheet as well; what is somebody else's is not."""
    group, snapshot = scene_of(
        {"r0": address("a", "internal"), "r1": address("b", "internal"), "r2": FOREIGN},
        {"a": pip_id("p")},
        pip("p", f"{nic_id('a', 'internal')}/ipConfigurations/first-a"),
        public_ips=(PublicIp("internal", pip_id("p")),),
    )
    there = address("b", "internal")
    sheet = by_hand(group, snapshot, "b", {})
    assert sheet.moves == (
        Move("route", table_id("table"), "r0", there),
        Move("route", table_id("table"), "r1", there),
        Move("detach", nic_id("a", "internal"), "first-a", pip_id("p")),
        Move("attach", nic_id("b", "internal"), "first-b", pip_id("p")),
    )
    assert sheet.problems == ()


def test_what_cannot_be_brought_there_is_said() -> None:
    """A public IP whose place carries somebody else's is not on the sheet."""
    group, snapshot = scene_of(
        {}, {"b": pip_id("theirs")}, pip("p"), public_ips=(PublicIp("internal", pip_id("p")),)
    )
    sheet = by_hand(group, snapshot, "b", {})
    assert [each.kind for each in sheet.moves] == []
    assert "theirs" in sheet.problems[0]


def test_what_somebody_else_has_put_elsewhere_is_not_taken_off() -> None:
    """The other NVA's place carries what is not the group's: only a person may take that off."""
    group, snapshot = scene_of(
        {}, {"a": pip_id("theirs")}, pip("p"), public_ips=(PublicIp("internal", pip_id("p")),)
    )
    assert [each.kind for each in by_hand(group, snapshot, "b", {}).moves] == ["attach"]
