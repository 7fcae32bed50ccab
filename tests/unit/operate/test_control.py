"""What operators ask, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from nvaha.core.inputs import CancelCommanded, FailoverCommanded, PauseCommanded
from nvaha.core.refusal import RefusalCode
from nvaha.model import (
    STALE_AFTER_S,
    Configuration,
    Group,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Operation,
    Phase,
    PublicIp,
    Receiver,
    ReceiverKind,
    Status,
    Unsent,
)
from nvaha.operate.control import PLAN_WITHIN_S, Control, Refused
from nvaha.operate.kept import KEPT_S
from nvaha.ports import NetworkError, NetworkFault, NotTaken, StateUnreadable, StoreUnavailable
from tests.builders import (
    SPEC,
    azure_of,
    down,
    group_of,
    later,
    pip_id,
    request_to,
    steady,
    switching,
    table_id,
)
from tests.fakes import FakeStore, Outside

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))
TABLE = table_id("table")
TO_B = FailoverCommanded("b", "somebody", "drill")


def outside(state: GroupState | None = None) -> Outside:
    """Return an outside in which everything is on `a`."""
    out = Outside(state or steady())
    out.network.put_there(*azure_of(GROUP, "a"))
    return out


def control(out: Outside, *groups: Group) -> Any:
    """Return what answers operators of these groups: a `Control`, whose answers are looked at as JSON."""
    return Control(Configuration(groups or (GROUP,)), out.ports)


class TestFailover:
    """An operator moves a group."""

    async def test_it_is_asked_for_on_record_and_on_the_queue(self) -> None:
        """The answer is the operation, by whose id it can be followed."""
        out = outside()
        answer = await control(out).failover("g", TO_B)
        assert (answer["status"], answer["from"], answer["to"]) == ("requested", "a", "b")
        assert (answer["requested_by"], answer["reason"]) == ("somebody", "drill")
        assert out.state().phase is Phase.SWITCHING
        assert [each.operation for each in out.queue.sent] == [answer["id"]]

    @pytest.mark.parametrize(
        ("state", "command", "code"),
        [
            (steady(), replace(TO_B, to="c"), RefusalCode.UNKNOWN_NVA),
            (steady(), replace(TO_B, to="a"), RefusalCode.ALREADY_ACTIVE),
            (steady(nvas={"b": down()}), TO_B, RefusalCode.NOT_UP),
            (switching(), TO_B, RefusalCode.SWITCHING),
            (steady(fingerprint="another"), TO_B, RefusalCode.OTHER_CONFIGURATION),
        ],
    )
    async def test_what_is_not_possible_is_refused_with_its_reason(
        self, state: GroupState, command: FailoverCommanded, code: RefusalCode
    ) -> None:
        """Nothing is written and nothing is queued."""
        out = outside(state)
        with pytest.raises(Refused) as raised:
            await control(out).failover("g", command)
        assert raised.value.refusal.code is code
        assert str(raised.value) == raised.value.refusal.message
        assert (out.state(), out.queue.sent) == (state, [])

    async def test_the_same_request_id_finds_the_first_operation(self) -> None:
        """Whoever got no answer asks again, and starts nothing new."""
        out = outside()
        again = replace(TO_B, request_id="r")
        first = await control(out).failover("g", again)
        assert await control(out).failover("g", again) == first
        assert len(out.queue.sent) == 1

    async def test_the_same_request_id_finds_its_operation_after_a_later_one_too(self) -> None:
        """By then the group may have been moved elsewhere."""
        out = outside()
        first = await control(out).failover("g", replace(TO_B, request_id="r"))
        later_on = replace(out.state(), phase=Phase.STEADY, active="b")
        out.store.put(later_on)
        await control(out).failover("g", FailoverCommanded("a", "somebody"))
        assert (await control(out).failover("g", replace(TO_B, request_id="r")))["id"] == first["id"]
        assert len(out.queue.sent) == 2

    async def test_an_operation_whose_record_is_not_there_yet_is_answered_from_the_state(self) -> None:
        """The record follows, by whoever takes the switch up; the operator has an id by which to see it."""
        out = outside()
        first = await control(out).failover("g", replace(TO_B, request_id="r"))
        out.store.operations.clear()
        assert await control(out).failover("g", replace(TO_B, request_id="r")) == first

    async def test_a_silence_of_storage_is_not_taken_for_an_answer(self) -> None:
        """Whether the failover was started is not known, so nothing is said."""
        out = outside()
        out.storage_goes()
        with pytest.raises(StoreUnavailable):
            await control(out).failover("g", TO_B)


class TestPlan:
    """What a failover would change."""

    async def test_it_names_every_write_and_writes_nothing(self) -> None:
        """Routes and both ends of the public IP, allowed as things stand."""
        out = outside()
        plan = await control(out).plan("g", "b")
        assert (plan["group"], plan["to"], plan["allowed"], plan["forbids"]) == ("g", "b", True, None)
        assert [step["kind"] for step in plan["steps"]] == ["routes", "detach", "attach"]
        assert (plan["problems"], out.network.tried, out.store.saves) == ([], [], 0)

    async def test_it_says_what_forbids_the_failover_and_shows_it_all_the_same(self) -> None:
        """With force it would be done."""
        plan = await control(outside(steady(nvas={"b": down()}))).plan("g", "b")
        assert not plan["allowed"]
        assert "b is not up" in plan["forbids"]
        assert len(plan["steps"]) == 3

    async def test_it_says_what_cannot_be_read(self) -> None:
        """One resource without an answer is a problem of the plan."""
        out = outside()
        out.network.unread[TABLE] = NetworkError(NetworkFault.DENIED, TABLE, "403: no permission")
        plan = await control(out).plan("g", "b")
        assert [step["kind"] for step in plan["steps"]] == ["detach", "attach"]
        assert "403" in plan["problems"][0]

    async def test_it_is_refused_where_azure_cannot_be_read_at_all(self) -> None:
        """There is no plan to show then, and the reason is Azure's."""
        out = outside()
        silence = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone")
        out.network.unread = dict.fromkeys(GROUP.resource_ids, silence)
        with pytest.raises(Refused) as raised:
            await control(out).plan("g", "b")
        assert raised.value.refusal.code is RefusalCode.AZURE_UNREAD
        assert "503" in str(raised.value)

    @pytest.mark.parametrize("struck", [(TABLE,), GROUP.resource_ids], ids=["some", "all"])
    @pytest.mark.parametrize(("asked_s", "told_s"), [(7.0, 7.0), (3600.0, 30.0), (None, 1.0)])
    async def test_it_is_refused_for_a_while_where_azure_is_asked_too_much(
        self, struck: tuple[str, ...], asked_s: float | None, told_s: float
    ) -> None:
        """Half a plan would say that the failover cannot end well; who asks is told when to come again."""
        out = outside()
        throttled = NetworkError(NetworkFault.THROTTLED, TABLE, "429: too many", retry_after_s=asked_s)
        out.network.unread = dict.fromkeys(struck, throttled)
        with pytest.raises(Refused) as raised:
            await control(out).plan("g", "b")
        assert (raised.value.refusal.code, raised.value.retry_after_s) == (RefusalCode.BUSY, told_s)
        assert "429" in str(raised.value)

    async def test_it_says_when_azure_was_read(self) -> None:
        """An answer may be shown for some seconds; so its time is that of the reading."""
        out = outside()
        out.network.read_s = 1.5
        await out.clock.sleep(60.0)
        assert (await control(out).plan("g", "b"))["read_at"] == "2026-03-01T12:01:00.000Z"

    async def test_an_azure_that_hangs_is_not_waited_for_without_end(self) -> None:
        """However many tables there are, whoever asks is told in time."""
        group = group_of(tables=tuple(f"t{number}" for number in range(200)))
        out = Outside(steady())
        out.network.put_there(*azure_of(group, "a"))
        out.network.slow = dict.fromkeys((table_id(f"t{number}") for number in range(200)), 600.0)
        with pytest.raises(Refused) as raised:
            await control(out, group).plan("g", "b")
        assert raised.value.refusal.code is RefusalCode.AZURE_UNREAD
        assert out.clock.monotonic() <= PLAN_WITHIN_S

    async def test_what_takes_long_to_compute_is_computed_aside(self) -> None:
        """The event loop is the monitor's, too."""
        out, aside = outside(), []

        async def elsewhere(work: Callable[..., Any], *args: object) -> Any:
            aside.append(work)
            return work(*args)

        asked = Control(Configuration((GROUP,)), out.ports, aside=elsewhere)
        await asked.plan("g", "b")
        await asked.groups()
        assert len(aside) == 2

    async def test_it_is_refused_for_an_nva_that_the_group_does_not_have(self) -> None:
        """The reason names those it has."""
        with pytest.raises(Refused) as raised:
            await control(outside()).plan("g", "c")
        assert raised.value.refusal.code is RefusalCode.UNKNOWN_NVA
        assert "a, b" in str(raised.value)


class TestPause:
    """An operator stops what the leader does by itself."""

    async def test_pausing_and_resuming_are_written_and_shown(self) -> None:
        """The answer is the group as it is from then on."""
        out = outside()
        for paused in (True, True, False):
            answer = await control(out).pause("g", PauseCommanded(paused=paused, by="somebody"))
            assert answer["paused"] is paused
            assert out.state().paused is paused
        assert out.told.events == ["paused", "resumed"]

    async def test_the_answer_says_who_paused_and_what_else_is_not_good(self) -> None:
        """And, once it is resumed, what still keeps a dead active NVA's group there, and until when."""
        out = outside(steady(nvas={"a": down()}, last_switch_at=later(0)))
        command = PauseCommanded(paused=True, by="alice", reason="an upgrade")
        paused = await control(out).pause("g", command)
        assert (paused["pause"]["by"], paused["pause"]["reason"]) == ("alice", "an upgrade")
        assert {"active_down", "paused"} <= {each["code"] for each in paused["advice"]}
        resumed = await control(out).pause("g", PauseCommanded(paused=False, by="bob"))
        told = {each["code"]: each["text"] for each in resumed["advice"]}
        assert (resumed["pause"], "paused" in told) == (None, False)
        assert "hold-down after the last switch, until 12:01:00 UTC" in told["active_down"]

    async def test_a_pause_is_confirmed_though_who_leads_cannot_be_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is written; that storage does not answer another question is no reason to say it may not be."""
        out = outside()

        async def silent(_: object) -> LeaderRecord:
            raise StoreUnavailable("no answer")

        monkeypatch.setattr(type(out.store), "load_leader", silent)
        assert (await control(out).pause("g", PauseCommanded(paused=True, by="somebody")))["paused"]

    async def test_a_group_that_no_leader_has_seen_yet_can_be_paused(self) -> None:
        """The first leader finds it paused."""
        out = Outside()
        assert (await control(out).pause("g", PauseCommanded(paused=True, by="somebody")))["paused"]
        assert out.state().paused

    async def test_until_when_is_shown(self) -> None:
        """For as long as the group is paused."""
        out = outside()
        paused = await control(out).pause("g", PauseCommanded(paused=True, by="somebody", for_s=7200.0))
        assert paused["paused_until"] == "2026-03-01T14:00:00.000Z"
        resumed = await control(out).pause("g", PauseCommanded(paused=False, by="somebody"))
        assert resumed["paused_until"] is None


class TestScheduling:
    """An operator names a time to come."""

    async def test_it_is_written_shown_and_cancelled(self) -> None:
        """Nothing is queued, nothing is on record, and one group's is no other's."""
        out = outside()
        answer = await control(out).failover("g", replace(TO_B, at=later(600.0), source="a"))
        assert answer["scheduled"] == {
            "from": "a",
            "to": "b",
            "at": "2026-03-01T12:10:00.000Z",
            "reason": "drill",
            "requested_by": "somebody",
            "requested_at": "2026-03-01T12:00:00.000Z",
            "request_id": None,
        }
        assert (await control(out).groups())["groups"][0]["scheduled"] == answer["scheduled"]
        assert (out.queue.sent, dict(out.store.operations)) == ([], {})
        cancelled = await control(out).cancel("g", CancelCommanded("somebody"))
        assert (cancelled["scheduled"], out.state().scheduled) == (None, None)
        assert out.told.events == ["failover_scheduled", "failover_cancelled"]

    async def test_cancelling_what_is_not_there_is_refused(self) -> None:
        """It may have been begun, which is not what somebody who cancels wants to hear as success."""
        with pytest.raises(Refused) as raised:
            await control(outside()).cancel("g", CancelCommanded("somebody"))
        assert raised.value.refusal.code is RefusalCode.NOT_SCHEDULED


class TestCheck:
    """How a group stands in Azure, against its record."""

    async def test_what_agrees(self) -> None:
        """With what each NVA has, and what a switch there would have to write."""
        out = outside()
        view = await control(out).check("g")
        assert (view["active"], view["found"], view["agrees"], view["differs"]) == ("a", "a", True, [])
        assert [(each["routes"], each["public_ips"], len(each["off"])) for each in view["nvas"]] == [
            (1, 1, 0),
            (0, 0, 2),
        ]
        assert (out.network.tried, out.store.saves) == ([], 0)

    async def test_what_differs(self) -> None:
        """What the record says is one thing, what Azure has another."""
        view = await control(outside(steady("b"))).check("g")
        assert (view["active"], view["found"], view["agrees"]) == ("b", "a", False)
        assert any(pip_id("p").rpartition("/")[2] in each for each in view["differs"])

    async def test_what_nobody_knows_agrees_with_nothing(self) -> None:
        """Neither a resource that gave no answer nor a group without a record."""
        out = outside()
        out.network.unread[TABLE] = NetworkError(NetworkFault.UNAVAILABLE, TABLE, "503: gone")
        view = await control(out).check("g")
        assert (view["agrees"], len(view["unanswered"])) == (False, 1)
        nobody = await control(outside(steady(None, phase=Phase.UNKNOWN))).check("g")
        assert (nobody["active"], nobody["found"], nobody["agrees"]) == (None, "a", False)

    async def test_where_azure_lets_nothing_be_read_it_is_refused(self) -> None:
        """As a plan is."""
        out = outside()
        out.network.unread = {TABLE: NetworkError(NetworkFault.THROTTLED, TABLE, "429: too many")}
        with pytest.raises(Refused):
            await control(out).check("g")


class TestLooking:
    """What operators see."""

    async def test_every_configured_group_is_shown_with_the_leader(self) -> None:
        """A group without a state yet is unknown; one that is not configured any more is left out."""
        out = outside()
        out.store.put(replace(steady(), group="gone"))
        out.store.leader = LeaderRecord("one", 3, later(0))
        shown = await control(out, GROUP, replace(GROUP, name="new")).groups()
        assert [(each["name"], each["phase"]) for each in shown["groups"]] == [
            ("g", "steady"),
            ("new", "unknown"),
        ]
        assert (shown["leader"]["instance"], shown["leader"]["fresh"]) == ("one", True)

    async def test_a_group_is_shown_with_its_last_operation(self) -> None:
        """Under way or ended, it is the newest."""
        out = outside(switching())
        out.store.operations["g-1-0"] = Operation(request_to("b"), Status.RUNNING)
        shown = await control(out).group("g")
        assert (shown["phase"], shown["target"], shown["operation"]["status"]) == (
            "switching",
            "b",
            "running",
        )

    async def test_a_group_is_shown_with_what_follows_its_active_nva(self) -> None:
        """The route tables and public IPs as configured, so that its way of traffic can be drawn."""
        shown = await control(outside()).group("g")
        assert shown["route_tables"] == [TABLE]
        assert shown["public_ips"] == [{"role": "external", "resource_id": pip_id("p")}]

    async def test_a_group_that_was_never_switched_has_no_operation(self) -> None:
        """There is nothing to show, and that is no error; nor is a group without any state."""
        assert (await control(outside()).group("g"))["operation"] is None
        assert (await control(Outside()).group("g"))["operation"] is None

    async def test_history_is_the_groups_own_newest_first(self) -> None:
        """As many as were asked for."""
        out = outside()
        for number in range(1, 5):
            request = replace(request_to("b"), operation=f"g-{number}-0", generation=number)
            out.store.operations[request.operation] = Operation(request)
        other = replace(request_to("b"), operation="h-1-0", group="h")
        out.store.operations["h-1-0"] = Operation(other)
        shown = await control(out).history("g", 3)
        assert (shown["group"], [each["id"] for each in shown["operations"]]) == (
            "g",
            ["g-4-0", "g-3-0", "g-2-0"],
        )

    async def test_the_history_of_all_groups_is_one_by_time(self) -> None:
        """Cut to what was asked for once it is in order."""
        out = outside()
        for group, minute in (("g", 1), ("h", 2), ("g", 3), ("h", 4), ("gone", 5)):
            operation = f"{group}-{minute}-0"
            request = replace(request_to("b"), operation=operation, group=group, generation=minute)
            out.store.operations[operation] = Operation(replace(request, requested_at=later(60.0 * minute)))
        shown = await control(out, GROUP, replace(GROUP, name="h")).history(None, 3)
        assert (shown["group"], [each["id"] for each in shown["operations"]]) == (
            None,
            ["h-4-0", "g-3-0", "h-2-0"],
        )

    async def test_an_operation_is_shown_by_its_id(self) -> None:
        """One that is not there is refused."""
        out = outside()
        out.store.operations["g-1-0"] = Operation(request_to("b"))
        assert (await control(out).operation("g-1-0"))["to"] == "b"
        with pytest.raises(Refused) as raised:
            await control(out).operation("g-9-9")
        assert raised.value.refusal.code is RefusalCode.UNKNOWN_OPERATION

    @pytest.mark.parametrize("name", ["h", "", "x" * 5000])
    async def test_a_group_that_is_not_configured_is_refused_whatever_is_asked(self, name: str) -> None:
        """The reason names those that are, and repeats no more than the start of what was asked."""
        out = outside()
        mine = control(out)
        for asked in (
            mine.group(name),
            mine.plan(name, "b"),
            mine.check(name),
            mine.cancel(name, CancelCommanded("x")),
            mine.break_glass(name),
            mine.failover(name, TO_B),
            mine.pause(name, PauseCommanded(paused=True, by="x")),
            mine.history(name, 3),
        ):
            with pytest.raises(Refused) as raised:
                await asked
            assert raised.value.refusal.code is RefusalCode.UNKNOWN_GROUP
            assert len(str(raised.value)) < 200


class TestByHand:
    """What a person sets when nvaha is gone."""

    async def test_each_nva_has_all_of_it(self) -> None:
        """The active one too: by the time that this is used another may be."""
        out = outside()
        view = await control(out).break_glass("g")
        kinds = [(sheet["to"], *(each["kind"] for each in sheet["moves"])) for sheet in view["nvas"]]
        assert kinds == [("a", "route", "detach", "attach"), ("b", "route", "detach", "attach")]
        assert (view["hold"], view["read_at"]) == ([TABLE, pip_id("p")], "2026-03-01T12:00:00.000Z")
        assert (out.network.tried, out.store.saves) == ([], 0)

    async def test_without_azure_there_is_none(self) -> None:
        """Half a sheet would be taken for a whole one."""
        out = outside()
        out.network.unread = {TABLE: NetworkError(NetworkFault.THROTTLED, TABLE, "429: too many")}
        with pytest.raises(Refused):
            await control(out).break_glass("g")


class TestIllegible:
    """A stored row cannot be read: it alone is missing, and is named."""

    async def test_one_row_of_the_history_hides_itself_and_nothing_else(self) -> None:
        """The others are shown, and a sentence says which is not."""
        out = outside()
        first = await control(out).failover("g", TO_B)
        out.store.put(replace(out.state(), phase=Phase.STEADY, active="b"))
        second = await control(out).failover("g", FailoverCommanded("a", "somebody"))
        out.store.illegible.add(second["id"])
        answer = await control(out).history("g", 9)
        assert [each["id"] for each in answer["operations"]] == [first["id"]]
        assert [second["id"] in each for each in answer["unreadable"]] == [True]

    async def test_a_group_whose_last_operation_cannot_be_read_shows_what_the_state_knows(self) -> None:
        """To where, by whom, and that the record is illegible; the same request id finds it as well."""
        out = outside()
        command = replace(TO_B, request_id="r")
        started = await control(out).failover("g", command)
        out.store.illegible.add(started["id"])
        shown = (await control(out).group("g"))["operation"]
        assert (shown["id"], shown["to"], shown["requested_by"]) == (started["id"], "b", "somebody")
        assert started["id"] in shown["error"]
        assert (await control(out).failover("g", command))["id"] == started["id"]
        with pytest.raises(StateUnreadable):
            await control(out).operation(started["id"])

    async def test_a_group_whose_row_cannot_be_read_says_so_and_is_not_commanded(self) -> None:
        """It looks like none that was never seen; the other group is shown and moved as ever."""
        out = outside()
        out.store.put(replace(steady(), group="other"))
        out.store.unreadable.add("g")
        mine = control(out, GROUP, replace(GROUP, name="other"))
        one, other = (await mine.groups())["groups"]
        assert "cannot be read" in one["blocked"]
        assert other["blocked"] is None
        assert "cannot be read" in (await mine.group("g"))["blocked"]
        assert [each["code"] for each in (await mine.group("g"))["advice"]] == ["state_unreadable"]
        with pytest.raises(StateUnreadable):
            await mine.pause("g", PauseCommanded(paused=True, by="somebody"))
        assert (await mine.failover("other", TO_B))["to"] == "b"

    async def test_a_leaders_record_that_cannot_be_read_hides_no_group(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who leads is not known until it is said again, and that is no health."""
        out = outside()

        async def illegible(_: object) -> LeaderRecord:
            raise StateUnreadable("the leader's row cannot be read")

        monkeypatch.setattr(type(out.store), "load_leader", illegible)
        answer = await control(out).groups()
        assert (answer["leader"], len(answer["groups"])) == (None, 1)
        assert not await control(out).healthy()


class TestHealthy:
    """Whether anybody leads, for whoever asks without a key."""

    @pytest.mark.parametrize(
        ("record", "healthy"),
        [
            (None, False),
            (LeaderRecord("one", 1, later(-STALE_AFTER_S)), True),
            (LeaderRecord("one", 1, later(-STALE_AFTER_S - 0.1)), False),
            (LeaderRecord("one", 1, later(0), unattended=1), False),
        ],
    )
    async def test_a_fresh_round_is_health(self, record: LeaderRecord | None, healthy: bool) -> None:
        """No record, an old one, or one that says that nobody carries a switch out, is none."""
        out = outside()
        out.store.leader = record
        assert await control(out).healthy() is healthy

    @pytest.mark.parametrize(
        ("state", "interval_s", "healthy"),
        [
            (steady(), 1.0, True),
            (steady(paused=True), 1.0, True),
            (steady(probed_at=later(-STALE_AFTER_S)), 1.0, True),
            (steady(probed_at=later(-STALE_AFTER_S - 0.1)), 1.0, False),
            (steady(probed_at=later(STALE_AFTER_S + 0.1)), 1.0, False),
            (steady(probed_at=None), 1.0, False),
            (steady(probed_at=later(-3 * 60.0)), 60.0, True),
            (steady(probed_at=later(-3 * 60.0 - 0.1)), 60.0, False),
        ],
    )
    async def test_a_group_that_nobody_probes_is_no_health(
        self, state: GroupState, interval_s: float, healthy: bool
    ) -> None:
        """A leader that has another configuration leads well, and leaves this instance's group alone."""
        out = outside(state)
        out.store.leader = LeaderRecord("one", 1, later(0))
        mine = group_of(spec=replace(SPEC, interval_s=interval_s))
        assert await control(out, mine).healthy() is healthy

    async def test_a_group_is_probed_as_often_as_the_nva_that_is_asked_most_often(self) -> None:
        """One that is asked seldom does not hide that nobody asks the others: they are asked together."""
        out = outside(steady(probed_at=later(-STALE_AFTER_S - 0.1)))
        out.store.leader = LeaderRecord("one", 1, later(0))
        often, seldom = GROUP.nvas
        seldom = replace(seldom, probe=replace(seldom.probe, interval_s=60.0))
        assert not await control(out, replace(GROUP, nvas=(often, seldom))).healthy()

    async def test_a_group_without_a_row_or_with_one_that_cannot_be_read_is_no_health(self) -> None:
        """Neither is watched by anybody."""
        out = outside()
        out.store.leader = LeaderRecord("one", 1, later(0))
        other = replace(GROUP, name="other")
        assert not await control(out, GROUP, other).healthy()
        out.store.put(replace(steady(), group="other"))
        assert await control(out, GROUP, other).healthy()
        out.store.unreadable.add("g")
        assert not await control(out, GROUP, other).healthy()

    async def test_another_apps_groups_are_none_of_its_business(self) -> None:
        """Two apps share a storage account; each says how its own groups are."""
        out = outside()
        out.store.leader = LeaderRecord("one", 1, later(0))
        out.store.put(replace(steady(probed_at=None), group="theirs"))
        assert await control(out).healthy()

    async def test_storage_is_asked_only_once_in_a_while(self) -> None:
        """However often anybody asks, what was answered a moment ago is answered again."""
        out = outside()
        mine = control(out)

        answers = [await mine.healthy()]
        out.store.leader = LeaderRecord("one", 1, later(0))
        for wait_s in (KEPT_S - 0.1, 0.1):
            await out.clock.sleep(wait_s)
            answers.append(await mine.healthy())
        assert answers == [False, False, True]

    @pytest.mark.parametrize(("took_s", "kept_s"), [(0.0, 2.0), (0.3, 6.0), (4.5, 10.0)])
    async def test_what_takes_long_to_tell_is_asked_the_less_often(
        self, took_s: float, kept_s: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often anybody asks, reading the states of a thousand groups takes little of the time."""
        out, asked = outside(), []

        async def load_leader(_: FakeStore) -> None:
            asked.append(out.clock.monotonic())
            await out.clock.sleep(took_s)

        monkeypatch.setattr(FakeStore, "load_leader", load_leader)
        mine = control(out)
        while len(asked) < 3:
            await mine.healthy()
            await out.clock.sleep(0.01)
        gaps = [later - earlier for earlier, later in pairwise(asked)]
        assert gaps == [pytest.approx(took_s + kept_s, abs=0.03)] * 2

    async def test_a_silence_of_storage_is_no_health(self) -> None:
        """Whether anybody leads cannot be told, and whoever asks gets an answer all the same."""
        out = outside()
        out.store.leader = LeaderRecord("one", 1, later(0))
        out.storage_goes()
        assert not await control(out).healthy()


class TestInstances:
    """Who could lead, for operators and for whoever upgrades one of several apps."""

    @staticmethod
    def row(name: str, **changes: Any) -> InstanceRecord:
        """Return the row of a monitor of this app that could lead."""
        record = InstanceRecord(
            name,
            later(0),
            app="here",
            version="1",
            configuration=Configuration((GROUP,)).fingerprint,
            campaign_at=later(0),
            asked=2,
            answered=2,
            seen_at=later(0),
        )
        return replace(record, **changes)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, True),
            ({"leads": True}, True),
            ({"app": "there"}, False),
            ({"version": "2"}, False),
            ({"configuration": "x-y"}, False),
            ({"written_at": later(-STALE_AFTER_S - 1)}, False),
            ({"campaign_at": later(-STALE_AFTER_S - 1)}, False),
        ],
    )
    async def test_an_app_campaigns_if_one_of_its_own_monitors_does(
        self, changes: dict[str, Any], expected: bool
    ) -> None:
        """Of this release, with this configuration, just now; whoever leads elsewhere says nothing of it."""
        out = outside()
        await out.store.save_instance(self.row("other", app="there", leads=True))
        await out.store.save_instance(self.row("mine", **changes))
        mine = Control(Configuration((GROUP,)), out.ports, app="here")
        assert await mine.campaigns("1") is expected

    async def test_rows_are_asked_for_only_once_in_a_while(self) -> None:
        """However often strangers ask, for whatever releases; no answer of storage is none of ours."""
        out = outside()
        mine = Control(Configuration((GROUP,)), out.ports, app="here")
        answers = [await mine.campaigns("1")]
        await out.store.save_instance(self.row("mine"))
        for wait_s in (KEPT_S - 0.1, 0.2):
            await out.clock.sleep(wait_s)
            answers.append(await mine.campaigns("1"))
        assert [*answers, await mine.campaigns("2")] == [False, False, True, False]
        out.store.answers = False
        await out.clock.sleep(KEPT_S + 0.1)
        assert not await mine.campaigns("1")

    async def test_the_instances_are_shown_beside_the_groups(self) -> None:
        """Who leads, who could, who would decide otherwise than the leader; not who is gone for an hour."""
        out = outside()
        out.store.leader = LeaderRecord("two", 1, later(0))
        await out.store.save_instance(self.row("one"))
        await out.store.save_instance(self.row("two", configuration="x-y"))
        await out.store.save_instance(self.row("three", configuration="x-y", answered=0))
        await out.store.save_instance(self.row("four", written_at=later(-60)))
        await out.store.save_instance(self.row("five", written_at=later(-4000)))
        answer = await control(out).groups()
        keys = ("name", "leads", "fresh", "could_lead", "same_configuration", "sees")
        assert [tuple(each[key] for key in keys) for each in answer["instances"]] == [
            ("four", False, False, False, False, True),
            ("one", False, True, False, False, True),
            ("three", False, True, True, True, False),
            ("two", True, True, True, True, True),
        ]
        assert answer["standbys"] == 1

    async def test_groups_are_shown_although_the_rows_cannot_be_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They matter more."""

        async def unavailable(_: FakeStore) -> None:
            raise StoreUnavailable("rows: no answer")

        monkeypatch.setattr(FakeStore, "instances", unavailable)
        answer = await control(outside()).groups()
        assert (len(answer["groups"]), answer["instances"], answer["standbys"]) == (1, [], 0)


class TestNotify:
    """An operator sees whether what people are to be told arrives."""

    async def test_each_is_sent_a_test_and_its_answer_is_shown(self) -> None:
        """Whatever it is; what is wrong with one hides no other."""
        out = outside()
        hook, chat = (Receiver(name, ReceiverKind.WEBHOOK) for name in ("hook", "chat"))
        sent: list[tuple[str, Unsent]] = []

        class Receivers:
            known = (hook, chat)

            async def send(self, receiver: Receiver, unsent: Unsent) -> int:
                sent.append((receiver.name, unsent))
                if receiver is chat:
                    raise NotTaken("it answers with status 500", 500)
                return 202

            def heard(self) -> tuple[Unsent, ...]:
                return ()

        mine = Control(Configuration((GROUP,)), replace(out.ports, receivers=Receivers()))
        both = (await mine.notify_test(None, "ann"))["receivers"]
        assert [(each["name"], each["taken"], each["status"]) for each in both] == [
            ("hook", True, 202),
            ("chat", False, 500),
        ]
        assert len((await mine.notify_test("chat", "ann"))["receivers"]) == 1
        assert [name for name, _ in sent] == ["hook", "chat", "chat"]
        assert {unsent.notice.event for _, unsent in sent} == {"notify_test"}
        assert len({unsent.id for _, unsent in sent}) == 3
        with pytest.raises(Refused) as raised:
            await mine.notify_test("nobody", "ann")
        assert raised.value.refusal.code is RefusalCode.UNKNOWN_RECEIVER

    async def test_without_receivers_there_is_nobody(self) -> None:
        """It is off by default."""
        assert await control(outside()).notify_test(None, "ann") == {"receivers": []}
