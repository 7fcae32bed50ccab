"""One group's row holds what no release has written: that group is told by name, and every other goes on."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.azure.storage.rows import group_entity
from nvaha.model import (
    LARGEST,
    Closing,
    Configuration,
    Drift,
    GroupState,
    Guards,
    Notice,
    Scheduled,
    Status,
    Switch,
)
from nvaha.watch.monitor import Monitor
from nvaha.watch.watched import EPOCHS_APART
from tests.builders import NOON, later, request_to
from tests.fakes import Outside, run
from tests.unit.watch.stage import A, known, outside, watched_group

TICK_S = 10.0
AT = timedelta(seconds=-90)
RICH = known(
    switch=Switch(replace(request_to("a"), requested_at=NOON + AT), ended=Status.DONE),
    generation=1,
    guards=Guards(NOON + AT, NOON + AT, (NOON + AT,), 1, NOON + AT, (NOON + AT,), NOON + AT, 1, NOON + AT),
    drift=Drift(("a sentence",), ("a problem",), 1, owners=("b",)),
    unread="a silence",
    blocked="a reason",
    closings=(Closing("g-1-0", Status.DONE, None, request_to("a")),),
    request_ids=(("r", "g-1-0"),),
    untold=(Notice("paused", "info", "a sentence", {"group": "g"}),),
    write_ids=("w",),
    stays=("an address",),
    paused_until=NOON + timedelta(hours=1),
    scheduled=Scheduled("b", NOON + timedelta(hours=1), "somebody", NOON, "a reason", "a", "s"),
)
"""A row in which every field has something in it, and which is right."""
CONTENT: dict[str, Any] = json.loads(group_entity(RICH)["state"])
Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Return where anything stands in a row's JSON."""
    yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*path, key))


def spoilt(path: Path, value: Any) -> str:
    """Return the rich row's JSON with one value replaced."""
    content = copy.deepcopy(CONTENT)
    part: Any = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return json.dumps(content)


WILD = st.one_of(
    st.sampled_from([-1, 0, 1, LARGEST - 1, LARGEST, LARGEST + 1, 2**63 - 1, 2**63, -(2**63), 10**40]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308, -1.0, 1e400]),
    st.sampled_from(
        [
            "9999-12-31T23:59:59.999999Z",
            "0001-01-01T00:00:00+14:00",
            "2999-01-01T00:00:00Z",
            "1970-01-01T00:00:00",
        ]
    ),
    st.integers(-400, 4000).map(lambda seconds: later(seconds).isoformat()),
    st.sampled_from(["", "nobody", "x" * 400_000, "\x00\n", "other-1-5", "g-1-5", "g--1", "steady", "g"]),
    st.sampled_from([None, True, [], {}, [None] * 20_000, ["w"] * 101, ["w"] * 20_000, {"a": {}}]),
    st.recursive(st.just(1), lambda inner: st.lists(inner, min_size=1, max_size=1), max_leaves=40),
)
PLACES = [each for each in places(CONTENT) if each]


def two(out: Outside) -> Monitor:
    """Return a monitor of two groups."""
    return Monitor(Configuration((watched_group("g"), watched_group("h"))), out.ports, "one")


def both() -> Outside:
    """Return an outside with both groups at rest."""
    out = outside(RICH, known("h"))
    out.store.operations.clear()
    return out


async def ticks(monitor: Monitor, count: int) -> None:
    """Run some ticks, one after the other, as the timer does."""
    for _ in range(count):
        await monitor.tick(TICK_S)
        await asyncio.sleep(0.1)


def told(out: Outside, event: str, group: str = "g") -> list[str]:
    """Return what was said of a group by an event."""
    return [
        each.text for each in out.told.notices if (each.event, each.fields.get("group")) == (event, group)
    ]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(PLACES), WILD, st.booleans())
def test_a_wild_value_anywhere_in_a_row_stops_no_other_group(path: Path, value: Any, sitting: bool) -> None:
    """At an election and under a sitting leader: the other group leaves its dead NVA, and lead goes on.

    The row itself is read, or it is left as it is, told once, and taken up again once it is mended.
    """

    async def story() -> None:
        out, text = both(), spoilt(path, value)
        monitor = two(out)
        if not sitting:
            out.store.spoil("g", text)
        await ticks(monitor, 1)
        if sitting:
            out.store.spoil("g", text)
        await ticks(monitor, 3)
        out.prober.silent.add(A)
        await ticks(monitor, 1)
        assert out.state("h").target == "b"
        assert leading(out) == ["leader_elected"]
        assert out.leases.epochs["leader"] < EPOCHS_APART
        if "g" not in out.store.rows:
            return
        assert out.store.rows["g"]["state"] == text
        assert len(told(out, "state_unreadable")) == 1
        assert told(out, "round_failed") == []
        out.store.put(replace(RICH, epoch=1, closings=(), untold=()))
        await ticks(monitor, 2)
        assert len(told(out, "state_readable")) == 1
        assert out.state("g").target == "b"

    run(story())


def leading(out: Outside) -> list[str]:
    """Return what was told of leadership, in order."""
    return [each for each in out.told.events if each.startswith("leader")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("last_switch_at", "9999-12-31T23:59:59Z"),
        ("last_switch_at", later(3600).isoformat()),
        ("retry_at", later(3600).isoformat()),
        ("repair_at", later(100_000).isoformat()),
        ("switches", [later(3600).isoformat()]),
        ("heartbeat_at", "0001-01-01T00:00:00Z"),
        ("epoch", 2**63 - 1),
        ("epoch", -1),
        ("generation", 2**63 - 1),
        ("drift_seen", 10**12),
        ("active", ""),
        ("wanted", "a\nb"),
        ("blocked", "x" * 10_000),
        ("write_ids", ["w"] * 1000),
        ("closings", [{"operation": "h-1-0", "status": "done"}]),
        ("closings", [{"operation": "nonsense", "status": "done"}]),
        ("group", "h"),
    ],
)
async def test_what_is_out_of_bounds_is_named_with_its_remedy(field: str, value: object) -> None:
    """Row, field, the value's beginning and what to do; never to delete a row, which may hold a pause."""
    out = both()
    out.store.spoil("g", spoilt((field,), value))
    await ticks(two(out), 1)
    (text,) = told(out, "state_unreadable")
    first = value[0] if isinstance(value, list) else value
    shown = str(first["operation"] if isinstance(first, dict) else first)[:15].partition("\n")[0]
    assert all(each in text for each in ("row group/g", f"{field}", "correct that value"))
    assert shown.replace("T", " ")[:8] in text.replace("T", " ")
    assert "delete" not in text
    assert len(text) < 600


@pytest.mark.parametrize("ahead_s", [0.0, 2.0, 200.0])
@pytest.mark.parametrize("field", ["last_switch_at", "heartbeat_at", "ended_at"])
async def test_a_time_that_is_a_little_ahead_is_read(field: str, ahead_s: float) -> None:
    """Clocks differ by seconds: nobody must lose a group's monitor for that, nor wait long for it."""
    out = both()
    out.store.spoil("g", spoilt((field,), later(ahead_s).isoformat()))
    monitor = two(out)
    out.prober.silent.add(A)
    await ticks(monitor, 40)
    assert told(out, "state_unreadable") == []
    assert ("g", "b") in {(each.group, each.target) for each in out.queue.sent}


async def test_an_epoch_that_no_leader_can_have_had_raises_no_lease_and_deposes_nobody() -> None:
    """One forged row must not bring every group's epoch there; what is said names it and the lease's own."""
    out = both()
    out.store.put(replace(RICH, epoch=2 + EPOCHS_APART + 1))
    await ticks(two(out), 3)
    (text,) = told(out, "state_unreadable")
    assert str(2 + EPOCHS_APART + 1) in text
    assert (out.leases.epochs["leader"], out.state("h").epoch) == (2, 2)


async def test_an_epoch_far_above_a_lease_that_was_made_anew_is_outbid() -> None:
    """Somebody has deleted the lease's blob: the groups are where so many elections have brought them."""
    out = both()
    out.store.put(replace(RICH, epoch=2 + EPOCHS_APART))
    await ticks(two(out), 3)
    assert told(out, "state_unreadable") == []
    assert out.state("h").epoch == out.state("g").epoch == 3 + EPOCHS_APART


async def test_a_row_that_goes_bad_again_is_told_again() -> None:
    """Once for each time, not at each tick, and what is wrong with it now."""
    out = both()
    monitor = two(out)
    await ticks(monitor, 1)
    for text in ("{", "[]", "[]"):
        out.store.spoil("g", text)
        await ticks(monitor, 3)
    out.store.put(RICH)
    await ticks(monitor, 2)
    out.store.spoil("g", "[]")
    await ticks(monitor, 2)
    assert len(told(out, "state_unreadable")) == 3
    assert len(told(out, "state_readable")) == 1


async def test_a_row_is_called_mended_only_once_it_was_read() -> None:
    """Rounds that have nothing to write do not look at it, and say nothing of it."""
    out = both()
    monitor = two(out)
    await ticks(monitor, 1)
    await monitor.tick(1.5)
    out.store.spoil("g", "[]")
    for _ in range(2):
        await monitor.tick(3.0)
    assert (len(told(out, "state_unreadable")), told(out, "state_readable")) == (1, [])


@pytest.mark.parametrize("where", ["election", "refresh"])
async def test_what_nobody_expected_where_a_group_is_taken_over_ends_that_group_only(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, the other group is watched, and this one is once it is over."""
    out = both()
    monitor = two(out)
    if where == "refresh":
        await ticks(monitor, 1)
    answered = out.store.operation

    async def broken(operation_id: str) -> None:
        raise ZeroDivisionError(operation_id)

    monkeypatch.setattr(type(out.store), "operation", lambda _, operation_id: broken(operation_id))
    out.store.put(replace(out.state("g"), closings=RICH.closings, paused=True))
    await ticks(monitor, 3)
    said = told(out, "round_failed")
    assert said
    assert len(said) == len(set(said))
    assert leading(out) == ["leader_elected"]
    out.prober.silent.add(A)
    await ticks(monitor, 1)
    assert out.state("h").target == "b"
    monkeypatch.setattr(type(out.store), "operation", lambda _, operation_id: answered(operation_id))
    out.store.put(replace(out.state("g"), paused=False))
    await ticks(monitor, 2)
    assert out.state("g").target == "b"


def test_the_rich_row_is_right() -> None:
    """Else what is spoilt in it proves nothing."""

    async def story() -> GroupState:
        out = both()
        out.store.spoil("g", json.dumps(CONTENT))
        await ticks(two(out), 1)
        assert told(out, "state_unreadable") == []
        return out.state("g")

    assert run(story()).epoch == 2
