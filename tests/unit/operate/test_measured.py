"""What is stored, in numbers."""

from __future__ import annotations

from dataclasses import replace

from nvaha.model import STALE_AFTER_S, Configuration, Drift, LeaderRecord
from nvaha.operate.measured import Stored
from nvaha.ports import StateUnreadable
from tests.builders import group_of, later, steady
from tests.fakes import FakeStore, Outside

GROUP = group_of()


async def test_what_is_stored_is_shown_whoever_is_asked() -> None:
    """Leader, group and NVAs as their rows have them."""
    out = Outside(steady(probed_at=later(0), drift=Drift(writes=("a route",), seen=2)))
    out.store.leader = LeaderRecord("one", 7, later(0))
    await out.clock.sleep(4.0)
    found = {
        (each.name, *each.labels.values()): each.value
        for each in await Stored(Configuration((GROUP,)), out.ports).samples()
    }
    assert found[("nvaha_storage_up",)] == 1
    assert found[("nvaha_leader_info", "one", "0")] == 1
    assert found[("nvaha_leader_round_age_seconds", "0")] == 4.0
    assert found[("nvaha_group_watched", "g")] == 1
    assert found[("nvaha_group_drift", "g")] == 1
    assert [found[("nvaha_nva_active", "g", each)] for each in ("a", "b")] == [1, 0]
    assert [found[("nvaha_nva_up", "g", each)] for each in ("a", "b")] == [1, 1]


async def test_of_what_cannot_be_read_only_that_is_shown() -> None:
    """Neither a row that nobody can read nor storage that does not answer makes an NVA up or down."""
    out = Outside(steady())
    out.store.unreadable.add("g")
    stored = Stored(Configuration((GROUP,)), out.ports)
    assert [(each.name, each.value) for each in await stored.samples()] == [
        ("nvaha_storage_up", 1), ("nvaha_group_readable", 0),
    ]  # fmt: skip
    out.store.answers = False
    assert [(each.name, each.value) for each in await stored.samples()] == [("nvaha_storage_up", 0)]


async def test_a_leader_that_is_gone_is_none() -> None:
    """A record that is old is nobody's, and one that cannot be read names nobody; the groups are shown."""
    out = Outside(steady())
    out.store.leader = LeaderRecord("one", 7, later(-STALE_AFTER_S - 1.0))

    class Illegible(FakeStore):
        async def load_leader(self) -> LeaderRecord | None:
            raise StateUnreadable("the leader's row cannot be read")

    for store in (out.store, Illegible(states=out.store.states)):
        groups = Configuration((GROUP, replace(GROUP, name="new")))
        samples = await Stored(groups, replace(out.ports, store=store)).samples()
        shown = {each.name for each in samples}
        assert "nvaha_nva_up" in shown
        assert not [name for name in shown if name.startswith("nvaha_leader")]
