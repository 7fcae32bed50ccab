"""Stories of one group over minutes and hours: leader and worker by turns, on Azure as the tests have it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from nvaha.azure.storage.rows import group_entity, read_group
from nvaha.core.decide import decide
from nvaha.core.inputs import FailoverCommanded, NetworkRead, Probed, Survey, SwitchFailed
from nvaha.core.survey import survey
from nvaha.model import (
    Configuration,
    Group,
    GroupState,
    Notice,
    NvaState,
    Operation,
    Phase,
    PublicIp,
    Resource,
    Status,
    StepRecord,
    StepStatus,
    Switch,
    Trigger,
)
from nvaha.model.messages import SwitchMessage
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state.commit import Committer
from nvaha.state.snapshot import read_snapshot
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from tests.builders import (
    BAD,
    NOON,
    OK,
    down,
    group_of,
    later,
    nic,
    nic_id,
    pip,
    pip_id,
    request_to,
    steady,
    switch_of,
    switching,
    table,
    table_id,
    up,
)
from tests.fake_network import FakeNetwork
from tests.fakes import Outside, run
from tests.strategies import READ_AT

PIP = PublicIp("external", pip_id("p"))
PAIR = group_of("a", "b", public_ips=(PIP,))
THREE = group_of("a", "b", "c", public_ips=(PIP,))
HOST = {"a": 4, "b": 5, "c": 6}


def azure(state: GroupState, group: Group, *, carrier: str = "a", routed: str = "a") -> Outside:
    """Return a group's network: the public IP on one NVA, the route on one."""
    there = Outside(state)
    for name in group.names:
        carried = {"ip": pip_id("p")} if name == carrier else {}
        there.network.put_there(
            nic(name, "external", {"ip": f"10.0.0.{HOST[name]}"}, carried),
            nic(name, "internal", {"ip": f"10.0.1.{HOST[name]}"}, {}),
        )
    there.network.put_there(table("table", {"one": f"10.0.1.{HOST[routed]}"}), pip("p"))
    return there


def holder(there: Outside) -> list[str]:
    """Return the NICs that carry the public IP."""
    return [
        each.id.rpartition("/")[2]
        for each in there.network.resources.values()
        if "ipConfigurations" in each.body["properties"]
        and any("publicIPAddress" in one["properties"] for one in each.body["properties"]["ipConfigurations"])
    ]


def hop(there: Outside) -> str:
    """Return where the route points."""
    return str(
        there.network.resources[table_id("table").casefold()].body["properties"]["routes"][1]["properties"][
            "nextHopIpAddress"
        ]
    )


def carries(resource: Resource) -> bool:
    """Tell whether a body to be written has the public IP."""
    configurations = resource.body["properties"].get("ipConfigurations", [])
    return any("publicIPAddress" in each["properties"] for each in configurations)


def as_azure(there: Outside, refuses: set[str], detached: list[str] | None = None) -> None:
    """Let Azure say that a public IP is in use, and refuse it to some NICs once it is free."""

    def before(resource: Resource) -> None:
        name = resource.id.rpartition("/")[2]
        held = holder(there)
        if detached is not None and name in held and not carries(resource):
            detached.append(name)
        if not carries(resource) or name in held:
            return
        if held:
            raise NetworkError(NetworkFault.IN_USE, resource.id, "400: PublicIPAddressInUse")
        if name in refuses:
            raise NetworkError(NetworkFault.REFUSED, resource.id, "400: NotSupportedHere")

    there.network.before_put = before


async def one_switch(there: Outside, group: Group) -> None:
    """Carry out the switch that is under way, however it ends."""
    request = switch_of(there.state()).request
    message = SwitchMessage(v=1, group="g", generation=request.generation, operation=request.operation)
    with suppress(SwitchIncomplete):
        await Switcher(Configuration((group,)), there.ports, "worker").run(message)


async def lead(there: Outside, group: Group, seconds: float, dead: Callable[[float], set[str]]) -> None:
    """Be leader and worker for a while: a round every second, a look every five, each switch carried out."""
    committer, clock = Committer(there.ports), there.clock
    until, number = clock.monotonic() + seconds, 0
    while clock.monotonic() < until:
        gone = dead(clock.monotonic())
        readings = {name: BAD if name in gone else OK for name in group.names}
        await committer.commit(group, Probed(1, readings))
        if number % 5 == 0 and there.state().phase is not Phase.SWITCHING:
            snapshot = await read_snapshot(there.network, group)
            await committer.commit(group, NetworkRead(1, survey(group, snapshot, there.state().nvas)))
        if there.state().phase is Phase.SWITCHING:
            await one_switch(there, group)
        await clock.sleep(1.0)
        number += 1


def nobody(_: float) -> set[str]:
    """Nobody is dead."""
    return set()


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.FAILBACK])
def test_a_public_ip_is_not_taken_off_a_working_nva_again_and_again(trigger: Trigger) -> None:
    """The target refuses it once it is free: after a try or two the working NVA keeps it."""
    there = azure(switching("b", trigger), PAIR)
    detached: list[str] = []
    as_azure(there, {"b-external"}, detached)
    run(lead(there, PAIR, 3600.0, nobody))
    assert len(detached) <= 3


@pytest.mark.parametrize("fault", [NetworkFault.DENIED, NetworkFault.UNAVAILABLE])
def test_an_unreadable_public_ip_is_not_taken_off_to_hang(fault: NetworkFault) -> None:
    """It cannot be read, for want of a right or of an answer: a planned move does not leave it on nothing."""
    there = azure(switching("b", Trigger.MANUAL), PAIR)
    there.network.unread[pip_id("p")] = NetworkError(fault, pip_id("p"), "no")
    as_azure(there, set())
    run(lead(there, PAIR, 600.0, nobody))
    assert holder(there) != []


def test_an_unreadable_public_ip_is_not_taken_off_to_hang_in_a_failover() -> None:
    """The same when the old NVA is dead: the new one takes it."""
    there = azure(switching("b", nvas={"a": down()}), PAIR)
    there.network.unread[pip_id("p")] = NetworkError(NetworkFault.DENIED, pip_id("p"), "403")
    as_azure(there, set())
    run(lead(there, PAIR, 600.0, lambda _: {"a"}))
    assert holder(there) == ["b-external"]


@pytest.mark.parametrize("to", ["b", "a"])
def test_a_move_from_between_that_is_not_begun_does_not_bring_the_old_record_back(to: str) -> None:
    """Half is on b; the next attempt, or the way back, is not begun: a is not recorded as active."""
    group = group_of("a", "b", tables=("table", "two", "three"), drift="report")
    there = azure(switching("b", Trigger.MANUAL), group)
    there.network.put_there(table("two", {"one": "10.0.1.4"}), table("three", {"one": "10.0.1.4"}))
    locked = NetworkError(NetworkFault.REFUSED, table_id("two"), "409: ScopeLocked")
    there.network.refuse[table_id("two")] = [locked]

    async def scene() -> None:
        await one_switch(there, group)
        assert hop(there) == "10.0.1.5"
        assert (there.state().phase, there.state().wanted) == (Phase.UNKNOWN, "b")
        there.network.unread[table_id("three")] = NetworkError(NetworkFault.DENIED, table_id("three"), "403")
        if to == "a":
            done = await Committer(there.ports).commit(group, FailoverCommanded("a", "somebody"))
            assert done.refusal is None
        await lead(there, group, 120.0, nobody)
        # The NVA that most routes lead to dies.
        there.network.unread.clear()
        await lead(there, group, 900.0, lambda _: {"b"})

    run(scene())
    assert hop(there) == "10.0.1.4"


def test_a_failback_that_cannot_begin_does_not_hold_a_failover_back() -> None:
    """The preferred NVA cannot take the group; when the active one dies, the third gets it at once."""
    group = group_of("a", "b", "c", failback="automatic", failback_after_s=10.0, hold_down_s=0.0)
    state = steady("b", nvas={"a": up(), "c": up()}, last_switch_at=later(-3600))
    waited = now = 0.0
    while now < 3600:
        now += 1.0
        found = decide(group, state, Probed(1, dict.fromkeys(group.names, OK)), later(now))
        state = found.state
        if found.send:
            assert found.send.trigger is Trigger.FAILBACK
            report = SwitchFailed(state.generation, found.send.operation, "not begun: no right", begun=False)
            state = decide(group, state, report, later(now)).state
            last = now
    now = last
    while waited < 400:
        waited += 1.0
        readings = {"a": OK, "b": BAD, "c": OK}
        found = decide(group, state, Probed(1, readings), later(now + waited))
        state = found.state
        if found.send:
            break
    assert waited <= 5


def test_commands_that_could_not_begin_do_not_hold_a_failover_back() -> None:
    """An operator tries a move that is not begun a few times; then the active NVA dies."""
    group = group_of("a", "b", "c")
    state = steady("a", nvas={"c": up()})
    for number in range(6):
        now = later(10 * number)
        state = decide(group, state, Probed(1, dict.fromkeys(group.names, OK)), now).state
        found = decide(group, state, FailoverCommanded("c", "somebody"), now)
        assert found.send is not None
        report = SwitchFailed(found.state.generation, found.send.operation, "not begun", begun=False)
        state = decide(group, found.state, report, now).state
    waited = 0
    for waited in range(1, 400):
        found = decide(group, state, Probed(1, {"a": BAD, "b": OK, "c": OK}), later(50 + waited))
        state = found.state
        if found.send:
            break
    assert waited <= 5


def test_what_nobody_can_see_is_not_called_done() -> None:
    """A failover failed as all rights went: when they are back, the dead NVA's routes are moved."""
    group = replace(PAIR, policy=replace(PAIR.policy, drift="report"))
    there = azure(switching("b", nvas={"a": down()}), group)
    for each in group.resource_ids:
        there.network.unread[each] = NetworkError(NetworkFault.DENIED, each, "403")

    async def scene() -> None:
        await one_switch(there, group)
        await lead(there, group, 120.0, lambda _: {"a"})
        there.network.unread.clear()
        await lead(there, group, 900.0, lambda _: {"a"})

    run(scene())
    assert hop(there) == "10.0.1.5"


def test_a_candidate_known_to_be_unfit_is_not_taken_before_a_fit_one() -> None:
    """B answers, but its NICs are known to be gone: c is ready."""
    there = azure(steady("a", nvas={"c": up()}), THREE)
    for role in ("external", "internal"):
        del there.network.resources[nic_id("b", role).casefold()]

    async def scene() -> None:
        await lead(there, THREE, 20.0, nobody)
        assert there.state().nvas["b"].unready
        await lead(there, THREE, 1800.0, lambda _: {"a"})

    run(scene())
    assert (hop(there), holder(there)) == ("10.0.1.6", ["c-external"])


def test_a_forced_target_that_was_never_probed_does_not_keep_the_group_forever() -> None:
    """B's NIC may not be read, so b is neither up nor down; the force fails; a dies; c is up."""
    group = group_of("a", "b", "c")
    state = steady("a", nvas={"b": NvaState(), "c": up()})
    found = decide(group, state, FailoverCommanded("b", "somebody", force=True), NOON)
    assert found.send is not None
    report = SwitchFailed(1, found.send.operation, "left undone: the address of b is not known")
    state = decide(group, found.state, report, NOON).state
    sent = []
    for second in range(1, 3600):
        found = decide(group, state, Probed(1, {"a": BAD, "c": OK}), later(second))
        state = found.state
        if found.send:
            sent.append(found.send.target)
    assert sent[-1:] == ["c"]


def test_a_public_ip_taken_off_a_third_nva_goes_back_there() -> None:
    """A is left for b, the public IP was on c, b refuses it: c, which answers, has it again."""
    there = azure(switching("b", Trigger.MANUAL, nvas={"c": up()}), THREE, carrier="c")
    as_azure(there, {"b-external"})
    run(one_switch(there, THREE))
    assert holder(there) == ["c-external"]


def test_a_repair_that_fails_puts_the_public_ip_back() -> None:
    """It was on b by mistake and worked; a refuses it: it goes back to b."""
    there = azure(switching("a", Trigger.REPAIR), PAIR, carrier="b")
    as_azure(there, {"a-external"})
    run(one_switch(there, PAIR))
    assert holder(there) == ["b-external"]


def test_a_public_ip_detached_by_an_operation_before_goes_back() -> None:
    """The first operation ends between detach and attach; the second is refused: a has it again."""
    there = azure(switching("b", Trigger.MANUAL), PAIR)
    as_azure(there, {"b-external"})

    async def scene() -> None:
        there.network.put_there(nic("a", "external", {"ip": "10.0.0.4"}, {}))
        state = there.state()
        report = SwitchFailed(1, "g-1-0", "its message failed every time it was delivered (poison queue)")
        await Committer(there.ports).commit(PAIR, report)
        assert state.request is not None
        await lead(there, PAIR, 1800.0, nobody)

    run(scene())
    assert holder(there) == ["a-external"]


def test_drift_on_top_of_a_lasting_problem_is_told() -> None:
    """Somebody moves a route while one table could not be read for days: operators hear of it."""
    group = group_of(drift="report")
    locked = Survey(routes={"a": 1}, public_ips={}, off={"a": (), "b": ("x",)}, problems={"a": ("no right",)})
    moved = replace(locked, off={"a": ("route one from b to a",), "b": ()})
    state = steady()
    for second in range(5):
        state = decide(group, state, NetworkRead(1, locked), later(second)).state
    told = []
    for second in range(5, 10):
        found = decide(group, state, NetworkRead(1, moved), later(second))
        state = found.state
        told += [each.event for each in found.notices]
    assert "drift_found" in told


def test_drift_on_top_of_a_lasting_problem_is_looked_at_twice() -> None:
    """One look may be the middle of somebody's edit: it takes a second one before anything is moved."""
    group = group_of()
    locked = Survey(routes={"a": 1}, public_ips={}, off={"a": (), "b": ("x",)}, problems={"a": ("no right",)})
    moved = replace(locked, off={"a": ("route one from b to a",), "b": ()})
    state = steady()
    for second in range(5):
        state = decide(group, state, NetworkRead(1, locked), later(second)).state
    state = decide(group, state, NetworkRead(1, moved), later(5)).state
    assert decide(group, state, Probed(1, {"a": OK, "b": OK}), later(6)).send is None


def test_a_problem_at_the_first_look_does_not_excuse_later_drift() -> None:
    """A public IP is foreign from the start; a month later somebody moves a route: it is repaired."""
    group = group_of()
    first = Survey(routes={"a": 1}, public_ips={}, off={"a": (), "b": ("x",)}, problems={"a": ("foreign",)})
    moved = replace(first, off={"a": ("route one from b to a",), "b": ()})
    state = GroupState("g", nvas={"a": up(), "b": up()}, epoch=1)
    for second in range(5):
        state = decide(group, state, NetworkRead(1, first), later(second)).state
    told, sent = [], False
    for second in range(3600, 3610):
        for each in (NetworkRead(1, moved), Probed(1, {"a": OK, "b": OK})):
            found = decide(group, state, each, later(second))
            state = found.state
            told += [one.event for one in found.notices]
            sent = sent or found.send is not None
    assert sent or "drift_found" in told


def test_a_flapping_candidate_is_no_storm_of_notices() -> None:
    """The active NVA is down, the flap limit is reached, the other answers every second probe."""
    group = group_of()
    state = steady(nvas={"a": down()}, switches=tuple(later(-each) for each in range(60, 66)))
    notices: list[Notice] = []
    for second in range(600):
        found = decide(group, state, Probed(1, {"a": BAD, "b": OK if second % 2 else BAD}), later(second))
        state = found.state
        notices += found.notices
    assert len(notices) <= 20


class Hanging(FakeNetwork):
    """Azure, which never answers for one resource."""

    async def get(self, resource_id: str) -> Resource:
        """Read a resource, but not that one."""
        if resource_id == nic_id("c", "internal"):
            await self.clock.sleep(3600.0)
        return await super().get(resource_id)


def test_a_read_that_hangs_does_not_hold_a_failover_up() -> None:
    """The NIC of an NVA that has nothing to do with it is not answered for: the routes move anyway."""
    known = {"external": {"ip": "10.0.0.6"}, "internal": {"ip": "10.0.1.6"}}
    primary = {"external": "ip", "internal": "ip"}
    nvas = {"a": down(), "c": up(addresses=known, primary=primary)}
    there = azure(switching("b", nvas=nvas), THREE)
    network = Hanging(there.clock, there.network.resources)
    there.network = network
    there.ports = replace(there.ports, network=network)
    first: list[float] = []
    network.before_put = lambda _: first.append(there.clock.monotonic())
    run(one_switch(there, THREE))
    assert first[0] <= 6.0


def test_a_planned_move_waits_for_a_write_that_is_under_way() -> None:
    """Somebody's edit of a tag is being carried out: the move begins when it has ended."""
    there = azure(switching("b", Trigger.MANUAL), PAIR)
    body = there.network.resources[table_id("table").casefold()]
    busy = {**body.body, "properties": {**body.body["properties"], "provisioningState": "Updating"}}
    there.network.put_there(replace(body, body=busy))
    as_azure(there, set())

    async def scene() -> None:
        async def ends() -> None:
            await there.clock.sleep(3.0)
            there.network.put_there(body)

        ending = asyncio.ensure_future(ends())
        await one_switch(there, PAIR)
        await ending

    run(scene())
    assert there.state().active == "b"


def test_a_command_to_the_active_nva_brings_the_rest_there_with_drift_off() -> None:
    """Nobody repairs, so an operator must be able to; without force."""
    group = replace(PAIR, policy=replace(PAIR.policy, drift="off"))
    there = azure(steady(), group, carrier="b")
    as_azure(there, set())

    async def scene() -> None:
        await lead(there, group, 10.0, nobody)
        done = await Committer(there.ports).commit(group, FailoverCommanded("a", "somebody"))
        if done.refusal is None:
            await one_switch(there, group)

    run(scene())
    assert holder(there) == ["a-external"]


def test_a_split_group_at_first_look_leaves_an_nva_that_dies() -> None:
    """Two tables, one to each NVA, as found; then the NVA with the smaller part dies."""
    group = group_of("a", "b", tables=("table", "two"))
    first = Survey(
        routes={"a": 2, "b": 1}, public_ips={}, off={"a": ("table two: one from b to a",), "b": ("table",)}
    )
    state = GroupState("g", nvas={"a": up(), "b": up()}, epoch=1)
    state = decide(group, state, NetworkRead(1, first), later(0)).state
    sent, told = False, []
    for second in range(1, 600):
        found = decide(group, state, Probed(1, {"a": OK, "b": BAD}), later(second))
        state = found.state
        sent = sent or found.send is not None
        told += [each.event for each in found.notices]
    assert sent


def test_a_failover_that_moved_nothing_is_not_called_done() -> None:
    """B was rebuilt with other NICs and answers; nothing can be moved there: the group is not steady on b."""
    there = azure(steady("a", nvas={"c": up()}), PAIR)
    for role in ("external", "internal"):
        del there.network.resources[nic_id("b", role).casefold()]

    async def scene() -> None:
        await lead(there, PAIR, 20.0, nobody)
        await lead(there, PAIR, 900.0, lambda _: {"a"})

    run(scene())
    state = there.state()
    assert (hop(there), holder(there)) == ("10.0.1.4", ["a-external"])
    assert (state.phase, state.active) != (Phase.STEADY, "b")


def test_a_dead_target_is_left_at_once_however_often_moving_there_failed() -> None:
    """B was tried in vain for an hour, then it dies; c is up."""
    group = group_of("a", "b", "c")
    request = request_to("b")
    state = steady(
        "a",
        phase=Phase.UNKNOWN,
        wanted="b",
        nvas={"a": down(), "c": up()},
        switch=Switch(request, ended=Status.FAILED),
        failed_in_a_row=8,
        retry_at=later(300),
    )
    waited = 0
    for waited in range(1, 400):
        found = decide(group, state, Probed(1, {"a": BAD, "b": BAD, "c": OK}), later(waited))
        state = found.state
        if found.send:
            break
    assert waited <= 5


def test_a_detach_whose_worker_died_is_remembered() -> None:
    """The worker died after the detach, before it was on record; the next one is refused: a has it again."""
    there = azure(switching("b", Trigger.MANUAL), PAIR)
    as_azure(there, {"b-external"})
    there.network.put_there(nic("a", "external", {"ip": "10.0.0.4"}, {}))
    nic_of_a = nic_id("a", "external")
    step = StepRecord(f"detach:{nic_of_a.casefold()}", "detach", nic_of_a, "off", StepStatus.RUNNING)
    request = there.state().request
    assert request is not None
    there.store.operations["g-1-0"] = Operation(request, Status.RUNNING, steps=(step,))
    run(one_switch(there, PAIR))
    assert holder(there) == ["a-external"]


OLD = frozenset({"untold", "wanted", "write_ids", "unasked", "unread", "former", "unready", "ended"})


def as_written_by_0_1_0(state: GroupState) -> GroupState:
    """Return a state after release 0.1.0 has read it and written it back."""
    entity = group_entity(state)
    text = "".join(str(entity.get(each) or "") for each in ("state", "state_1", "state_2"))
    content = {key: value for key, value in json.loads(text).items() if key not in OLD}
    content["nvas"] = {
        name: {key: value for key, value in nva.items() if key not in OLD}
        for name, nva in content["nvas"].items()
    }
    return read_group({**entity, "state": json.dumps(content), "state_1": None, "state_2": None}, READ_AT)


def test_a_group_half_hidden_at_first_look_is_failed_over() -> None:
    """One table of three may not be read, the others point at a and b; a dies."""
    group = group_of("a", "b", tables=("table", "two", "three"))
    found = Survey(
        routes={"a": 5, "b": 1},
        public_ips={},
        off={"a": ("two",), "b": ("table",)},
        problems={"a": ("three: 403",), "b": ("three: 403",)},
        hidden=("three: 403",),
    )
    state = GroupState("g", nvas={"a": up(), "b": up()}, epoch=1)
    sent, told = False, []
    for second in range(1, 600):
        happened: list[NetworkRead | Probed] = [Probed(1, {"a": BAD, "b": OK})]
        if second % 5 == 0:
            happened.insert(0, NetworkRead(1, found))
        for each in happened:
            decision = decide(group, state, each, later(second))
            state, sent = decision.state, sent or decision.send is not None
            told += [one.event for one in decision.notices]
    assert sent


def test_everything_moved_is_steady_though_a_third_nva_may_not_be_read() -> None:
    """C's NICs are denied from the start; a dies, all goes to b: the group is steady there."""
    there = azure(steady("a", nvas={"c": NvaState()}), THREE)
    for role in ("external", "internal"):
        there.network.unread[nic_id("c", role)] = NetworkError(NetworkFault.DENIED, nic_id("c", role), "403")
    as_azure(there, set())
    run(lead(there, THREE, 3600.0, lambda _: {"a"}))
    assert (there.state().phase, there.state().active) == (Phase.STEADY, "b")
