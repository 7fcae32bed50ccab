"""Reading a group's resources: what could not be read, why, and whether it will pass."""

from __future__ import annotations

import pytest

from nvaha.model import PublicIp, Resource, Snapshot
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state.snapshot import PATIENCE_S, lasting, read_snapshot
from tests.builders import azure_of, group_of, pip_id, table_id
from tests.fakes import Outside

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))
TABLE = table_id("table")


@pytest.fixture
def out() -> Outside:
    """Return an outside with all of the group's resources."""
    found = Outside()
    found.network.put_there(*azure_of(GROUP, "a"))
    return found


async def read(out: Outside) -> tuple[Snapshot, float]:
    """Return what was read and how long it took."""

    return await read_snapshot(out.network, GROUP), out.clock.monotonic()


async def test_every_resource_of_the_group_is_read_at_once(out: Outside) -> None:
    """Tables, NICs and public IPs are there under their ids, in the time of one read."""
    out.network.read_s = 2.0
    snapshot, took_s = await read(out)
    assert set(snapshot.resources) == {each.casefold() for each in GROUP.resource_ids}
    assert (snapshot.missing, snapshot.retry_after_s, took_s) == ({}, None, 2.0)
    table = snapshot.get(TABLE.upper())
    assert table is not None
    assert table.etag == out.network.resources[TABLE.casefold()].etag


async def test_a_large_group_is_read_a_few_resources_at_a_time(out: Outside) -> None:
    """Sixty tables take three rounds of twenty, and none is given up for having waited for its turn."""
    group = group_of(roles=(), tables=tuple(f"t{number}" for number in range(60)))
    out.network.put_there(*azure_of(group, "a"))
    out.network.read_s = 0.8 * PATIENCE_S

    snapshot = await read_snapshot(out.network, group)
    assert out.clock.monotonic() == pytest.approx(3 * 0.8 * PATIENCE_S)
    assert snapshot.missing == {}


@pytest.mark.parametrize("fault", [NetworkFault.DENIED, NetworkFault.MISSING])
async def test_what_will_not_be_there_next_time_either_is_missing_with_its_reason(
    out: Outside, fault: NetworkFault
) -> None:
    """Nobody is asked to wait for it."""
    out.network.unread[TABLE] = NetworkError(fault, TABLE, "40x: the reason")
    snapshot, _ = await read(out)
    assert snapshot.get(TABLE) is None
    assert "the reason" in snapshot.missing[TABLE.casefold()]
    assert snapshot.retry_after_s is None
    assert len(snapshot.resources) == len(GROUP.resource_ids) - 1


@pytest.mark.parametrize("fault", [NetworkFault.UNAVAILABLE, NetworkFault.BUSY, NetworkFault.REFUSED])
@pytest.mark.parametrize(("asked_s", "expected_s"), [(None, 0.0), (7.0, 7.0)])
async def test_what_may_be_there_next_time_asks_for_another_read(
    out: Outside, fault: NetworkFault, asked_s: float | None, expected_s: float
) -> None:
    """The longest wait that Azure asked for is passed on; a 400 to a read is Azure's own trouble."""
    out.network.unread[TABLE] = NetworkError(fault, TABLE, "?", retry_after_s=asked_s)
    out.network.unread[pip_id("p")] = NetworkError(NetworkFault.BUSY, pip_id("p"), "?", retry_after_s=0.0)
    snapshot, _ = await read(out)
    assert (set(snapshot.missing), snapshot.retry_after_s) == (
        {TABLE.casefold(), pip_id("p").casefold()},
        expected_s,
    )


async def test_one_resource_that_hangs_holds_nothing_up_for_long(out: Outside) -> None:
    """The rest is there after a few seconds, and the one may be asked for again."""
    out.network.slow[TABLE] = 600.0
    snapshot, took_s = await read(out)
    assert took_s == PATIENCE_S
    assert (list(snapshot.missing), snapshot.retry_after_s) == ([TABLE.casefold()], 0.0)


async def test_a_body_that_azure_never_documented_is_missing_too(out: Outside) -> None:
    """What nobody can plan with is said to be unreadable, and does not pass."""
    out.network.put_there(Resource(TABLE, "", {"properties": {"routes": 7}}))
    snapshot, _ = await read(out)
    assert "properties.routes is '7'" in snapshot.missing[TABLE.casefold()]
    assert snapshot.retry_after_s is None


async def test_an_azure_that_answers_for_nothing_is_an_error(out: Outside) -> None:
    """Nothing at all was read: that says nothing about the group."""
    silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503", retry_after_s=3.0)
    out.network.unread = dict.fromkeys(GROUP.resource_ids, silence)
    with pytest.raises(NetworkError) as raised:
        await read(out)
    assert raised.value.retry_after_s == 3.0


async def test_a_group_whose_resources_are_all_gone_is_read_as_that(out: Outside) -> None:
    """Azure has answered: none of them is there."""
    out.network.resources.clear()
    snapshot, _ = await read(out)
    assert (snapshot.resources, len(snapshot.missing)) == ({}, len(GROUP.resource_ids))


@pytest.mark.parametrize("fault", list(NetworkFault))
def test_only_an_answer_about_the_resource_itself_lasts(fault: NetworkFault) -> None:
    """Denied, missing and unreadable stay so; everything else is worth another read."""
    lasts = {NetworkFault.DENIED, NetworkFault.POLICY, NetworkFault.MISSING, NetworkFault.UNREADABLE}
    expected = fault in lasts
    assert lasting(NetworkError(fault, TABLE, "?")) is expected


@pytest.mark.parametrize("fault", list(NetworkFault))
async def test_what_is_only_throttled_is_known_as_that(out: Outside, fault: NetworkFault) -> None:
    """Azure answers, and is asked again; it is another thing than silence."""
    out.network.unread[TABLE] = NetworkError(fault, TABLE, "?", retry_after_s=1.0)
    snapshot, _ = await read(out)
    assert snapshot.throttled is (fault is NetworkFault.THROTTLED)


async def test_of_several_reasons_the_one_that_passes_by_itself_is_told(out: Outside) -> None:
    """All of it is unread, the first for silence and one for throttling: the wait is the throttling's."""
    silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503")
    out.network.unread = dict.fromkeys(GROUP.resource_ids, silence)
    out.network.unread[pip_id("p")] = NetworkError(
        NetworkFault.THROTTLED, pip_id("p"), "429", retry_after_s=7.0
    )
    with pytest.raises(NetworkError) as raised:
        await read(out)
    assert (raised.value.fault, raised.value.retry_after_s) == (NetworkFault.THROTTLED, 7.0)
