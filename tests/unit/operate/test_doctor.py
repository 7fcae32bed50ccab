"""Examining the app from where it runs: all is tried, nothing is changed, nothing costs another part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.findings import Area, Finding, Level
from nvaha.core.trial import NEVER
from nvaha.model import (
    CanarySpec,
    Configuration,
    ControlTarget,
    Group,
    InstanceRecord,
    LeaderRecord,
    Nva,
    NvaState,
    PublicIp,
    TokenSeen,
    Tried,
)
from nvaha.operate.control import Refused
from nvaha.operate.doctor import OFFER_EVERY_S, WITHIN_S, Doctor
from nvaha.ports import NetworkError, NetworkFault, StateUnreadable
from tests.builders import (
    SPEC,
    address,
    azure_of,
    down,
    group_of,
    later,
    nic_id,
    pip_id,
    probed_apart,
    steady,
    switching,
    table,
    table_id,
    up,
)
from tests.fakes import FakeStore, FakeTrials, Outside

GROUP = probed_apart(group_of(public_ips=(PublicIp("external", pip_id("p")),)))
TARGETS = (ControlTarget("10.9.0.1", 53), ControlTarget("10.9.0.2", 53))
CONFIGURATION = Configuration((GROUP,), TARGETS)
TABLE = table_id("table")
PROBED_AT = {name: address(name, "internal") for name in "ab"}


def instance(name: str, **changes: Any) -> InstanceRecord:
    """Return an instance that could lead."""
    known: dict[str, Any] = {
        "configuration": CONFIGURATION.fingerprint,
        "version": "1",
        "campaign_at": later(0),
    }
    return InstanceRecord(name, later(0), **{**known, **changes})


async def outside(**changes: Any) -> Outside:
    """Return an outside in which all is well: a leader, a standby, and a group on `a`."""
    out = Outside(steady(fingerprint=GROUP.fingerprint, **changes))
    out.network.put_there(*azure_of(GROUP, "a"))
    out.store.leader = LeaderRecord("one", 1, later(0))
    for name in ("one", "two"):
        await out.store.save_instance(instance(name))
    return out


async def examined(
    out: Outside,
    trials: FakeTrials | None = None,
    configuration: Configuration = CONFIGURATION,
    name: str | None = None,
) -> list[Finding]:
    """Return what is found."""
    return await Doctor(configuration, out.ports, trials or FakeTrials()).examine(name)


def bad(findings: list[Finding]) -> list[tuple[Area, str, str]]:
    """Return area, code and subject of whatever is not well, each of which has a remedy."""
    wrong = [each for each in findings if each.level is not Level.OK]
    assert all(each.remedy for each in wrong)
    return sorted((each.area, each.code, each.subject) for each in wrong)


async def test_where_all_is_well_each_area_says_so_and_nothing_was_changed() -> None:
    """No write but those that cannot be taken, no lease, no state, no message."""
    out, trials = await outside(), FakeTrials()
    rows = dict(out.store.instance_rows)
    findings = await examined(out, trials)
    assert bad(findings) == []
    of_the_app = {Area.SETTINGS, Area.HOST, Area.VERSIONS}
    assert {each.area for each in findings} == set(Area) - of_the_app
    assert (out.network.puts, out.store.saves, out.queue.sent, out.leases.asked) == ([], 0, [], 0)
    assert out.store.instance_rows == rows
    assert {each.id for each in trials.offered} == {TABLE, nic_id("a", "external"), nic_id("b", "external")}
    assert {each.etag for each in trials.offered} == {NEVER}


async def test_a_missing_right_at_one_resource_is_told_of_that_one() -> None:
    """The others are tried all the same."""
    denied = NetworkError(NetworkFault.DENIED, TABLE, "needs the right", code="AuthorizationFailed")
    trials = FakeTrials(objects={TABLE: denied})
    findings = await examined(await outside(), trials)
    assert bad(findings) == [(Area.RIGHTS, "write_denied", TABLE)]
    assert len(trials.offered) == 3
    assert any("0b1e" in each.remedy for each in findings), "whose right it is stands in the token"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (NetworkFault.DENIED, "read_denied"),
        (NetworkFault.MISSING, "id_missing"),
        (NetworkFault.UNREADABLE, "id_unreadable"),
        (NetworkFault.UNAVAILABLE, "not_answered"),
    ],
)
async def test_a_resource_that_cannot_be_read_is_named(fault: NetworkFault, code: str) -> None:
    """By its id, with why; it is offered no write."""
    out, trials, lost = await outside(), FakeTrials(), pip_id("p")
    out.network.unread[lost] = NetworkError(fault, lost, "why")
    assert (Area.AZURE, code, lost) in bad(await examined(out, trials))


async def test_what_is_throttled_is_not_offered_on() -> None:
    """What ARM lets this identity write is short, and switches go first."""
    throttled = NetworkError(NetworkFault.THROTTLED, TABLE, "429")
    trials = FakeTrials(objects={TABLE: throttled})
    found = bad(await examined(await outside(), trials))
    assert [each.id for each in trials.offered] == [TABLE]
    assert (Area.RIGHTS, "write_not_tried", "g") in found


async def test_a_group_that_is_being_switched_is_offered_no_write() -> None:
    """Its resources are busy, and the switch needs whatever may be written."""
    out, trials = await outside(), FakeTrials()
    out.store.put(switching(fingerprint=GROUP.fingerprint))
    assert (Area.RIGHTS, "switch_under_way", "g") in bad(await examined(out, trials))
    assert trials.offered == []


async def test_no_more_is_offered_than_arm_gives_back() -> None:
    """A table that two groups share is offered once, and its lack told once; each write takes its time."""
    other = replace(GROUP, name="h")
    denied = NetworkError(NetworkFault.DENIED, TABLE, "403")
    out, trials = await outside(), FakeTrials(objects={TABLE: denied})
    out.store.put(replace(steady(fingerprint=GROUP.fingerprint), group="h"))
    began = out.clock.monotonic()
    findings = await examined(out, trials, Configuration((GROUP, other)))
    assert {code for area, code, _ in bad(findings) if area is Area.RIGHTS} == {"write_denied"}
    well = [each.text[0] for each in findings if (each.area, each.level) == (Area.RIGHTS, Level.OK)]
    assert well == ["2", "2"]
    assert len(trials.offered) == len({each.id for each in trials.offered}) == 3
    assert out.clock.monotonic() - began >= 3 * OFFER_EVERY_S


async def test_an_nva_that_does_not_answer_is_told_once() -> None:
    """From here; that the leader calls it down says nothing more."""
    out = await outside(nvas={"b": down()})
    out.prober.silent = {PROBED_AT["b"]}
    assert bad(await examined(out)) == [(Area.PROBES, "probe_silent", "g/b")]


async def test_that_the_leader_cannot_see_an_nva_that_answers_here_is_told() -> None:
    """So it is the way from there."""
    out = await outside(nvas={"b": down()})
    assert bad(await examined(out)) == [(Area.GROUPS, "nva_down", "g")]


async def test_one_lost_packet_is_no_finding() -> None:
    """A probe that fails is asked once more."""
    out = await outside()

    class Shaky:
        """Answers each address the second time."""

        def __init__(self) -> None:
            self.asked: list[str] = []

        async def probe(self, where: str, spec: Any) -> Any:
            self.asked.append(where)
            out.prober.silent = set() if self.asked.count(where) > 1 else {where}
            return await out.prober.probe(where, spec)

    doctor = Doctor(CONFIGURATION, replace(out.ports, prober=Shaky()), FakeTrials())  # type: ignore[arg-type]
    assert bad(await doctor.examine()) == []


async def test_an_nva_is_probed_where_azure_has_it_now() -> None:
    """Not where its state remembers it, and not at all where nobody knows."""
    spec = replace(SPEC, address=None, interface="internal")
    group = group_of(spec=spec)
    out = Outside(
        steady(fingerprint=group.fingerprint, nvas={"a": up(addresses={"internal": {"ip": "10.7.7.7"}})})
    )
    out.network.put_there(*azure_of(group, "a"))
    await examined(out, configuration=Configuration((group,)))
    assert set(out.prober.asked) == set(PROBED_AT.values())
    for each in group.resource_ids:
        out.network.unread[each] = NetworkError(NetworkFault.DENIED, each, "403")
    told = bad(await examined(out, configuration=Configuration((group,))))
    assert (Area.PROBES, "probe_no_address", "g/b") in told


async def test_a_control_target_that_is_silent_is_named() -> None:
    """With its address and port."""
    out = await outside()
    out.prober.silent = {TARGETS[1].address}
    assert bad(await examined(out)) == [(Area.PROBES, "target_silent", "10.9.0.2:53")]


async def test_what_storage_refuses_is_told() -> None:
    """With the role that is missing."""
    refused = Tried("queue", "nvaha-switch", (), "write", 403, "AuthorizationPermissionMismatch", "403")
    found = bad(await examined(await outside(), FakeTrials(tried=(refused,))))
    assert found == [(Area.STORAGE, "storage_role_missing", "queue nvaha-switch")]


async def test_a_token_that_cannot_be_had_is_told() -> None:
    """And whose it would be is not known then."""
    findings = await examined(await outside(), FakeTrials(seen=(TokenSeen("ARM", None, "no token"),)))
    assert bad(findings) == [(Area.IDENTITY, "no_token", "ARM")]


async def test_a_clock_that_is_off_is_told() -> None:
    """By which service."""
    findings = await examined(await outside(), FakeTrials(ahead={"storage": 60.0}))
    assert bad(findings) == [(Area.CLOCK, "clock_off", "storage")]


async def test_other_instances_are_looked_at() -> None:
    """One with another configuration, one of another release, and none that could lead."""
    out = await outside()
    await out.store.save_instance(instance("two", configuration="c-p", version="2"))
    told = {code for area, code, _ in bad(await examined(out)) if area is Area.MONITORS}
    assert told == {"config_differs", "releases_differ", "alone"}


async def test_that_this_app_differs_from_its_leader_is_told() -> None:
    """The leader's own row has the fingerprint that counts."""
    out = await outside()
    for name in ("one", "two"):
        await out.store.save_instance(instance(name, configuration="c-p"))
    assert (Area.MONITORS, "other_configuration", "this app") in bad(await examined(out))


async def test_without_storage_all_else_is_examined() -> None:
    """What needs it is not known, which is not well."""
    out, trials = await outside(), FakeTrials()
    out.storage_goes()
    findings = await examined(out, trials)
    assert bad(findings) == [(Area.MONITORS, "not_examined", "rows")]
    assert {Area.AZURE, Area.RIGHTS, Area.PROBES, Area.CLOCK} <= {each.area for each in findings}
    assert len(trials.offered) == 3


async def test_what_needs_storage_is_mended_where_storage_is_told() -> None:
    """To examine one group helps nobody then."""
    out = await outside()
    out.storage_goes()
    silent = Tried("blob", "nvaha", (), "write", None, "", "no answer from storage")
    found = bad(await examined(out, FakeTrials(tried=(silent,))))
    assert [each for each in found if each[0] is Area.MONITORS] == [(Area.MONITORS, "follows", "rows")]


async def test_a_row_that_cannot_be_read_is_told_and_stops_nothing() -> None:
    """As on the status page."""
    out = await outside()
    out.store.spoil("g", "{")
    assert [code for area, code, _ in bad(await examined(out)) if area is Area.GROUPS] == ["state_unreadable"]


async def test_azure_that_gives_no_answer_is_not_known() -> None:
    """Probes go on without it; that the leader could not read it either says nothing more."""
    out = await outside(unread="503")
    for each in GROUP.resource_ids:
        out.network.unread[each] = NetworkError(NetworkFault.UNAVAILABLE, each, "503")
    findings = await examined(out)
    read, *others = bad(findings)
    assert read[:2] == (Area.AZURE, "not_answered")
    assert others == [(Area.READINESS, "follows", "g"), (Area.RIGHTS, "follows", "g")]
    assert any(f"(and {len(GROUP.resource_ids) - 1} more)" in each.text for each in findings)
    assert set(out.prober.asked) >= set(PROBED_AT.values())


async def test_an_examination_ends_in_time_with_what_it_has() -> None:
    """Whatever hangs; and what was not done is told as that."""
    out = await outside()

    class Hanging(FakeTrials):
        """Never hears from storage."""

        async def storage(self) -> tuple[Tried, ...]:
            await out.clock.sleep(3600)
            return ()

    began = out.clock.monotonic()
    findings = await examined(out, Hanging())
    assert out.clock.monotonic() - began <= WITHIN_S + 1.0
    assert (Area.STORAGE, "not_examined", "storage") in bad(findings)


async def test_what_goes_wrong_in_one_part_costs_no_other() -> None:
    """Also if it is a fault of the program."""
    out = await outside()
    out.prober.broken = RuntimeError("AccountKey=c2VjcmV0")
    findings = await examined(out)
    found = bad(findings)
    assert (Area.AZURE, "not_examined", "g") in found
    assert {Area.STORAGE, Area.MONITORS, Area.CLOCK} <= {each.area for each in findings}
    assert "c2VjcmV0" not in str(findings)


async def test_one_group_may_be_examined_alone() -> None:
    """One that is not there is refused with those that are."""
    other = replace(GROUP, name="h")
    out = await outside()
    both = Configuration((GROUP, other))
    findings = await examined(out, configuration=both, name="g")
    assert not any(each.subject.startswith("h") for each in findings)
    with pytest.raises(Refused, match="g, h"):
        await examined(out, configuration=both, name="x")


async def test_a_leader_that_cannot_be_read_is_none() -> None:
    """Until it says so anew; the rows of the others are looked at all the same."""
    out = await outside()

    class Spoilt(FakeStore):
        """A store whose leader's row another release has written."""

        async def load_leader(self) -> LeaderRecord | None:
            raise StateUnreadable("row monitor/leader")

    store = Spoilt(out.store.states, instance_rows=out.store.instance_rows)
    found = bad(await Doctor(CONFIGURATION, replace(out.ports, store=store), FakeTrials()).examine())
    assert (Area.MONITORS, "no_leader", "monitors") in found


async def test_a_group_of_which_nothing_could_be_read_is_not_said_to_be_writable() -> None:
    """Nothing was offered."""
    out, trials = await outside(), FakeTrials()
    for each in GROUP.resource_ids:
        out.network.unread[each] = NetworkError(NetworkFault.DENIED, each, "403")
    findings = await examined(out, trials)
    for area in (Area.RIGHTS, Area.READINESS):
        assert [each.code for each in findings if each.area is area] == ["follows"]
    assert trials.offered == []


async def test_without_a_token_nothing_is_said_of_the_way_to_azure() -> None:
    """Nothing was asked, so what is to be mended is the identity, which is told above."""
    out = await outside()
    for each in GROUP.resource_ids:
        out.network.unread[each] = NetworkError(NetworkFault.NO_TOKEN, each, "no token for ARM")
    findings = await examined(out, FakeTrials(seen=(TokenSeen("ARM", None, "no token for ARM"),)))
    [told] = [each for each in findings if each.area is Area.AZURE]
    assert (told.code, told.remedy) == ("follows", "see identity above")


async def test_what_there_is_no_time_for_is_not_tried() -> None:
    """And told as that; the rest was."""
    out, trials = await outside(), FakeTrials()
    group = replace(GROUP, route_tables=tuple(table_id(f"t{number}") for number in range(300)))
    out.network.read_s = 0.0
    out.network.put_there(*azure_of(group, "a"))
    found = bad(await examined(out, trials, Configuration((group,))))
    assert (Area.RIGHTS, "write_not_tried", "g") in found
    assert 100 < len(trials.offered) < 300


async def test_a_canary_is_read_and_offered_and_not_probed() -> None:
    """Nobody has its addresses."""
    nvas = tuple(Nva(name, {}, SPEC, address=f"192.0.2.{number}") for number, name in enumerate("ab", 1))
    canary = Group("canary", nvas, (table_id("c"),), canary=CanarySpec())
    out, trials = Outside(), FakeTrials()
    out.network.put_there(table("c", {"r": "192.0.2.1"}))
    out.store.put(replace(steady(nvas={"a": NvaState(), "b": NvaState()}), group="canary"))
    findings = await examined(out, trials, Configuration((), (), canary))
    assert [each.id for each in trials.offered] == [table_id("c")]
    assert out.prober.asked == []
    assert not any(each.area is Area.PROBES for each in findings)
